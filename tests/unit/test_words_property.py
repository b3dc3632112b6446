# SPDX-License-Identifier: Apache-2.0
"""``--diff`` misses nothing: whatever a visitor may do by the new configuration and not by the old one, a line is marked.

What he may do is found as the handler decides and as the policy's template grants, not as the words are.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import partial
from itertools import product
from operator import ne
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from selsock.context import Context
from selsock.errors import PeerFault
from selsock.generate import conflicts
from selsock.generate.configuration import Configuration, configure
from selsock.generate.conflicts import ancestors
from selsock.generate.domains import Domain
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
    new, users, now = dict(old), draw(users_map), None
    for path in draw(st.lists(st.sampled_from([*PARTS, "map"]), min_size=1, max_size=2, unique=True)):
        if path == "map":
            now = draw(users_map)
        else:
            new[path] = draw(PARTS[path].filter(partial(ne, old[path])))
    found = source(old, users), source(new, now or users)
    try:
        configured(*found)
    except BadSource:
        assume(False)
    return found


class Machine:
    """What a configuration does with visitors: as the handler decides, and as the policy's template grants."""

    def __init__(self, configuration: Configuration) -> None:
        self.sites = {str(name): site for site in configuration.sites for name in site.vhost.names}
        self.domains = {domain.type: domain for domain in configuration.domains}
        self.maps = {str(given.file): given.users for given in configuration.maps}
        self.labels = {str(label.path): label for label in labels(configuration)}
        self.reading, self.exact, self.entries = reading(configuration), exact(configuration), entries(configuration)
        self.found: dict[Context, set[tuple[str, str]]] = {}

    def context(self, host: str, path: tuple[str, ...], asked: tuple[str | None, str, str, str]) -> Context | None:
        """The context that the handler enters, None where it serves nothing."""
        user, group, address, method = asked
        site = self.sites.get(host)
        if site is None:
            return None
        identity = Identity(None)
        if user is not None and site.provider is not None:
            identity = Identity(UserName(user), frozenset([group]))
            for rule in (rule for location in site.vhost.locations for rule in location.rules if rule.map):
                line = self.maps[rule.map].get(user)
                identity.mapped[rule] = rule.entry(line.record()) if line else None
        try:
            return label(identity, method, address, site.vhost, locate(site.vhost, path)).context
        except PeerFault:
            return None

    def done(self, context: Context | None, places: list[str]) -> set[tuple[str, str]]:
        """What may be done in ``context``: with files at ``places``, and otherwise."""
        if context is None:
            return set()
        if context not in self.found:
            domain = self.domains[context.type]
            found = {("python", ""), ("run", "")} if domain.execute else {("python", "")} if domain.python else set()
            found |= {("connect", service) for service in domain.network}
            found |= {("start", entry.target) for entry in self.entries if entry.source == domain.type}
            self.found[context] = found | {
                (what, place) for place in places for what in self.at(place, context, domain)
            }
        return self.found[context]

    def at(self, place: str, context: Context, domain: Domain) -> Iterator[str]:
        """What may be done with files at ``place``."""
        near = next((self.labels[path] for path in (place, *reversed(ancestors(place))) if path in self.labels), None)
        if near is None or not Level(context.level).dominates(near.level):
            return
        if near.type in self.exact and near.level != context.level:
            return
        if near.type in self.reading[domain.type]:
            yield "read"
        if domain.runs and near.type == domain.writable:
            yield "write"
        if near.type in ([domain.content] if domain.runs else []) + ([domain.script] if domain.execute else []):
            yield "execute"


HOSTS = ("a.example", "b.example", "a.alias", "alias.b")
PATHS: tuple[tuple[str, ...], ...] = ((), ("s",), ("s", "t"))
ASKED = tuple(product(USERS, "gh", ADDRESSES, ("GET", "PUT")))


@settings(max_examples=250, deadline=None)
@given(pairs())
def test_no_visitor_may_do_more_without_a_mark(pair: tuple[Source, Source]) -> None:
    """Whoever he is, and whatever he asks for."""
    before, after = configured(*pair)
    lines = [line.words for line in compared(before, after) if line.widens]
    then, now = Machine(before), Machine(after)
    places = sorted(then.labels.keys() | now.labels.keys())
    for host, path, asked in product(HOSTS, PATHS, ASKED):
        context = now.context(host, path, asked)
        for what in now.done(context, places) - then.done(then.context(host, path, asked), places):
            assert context is not None
            domain = now.domains[context.type].name
            about = [f"vhost {now.sites[host].vhost.name}: ", f"domain {domain}: "]
            about += [f": {tree}: labelled " for tree in (what[1], *ancestors(what[1]))]
            assert any(words in line for line in lines for words in about), (what, host, path, asked, lines)


@settings(max_examples=20, deadline=None)
@given(pairs())
def test_what_is_as_it_was_is_no_line(pair: tuple[Source, Source]) -> None:
    """Of a configuration and itself nothing is said."""
    assert list(compared(*configured(pair[0], pair[0]))) == []
