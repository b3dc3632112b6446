# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, by asyncpg: one connection that is kept, on which each query is prepared."""

from __future__ import annotations

import asyncio

import asyncpg  # type: ignore[import-untyped]  # no stubs

from selsock.identify.answer import Unable
from selsock.identify.databases import STATEMENT_SECONDS, USER, Found
from selsock.names import UserName

CONNECT_SECONDS = 3
QUEUE_SECONDS = 3  # until those are answered who asked before
SILENCE_SECONDS = STATEMENT_SECONDS + 0.5  # by our clock, should the server no longer say that it is too late
SETTINGS = {
    "application_name": "selsock",
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
}
LINE_END = "\n"
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError)


class PostgreSQL:
    """The database at ``uri``, as libpq has it: postgresql://…"""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.lock = asyncio.Lock()
        self.connection: asyncpg.Connection | None = None
        self.prepared: dict[str, asyncpg.prepared_stmt.PreparedStatement] = {}  # on this connection

    async def ask(self, query: str, user: UserName) -> Found:
        """One question at a time.  Raises Unable."""
        try:
            await asyncio.wait_for(self.lock.acquire(), QUEUE_SECONDS)
        except TimeoutError:
            raise Unable(f"PostgreSQL has not answered for {QUEUE_SECONDS} s those who asked before") from None
        try:
            return await self.fetch_again(query, user)
        except TimeoutError:
            raise Unable("PostgreSQL does not answer") from None
        except FAILURES as error:
            raise Unable(f"PostgreSQL: {str(error).partition(LINE_END)[0]}") from None  # without hints
        finally:
            self.lock.release()

    async def fetch_again(self, query: str, user: UserName) -> Found:
        """As ``fetch``; on a new connection, if the one that was kept has failed, for the server may have been restarted."""
        kept = self.connection is not None
        try:
            return await self.fetch(query, user)
        except asyncpg.QueryCanceledError:
            raise
        except FAILURES:
            if not kept:
                raise
        return await self.fetch(query, user)

    async def fetch(self, query: str, user: UserName) -> Found:
        """Raises FAILURES, and Unable; the connection is then a lost one."""
        try:
            if self.connection is None:
                self.connection = await connect(self.uri)
                self.prepared = {}
            if query not in self.prepared:
                text = query.replace(USER, "$1")
                self.prepared[query] = await self.connection.prepare(text, timeout=SILENCE_SECONDS)
            statement = self.prepared[query]
            columns = tuple(attribute.name for attribute in statement.get_attributes())
            return Found(columns, tuple(map(tuple, await statement.fetch(user, timeout=SILENCE_SECONDS))))
        except FAILURES:
            if self.connection is not None:
                self.connection.terminate()
            self.connection = None
            raise


async def connect(uri: str) -> asyncpg.Connection:
    """A connection for reading.  Raises FAILURES but ValueError, and Unable."""
    try:
        return await asyncpg.connect(uri, timeout=CONNECT_SECONDS, server_settings=SETTINGS)
    except ValueError:  # which may quote what is in it, be it a password
        raise Unable("PostgreSQL: a connection URI that is none") from None
