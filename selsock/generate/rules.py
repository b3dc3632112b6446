# SPDX-License-Identifier: Apache-2.0
"""Rules: who gets which context, as the source writes them and as the table holds them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from selsock.context import Context
from selsock.generate.domains import Domains
from selsock.generate.maps import ANONYMOUS, Line, Map, Maps
from selsock.generate.partial import CLEARANCE, Auto, Partial, parse_context
from selsock.generate.source import (
    BadSource,
    Mapping,
    Node,
    Place,
    Scalar,
    is_true,
    mapping,
    nearest,
    one_or_more,
    scalar,
    sequence,
)
from selsock.generate.user_names import CanonicalUser, GroupName
from selsock.identify.provider import POSTGRESQL, SQLITE, Provider
from selsock.mls.levels import Level
from selsock.model import METHODS, Rule
from selsock.names import Network

CONDITIONS = ("user", "group", "signed_in", "address", "method", "anonymous", "any", "map", "assigned")
RULE = (*CONDITIONS, "context")


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
    users: frozenset[CanonicalUser]
    groups: frozenset[GroupName]
    networks: tuple[Network, ...]
    methods: frozenset[str]
    anonymous: bool
    any: bool
    map: Map | None
    assigned: bool
    signed_in: bool

    @property
    def names_users(self) -> bool:
        """Whether it can hold for somebody who has signed in, and for nobody else."""
        by_map = self.map is not None and self.map.users
        return bool(self.users or self.groups or self.signed_in or self.assigned or by_map)

    def check_provider(self, provider: Provider | None, place: Place) -> None:
        """Raise BadSource at ``place``, the vhost's, where nobody there could tell what this asks."""
        if provider is None and self.names_users:
            raise BadSource(place, f"expected auth, since the rule in line {self.place.line} names a user, not none")
        if provider is not None and self.groups and not provider.knows_groups:
            problem = f"expected auth with groups, since the rule in line {self.place.line} names one, not without"
            raise BadSource(place, problem)
        if provider is not None and self.assigned and provider.kind not in (SQLITE, POSTGRESQL):
            problem = f"expected auth with sql, since the rule in line {self.place.line} takes what that assigns"
            raise BadSource(place, f"{problem}, not with {provider.kind}")

    def within(self, enclosing: Partial, pair: Callable[[], Level], file: str) -> Grant:
        """What it becomes where ``enclosing`` gives what it leaves out.  Raises BadSource."""
        around = self.context.over(enclosing)
        domain, level = around.complete(pair)
        context, source = Context(domain.type, level), f"{file}:{self.place.line}"
        if self.map is not None:
            asking = self.rule(context, source, around.limit, map=self.map.file)
            return self.mapped(self.map, asking, around, pair)
        rule = self.rule(context, source, around.limit, self.anonymous, self.any)
        return Grant((rule,), {context: Origin(around.place, around.range is Auto.AUTO, f"the rule {source}")})

    def rule(
        self, context: Context, source: str, limit: str, anonymous: bool = False, any: bool = False, map: str = ""
    ) -> Rule:
        """A rule of the table with the conditions of this entry."""
        others = self.groups, self.methods, limit, self.assigned, self.signed_in
        return Rule(context, source, frozenset(self.users), self.networks, anonymous, any, map, *others)

    def mapped(self, given: Map, rule: Rule, around: Partial, pair: Callable[[], Level]) -> Grant:
        """The same for a map, whose ``rule`` has what ``around`` gives: users, then who is anonymous, then whoever comes."""
        found: dict[Context, Origin] = {}

        def settle(line: Line) -> tuple[Context, str, str]:
            if line.context.range is Auto.AUTO and (around.range is not Auto.AUTO or around.clearance):
                other = CLEARANCE if around.clearance else rule.context.level
                problem = f"expected auto where the range around the map is auto, not where it is {other}"
                raise BadSource(line.context.place, f"{problem} ({rule.source})")
            partial = line.context.over(around)
            domain, level = partial.complete(pair)
            context = Context(domain.type, level)
            found.setdefault(context, Origin(partial.place, partial.range is Auto.AUTO, f"the map {line.source}"))
            return context, line.source, partial.limit

        for line in given.lines.values():
            settle(line)
        self.check_nobodys(given, rule.source)
        rules = [rule] if given.users else []
        if given.anonymous is not None:
            rules.append(self.rule(*settle(given.anonymous), anonymous=True))
        if given.anyone is not None:
            for_all = not (self.networks or self.groups or self.methods)
            rules.append(self.rule(*settle(given.anyone), any=for_all))
        return Grant(tuple(rules), found)

    def check_nobodys(self, given: Map, source: str) -> None:
        """Raise BadSource for a line of ``given`` that takes what only users have for somebody who may be none."""
        if given.anonymous is not None and self.groups:
            problem = f"expected no line of {ANONYMOUS} where the rule asks for a group, which he has none of"
            raise BadSource(given.anonymous.context.place, f"{problem} ({source})")
        for line in (given.anonymous, None if self.groups else given.anyone):
            if line is not None and line.context.range is None and self.context.clearance:
                problem = "expected a range, since whoever has not signed in has no clearance, not what the rule has"
                raise BadSource(line.context.place, f"{problem} ({source})")


def parse_rules(node: Node, domains: Domains, maps: Maps) -> tuple[SourceRule, ...]:
    """The list under ``contexts``.  Raises BadSource."""
    return tuple(parse_rule(mapping(item), domains, maps) for item in sequence(node))


def parse_rule(given: Mapping, domains: Domains, maps: Maps) -> SourceRule:
    """One rule: at least one condition, and a context of which any part may be inherited.  Raises BadSource."""
    given.only(RULE)
    if "map" in given.values:
        given.forbid(("user", "signed_in", "anonymous", "any", "assigned"), "no such key beside map")
    file, context = given.get("map"), given.get("context")
    rule = SourceRule(
        given.place,
        Partial(given.place) if context is None else parse_context(context, domains, clearance=True),
        frozenset(user.name(CanonicalUser) for user in listed(given, "user")),
        frozenset(group.name(GroupName) for group in listed(given, "group")),
        tuple(parse_network(address) for address in listed(given, "address")),
        frozenset(parse_method(method) for method in listed(given, "method")),
        is_true(given, "anonymous"),
        is_true(given, "any"),
        None if file is None else maps.read(scalar(file), domains),
        is_true(given, "assigned"),
        is_true(given, "signed_in"),
    )
    check_conditions(rule, given)
    return rule


def listed(given: Mapping, key: str) -> tuple[Scalar, ...]:
    """The one value of ``key``, or the values of its list; none without the key.  Raises BadSource."""
    node = given.get(key)
    return () if node is None else one_or_more(node)


def check_conditions(rule: SourceRule, given: Mapping) -> None:
    """Raise BadSource where no visitor, or each, would meet the conditions of ``rule``, or one that it needs is missing."""
    conditions = [key for key in CONDITIONS if key in given.values]
    if not conditions:
        names = f"{', '.join(CONDITIONS[:-1])} or {CONDITIONS[-1]}"
        raise BadSource(given.place, f"expected a condition ({names}), not none")
    if rule.any and len(conditions) > 1:
        given.require("any").refuse("any to stand alone, or the other conditions without it")
    for key in ("user", "group", "signed_in", "assigned"):
        if rule.anonymous and key in conditions:
            given.require("anonymous").refuse(f"either {key} or anonymous, since no visitor is both")
    for key in ("user", "group", "assigned"):
        if rule.signed_in and key in conditions:
            given.require("signed_in").refuse(f"no signed_in beside {key}, which says more")
    if rule.context.clearance and not (rule.names_users or rule.map):
        problem = "expected a rule that names users (user, group, signed_in, map or assigned) for range: clearance, not another"
        raise BadSource(rule.context.place, problem)


def parse_method(given: Scalar) -> str:
    """A method that is known here (RFC 9110 §9).  Raises BadSource."""
    known = tuple(method.decode() for method in METHODS)
    if given.text not in known:
        given.refuse(f"a method in upper case, the nearest being {nearest(given.text.upper(), known)}")
    return given.text


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
