# SPDX-License-Identifier: Apache-2.0
"""The main server and its virtual hosts, and what holds at a path of one of them.

Sections are merged as Apache does it: those of directories by their depth, then those of locations in the order of the files,
each behind those of the main server.  Source: "Configuration Sections" of the Apache HTTP Server 2.4 manual.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from dataclasses import dataclass, field

from selsock.generate.apache.access import COMPATIBLE, REQUIRE
from selsock.generate.apache.contexts import ENTRIES, SETTERS
from selsock.generate.apache.known import harmless
from selsock.generate.apache.report import Report
from selsock.generate.apache.syntax import Directive
from selsock.generate.places import within
from selsock.generate.source import BadSource
from selsock.names import AbsolutePath

AUTH = ("authtype", "authname", "authbasicprovider", "authuserfile", "authgroupfile", "authdbduserpwquery")
DATABASE = ("dbdriver", "dbdparams")
# Of a server as such; what they say is asked for where it is needed.
SERVER = ("documentroot", "servername", "serveralias", "serverpath", "listen", "define", "undefine", *DATABASE)
SHOWN = ("alias", "scriptalias")
APPLICATION = ("wsgiscriptalias",)  # mod_wsgi is asked behind mod_alias
ELSEWHERE = ("redirect", "redirectpermanent", "redirecttemp", "proxypass")


@dataclass(frozen=True, slots=True)
class Mapped:
    """That what lies at ``url`` is at ``path`` of the machine; "" when it is none of this machine's files."""

    url: str
    path: str
    directive: Directive


@dataclass(slots=True)
class Settings:
    """What holds at a path; ``closing`` are directives that may restrict and that nothing here understands."""

    auth: dict[str, Directive] = field(default_factory=dict)
    require: list[Directive] = field(default_factory=list)
    compatible: list[Directive] = field(default_factory=list)
    entries: list[Directive] = field(default_factory=list)
    setters: list[Directive] = field(default_factory=list)
    index: list[Directive] = field(default_factory=list)
    listing: bool = False
    closing: list[Directive] = field(default_factory=list)


class Server:
    """A virtual host, or the main server, which is a host without a section of its own."""

    def __init__(self, main: list[Directive], section: Directive | None, report: Report) -> None:
        self.main = [directive for directive in main if directive.name != "virtualhost"]
        self.section = section
        self.own = self.main if section is None else section.inside or []
        self.report = report
        self.layers = [self.main] if section is None else [self.main, self.own]
        self.root = clean(self.word("documentroot") or "")
        self.mapped = list(self.mappings())

    def find(self, name: str) -> Directive | None:
        """The last directive ``name`` of this host, else of the main server."""
        for layer in reversed(self.layers):
            for directive in reversed(layer):
                if directive.name == name:
                    self.report.use(directive)
                    return directive
        return None

    def word(self, name: str) -> str | None:
        """The argument of the last directive ``name``.  Raises BadSource."""
        found = self.find(name)
        return None if found is None else found.word()

    def mappings(self) -> Iterator[Mapped]:
        """What leads elsewhere than below the document root, in the order in which Apache asks.  Raises BadSource."""
        layers = list(reversed(self.layers))
        for names in (ELSEWHERE, SHOWN, APPLICATION):
            for directive in (directive for layer in layers for directive in layer if directive.name in names):
                path = "" if names is ELSEWHERE else "".join(directive.words()[1:2])
                if nameable(address(directive)):
                    yield Mapped(address(directive), clean(path) if path.startswith("/") else "", directive)

    def at(self, url: str) -> tuple[str, Mapped | None]:
        """Which file or directory is shown at ``url``, and what leads there when it is not the document root."""
        for mapped in self.mapped:
            if within(url, mapped.url):
                return joined(mapped.path, below(url, mapped.url)) if mapped.path else "", mapped
        return joined(self.root, url) if self.root else "", None

    def sections(self, kind: str) -> list[Directive]:
        """All sections ``<kind PATH>`` with a path that says exactly where they hold."""
        return [d for layer in self.layers for d in layer if d.name == kind and literal(d)]

    def urls(self) -> list[str]:
        """The paths where something else may hold than around them, ``/`` first.  Raises BadSource."""
        found = {"/", *(mapped.url for mapped in self.mapped), *(clean(s.word()) for s in self.sections("location"))}
        for section in self.sections("directory"):
            path = clean(section.word())
            places = [("/", self.root), *((mapped.url, mapped.path) for mapped in self.mapped)]
            urls = (joined(url, below(path, top)) for url, top in places if top and within(path, top))
            found |= {url for url in urls if self.at(url)[0] == path}
        return sorted(found)

    def settings(self, url: str) -> Settings:
        """What holds at ``url``.  Raises BadSource."""
        path, mapped = self.at(url)
        found = Settings()
        for layer in self.layers:
            self.fold(found, layer)
        directories = [s for s in self.sections("directory") if path and within(path, clean(s.word()))]
        directories.sort(key=lambda section: clean(section.word()).rstrip("/").count("/"))
        for section in directories:
            self.fold(found, self.entered(section))
        if mapped is not None and mapped.path == path and mapped.directive.name != "alias":
            for section in (inner for directory in directories for inner in directory.inside or ()):
                if section.name == "files" and section.text.strip("\"'") == os.path.basename(path):
                    self.fold(found, self.entered(section))
        for section in self.sections("location"):
            if within(url, clean(section.word())):
                self.fold(found, self.entered(section))
        return found

    def entered(self, section: Directive) -> list[Directive]:
        """What stands in ``section``, which holds here."""
        self.report.use(section)
        return section.inside or []

    def fold(self, found: Settings, layer: list[Directive]) -> None:
        """Add what ``layer`` says to what was said around it.  Raises BadSource."""
        at_server = any(layer is one for one in self.layers)
        for names, replaced in (
            (REQUIRE, found.require),
            (COMPATIBLE, found.compatible),
            (("directoryindex",), found.index),
        ):
            given = [directive for directive in layer if directive.name in names]
            if given:
                replaced[:] = given
        found.entries[:0] = [directive for directive in layer if directive.name in ENTRIES]
        for directive in layer:
            if directive.name in AUTH:
                found.auth[directive.name] = directive
            elif directive.name in SETTERS:
                found.setters.append(directive)
            elif directive.name == "options":
                found.listing = listing(directive, found.listing)
                self.report.refuse(
                    directive, "Indexes is listing: true, and the rest is nothing here; no link is followed"
                )
            elif not self.is_told(directive, at_server) and not harmless(directive):
                found.closing.append(directive)
        for directive in (*found.require, *found.compatible, *found.index, *found.entries):
            self.report.use(directive)

    def is_told(self, directive: Directive, at_server: bool) -> bool:
        """Whether ``directive`` counts in another way than as a part of what holds here."""
        if directive.name in (*REQUIRE, *COMPATIBLE, *ENTRIES, "directoryindex", "define", "undefine"):
            return True
        if not at_server:
            return False
        if directive.name in ("directory", "location"):
            return literal(directive)
        if directive.name in (*SHOWN, *APPLICATION, *ELSEWHERE):
            return nameable(address(directive))
        return directive.name in SERVER


def address(directive: Directive) -> str:
    """The path that a directive of ``SHOWN``, ``APPLICATION`` or ``ELSEWHERE`` is for.  Raises BadSource."""
    return clean(next((word for word in directive.words() if word.startswith("/")), "/"))


def nameable(path: str) -> bool:
    """Whether ``path`` can be a key of ``locations``."""
    return path == "/" or AbsolutePath.accepts(path)


def clean(path: str) -> str:
    """``path`` in normal form, without a slash at the end; "" when there is none."""
    return os.path.normpath(path).replace("//", "/", 1) if path else ""


def below(path: str, top: str) -> str:
    """What follows ``top`` in ``path``: ``/…`` or nothing."""
    return path.removeprefix(top.rstrip("/"))


def joined(top: str, rest: str) -> str:
    """``rest``, which is nothing or begins with a slash, below ``top``."""
    return clean(f"{top}/{rest}")


def literal(section: Directive) -> bool:
    """Whether the path of ``section`` means itself, and is one that can be named here."""
    try:
        path = section.word()
    except BadSource:
        return False
    return path.startswith("/") and nameable(clean(path))


def listing(options: Directive, before: bool) -> bool:
    """Whether directories are listed where ``options`` hold.  Raises BadSource."""
    for place, word in enumerate(options.words()):
        name = word.lstrip("+-").lower()
        if place == 0 and not word.startswith(("+", "-")):
            before = False
        if name in ("indexes", "all"):
            before = not word.startswith("-")
    return before
