# SPDX-License-Identifier: Apache-2.0
"""What has to be on the disk for a configuration: a list of artifacts, made without looking at any disk but ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from selsock.context import Context
from selsock.generate.compiled import compile_table
from selsock.generate.configuration import Configuration
from selsock.generate.contents import Entry
from selsock.generate.domains import readable
from selsock.generate.labels import Label
from selsock.generate.listeners import Endpoint
from selsock.generate.logins import Session, sessions
from selsock.generate.maps import composed
from selsock.generate.places import within
from selsock.generate.ranges import Ledger
from selsock.generate.render import Rendered, render, with_generation
from selsock.generate.shares import CGROUP
from selsock.generate.site import Site
from selsock.generate.temporary import Directory
from selsock.mls.levels import Level
from selsock.names import AbsolutePath, TypeName

TABLE = "var/lib/selsock/table.cdb"
# Not selsock.cil: semodule takes a module's name from its file's, and a module "selsock" of priority 400 would hide
# the base module of that name, not stand beside it.
POLICY = "var/lib/selsock/selsock_tenants.cil"
RANGES = "var/lib/selsock/ranges"
APPLIED = "var/lib/selsock/applied"  # the source that all this was made from; see applied.py
MAPS = "var/lib/selsock/maps"  # and the maps that it names
FILE_CONTEXTS = "var/lib/selsock/file_contexts"
UNITS = "etc/systemd/system/"
USERS = "etc/selinux/{}/contexts/users"

# What the units for vhosts with run_as begin with; without a listener for those there are none.
RUN_AS = UNITS + "selsock-run-as"
TEMPLATES = (
    (UNITS + "selsock.socket", "units/selsock.socket.j2"),
    (UNITS + "selsock@.service", "units/selsock@.service.j2"),
    (UNITS + "system-selsock.slice", "units/system-selsock.slice.j2"),
    (UNITS + "selsock-run-as.socket", "units/selsock-run-as.socket.j2"),
    (UNITS + "selsock-run-as@.service", "units/selsock-run-as@.service.j2"),
    (FILE_CONTEXTS, "policy/file_contexts.j2"),
)


@dataclass(frozen=True, slots=True, order=True)
class Artifact:
    """A file to be: ``path`` without leading slash, permissions, the group when it is not root, and its content."""

    path: str
    mode: int
    group: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """All artifacts, sorted by path, and the generation that policy and table share."""

    artifacts: tuple[Artifact, ...]
    generation: str

    def artifact(self, path: str) -> Artifact:
        """The artifact at ``path``."""
        return next(artifact for artifact in self.artifacts if artifact.path == path)


def plan(
    configuration: Configuration, ledger: Ledger, ledger_path: str, applied: bytes, policy_type: str = "targeted"
) -> Plan:
    """The plan for ``configuration``; the ledger goes to the absolute ``ledger_path``.  Same in, same out.

    ``applied`` is the source that this is the configuration of, as ``Applied.compose`` gives it, and ``policy_type`` the
    name that the distribution has for its policy.
    """
    values = rendered(configuration)
    policy, generation = with_generation(render("policy/tenants.cil.j2", values))
    found = []
    for path, template in TEMPLATES:
        for_run_as = path.startswith(RUN_AS)
        if values["apart"] or not for_run_as:
            own = listening(entry for entry in configuration.listen if entry.run_as == for_run_as)
            found.append(Artifact(path, 0o644, "", render(template, values | own).encode()))
    found.append(Artifact(APPLIED, 0o600, "", applied))
    found += [
        Artifact(f"{USERS.format(policy_type)}/{session.user}", 0o644, "", session.origin.encode())
        for session in logged_in(configuration)
    ]
    if configuration.maps:
        found.append(Artifact(MAPS, 0o600, "", composed(configuration.maps)))
    found.append(Artifact(POLICY, 0o600, "", policy.encode()))
    found.append(Artifact(TABLE, 0o640, "selsock", compile_table(configuration, generation)))
    if ledger.numbers:
        found += [Artifact(path, 0o644, "", ledger.text().encode()) for path in (ledger_path.lstrip("/"), RANGES)]
    return Plan(tuple(sorted(found)), generation)


def rendered(configuration: Configuration) -> dict[str, object]:
    """What the templates know of ``configuration``."""
    apart = any(entry.run_as for entry in configuration.listen)
    return {
        "limits": configuration.limits,
        "system": configuration.system,
        "apart": apart,
        "delegate": any(name in site.vhost.limits for site in configuration.sites for name in CGROUP),
        "sockets": [entry for entry in configuration.listen if entry.peer],
        "connections": configuration.system.connections * (2 if apart else 1),
        "domains": configuration.domains,
        "by_name": {domain.name: domain for domain in configuration.domains},
        "entries": entries(configuration),
        "labels": labels(configuration),
        "sessions": logged_in(configuration),
        "ways": ways(configuration),
        "exact": exact(configuration),
        "services": [Rendered(name) for name in services(configuration)],
        "password_files": password_files(configuration),
    }


def logged_in(configuration: Configuration) -> tuple[Session, ...]:
    """What the logins of all vhosts become."""
    return sessions(login for site in configuration.sites for login in site.logins)


def listening(entries: Iterable[Endpoint]) -> dict[str, object]:
    """What a socket unit has to know of ``entries`` of ``listen``."""
    given = tuple(entries)
    return {
        "streams": [entry.stream for entry in given],
        "with_address": any(":" in entry.stream for entry in given),
        "unix": next((entry for entry in given if entry.peer), None),
    }


def labels(configuration: Configuration) -> tuple[Label, ...]:
    """The labels of all content and temporary files, each path once, in the order of their paths."""
    found = {label.path: label for site in configuration.sites for label in site.labelled}
    return tuple(found[path] for path in sorted(found))


def directories(configuration: Configuration) -> tuple[Directory, ...]:
    """The directories that applying makes, in the order of the vhosts."""
    return tuple(directory for site in configuration.sites for directory in site.directories)


def reading(configuration: Configuration) -> dict[TypeName, frozenset[TypeName]]:
    """Which domain reads which types of content, sessions of logins among them."""
    by_name = {str(domain.name): domain for domain in configuration.domains}
    found = {domain.type: readable(domain, by_name) for domain in configuration.domains}
    return found | {session.type: frozenset(session.types) for session in logged_in(configuration)}


def entries(configuration: Configuration) -> tuple[Entry, ...]:
    """Which domain has to start programs in which other, each pair once, with all that any location needs."""
    found: dict[tuple[TypeName, TypeName], Entry] = {}
    for entry in sorted(entry for site in configuration.sites for entry in site.entries):
        found[entry.source, entry.target] = entry  # of two, the one with ``system`` is sorted last
    return tuple(found.values())


def ways(configuration: Configuration) -> tuple[tuple[TypeName, TypeName], ...]:
    """Which domain has to pass through directories of which content type that it may not read, on the way to content
    that it may: a subtree of ``content:`` below the label of another domain."""
    reads = reading(configuration)
    # Who starts a program in another domain looks at it first.
    for entry in entries(configuration):
        reads[entry.source] |= {entry.script}
    found: set[tuple[TypeName, TypeName]] = set()
    above: list[Label] = []
    # By segments: what lies in /a comes before /a-b.
    for label in sorted(labels(configuration), key=lambda label: label.path.split("/")):
        above = [outer for outer in above if within(label.path, outer.path)]
        for domain, types in reads.items():
            if label.type in types:
                found.update((domain, outer.type) for outer in above if outer.type not in types)
        above.append(label)
    return tuple(sorted(found))


def exact(configuration: Configuration) -> tuple[TypeName, ...]:
    """The content types that no context is meant to read from above their level, in any vhost."""
    reads = reading(configuration)
    found = {name for domain in configuration.domains for name in domain.types}
    for site in configuration.sites:
        for label in site.labelled:
            for context in contexts(site):
                # What an administrator's own type may read is not known here.
                its = label.type in reads.get(context.type, (label.type,))
                if its and context.level != label.level and Level(context.level).dominates(label.level):
                    found.discard(label.type)
            # Of a level that is assigned nothing is known here, but that it is above those without a category.
            if site.assigned and not label.level.categories():
                found.discard(label.type)
    return tuple(sorted(found))


def contexts(site: Site) -> frozenset[Context]:
    """Every context that a visitor of ``site`` may get, and that a program started for him may."""
    started = {(entry.source, entry.target) for entry in site.entries}
    others = {Context(target, its.level) for its in site.contexts for source, target in started if its.type == source}
    return site.contexts | others


def services(configuration: Configuration) -> tuple[str, ...]:
    """The services that are asked who a visitor is, sorted: ``identify``, and ``pam`` and ``sql`` behind it."""
    return tuple(sorted({name for site in configuration.sites if site.provider for name in site.provider.services}))


def password_files(configuration: Configuration) -> tuple[AbsolutePath, ...]:
    """The files of users, each once, sorted."""
    return tuple(sorted({file for site in configuration.sites for file in site.files}))
