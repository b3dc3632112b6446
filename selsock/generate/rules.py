# SPDX-License-Identifier: Apache-2.0
"""Rules: who gets which context, as the source writes them and as the table holds them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from selsock.context import Context
from selsock.generate.domains import Domains
from selsock.generate.maps import Line, Map, Maps
from selsock.generate.partial import Auto, Partial, parse_context
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
from selsock.mls.levels import Level
from selsock.model import Rule
from selsock.names import Network, UserName

RULE = ("user", "address", "anonymous", "any", "map", "context")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a context is from: the place in the source, whether its level is the vhost's pair, and words for it."""

    place: Place
    auto: bool
    words: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What one entry of ``contexts:`` becomes in one place: the rules that the table has for it, and every context that
    they may yield."""

    rules: tuple[Rule, ...]
    contexts: dict[Context, Origin]


@dataclass(frozen=True, slots=True)
class SourceRule:
    """One entry of ``contexts:``, before inheritance."""

    place: Place
    context: Partial
    users: frozenset[UserName]
    networks: tuple[Network, ...]
    anonymous: bool
    any: bool
    map: Map | None = None

    @property
    def names_users(self) -> bool:
        """Whether it can hold for somebody who has signed in, and for nobody else."""
        return bool(self.users or (self.map is not None and self.map.users))

    def within(self, enclosing: Partial, pair: Callable[[], Level], file: str) -> Grant:
        """What it becomes where ``enclosing`` gives what it leaves out.  Raises BadSource."""
        around = self.context.over(enclosing)
        domain, level = around.complete(pair)
        context, source = Context(domain.type, level), f"{file}:{self.place.line}"
        if self.map is not None:
            return self.mapped(self.map, Rule(context, source, networks=self.networks, map=self.map.file), around, pair)
        rule = Rule(context, source, self.users, self.networks, self.anonymous, self.any)
        return Grant((rule,), {context: Origin(around.place, around.range is Auto.AUTO, f"the rule {source}")})

    def mapped(self, given: Map, rule: Rule, around: Partial, pair: Callable[[], Level]) -> Grant:
        """The same for a map, whose ``rule`` has what ``around`` gives: users, then who is anonymous, then whoever comes."""
        found: dict[Context, Origin] = {}

        def settle(line: Line) -> Context:
            if line.context.range is Auto.AUTO and around.range is not Auto.AUTO:
                problem = f"expected auto where the range around the map is auto, not where it is {rule.context.level}"
                raise BadSource(line.context.place, f"{problem} ({rule.source})")
            partial = line.context.over(around)
            domain, level = partial.complete(pair)
            context = Context(domain.type, level)
            found.setdefault(context, Origin(partial.place, partial.range is Auto.AUTO, f"the map {line.source}"))
            return context

        for line in given.lines.values():
            settle(line)
        rules = [rule] if given.users else []
        if given.anonymous is not None:
            rules.append(Rule(settle(given.anonymous), given.anonymous.source, networks=self.networks, anonymous=True))
        if given.anyone is not None:
            for_all = not self.networks
            rules.append(Rule(settle(given.anyone), given.anyone.source, networks=self.networks, any=for_all))
        return Grant(tuple(rules), found)


def parse_rules(node: Node, domains: Domains, maps: Maps) -> tuple[SourceRule, ...]:
    """The list under ``contexts``.  Raises BadSource."""
    return tuple(parse_rule(mapping(item), domains, maps) for item in sequence(node))


def parse_rule(given: Mapping, domains: Domains, maps: Maps) -> SourceRule:
    """One rule: at least one condition, and a context of which any part may be inherited, or a map.  Raises BadSource."""
    given.only(RULE)
    context = given.get("context")
    users = given.get("user")
    addresses = given.get("address")
    file = given.get("map")
    if file is not None:
        given.forbid(("user", "anonymous", "any", "context"), "no such key beside map")
    rule = SourceRule(
        given.place,
        Partial(given.place) if context is None else parse_context(context, domains),
        frozenset() if users is None else frozenset(user.name(UserName) for user in one_or_more(users)),
        () if addresses is None else tuple(parse_network(address) for address in one_or_more(addresses)),
        is_true(given, "anonymous"),
        is_true(given, "any"),
        None if file is None else maps.read(scalar(file), domains),
    )
    if rule.any and (users or addresses or rule.anonymous):
        given.require("any").refuse("any to stand alone, or the other conditions without it")
    if rule.anonymous and users:
        given.require("anonymous").refuse("either user or anonymous, since no visitor is both")
    if not (rule.any or users or addresses or rule.anonymous or file):
        raise BadSource(given.place, "expected a condition (user, address, anonymous, any or map), not none")
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
