# SPDX-License-Identifier: Apache-2.0
"""Who must not reach whom: the tenants of a configuration, and every context that they may get."""

from __future__ import annotations

from dataclasses import dataclass

from selsock.ctl.verify.contexts import Labelled, files, process
from selsock.generate.configuration import Configuration
from selsock.generate.logins import Session
from selsock.generate.plan import contexts, logged_in
from selsock.generate.site import Site
from selsock.generate.unix import Account
from selsock.mls.levels import Level


@dataclass(frozen=True, slots=True)
class Tenant:
    """The vhosts of one customer: those that are connected by logins in common, mostly one.

    ``processes`` are the contexts that his visitors and his logins may get, ``files`` the labels of his content.
    """

    vhosts: tuple[str, ...]
    processes: tuple[Labelled, ...]
    files: tuple[Labelled, ...]

    @property
    def name(self) -> str:
        """That of his first vhost; the others are counted."""
        more = len(self.vhosts) - 1
        return self.vhosts[0] + (f" and {more} more" if more else "")


def tenants(configuration: Configuration) -> tuple[Tenant, ...]:
    """All of them, in the order of the source."""
    levels = {label.level for site in configuration.sites for label in site.labelled}
    levels |= {Level(its.level) for site in configuration.sites for its in contexts(site)}
    groups: dict[str, list[Site]] = {}
    for site in configuration.sites:
        groups.setdefault(site.tenant, []).append(site)
    logins = {account: (its, level) for its in logged_in(configuration) for account, level in its.levels}
    return tuple(tenant(group, levels, logins) for group in groups.values())


def tenant(sites: list[Site], levels: set[Level], logins: dict[Account, tuple[Session, Level]]) -> Tenant:
    """The tenant whose vhosts are ``sites``; ``levels`` are all that anybody has, ``logins`` the sessions of all accounts."""
    processes: dict[tuple[str, str], Labelled] = {}
    content: dict[tuple[str, str], Labelled] = {}
    for site in sites:
        for type_name, level in reached(site, levels):
            words = f"visitors of {site.vhost.name}"
            processes.setdefault((type_name, level), process(type_name, level, words))
        for account in (login.account for login in site.logins):
            session, own = logins[account]
            processes.setdefault((session.type, own), entered(session, own, f"sessions of {account}"))
        for label in site.labelled:
            content.setdefault((label.type, label.level), files(label.type, label.level, label.path))
    names = tuple(str(site.vhost.name) for site in sites)
    return Tenant(names, tuple(processes[key] for key in sorted(processes)), tuple(content.values()))


def entered(session: Session, level: Level, place: str) -> Labelled:
    """A login's session, which begins with sshd."""
    return Labelled(session.user, session.role, session.type, level, place)


def reached(site: Site, levels: set[Level]) -> set[tuple[str, str]]:
    """The types and levels that visitors of ``site`` may get.

    With ``range: clearance`` that is any level below the one that stands there; of those, the ones count that somebody
    else has, for the highest may do all that lower ones may, but for what asks for the very same level.
    """
    found = {(str(its.type), str(its.level)) for its in contexts(site)}
    for location in site.vhost.locations:
        for rule in location.rules:
            ceiling = Level(rule.context.level)
            if rule.clearance == "meet":
                below = (level for level in levels if ceiling.dominates(level))
                found |= {
                    (str(rule.context.type), str(level))
                    for level in below
                    if level.categories() or not ceiling.categories()
                }
    return found
