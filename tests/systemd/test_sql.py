# SPDX-License-Identifier: Apache-2.0
"""Users in databases: the service that asks them, under its own unit, with a real PostgreSQL and a real SQLite."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot
from tests.systemd.test_connections import status, talk

SOCKET = "/run/selsock/sql"
COLUMNS = "hash, context, groups"
QUERY = f"SELECT {COLUMNS} FROM users WHERE name = :user"
UNIX = "postgresql:///web?host=/run/postgresql"
TCP = "postgresql://web:swims%20at%20dawn@localhost/web?sslmode=require"
VHOSTS = {
    "a": ("sqlite", "/etc/selsock/a.sqlite", QUERY),
    "pg": ("postgresql", UNIX, QUERY),
    "same": ("postgresql", UNIX, QUERY + " AND hash IS NOT NULL"),
    "tcp": ("postgresql", TCP, QUERY),
    "filed": ("postgresql", "postgresql://web@localhost/web?passfile=/etc/selsock/pgpass", QUERY),
    "wal": ("sqlite", "/etc/selsock/wal.sqlite", QUERY),
    "shut": ("sqlite", "/etc/selsock/shut.sqlite", QUERY),
    "prepared": (
        "postgresql",
        UNIX,
        "SELECT statement AS hash FROM pg_prepared_statements WHERE statement LIKE '%prepared%' AND name <> :user",
    ),
    "slow": (
        "postgresql",
        UNIX + "&application_name=slow",
        "SELECT hash FROM users, pg_sleep(60) WHERE name = :user",
    ),
    "writes": ("postgresql", UNIX, "DELETE FROM users WHERE name = :user RETURNING hash"),
    "two": ("postgresql", UNIX, "SELECT hash FROM users WHERE name = :user; DROP TABLE users"),
    "column": ("postgresql", UNIX, "SELECT hsah FROM users WHERE name = :user"),
    "columns": ("postgresql", UNIX, "SELECT name, hash FROM users WHERE name = :user"),
    "quoted": ("postgresql", UNIX, "SELECT hash FROM users WHERE name = ':user'"),
    "typed": ("postgresql", UNIX, "SELECT number AS hash FROM users WHERE name = :user"),
    "arrays": ("postgresql", UNIX, "SELECT hash, ARRAY[groups] AS groups FROM users WHERE name = :user"),
    "closed": ("postgresql", "postgresql://127.0.0.1:1/web", QUERY),
    "silent": ("postgresql", "postgresql://127.0.0.1:2/web", QUERY),
    "barred": ("postgresql", "postgresql://web:noon@localhost/web", QUERY),
    "absent": ("postgresql", "postgresql:///absent?host=/run/postgresql", QUERY),
    "garbled": ("postgresql", "postgresql://[sesame@localhost/web", QUERY),
}
VHOST_YAML = """selinux: optional
listen: [80]
limits: {failures: 10000, failure_seconds: 1, connections_per_source: 0}
domains: {public: {}}
default_context: public:s0
vhosts:
""" + "".join(
    f"""  {name}.example:
    root: /srv/vhosts/a
    auth: {{basic: {{realm: A, sql: {json.dumps({kind: source, "query": query})}}}}}
    contexts: [{{user: [dog, "wüff"]}}]
"""
    for name, (kind, source, query) in VHOSTS.items()
)
HASH = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="  # of "password"
USERS = [
    ("dog", HASH, "staff:s0:c1", "pack,all"),
    ("cat", HASH, None, None),
    ("locked", None, "staff", "all"),
    ("wüff", HASH, None, "rüden"),
    ("twice", HASH, None, None),
    ("twice", "$5$b", None, None),
    ("lines", "$5$x\ngroup root", None, None),
    ("spaced", HASH, None, "pack, all"),
]
ROW = f"row\nhash {HASH}\ncontext staff:s0:c1\ngroup pack\ngroup all\n"
# Makes a database with USERS, which come as JSON: as much as both kinds understand.
MAKE = """
import json, os, sqlite3, sys
path, mode = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None)
connection.execute(f"PRAGMA journal_mode = {mode}")
connection.execute("CREATE TABLE users (name, hash, context, groups)")
connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", json.load(sys.stdin))
connection.close()
os.chmod(path, 0o640)
os.system(f"chgrp selsock-sql {path}")
"""
# Each asks the questions that come as JSON, one after another, and shows the answers.
ASK = """
import json, socket, sys
answers = []
for question in json.load(sys.stdin):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(60)
        try:
            connection.connect(sys.argv[1])
            connection.sendall(question.encode())
            answers.append(connection.recv(65536).decode())
        except OSError as error:
            answers.append(error.strerror)
json.dump(answers, sys.stdout)
"""

# Asks all of them at once, and shows the answers in the order in which they come.
ASK_AT_ONCE = """
import json, select, socket, sys
waiting, answers = [], []
for question in json.load(sys.stdin):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(sys.argv[1])
    connection.sendall(question.encode())
    waiting.append(connection)
while waiting:
    for connection in select.select(waiting, [], [], 60)[0]:
        answers.append(connection.recv(65536).decode())
        waiting.remove(connection)
json.dump(answers, sys.stdout)
"""


def psql(machine: NativeMachine, script: str, database: str = "web") -> str:
    """What PostgreSQL's superuser is told."""
    words = ["runuser", "-u", "postgres", "--", "psql", "-qAt", "--set=ON_ERROR_STOP=1", database]
    return machine.run(words, input=script).stdout.strip()


def literal(value: str | None) -> str:
    """A constant of SQL."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    """Both databases, with the same users."""
    with boot(VHOST_YAML, {"/srv/vhosts/a/index.html": (b"hello", 0o644)}, "sql") as machine:
        for name, mode in (("a", "DELETE"), ("shut", "DELETE"), ("wal", "WAL")):
            path = f"/etc/selsock/{name}.sqlite"
            machine.run(["python3", "-c", MAKE, path, mode], input=json.dumps(USERS))
        machine.run(["chmod", "600", "/etc/selsock/shut.sqlite"])
        write = "umask 77; cat >/etc/selsock/pgpass; chown selsock-sql /etc/selsock/pgpass"
        machine.run(["sh", "-c", write], input="localhost:*:web:web:swims at dawn\n")
        machine.run(["systemctl", "start", "postgresql"])
        psql(machine, "CREATE DATABASE web ENCODING 'UTF8' TEMPLATE template0", "postgres")
        psql(machine, "CREATE TABLE users (name text, hash text, context text, groups text, number int DEFAULT 5)")
        for user in USERS:
            psql(machine, f"INSERT INTO users VALUES ({', '.join(literal(value) for value in user)})")
        psql(machine, """CREATE ROLE "selsock-sql" LOGIN; CREATE ROLE web LOGIN PASSWORD 'swims at dawn'""")
        psql(machine, 'GRANT ALL ON users TO "selsock-sql", web')
        machine.run(["systemctl", "start", "selsock-sql.socket", "selsock-identify.socket"])
        yield machine


def ask(machine: NativeMachine, *questions: str, user: str = "selsock-identify", script: str = ASK) -> list[str]:
    """What is answered to each ``VHOST USER`` of a process that runs as ``user``."""
    asked = [question.replace(" ", ".example\0", 1) for question in questions]
    words = ["setpriv", f"--reuid={user}", "--clear-groups", "python3", "-c", script, SOCKET]
    answers: list[str] = json.loads(machine.run(words, input=json.dumps(asked)).stdout)
    return answers


def pid(machine: NativeMachine) -> str:
    """The process of the service."""
    return machine.run(["systemctl", "show", "--value", "-p", "MainPID", "selsock-sql.service"]).stdout.strip()


BOTH = pytest.mark.parametrize("vhost", ["a", "pg", "same", "tcp", "filed"])


@BOTH
def test_users(machine: NativeMachine, vhost: str) -> None:
    """With all that is known of them, or with a hash alone, or unknown, or without a password."""
    answers = ask(machine, *(f"{vhost} {user}" for user in ("dog", "cat", "wüff", "nobody", "DOG", "locked")))
    assert answers == [ROW, f"row\nhash {HASH}\n", f"row\nhash {HASH}\ngroup rüden\n", "none\n", "none\n", "none\n"]


@BOTH
def test_rows_that_are_none(machine: NativeMachine, vhost: str) -> None:
    """The administrator's to put right; the visitor gets 503."""
    assert ask(machine, f"{vhost} twice", f"{vhost} lines", f"{vhost} spaced") == [
        "unable expected one row or none, not more\n",
        "unable expected a line of text in the column hash, or NULL\n",
        "unable expected names of groups with commas between them, not 'pack, all'\n",
    ]


@BOTH
def test_a_name_is_no_part_of_the_query(machine: NativeMachine, vhost: str) -> None:
    """Bound, never spliced: such a user is unknown, and the table is still there."""
    names = ["' OR '1'='1", "dog'--", "x'; DROP TABLE users; --", "%", "d_g", "%s", "$1", "\\'; --", "dog\u2019"]
    assert ask(machine, *(f"{vhost} {name}" for name in names)) == ["none\n"] * len(names)
    assert ask(machine, f"{vhost} dog") == [ROW]


def test_the_query_is_prepared(machine: NativeMachine) -> None:
    """By the server, with a parameter; and what is no parameter stays as it is."""
    (answer,) = ask(machine, "prepared dog")
    query = VHOSTS["prepared"][2].replace(":user", "$1")
    assert answer == f"row\nhash {query}\n"


def test_one_connection_for_each_server(machine: NativeMachine) -> None:
    """However many ask, and for however many vhosts."""
    assert ask(machine, *["pg dog", "same dog"] * 20) == [ROW] * 40
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'selsock' AND usename = 'selsock-sql'"
    assert psql(machine, count) == "1"


@pytest.mark.parametrize(
    ("vhost", "reason"),
    [
        ("writes", "PostgreSQL: cannot execute DELETE in a read-only transaction"),
        ("two", "PostgreSQL: cannot insert multiple commands into a prepared statement"),
        ("column", 'PostgreSQL: column "hsah" does not exist'),
        ("columns", "expected the columns hash, context and groups, or hash and one of them, not name, hash"),
        ("quoted", "PostgreSQL: the server expects 0 arguments for this query, 1 was passed"),
        ("typed", "expected a line of text in the column hash, or NULL"),
        ("arrays", "expected a line of text in the column groups, or NULL"),
        ("absent", 'database "absent" does not exist'),
        ("closed", "Connect call failed"),
        ("silent", "PostgreSQL does not answer"),
        ("barred", 'password authentication failed for user "web"'),
        ("garbled", "PostgreSQL: a connection URI that is none"),
        ("shut", "unable to open database file"),
    ],
)
def test_what_a_database_cannot_tell(machine: NativeMachine, vhost: str, reason: str) -> None:
    """Unable, with what it said in one line; and the next question to another is answered."""
    with listening(machine, 2):
        answer, other = ask(machine, f"{vhost} dog", "pg dog")
    assert answer.startswith("unable ")
    assert answer.count("\n") == 1
    assert reason in answer
    assert other == ROW


@contextmanager
def listening(machine: NativeMachine, port: int) -> Iterator[None]:
    """Somebody accepts at the port and says nothing."""
    script = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    machine.run(["systemd-run", "--quiet", "--unit=silent", "python3", "-c", script])
    try:
        machine.run(["sh", "-c", f"until ss -Hltn 'sport = :{port}' | grep -q .; do sleep 0.1; done"])
        yield
    finally:
        machine.run(["systemctl", "stop", "silent"])


def test_a_slow_database_delays_itself_alone(machine: NativeMachine) -> None:
    """It is waited for, and not for ever; who asks another meanwhile does not notice."""
    answers = ask(machine, "slow dog", "pg dog", "a dog", script=ASK_AT_ONCE)
    assert answers == [ROW, ROW, "unable PostgreSQL: canceling statement due to statement timeout\n"]


def test_those_who_ask_a_slow_database_wait_for_each_other(machine: NativeMachine) -> None:
    """Each for a while; and none of them is told that there is no such user."""
    answers = ask(machine, *["slow dog"] * 5, script=ASK_AT_ONCE)
    late = "unable PostgreSQL has not answered for 3 s those who asked before\n"
    assert {*answers} == {late, "unable PostgreSQL: canceling statement due to statement timeout\n"}


def test_a_server_that_falls_silent(machine: NativeMachine) -> None:
    """It takes the question and says nothing more, not even that it is too late; when it wakes, all is well."""
    assert ask(machine, "pg dog") == [ROW]
    machine.run(["systemctl", "kill", "--signal=STOP", "postgresql@*"])
    try:
        (answer, other) = ask(machine, "pg dog", "a dog")
    finally:
        machine.run(["systemctl", "kill", "--signal=CONT", "postgresql@*"])
    assert [answer, other] == ["unable PostgreSQL does not answer\n", ROW]
    assert ask(machine, "pg dog") == [ROW]


def test_a_server_that_is_restarted(machine: NativeMachine) -> None:
    """While it is down nobody can be told; afterwards the first who asks is answered, by the same process of ours."""
    assert ask(machine, "pg dog", "tcp dog") == [ROW, ROW]
    before = pid(machine)
    machine.run(["systemctl", "restart", "postgresql"])
    assert ask(machine, "pg dog", "tcp dog") == [ROW, ROW]
    machine.run(["systemctl", "stop", "postgresql", "postgresql@*"])
    try:
        down = ask(machine, "pg dog", "tcp dog", "a dog")
    finally:
        machine.run(["systemctl", "start", "postgresql"])
    assert [answer.startswith("unable PostgreSQL: ") for answer in down] == [True, True, False]
    assert ask(machine, "pg dog", "tcp dog") == [ROW, ROW]
    assert pid(machine) == before


def test_a_table_of_the_database_is_changed(machine: NativeMachine) -> None:
    """The query was prepared for columns of another type; it is prepared anew."""
    assert ask(machine, "pg cat") == [f"row\nhash {HASH}\n"]
    psql(machine, "ALTER TABLE users ALTER hash TYPE varchar(100)")
    assert ask(machine, "pg cat") == [f"row\nhash {HASH}\n"]


@pytest.mark.parametrize("user", ["selsock", "selsock-sql", "nobody"])
def test_nobody_else_may_ask(machine: NativeMachine, user: str) -> None:
    """Neither those who serve visitors, nor the service itself."""
    assert ask(machine, "a dog", user=user) == ["Permission denied"]


def test_sqlite_with_a_log_beside_it(machine: NativeMachine) -> None:
    """journal_mode=WAL cannot be read without writing, unless somebody who may write has it open: then all is there."""
    alone = ["unable /etc/selsock/wal.sqlite: unable to open database file\n"]
    assert ask(machine, "wal late", "wal dog") == alone * 2
    script = "import sqlite3, time; c = sqlite3.connect('/etc/selsock/wal.sqlite', isolation_level=None);"
    script += (
        f"c.execute(\"INSERT INTO users VALUES ('late', '{HASH}', NULL, NULL)\"); print(flush=True); time.sleep(60)"
    )
    machine.run(["systemd-run", "--quiet", "--unit=writer", "python3", "-c", script])
    try:
        machine.run(["sh", "-c", "until [ -s /etc/selsock/wal.sqlite-wal ]; do sleep 0.1; done"])
        assert ask(machine, "wal late", "wal dog") == [f"row\nhash {HASH}\n", ROW]
    finally:
        machine.run(["systemctl", "stop", "writer"])


def get(machine: NativeMachine, vhost: str, user: str, password: str = "password") -> int:
    """The status of the answer to one request."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    head = f"GET / HTTP/1.1\r\nHost: {vhost}.example\r\nConnection: close\r\nAuthorization: Basic {token}\r\n\r\n"
    return status(talk(machine, head.encode()))


@BOTH
def test_visitors_sign_in(machine: NativeMachine, vhost: str) -> None:
    """Right, wrong, unknown, without a password, and what the database cannot tell."""
    users = [
        ("dog", "password"),
        ("wüff", "password"),
        ("dog", "wrong"),
        ("nobody", "password"),
        ("locked", "password"),
    ]
    assert [get(machine, vhost, *user) for user in users] == [200, 200, 401, 401, 401]
    assert get(machine, vhost, "twice") == 503


def test_visitors_of_a_database_that_is_down(machine: NativeMachine) -> None:
    """503, and nobody is told that his password is wrong."""
    machine.run(["systemctl", "stop", "postgresql", "postgresql@*"])
    try:
        assert [get(machine, "pg", "dog"), get(machine, "pg", "nobody"), get(machine, "a", "dog")] == [503, 503, 200]
    finally:
        machine.run(["systemctl", "start", "postgresql"])
    assert get(machine, "pg", "dog") == 200
