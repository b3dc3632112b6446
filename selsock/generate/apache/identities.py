# SPDX-License-Identifier: Apache-2.0
"""How an Apache host learns who its visitors are, as ``auth`` says it.  Source: mod_auth_basic and mod_authn_dbd."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from selsock.generate.apache.contexts import DATABASE
from selsock.generate.apache.servers import Server, Settings
from selsock.generate.apache.syntax import Directive
from selsock.generate.places import parse_password_file
from selsock.generate.source import BadSource, Place, Scalar
from selsock.names import Realm

# SELECT COLUMN, COLUMN FROM …, the first column being the hash.
QUERY = re.compile(r"\s*SELECT\s+(\w+(?:\.\w+)?(?:\s*,\s*\w+(?:\.\w+)?)*)\s+(FROM\s.*)", re.IGNORECASE | re.DOTALL)
DRIVERS = {"pgsql": "postgresql", "sqlite3": "sqlite"}


class NoAuth(Exception):
    """That nobody can sign in with what Apache says; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Auth:
    """``{basic: {realm, …}}``: keys with their values, from the directive at ``place``."""

    realm: str
    provider: tuple[tuple[str, str], ...]
    groups: str = ""

    @property
    def database(self) -> bool:
        """Whether a database says who it is."""
        return self.provider[0][0] in DRIVERS.values()


def auth(settings: Settings, server: Server, root: Path) -> Auth:
    """What ``settings`` of ``server`` say.  Raises NoAuth and BadSource."""
    given = {name: directive.words() for name, directive in settings.auth.items()}
    kind = " ".join(given.get("authtype", ["none"]))
    provider = " ".join(given.get("authbasicprovider", ["file"])).lower()
    if kind.lower() != "basic":
        raise NoAuth(f"AuthType {kind} is not Basic")
    realm = " ".join(given.get("authname", []))
    if not Realm.accepts(realm):
        raise NoAuth(f"AuthName: expected {Realm.expected}, not {realm!r}")
    if provider == "dbd":
        return Auth(realm, database(settings, server))
    if provider != "file":
        raise NoAuth(f"AuthBasicProvider {provider} is none of file and dbd")
    if "authuserfile" not in given:
        raise NoAuth("no AuthUserFile")
    file = placed(settings.auth["authuserfile"], root, "htpasswd")
    groups = settings.auth.get("authgroupfile")
    return Auth(realm, (("file", file),), placed(groups, root, "htgroup") if groups else "")


def placed(directive: Directive, root: Path, ending: str) -> str:
    """The file that ``directive`` names, where it may lie.  Raises NoAuth and BadSource."""
    path = str(root / directive.word())
    try:
        return parse_password_file(Scalar(Place(directive.file, directive.line, 1), path), ending)
    except BadSource as error:
        raise NoAuth(f"{directive.written}: {reason(error)}") from None


def reason(error: BadSource) -> str:
    """What ``error`` says, without the place."""
    return "expected " + str(error).partition(": expected ")[2]


def database(settings: Settings, server: Server) -> tuple[tuple[str, str], ...]:
    """The source and the query of mod_authn_dbd, with the names of columns that are taken here.  Raises NoAuth."""
    driver, source = (server.word(name) or "" for name in ("dbdriver", "dbdparams"))
    given = settings.auth.get("authdbduserpwquery")
    parts = QUERY.fullmatch(given.word()) if given else None
    if driver not in DRIVERS or not source or parts is None:
        raise NoAuth("expected DBDriver pgsql or sqlite3, DBDParams, and AuthDBDUserPWQuery SELECT COLUMN, … FROM …")
    columns, rest = [column.strip() for column in parts[1].split(",")], " ".join(parts[2].split())
    if rest.count("%s") != 1 or rest.count("%") != 1 or "'%s'" in rest or ":" in rest or ";" in rest:
        raise NoAuth("expected %s in one place of AuthDBDUserPWQuery, without quotes, and no other %, : or ;")
    wanted = {entry.word() for entry in settings.entries if entry.name == "selinuxdomainenv"}
    names = {f"{DATABASE}{column.rpartition('.')[2].upper()}": column for column in columns[1:]}
    contexts = [f", {names[name]} AS context" for name in sorted(wanted & names.keys())]
    if not (source.isprintable() and rest.isprintable()):
        raise NoAuth("expected printable characters in DBDParams and AuthDBDUserPWQuery")
    if len(contexts) > 1:
        raise NoAuth("expected one variable of the database for contexts, not several")
    source = placed_database(server.find("dbdparams")) if driver == "sqlite3" else uri(source)
    query = f"SELECT {columns[0]} AS hash{''.join(contexts)} {rest.replace('%s', ':user')}"
    return ((DRIVERS[driver], source), ("query", query))


def uri(params: str) -> str:
    """The ``KEY=VALUE`` of libpq as a URI, which is what is taken here.  Raises NoAuth; a password would lie in the table."""
    pairs = dict(word.partition("=")[::2] for word in params.split())
    host, port, name, user = (quote(pairs.pop(key, ""), safe="") for key in ("host", "port", "dbname", "user"))
    if pairs or not name or "'" in params or "\\" in params:
        raise NoAuth(
            "expected host, port, dbname and user in DBDParams, and nothing else (a passfile may have the password)"
        )
    local = host.startswith(quote("/", safe=""))
    place = "" if local else host + (f":{port}" if port else "")
    query = f"?host={host}" + (f"&port={port}" if port else "") if local else ""
    return f"postgresql://{f'{user}@' if user else ''}{place}/{name}{query}"


def placed_database(directive: Directive | None) -> str:
    """The file of SQLite that DBDParams names.  Raises NoAuth and BadSource."""
    if directive is None:
        raise NoAuth("no DBDParams")
    return placed(directive, Path("/"), "sqlite")
