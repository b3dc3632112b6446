# SPDX-License-Identifier: Apache-2.0
"""Who is let in: ``Require`` and its containers, and ``Order``, ``Allow``, ``Deny`` and ``Satisfy`` before them.

What they say becomes alternatives, each of conditions that all have to hold, as one rule of ``contexts`` has them.  What can not
be said that way lets nobody in: since there is no negation in what is left, that is never more than Apache let in.
Source: mod_authz_core and mod_access_compat of the Apache HTTP Server 2.4 manual.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from selsock.generate.apache.syntax import Directive
from selsock.generate.user_names import CanonicalUser, GroupName
from selsock.model import METHODS

REQUIRE = ("require", "requireall", "requireany", "requirenone")
COMPATIBLE = ("order", "allow", "deny", "satisfy")
METHOD_NAMES = frozenset(method.decode() for method in METHODS)
MOST = 200  # alternatives

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Refuse = Callable[[Directive, str], None]  # tells why a directive is not carried over


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule may ask; None where it does not.  ``signed_in``: whoever he is."""

    users: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    networks: tuple[Network, ...] | None = None
    methods: frozenset[str] | None = None
    signed_in: bool = False

    @property
    def names_users(self) -> bool:
        """Whether it holds for those alone who have signed in."""
        return self.signed_in or self.users is not None or self.groups is not None

    def shortest(self) -> Condition:
        """This, without asking whether a user or a member of a group has signed in."""
        more = self.users is not None or self.groups is not None
        return replace(self, signed_in=self.signed_in and not more)

    def both(self, other: Condition) -> Condition | None:
        """That this and ``other`` hold; None when nobody meets both, or no rule can say so."""
        if self.groups is not None and other.groups is not None and self.groups != other.groups:
            return None
        users = self.users if other.users is None else other.users if self.users is None else self.users & other.users
        methods = (
            self.methods if other.methods is None else other.methods & (self.methods or other.methods)
        )  # never empty
        networks = common(self.networks, other.networks)
        if any(found is not None and not found for found in (users, methods, networks)):
            return None
        groups = other.groups if self.groups is None else self.groups
        return Condition(users, groups, networks, methods, self.signed_in or other.signed_in)


Alternatives = tuple[Condition, ...]
NOBODY: Alternatives = ()
EVERYBODY: Alternatives = (Condition(),)


def common(one: tuple[Network, ...] | None, two: tuple[Network, ...] | None) -> tuple[Network, ...] | None:
    """The networks that lie in both; None for whatever address."""
    if one is None or two is None:
        return two if one is None else one
    pairs = [(a, b) for a in one for b in two if a.version == b.version and a.overlaps(b)]
    return tuple(a if a.prefixlen >= b.prefixlen else b for a, b in pairs)


def either(given: Iterable[Alternatives]) -> Alternatives:
    """What lets in whomever one of ``given`` does."""
    return tuple(dict.fromkeys(condition for one in given for condition in one))


def every(given: Iterable[Alternatives]) -> Alternatives:
    """What lets in whomever all of ``given`` do."""
    found = EVERYBODY
    for one in given:
        pairs = (a.both(b) for a in found for b in one)
        found = tuple(dict.fromkeys(both for both in pairs if both is not None))[:MOST]
    return found


def required(given: list[Directive], refuse: Refuse) -> Alternatives:
    """Whom the Requires of one section let in, one of which has to.  Raises BadSource."""
    return either(requirement(directive, refuse) for directive in given)


def requirement(directive: Directive, refuse: Refuse) -> Alternatives:
    """Whom one Require or container lets in.  Raises BadSource."""
    inside = [inner for inner in directive.inside or () if inner.name in REQUIRE]
    for inner in directive.inside or ():
        if inner.name not in REQUIRE:
            refuse(inner, "no Require")
            return NOBODY
    match directive.name:
        case "requireany":
            return either([requirement(inner, refuse) for inner in inside])
        case "requireall":
            return every([requirement(inner, refuse) for inner in inside])
        case "requirenone":
            refuse(directive, "no rule can exclude somebody; nobody is let in by what stands with it")
            return NOBODY
    return atom(directive, refuse)


def atom(directive: Directive, refuse: Refuse) -> Alternatives:
    """Whom ``Require ENTITY …`` lets in.  Raises BadSource."""
    kind, *words = directive.words() or [""]
    kind = kind.lower()
    try:
        match kind, words:
            case "all", [word] if word.lower() in ("granted", "denied"):
                return EVERYBODY if word.lower() == "granted" else NOBODY
            case "valid-user", []:
                return (Condition(signed_in=True),)
            case "user", [_, *_]:
                return (Condition(users=frozenset(CanonicalUser.parse(word) for word in words)),)
            case "group", [_, *_]:
                return (Condition(groups=frozenset(GroupName.parse(word) for word in words)),)
            case "ip", [_, *_]:
                return (Condition(networks=tuple(network(word) for word in words)),)
            case "method", [_, *_]:
                return (Condition(methods=methods(words)),)
            case "local", []:
                refuse(directive, "taken as 127.0.0.0/8 and ::1; other addresses of this machine are not let in")
                return (Condition(networks=(network("127.0.0.0/8"), network("::1"))),)
    except ValueError as error:
        refuse(directive, f"{error}; it lets nobody in")
        return NOBODY
    refuse(directive, "no rule can say this; it lets nobody in")
    return NOBODY


def methods(words: Iterable[str]) -> frozenset[str]:
    """Those of ``words`` that are known here; for Apache, GET is HEAD as well.  Raises ValueError when there are none."""
    found = frozenset(words) & METHOD_NAMES
    if not found:
        raise ValueError("expected a method that is known here, not others alone")
    return found | {"HEAD"} if "GET" in found else found


def network(word: str) -> Network:
    """An address, a network with its length or mask, or the first octets of an IPv4 address.  Raises ValueError."""
    octets = word.removesuffix(".").split(".")
    if len(octets) < 4 and all(octet.isdecimal() for octet in octets):
        word = ".".join(octets + ["0"] * (4 - len(octets))) + f"/{8 * len(octets)}"
    found = ipaddress.ip_network(word, strict=False)
    if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(ipaddress.IPv6Network("::ffff:0:0/96")):
        raise ValueError(f"expected the IPv4 form of an IPv4 address, not {word!r}")
    return found


def compatible(given: list[Directive], refuse: Refuse) -> tuple[Alternatives, bool]:
    """Whom Order, Allow and Deny of one section let in, and whether that or Require is enough (``Satisfy Any``).

    Raises BadSource.
    """
    allowed: list[Alternatives] = []
    denies = deny_last = satisfied = False
    for directive in given:
        match directive.name, [word.lower() for word in directive.words()]:
            case "order", [word]:
                deny_last = word != "deny,allow"  # mutual-failure, too: nobody is let in who is not allowed
            case "satisfy", [word]:
                satisfied = word == "any"
            case "allow", ["from", *hosts]:
                allowed.append(from_hosts(directive, hosts, refuse))
            case "deny", ["from", *hosts]:
                denies = True
                if hosts != ["all"]:
                    refuse(directive, "no rule can exclude somebody; those alone are let in whom Allow names")
            case _:
                directive.refuse("arguments as mod_access_compat takes them")
    if deny_last:  # whoever is denied stays so
        return (NOBODY if denies else either(allowed)), satisfied
    return (either(allowed) if denies else EVERYBODY), satisfied


def from_hosts(directive: Directive, hosts: list[str], refuse: Refuse) -> Alternatives:
    """Those whom ``Allow from`` names; nobody when no rule can."""
    if hosts == ["all"]:
        return EVERYBODY
    try:
        return (Condition(networks=tuple(network(host) for host in hosts)),)
    except ValueError:
        refuse(directive, "no rule can say this; it lets nobody in")
        return NOBODY
