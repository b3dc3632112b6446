# SPDX-License-Identifier: Apache-2.0
"""``login:``, the accounts of this machine that may edit a vhost's content over ssh, and what their sessions are called.

Vhosts that have a login in common, directly or through others, are one customer's: a session has one level, and what it
creates takes it.  So these vhosts share a level, and with ``range: auto`` a category pair.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from selsock.generate.domain_name import DomainName
from selsock.generate.domains import Domain
from selsock.generate.ranges import PAIRS, Ledger
from selsock.generate.source import BadSource, Mapping, Node, Place, mapping, one_or_more
from selsock.generate.unix import Account
from selsock.mls.levels import Level
from selsock.names import DIGITS, LOWER, HostName, Name, TypeName

# Not the first, by whom the machine is kept; nor those that seusers(5) has a meaning of its own for.
NOBODYS = ("root", "system_u", "__default__")


@dataclass(frozen=True, slots=True)
class Login:
    """An account that may edit the content of a vhost: files of ``domain`` at ``level``."""

    account: Account
    domain: Domain
    level: Level
    place: Place


class Stem(Name):
    """The domains of a session, sorted and joined by the two underscores that no domain's name has."""

    __slots__ = ()
    expected = "domains whose names are shorter, 46 characters together: they become the name of a type"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Names of domains, and of the length that a type's name leaves."""
        return all(map(DomainName.accepts, text.split("__"))) and TypeName.accepts(f"selsock_{text}_login_t")


class SelinuxUser(Name):
    """A user of the policy that we made."""

    __slots__ = ()
    expected = "selsock_…_u"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """What ``Session.user`` makes; others are somebody else's."""
        return text.startswith("selsock_") and text.endswith("_u") and not text.strip(LOWER + DIGITS + "_")


class Role(Name):
    """A role of the policy that we made."""

    __slots__ = ()
    expected = "selsock_…_r"


@dataclass(frozen=True, slots=True)
class Session:
    """What the logins that edit the content of the same ``domains`` have in common: type, role and SELinux user, which all
    have ``stem`` in their names.  Each has its own level."""

    stem: Stem
    domains: tuple[Domain, ...]
    levels: tuple[tuple[Account, Level], ...]

    @property
    def type(self) -> TypeName:
        """The domain that its processes run in."""
        return TypeName(f"selsock_{self.stem}_login_t")

    @property
    def role(self) -> Role:
        """The role that joins the two."""
        return Role(f"selsock_{self.stem}_login_r")

    @property
    def user(self) -> SelinuxUser:
        """The SELinux user of its logins."""
        return SelinuxUser(f"selsock_{self.stem}_u")

    @property
    def types(self) -> tuple[TypeName, ...]:
        """The types of content that it may edit."""
        return tuple(kind for domain in self.domains for kind in domain.types)

    @property
    def origin(self) -> str:
        """What libselinux, asked by sshd, has to read of the SELinux user: user_contexts(5)."""
        return f"system_r:sshd_t:s0\t{self.role}:{self.type}:s0\n"


def parse_accounts(node: Node | None) -> dict[Account, Place]:
    """Who may log in to edit a vhost, and where the source says so.  Raises BadSource."""
    found: dict[Account, Place] = {}
    for item in one_or_more(node) if node is not None else ():
        account = item.name(Account)
        if account in NOBODYS:
            item.refuse("the account of a customer")
        if account in found:
            item.refuse("each account once")
        found[account] = item.place
    return found


def tenants(vhosts: Mapping, ledger: Ledger) -> dict[HostName, HostName]:
    """For each vhost the one whose category pair it has: of those of its customer, the one that has the lowest pair in
    ``ledger``, else the first in the source.  Raises BadSource."""
    groups: dict[HostName, list[HostName]] = {}
    first: dict[Account, HostName] = {}
    for text, node in vhosts.values.items():
        name = vhosts.keys[text].name(HostName)
        groups[name] = [name]
        for account in parse_accounts(mapping(node).get("login")):
            group, other = groups[name], groups[first.setdefault(account, name)]
            if group is not other:
                other += group
                groups.update(dict.fromkeys(group, other))
    # Of those that have no pair yet, the first; the order of a group is not that of the source.
    order = {name: index for index, name in enumerate(groups)}
    return {
        name: min(group, key=lambda it: (ledger.numbers.get(it, PAIRS), order[it])) for name, group in groups.items()
    }


def parse_logins(given: Mapping, domain: Domain, level: Level) -> tuple[Login, ...]:
    """The logins of the vhost ``given``, which is served in ``domain`` at ``level``.  Raises BadSource."""
    node = given.require("login")
    if domain.name is None:
        problem = f"expected a vhost whose domain stands under domains, for login, not one with {domain.type}"
        raise BadSource(node.place, problem)
    return tuple(Login(account, domain, level, place) for account, place in parse_accounts(node).items())


def sessions(logins: Iterable[Login]) -> tuple[Session, ...]:
    """What the logins of all vhosts become, sorted.  Raises BadSource for a name that is too long."""
    given: dict[Account, list[Login]] = {}
    for login in logins:
        given.setdefault(login.account, []).append(login)
    found: dict[Stem, dict[Account, Level]] = {}
    domains: dict[Stem, tuple[Domain, ...]] = {}
    for account, its in sorted(given.items()):
        by_name = {str(login.domain.name): login.domain for login in its}
        text = "__".join(sorted(by_name))
        if not Stem.accepts(text):
            raise BadSource(its[-1].place, f"expected {Stem.expected}, not {text}")
        domains[Stem(text)] = tuple(by_name[name] for name in sorted(by_name))
        found.setdefault(Stem(text), {})[account] = its[0].level
    return tuple(Session(stem, domains[stem], tuple(sorted(found[stem].items()))) for stem in sorted(found))
