# SPDX-License-Identifier: Apache-2.0
"""selsockctl on a real systemd: who is there, and what is in force."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot

VHOST_YAML = """selinux: optional
limits: {idle_seconds: 60}
domains: {public: {}, staff: {}}
vhosts:
  a.example:
    root: /srv/vhosts/a
    domain: public
    range: s0:c1
    auth: {basic: {realm: A, file: /etc/selsock/a.htpasswd, groups: /etc/selsock/a.htgroup}}
    contexts: [{group: pack, context: staff}, {anonymous: true}]
"""
FILES = {
    "/srv/vhosts/a/index.html": (b"<p>hello\n", 0o644),
    "/etc/selsock/a.htpasswd": (b"alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0o644),  # "password"
    "/etc/selsock/a.htgroup": (b"pack: alice\n", 0o644),
}
ALICE = "Authorization: Basic YWxpY2U6cGFzc3dvcmQ=\r\n"


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    """selsock without SELinux."""
    with boot(VHOST_YAML, FILES) as machine:
        yield machine


def listed(machine: NativeMachine) -> list[dict[str, object]]:
    """What list says, as JSON."""
    found: list[dict[str, object]] = json.loads(machine.run(["selsockctl", "list", "--json"]).stdout)
    return found


def test_nobody_is_there(machine: NativeMachine) -> None:
    """An empty list, and titles alone."""
    assert listed(machine) == []
    assert machine.run(["selsockctl", "list"]).stdout.split() == [
        "UNIT",
        "ADDRESS",
        "VHOST",
        "USER",
        "CONTEXT",
        "SECONDS",
    ]


def test_connections_are_listed_with_what_was_decided(machine: NativeMachine) -> None:
    """One that has not said anything yet, one of nobody, one of alice; gone when they end."""
    connections = [machine.connect(80, timeout=30) for _ in range(3)]
    try:
        connections[0].sendall(b"GET / HT")
        for connection, field in zip(connections[1:], ("", ALICE), strict=True):
            connection.sendall(f"GET / HTTP/1.1\r\nHost: a.example\r\n{field}\r\n".encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        for _ in range(100):
            found = listed(machine)
            if len(found) == 3 and sum(bool(entry["vhost"]) for entry in found) == 2:
                break
            time.sleep(0.1)
        seen = sorted((str(entry["vhost"]), str(entry["user"]), str(entry["address"])) for entry in found)
        assert seen == [("", "", ""), ("a.example", "", "127.0.0.1"), ("a.example", "alice", "127.0.0.1")]
        for entry in found:
            assert str(entry["unit"]).startswith("selsock@")
            assert machine.run(["cat", f"/proc/{entry['pid']}/comm"]).stdout == "serve\n"
            assert int(str(entry["seconds"])) < 60
        lines = machine.run(["selsockctl", "list"]).stdout.splitlines()
        assert [line.split()[3] for line in lines if "alice" in line] == ["alice"]
    finally:
        for connection in connections:
            connection.close()
    for _ in range(100):
        if not listed(machine):
            return
        time.sleep(0.1)
    raise AssertionError(listed(machine))


def test_list_is_for_root(machine: NativeMachine) -> None:
    """Others would see a part."""
    done = machine.run(["su", "-s", "/bin/sh", "-c", "selsockctl list", "nobody"], check=False)
    assert (done.returncode, done.stderr) == (3, "selsockctl: only root can see the connections of all\n")


def test_what_is_in_force_is_explained(machine: NativeMachine) -> None:
    """Whatever is in the file by now; groups are those of the file of groups."""
    machine.run(["sed", "-i", "s/group: pack/group: nobody/", "/etc/selsock/vhost.yaml"])
    done = machine.run(["selsockctl", "explain", "--host", "a.example", "--user", "alice", "--json"])
    found = json.loads(done.stdout)
    assert (found["context"], found["rule"], found["groups"]) == ("selsock_staff_t:s0:c1", "vhost.yaml:10", ["pack"])
    assert found["transition"] == {"allowed": None, "reason": "SELinux is disabled here"}
