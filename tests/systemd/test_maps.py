# SPDX-License-Identifier: Apache-2.0
"""A map, from its file to the journal, over a real socket; and what a change of the file does, and when."""

import base64
from collections.abc import Iterator

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot
from tests.systemd.test_connections import status, talk

VHOST_YAML = """selinux: optional
domains: {public: {}, staff: {}}
vhosts:
  a.example:
    root: /srv/vhosts/a
    domain: public
    range: auto
    auth: {basic: {realm: A, file: /etc/selsock/a.htpasswd}}
    contexts:
      - {map: /etc/selsock/users.map}
      - {user: carol, context: "public:s0:c9"}
"""
MAP = "".join(f"user{number} public:s0\n" for number in range(1000))
HASH = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="  # of "password"
FILES = {
    "/srv/vhosts/a/index.html": (b"<p>hello\n", 0o644),
    "/etc/selsock/a.htpasswd": (
        "".join(f"{name}:{HASH}\n" for name in ("alice", "bob", "carol", "dave", "erin")).encode(),
        0o644,
    ),
    "/etc/selsock/users.map": (f"# users\nalice staff:s0:c5\n{MAP}bob *:s0:c7\nerin staff:s0:c6\n".encode(), 0o644),
}


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    """selsock without SELinux, and a map."""
    with boot(VHOST_YAML, FILES) as machine:
        yield machine


def decided(machine: NativeMachine, user: str) -> tuple[int, list[tuple[str, str, str]]]:
    """The status that ``user`` gets, and user, context and rule of the decisions that the journal has of it."""
    after = machine.cursor()
    token = base64.b64encode(f"{user}:password".encode()).decode()
    field = f"Authorization: Basic {token}\r\n" if user else ""
    answer = talk(machine, f"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{field}\r\n".encode())
    records = machine.journal("SELSOCK_EVENT=decision", after=after)
    fields = ("SELSOCK_USER", "SELSOCK_CONTEXT", "SELSOCK_RULE")
    return status(answer), [tuple(str(record[name]) for name in fields) for record in records]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("user", "expected", "context", "rule"),
    [
        ("alice", 200, "selsock_staff_t:s0:c5", "/etc/selsock/users.map"),
        ("bob", 200, "selsock_public_t:s0:c7", "/etc/selsock/users.map"),
        ("carol", 200, "selsock_public_t:s0:c9", "vhost.yaml:11"),
        ("dave", 403, "", ""),
        ("", 401, "", ""),
    ],
)
def test_user_of_a_map_gets_its_context(
    machine: NativeMachine, user: str, expected: int, context: str, rule: str
) -> None:
    """As the journal has it; whom the map does not name, the next rule is asked for."""
    assert decided(machine, user) == (expected, [(user, context, rule)] if context else [])


def test_changed_map_counts_from_the_next_run_on(machine: NativeMachine) -> None:
    """Not before; and a bad line leaves what is in force."""
    file, generate = "/etc/selsock/users.map", ["selsock-generate", "/etc/selsock/vhost.yaml"]
    old, new = ((200, [("erin", f"selsock_{name}_t:s0:c6", file)]) for name in ("staff", "public"))
    machine.run(["sed", "-i", "s/^erin staff/erin public/", file])
    assert decided(machine, "erin") == old
    machine.run(generate)
    assert decided(machine, "erin") == new
    machine.run(["sed", "-i", "$ a dave", file])
    done = machine.run(generate, check=False)
    assert (done.returncode, done.stderr) == (2, f"{file}:1005:1: expected USER DOMAIN:RANGE, not 'dave'\n")
    assert decided(machine, "erin") == new
