# SPDX-License-Identifier: Apache-2.0
"""What a host of Apache becomes: a virtual host of ``vhost.yaml``, with the reasons for what is closed in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from selsock.generate.apache.access import Alternatives, compatible, either, every, required
from selsock.generate.apache.contexts import ANYBODY, SETTERS, Given, Rule, Translation, Visitors
from selsock.generate.apache.identities import Auth, NoAuth, auth
from selsock.generate.apache.servers import Mapped, Server, Settings, below, joined
from selsock.generate.apache.syntax import Directive
from selsock.generate.contents import Application, FileName
from selsock.generate.places import within
from selsock.names import AbsolutePath, HostName

INDEX = ("index.html",)
NAMELESS = "localhost"
CLOSING = {
    "allowoverride": "files .htaccess may restrict, and are not read; what it holds for is closed",
    "sslengine": "TLS ends at a proxy (LISTENERS in selsock.vhost(5)); the host is closed",
}


@dataclass(frozen=True, slots=True)
class Content:
    """What makes the content of a location; ``path`` is the directory, or the program's."""

    kind: str
    path: str
    index: tuple[str, ...] = INDEX
    listing: bool = False


@dataclass(slots=True)
class Location:
    """A location: who gets what, unless it is closed for one of the reasons in ``closed``."""

    url: str
    rules: list[Rule]
    content: Content
    closed: dict[str, None]
    auth: Auth | None = None


@dataclass(slots=True)
class Site:
    """A virtual host.  ``unfit`` says why it can be shown as a comment alone."""

    name: str
    aliases: list[str]
    place: str
    root: str
    locations: list[Location]
    notes: list[str] = field(default_factory=list)
    auth: Auth | None = None
    unfit: str = ""

    def needs(self) -> frozenset[str]:
        """What the programs of this host need of a domain."""
        kinds = {location.content.kind for location in self.locations}
        return frozenset({"wsgi": "python", "cgi": "execute"}[kind] for kind in kinds - {"static"})

    def levels(self) -> list[str]:
        """The levels that rules give."""
        rules = [rule for location in self.locations for rule in location.rules]
        return sorted({level for rule in rules for level in (rule.context.range, *rule.levels) if level})


class SiteBuilder:
    """Makes the site of one server.  ``closing`` are reasons that hold for the whole of it, ``root`` is ServerRoot."""

    def __init__(self, server: Server, root: Path, closing: list[str]) -> None:
        self.server = server
        self.root = root
        self.closing = dict.fromkeys(closing)
        self.refuse: Callable[[Directive, str], None] = server.report.refuse

    def site(self) -> Site:
        """The site.  Raises BadSource."""
        section = self.server.section
        locations = [self.location(url) for url in self.server.urls()]
        site = Site(self.name(), self.aliases(), section.place if section else "the main server", self.server.root, [])
        for location in locations:
            if location.auth is not None and site.auth not in (None, location.auth):
                location.closed["visitors sign in otherwise than elsewhere in this host, which has one way for all"] = (
                    None
                )
            elif location.auth is not None:
                site.auth = location.auth
        site.locations = distinct(locations)
        if site.name == NAMELESS:
            site.notes.append(
                "No ServerName: say which name it answers to.  There is no virtual host for unknown names."
            )
        for directive in (d for layer in self.server.layers for d in layer if d.name in ("assignuserid", "ruidgid")):
            site.notes.append(f"{directive.place}: its processes were of {directive.text}; here its range is its own.")
        return site

    def name(self) -> str:
        """The name without scheme and port, in lower case.  Raises BadSource."""
        name = (self.server.word("servername") if self.server.section is None else self.own_name()) or NAMELESS
        name = name.lower().rpartition("//")[2]
        host, colon, port = name.rpartition(":")
        return host if colon and port.isdecimal() else name

    def own_name(self) -> str | None:
        """ServerName of the section; that of the main server is no other's.  Raises BadSource."""
        named = [directive for directive in self.server.own if directive.name == "servername"]
        for directive in named:
            self.server.report.use(directive)
        return named[-1].word() if named else None

    def aliases(self) -> list[str]:
        """The other names that can be names here.  Raises BadSource."""
        found: dict[str, None] = {}
        for directive in (d for d in self.server.own if d.name == "serveralias"):
            self.server.report.use(directive)
            for name in directive.words():
                if HostName.accepts(name.lower()):
                    found[name.lower()] = None
                else:
                    self.refuse(directive, f"expected {HostName.expected}, not {name!r}")
        return [name for name in found if name != self.name()]

    def location(self, url: str) -> Location:
        """What holds at ``url``.  Raises BadSource."""
        settings = self.server.settings(url)
        path, mapped = self.server.at(url)
        closed = dict(self.closing)
        for directive in settings.closing:
            self.refuse(directive, CLOSING.get(directive.name, "it may restrict; what it holds for is closed"))
            closed[f"{directive.place}: {directive}"] = None
        content = self.content(settings, path, mapped, closed)
        at = "" if url == "/" else f"at {url}: "
        found: Auth | None = None
        access = self.access(settings)
        if any(condition.names_users for condition in access):
            try:
                found = auth(settings, self.server, self.root)
            except NoAuth as error:
                self.tell(settings, f"{at}{error}")
                access = tuple(condition for condition in access if not condition.names_users)
        if found is not None and not found.groups:
            access = self.without_groups(settings, access)
        visitors = Visitors(access, found is not None and found.database)
        translation = Translation(visitors, self.root, lambda given, why: self.refuse(given, f"{at}{why}"))
        if settings.entries or not settings.require:
            rules = translation.rules(settings.entries, settings.setters) or [
                Rule(one) for one in access if not settings.entries
            ]
        else:
            rules = translation.by_value(settings.require[0], Given())
        rules = reached(dict.fromkeys(rules))
        places = {rule.place for rule in rules}
        for directive in (*settings.setters, *(settings.auth.values() if found else ())):
            if directive.place in places or directive.name not in SETTERS:
                self.server.report.use(directive)
        return Location(url, rules, content, closed, found if any(rule.names_users for rule in rules) else None)

    def access(self, settings: Settings) -> Alternatives:
        """Whom Apache lets in.  Raises BadSource."""
        hosts, satisfied = compatible(settings.compatible, self.refuse)
        kind = settings.auth.get("authtype")
        if not settings.require and kind is not None and kind.word().lower() != "none":
            self.refuse(kind, "there is no Require; Apache 2.4 lets nobody in then")
        elif not settings.require:
            return hosts
        named = required(settings.require, self.refuse)
        if not settings.compatible:
            return named
        return either((hosts, named)) if satisfied else every((hosts, named))

    def tell(self, settings: Settings, reason: str) -> None:
        """Say of each Require that it lets nobody in who has to sign in."""
        for directive in settings.require:
            self.refuse(directive, f"{reason}; nobody can sign in")

    def without_groups(self, settings: Settings, access: Alternatives) -> Alternatives:
        """``access`` without those who are let in by a group, of which no file tells."""
        if any(condition.groups is not None for condition in access):
            for directive in settings.require:
                self.refuse(
                    directive, "no AuthGroupFile that can be read here says who is in a group; it lets nobody in"
                )
        return tuple(condition for condition in access if condition.groups is None)

    def content(self, settings: Settings, path: str, mapped: Mapped | None, closed: dict[str, None]) -> Content:
        """What makes the content of a location; a reason is added to ``closed`` when it can not be made here."""
        index = [word for directive in settings.index for word in directive.words()] or list(INDEX)
        for name in index:
            if not FileName.accepts(name):
                self.refuse(settings.index[-1], f"expected {FileName.expected}, not {name!r}")
        names = tuple(dict.fromkeys(name for name in index if FileName.accepts(name)))
        root = self.server.root
        if not AbsolutePath.accepts(path) or not within(path, root):
            if mapped is not None:
                self.refuse(mapped.directive, "it leads out of the root; closed")
            where = f"{mapped.directive.place}: {mapped.directive}" if mapped else "no DocumentRoot"
            closed[f"nothing of it lies in the root: {where}"] = None
            return Content("static", "")
        if mapped is not None:
            self.server.report.use(mapped.directive)
        kind = {"scriptalias": "cgi", "wsgiscriptalias": "wsgi"}.get(mapped.directive.name if mapped else "", "static")
        if mapped is not None and kind != "static":
            return self.program(kind, settings, mapped, closed)
        return Content("static", path, names, settings.listing)

    def program(self, kind: str, settings: Settings, mapped: Mapped, closed: dict[str, None]) -> Content:
        """What a script or an application is here."""
        where = f"{mapped.directive.place}: {mapped.directive}"
        module = mapped.path.rpartition("/")[2].removesuffix(".py")
        if settings.entries:
            closed[f"programs need a domain that is declared here: {where}"] = None
        elif kind == "wsgi" and not (mapped.path.endswith(".py") and Application.accepts(f"{module}:application")):
            closed[f"expected a file MODULE.py: {where}"] = None
        elif kind == "cgi" and not mapped.directive.text.rstrip("\"' ").endswith("/"):
            closed[f"expected a directory of scripts, with / at its end: {where}"] = None
        else:
            return Content(kind, mapped.path)
        self.refuse(mapped.directive, "closed, for it can not be said as it is")
        return Content("static", mapped.path)


def reached(given: Iterable[Rule]) -> list[Rule]:
    """``given`` up to the first that holds for everybody."""
    found: list[Rule] = []
    for rule in given:
        found.append(rule)
        if rule.condition == ANYBODY and not rule.names_users:
            break
    return found


def distinct(given: list[Location]) -> list[Location]:
    """``given``, rising by their paths, without those that say what the one around them says."""
    kept: list[Location] = []
    for location in given:
        around = next((other for other in reversed(kept) if within(location.url, other.url)), None)
        if around is None or meaning(location, location.url) != meaning(around, location.url):
            kept.append(location)
    return kept


def meaning(location: Location, url: str) -> tuple[object, ...]:
    """What ``location`` says of ``url``, which lies in it; two that say the same need not both be there."""
    path = location.content.path
    if location.content.kind == "static" and path:
        path = joined(path, below(url, location.url))
    rules = [replace(rule, place="") for rule in location.rules]
    return rules, replace(location.content, path=path), location.closed, location.auth
