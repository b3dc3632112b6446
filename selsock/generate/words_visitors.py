# SPDX-License-Identifier: Apache-2.0
"""Which visitors of a place get another context than they did: two lists of rules, compared by what they decide.

Visitors who are alike in both lists are looked at together.  What is left of each rule for one of them are conditions on
group, address and method; who meets those of one rule of either list, and none that stands before, is decided by the
two.  Of what several rules cover together nothing is known here: then somebody may be named whom there is not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from selsock.context import Context
from selsock.generate.maps import Map
from selsock.generate.site import Site
from selsock.model import Location, Rule

ANONYMOUS = None
OTHER = ""  # a user whom neither list names

Who = str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a visitor gets: ``context``, None where he is not served; with ``clearance``, at the level that he is cleared for
    below it; with ``assigned``, it is only what the database's answer leaves out."""

    context: Context | None
    clearance: str = ""
    assigned: bool = False


class Block(NamedTuple):
    """A network: its version, first and last address, and how it is written."""

    version: int
    first: int
    last: int
    text: str

    @classmethod
    def of(cls, text: str) -> Block:
        """The network ``text``, in canonical form."""
        network = ipaddress.ip_network(text)
        return cls(network.version, int(network[0]), int(network[-1]), text)

    def within(self, other: Block) -> bool:
        """Whether all of it lies in ``other``."""
        return self.version == other.version and other.first <= self.first and self.last <= other.last


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is asked of a visitor who is known by name: to be in one group of each of ``groups``, to come from one of
    ``blocks`` by one of ``methods`` (None: any), and to have a context ``assigned``."""

    groups: frozenset[frozenset[str]] = frozenset()
    blocks: tuple[Block, ...] | None = None
    methods: frozenset[str] | None = None
    assigned: bool = False

    def within(self, other: Conditions) -> bool:
        """Whether whoever meets these meets ``other``."""
        return (
            all(any(own <= asked for own in self.groups) for asked in other.groups)
            and (other.methods is None or (self.methods is not None and self.methods <= other.methods))
            and (self.assigned or not other.assigned)
            # None is more than all networks: who comes by a UNIX socket is in none.
            and (other.blocks is None or (self.blocks is not None and inside(self.blocks, other.blocks) == self.blocks))
        )

    def also(self, other: Conditions) -> Conditions | None:
        """What whoever meets these and ``other`` meets; None where nobody does."""
        blocks, methods = self.blocks, self.methods
        if blocks is None or other.blocks is None:
            blocks = other.blocks if blocks is None else blocks
        else:
            # Of two networks one lies in the other, or they have nothing in common.
            blocks = tuple(dict.fromkeys(inside(blocks, other.blocks) + inside(other.blocks, blocks)))
        if methods is None or other.methods is None:
            methods = other.methods if methods is None else methods
        else:
            methods &= other.methods
        if methods == frozenset() or blocks == ():
            return None
        return Conditions(self.groups | other.groups, blocks, methods, self.assigned or other.assigned)


def inside(blocks: tuple[Block, ...], others: tuple[Block, ...]) -> tuple[Block, ...]:
    """Those of ``blocks`` that lie in one of ``others``."""
    return tuple(own for own in blocks if any(map(own.within, others)))


ANY = Conditions()


@dataclass(frozen=True, slots=True)
class Place:
    """A location of a site, with the maps of its configuration."""

    site: Site
    location: Location
    maps: Mapping[str, Map]

    def cases(self, who: Who) -> list[tuple[Conditions, Outcome]]:
        """What is left of the rules for ``who``, in order, and what each gives; the last one holds for whoever comes.

        Where nobody can sign in, everybody is anonymous.
        """
        if self.site.provider is None:
            who = ANONYMOUS
        found = [(conditions(rule), outcome) for rule in self.location.rules if (outcome := self.outcome(rule, who))]
        asked = who is ANONYMOUS and self.site.provider is not None
        return [*found, (ANY, Outcome(None if asked else self.location.default))]

    def outcome(self, rule: Rule, who: Who) -> Outcome | None:
        """What ``rule`` gives ``who``, None where it does not hold for him, wherever he comes from."""
        if who is ANONYMOUS:
            if rule.users or rule.groups or rule.signed_in or rule.assigned or rule.map:
                return None
        elif rule.anonymous or (rule.users and who not in rule.users):
            return None
        if rule.map:
            line = self.maps[rule.map].users.get(who or OTHER)
            if line is None:
                return None
            rule = rule.entry(line.record())
        return Outcome(rule.context, rule.clearance, rule.assigned)

    def named(self) -> list[dict[str, str]]:
        """The users whom each rule names that names any; those of a map with what it says of them."""
        rules = [rule for rule in self.location.rules if self.site.provider is not None]
        return [
            {user: line.text for user, line in self.maps[rule.map].users.items()}
            if rule.map
            else dict.fromkeys(sorted(rule.users), "")
            for rule in rules
            if rule.map or rule.users
        ]

    def key(self) -> tuple[tuple[object, ...], ...]:
        """All that decides, but for the content of maps: two places with one key decide alike.  The rules are the third on."""
        return ((self.site.provider is None,), (self.location.default,), *(key(rule) for rule in self.location.rules))


def conditions(rule: Rule) -> Conditions:
    """What ``rule`` asks beside the user."""
    return Conditions(
        frozenset([rule.groups]) if rule.groups else frozenset(),
        tuple(map(Block.of, rule.networks)) or None,
        rule.methods or None,
        rule.assigned,
    )


def key(rule: Rule) -> tuple[object, ...]:
    """All that a rule says, but where it stands."""
    who = rule.users, rule.groups, rule.anonymous, rule.signed_in, rule.assigned, rule.map
    return rule.context, rule.clearance, frozenset(rule.networks), rule.methods, rule.any, *who


class Change(NamedTuple):
    """That those who meet ``conditions`` got ``was``, and get ``gets``."""

    conditions: Conditions
    was: Outcome
    gets: Outcome


def changes(before: Place, after: Place) -> dict[Change, list[Who]]:
    """Who gets what else at ``after`` than ``before``: each change with those to whom it happens."""
    files = {rule.map for rule in after.location.rules if rule.map}
    if before.key() == after.key() and all(before.maps[file].data == after.maps[file].data for file in files):
        return {}
    found: dict[Change, list[Who]] = {}
    for who, others in alike(before, after):
        for change in compared(before.cases(who), after.cases(who)):
            found.setdefault(change, []).extend([who, *others])
    return found


def alike(before: Place, after: Place) -> Iterator[tuple[Who, list[Who]]]:
    """Whoever may come: one of each kind, and the others of his kind."""
    yield ANONYMOUS, []
    if before.site.provider is None and after.site.provider is None:
        return
    yield OTHER, []
    kinds: dict[tuple[str | None, ...], list[Who]] = {}
    lists = before.named() + after.named()
    for user in dict.fromkeys(user for users in lists for user in users):
        kinds.setdefault(tuple(users.get(user) for users in lists), []).append(user)
    for first, *others in kinds.values():
        yield first, others


def compared(old: list[tuple[Conditions, Outcome]], new: list[tuple[Conditions, Outcome]]) -> Iterator[Change]:
    """The changes between two lists of cases."""
    # What both begin with decides alike, whatever follows.
    common = next((index for index, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(old))
    for there, (theirs, was) in enumerate(old[common:], common):
        for here, (ours, gets) in enumerate(new[common:], common):
            met = theirs.also(ours) if was != gets else None
            if met and not any(met.within(earlier) for earlier, _ in (*old[:there], *new[:here])):
                yield Change(met, was, gets)
        if theirs == ANY:
            return  # nobody comes to what stands behind
