# SPDX-License-Identifier: Apache-2.0
"""Category pairs: each number its own, none given twice, a ledger that does not take contradictions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.generate.ranges import HEADER, PAIRS, Ledger, merged, pair
from selsock.generate.source import BadSource, Place
from selsock.names import HostName

HERE = Place("vhost.yaml", 7, 3, "vhosts.x")
A, B, C = HostName("a.example"), HostName("b.example"), HostName("c.example")


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (0, "s0:c0,c1"),
        (1, "s0:c0,c2"),
        (1022, "s0:c0,c1023"),
        (1023, "s0:c1,c2"),
        (2044, "s0:c1,c1023"),
        (2045, "s0:c2,c3"),
        (PAIRS - 1, "s0:c1022,c1023"),
    ],
)
def test_the_order_of_pairs(number: int, level: str) -> None:
    assert pair(number) == level


@given(st.integers(0, PAIRS - 1))
def test_each_number_is_its_own_pair(number: int) -> None:
    """The inverse, computed another way: pairs before those that begin with ``first``, then the offset."""
    first, second = sorted(pair(number).categories())
    assert first * 1023 - first * (first - 1) // 2 + (second - first - 1) == number


def test_pairs_are_given_in_order_and_kept() -> None:
    ledger = Ledger()
    assert [ledger.level(name, HERE) for name in (B, A, B)] == ["s0:c0,c1", "s0:c0,c2", "s0:c0,c1"]
    assert ledger.text() == f"{HEADER}b.example 0 s0:c0,c1\na.example 1 s0:c0,c2\n"


def test_a_vhost_that_is_gone_keeps_its_pair() -> None:
    """The next number is one above the highest, whatever holes there are."""
    ledger = Ledger.parse(b"gone.example 6 s0:c0,c7\n", "l")
    assert ledger.level(A, HERE) == "s0:c0,c8"
    assert "gone.example 6 s0:c0,c7\n" in ledger.text()


@given(st.lists(st.sampled_from([A, B, C]), max_size=6))
def test_a_ledger_survives_its_file(names: list[HostName]) -> None:
    ledger = Ledger()
    for name in names:
        ledger.level(name, HERE)
    assert Ledger.parse(ledger.text().encode(), "l").text() == ledger.text()


def test_exhaustion() -> None:
    ledger = Ledger.parse(f"a.example {PAIRS - 1} s0:c1022,c1023\n".encode(), "l")
    with pytest.raises(BadSource) as caught:
        ledger.level(B, HERE)
    assert str(caught.value) == (
        "vhost.yaml:7:3: vhosts.x: expected 523776 vhosts with range: auto at most, not one more"
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a.example 0 s0:c0,c1\na.example 1 s0:c0,c2\n", "l:2: expected each vhost once, not 'a.example' again"),
        ("a.example 0 s0:c0,c1\nb.example 0 s0:c0,c1\n", "l:2: expected each pair once, not 0 again (a.example"),
        ("# comment\n\na.example 0 s0:c0,c2\n", "l:3: expected NAME NUMBER LEVEL with the level of that number"),
        ("a.example 0\n", "l:1: expected NAME NUMBER LEVEL"),
        ("a.example  0 s0:c0,c1\n", "l:1: expected NAME NUMBER LEVEL"),
        ("a.example 00 s0:c0,c1\n", "l:1: expected NAME NUMBER LEVEL"),
        ("a.example -1 s0:c0,c1\n", "l:1: expected NAME NUMBER LEVEL"),
        ("a.example ٠ s0:c0,c1\n", "l:1: expected NAME NUMBER LEVEL"),
        ("A.example 0 s0:c0,c1\n", "l:1: expected NAME NUMBER LEVEL"),
        (f"a.example {PAIRS} s0:c0,c1\n", "l:1: expected NAME NUMBER LEVEL"),
        ("a.example 0 s0:c0,c1\r\n", "l:1: expected NAME NUMBER LEVEL"),
        ("\x1b[2J\n", "l:1: expected NAME NUMBER LEVEL with the level of that number, not '\\x1b[2J'"),
    ],
)
def test_what_is_no_ledger(text: str, answer: str) -> None:
    with pytest.raises(BadSource) as caught:
        Ledger.parse(text.encode(), "l")
    assert str(caught.value).startswith(answer)


def test_merging_two_ledgers_that_agree() -> None:
    one, two = b"a.example 0 s0:c0,c1\n", b"a.example 0 s0:c0,c1\nb.example 1 s0:c0,c2\n"
    assert merged([("one", one), ("two", two)]).numbers == {A: 0, B: 1}


@pytest.mark.parametrize(
    ("other", "answer"),
    [
        (b"a.example 1 s0:c0,c2\n", "two: expected each vhost once, not 'a.example' again (it has pair 0)"),
        (b"b.example 0 s0:c0,c1\n", "two: expected each pair once, not 0 again (a.example has it)"),
    ],
)
def test_merging_two_ledgers_that_contradict(other: bytes, answer: str) -> None:
    with pytest.raises(BadSource) as caught:
        merged([("one", b"a.example 0 s0:c0,c1\n"), ("two", other)])
    assert str(caught.value) == answer
