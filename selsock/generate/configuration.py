# SPDX-License-Identifier: Apache-2.0
"""The source as a configuration: every name checked, every context complete, nothing left to decide.

Inheritance is resolved here: what a context leaves out comes from the location, then the vhost, then
``default_context``; never from the context that the handler runs in.  Rules come from the first of location, vhost and
the top that has any, and are resolved anew in each location that uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selsock.context import Context, Level
from selsock.generate.domain_name import DomainName
from selsock.generate.machine import Listen, SystemLimits, parse_limits, parse_listen
from selsock.generate.places import parse_password_file, parse_root
from selsock.generate.ranges import Ledger
from selsock.generate.rules import (
    Auto,
    Domain,
    Domains,
    Partial,
    SourceRule,
    parse_context,
    parse_parts,
    parse_rules,
)
from selsock.generate.source import BadSource, Mapping, Node, Place, Scalar, mapping, nearest, scalar, sequence
from selsock.model import Basic, Limits, Location, Rule, Vhost
from selsock.names import AbsolutePath, HostName, Realm, TypeName

TOP = ("selinux", "listen", "limits", "domains", "default_context", "contexts", "vhosts")
VHOST = ("aliases", "root", "domain", "range", "auth", "content", "contexts", "locations")


@dataclass(frozen=True, slots=True)
class Label:
    """What the files at ``path`` and below are labelled, up to the next label."""

    path: AbsolutePath
    type: TypeName
    level: Level


@dataclass(frozen=True, slots=True)
class Use:
    """That a vhost uses a type (a domain's, or its content's) at a level, and where the source says so."""

    vhost: HostName
    place: Place
    type: TypeName
    level: Level
    auto: bool


@dataclass(frozen=True, slots=True)
class Site:
    """A vhost, the labels of its content, and what ``conflicts`` looks at."""

    vhost: Vhost
    labels: tuple[Label, ...]
    uses: tuple[Use, ...]
    source: Mapping


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that ``vhost.yaml`` says.  ``file`` is its name without directory."""

    file: str
    required: bool
    listen: tuple[Listen, ...]
    limits: Limits
    system: SystemLimits
    domains: tuple[Domain, ...]
    sites: tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the vhosts."""

    file: str
    domains: Domains
    default: Partial
    rules: tuple[SourceRule, ...] | None
    ledger: Ledger


def configure(source: Mapping, file: str, ledger: Ledger) -> Configuration:
    """The configuration in ``source``, read from ``file``; new pairs go into ``ledger``.  Raises BadSource."""
    source.only(TOP)
    mode = source.get("selinux")
    if mode is not None and scalar(mode).text not in ("required", "optional"):
        mode.refuse("required or optional")
    limits, system = parse_limits(source.get("limits"))
    listen = parse_listen(source.get("listen"))
    domains = parse_domains(source.get("domains"))
    rules = source.get("contexts")
    vhosts = mapping(source.require("vhosts"))
    if not vhosts.values:
        vhosts.refuse("one vhost at least")
    around = Surroundings(
        file,
        domains,
        parse_default(source, domains),
        None if rules is None else parse_rules(rules, domains),
        ledger,
    )
    sites = tuple(
        parse_vhost(vhosts.keys[name].name(HostName), mapping(node), around) for name, node in vhosts.values.items()
    )
    required = mode is None or scalar(mode).text == "required"
    return Configuration(file, required, listen, limits, system, tuple(domains.values()), sites)


def parse_domains(node: Node | None) -> dict[str, Domain]:
    """The domains that the source declares, in its order.  Raises BadSource."""
    found: dict[str, Domain] = {}
    given = mapping(node) if node is not None else None
    for text, options in given.values.items() if given else ():
        name = given.keys[text].name(DomainName) if given else DomainName(text)
        known = mapping(options)
        known.only(("reads",))
        reads = known.get("reads")
        names = tuple(given.keys) if given else ()
        found[text] = Domain(
            name,
            TypeName(f"selsock_{name}_t"),
            TypeName(f"selsock_{name}_content_t"),
            () if reads is None else tuple(parse_read(scalar(item), name, names) for item in sequence(reads)),
        )
    return found


def parse_read(given: Scalar, reader: DomainName, names: tuple[str, ...]) -> DomainName:
    """A domain whose content ``reader`` may read as well.  Raises BadSource."""
    if given.text == reader:
        given.refuse(f"another domain than {reader}, which reads its own content anyway")
    if given.text not in names:
        given.refuse(f"a name under domains, the nearest being {nearest(given.text, names)}")
    return given.name(DomainName)


def parse_default(source: Mapping, domains: Domains) -> Partial:
    """``default_context``, which has both parts if it is there at all.  Raises BadSource."""
    node = source.get("default_context")
    if node is None:
        return Partial(source.place)
    found = parse_context(node, domains)
    if found.domain is None or found.range is None:
        missing = "domain" if found.domain is None else "range"
        raise BadSource(found.place, f"expected a domain and a range, not a context without {missing}")
    return found


def parse_vhost(name: HostName, given: Mapping, around: Surroundings) -> Site:
    """One vhost.  Raises BadSource."""
    given.only(VHOST)
    aliases = given.get("aliases")
    root = parse_root(scalar(given.require("root")))
    basic = parse_auth(given.get("auth"))
    builder = SiteBuilder(name, given, around)
    locations = builder.locations(basic is not None)
    labels = builder.labels(root)
    names = tuple(scalar(item).name(HostName) for item in sequence(aliases)) if aliases is not None else ()
    return Site(Vhost((name, *names), root, basic, locations), labels, tuple(builder.uses), given)


def parse_auth(node: Node | None) -> Basic | None:
    """``{basic: {realm, file}}``.  Raises BadSource."""
    if node is None:
        return None
    given = mapping(node)
    given.only(("basic",))
    basic = mapping(given.require("basic"))
    basic.only(("realm", "file"))
    realm = scalar(basic.require("realm")).name(Realm)
    return Basic(realm, parse_password_file(scalar(basic.require("file"))))


class SiteBuilder:
    """Resolves the contexts of one vhost, and keeps account of the levels that it uses."""

    def __init__(self, name: HostName, given: Mapping, around: Surroundings) -> None:
        self.name = name
        self.given = given
        self.around = around
        self.inherited = parse_parts(given, around.domains).over(around.default)
        self.uses: list[Use] = []

    def pair(self) -> Level:
        """The category pair of this vhost, allocated when it is first asked for."""
        return self.around.ledger.level(self.name, self.given.place)

    def settle(self, partial: Partial, kind: Callable[[Domain], TypeName]) -> tuple[TypeName, Level]:
        """Type and level of ``partial``, entered among the uses.  Raises BadSource."""
        domain, level = partial.complete(self.pair)
        self.uses.append(Use(self.name, partial.place, kind(domain), level, partial.range is Auto.AUTO))
        return kind(domain), level

    def locations(self, signs_in: bool) -> tuple[Location, ...]:
        """The locations, longest prefix first, ``/`` last.  Raises BadSource."""
        node = self.given.get("locations")
        table = mapping(node) if node is not None else Mapping(self.given.place)
        found = [self.location((), Mapping(self.given.place), signs_in)] if "/" not in table.values else []
        for path, options in table.values.items():
            key = table.keys[path]
            prefix = () if path == "/" else tuple(key.name(AbsolutePath).split("/")[1:])
            found.append(self.location(prefix, mapping(options), signs_in))
        return tuple(sorted(found, key=lambda location: (-len(location.prefix), location.prefix)))

    def location(self, prefix: tuple[str, ...], given: Mapping, signs_in: bool) -> Location:
        """One location with the rules that hold there.  Raises BadSource."""
        given.only(("domain", "range", "contexts"))
        around = self.around
        enclosing = parse_parts(given, around.domains).over(self.inherited)
        node = given.get("contexts") or self.given.get("contexts")
        rules = parse_rules(node, around.domains) if node is not None else around.rules
        default = None
        if around.default.domain is not None:
            default = Context(*self.settle(around.default, lambda domain: domain.type))
        elif rules is None:
            raise BadSource(given.place, "expected contexts here or further out, or default_context, not none")
        return Location(prefix, tuple(self.rule(rule, enclosing, signs_in) for rule in rules or ()), default)

    def rule(self, rule: SourceRule, enclosing: Partial, signs_in: bool) -> Rule:
        """``rule`` as the table holds it.  Raises BadSource."""
        if rule.users and not signs_in:
            line = rule.place.line
            raise BadSource(self.given.place, f"expected auth, since the rule in line {line} names a user, not none")
        self.settle(rule.context.over(enclosing), lambda domain: domain.type)
        return rule.within(enclosing, self.pair, self.around.file)

    def labels(self, root: AbsolutePath) -> tuple[Label, ...]:
        """The labels of the content, ``/`` first.  Raises BadSource."""
        node = self.given.get("content")
        table = mapping(node) if node is not None else Mapping(self.given.place)
        parts = {"": self.inherited}
        for path, context in table.values.items():
            suffix = "" if path == "/" else table.keys[path].name(AbsolutePath)
            parts[suffix] = parse_context(context, self.around.domains).over(self.inherited)
        top = parts[""].domain
        if "/" not in table.values and top is not None and top.name is None:
            raise BadSource(table.place, f"expected content with /, since {top.type} is no type of files, not none")
        return tuple(
            Label(AbsolutePath.parse(root + suffix), *self.settle(parts[suffix], lambda domain: domain.content))
            for suffix in sorted(parts)
        )
