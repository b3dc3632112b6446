# SPDX-License-Identifier: Apache-2.0
"""Users in databases, where the kernel enforces: who asks and what is read, and that a row decides the context.

PostgreSQL is asked by its UNIX socket and by TCP and TLS, SQLite in /etc/selsock and in a directory of /var/lib.
"""

from collections.abc import Iterator

import pytest

from tests.machines import image
from tests.machines.vm import Mark, VirtualMachine
from tests.site import page
from tests.visitor import curl
from tests.vm.conftest import BootVm

READER, WRITER = "selsock_reader_t", "selsock_writer_t"
HASH = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="  # of "password"
SOURCES = {
    "pg": 'postgresql: "postgresql:///web?host=/run/postgresql"',
    "tcp": 'postgresql: "postgresql://web:swims%20at%20dawn@localhost/web?sslmode=require"',
    "etc": "sqlite: /etc/selsock/users.sqlite",
    "lib": "sqlite: /var/lib/tests/users.sqlite",
}
# All of the content is at s0, so that whoever comes may read it, and only the context of his process tells where he is.
VHOST_YAML = """listen: [80]
limits: {failures: 10000, connections_per_source: 0}
domains:
  reader: {}
  writer: {reads: [reader]}
vhosts:
""" + "".join(
    f"""  {name}.example:
    root: /srv/vhosts/{name}
    domain: reader
    range: s0:c100
    auth:
      basic:
        realm: {name}
        sql: {{{source}, query: "SELECT hash, context, groups FROM users WHERE name = :user"}}
    content: {{/: "reader:s0"}}
    contexts:
      - {{assigned: true}}
      - {{group: editors, context: {{domain: writer, range: s0:c101}}}}
"""
    for name, source in SOURCES.items()
)
TABLE = f"""CREATE TABLE users (name text, hash text, context text, groups text);
INSERT INTO users VALUES ('alice', '{HASH}', 'writer:s0:c102', 'editors');
INSERT INTO users VALUES ('bob', '{HASH}', '*:s0:c103', NULL);
INSERT INTO users VALUES ('carol', '{HASH}', NULL, 'staff,editors');
INSERT INTO users VALUES ('dave', '{HASH}', NULL, 'staff');
INSERT INTO users VALUES ('erin', '{HASH}', 'selsock_t:s0', NULL);
INSERT INTO users VALUES ('twice', '{HASH}', NULL, NULL), ('twice', '{HASH}', NULL, NULL);
"""
# Both databases, with the same users; PostgreSQL's cluster is Debian's, which its package made.
SCRIPT = """
for directory in /etc/selsock /var/lib/tests; do
    mkdir -p "$directory"
    printf '%s' "$TABLE" | python3 -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())
' "$directory/users.sqlite"
    chgrp selsock-sql "$directory/users.sqlite"
    chmod 640 "$directory/users.sqlite"
done
cluster=$(pg_lsclusters --no-header | awk '{ print $1 }')
pg_ctlcluster "$cluster" main start
cd /
runuser -u postgres -- psql -qc "CREATE DATABASE web ENCODING 'UTF8' TEMPLATE template0"
printf '%s' "$TABLE" 'CREATE ROLE "selsock-sql" LOGIN; GRANT SELECT ON users TO "selsock-sql";' \\
    "CREATE ROLE web LOGIN PASSWORD 'swims at dawn'; GRANT SELECT ON users TO web;" | runuser -u postgres -- psql -q web
pg_ctlcluster "$cluster" main stop
"""
SERVER = "postgresql postgresql@*"


@pytest.fixture(scope="module")
def vm(boot_vm: BootVm) -> Iterator[VirtualMachine]:
    """A machine of its own, in the place of the one that the other modules share."""
    files = {f"/srv/vhosts/{name}/index.html": page(name) for name in SOURCES}
    script = f"TABLE=$(cat <<'END'\n{TABLE}END\n)\n{SCRIPT}"
    with boot_vm(image.Recipe(VHOST_YAML, files, base="trixie-sql", script=script), "vm-sql") as machine:
        machine.ssh("systemctl start postgresql")
        yield machine


def get(vm: VirtualMachine, vhost: str, user: str, password: str = "password") -> int:
    """The status of an answer."""
    return curl(vm.http_port(80), f"http://{vhost}.example/", f"{user}:{password}").status


def served_from(vm: VirtualMachine, mark: Mark) -> list[str]:
    """The context that the kernel says each answer since ``mark`` is from."""
    outcomes = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    return [str(record["_SELINUX_CONTEXT"]).split(":", 2)[2] for record in outcomes]


def reasons(vm: VirtualMachine, mark: Mark) -> list[str]:
    """What could not be told since ``mark``."""
    return [str(record["SELSOCK_REASON"]) for record in vm.journal("SELSOCK_EVENT=fault", since=mark)]


EACH = pytest.mark.parametrize("vhost", SOURCES)


@EACH
def test_a_row_decides_the_context(vm: VirtualMachine, vhost: str) -> None:
    """Whole, or what it leaves out inherited; without one, the next rule goes by the groups that the row has."""
    mark = vm.mark()
    assert [get(vm, vhost, user) for user in ("alice", "bob", "carol")] == [200] * 3
    assert served_from(vm, mark) == [f"{WRITER}:s0:c102", f"{READER}:s0:c103", f"{WRITER}:s0:c101"]


@EACH
def test_who_is_not_let_in(vm: VirtualMachine, vhost: str) -> None:
    """No rule for him, a wrong password, nobody; and what would be our own domain is no context for a visitor."""
    assert [get(vm, vhost, "dave"), get(vm, vhost, "alice", "wrong"), get(vm, vhost, "nobody")] == [403, 401, 401]
    mark = vm.mark()
    assert [get(vm, vhost, "erin"), get(vm, vhost, "twice")] == [503, 503]
    assert ["selsock_t:s0" in reasons(vm, mark)[0], "one row or none" in reasons(vm, mark)[1]] == [True, True]


def test_a_server_that_is_down(vm: VirtualMachine) -> None:
    """503, for whoever asks, and nobody else notices; when it is back, so are its users, without a word to us."""
    vm.ssh(f"systemctl stop {SERVER}")
    try:
        mark = vm.mark()
        assert [get(vm, "pg", "alice"), get(vm, "tcp", "nobody"), get(vm, "etc", "alice")] == [503, 503, 200]
        assert ["PostgreSQL: " in reason for reason in reasons(vm, mark)] == [True, True]
    finally:
        vm.ssh("systemctl start postgresql")
    assert [get(vm, "pg", "alice"), get(vm, "tcp", "alice")] == [200, 200]


def test_where_the_service_runs(vm: VirtualMachine) -> None:
    """In its domain, as its user; and its socket is labelled so that one domain may write to it."""
    pid = vm.ssh("systemctl show --value -p MainPID selsock-sql.service").stdout.strip()
    assert vm.ssh(f"ps -o label=,user= -p {pid}").stdout.split() == [
        "system_u:system_r:selsock_sql_t:s0",
        "selsock-sql",
    ]
    labels = vm.ssh("stat -c %C /run/selsock/sql /etc/selsock/users.sqlite /var/lib/tests/users.sqlite").stdout.split()
    assert [label.split(":")[2] for label in labels] == [
        "selsock_sql_runtime_t",
        "selsock_passwd_t",
        "selsock_passwd_t",
    ]
