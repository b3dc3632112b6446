# SPDX-License-Identifier: Apache-2.0
"""What becomes of one vhost, in words: its names and places, whom it asks, who gets which context, what it serves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass

from selsock.generate.maps import Map
from selsock.generate.site import Site
from selsock.generate.source import Mapping, Node, Scalar, Sequence
from selsock.generate.words_line import Line, few, instead, value
from selsock.generate.words_reach import Reach, context_widens
from selsock.generate.words_visitors import ANONYMOUS, OTHER, Change, Conditions, Outcome, Place, Who, changes
from selsock.identify.provider import POSTGRESQL, PROXY, Provider
from selsock.model import Location

Path = tuple[str, ...]

# Keys of a vhost that are compared as they are written; in all others there is more than the words.
WRITTEN = ("login", "run_as", "limits")
INSIDE = ("directory", "python", "venv")  # options that are paths in the root
LONG = 60


@dataclass(frozen=True, slots=True)
class Side:
    """What stands around a vhost: what domains may do, and the maps by the names of their files."""

    reach: Reach
    maps: Dictionary[str, Map]


def new(site: Site) -> Line:
    """That ``site`` comes to be."""
    pair = next((f", its pair {use.level}" for use in site.uses if use.auto), "")
    names = f", also called {few(site.vhost.names[1:])}" if site.vhost.names[1:] else ""
    gets = [*sorted(map(str, site.contexts)), *(["what a database assigns"] if site.assigned else [])]
    said = {key: items(site, key) for key in WRITTEN}
    more = "".join(f", {key} {', '.join(its)}" for key, its in said.items() if its)
    words = f"new: root {site.vhost.root}{pair}{names}{more}; visitors get {few(gets) or 'no context'}"
    return Line(words, bool(gets or said["login"]))


def gone(site: Site) -> Line:
    """That ``site`` is no more."""
    pair = next((f"; its pair {use.level} is not given to another" for use in site.uses if use.auto), "")
    return Line(f"taken away, with root {site.vhost.root}{pair}")


def changed(old: Site, site: Site, before: Side, after: Side) -> Iterator[Line]:
    """What becomes of a vhost that was and will be."""
    was, gets = old.vhost, site.vhost
    for name in gets.names[1:]:
        if name not in was.names:
            yield Line(f"alias {name} added", True)
    for name in was.names[1:]:
        if name not in gets.names:
            yield Line(f"alias {name} taken away")
    if was.root != gets.root:
        yield Line(f"root: {instead(gets.root, was.root)}", True)
    if was.temporary != gets.temporary:
        yield Line(f"temporary: {instead(gets.temporary, was.temporary)}")
    yield from written(old, site)
    yield from asked(old, site)
    places = [
        (path, Place(old, at(old, path), before.maps), Place(site, at(site, path), after.maps))
        for path in paths(old, site)
    ]
    yield from rules(places)
    yield from visitors(places, before.reach, after.reach)
    for path, one, other in places:
        yield from served(path, one, other)


def written(old: Site, site: Site) -> Iterator[Line]:
    """What else is said of it: a login more lets somebody in, and another account may do other things."""
    for key in WRITTEN:
        was, gets = items(old, key), items(site, key)
        if was != gets:
            more = {"login": not set(gets) <= set(was), "run_as": True, "limits": False}[key]
            yield Line(f"{key}: {instead(tuple(gets), tuple(was))}", more)


def freed(before: Iterable[Site], after: Iterable[Site]) -> Iterator[Line]:
    """Accounts that were logins and are none any more: while they exist, they log in as anybody does, whom the
    distribution may not confine at all."""
    was, gets = ({str(login.account) for site in sites for login in site.logins} for sites in (before, after))
    for account in sorted(was - gets):
        yield Line(
            f"login {account}: gone; while the account exists, it logs in as the policy has it for everybody", True
        )


def items(site: Site, key: str) -> list[str]:
    """What is written as ``key`` of ``site``, one text for each item."""
    node = site.source.get(key)
    return [] if node is None else list(texts(node))


def texts(node: Node) -> Iterator[str]:
    """The items of ``node``; those of a mapping with their keys."""
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, Sequence):
        yield from (text for item in node.items for text in texts(item))
    elif isinstance(node, Mapping):
        yield from (f"{key} {text}" for key, item in node.values.items() for text in texts(item))


def paths(old: Site, site: Site) -> list[Path]:
    """Where either has a location: every request is decided as one of them is."""
    return list(
        dict.fromkeys(
            location.prefix
            for its in (site, old)
            for location in sorted(its.vhost.locations, key=lambda location: location.prefix)
        )
    )


def at(site: Site, path: Path) -> Location:
    """The location of ``site`` that ``path`` belongs to; the longest come first, / is the last."""
    return next(place for place in site.vhost.locations if path[: len(place.prefix)] == place.prefix)


def asked(old: Site, site: Site) -> Iterator[Line]:
    """Who knows the users, and how they are asked."""
    was, gets = old.provider, site.provider
    if told(was) != told(gets):
        more = was is not None and (gets is None or other_users(was, gets))
        yield Line(f"auth: {told(gets)} instead of {told(was)}", more)
    elif was and gets and other_users(was, gets):
        yield Line("auth: another database, or another query", True)
    if was and gets and was.remember != gets.remember:
        yield Line(f"auth: remember {instead(gets.remember, was.remember)}")
    if realm(old) and realm(site) and realm(old) != realm(site):
        yield Line(f"auth: realm {instead(realm(site), realm(old))}")


def realm(site: Site) -> str:
    """What visitors are told that they sign in to, "" where they are not asked."""
    node: Node | None = site.source
    for key in ("auth", "basic", "realm"):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node.text if isinstance(node, Scalar) else ""


def other_users(was: Provider, gets: Provider) -> bool:
    """Whether other users may be known by ``gets``, or be in other groups, than by ``was``."""
    same = (was.kind, was.source, was.query) == (gets.kind, gets.source, gets.query)
    return not same or gets.groups not in ("", was.groups)


def told(provider: Provider | None) -> str:
    """Who knows the users; never how to connect to a database, which may have a password in it."""
    if provider is None:
        return "nobody signs in"
    source = "" if provider.kind in (POSTGRESQL, PROXY) or not provider.source else f" {provider.source}"
    return f"users of {provider.kind}{source}" + (f" with groups of {provider.groups}" if provider.groups else "")


Key = tuple[object, ...]
Places = list[tuple[Path, Place, Place]]


def rules(places: Places) -> Iterator[Line]:
    """How many rules come and go, or give another context, each list of them counted once."""
    pairs = {(one.key()[2:], other.key()[2:]) for _, one, other in places}
    old, new = (Counter(rule for pair in pairs if pair[0] != pair[1] for rule in pair[side]) for side in (0, 1))
    added, taken = (asking(one) - asking(other) for one, other in ((new, old), (old, new)))
    changed = (new - old).total() - added.total()
    counts = ((added.total(), "added"), (changed, "changed"), (taken.total(), "taken away"))
    if found := [f"{number} {word}" for number, word in counts if number]:
        yield Line(f"rules: {', '.join(found)}")
    elif old:
        yield Line("rules: in another order")


def asking(rules: Counter[Key]) -> Counter[Key]:
    """``rules`` by what they ask, whatever they give."""
    found: Counter[Key] = Counter()
    for rule, number in rules.items():
        found[rule[2:]] += number
    return found


def visitors(places: Places, before: Reach, after: Reach) -> Iterator[Line]:
    """Who gets another context."""
    found: dict[tuple[str, Change], list[Path]] = {}
    for path, one, other in places:
        for change, whom in changes(one, other).items():
            found.setdefault((called(whom, one, other), change), []).append(path)
    for (who, change), where in found.items():
        here = "" if len(where) == len(places) else f"location {few('/' + '/'.join(path) for path in where)}: "
        words = f"{here}{who}{said(change.conditions)}: {got(change.gets)} instead of {got(change.was)}"
        yield Line(words, widens(before, change.was, after, change.gets))


def called(whom: list[Who], one: Place, other: Place) -> str:
    """``whom`` in words, of those who come to either place."""
    users = [who for who in whom if who]
    if one.site.provider is None and other.site.provider is None:
        return "everybody"
    if OTHER in whom and set(users) == set().union(*one.named(), *other.named()):
        return "everybody" if ANONYMOUS in whom else "whoever signs in"
    kinds = [few(users)] if users else []
    kinds += ["other users"] if OTHER in whom else []
    return ", ".join([*kinds, *(["whoever does not sign in"] if ANONYMOUS in whom else [])])


def said(conditions: Conditions) -> str:
    """What is asked of them besides."""
    found = [f"in {few(sorted(groups))}" for groups in sorted(conditions.groups, key=sorted)]
    if conditions.blocks is not None:
        found.append(f"from {few(block.text for block in conditions.blocks)}")
    if conditions.methods is not None:
        found.append(f"by {few(sorted(conditions.methods))}")
    if conditions.assigned:
        found.append("with a context assigned")
    return f" ({', '.join(found)})" if found else ""


def got(outcome: Outcome) -> str:
    """A context in words."""
    if outcome.context is None:
        return "no context"
    at_most = ", as far as cleared" if outcome.clearance else ""
    return f"{'what is assigned, else ' if outcome.assigned else ''}{outcome.context}{at_most}"


def widens(before: Reach, was: Outcome, after: Reach, gets: Outcome) -> bool:
    """Whether who got ``was`` may do more with ``gets``."""
    if gets.context is None:
        return False
    if was.context is None or gets.assigned or was.assigned:
        return True
    if was.clearance:  # a lower ceiling may let in whom a higher one kept out
        return was.context != gets.context or (was.clearance, gets.clearance) != ("meet", "whole")
    below = gets.clearance and any(kind in before.exact for kind, _ in after.files)
    return bool(below) or context_widens(before, was.context, after, gets.context)


def served(path: Path, one: Place, other: Place) -> Iterator[Line]:
    """Another kind of content, or made otherwise."""
    (was, had), (kind, has) = made(path, one), made(path, other)
    if (was, had) == (kind, has):
        return
    added = [option for option in has if option not in had]
    taken = [option for option in had if option not in has]
    where = f"location /{'/'.join(path)}: "
    # Without these, less of what is there is shown; without an index, perhaps a list in its place.
    less = bool(taken) and not added and {name for name, _ in taken} <= {"listing", "precompressed"}
    if was != kind:
        yield Line(f"{where}{kind} instead of {was}, {options(has)}", True)
    else:
        words = [f"with {options(added)}"] * bool(added) + [f"without {options(taken)}"] * bool(taken)
        yield Line(f"{where}{kind} {', '.join(words) or 'with its options in another order'}", not less)


def options(given: list[tuple[str, str]]) -> str:
    """Options of a content handler."""
    cut = ((name, text if len(text) <= LONG else f"{text[:LONG]}…") for name, text in given)
    return few(f"{name} {value(text)}" for name, text in cut) or "no options"


def made(path: Path, place: Place) -> tuple[str, list[tuple[str, str]]]:
    """How content is made at ``path``: a directory as if it was said for there, and paths from the root on."""
    root, location = place.site.vhost.root, place.location
    below = "".join(f"/{segment}" for segment in path[len(location.prefix) :])
    found = [(name, text + below if name == "directory" else text) for name, text in location.options]
    return location.kind, [(name, text.removeprefix(root) or "/" if name in INSIDE else text) for name, text in found]
