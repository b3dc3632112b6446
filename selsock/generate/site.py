# SPDX-License-Identifier: Apache-2.0
"""One vhost of the source: every context of it complete, with what it came from.

Inheritance is resolved here: what a context leaves out comes from the location, then the vhost, then
``default_context``; never from the context that the handler runs in.  Rules come from the first of location, vhost and
the top that has any, and are resolved anew in each location that uses them, lines of maps included.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass

from selsock.context import Context
from selsock.generate.contents import Content, Entry, check_domains, entries, given_types, parse_content
from selsock.generate.domains import Domain, Domains
from selsock.generate.identities import parse_auth
from selsock.generate.labels import Label, is_executable, parse_labels
from selsock.generate.logins import Login, parse_logins
from selsock.generate.machine import SystemLimits
from selsock.generate.maps import Maps
from selsock.generate.partial import Auto, Partial, parse_parts
from selsock.generate.places import parse_inside, parse_root, within
from selsock.generate.ranges import Ledger
from selsock.generate.rules import Grant, SourceRule, parse_rules
from selsock.generate.run_as import RunAs, parse_run_as
from selsock.generate.shares import parse_shares
from selsock.generate.source import BadSource, Mapping, Place, Scalar, mapping, scalar, sequence
from selsock.generate.temporary import Directory, cache_of
from selsock.identify.provider import Provider
from selsock.mls.levels import Level
from selsock.model import KINDS, Location, Vhost
from selsock.names import AbsolutePath, HostName, TypeName

VHOST = (
    *("aliases", "root", "temporary", "domain", "range", "login", "auth", "content", "contexts", "locations"),
    *("run_as", "limits"),
)
LOCATION = ("domain", "range", "contexts", *KINDS)


@dataclass(frozen=True, slots=True)
class Use:
    """That a tenant uses a type (a domain's, or its content's) at a level, and where the source says so."""

    tenant: HostName
    place: Place
    type: TypeName
    level: Level
    auto: bool


@dataclass(frozen=True, slots=True)
class Site:
    """A vhost, who knows its users, the ``contexts`` that visitors may get, the labels of its content, the
    ``directories`` that applying makes for it, who starts programs in another domain, directories of scripts that nobody
    could run (``idle_scripts``), and what ``conflicts`` looks at.  Where contexts are ``assigned``, visitors may get others,
    too, which nobody knows here.  Vhosts that are connected by ``logins`` in common are one ``tenant``, called by the name
    of one of them."""

    vhost: Vhost
    provider: Provider | None
    contexts: frozenset[Context]
    labels: tuple[Label, ...]
    directories: tuple[Directory, ...]
    entries: tuple[Entry, ...]
    uses: tuple[Use, ...]
    source: Mapping
    idle_scripts: tuple[AbsolutePath, ...]
    assigned: bool
    tenant: HostName
    logins: tuple[Login, ...]
    run_as: RunAs | None = None

    @property
    def files(self) -> tuple[AbsolutePath, ...]:
        """The files of users that it names."""
        return tuple(AbsolutePath(file) for file in self.provider.files) if self.provider else ()

    @property
    def labelled(self) -> tuple[Label, ...]:
        """All labels: of its content, and of the directories that applying makes."""
        return self.labels + tuple(directory.label for directory in self.directories)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the vhosts."""

    file: str
    domains: Domains
    default: Partial
    rules: tuple[SourceRule, ...] | None
    ledger: Ledger
    maps: Maps
    tenants: Dictionary[HostName, HostName]
    system: SystemLimits


def parse_vhost(name: HostName, given: Mapping, around: Surroundings) -> Site:
    """One vhost.  Raises BadSource."""
    given.only(VHOST)
    aliases = given.get("aliases")
    builder = SiteBuilder(name, given, around)
    identities = parse_auth(given.get("auth"))
    locations = builder.locations(identities.provider if identities else None)
    run_as = parse_run_as(given)
    labels, directories = builder.labels(), builder.directories(run_as)
    idle = tuple(scripts for scripts in builder.scripts if not is_executable(scripts, labels, around.domains))
    names = tuple(scalar(item).name(HostName) for item in sequence(aliases)) if aliases is not None else ()
    basic = identities.basic if identities else None
    proxied = identities is not None and basic is None
    temporary = directories[0].label.path if directories else builder.temporary
    numbers, limits = run_as.numbers if run_as else (), parse_shares(name, given, around.system)
    vhost = Vhost((name, *names), builder.root, basic, locations, temporary, proxied, numbers, limits)
    contexts = frozenset(builder.contexts)
    provider = identities.provider if identities else None
    return Site(
        vhost,
        provider,
        contexts,
        labels,
        directories,
        tuple(sorted(builder.entries)),
        tuple(builder.uses),
        given,
        idle,
        builder.assigned,
        builder.tenant,
        builder.logins(),
        run_as,
    )


class SiteBuilder:
    """Resolves the contexts of one vhost, and keeps account of the levels that it uses and the domains it enters."""

    def __init__(self, name: HostName, given: Mapping, around: Surroundings) -> None:
        self.name = name
        self.tenant = around.tenants[name]
        self.given = given
        self.around = around
        self.root = parse_root(scalar(given.require("root")))
        temporary = given.get("temporary")
        self.temporary = None if temporary is None else self.parse_temporary(scalar(temporary))
        self.inherited = parse_parts(given, around.domains).over(around.default)
        self.uses: list[Use] = []
        self.contexts: set[Context] = set()
        self.grants: dict[object, Grant] = {}
        self.started: set[object] = set()
        self.running: dict[Context, Use] = {}
        self.entries: set[Entry] = set()
        self.scripts: list[AbsolutePath] = []
        self.assigned = False

    def parse_temporary(self, given: Scalar) -> AbsolutePath:
        """The directory for temporary files, in the root and not the root itself.  Raises BadSource."""
        path = parse_inside(self.root, given)
        if path == self.root:
            given.refuse("a directory in the root, such as /tmp")
        return path

    def pair(self) -> Level:
        """The category pair of this tenant, allocated when it is first asked for."""
        return self.around.ledger.level(self.tenant, self.given.place)

    def settle(self, partial: Partial, kind: Callable[[Domain], TypeName]) -> tuple[TypeName, Level]:
        """Type and level of ``partial``, entered among the uses.  Raises BadSource."""
        domain, level = partial.complete(self.pair)
        self.uses.append(Use(self.tenant, partial.place, kind(domain), level, partial.range is Auto.AUTO))
        return kind(domain), level

    def locations(self, provider: Provider | None) -> tuple[Location, ...]:
        """The locations, longest prefix first, ``/`` last.  Raises BadSource."""
        node = self.given.get("locations")
        table = mapping(node) if node is not None else Mapping(self.given.place)
        given = [(table.keys[path], mapping(options)) for path, options in table.values.items()]
        if "/" not in table.values:
            given.insert(0, (Scalar(self.given.place, "/"), Mapping(self.given.place)))
        found = [self.location(path, options, provider) for path, options in given]
        return tuple(sorted(found, key=lambda location: (-len(location.prefix), location.prefix)))

    def location(self, path: Scalar, given: Mapping, provider: Provider | None) -> Location:
        """One location with the rules that hold there and its content.  Raises BadSource."""
        given.only(LOCATION)
        around = self.around
        enclosing = parse_parts(given, around.domains).over(self.inherited)
        node = given.get("contexts") or self.given.get("contexts")
        rules = parse_rules(node, around.domains, around.maps) if node is not None else around.rules
        default = None
        if around.default.domain is not None:
            default = Context(*self.settle(around.default, lambda domain: domain.type))
            self.contexts.add(default)
        elif rules is None:
            raise BadSource(given.place, "expected contexts here or further out, or default_context, not none")
        content = self.content(path, given)
        prefix = () if path.text == "/" else tuple(path.name(AbsolutePath).split("/")[1:])
        grants = [self.grant(rule, enclosing, provider) for rule in rules or ()]
        if content.domain is not None:
            self.start(content.domain.type, grants)
        if content.kind != "static":
            self.run(content.domain, grants, default)
        types = given_types(grants, default)
        check_domains(content, types, around.domains)
        self.entries |= entries(content, types, around.domains)
        if content.scripts is not None:
            self.scripts.append(content.scripts)
        found = tuple(rule for grant in grants for rule in grant.rules)
        return Location(prefix, found, default, content.kind, content.options)

    def content(self, path: Scalar, given: Mapping) -> Content:
        """How the content of a location is made; temporary files are none of it.  Raises BadSource."""
        content = parse_content(given, self.root, path, self.around.domains)
        if content.shown is not None and self.temporary is not None and within(self.temporary, content.shown):
            self.given.require("temporary").refuse(f"a directory of which location {path.text} shows nothing")
        return content

    def grant(self, rule: SourceRule, enclosing: Partial, provider: Provider | None) -> Grant:
        """What ``rule`` becomes in a location; the contexts that it may yield are entered among the uses.  Raises BadSource."""
        rule.check_provider(provider, self.given.place)
        self.assigned |= rule.assigned
        key = (rule.place, enclosing.domain, enclosing.range)
        if key not in self.grants:  # locations mostly share what is around their rules, and a map may be large
            self.grants[key] = found = rule.within(enclosing, self.pair, self.around.file)
            for context, origin in found.contexts.items():
                self.uses.append(Use(self.tenant, origin.place, context.type, Level(context.level), origin.auto))
            self.contexts.update(found.contexts)
        return self.grants[key]

    def start(self, target: TypeName, grants: list[Grant]) -> None:
        """Enter among the uses that programs run in ``target``, at the level of whoever starts them."""
        for grant in grants:
            key = (id(grant), target)  # many locations may share a map, and a map may be large
            if key not in self.started:
                self.started.add(key)
                for context, origin in grant.contexts.items():
                    self.uses.append(Use(self.tenant, origin.place, target, Level(context.level), origin.auto))

    def logins(self) -> tuple[Login, ...]:
        """Who may log in to edit the content.  Raises BadSource."""
        if self.given.get("login") is None:
            return ()
        domain, level = self.inherited.complete(self.pair)
        return parse_logins(self.given, domain, level)

    def run(self, target: Domain | None, grants: list[Grant], default: Context | None) -> None:
        """Keep which contexts run a tenant's code, that of ``target`` where it is another's than the visitor's."""
        for grant in grants:
            for context, origin in grant.contexts.items():
                self.run_in(target, context, origin.place, origin.auto)
            if any(rule.any for rule in grant.rules):
                return  # whatever comes behind it is never reached
        if default is not None:
            around = self.around.default
            self.run_in(target, default, around.place, around.range is Auto.AUTO)

    def run_in(self, target: Domain | None, visitor: Context, place: Place, auto: bool) -> None:
        """Keep that a ``visitor`` has a tenant's code run, in his context or in the domain ``target`` at his level."""
        context = Context(target.type, visitor.level) if target else visitor
        if context not in self.running:
            self.running[context] = Use(self.tenant, place, context.type, Level(context.level), auto)

    def directories(self, run_as: RunAs | None) -> tuple[Directory, ...]:
        """The directory for temporary files that applying makes, if code runs here and ``temporary`` names none.

        It is for the context that code runs in that is most like what the vhost says of itself.
        """
        domains = {domain.type: domain for domain in self.around.domains.values() if domain.runs}
        able = [use for use in self.running.values() if use.type in domains]
        if self.temporary is not None or not able:
            return ()
        own = self.inherited

        def likeness(use: Use) -> tuple[bool, bool, str, str]:
            level = use.auto if own.range is Auto.AUTO else use.level == own.range
            return own.domain is None or use.type != own.domain.type, not level, use.type, use.level

        use = min(able, key=likeness)
        label = Label(cache_of(self.name), domains[use.type].temporary, use.level)
        self.uses.append(Use(self.tenant, use.place, label.type, use.level, use.auto))
        return (Directory.of(label, run_as),)

    def labels(self) -> tuple[Label, ...]:
        """The labels of the content, ``/`` first.  Raises BadSource."""
        purposes = parse_labels(self.given, self.root, self.temporary, self.inherited, self.around.domains)
        return tuple(Label(path, *self.settle(its.context, its.type)) for path, its in sorted(purposes.items()))
