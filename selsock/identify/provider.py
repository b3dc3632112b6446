# SPDX-License-Identifier: Apache-2.0
"""Where a vhost's passwords and groups are, as the table holds it: a record ``identity VHOST`` for each that signs in.

A record is lines of tab-separated fields: the provider, and what goes with it.  The handler never reads one.
"""

from __future__ import annotations

from dataclasses import dataclass

FILE, PAM, SQLITE, POSTGRESQL, PROXY = KINDS = ("file", "pam", "sqlite", "postgresql", "proxy")
SERVICES = ("identify", "pam", "sql")  # selsock-NAME.socket, in the order in which they are asked


@dataclass(frozen=True, slots=True)
class Provider:
    """Who is asked.

    ``source`` is the path of an htpasswd file or of a SQLite database, or how to connect to PostgreSQL; ``query`` is asked
    of a database, with ``:user`` in it.  ``groups`` is the path of an htgroup file.  A password that was right is
    remembered for ``remember`` seconds.  Where ``kind`` is PROXY, a proxy has checked the visitor, and only groups are
    looked for.
    """

    kind: str
    source: str = ""
    query: str = ""
    groups: str = ""
    remember: int = 0

    @property
    def services(self) -> tuple[str, ...]:
        """The services that have to be there: the one that the handler asks, and the one that this asks."""
        behind = {PAM: ("pam",), SQLITE: ("sql",), POSTGRESQL: ("sql",)}
        return ("identify", *behind.get(self.kind, ()))

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it reads; they get a label of their own."""
        own = self.source if self.kind in (FILE, SQLITE) else ""
        return tuple(file for file in (own, self.groups) if file)

    @property
    def knows_groups(self) -> bool:
        """Whether it can say which groups a user is in."""
        return bool(self.groups) or self.kind in (PAM, SQLITE, POSTGRESQL)

    def record(self) -> bytes:
        """The record of the table."""
        lines = [[self.kind, *(field for field in (self.source, self.query) if field)]]
        if self.groups:
            lines.append(["groups", self.groups])
        if self.remember:
            lines.append(["remember", str(self.remember)])
        return "".join("\t".join(line) + "\n" for line in lines).encode()

    @classmethod
    def parse(cls, record: bytes) -> Provider:
        """The provider of a record.  Raises ValueError; what is not exactly as ``record`` writes it is none.

        The message has nothing of the record: the URI of a database may have a password, and the journal is read by others.
        """
        (kind, *fields), *rest = [line.split("\t") for line in record.decode().split("\n")[:-1]] or [[""]]
        given = {name: value for name, value in rest}
        source, query = (*fields, "", "")[:2]
        remember = given.get("remember", "0")
        found = cls(kind, source, query, given.get("groups", ""), int(remember))
        if kind not in KINDS or found.record() != record:
            raise ValueError("expected a provider")
        return found
