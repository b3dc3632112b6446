# SPDX-License-Identifier: Apache-2.0
"""What the policy of a configuration lets its domains do, and whether a context or a label lets somebody do more.

By what policy/tenants.cil.j2 grants.  What a type of the administrator's may do is not known here: where one comes in,
the answer is yes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from selsock.context import Context
from selsock.generate.configuration import Configuration
from selsock.generate.domains import Domain, readable
from selsock.generate.labels import Label
from selsock.generate.plan import entries, exact, labels
from selsock.mls.levels import Level
from selsock.names import TypeName

Right = tuple[str, str]  # what, and to files of which type, or in which domain, or with which service

FILES = ("read", "write", "execute")  # those to files
EDIT = "edit"  # one more, that of a login and no visitor's


@dataclass(frozen=True, slots=True)
class Reach:
    """The ``rights`` of each declared domain; the types of content that are read at their own level alone (``exact``); what
    files are labelled; those types that there may be files of: a domain's content, and what labels any (``present``);
    and whether a visitor may get a type of the administrator's (``own``)."""

    rights: dict[TypeName, frozenset[Right]]
    exact: frozenset[TypeName]
    files: frozenset[tuple[TypeName, Level]]
    present: frozenset[TypeName]
    own: bool

    def used(self, domain: TypeName) -> frozenset[Right] | None:
        """The rights of ``domain``, without those to files that there are none of; None where it is not known."""
        found = self.rights.get(domain)
        return found and frozenset(
            (what, on) for what, on in found if what != EDIT and (what not in FILES or on in self.present)
        )

    def holders(self, content: TypeName) -> frozenset[Right]:
        """Who may do what with files of type ``content``."""
        return frozenset(
            (what, domain)
            for domain, rights in self.rights.items()
            for what, on in rights
            if what in (*FILES, EDIT) and on == content
        )


def reach(configuration: Configuration) -> Reach:
    """What the policy of ``configuration`` lets its domains do."""
    by_name = {str(domain.name): domain for domain in configuration.domains}
    found = {domain.type: set(rights(domain, by_name)) for domain in configuration.domains}
    for entry in entries(configuration):
        found[entry.source] |= {("start", entry.target), ("read", entry.script), ("execute", entry.script)}
        if entry.system:
            found[entry.source].add(("start the system's", entry.target))
    if any(site.source.get("login") for site in configuration.sites):
        for domain in configuration.domains:
            found[domain.type].update((EDIT, content) for content in domain.types)
    given = {context.type for site in configuration.sites for context in site.contexts}
    files = frozenset((label.type, label.level) for label in labels(configuration))
    return Reach(
        {domain: frozenset(its) for domain, its in found.items()},
        frozenset(exact(configuration)),
        files,
        frozenset({kind for kind, _ in files} | {domain.content for domain in configuration.domains}),
        not given <= found.keys(),
    )


def rights(domain: Domain, domains: Mapping[str, Domain]) -> Iterator[Right]:
    """What ``domain`` may do by itself.

    What ``access`` says is taken for true even where the policy grants less, since nothing runs in the domain yet.
    """
    yield from (("read", content) for content in readable(domain, domains))
    yield from (("connect", service) for service in domain.network)
    yield from (("write", content) for content in domain.types if content not in (domain.content, domain.script))
    yield "execute", domain.script
    if domain.python:
        yield "python", ""
    if domain.execute:
        yield "run", ""
    if domain.runs:
        yield "execute", domain.content


def context_widens(before: Reach, old: Context, after: Reach, new: Context) -> bool:
    """Whether who had ``old`` and has ``new`` may do anything that he could not; what became of a domain is not asked."""
    if old == new:
        return False
    had, has = before.rights.get(old.type), after.used(new.type)
    if had is None or has is None:
        if old.type != new.type:
            return True
    elif not has <= had:
        return True
    here, there = Level(old.level), Level(new.level)
    if here == there or not here.dominates(there):
        return here != there
    # From above, what is exact could not be read.
    found = {kind for kind, level in after.files if level == there and kind in before.exact}
    return bool(found if has is None else found & {on for _, on in has})


def label_widens(before: Reach, old: Label | None, after: Reach, new: Label) -> bool:
    """Whether anybody may do anything with files that were labelled ``old``, None for no content, and will be ``new``."""
    if old is None:
        return True
    if old.type != new.type:
        now, then = after.holders(new.type), before.holders(old.type)
        # Content of a declared domain has its domain as a holder.
        if after.own or not now or not then or not now <= then:
            return True
    if old.type in before.exact:
        return old.level != new.level or new.type not in after.exact
    return not new.level.dominates(old.level)
