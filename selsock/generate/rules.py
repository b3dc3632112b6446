# SPDX-License-Identifier: Apache-2.0
"""Contexts as the source writes them, either part of which may be left to the enclosing level; and rules on them."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from selsock.context import Context
from selsock.generate.domains import Domain, Domains, parse_domain
from selsock.generate.levels import Level
from selsock.generate.source import (
    BadSource,
    Mapping,
    Node,
    Place,
    Scalar,
    is_true,
    mapping,
    one_or_more,
    scalar,
    sequence,
)
from selsock.model import Rule
from selsock.names import Network, UserName


class Auto(enum.Enum):
    """``range: auto``: the category pair of the vhost."""

    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Partial:
    """A context of which either part may be missing, and where the source says so."""

    place: Place
    domain: Domain | None = None
    range: Level | Auto | None = None

    def over(self, enclosing: Partial) -> Partial:
        """This, with what it leaves out taken from ``enclosing``."""
        return Partial(self.place, self.domain or enclosing.domain, self.range or enclosing.range)

    def complete(self, pair: Callable[[], Level]) -> tuple[Domain, Level]:
        """Both parts, ``auto`` resolved by ``pair``.  Raises BadSource when one is missing at every level."""
        if self.domain is None:
            raise BadSource(self.place, "expected a domain here, in the vhost or in default_context, not none at all")
        if self.range is None:
            raise BadSource(self.place, "expected a range here, in the vhost or in default_context, not none at all")
        return self.domain, pair() if isinstance(self.range, Auto) else self.range


@dataclass(frozen=True, slots=True)
class SourceRule:
    """One entry of ``contexts:``, before inheritance."""

    place: Place
    context: Partial
    users: frozenset[UserName]
    networks: tuple[Network, ...]
    anonymous: bool
    any: bool

    def within(self, enclosing: Partial, pair: Callable[[], Level], file: str) -> Rule:
        """The rule as the table holds it, where ``enclosing`` gives what it leaves out.  Raises BadSource."""
        domain, level = self.context.over(enclosing).complete(pair)
        context = Context(domain.type, level)
        return Rule(context, f"{file}:{self.place.line}", self.users, self.networks, self.anonymous, self.any)


def parse_range(node: Node) -> Level | Auto:
    """A level in any spelling, or ``auto``.  Raises BadSource."""
    text = scalar(node).text
    if text == "auto":
        return Auto.AUTO
    try:
        return Level.parse(text)
    except ValueError as error:
        raise BadSource(node.place, f"{error}".replace("expected a level", "expected auto or a level", 1)) from None


def parse_parts(given: Mapping, domains: Domains) -> Partial:
    """The keys ``domain`` and ``range`` of ``given``, either of which may be missing.  Raises BadSource."""
    domain = given.get("domain")
    level = given.get("range")
    return Partial(
        given.place,
        None if domain is None else parse_domain(domain, domains),
        None if level is None else parse_range(level),
    )


def parse_context(node: Node, domains: Domains) -> Partial:
    """``DOMAIN``, ``DOMAIN:RANGE`` or ``{domain: …, range: …}``.  Raises BadSource."""
    if isinstance(node, Mapping):
        node.only(("domain", "range"))
        if not node.values:
            node.refuse("domain, range or both")
        return parse_parts(node, domains)
    if not isinstance(node, Scalar):
        node.refuse("DOMAIN, DOMAIN:RANGE or a mapping of domain and range")
    text, colon, level = node.text.partition(":")
    domain = parse_domain(Scalar(node.place, text), domains)
    return Partial(node.place, domain, parse_range(Scalar(node.place, level)) if colon else None)


def parse_rules(node: Node, domains: Domains) -> tuple[SourceRule, ...]:
    """The list under ``contexts``.  Raises BadSource."""
    return tuple(parse_rule(mapping(item), domains) for item in sequence(node))


def parse_rule(given: Mapping, domains: Domains) -> SourceRule:
    """One rule: at least one condition, and a context of which any part may be inherited.  Raises BadSource."""
    given.only(("user", "address", "anonymous", "any", "context"))
    context = given.get("context")
    users = given.get("user")
    addresses = given.get("address")
    rule = SourceRule(
        given.place,
        Partial(given.place) if context is None else parse_context(context, domains),
        frozenset() if users is None else frozenset(user.name(UserName) for user in one_or_more(users)),
        () if addresses is None else tuple(parse_network(address) for address in one_or_more(addresses)),
        is_true(given, "anonymous"),
        is_true(given, "any"),
    )
    if rule.any and (users or addresses or rule.anonymous):
        given.require("any").refuse("any to stand alone, or the other conditions without it")
    if rule.anonymous and users:
        given.require("anonymous").refuse("either user or anonymous, since no visitor is both")
    if not (rule.any or users or addresses or rule.anonymous):
        raise BadSource(given.place, "expected a condition (user, address, anonymous or any), not none")
    return rule


def parse_network(given: Scalar) -> Network:
    """An address or CIDR network in canonical form, with its length.  Raises BadSource."""
    text = given.name(Network)
    length = text.partition("/")[2]
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        given.refuse("an address or a network without host bits, such as 192.0.2.0/24 or 2001:db8::/32")
    if length and not length.isdigit():
        given.refuse("a network with a prefix length, such as 192.0.2.0/24")
    # The kernel's IPv4 peers of a dual-stack listener are taken for what they are, so such a rule would never match.
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(ipaddress.IPv6Network("::ffff:0:0/96")):
        given.refuse("the IPv4 form of an IPv4 address")
    return Network(str(network))
