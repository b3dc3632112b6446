# SPDX-License-Identifier: Apache-2.0
"""A binary policy as setools reads it, as far as the types of tenants are concerned; the one edge to setools.

Attributes stay what they are: a rule holds for a type by its name or by an attribute that it has.  Conditional rules count
as the policy has their booleans now; ``neverallow`` is not in a binary policy, and denies nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selsock.ctl.verify.access import FILES, WRITE, kind_of
from selsock.ctl.verify.constraints import Constraint, unmet
from selsock.ctl.verify.contexts import Labelled
from selsock.generate.faults import MachineFault

LOADED = Path("/sys/fs/selinux/policy")
WAYS = frozenset(("dyntransition", "setcurrent", "transition"))
IN = frozenset(("dyntransition", "transition"))
PLACES = frozenset(("blk_file", "dir", "file", "lnk_file"))  # where two can meet, one after the other


@dataclass(frozen=True, slots=True)
class Rule:
    """An allow rule; ``condition`` is the expression of booleans that it depends on, and ``enabled`` what they are now."""

    source: str
    target: str
    tclass: str
    permissions: frozenset[str]
    condition: str = ""
    enabled: bool = True

    def __str__(self) -> str:
        words = " ".join(sorted(self.permissions))
        given = f"{{ {words} }}" if len(self.permissions) > 1 else words
        condition = f" [ {self.condition} ]" if self.condition else ""
        return f"allow {self.source} {self.target}:{self.tclass} {given};{condition}"


@dataclass(slots=True)
class Policy:
    """What a policy has for the types that it was read for, each ``named``: by its own name and those of its attributes."""

    named: dict[str, frozenset[str]]
    permissive: frozenset[str]
    rules: dict[tuple[str, str], list[Rule]] = field(default_factory=lambda: defaultdict(list))
    # Rules by which files of these types may be written, by whomever; and those by which a process of theirs may become
    # another.
    writing: list[Rule] = field(default_factory=list)
    leaving: list[Rule] = field(default_factory=list)
    # Those by which somebody becomes a process of theirs, and by which one of them writes what is neither content nor theirs.
    entering: list[Rule] = field(default_factory=list)
    spilling: list[Rule] = field(default_factory=list)
    constraints: dict[tuple[str, str], list[Constraint]] = field(default_factory=lambda: defaultdict(list))
    members: dict[str, frozenset[str]] = field(default_factory=dict)  # of the attributes that ``writing`` names

    def names(self, type_name: str) -> frozenset[str]:
        """All that a rule may call the type by."""
        return self.named.get(type_name, frozenset((type_name,)))

    def between(self, source: str, target: str) -> Iterator[Rule]:
        """The rules by which type ``source`` may do something to type ``target``, as the booleans are."""
        for name in self.names(source):
            for other in self.names(target):
                for rule in self.rules.get((name, other), ()):
                    if rule.enabled:
                        yield rule

    def allowed(self, source: Labelled, target: Labelled) -> dict[str, set[Rule]]:
        """What ``source`` may do to ``target``, by kind, with the rules that allow it; constraints are kept."""
        found: dict[str, set[Rule]] = defaultdict(set)
        for rule in self.between(source.type, target.type):
            for permission in rule.permissions:
                kind = kind_of(rule.tclass, permission)
                if kind and self.unconstrained(source, target, rule.tclass, permission):
                    found[kind].add(rule)
        return found

    def may(self, source: Labelled, target: Labelled, tclass: str, permission: str) -> bool:
        """Whether ``source`` has one permission on ``target``."""
        by_rule = any(
            rule.tclass == tclass and permission in rule.permissions for rule in self.between(source.type, target.type)
        )
        return by_rule and self.unconstrained(source, target, tclass, permission)

    def unconstrained(self, source: Labelled, target: Labelled, tclass: str, permission: str) -> bool:
        """Whether every constraint on the permission holds for the two."""
        return unmet(self.constraints.get((tclass, permission), ()), source, target, self.names) is None


def opened(path: Path) -> Any:
    """The policy in the file ``path``.  Raises MachineFault."""
    try:
        import setools
    except ImportError as error:
        raise MachineFault(f"{error}: install python3-setools") from None
    try:
        return setools.SELinuxPolicy(str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise MachineFault(f"the policy {path} can not be read: {error}") from None


def read(given: Any, types: Iterable[str], files: Iterable[str]) -> Policy:
    """What the policy ``given`` has for ``types`` of processes and of ``files``; types that it does not know have no rule."""
    known = {str(one): one for one in given.types()}
    types, files = set(types), set(files)
    named = {name: frozenset((name, *map(str, known[name].attributes()))) for name in types | files if name in known}
    permissive = frozenset(name for name in types & known.keys() if known[name].ispermissive)
    found = Policy(named, permissive)
    sources = frozenset().union(*(named.get(name, frozenset()) for name in types))
    targets = frozenset().union(*named.values())
    written = frozenset().union(*(named.get(name, frozenset()) for name in files))
    for one in given.terules():
        if str(one.ruletype) == "allow":
            enter(found, one, sources, targets, written)
    for one in given.constraints():
        if str(one.ruletype) in ("constrain", "mlsconstrain"):
            constraint = Constraint.of(one)
            for permission in one.perms:
                found.constraints[str(one.tclass), str(permission)].append(constraint)
    attributes = {rule.source for rule in found.writing} - known.keys()
    found.members = {name: frozenset(map(str, given.lookup_typeattr(name).expand())) for name in attributes}
    return found


def enter(found: Policy, given: Any, sources: frozenset[str], targets: frozenset[str], written: frozenset[str]) -> None:
    """Enter the allow rule ``given`` where it concerns a name of ``sources``, or writing to one of ``written``."""
    source, target, tclass = str(given.source), str(given.target), str(given.tclass)
    process, ours = tclass == "process", source in sources
    writes = tclass in FILES and not WRITE.isdisjoint(given.perms)
    between = ours and target in targets
    leaves = ours and process and not WAYS.isdisjoint(given.perms)
    enters = target in sources and process and not IN.isdisjoint(given.perms)
    spills = ours and writes and tclass in PLACES and target not in targets
    if not (between or leaves or enters or spills or (writes and target in written)):
        return
    try:
        condition, enabled = str(given.conditional), bool(given.enabled())  # as the loaded policy has its booleans
    except AttributeError:  # setools' RuleNotConditional is one
        condition, enabled = "", True
    rule = Rule(source, target, tclass, frozenset(map(str, given.perms)), condition, enabled)
    if between:
        found.rules[source, target].append(rule)
    if writes and target in written:
        found.writing.append(rule)
    for concerns, rules in ((leaves, found.leaving), (enters, found.entering), (spills, found.spilling)):
        if concerns and enabled:
            rules.append(rule)
