# SPDX-License-Identifier: Apache-2.0
"""What a tenant's own code can reach, in the child that runs it: an enforcing kernel says so, and the test reads why.

The child has its parent's domain and uid, so what keeps it from the parent, which holds the visitor's connection, is
that no tenant may trace (ptrace, and with it /proc/PID/mem, /proc/PID/fd and pidfd_getfd(2)), and the unit's filter of
system calls.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.machines.vm import VirtualMachine
from tests.site import ALICE as LINE
from tests.site import PASSWORDS
from tests.visitor import curl
from tests.vm.test_confinement import instances, level_of, only, scan_for, type_of

ALICE = f"alice:{PASSWORDS['alice']}"
Attempt = Callable[..., Any]
pytestmark = pytest.mark.provokes("denials are what these tests look for")


@pytest.fixture
def attempt(vm: VirtualMachine) -> Attempt:
    """attempt(query, user=""): what the application of code.example says of it."""

    def ask(query: str, user: str = "") -> Any:
        answer = curl(vm.http_port(80), f"http://code.example/app?{query}", user)
        assert answer.status == 200, answer
        return json.loads(answer.content)

    return ask


def test_code_runs_in_the_context_of_its_vhost(attempt: Attempt) -> None:
    """The control: its own content is read, its own directory written, and the new file is at the child's level."""
    context = attempt("context=")["result"]
    assert type_of(context) == "selsock_code_t"
    assert level_of(context).startswith("s0:c")
    assert "Code's own page" in attempt("open=/srv/vhosts/code/htdocs/index.html")["result"]


def test_code_writes_where_it_may(vm: VirtualMachine, attempt: Attempt) -> None:
    """Its temporary directory, with a type of its own and the level of whoever made the file."""
    vm.ssh("chown selsock /srv/vhosts/code/tmp; rm -f /srv/vhosts/code/tmp/new")
    assert attempt("create=/srv/vhosts/code/tmp/new") == {"result": "mine"}
    label = vm.ssh("stat -c %C /srv/vhosts/code/tmp/new").stdout.strip()
    assert (type_of(label), level_of(label)) == ("selsock_code_tmp_t", level_of(attempt("context=")["result"]))


@pytest.mark.parametrize(
    ("query", "error", "tclass", "permission"),
    [
        ("open=/proc/PARENT/mem", "EACCES", "process", "ptrace"),
        ("readv=", "EPERM", "process", "ptrace"),
        ("open=/srv/vhosts/alpha/index.html", "EACCES", "dir", "search"),
        ("open=/etc/selsock/alpha.htpasswd", "EACCES", "dir", "search"),
        ("open=/etc/shadow", "EACCES", "file", "read"),
        ("open=/var/lib/selsock/table.cdb", "EACCES", "dir", "search"),
        ("create=/tmp/shared", "EACCES", "dir", "search"),
        ("create=/dev/shm/shared", "EACCES", "dir", "search"),
        ("create=/srv/vhosts/code/htdocs/defaced", "EACCES", "dir", "write"),
        ("setcon=system_u:system_r:selsock_t:s0", "EACCES", "process", "setcurrent"),
        ("setcon=system_u:system_r:selsock_code_t:s0", "EACCES", "process", "setcurrent"),
        ("setexec=system_u:system_r:selsock_public_t:s0", "EACCES", "process", "setexec"),
        ("execute=/usr/bin/true", "EACCES", "file", "execute"),
        ("kill=19", "EACCES", "process", "sigstop"),
        ("kill=15", "EACCES", "process", "signal"),
        ("connect=127.0.0.1:22", "EACCES", "tcp_socket", "create"),
        ("listen=9000", "EACCES", "tcp_socket", "create"),
        ("talk=/run/dbus/system_bus_socket", "EACCES", "dir", "search"),
        ("talk=/run/systemd/journal/stdout", "EACCES", "unix_stream_socket", "connectto"),
        ("talk=/run/systemd/notify", "EACCES", "sock_file", "write"),
    ],
)
def test_code_is_refused(
    vm: VirtualMachine, attempt: Attempt, query: str, error: str, tclass: str, permission: str
) -> None:
    """By the kernel, for the reason that is meant: modes would let anybody in."""
    vm.ssh("chmod o+r /etc/shadow; chmod o+w /srv/vhosts/code/htdocs")
    mark = vm.mark()
    assert attempt(query) == {"error": error}
    record = only(vm, mark, tclass, permission)
    assert type_of(record["scontext"]) == "selsock_code_t"


@pytest.mark.parametrize("query", ["ptrace=", "getfd=3"])
def test_code_does_not_even_ask_the_policy_to_trace(attempt: Attempt, query: str) -> None:
    """The unit's filter has neither ptrace(2) nor pidfd_getfd(2); the policy would deny them as well."""
    assert attempt(query) == {"error": "EPERM"}


def test_the_connection_is_out_of_reach_by_name(attempt: Attempt) -> None:
    """A process of the same domain may look at the names in /proc/PID/fd; a socket cannot be opened by its name."""
    assert "3" in attempt("list=/proc/PARENT/fd")["result"]
    assert attempt("open=/proc/PARENT/fd/3") == {"error": "ENXIO"}


def test_code_inherits_nothing_but_null_and_its_channel(attempt: Attempt) -> None:
    """Not the visitor's connection, not the status page, no socket of ours to journald."""
    names = sorted(attempt("fds=")["result"].values())
    assert names == ["/dev/null"] * 3 + ["socket:[N]", "the directory itself"]


def test_code_finds_no_credentials_in_its_memory(attempt: Attempt) -> None:
    """No password, no Authorization value, no hash of the file; the control is in test_confinement."""
    token = base64.b64encode(ALICE.encode()).decode()
    stored = LINE.decode().strip().split(":", 1)[1]
    for secret in (token, PASSWORDS["alice"], stored):
        assert attempt(scan_for(secret), ALICE) == {"result": 0}
    # The scan finds what is there.
    assert attempt(scan_for("PTRACE_ATTACH"), ALICE)["result"] >= 1


def test_code_cannot_forge_a_decision(vm: VirtualMachine, attempt: Attempt) -> None:
    """It may write to the journal, and journald notes its domain."""
    mark = vm.mark()
    assert attempt("forge=code.example+root") == {"result": "sent"}
    records = vm.journal("SELSOCK_EVENT=decision", "SELSOCK_USER=root", since=mark)
    assert [type_of(record["_SELINUX_CONTEXT"]) for record in records] == ["selsock_code_t"]


def test_code_that_takes_too_much_memory_is_500(vm: VirtualMachine) -> None:
    """MemoryMax= is that of the connection; the application is ended, and who serves the visitor goes on."""
    mark = vm.mark()
    assert curl(vm.http_port(80), "http://code.example/app?grow=200000000").status == 500
    (outcome,) = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    assert outcome["SELSOCK_REASON"] == "the application: the other end is gone"


def test_code_that_kills_its_parent_ends_the_connection(vm: VirtualMachine) -> None:
    """It may: the connection is cut without a byte, and nothing of it is left."""
    answer = curl_raw(vm, b"GET /app?kill=9 HTTP/1.1\r\nHost: code.example\r\n\r\n")
    assert answer == b""
    for _ in range(100):
        if not instances(vm):
            break
        time.sleep(0.1)
    assert instances(vm) == []


def curl_raw(vm: VirtualMachine, data: bytes) -> bytes:
    """All that comes back on a connection that sends ``data``."""
    import socket

    with socket.create_connection(("127.0.0.1", vm.http_port(80)), 60) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer
