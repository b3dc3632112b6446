# SPDX-License-Identifier: Apache-2.0
"""What is asked of a database, and SQLite, which is a file.  PostgreSQL has a module of its own: not all have its client."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

from selsock.identify.answer import Unable
from selsock.names import UserName

USER = ":user"  # stands once in a query, where the name is bound; it is never a part of the query's text
STATEMENT_SECONDS = 3  # as long may a database take for its answer
STEPS = 10_000  # of SQLite's virtual machine, some 100 µs, between two looks at the clock


@dataclass(frozen=True, slots=True)
class Found:
    """What a query gave: the names of its columns, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


class SQLite:
    """The database in the file ``path``.  It is opened for each question, which costs less than it takes to explain what a
    kept one does when the file is replaced."""

    def __init__(self, path: str) -> None:
        self.path = path

    def ask(self, query: str, user: UserName) -> Found:
        """What ``query`` gives with ``user`` bound to ``:user``; of its rows two at most.  In any thread.  Raises Unable."""
        try:
            # Not by opening it: closing a file lets go of the locks that the process has on it (fcntl_locking(2)).
            if not stat.S_ISREG(os.lstat(self.path).st_mode):
                raise Unable(f"{self.path}: no regular file")
            return self.fetch(query, user)
        except OSError as error:
            raise Unable(f"{self.path}: {error.strerror}") from None
        except (sqlite3.Error, sqlite3.Warning) as error:  # Python 3.11 warns of a second statement
            raise Unable(f"{self.path}: {error}") from None

    def fetch(self, query: str, user: UserName) -> Found:
        """Raises the exceptions of sqlite3."""
        end = time.monotonic() + STATEMENT_SECONDS
        source = f"file:{quote(self.path)}?mode=ro"
        with closing(sqlite3.connect(source, STATEMENT_SECONDS, uri=True, isolation_level=None)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            # "?", not a name: where it stands in quotes or in a comment, there is one value too many, and that is told.
            cursor = connection.execute(query.replace(USER, "?"), (user,))
            columns = tuple(column[0] for column in cursor.description or ())
            return Found(columns, tuple(cursor.fetchmany(2)))
