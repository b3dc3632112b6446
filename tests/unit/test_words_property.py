# SPDX-License-Identifier: Apache-2.0
"""``--diff`` misses nothing: whatever a visitor may do by the new configuration and not by the old one, a line is marked.

What he may do is found as the handler decides and as the policy's template grants, not as the words are.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from selsock.context import Context
from selsock.errors import PeerFault
from selsock.generate import conflicts
from selsock.generate.configuration import Configuration, configure
from selsock.generate.conflicts import ancestors
from selsock.generate.maps import Maps
from selsock.generate.plan import entries, exact, labels, reading
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load
from selsock.generate.words import compared
from selsock.handler.identify import Identity
from selsock.handler.label import label
from selsock.handler.table import locate
from selsock.mls.levels import Level
from selsock.names import UserName

FILE = "/etc/selsock/users.map"
AUTH = {"basic": {"realm": "x", "file": "/etc/selsock/htpasswd", "groups": "/etc/selsock/htgroup"}}
USERS = (None, "alice", "bob", "carol")
NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32")
ADDRESSES = ("10.1.2.3", "10.2.0.1", "192.0.2.1", "2001:db8::1", "local")

contexts = st.sampled_from(
    [
        *("public", "staff", "app", "public:s0", "staff:s0:c5", "app:s0:c5,c6"),
        {"range": "s0:c6"},
        {"range": "auto"},
        None,
    ]
)
who: st.SearchStrategy[dict[str, object]] = st.sampled_from(
    [
        *({"user": "alice"}, {"user": ["alice", "bob"]}, {"group": "g"}, {"group": ["g", "h"]}, {"map": FILE}),
        *({"anonymous": "true"}, {"signed_in": "true"}, {"any": "true"}, {}),
    ]
)
networks = st.lists(st.sampled_from(NETWORKS), max_size=2, unique=True)
methods = st.lists(st.sampled_from(["GET", "POST"]), max_size=1)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, object]:
    """One rule; not each is good."""
    found: dict[str, object] = {**draw(who)}
    if "any" not in found:
        found |= {key: value for key, value in (("address", draw(networks)), ("method", draw(methods))) if value}
    found = found or {"any": "true"}
    context = draw(contexts)
    return found | ({"context": context} if context else {})


lists = st.lists(rules(), min_size=1, max_size=4)
PARTS: dict[str, st.SearchStrategy[object]] = {
    "domains/public": st.sampled_from([{}, {"reads": ["staff"]}, {"python": "true"}]),
    "domains/staff": st.sampled_from([{}, {"reads": ["public"]}, {"execute": "true"}]),
    "domains/app": st.sampled_from(
        [{"python": "true"}, {"execute": "true", "network": ["smtp"]}, {"reads": ["staff"]}]
    ),
    "default_context": st.sampled_from(["public:s0", "staff:s0:c5", None]),
    "contexts": st.none() | lists,
    **{
        f"vhosts/{name}.example/{key}": strategy
        for name in "ab"
        for key, strategy in {
            "aliases": st.sampled_from([None, [f"{name}.alias"], [f"{name}.alias", f"alias.{name}"]]),
            "root": st.sampled_from([f"/srv/{name}", f"/srv/www/{name}"]),
            "domain": st.sampled_from(["public", "staff"]),
            "range": st.sampled_from(["auto", "s0", "s0:c5"]),
            "auth": st.sampled_from([None, AUTH, AUTH]),
            "content": st.sampled_from(
                [None, {"/s": "staff"}, {"/s": "public:s0"}, {"/s": {"access": "write"}, "/s/t": {"access": "execute"}}]
            ),
            "contexts": st.none() | lists,
            "locations": st.none() | st.fixed_dictionaries({"/s": st.fixed_dictionaries({"contexts": lists})}),
        }.items()
    },
}
users_map = st.sampled_from(
    ["alice staff\nbob *\n", "alice staff\n* public\n", "bob staff:s0:c5\n__anonymous__ app\n", "* *\n"]
)


NAMING = {"user", "group", "map", "signed_in"}


def nameless(vhost: dict[str, Any], around: list[dict[str, object]] | None) -> None:
    """Take the rules that name users out of a vhost in which nobody signs in."""
    vhost["contexts"] = vhost.get("contexts", around)
    for place in [vhost, *vhost.get("locations", {}).values()]:
        if place["contexts"] is None:
            del place["contexts"]
        else:
            place["contexts"] = [rule for rule in place["contexts"] if not NAMING & rule.keys()]


Source = tuple[str, str]  # vhost.yaml, and a map


def source(parts: Mapping[str, object], users: str) -> Source:
    """The source of ``parts``."""
    whole: dict[str, Any] = {}
    for path, value in parts.items():
        if value is not None:
            *around, key = path.split("/")
            inner = whole
            for outer in around:
                inner = inner.setdefault(outer, {})
            inner[key] = deepcopy(value)
    for vhost in whole["vhosts"].values():
        if "auth" not in vhost:
            nameless(vhost, whole.get("contexts"))
    return yaml.safe_dump(whole, sort_keys=False).replace("'true'", "true"), users


def configured(*sources: Source) -> list[Configuration]:
    """The configurations of ``sources``, one after the other on one machine.  Raises BadSource."""
    found, ledger = [], Ledger()
    for text, users in sources:
        maps = Maps({FILE: users.encode()})
        found.append(configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", ledger, maps))
        conflicts.check(found[-1])
    return found


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Source, Source]:
    """A good configuration, and one in which some things are others."""
    old = {path: draw(strategy) for path, strategy in PARTS.items()}
    other = draw(st.lists(st.sampled_from([*PARTS, "map"]), min_size=1, max_size=3))
    new = old | {path: draw(PARTS[path]) for path in other if path in PARTS}
    users = draw(users_map)
    found = source(old, users), source(new, draw(users_map) if "map" in other else users)
    try:
        configured(*found)
    except BadSource:
        assume(False)
    return found


def given_to(
    configuration: Configuration, host: str, path: tuple[str, ...], asked: tuple[str | None, ...]
) -> Context | None:
    """The context that the handler enters, None where it serves nothing."""
    user, group, address, method = asked
    site = next((site for site in configuration.sites if host in site.vhost.names), None)
    if site is None:
        return None
    identity = Identity(None)
    if user is not None and site.provider is not None:
        identity = Identity(UserName(user), frozenset([group] if group else []))
        maps = {given.file: given.users for given in configuration.maps}
        for rule in (rule for location in site.vhost.locations for rule in location.rules if rule.map):
            line = maps[rule.map].get(user)  # type: ignore[index]  # the names are those of files
            identity.mapped[rule] = rule.entry(line.record()) if line else None
    try:
        return label(identity, str(method), str(address), site.vhost, locate(site.vhost, path)).context
    except PeerFault:
        return None


def done(configuration: Configuration, context: Context | None, places: list[str]) -> set[tuple[str, str]]:
    """What may be done in ``context``: with files at ``places``, and otherwise."""
    domain = next((its for its in configuration.domains if context and its.type == context.type), None)
    if context is None or domain is None:
        return set()
    found = {("python", ""), ("run", "")} if domain.execute else {("python", "")} if domain.python else set()
    found |= {("connect", service) for service in domain.network}
    found |= {("start", entry.target) for entry in entries(configuration) if entry.source == domain.type}
    its = {label.path: label for label in labels(configuration)}
    for place in places:
        near = next((its[path] for path in (place, *reversed(ancestors(place))) if path in its), None)  # type: ignore[index]
        if near is None or not Level(context.level).dominates(near.level):
            continue
        if near.type in exact(configuration) and near.level != context.level:
            continue
        if near.type in reading(configuration)[domain.type]:
            found.add(("read", place))
        if domain.runs and near.type == domain.writable:
            found.add(("write", place))
        if near.type in ([domain.content] if domain.runs else []) + ([domain.script] if domain.execute else []):
            found.add(("execute", place))
    return found


@settings(max_examples=150, deadline=None)
@given(pairs(), st.sampled_from(["a.example", "b.example", "a.alias", "alias.b"]), st.sampled_from(ADDRESSES))
def test_no_visitor_may_do_more_without_a_mark(pair: tuple[Source, Source], host: str, address: str) -> None:
    """Whoever he is, and whatever he asks for."""
    before, after = configured(*pair)
    lines = [line.words for line in compared(before, after) if line.widens]
    places = sorted({str(label.path) for its in (before, after) for label in labels(its)})
    names = {context: its.name for its in after.domains for context in [its.type]}
    name = next((site.vhost.name for site in after.sites if host in site.vhost.names), "")
    for path in ((), ("s",), ("s", "t")):
        for asked in ((user, group, address, method) for user in USERS for group in "gh" for method in ("GET", "PUT")):
            context = given_to(after, host, path, asked)
            gained = done(after, context, places) - done(before, given_to(before, host, path, asked), places)
            for what in gained:
                trees = (what[1], *ancestors(what[1]))
                about = [f"vhost {name}: ", f"domain {names[context.type]}: "] if context else []
                about += [f": {tree}: labelled " for tree in trees]
                assert any(words in line for line in lines for words in about), (what, asked, path, lines)


@settings(max_examples=20, deadline=None)
@given(pairs())
def test_what_is_as_it_was_is_no_line(pair: tuple[Source, Source]) -> None:
    """Of a configuration and itself nothing is said."""
    assert list(compared(*configured(pair[0], pair[0]))) == []
