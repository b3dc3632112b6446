# SPDX-License-Identifier: Apache-2.0
"""``auth``: how a vhost learns who its visitors are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selsock.generate.places import parse_password_file
from selsock.generate.source import Mapping, Node, Scalar, is_true, mapping, scalar
from selsock.identify.provider import FILE, PAM, POSTGRESQL, PROXY, SQLITE, Provider
from selsock.names import Realm

BASIC = ("realm", "file", "pam", "sql", "groups", "remember")
USER = ":user"
PLACE = re.compile(rf"(?<!:){USER}\b")  # neither ::user, a cast of PostgreSQL's, nor :username
URI = re.compile("postgresql://[^ ]*$")
URI_EXPECTED = "a URI without spaces, such as postgresql:///web?host=/run/postgresql"
REMEMBER_SECONDS = 86400  # at most


@dataclass(frozen=True, slots=True)
class Identities:
    """What ``auth`` says: who is asked, and the realm of the challenge, unless a proxy has put it."""

    provider: Provider
    basic: Realm | None


def parse_auth(node: Node | None) -> Identities | None:
    """``{basic: …}`` or ``{proxy: …}``; None without.  Raises BadSource."""
    if node is None:
        return None
    given = mapping(node)
    given.only(("basic", "proxy"))
    if len(given.values) != 1:
        given.refuse("one of basic and proxy")
    if "proxy" in given.values:
        return Identities(parse_proxy(mapping(given.require("proxy"))), None)
    basic = mapping(given.require("basic"))
    basic.only(BASIC)
    realm = scalar(basic.require("realm")).name(Realm)
    return Identities(parse_basic(basic), realm)


def parse_proxy(given: Mapping) -> Provider:
    """``{groups: FILE}``, or nothing.  Raises BadSource."""
    given.only(("groups",))
    return Provider(PROXY, groups=parse_groups(given))


def parse_basic(given: Mapping) -> Provider:
    """Exactly one of ``file``, ``pam`` and ``sql``, and what may stand beside it.  Raises BadSource."""
    kinds = [key for key in ("file", "pam", "sql") if key in given.values]
    if len(kinds) != 1:
        given.refuse("one of file, pam and sql")
    (kind,) = kinds
    if kind != "file":
        given.forbid(("groups",), f"no such key beside {kind}, which has groups of its own")
    if kind == "pam":
        given.forbid(("remember",), "no such key beside pam, which tells no hash to remember by")
        is_true(given, "pam")
        return Provider(PAM)
    remember = 0
    if (seconds := given.get("remember")) is not None:
        remember = scalar(seconds).number(1, REMEMBER_SECONDS)
    if kind == "sql":
        return parse_sql(mapping(given.require("sql")), remember)
    file = parse_password_file(scalar(given.require("file")), "htpasswd")
    return Provider(FILE, file, groups=parse_groups(given), remember=remember)


def parse_groups(given: Mapping) -> str:
    """The htgroup file, or nothing.  Raises BadSource."""
    node = given.get("groups")
    return "" if node is None else parse_password_file(scalar(node), "htgroup")


def parse_sql(given: Mapping, remember: int) -> Provider:
    """``{sqlite: FILE or postgresql: URI, query: TEXT}``.  Raises BadSource."""
    given.only(("sqlite", "postgresql", "query"))
    if ("sqlite" in given.values) == ("postgresql" in given.values):
        given.refuse("one of sqlite and postgresql")
    query = text(scalar(given.require("query")), "a query of one line")
    if query.count(USER) != 1 or not PLACE.search(query):
        given.require("query").refuse(f"a query with {USER} in one place")
    if "sqlite" in given.values:
        file = parse_password_file(scalar(given.require("sqlite")), "sqlite")
        return Provider(SQLITE, file, query, remember=remember)
    source = scalar(given.require("postgresql"))
    if not URI.match(text(source, URI_EXPECTED)):
        source.refuse(URI_EXPECTED)
    return Provider(POSTGRESQL, source.text, query, remember=remember)


def text(given: Scalar, expected: str) -> str:
    """A line of printable characters, and not an empty one.  Raises BadSource."""
    if not given.text.strip() or not given.text.isprintable():
        given.refuse(expected)
    return given.text
