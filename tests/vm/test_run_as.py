# SPDX-License-Identifier: Apache-2.0
"""run_as and cgroups of a virtual host where SELinux enforces: who the process is, by both of the kernel's measures."""

import base64
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.machines.vm import VirtualMachine
from tests.site import PASSWORDS
from tests.visitor import Answer, curl
from tests.vm.test_confinement import type_of

PASSWORD = PASSWORDS["carol"]
UID = "1601"


@pytest.fixture(scope="module", autouse=True)
def gnu(vm: VirtualMachine) -> Iterator[None]:
    """A user of the machine, who owns his site."""
    vm.ssh(f"groupadd --gid 2601 herd && useradd --uid {UID} --user-group --groups herd gnu")
    yield
    vm.ssh("userdel gnu && groupdel herd")


def get(vm: VirtualMachine, path: str, user: str = "gnu", port: int = 8443, host: str = "owned") -> Answer:
    """An answer of owned.example."""
    return curl(vm.http_port(port), f"http://{host}.example{path}", f"{user}:{PASSWORD}" if user else "")


def status(vm: VirtualMachine) -> dict[str, Any]:
    """/proc/self/status of a tenant's code, and its cgroup."""
    answer = get(vm, "/app?status=")
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.content)["result"]
    return found


def test_the_process_has_context_and_account(vm: VirtualMachine) -> None:
    """Both walls: the domain and categories of the virtual host, the uid, gid and groups of who signed in."""
    mark = vm.mark()
    found = status(vm)
    ids = (found["Uid"].split(), found["Gid"].split(), found["Groups"].split())
    assert ids == ([UID] * 4, [UID] * 4, [UID, "2601"])
    (decision,) = vm.journal("SELSOCK_EVENT=decision", since=mark)
    (outcome,) = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    assert (type_of(decision["_SELINUX_CONTEXT"]), type_of(outcome["_SELINUX_CONTEXT"])) == (
        "selsock_run_as_t",
        "selsock_code_t",
    )
    assert outcome["_SELINUX_CONTEXT"].split(":", 2)[2] == decision["SELSOCK_CONTEXT"]
    assert outcome["_UID"] == UID != decision["_UID"]


def test_no_capability_is_left(vm: VirtualMachine) -> None:
    """To use; the other two sets can give none."""
    found = status(vm)
    assert [found[name] for name in ("CapPrm", "CapEff", "CapAmb")] == ["0000000000000000"] * 3
    assert [found[name] for name in ("CapInh", "CapBnd")] == ["00000000000000c0"] * 2


def test_the_cgroup_has_the_limits(vm: VirtualMachine) -> None:
    """A connection that is held shows it, on the kernel's own files."""
    found = status(vm)
    assert found["cgroup"].startswith("0::/system.slice/system-selsock.slice/selsock-run-as@")
    assert found["cgroup"].endswith(".service/vhost")
    token = base64.b64encode(f"gnu:{PASSWORD}".encode()).decode()
    with socket.create_connection(("127.0.0.1", vm.http_port(8443)), 60) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: owned.example\r\nAuthorization: Basic {token}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        own = "/sys/fs/cgroup/system.slice/system-selsock.slice/selsock-run-as@*/vhost"
        memory, tasks, *processes = vm.ssh(f"cd {own} && cat memory.max pids.max cgroup.procs").stdout.split()
    assert (memory, tasks, len(processes)) == (str(48 << 20), "6", 1)


@pytest.mark.parametrize(("host", "port"), [("owned", 80), ("alpha", 8443)])
def test_other_listeners_answer_421(vm: VirtualMachine, host: str, port: int) -> None:
    assert get(vm, "/", port=port, host=host).status == 421


def test_who_has_no_account_is_refused(vm: VirtualMachine) -> None:
    """Carol's password is right."""
    mark = vm.mark()
    assert get(vm, "/", "carol").status == 403
    (refusal,) = vm.journal("SELSOCK_EVENT=refusal", since=mark)
    assert refusal["SELSOCK_REASON"] == "run_as: authenticated, and nobody here is called carol"
    assert get(vm, "/", "").status == 401


def test_its_own_files_are_read_by_uid(vm: VirtualMachine) -> None:
    """A mode that lets nobody else in."""
    vm.ssh("cd /srv/vhosts/owned/htdocs && echo mine >mine.html && chmod 600 mine.html && restorecon -F mine.html")
    assert get(vm, "/mine.html").status == 403
    vm.ssh("chown gnu /srv/vhosts/owned/htdocs/mine.html")
    assert get(vm, "/mine.html").content == "mine\n"


def test_programs_and_sockets_are_labelled(vm: VirtualMachine) -> None:
    files = "/usr/libexec/selsock/serve-as /run/selsock/slots"
    labels = [type_of(label) for label in vm.ssh(f"stat -c %C {files}").stdout.split()]
    assert labels == ["selsock_run_as_exec_t", "selsock_slots_t"]
