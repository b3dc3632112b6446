# SPDX-License-Identifier: Apache-2.0
"""What ``vhost.yaml`` lets a context do to another, whatever the policy says: what the policy is held against."""

from __future__ import annotations

from dataclasses import dataclass

from selsock.ctl.verify.access import KINDS
from selsock.ctl.verify.contexts import Labelled
from selsock.generate.configuration import Configuration
from selsock.generate.contents import Entry
from selsock.generate.domains import Domain, readable
from selsock.generate.plan import entries, exact, logged_in

Kinds = frozenset[str]

NOTHING: Kinds = frozenset()
ALL: Kinds = frozenset(KINDS)
# What starts a program in another domain looks whether it got there, and ends it; it is heard over pipes.
STARTING: Kinds = frozenset(("ipc", "ptrace", "read", "signal", "transition"))
STARTED: Kinds = frozenset(("ipc", "signal"))


@dataclass(frozen=True, slots=True)
class Promises:
    """The domains of a configuration, by their types, what sessions of logins edit, and what follows from them."""

    domains: dict[str, Domain]
    edited: dict[str, frozenset[str]]
    readable: dict[str, frozenset[str]]
    exact: frozenset[str]
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, configuration: Configuration) -> Promises:
        """Those of ``configuration``."""
        by_name = {str(domain.name): domain for domain in configuration.domains}
        domains = {str(domain.type): domain for domain in configuration.domains}
        reads = {name: frozenset(map(str, readable(domain, by_name))) for name, domain in domains.items()}
        edited = {str(its.type): frozenset(map(str, its.types)) for its in logged_in(configuration)}
        return cls(domains, edited, reads, frozenset(map(str, exact(configuration))), entries(configuration))

    def related(self, type_name: str) -> frozenset[str]:
        """The types that ``type_name`` is promised anything of."""
        found = {type_name} | self.readable.get(type_name, frozenset()) | self.edited.get(type_name, frozenset())
        for entry in self.entries:
            if type_name == entry.source:
                found |= {str(entry.target), str(entry.script)}
            if type_name == entry.target:
                found.add(str(entry.source))
        return frozenset(found)

    def facets(self, type_name: str) -> tuple[object, ...]:
        """What promises are made of that is not in a level, for a type of whatever kind."""
        domain = self.domains.get(type_name)
        return (
            domain is not None,
            domain is not None and (domain.python, domain.execute),
            type_name in self.exact,
            type_name in self.edited,
        )

    def may(self, source: Labelled, target: Labelled, own: bool) -> Kinds:
        """The kinds that ``source`` may have on ``target``; ``own``: its tenant has the very context, too."""
        if target.is_process:
            return self.may_process(source, target, own)
        found = self.of_files(source, target)
        if source.type in self.edited:
            return found if source.rank == target.rank else NOTHING
        if source.type not in self.domains:
            # What a type of the administrator's own does with its tenant's files is up to his policy.
            return frozenset(("read", "write", "execute")) if own else NOTHING
        if not source.rank.dominates(target.rank):
            return NOTHING
        # A level reads what has fewer categories, unless that is content that is read at its own level alone.
        lax = not target.rank.categories or target.type not in self.exact
        return found if source.rank == target.rank or lax else NOTHING

    def must(self, source: Labelled, target: Labelled) -> Kinds:
        """The kinds that ``source`` has to have on what is its own tenant's ``target``."""
        known = source.type in self.domains or source.type in self.edited
        if target.is_process or not known or source.rank != target.rank:
            return self.of_entry(source, target) & frozenset(("transition",))
        return self.of_files(source, target)

    def of_files(self, source: Labelled, target: Labelled) -> Kinds:
        """The kinds that a domain has on files by their types, at a level that lets it."""
        domain = self.domains.get(source.type)
        found: set[str] = set()
        if target.type in self.edited.get(source.type, ()):
            found |= {"read", "write"}
        if domain is not None and target.type in self.readable[source.type]:
            found.add("read")
            if (domain.runs and target.type == domain.content) or (domain.execute and target.type == domain.script):
                found.add("execute")
            if domain.runs and target.type in (domain.writable, domain.temporary):
                found.add("write")
        if any((entry.source, entry.script) == (source.type, target.type) for entry in self.entries):
            found |= {"read", "execute"}
        return frozenset(found)

    def may_process(self, source: Labelled, target: Labelled, own: bool) -> Kinds:
        """The same for a process: who shares a context is one to the kernel, and nobody else reaches it, but within a
        tenant a level reaches those below it."""
        if source.context == target.context:
            return ALL
        if own and source.type == target.type and source.rank.dominates(target.rank):
            return ALL
        return self.of_entry(source, target)

    def of_entry(self, source: Labelled, target: Labelled) -> Kinds:
        """The kinds that come of starting programs in another domain, at the same level."""
        found: Kinds = NOTHING
        if not target.is_process or source.rank != target.rank:
            return found
        for entry in self.entries:
            if (entry.source, entry.target) == (source.type, target.type):
                found |= STARTING
            if (entry.target, entry.source) == (source.type, target.type):
                found |= STARTED
        return found
