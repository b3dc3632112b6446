# SPDX-License-Identifier: Apache-2.0
"""Sites as the text of a ``vhost.yaml``, with comments that say where each part is from and what is missing."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable

from selsock.generate.apache.contexts import Given, Rule
from selsock.generate.apache.identities import Auth
from selsock.generate.apache.servers import below
from selsock.generate.apache.sites import INDEX, Location, Site
from selsock.mls.levels import Level

PLAIN = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.@+=~:-]*(?<!:)")
WIDTH = 118  # characters of a line of a comment
DOMAINS = {
    frozenset(): ("public", "{}"),
    frozenset({"python"}): ("applications", "{python: true}"),
    frozenset({"execute"}): ("scripts", "{execute: true}"),
    frozenset({"python", "execute"}): ("programs", "{python: true, execute: true}"),
}


def scalar(text: str) -> str:
    """``text`` as a scalar of YAML, in quotes where it needs them."""
    return text if PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def listed(texts: Iterable[str]) -> str:
    """``texts`` as a list on one line."""
    return f"[{', '.join(map(scalar, texts))}]"


def paired(pairs: Iterable[tuple[str, str]]) -> str:
    """Keys with values that are YAML already, as a mapping on one line."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


def comment(text: str) -> str:
    """``text`` in printable characters on one line, as a comment."""
    return "# " + "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def comments(text: str) -> list[str]:
    """``text`` as a comment of as many lines as it takes."""
    lines = textwrap.wrap(comment(text)[2:], WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def rule(given: Rule) -> str:
    """An entry of ``contexts``."""
    asked = given.condition
    pairs = [("map", scalar(given.map))] if given.map else []
    pairs += [("assigned", "true")] if given.assigned else []
    networks = None if asked.networks is None else [str(network) for network in asked.networks]
    for key, values in (("user", asked.users), ("group", asked.groups), ("method", asked.methods)):
        pairs += [(key, one_or_all(sorted(values)))] if values is not None else []
    pairs += [("signed_in", "true")] if asked.signed_in else []
    pairs += [("address", one_or_all(networks))] if networks is not None else []
    pairs = pairs or [("any", "true")]
    return paired(pairs + ([("context", context(given.context))] if given.context != Given() else []))


def one_or_all(texts: list[str]) -> str:
    """A value, or a list of them."""
    return scalar(texts[0]) if len(texts) == 1 else listed(texts)


def context(given: Given) -> str:
    """A context, either part of which may be inherited."""
    if given.domain:
        return scalar(":".join(filter(None, (given.domain, given.range))))
    return paired([("range", scalar(given.range))])


def auth(given: Auth) -> str:
    """``auth`` of a virtual host."""
    kind, source = given.provider[0]
    pairs = [("realm", scalar(given.realm))]
    if given.database:
        pairs.append(
            ("sql", paired([(kind, scalar(source)), *((key, scalar(text)) for key, text in given.provider[1:])]))
        )
    else:
        pairs.append((kind, scalar(source)))
    return paired([("basic", paired(pairs + ([("groups", scalar(given.groups))] if given.groups else [])))])


def lowest(levels: Iterable[str]) -> str:
    """The level that all of ``levels`` dominate and that dominates whatever else they do; s0 when there are none."""
    given = [Level(level) for level in levels]
    if not given:
        return "s0"
    categories = frozenset.intersection(*(level.categories() for level in given))
    return str(Level.of(f"s{min(level.sensitivity() for level in given)}", categories))


class Group:
    """Sites whose files lie in one root, so that they agree on what these are labelled."""

    def __init__(self, root: str, sites: list[Site]) -> None:
        self.root = root
        self.sites = sites
        name, self.description = DOMAINS[frozenset().union(*(site.needs() for site in sites))]
        levels = any(site.levels() for site in sites)
        self.domain = f"ranged_{name}" if levels else name  # apart from the hosts with pairs of their own

    def range(self, site: Site) -> str:
        """The range of ``site``."""
        return lowest(site.levels()) if site.levels() else "auto"

    def content(self) -> list[str]:
        """The labels of content, where they are not those of the virtual host."""
        shared = [] if len(self.sites) == 1 else [("range", lowest(lowest(site.levels()) for site in self.sites))]
        scripts = {loc.content.path for site in self.sites for loc in site.locations if loc.content.kind == "cgi"}
        found = [f"  /: {paired(shared)}"] if shared else []
        found += [
            f"  {below(path, self.root) or '/'}: {paired([('access', 'execute'), *shared])}" for path in sorted(scripts)
        ]
        return ["content:", *found] if found else []

    def lines(self, site: Site) -> list[str]:
        """The entry of ``site`` under ``vhosts``, without indentation."""
        top, *others = site.locations
        body = [f"aliases: {listed(site.aliases)}"] if site.aliases else []
        body += [f"root: {scalar(self.root)}", f"domain: {self.domain}", f"range: {scalar(self.range(site))}"]
        if site.levels():
            body += comments(
                "Applying labels the files of the root anew; what had another level by hand needs a line in content."
            )
        body += [f"auth: {auth(site.auth)}"] if site.auth else []
        body += [*self.content(), *rules(top)]
        locations = [line for location in (top, *others) for line in self.location(location, top)]
        body += ["locations:", *(f"  {line}" for line in locations)] if locations else []
        notes = [text for text in (site.place, site.unfit, *site.notes) if text]
        return [
            *(line for text in notes for line in comments(text)),
            f"{scalar(site.name)}:",
            *(f"  {line}" for line in body),
        ]

    def location(self, given: Location, top: Location) -> list[str]:
        """The entry of ``given`` under ``locations``; nothing when it says what is so without it."""
        made = self.content_of(given)
        body = [made] if made else []
        if rules(given) != rules(top):
            body += rules(given)
        return [f"{scalar(given.url)}:", *(f"  {line}" for line in body)] if body else []

    def content_of(self, given: Location) -> str:
        """How the content of ``given`` is made, in one line; nothing where that is as by default."""
        its = given.content
        path = below(its.path, self.root) or "/"
        if its.kind == "wsgi":
            directory, _, file = path.rpartition("/")
            pairs = [("application", scalar(f"{file.removesuffix('.py')}:application"))]
            return f"wsgi: {paired([*pairs, ('python', listed([directory or '/']))])}"
        pairs = [("directory", scalar(path))] if its.path and path != given.url else []
        if its.kind == "cgi":
            return f"cgi: {paired(pairs)}"
        if its.index != INDEX:
            pairs.append(("index", listed(its.index)))
        pairs += [("listing", "true")] if its.listing else []
        return f"static: {paired(pairs)}" if pairs else ""


def rules(given: Location) -> list[str]:
    """``contexts`` of a location; where it is closed, what it would be, as a comment."""
    entries = [f"- {rule(one)}" for one in given.rules]
    if not given.closed:
        places = [comment(one.place) if one.place else "" for one in given.rules]
        entries = [f"  {entry}  {place}".rstrip() for entry, place in zip(entries, places, strict=True)]
        return ["contexts:", *entries] if entries else ["contexts: []  # nobody is let in"]
    found = ["contexts: []", *(line for reason in given.closed for line in comments(f"Closed: {reason}"))]
    return found + (
        [comment("Otherwise it would be:"), *(comment(f"  {entry}") for entry in entries)] if entries else []
    )
