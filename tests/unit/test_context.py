# SPDX-License-Identifier: Apache-2.0
"""Levels in the one spelling that the kernel prints, and contexts made of them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.context import Context
from selsock.mls.levels import Level, ends, meet, runs
from selsock.names import TypeName

categories = st.sets(st.integers(0, 1023), max_size=40)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("s0", "s0"),
        ("s15", "s15"),
        ("s0:c0", "s0:c0"),
        ("s0:c1,c0", "s0:c0,c1"),  # two neighbours are no run
        ("s0:c0.c1", "s0:c0,c1"),
        ("s0:c0,c1,c2", "s0:c0.c2"),
        ("s0:c2,c0.c1", "s0:c0.c2"),
        ("s0:c5,c5", "s0:c5"),
        ("s0:c3.c3", "s0:c3"),
        ("s0:c0.c1023", "s0:c0.c1023"),
        ("s0:c1,c2,c4,c5,c6,c9", "s0:c1,c2,c4.c6,c9"),
    ],
)
def test_canonical_form(text: str, canonical: str) -> None:
    """As mls_sid_to_context of the kernel writes it."""
    assert Level.parse(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "s16",
        "S0",
        "s00",
        "0",
        "s0:",
        "s0:c",
        "s0:c1024",
        "s0:c01",
        "s0:c1,",
        "s0:,c1",
        "s0:c5.c2",
        "s0:c1.c2.c3",
    ]
    + [
        "s0-s0",
        "s0-s0:c0.c1023",
        "s0 ",
        " s0",
        "s0:c1 ,c2",
        "s٣",
        "s0:c٣",
        "*",
        "SystemLow",
        "s0:c-1",
        "s0:c+1",
        "s0\n",
    ],
)
def test_what_is_no_level(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Level.parse(text)


@given(categories)
def test_every_set_of_categories_survives(given_set: set[int]) -> None:
    level = Level.of("s0", given_set)
    assert level.categories() == given_set
    assert Level.parse(level) == level


@given(st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 1023)).map(sorted), min_size=1, max_size=8))
def test_parsing_is_idempotent_for_any_spelling(ranges: list[list[int]]) -> None:
    text = "s0:" + ",".join(f"c{low}.c{high}" for low, high in ranges)
    level = Level.parse(text)
    assert Level.parse(level) == level
    assert level.categories() == {number for low, high in ranges for number in range(low, high + 1)}


@pytest.mark.parametrize(
    ("level", "other", "dominates"),
    [
        ("s0", "s0", True),
        ("s0:c1", "s0", True),
        ("s0", "s0:c1", False),
        ("s0:c1,c2", "s0:c1", True),
        ("s0:c1", "s0:c1,c2", False),
        ("s0:c1", "s0:c2", False),
        ("s0:c0.c1023", "s0:c5,c7.c9", True),
        ("s1", "s0", True),
        ("s0", "s1", False),
        ("s1", "s0:c1", False),
        ("s0:c1", "s1", False),
        ("s10", "s9", True),
        ("s9", "s10", False),
    ],
)
def test_level_dominates_another(level: str, other: str, dominates: bool) -> None:
    """``dom`` of the kernel: the sensitivity as a number, the categories as a set."""
    assert Level.parse(level).dominates(Level.parse(other)) is dominates


@given(categories, categories)
def test_dominance_is_inclusion_of_categories(one: set[int], two: set[int]) -> None:
    assert Level.of("s0", one).dominates(Level.of("s0", two)) is (one >= two)
    assert Level.of("s0", one | two).dominates(Level.of("s0", one))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("s0", "s0", "s0"),
        ("s0:c1", "s0:c1", "s0:c1"),
        ("s0-s0:c0.c1023", "s0", "s0:c0.c1023"),
        ("s0:c1-s1:c1,c0", "s0:c1", "s1:c0,c1"),
    ],
)
def test_ends_of_a_range(text: str, low: str, high: str) -> None:
    assert ends(text) == (low, high)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a level such as s0 or s0:c1,c5, not ''"),
        ("s0-", "expected a range LOW-HIGH, not 's0-'"),
        ("-s0", "expected a level such as s0 or s0:c1,c5, not ''"),
        ("s0-s0-s0", "expected one level, not the range 's0-s0': a tenant runs at a single level"),
        ("s1-s0", "expected a range LOW-HIGH, not 's1-s0'"),
        ("s0:c1-s0:c2", "expected a range LOW-HIGH, not 's0:c1-s0:c2'"),
        ("SystemLow-SystemHigh", "expected a level such as s0 or s0:c1,c5, not 'SystemLow'"),
    ],
)
def test_what_is_no_range(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        ends(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("login", "ceiling", "found"),
    [
        ("s0-s0:c0.c1023", "s0:c5,c7", "s0:c5,c7"),
        ("s0-s0:c0.c1023", "s0", "s0"),
        ("s0-s0:c5", "s0:c5,c7", "s0:c5"),
        ("s0", "s0", "s0"),
        ("s0", "s0:c5", None),  # a ceiling with categories, of which he has none
        ("s0-s0:c6", "s0:c5", None),
        ("s0:c6-s0:c0.c1023", "s0:c5", None),  # below his own lowest
        ("s0:c5-s0:c0.c1023", "s0:c5,c7", "s0:c5,c7"),
        ("s1-s2:c1", "s3:c1", "s2:c1"),
        ("s1-s2:c1", "s0:c1", None),
        ("s0-s2:c1", "s1:c1", "s1:c1"),
    ],
)
def test_where_clearance_and_ceiling_meet(login: str, ceiling: str, found: str | None) -> None:
    assert meet(*ends(login), Level.parse(ceiling)) == found


levels = st.builds(lambda number, found: Level.of(f"s{number}", found), st.integers(0, 15), st.sets(st.integers(0, 5)))


@given(levels, levels, levels, levels)
def test_meet_is_the_greatest_lower_bound(low: Level, high: Level, ceiling: Level, other: Level) -> None:
    """Of the login's high level and the ceiling; and it lies within the login's range."""
    found = meet(low, high, ceiling)
    if found is not None:
        assert high.dominates(found)
        assert ceiling.dominates(found)
        assert found.dominates(low)
        assert found.dominates(other) is (high.dominates(other) and ceiling.dominates(other))
        assert bool(found.categories()) is bool(ceiling.categories())
        assert Level.parse(found) == found


@given(levels, levels, levels)
def test_no_meet_has_one_of_two_reasons(low: Level, high: Level, ceiling: Level) -> None:
    if meet(low, high, ceiling) is None:
        within = high.dominates(low) and ceiling.dominates(low)
        apart = ceiling.categories() and not ceiling.categories() & high.categories()
        assert not within or apart


@given(levels, levels)
def test_a_login_that_reaches_the_ceiling_gets_the_whole_of_it(one: Level, other: Level) -> None:
    ceiling = Level.of("s0", one.categories() | other.categories())
    assert meet(Level.of("s0", set()), ceiling, ceiling) == ceiling


@given(categories)
def test_runs_cover_their_numbers_and_are_apart(given_set: set[int]) -> None:
    found = runs(sorted(given_set))
    assert [number for first, last in found for number in range(first, last + 1)] == sorted(given_set)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(found))


@given(categories)
def test_contexts_survive_the_table(given_set: set[int]) -> None:
    context = Context(TypeName("selsock_staff_t"), Level.of("s0", given_set))
    assert Context.parse(str(context)) == context
    assert hash(Context.parse(str(context))) == hash(context)


@pytest.mark.parametrize(
    "text", ["", "selsock_t", "selsock_t:", ":s0", "staff:s0", "a_t:s0-s0", "a_t:s0:c1:c2", "A_t:s0"]
)
def test_what_is_no_context(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Context.parse(text)


def test_contexts_differ_by_type_and_by_level() -> None:
    context = Context.parse("a_t:s0")
    assert context != Context.parse("b_t:s0")
    assert context != Context.parse("a_t:s0:c0")
    assert context != "a_t:s0"
