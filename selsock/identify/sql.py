# SPDX-License-Identifier: Apache-2.0
"""The service that asks databases: which hash does one have for a user, and which context and groups?

It takes ``VHOST NUL USER`` from the service that knows who it is, and answers ``row`` and what is in it, or ``none``.  It
stays, so that a database's client is loaded once and a connection is kept (docs/adr/0011).  A database which is slow does not
delay the questions to another.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, NoReturn

from systemd import daemon  # type: ignore[import-untyped]  # no stubs

from selsock.cdb import Reader
from selsock.identify.answer import PACKET_BYTES, Unable, packet
from selsock.identify.databases import Found, SQLite
from selsock.identify.provider import POSTGRESQL, SQLITE, Provider
from selsock.names import UserName

if TYPE_CHECKING:
    from selsock.identify.postgresql import PostgreSQL

THREADS = 32  # as many children ask at once
QUESTION_SECONDS = 5.0  # until the question has come
COLUMNS = ("hash", "context", "groups")


class Service:
    """Accepts at ``listening``, and answers by the table at the path ``table``."""

    def __init__(self, listening: socket.socket, table: str) -> None:
        self.listening = listening
        self.table = table
        self.tasks: set[asyncio.Task[None]] = set()
        self.version: tuple[int, int] | None = None
        self.servers: dict[str, PostgreSQL] = {}  # by URI, of this version of the table

    async def run(self) -> NoReturn:
        """Serve until the process is ended."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS))
        self.listening.setblocking(False)
        while True:
            connection, _ = await loop.sock_accept(self.listening)
            task = asyncio.create_task(self.serve(connection))
            self.tasks.add(task)  # the loop itself would let go of it
            task.add_done_callback(self.tasks.discard)

    async def serve(self, connection: socket.socket) -> None:
        """One question."""
        loop = asyncio.get_running_loop()
        with connection:
            try:
                question = await asyncio.wait_for(loop.sock_recv(connection, PACKET_BYTES), QUESTION_SECONDS)
                await loop.sock_sendall(connection, await self.answer(question))
            except ConnectionError:
                return  # who asked has gone
            except Exception as defect:  # noqa: BLE001  # the one edge: nothing is answered, and the journal says why
                print(f"<3>{type(defect).__name__}: {defect}", file=sys.stderr, flush=True)

    async def answer(self, question: bytes) -> bytes:
        """The packet that answers."""
        try:
            vhost, user = parse(question)
            lines = row(await self.ask(provider_of(self.table, vhost), user))
            data = "".join(line + "\n" for line in lines).encode()
            if len(data) > PACKET_BYTES:
                raise Unable(f"an answer of more than {PACKET_BYTES} bytes")
        except Unable as reason:
            return packet(reason)
        return data

    async def ask(self, provider: Provider, user: UserName) -> Found:
        """What the database of ``provider`` has.  Raises Unable."""
        if provider.kind == SQLITE:
            return await asyncio.to_thread(SQLite(provider.source).ask, provider.query, user)
        if provider.kind == POSTGRESQL:
            return await self.server(provider.source).ask(provider.query, user)
        raise Unable(f"its users are in no database, but: {provider.kind}")

    def server(self, uri: str) -> PostgreSQL:
        """The server at ``uri``, for all who name it.  Nothing is loaded for it before one is asked.  Raises Unable."""
        try:
            from selsock.identify.postgresql import PostgreSQL
        except ImportError as error:
            raise Unable(f"python3-asyncpg is missing: {error}") from None
        now = os.stat(self.table)
        if self.version != (version := (now.st_ino, now.st_mtime_ns)):
            self.version, self.servers = version, {}  # a connection ends when nobody asks on it any more
        return self.servers.setdefault(uri, PostgreSQL(uri))


def parse(question: bytes) -> tuple[str, UserName]:
    """Vhost and user in ``VHOST NUL USER``.  Raises Unable."""
    try:
        vhost, user = question.decode().split("\0")
        return vhost, UserName.parse(user)
    except ValueError:
        raise Unable("a question that is none") from None


def provider_of(table: str, vhost: str) -> Provider:
    """What the table at the path ``table`` says of ``vhost``.  Raises Unable."""
    try:
        with closing(Reader(table)) as reader:
            record = reader.get(b"identity " + vhost.encode())
        if record is None:
            raise ValueError(f"it does not say who knows the users of {vhost}")
        return Provider.parse(record)
    except (OSError, ValueError) as error:
        raise Unable(f"{table}: {error}") from None


def row(found: Found) -> list[str]:
    """The lines of the answer.  Raises Unable for a row that is not as selsock.vhost(5) says."""
    names = found.columns
    if "hash" not in names or len({*names}) != len(names) or not {*names} <= {*COLUMNS}:
        raise Unable(f"expected the columns hash, context and groups, or hash and one of them, not {', '.join(names)}")
    if len(found.rows) > 1:
        raise Unable("expected one row or none, not more")
    values = dict(zip(names, found.rows[0], strict=True)) if found.rows else {}
    texts = {name: text(name, value) for name, value in values.items() if value is not None}
    if "hash" not in texts:  # without a password nobody signs in; to tell him from a stranger would tell that he exists
        return ["none"]
    lines = ["row", *(f"{name} {texts[name]}" for name in ("hash", "context") if name in texts)]
    return lines + [f"group {name}" for name in groups(texts.get("groups", ""))]


def text(name: str, value: object) -> str:
    """``value`` of the column ``name``.  Raises Unable, without the value, which may be a hash."""
    if not isinstance(value, str) or not value.isprintable() or (not value and name != "groups"):
        raise Unable(f"expected a line of text in the column {name}, or NULL")
    return value


def groups(names: str) -> list[str]:
    """The names between commas.  Raises Unable."""
    found = names.split(",") if names else []
    for name in found:
        if not UserName.accepts(name) or name != name.strip():
            raise Unable(f"expected names of groups with commas between them, not {names!r}")
    return found


def main() -> None:
    """Serve at the socket that systemd hands over (sd_listen_fds(3)), by the table that the command line names."""
    _, table = sys.argv
    (listening,) = daemon.listen_fds()
    daemon.notify("READY=1")
    asyncio.run(Service(socket.socket(fileno=listening), table).run())


if __name__ == "__main__":
    main()
