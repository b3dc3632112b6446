# SPDX-License-Identifier: Apache-2.0
"""Listeners for proxies, where SELinux enforces: over TCP from the host, and over the UNIX socket by type and user."""

import shlex
import socket
import struct

import pytest

from tests.machines.vm import VirtualMachine

GET = "GET / HTTP/1.1\r\nHost: alpha.example\r\n\r\n"
HEADER = "PROXY TCP4 198.51.100.7 192.0.2.1 51234 443\r\n"
SOCKET = "/run/selsock/http.sock"
# Enters a domain and level ("-": stays an administrator's session), connects, sends the rest of its arguments one after
# the other, and shows what is answered.
VISIT = """
import os, socket, sys
user, domain, *requests = sys.argv[1:]
"".encode("ascii")  # what is loaded from now on would be loaded in the domain
if int(user):
    os.setgid(int(user))
    os.setuid(int(user))
if domain != "-":
    with open("/proc/self/attr/current", "r+") as file:
        role = file.read().split(":")[:2]
        file.seek(0)
        file.write(":".join([*role, domain]))
connection = socket.socket(socket.AF_UNIX)


def answer():
    data = b""
    while part := connection.recv(65536):
        data += part
        head, end, content = data.partition(b"\\r\\n\\r\\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\\r\\n")[0]
        if end and len(content) >= int(length):
            break
    return data.decode()


try:
    connection.connect("/run/selsock/http.sock")
    for request in requests:
        connection.sendall(request.encode())
        print(answer())
except OSError as error:
    print(error.strerror)
"""


def visit(vm: VirtualMachine, domain: str, *requests: str, user: int = 0) -> str:
    """What a process in ``domain`` gets over the UNIX socket."""
    return vm.ssh(shlex.join(["python3", "-c", VISIT, str(user), domain, *requests])).stdout


def test_the_socket_is_labelled(vm: VirtualMachine) -> None:
    """systemd made it and its directory; what listens there is selsock_t's, as its TCP sockets are."""
    labels = vm.ssh(f"stat -c '%C %a' /run/selsock {SOCKET}").stdout.splitlines()
    assert labels == ["system_u:object_r:selsock_runtime_t:s0 755", "system_u:object_r:selsock_runtime_t:s0 666"]


def test_a_proxy_over_tcp(vm: VirtualMachine) -> None:
    """From another machine, QEMU's; the kernel lets selsock_t find out that it is another one."""
    mark = vm.mark()
    with socket.create_connection(("127.0.0.1", vm.http_port(443)), 60) as connection:
        connection.sendall((HEADER + GET).encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    (decision,) = vm.journal("SELSOCK_EVENT=decision", since=mark)
    assert decision["SELSOCK_ADDRESS"] == "198.51.100.7"
    with socket.create_connection(("127.0.0.1", vm.http_port(443)), 60) as connection:
        connection.sendall(GET.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def by_certificate(client: int, verify: int) -> bytes:
    """A header of version 2 with the certificate of "dog": flags of the client, and the proxy's verdict."""
    name = b"\x22" + struct.pack(">H", 3) + b"dog"
    tls = struct.pack(">BHBI", 0x20, 5 + len(name), client, verify) + name
    body = bytes([198, 51, 100, 7, 192, 0, 2, 1]) + struct.pack(">HH", 51234, 443) + tls
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(body)) + body


@pytest.mark.parametrize(
    ("header", "status", "context"),
    [
        (by_certificate(7, 0), 200, "selsock_writer_t:s0:c131"),
        (by_certificate(7, 10), 403, ""),
        (by_certificate(1, 0), 403, ""),
        (HEADER.encode(), 403, ""),
    ],
    ids=["good", "not verified", "none was shown", "version 1"],
)
def test_a_certificate_that_the_proxy_has_verified(
    vm: VirtualMachine, header: bytes, status: int, context: str
) -> None:
    """Whose name it is gets the context of his rule, and is served from there; nobody else gets any."""
    mark = vm.mark()
    with socket.create_connection(("127.0.0.1", vm.http_port(443)), 60) as connection:
        connection.sendall(header + b"GET / HTTP/1.1\r\nHost: vouched.example\r\nConnection: close\r\n\r\n")
        assert connection.recv(65536).startswith(f"HTTP/1.1 {status} ".encode())
    decisions = vm.journal("SELSOCK_EVENT=decision", since=mark)
    assert [(entry["SELSOCK_USER"], entry["SELSOCK_CONTEXT"]) for entry in decisions] == [("dog", context)] * bool(
        context
    )
    outcomes = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    assert [entry["_SELINUX_CONTEXT"].split(":", 2)[2] for entry in outcomes] == [context] * bool(context)


VOUCHED = "GET / HTTP/1.1\r\nHost: vouched.example\r\n{}\r\n"


@pytest.mark.parametrize(
    ("field", "status", "context"),
    [("X-User: dog\r\n", 200, "selsock_writer_t:s0:c131"), ("X-User: cat\r\n", 403, ""), ("", 403, "")],
)
def test_a_user_whom_the_proxy_names(vm: VirtualMachine, field: str, status: int, context: str) -> None:
    """By the field of the listener that he comes by; over another one the field is nobody's."""
    mark = vm.mark()
    assert f"HTTP/1.1 {status} " in visit(vm, "tests_proxy_t:s0", HEADER + VOUCHED.format(field))
    outcomes = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    assert [entry["_SELINUX_CONTEXT"].split(":", 2)[2] for entry in outcomes] == [context] * bool(context)
    with socket.create_connection(("127.0.0.1", vm.http_port(80)), 60) as connection:
        connection.sendall(VOUCHED.format(field).encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_the_type_that_is_named_is_served(vm: VirtualMachine) -> None:
    """Two requests over the UNIX socket; it serves on after setcon, in the tenant's domain at its level."""
    mark = vm.mark()
    answer = visit(vm, "tests_proxy_t:s0", HEADER + GET, GET)
    assert answer.count("HTTP/1.1 200 OK") == 2
    (decision,) = vm.journal("SELSOCK_EVENT=decision", since=mark)
    assert (decision["SELSOCK_ADDRESS"], decision["_SELINUX_CONTEXT"].split(":")[2]) == ("198.51.100.7", "selsock_t")
    outcomes = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    assert {entry["_SELINUX_CONTEXT"].split(":")[2] for entry in outcomes} == {"selsock_public_t"}
    assert {entry["_PID"] for entry in outcomes} == {decision["_PID"]}


@pytest.mark.parametrize(
    ("domain", "shown"),
    [
        ("tests_other_t:s0", "unconfined_u:unconfined_r:tests_other_t:s0"),
        ("-", "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023"),
        ("tests_proxy_t:s0-s0:c0.c1023", "unconfined_u:unconfined_r:tests_proxy_t:s0-s0:c0.c1023"),
        ("tests_proxy_t:s0:c5", "unconfined_u:unconfined_r:tests_proxy_t:s0:c5"),
    ],
)
def test_another_type_or_level_is_refused_though_it_may_connect(vm: VirtualMachine, domain: str, shown: str) -> None:
    """By SO_PEERSEC: the policy alone would let it.  A socket of another level could be used by no tenant."""
    mark = vm.mark()
    assert visit(vm, domain, HEADER + GET).startswith("HTTP/1.1 403 Forbidden")
    (refusal,) = vm.journal("SELSOCK_EVENT=refusal", since=mark)
    assert refusal["SELSOCK_REASON"] == f"the peer is {shown}, not tests_proxy_t:s0"


def test_another_user_of_the_type_is_refused(vm: VirtualMachine) -> None:
    """By SO_PEERCRED; the mode of the socket lets everybody connect."""
    mark = vm.mark()
    assert visit(vm, "tests_proxy_t:s0", HEADER + GET, user=1).startswith("HTTP/1.1 403 Forbidden")
    (refusal,) = vm.journal("SELSOCK_EVENT=refusal", since=mark)
    assert refusal["SELSOCK_REASON"] == "the peer is user 1, not 0"


@pytest.mark.provokes("the kernel's refusal is what this test looks for")
def test_a_type_that_nobody_named_may_not_even_connect(vm: VirtualMachine) -> None:
    """selsock-generate allowed the one; a stranger fails at the directory."""
    mark = vm.mark()
    assert visit(vm, "tests_stranger_t:s0", HEADER + GET) == "Permission denied\n"
    (record,) = vm.avcs(mark, "tests_stranger_t")
    assert (record["tclass"], record["permissions"]) == ("dir", "search")
    assert record["tcontext"] == "system_u:object_r:selsock_runtime_t:s0"
    assert vm.journal("SYSLOG_IDENTIFIER=selsock", since=mark) == []
