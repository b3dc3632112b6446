# SPDX-License-Identifier: Apache-2.0
"""Tenant × tenant × kind: what the policy allows, held against what ``vhost.yaml`` promises.

A thousand tenants make a million pairs, so a pair is looked at once for all that are like it: tenants are of one *class*
where their types are named by the same attributes and were given the same opt-ins, and two pairs of the same classes are
alike where their levels stand to each other alike and no rule or promise names a type of both by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from selsock.ctl.verify.access import KINDS
from selsock.ctl.verify.contexts import Labelled, Rank
from selsock.ctl.verify.policy import Policy
from selsock.ctl.verify.promises import Promises
from selsock.ctl.verify.tenants import Tenant

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """That ``source`` has a kind of access on ``target``, by ``rules`` of the policy; ``promised`` by vhost.yaml or not."""

    kind: str
    source: Labelled
    target: Labelled
    rules: tuple[str, ...]
    promised: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """That vhost.yaml promises ``source`` a kind of access on ``target``, and the policy does not allow it."""

    kind: str
    source: Labelled
    target: Labelled


@dataclass(slots=True)
class Cell:
    """All pairs of tenants that are alike: how many, one of them, and what the first of the two may do to the other."""

    source: Tenant
    target: Tenant
    grants: tuple[Grant, ...]
    missing: tuple[Missing, ...]
    pairs: int = 0

    @property
    def broken(self) -> bool:
        """Whether it is not as promised."""
        return bool(self.missing) or not all(grant.promised for grant in self.grants)


@dataclass(slots=True)
class Matrix:
    """``classes``: their tenants, the first of each standing for all; ``cells``: those of each pair of classes, by their
    numbers; ``own``: those of each tenant with himself, by that of his class."""

    classes: list[list[Tenant]] = field(default_factory=list)
    cells: dict[tuple[int, int], list[Cell]] = field(default_factory=dict)
    own: dict[int, list[Cell]] = field(default_factory=dict)

    def all(self) -> Iterator[Cell]:
        """Every cell."""
        for cells in (*self.cells.values(), *self.own.values()):
            yield from cells


@dataclass(frozen=True, slots=True)
class Placed:
    """A tenant with what pairs are told apart by: his class, his types, in order, those that rules or promises name
    together with his, his contexts, and the different levels that he has, of processes and of all."""

    tenant: Tenant
    number: int
    types: tuple[str, ...]
    near: frozenset[str]
    contexts: frozenset[str]
    acting: tuple[Rank, ...]
    held: tuple[Rank, ...]


class Builder:
    """Makes a matrix of a policy and promises."""

    def __init__(self, policy: Policy, promises: Promises, tenants: tuple[Tenant, ...]) -> None:
        self.policy, self.promises, self.tenants = policy, promises, tenants
        sources = {one.type for tenant in tenants for one in tenant.processes}
        types = sources | {one.type for tenant in tenants for one in tenant.files}
        self.near = {name: set(promises.related(name)) for name in types}
        direct: dict[str, set[Key]] = {name: set() for name in types}
        for (one, other), rules in policy.rules.items():
            if one in types and other in types:
                self.near[one].add(other)
                continue
            said = {(rule.tclass, rule.permissions) for rule in rules if rule.enabled}
            if one in types:
                direct[one] |= {("source", other, *what) for what in said}
            elif other in types:
                direct[other] |= {("target", one, *what) for what in said}
        # What tells a type from another, but for what it has with those that are near.
        self.profiles: dict[str, Key] = {
            name: (policy.names(name) - {name}, frozenset(direct[name]), promises.facets(name)) for name in types
        }
        self.judged: dict[Key, Cell] = {}

    def matrix(self, progress: Callable[[int], None]) -> Matrix:
        """The whole; ``progress`` is told, now and then, how many tenants are done."""
        found = Matrix()
        placed = list(self.placed(found))
        for count, source in enumerate(placed):
            progress(count)
            for target in placed:
                related = not source.near.isdisjoint(target.types)
                levels = tuple(one.relation(other) for one in source.acting for other in target.held)
                itself = source is target
                # Of two tenants it counts which contexts both have; of one it is all.
                common = None if itself else source.contexts & target.contexts
                exact = (source.types, target.types, common) if related else None
                key = (source.number, target.number, exact, levels, itself)
                cell = self.judged.get(key)
                if cell is None:
                    self.judged[key] = cell = self.cell(source.tenant, target.tenant)
                    where = (
                        found.own.setdefault(source.number, [])
                        if itself
                        else found.cells.setdefault((source.number, target.number), [])
                    )
                    where.append(cell)
                cell.pairs += 1
        return found

    def placed(self, found: Matrix) -> Iterator[Placed]:
        """Each tenant in its class, which is entered in ``found``."""
        numbers: dict[Key, int] = {}
        for tenant in self.tenants:
            everything = (*tenant.processes, *tenant.files)
            acting = tuple(dict.fromkeys(one.rank for one in tenant.processes))
            held = tuple(dict.fromkeys(one.rank for one in everything))
            signature = tuple(
                (one.user, one.role, self.profiles[one.type], held.index(one.rank), one.rank.categories == 0)
                for one in everything
            )
            number = numbers.setdefault(signature, len(found.classes))
            if number == len(found.classes):
                found.classes.append([])
            found.classes[number].append(tenant)
            near = frozenset().union(*(self.near[one.type] for one in tenant.processes))
            contexts = frozenset(one.context for one in everything)
            yield Placed(tenant, number, tuple(one.type for one in everything), near, contexts, acting, held)

    def cell(self, source: Tenant, target: Tenant) -> Cell:
        """What ``source`` may do to ``target``, each of his contexts to each of the other's."""
        own = {one.context for one in (*source.processes, *source.files)}
        grants: list[Grant] = []
        missing: list[Missing] = []
        for one in source.processes:
            for other in (*target.processes, *target.files):
                allowed = self.policy.allowed(one, other)
                may = self.promises.may(one, other, other.context in own)
                for kind in sorted(allowed, key=KINDS.index):
                    rules = tuple(sorted(map(str, allowed[kind])))
                    grants.append(Grant(kind, one, other, rules, kind in may))
                if source is target:
                    must = self.promises.must(one, other) - allowed.keys()
                    missing += [Missing(kind, one, other) for kind in sorted(must, key=KINDS.index)]
        return Cell(source, target, tuple(grants), tuple(missing))
