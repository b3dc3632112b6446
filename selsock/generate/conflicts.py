# SPDX-License-Identifier: Apache-2.0
"""What is wrong only between two vhosts: a name, a directory or a category pair that both claim."""

from __future__ import annotations

from itertools import combinations

from selsock.generate.configuration import Configuration
from selsock.generate.domains import Domain
from selsock.generate.logins import sessions
from selsock.generate.site import Site, Use
from selsock.generate.source import BadSource, Node, sequence
from selsock.mls.levels import Level
from selsock.names import AbsolutePath, HostName, TypeName


def check(configuration: Configuration) -> None:
    """Raise BadSource for the first contradiction between vhosts."""
    check_names(configuration.sites)
    check_roots(configuration.sites)
    check_password_files(configuration.sites)
    check_maps(configuration)
    check_proxied(configuration)
    check_run_as(configuration)
    check_pairs(configuration)
    check_logins(configuration.sites)


def check_names(sites: tuple[Site, ...]) -> None:
    """Each name once, since a table has one record for it."""
    owners: dict[HostName, HostName] = {site.vhost.name: site.vhost.name for site in sites}
    for site in sites:
        for index, alias in enumerate(site.vhost.names[1:]):
            if alias in owners:
                item = sequence(site.source.require("aliases"))[index]
                problem = f"expected each name once, not {alias!r} again (vhost {owners[alias]} has it)"
                raise BadSource(item.place, problem)
            owners[alias] = site.vhost.name


def check_roots(sites: tuple[Site, ...]) -> None:
    """One label per file: shared roots agree on them, and none lies inside another's."""
    owners: dict[str, Site] = {}
    for site in sites:
        root = site.vhost.root
        other = owners.setdefault(root, site)
        if other.labels != site.labels:
            problem = f"expected the same content labels as vhost {other.vhost.name}, which has this root, not others"
            raise BadSource(root_of(site).place, problem)
    for site in sites:
        root = site.vhost.root
        for tree in ancestors(root):
            if tree in owners:
                problem = f"expected no directory inside the root of vhost {owners[tree].vhost.name}, not {root!r}"
                raise BadSource(root_of(site).place, problem)


def ancestors(path: str) -> list[str]:
    """The directories around ``path``, without itself and /."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts))]


def root_of(site: Site) -> Node:
    """Where the source says the root of ``site``."""
    return site.source.require("root")


def check_password_files(sites: tuple[Site, ...]) -> None:
    """No password file lies where content is served from."""
    owners = {site.vhost.root: site for site in sites}
    for site in sites:
        for file in site.files:
            for tree in (file, *ancestors(file)):
                if tree in owners:
                    name = owners[AbsolutePath(tree)].vhost.name
                    problem = f"expected a password file outside every root, not {file!r} in that of {name}"
                    raise BadSource(site.source.require("auth").place, problem)


def check_proxied(configuration: Configuration) -> None:
    """No vhost waits for the word of a proxy that no listener takes."""
    if any(entry.remote_user or entry.certificate for entry in configuration.listen):
        return
    for site in configuration.sites:
        if site.vhost.proxied:
            problem = "expected a listener with remote_user or certificate, since auth has proxy, not none"
            raise BadSource(site.source.require("auth").place, problem)


def check_run_as(configuration: Configuration) -> None:
    """No vhost waits for a listener of the kind that alone may serve it."""
    if any(entry.run_as for entry in configuration.listen):
        return
    for site in configuration.sites:
        if site.run_as:
            problem = "expected a listener with run_as: true, since this vhost has run_as, not none"
            raise BadSource(site.source.require("run_as").place, problem)


def check_maps(configuration: Configuration) -> None:
    """No map lies where a tenant may write: it says who gets which context."""
    owners = {site.vhost.root: site.vhost.name for site in configuration.sites}
    for given in configuration.maps:
        for tree in ancestors(given.file):
            if tree in owners:
                name = owners[AbsolutePath(tree)]
                problem = f"expected a map outside every root, not {given.file!r} in that of {name}"
                raise BadSource(given.place, problem)


def check_pairs(configuration: Configuration) -> None:
    """No tenant writes out a level that has the pair of another in it, in a type that the other claims."""
    uses = [use for site in configuration.sites for use in site.uses]
    owners = {tuple(sorted(use.level.categories())): use for use in uses if use.auto}
    types = claimed(uses, {use.tenant: frozenset(pair) for pair, use in owners.items()}, configuration.domains)
    for use in uses:
        own = use.level.categories()
        if use.auto or len(own) < 2:
            continue  # fewer than two hold no pair; thousands of vhosts may say s0
        # Of few categories there are few pairs, and a map may have half a million of them.
        for pair in combinations(sorted(own), 2) if len(own) < 10 else owners:
            other = owners.get(pair, use)
            if other.tenant != use.tenant and use.type in types[other.tenant] and own.issuperset(pair):
                whose = f"{other.level}, which is the auto range of {other.tenant}"
                raise BadSource(use.place, f"expected a level without {whose}, not {use.level}")


def claimed(
    uses: list[Use], pairs: dict[HostName, frozenset[int]], domains: tuple[Domain, ...]
) -> dict[HostName, set[TypeName]]:
    """The types that each tenant uses; of a domain that it uses at its pair (``pairs``), for visitors or for content, all
    types: a process reads its domain's content at that level, whoever either is of.

    What a domain ``reads`` besides is not counted: the source says that of all tenants.
    """
    kin = {kind: {domain.type, *domain.types} for domain in domains for kind in (domain.type, *domain.types)}
    found: dict[HostName, set[TypeName]] = {}
    for use in uses:
        types = found.setdefault(use.tenant, set())
        types.add(use.type)
        pair = pairs.get(use.tenant)
        others = kin.get(use.type, set())
        if pair is not None and not others <= types and pair <= use.level.categories():
            types |= others
    return found


def check_logins(sites: tuple[Site, ...]) -> None:
    """A level of its own for each tenant with logins, and nothing at it that these could edit but is not the tenant's."""
    levels: dict[HostName, Site] = {}
    owners: dict[Level, HostName] = {}
    editable: dict[tuple[TypeName, Level], HostName] = {}
    for site in sites:
        for login in site.logins:
            (first, *_) = levels.setdefault(site.tenant, site).logins
            if login.level != first.level:
                whose = f"{first.level}, as vhost {levels[site.tenant].vhost.name} of the same customer has it"
                raise BadSource(
                    login.place, f"expected the range {whose} (what he creates takes it), not {login.level}"
                )
            if owners.setdefault(login.level, site.tenant) != site.tenant:
                whose = f"another range than the logins of {owners[login.level]} have"
                raise BadSource(login.place, f"expected {whose}, which keeps their processes apart, not {login.level}")
            editable.update(((kind, login.level), site.tenant) for kind in login.domain.types)
    for site in sites:
        for label in site.labels:
            other = editable.get((label.type, label.level), site.tenant)
            if other != site.tenant:
                problem = f"expected content that no login of {other} may edit, not {label.type} at {label.level}"
                raise BadSource(site.source.place, problem)
    sessions(login for site in sites for login in site.logins)
