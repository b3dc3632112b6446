# SPDX-License-Identifier: Apache-2.0
"""selsockctl where the kernel enforces: what it explains is what the kernel shows of a real connection."""

import base64
import json
import socket

import pytest

from tests.machines.vm import VirtualMachine
from tests.site import PASSWORDS

FOREIGN = """domains: {public: {}}
vhosts:
  a.example:
    root: /srv/none
    domain: public
    range: s0
    contexts: [{any: true, context: "TYPE:s0"}]
"""


def explained(vm: VirtualMachine, *argv: str) -> dict[str, object]:
    """What explain says, as JSON."""
    found: dict[str, object] = json.loads(vm.ssh(f"selsockctl explain {' '.join(argv)} --json", check=False).stdout)
    return found


@pytest.mark.parametrize(
    ("host", "user", "path"),
    [("alpha.example", "", "/"), ("alpha.example", "alice", "/staff/"), ("beta.example", "", "/")],
)
def test_context_is_the_one_that_the_kernel_shows(vm: VirtualMachine, host: str, user: str, path: str) -> None:
    """Of what is in force; and the loaded policy allows it."""
    said = explained(vm, "--host", host, "--path", path, *(("--user", user) if user else ()))
    assert said["transition"] == {"allowed": True, "reason": None}
    with socket.create_connection(("127.0.0.1", vm.http_port(80)), 60) as connection:
        token = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode() if user else ""
        field = f"Authorization: Basic {token}\r\n" if user else ""
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        instances = json.loads(vm.ssh("selsockctl list --json").stdout)
    found = [entry for entry in instances if (entry["vhost"], entry["user"]) == (host, user)]
    assert [f"system_u:system_r:{said['context']}"] == [entry["context"] for entry in found]


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        ("httpd_t", "selsock_t may not enter it by the loaded policy"),
        ("nobodys_t", "the loaded policy knows no context system_u:system_r:nobodys_t:s0"),
    ],
)
def test_context_that_the_policy_does_not_let_in(vm: VirtualMachine, domain: str, reason: str) -> None:
    """A type that is none of ours, and one that nobody has."""
    vm.ssh(f"cat >/tmp/foreign.yaml <<'END'\n{FOREIGN.replace('TYPE', domain)}END\n")
    said = explained(vm, "/tmp/foreign.yaml", "--host", "a.example")
    assert (said["context"], said["transition"]) == (f"{domain}:s0", {"allowed": False, "reason": reason})
