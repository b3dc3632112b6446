# SPDX-License-Identifier: Apache-2.0
"""Conditions of rules, compared and put together, against all visitors of a small world."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.generate.words_visitors import ANY, Block, Conditions
from selsock.names import Network

NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "::/0", "2001:db8::/32")
ADDRESSES = ("10.1.2.3", "10.2.0.1", "192.0.2.1", "2001:db8::1", "2001:db9::1", "local")
GROUPS = tuple(frozenset(names) for names in ("", "g", "h", "k", "gh", "gk", "hk", "ghk"))
METHODS = ("GET", "PUT", "HEAD")
WORLD = tuple(product(GROUPS, ADDRESSES, METHODS, (False, True)))

Visitor = tuple[frozenset[str], str, str, bool]

groups = st.frozensets(st.frozensets(st.sampled_from("ghk"), min_size=1, max_size=2), max_size=2)
blocks = st.none() | st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=3, unique=True).map(
    lambda texts: tuple(map(Block.of, texts))
)
methods = st.none() | st.frozensets(st.sampled_from(METHODS), min_size=1)
conditions = st.builds(Conditions, groups, blocks, methods, st.booleans())


def meets(visitor: Visitor, asked: Conditions) -> bool:
    """Whether ``visitor`` does what is ``asked``, as the handler judges a rule."""
    own, address, method, assigned = visitor
    by_address = asked.blocks is None or any(Network(block.text).contains(address) for block in asked.blocks)
    by_method = asked.methods is None or method in asked.methods
    return by_address and by_method and (assigned or not asked.assigned) and all(own & each for each in asked.groups)


@given(conditions, conditions)
def test_both_is_what_meets_one_and_the_other(one: Conditions, other: Conditions) -> None:
    """Exactly these visitors; and nobody, where nobody does."""
    both = one.also(other)
    for visitor in WORLD:
        assert (both is not None and meets(visitor, both)) == (meets(visitor, one) and meets(visitor, other))


@given(conditions, conditions)
def test_what_lies_within_has_no_other_visitor(one: Conditions, other: Conditions) -> None:
    """Or somebody would be missed; all lie within what asks nothing, and in themselves."""
    if one.within(other):
        assert all(meets(visitor, other) for visitor in WORLD if meets(visitor, one))
    both = one.also(other)
    assert both is None or both.within(one)
    assert one.within(one)
    assert one.within(ANY)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Conditions(frozenset([frozenset("g"), frozenset("k")])), Conditions(frozenset([frozenset("gh")])), True),
        (Conditions(frozenset([frozenset("gh")])), Conditions(frozenset([frozenset("g")])), False),
        (Conditions(methods=frozenset(["GET"])), Conditions(methods=frozenset(["GET", "PUT"])), True),
        (Conditions(methods=frozenset(["GET", "PUT"])), Conditions(methods=frozenset(["GET"])), False),
        (ANY, Conditions(methods=frozenset(["GET"])), False),
        (Conditions(blocks=(Block.of("10.1.0.0/16"),)), Conditions(blocks=(Block.of("10.0.0.0/8"),)), True),
        (Conditions(blocks=(Block.of("10.0.0.0/8"),)), Conditions(blocks=(Block.of("10.1.0.0/16"),)), False),
        (Conditions(blocks=(Block.of("10.0.0.0/8"),)), Conditions(blocks=(Block.of("::/0"),)), False),
        (ANY, Conditions(blocks=(Block.of("0.0.0.0/0"), Block.of("::/0"))), False),
        (Conditions(assigned=True), ANY, True),
        (ANY, Conditions(assigned=True), False),
    ],
)
def test_within(one: Conditions, other: Conditions, expected: bool) -> None:
    """Each kind of condition, both ways."""
    assert one.within(other) is expected


def test_where_nobody_does() -> None:
    """By methods, or by networks."""
    get, put = (Conditions(methods=frozenset([method])) for method in ("GET", "PUT"))
    old, new = (Conditions(blocks=(Block.of(text),)) for text in ("10.0.0.0/8", "::/0"))
    assert (get.also(put), old.also(new)) == (None, None)
