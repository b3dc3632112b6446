# SPDX-License-Identifier: Apache-2.0
"""Claim 1, it cannot leak across tenants: an enforcing kernel says so, and each test reads its reason in the audit log.

The attempts are made by the process itself: ``tests/site/probe.py`` stands in for tenant code.
"""

import hashlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.machines.vm import VirtualMachine
from tests.site import PASSWORDS
from tests.visitor import curl

ALICE = f"alice:{PASSWORDS['alice']}"
Probe = Callable[..., Any]
pytestmark = pytest.mark.provokes("denials are what these tests look for")


@pytest.fixture
def probe(vm: VirtualMachine) -> Probe:
    """probe(host, query, user=""): what the probe in that vhost's context answers."""

    def ask(host: str, query: str, user: str = "") -> Any:
        answer = curl(vm.http_port(8080), f"http://{host}/staff?{query}" if user else f"http://{host}/?{query}", user)
        assert answer.status == 200, answer
        return json.loads(answer.content)

    return ask


def only(vm: VirtualMachine, mark: Any, tclass: str, permission: str) -> dict[str, str]:
    """The one denial of ``permission`` on ``tclass`` since ``mark`` that a tenant caused."""
    found = [
        record
        for record in vm.avcs(mark, "selsock_")
        if record["tclass"] == tclass and permission in record["permissions"].split()
    ]
    assert len(found) >= 1, vm.avcs(mark, "selsock_")
    assert {record["permissive"] for record in found} == {"0"}
    return found[0]


def type_of(context: str) -> str:
    return context.split(":")[2]


def level_of(context: str) -> str:
    return context.split(":", 3)[3]


def context_of(probe: Probe, host: str, user: str = "") -> str:
    result: str = probe(host, "context=", user)["result"]
    return result


def test_an_instance_reads_its_own_content(probe: Probe) -> None:
    """The control: the same attempt succeeds where it should."""
    assert "Welcome to alpha" in probe("alpha.example", "open=/srv/vhosts/alpha/index.html")["result"]
    assert "For alpha" in probe("alpha.example", "open=/srv/vhosts/alpha/staff/index.html", ALICE)["result"]


def test_another_type_is_refused(vm: VirtualMachine, probe: Probe) -> None:
    """public_t may not read staff content; the AVC names both types."""
    mark = vm.mark()
    assert probe("alpha.example", "open=/srv/vhosts/alpha/staff/plans.html") == {"error": "EACCES"}
    record = only(vm, mark, "dir", "search")
    assert type_of(record["scontext"]) == "selsock_public_t"
    assert type_of(record["tcontext"]) == "selsock_staff_content_t"


def test_another_category_is_refused_in_the_same_domain(vm: VirtualMachine, probe: Probe) -> None:
    """Two vhosts share a domain; the category alone keeps them apart."""
    mark = vm.mark()
    assert probe("mailed.example", "open=/srv/vhosts/alpha/index.html") == {"error": "EACCES"}
    record = only(vm, mark, "dir", "search")
    assert type_of(record["scontext"]) == "selsock_public_t"
    assert type_of(record["tcontext"]) == "selsock_public_content_t"
    assert level_of(record["scontext"]) == "s0:c900"
    assert level_of(record["tcontext"]) != "s0:c900"


@pytest.mark.parametrize("raw", ["", "&raw=1"], ids=["child", "itself"])
@pytest.mark.parametrize(
    ("target", "permission"),
    [
        ("system_u:system_r:selsock_t:s0", "setcurrent"),
        ("system_u:system_r:selsock_staff_t:s0:c0,c1", "setcurrent"),
        ("system_u:system_r:selsock_public_t:s0", "setcurrent"),
        ("system_u:system_r:unconfined_t:s0", "setcurrent"),
    ],
    ids=["back", "to another tenant", "without categories", "unconfined"],
)
def test_there_is_no_way_out(vm: VirtualMachine, probe: Probe, target: str, permission: str, raw: str) -> None:
    """After confine no setcon succeeds: a tenant lacks setcurrent itself, whatever the target."""
    mark = vm.mark()
    assert probe("alpha.example", f"setcon={target}{raw}") == {"error": "EACCES"}
    record = only(vm, mark, "process", permission)
    assert type_of(record["scontext"]) == type_of(record["tcontext"]) == "selsock_public_t"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/etc/selsock/alpha.htpasswd", "selsock_passwd_t"),
        ("/var/lib/selsock/table.cdb", "var_lib_t"),
        ("/etc/shadow", "shadow_t"),
        ("/etc/selsock/vhost.yaml", "selsock_passwd_t"),
        ("/var/log/audit/audit.log", "var_log_t"),
    ],
)
def test_what_is_above_the_line_is_out_of_reach(vm: VirtualMachine, probe: Probe, path: str, target: str) -> None:
    """Password file, table, shadow, configuration and logs, even where their modes would let anybody read.

    ``target`` is the first thing on the way that is denied.
    """
    vm.ssh(f"chmod o+r {path}; chmod o+x $(dirname {path})")
    mark = vm.mark()
    assert probe("alpha.example", f"open={path}") == {"error": "EACCES"}
    denied = vm.avcs(mark, "selsock_public_t")
    assert {type_of(record["tcontext"]) for record in denied} == {target}


def held(vm: VirtualMachine, host: str, user_field: str = "", path: str = "/") -> tuple[socket.socket, int]:
    """Hold a connection open and confined; return it with the pid of its instance."""
    before = set(instances(vm))
    connection = socket.create_connection(("127.0.0.1", vm.http_port(80)), 30)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{user_field}\r\n".encode())
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    (pid,) = set(instances(vm)) - before
    return connection, pid


def instances(vm: VirtualMachine) -> list[int]:
    """The pids of the running instances of selsock@.service."""
    found = vm.ssh(
        "cat /sys/fs/cgroup/system.slice/system-selsock.slice/selsock@*/cgroup.procs 2>/dev/null", check=False
    )
    return [int(pid) for pid in found.stdout.split()]


def test_another_instance_cannot_be_traced(vm: VirtualMachine, probe: Probe) -> None:
    """Neither an instance of another category, nor one of the very same context, where ptrace itself is what is denied."""
    for host, tclass, permission in (("mailed.example", "dir", "search"), ("alpha.example", "process", "ptrace")):
        connection, pid = held(vm, host)
        with connection:
            mark = vm.mark()
            assert probe("alpha.example", f"open=/proc/{pid}/mem") == {"error": "EACCES"}
            record = only(vm, mark, tclass, permission)
            assert type_of(record["scontext"]) == type_of(record["tcontext"]) == "selsock_public_t"


def test_another_tenant_cannot_be_signalled(vm: VirtualMachine, probe: Probe) -> None:
    """Uid selsock is common to all instances; the category decides; signal 0 tells no more than that a pid exists."""
    connection, pid = held(vm, "mailed.example")
    with connection:
        for number, permission in ((0, "signull"), (9, "sigkill")):
            mark = vm.mark()
            assert probe("alpha.example", f"kill={pid}:{number}") == {"error": "EACCES"}
            assert type_of(only(vm, mark, "process", permission)["tcontext"]) == "selsock_public_t"
        assert pid in instances(vm)


def test_a_tenant_executes_nothing(vm: VirtualMachine, probe: Probe) -> None:
    """There is no CGI yet, and no domain that may exec."""
    mark = vm.mark()
    assert probe("alpha.example", "execute=/usr/bin/true&raw=1") == {"error": "EACCES"}
    assert vm.avcs(mark, "selsock_public_t")


def test_a_tenant_inherits_nothing_but_null_and_its_connection(probe: Probe) -> None:
    """Null three times, the client's socket, SELinux's status page, its own socket to journald; no table."""
    names = probe("alpha.example", "fds=&raw=1")["result"]
    del names[max(names, key=int)]
    own = {"3": "socket:[N]", "4": "socket:[N]", "5": "/sys/fs/selinux/status"}
    assert names == {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null", **own}


def scan_for(secret: str) -> str:
    data = secret.encode()
    return f"scan={len(data)}:{data[:4].hex()}:{hashlib.sha256(data).hexdigest()}"


def test_memory_holds_no_credentials(probe: Probe) -> None:
    """Tenant code that scans its own memory finds no password, no Authorization value and no hash of the file.

    The control: the serving process, which recognises the value in later requests, still has it.
    """
    import base64

    from tests.site import ALICE as LINE

    token = base64.b64encode(ALICE.encode()).decode()
    stored = LINE.decode().strip().split(":", 1)[1]
    assert probe("alpha.example", scan_for(token) + "&raw=1", ALICE)["result"] == 1
    for secret in (token, PASSWORDS["alice"], stored):
        assert probe("alpha.example", scan_for(secret), ALICE) == {"result": 0}


def test_a_tenant_cannot_forge_a_decision(vm: VirtualMachine, probe: Probe) -> None:
    """It can write to the journal, but journald notes the domain that wrote; a decision is selsock_t's alone."""
    mark = vm.mark()
    assert probe("alpha.example", "forge=alpha.example+root:+selsock_staff_t&raw=1") == {"result": "sent"}
    records = vm.journal("SELSOCK_EVENT=decision", since=mark)
    domains = {record["SELSOCK_USER"]: type_of(record["_SELINUX_CONTEXT"]) for record in records}
    assert domains == {"": "selsock_t", "root": "selsock_public_t"}


def test_a_tenant_has_no_stream_to_the_journal(vm: VirtualMachine, probe: Probe) -> None:
    """Over it journald forwards to the kernel's log on demand, and the label of who wrote gets lost on the way."""
    mark = vm.mark()
    assert probe("alpha.example", "stream=") == {"error": "EACCES"}
    assert type_of(only(vm, mark, "unix_stream_socket", "connectto")["scontext"]) == "selsock_public_t"


def test_a_tenant_claims_no_abstract_name(vm: VirtualMachine, probe: Probe) -> None:
    """Whether a name is taken would tell one tenant what another does."""
    mark = vm.mark()
    assert probe("alpha.example", "claim=sign") == {"error": "EACCES"}
    assert type_of(only(vm, mark, "unix_stream_socket", "bind")["scontext"]) == "selsock_public_t"


def test_contexts_are_what_the_configuration_says(vm: VirtualMachine, probe: Probe) -> None:
    """One context per rule, as the kernel reports it; ranges from the ledger."""
    assert type_of(context_of(probe, "alpha.example")) == "selsock_public_t"
    assert context_of(probe, "alpha.example", ALICE).startswith("system_u:system_r:selsock_staff_t:s0:c")
    assert context_of(probe, "mailed.example") == "system_u:system_r:selsock_public_t:s0:c900"
    levels = {level_of(context_of(probe, host)) for host in ("alpha.example", "beta.example", "mailed.example")}
    assert len(levels) == 3


def test_simultaneous_visitors_never_share_a_process(vm: VirtualMachine, probe: Probe) -> None:
    """Twelve at once, four contexts: each sees its own."""
    seen: list[tuple[str, str]] = []

    def visit(host: str, user: str) -> None:
        seen.append((host + user, context_of(probe, host, user)))

    visitors = [("alpha.example", ""), ("alpha.example", ALICE), ("beta.example", ""), ("mailed.example", "")] * 3
    threads = [threading.Thread(target=visit, args=visitor) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 12
    assert len(set(seen)) == 4
