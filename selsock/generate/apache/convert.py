# SPDX-License-Identifier: Apache-2.0
"""``selsock-generate --import``: an Apache configuration as a ``vhost.yaml``, and the list of what is missing in it."""

from __future__ import annotations

from pathlib import Path

from selsock.generate import conflicts
from selsock.generate.apache.files import read
from selsock.generate.apache.identities import reason
from selsock.generate.apache.report import Report
from selsock.generate.apache.servers import Server
from selsock.generate.apache.sites import Site, SiteBuilder
from selsock.generate.apache.syntax import Directive
from selsock.generate.apache.text import Group, comment, comments, listed
from selsock.generate.configuration import configure
from selsock.generate.listeners import Listen, canonical
from selsock.generate.places import parse_root, within
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, Place, Scalar, load
from selsock.names import HostName

HEAD = (
    "From {file} by selsock-generate --import.  What was not carried over is listed at the end.",
    "Sections <IfModule> were read where the configuration loads the module, or loads none at all; <IfDefine> by its Defines.",
    "A name that is not here gets 421, while Apache had its first host for it.",
)
RESOLVED = ("define", "serverroot", "undefine")


def imported(file: Path) -> tuple[str, list[str]]:
    """The text of a ``vhost.yaml`` for the configuration in ``file``, and what it lacks, a line for each.

    Raises BadSource, and OSError when ``file`` can not be read.
    """
    reader = read(file)
    tree = reader.read()
    report = Report()
    for directive in tree:
        if directive.name in RESOLVED:
            report.use(directive)
    for directive, why in reader.notes:
        report.refuse(directive, why)
    listens = listening(tree, report)
    sites = [SiteBuilder(server, reader.root, closing).site() for server, closing in servers(tree, listens, report)]
    groups = grouped(sites)
    missing = report.lines([*tree, *reader.skipped])
    missing += [f"{site.place}: {site.name}: {site.unfit}" for site in sites if site.unfit]
    missing += refused(written(file, listens, groups, []))
    return written(file, listens, groups, missing), missing


def listening(tree: list[Directive], report: Report) -> list[Listen]:
    """Where selsock is to listen.  Raises BadSource."""
    found: list[Listen] = []
    for directive in (directive for directive in tree if directive.name == "listen"):
        address, *protocol = directive.words() or [""]
        host, _, port = address.rpartition(":")
        text = port if host in ("", "*") else f"{canonical(host) or host}:{port}"
        if "https" in protocol or (port == "443" and "http" not in protocol):
            report.refuse(directive, "TLS ends at a proxy; see LISTENERS in selsock.vhost(5)")
        elif not Listen.accepts(text):
            report.refuse(directive, f"expected {Listen.expected}, not {address!r}")
        elif any(Listen(text).clashes(other) for other in found):
            report.refuse(directive, "another Listen has this address")
        else:
            report.use(directive)
            found.append(Listen(text))
    return found


def servers(tree: list[Directive], listens: list[Listen], report: Report) -> list[tuple[Server, list[str]]]:
    """The hosts, each with reasons why all of it is closed; the main server where requests may come to it.

    Raises BadSource.
    """
    places = listens or [Listen("80")]
    sections = [directive for directive in tree if directive.name == "virtualhost"]
    found = [(Server(tree, section, report), bound(section, places)) for section in sections]
    for section in sections:
        report.use(section)
    open_to_all = [word for section in sections for word in section.words() if word.split(":")[0] in ("*", "_default_")]
    main = Server(tree, None, report)
    if main.root and not all(any(covers(word, place) for word in open_to_all) for place in places):
        found.insert(0, (main, []))
    return found


def bound(section: Directive, places: list[Listen]) -> list[str]:
    """Why a host is closed that answered at some addresses alone, for here each answers at all.  Raises BadSource."""
    words = section.words()
    if all(any(covers(word, place) for word in words) for place in places):
        return []
    return [f"it answered at {' '.join(words)} alone, and here every host answers wherever selsock listens"]


def covers(word: str, place: Listen) -> bool:
    """Whether ``<VirtualHost WORD>`` is for whatever comes in at ``place``."""
    host, colon, port = word.rpartition(":")
    if not colon or word.endswith("]"):
        host, port = word, "*"
    return (host in ("*", "_default_") or canonical(host) == place.host) and port in ("*", str(place.port))


def grouped(sites: list[Site]) -> list[tuple[Site, Group]]:
    """Each site with those that share its files; what can not be a virtual host stands alone, and says why."""
    names: dict[str, Site] = {}
    for site in sites:
        site.unfit = unfit(site, names)
        site.aliases = [name for name in site.aliases if names.setdefault(name, site) is site]
    fit = [site for site in sites if not site.unfit]
    tops = {site.root: min((other.root for other in fit if within(site.root, other.root)), key=len) for site in fit}
    groups = {top: Group(top, [site for site in fit if tops[site.root] == top]) for top in tops.values()}
    return [(site, Group(site.root, [site]) if site.unfit else groups[tops[site.root]]) for site in sites]


def unfit(site: Site, names: dict[str, Site]) -> str:
    """Why ``site`` can not be a virtual host beside those that have ``names``; it is entered there when it can."""
    if not HostName.accepts(site.name):
        return f"expected {HostName.expected}, not {site.name!r}"
    if site.name in names:
        return f"the name is that of the host at {names[site.name].place}"
    try:
        parse_root(Scalar(Place("", 0, 0), site.root))
    except BadSource as error:
        return f"DocumentRoot: {reason(error)}"
    names[site.name] = site
    return ""


def written(file: Path, listens: list[Listen], sites: list[tuple[Site, Group]], missing: list[str]) -> str:
    """The whole text."""
    lines = [comment(text.format(file=file)) for text in HEAD]
    lines += ["", f"listen: {listed(listens)}"] if listens else []
    domains = {group.domain: group.description for site, group in sites if not site.unfit}
    lines += ["", "domains:", *(f"  {name}: {text}" for name, text in sorted(domains.items()))] if domains else []
    lines += ["", "vhosts:" if domains else "vhosts: {}"]
    for site, group in sites:
        lines += ["", *((comment if site.unfit else str)(f"  {line}") for line in group.lines(site))]
    lines += (
        ["", comment("Not carried over, or not as it was:"), *(line for text in missing for line in comments(text))]
        if missing
        else []
    )
    return "\n".join(lines) + "\n"


def refused(text: str) -> list[str]:
    """What ``selsock-generate --check`` says against ``text``, if anything."""
    try:
        configuration = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger())
        conflicts.check(configuration)
    except BadSource as error:
        return [f"selsock-generate --check does not take it yet: {error}"]
    return []
