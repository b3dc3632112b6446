# SPDX-License-Identifier: Apache-2.0
"""What the service says of users in a database: a real SQLite; PostgreSQL is in ``tests/systemd/test_sql.py``."""

import asyncio
import os
import shutil
import socket
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock.identify import databases
from selsock.identify.answer import PACKET_BYTES, Unable
from selsock.identify.databases import Found
from selsock.identify.provider import Provider
from selsock.identify.sql import Service, row
from tests.unit.fakes import compile_table

QUERY = 'SELECT hash, context, "groups" FROM users WHERE name = :user'
USERS = [
    ("dog", "$5$dog", "staff:s0:c1", "pack,all"),
    ("plain", "$5$plain", None, None),
    ("bare", "$5$bare", None, ""),
    ("locked", None, "staff", "all"),
    ("w\u00fcff", "$5$w\u00fcff", "staff:s0:c1", "r\u00fcden"),
    ("twice", "$5$a", None, None),
    ("twice", "$5$b", None, None),
    ("empty", "", None, None),
    ("lines", "$5$x\ngroup root", None, None),
    ("bytes", b"$5$x", None, None),
    ("number", 5, None, None),
    ("control", "$5$x", "staff\tx", None),
    ("nowhere", "$5$x", "", None),
    ("spaced", "$5$x", None, "pack, all"),
    ("trailing", "$5$x", None, "pack,"),
    ("colon", "$5$x", None, "a:b"),
    ("crowd", "$5$x", None, ",".join(f"group{number}" for number in range(9000))),
]


def write(path: Path) -> None:
    """The database of the tests."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name, hash, context, groups)")
        connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", USERS)
    connection.close()


class World:
    """A database, and a service by whose table it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "users.sqlite"
        write(self.file)
        self.service = Service(socket.socket(), "")
        self.say(QUERY)

    def say(self, query: str, source: str = "") -> None:
        """Make a table in which users are found by ``query``."""
        providers = {
            "dog.example": Provider("sqlite", source or str(self.file), query),
            "file.example": Provider("file", "/etc/selsock/htpasswd"),
        }
        self.service.table = str(compile_table(self.folder, [], {}, providers=providers))

    def ask(self, user: str, vhost: str = "dog.example") -> str:
        """The answer, as it goes to who asks."""
        return asyncio.run(self.service.answer(f"{vhost}\0{user}".encode())).decode()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One for each test."""
    return World(tmp_path)


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        ("dog", "row\nhash $5$dog\ncontext staff:s0:c1\ngroup pack\ngroup all\n"),
        ("plain", "row\nhash $5$plain\n"),
        ("bare", "row\nhash $5$bare\n"),
        ("w\u00fcff", "row\nhash $5$w\u00fcff\ncontext staff:s0:c1\ngroup r\u00fcden\n"),
        ("locked", "none\n"),
        ("nobody", "none\n"),
        ("DOG", "none\n"),
    ],
)
def test_a_user(world: World, user: str, answer: str) -> None:
    """What the row has; who has no password is as one whom nobody knows."""
    assert world.ask(user) == answer


@pytest.mark.parametrize(
    "user",
    ["' OR '1'='1", "dog'--", "dog'; DROP TABLE users; --", '" OR ""="', "%", "d_g", "dog\u2019", "%s", "?", "$1"],
)
def test_a_name_is_no_part_of_the_query(world: World, user: str) -> None:
    """It is bound: a user of this name is found, and without one nobody is."""
    assert world.ask(user) == "none\n"
    with sqlite3.connect(world.file) as connection:
        connection.execute("INSERT INTO users VALUES (?, '$5$odd', NULL, NULL)", (user,))
    connection.close()
    assert world.ask(user) == "row\nhash $5$odd\n"
    assert world.ask("dog").startswith("row\nhash $5$dog\n")


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("twice", "expected one row or none, not more"),
        ("empty", "expected a line of text in the column hash, or NULL"),
        ("lines", "expected a line of text in the column hash, or NULL"),
        ("bytes", "expected a line of text in the column hash, or NULL"),
        ("number", "expected a line of text in the column hash, or NULL"),
        ("control", "expected a line of text in the column context, or NULL"),
        ("nowhere", "expected a line of text in the column context, or NULL"),
        ("spaced", "expected names of groups with commas between them, not 'pack, all'"),
        ("trailing", "expected names of groups with commas between them, not 'pack,'"),
        ("colon", "expected names of groups with commas between them, not 'a:b'"),
        ("crowd", f"an answer of more than {PACKET_BYTES} bytes"),
    ],
)
def test_a_row_that_is_none(world: World, user: str, reason: str) -> None:
    """Unable, and never as if there were no such user."""
    assert world.ask(user) == f"unable {reason}\n"


COLUMNS = "expected the columns hash, context and groups, or hash and one of them, not "


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT name FROM users WHERE name = :user", COLUMNS + "name"),
        ("SELECT context FROM users WHERE name = :user", COLUMNS + "context"),
        ("SELECT hash, name FROM users WHERE name = :user", COLUMNS + "hash, name"),
        ("SELECT hash AS Hash FROM users WHERE name = :user", COLUMNS + "Hash"),
        ("SELECT hash, hash FROM users WHERE name = :user", COLUMNS + "hash, hash"),
        ("PRAGMA user_version; -- :user", "FILE: "),
        ("SELECT hash FROM users WHERE name = ':user'", "FILE: Incorrect number of bindings supplied"),
        ("SELECT hash FROM users WHERE name = :user AND name = ?", "FILE: Incorrect number of bindings supplied"),
        ("SELECT hash FROM dogs WHERE name = :user", "FILE: no such table: dogs"),
        ("SELECT hsah FROM users WHERE name = :user", "FILE: no such column: hsah"),
        ("SELECT hash FROM users WHERE name = :user; DROP TABLE users", "FILE: You can only execute one statement"),
        ("DELETE FROM users WHERE name = :user", "FILE: attempt to write a readonly database"),
        ("DELETE FROM users WHERE name = :user RETURNING hash", "FILE: attempt to write a readonly database"),
    ],
)
def test_a_query_that_is_none(world: World, query: str, reason: str) -> None:
    """It says what it was told, and nothing has been changed."""
    world.say(query)
    answer = world.ask("dog")
    assert answer.startswith("unable " + reason.replace("FILE", str(world.file)))
    world.say(QUERY)
    assert world.ask("dog").startswith("row\n")


def test_columns_are_known_by_name(world: World) -> None:
    """In any order, and without those that are not asked for."""
    world.say("SELECT groups, hash FROM users WHERE name = :user")
    assert world.ask("dog") == "row\nhash $5$dog\ngroup pack\ngroup all\n"


def test_a_file_that_cannot_be_read(world: World) -> None:
    """Missing, no file, a link, no database, cut short."""
    shutil.copy(world.file, world.folder / "whole")
    world.file.unlink()
    assert world.ask("dog") == f"unable {world.file}: No such file or directory\n"
    world.file.symlink_to(world.folder / "whole")
    assert world.ask("dog") == f"unable {world.file}: no regular file\n"
    world.file.unlink()
    os.mkfifo(world.file)
    assert world.ask("dog") == f"unable {world.file}: no regular file\n"
    world.file.unlink()
    world.file.write_bytes(b"dog:secret\n" * 100)
    assert world.ask("dog") == f"unable {world.file}: file is not a database\n"
    world.file.write_bytes((world.folder / "whole").read_bytes()[:5000])
    assert world.ask("dog") == f"unable {world.file}: database disk image is malformed\n"


def test_odd_letters_in_the_path(world: World) -> None:
    """The path is in a URI; none of it is a parameter of SQLite's."""
    path = world.folder / "a?mode=rwc&b#c%41 d.sqlite"
    write(path)
    world.say(QUERY, str(path))
    assert world.ask("dog").startswith("row\n")
    path.unlink()
    assert world.ask("dog") == f"unable {path}: No such file or directory\n"
    assert not path.exists()


def test_a_replaced_file_holds_at_once(world: World) -> None:
    """None is kept open."""
    other = world.folder / "new"
    shutil.copy(world.file, other)
    with sqlite3.connect(other) as connection:
        connection.execute("UPDATE users SET hash = '$5$new' WHERE name = 'plain'")
    connection.close()
    assert world.ask("plain") == "row\nhash $5$plain\n"
    other.rename(world.file)
    assert world.ask("plain") == "row\nhash $5$new\n"


def test_while_somebody_writes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there before is told until it is committed; while that happens, it is waited for, and not for ever."""
    writer = sqlite3.connect(world.file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE users SET hash = '$5$new' WHERE name = 'plain'")
    assert world.ask("plain") == "row\nhash $5$plain\n"
    writer.execute("COMMIT")
    assert world.ask("plain") == "row\nhash $5$new\n"
    monkeypatch.setattr(databases, "STATEMENT_SECONDS", 0.05)
    writer.execute("BEGIN EXCLUSIVE")
    assert world.ask("plain") == f"unable {world.file}: database is locked\n"
    writer.close()
    assert world.ask("plain") == "row\nhash $5$new\n"


def test_a_journal_that_was_left_is_not_overlooked(world: World) -> None:
    """Who wrote has died half-way: what stands in the file is not what was committed, and we may not repair it."""
    writer = sqlite3.connect(world.file, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN")
    writer.execute("UPDATE users SET hash = '$5$' || hex(zeroblob(2000))")
    died = world.folder / "died.sqlite"
    shutil.copy(world.file, died)
    shutil.copy(f"{world.file}-journal", f"{died}-journal")
    writer.close()
    world.say(QUERY, str(died))
    assert world.ask("plain") == f"unable {died}: attempt to write a readonly database\n"


def test_a_query_that_takes_too_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended."""
    monkeypatch.setattr(databases, "STATEMENT_SECONDS", 0.05)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS hash FROM n WHERE x = -length(:user)"
    world.say(endless)
    assert world.ask("dog") == f"unable {world.file}: interrupted\n"


def test_what_the_table_does_not_say(world: World) -> None:
    """A vhost without users, and one whose users are elsewhere."""
    assert world.ask("dog", "cat.example").endswith("it does not say who knows the users of cat.example\n")
    assert world.ask("dog", "file.example") == "unable its users are in no database, but: file\n"


@pytest.mark.parametrize(
    "question", [b"", b"dog.example", b"dog.example\0", b"dog.example\0a\0b", b"dog.example\0\xff", b"dog.example\0a:b"]
)
def test_what_is_no_question(world: World, question: bytes) -> None:
    """Whoever asks so is not the service that knows who it is."""
    assert asyncio.run(world.service.answer(question)) == b"unable a question that is none\n"


def test_a_row_without_its_columns() -> None:
    """A statement that yields nothing, not even no rows."""
    with pytest.raises(Unable, match="^expected the columns hash"):
        row(Found((), ()))


@pytest.fixture
def served(world: World, tmp_path: Path) -> Iterator[str]:
    """The path at which the service answers."""
    path = str(tmp_path / "sql")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen()
        world.service.listening = listening
        threading.Thread(target=asyncio.run, args=(world.service.run(),), daemon=True).start()
        yield path


def exchange(path: str, question: bytes) -> bytes:
    """Ask over the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(question)
        return connection.recv(PACKET_BYTES)


def test_one_packet_each_way(served: str) -> None:
    """And then again, by others; who says nothing keeps nobody waiting."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(served)
        assert exchange(served, b"dog.example\0plain") == b"row\nhash $5$plain\n"
        assert exchange(served, b"dog.example\0nobody") == b"none\n"


def test_a_defect_answers_nothing(
    world: World, served: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is told in the journal, and the next question is answered."""
    monkeypatch.setattr(world.service, "answer", lambda question: 1 // 0)
    assert exchange(served, b"dog.example\0plain") == b""
    monkeypatch.undo()
    assert exchange(served, b"dog.example\0plain") == b"row\nhash $5$plain\n"
    assert capfd.readouterr().err == "<3>ZeroDivisionError: integer division or modulo by zero\n"


def test_asyncpg_that_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is loaded when a server is asked, not before; who asks is told."""
    monkeypatch.setitem(sys.modules, "selsock.identify.postgresql", None)
    providers = {"pg.example": Provider("postgresql", "postgresql:///web", QUERY)}
    world.service.table = str(compile_table(world.folder, [], {}, providers=providers))
    assert world.ask("dog", "pg.example").startswith("unable python3-asyncpg is missing: ")
