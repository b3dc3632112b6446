# SPDX-License-Identifier: Apache-2.0
"""Connections through a real systemd: the unit's promises, and what many or malicious connections do to it.

There is no SELinux in this tier, so ``selinux: optional`` stands in vhost.yaml, but for the test that it is needed.
"""

import time
from collections.abc import Iterator

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot

VHOST_YAML = """selinux: optional
listen: [80, 8081]
limits: {connections_per_second: 1000, connections_per_source: 0, head_seconds: 2, idle_seconds: 2}
domains: {public: {}}
default_context: public:s0
vhosts:
  a.example:
    root: /srv/vhosts/a
    auth: {basic: {realm: A, file: /etc/selsock/a.htpasswd}}
    contexts: [{any: true}]
"""
FILES = {
    "/srv/vhosts/a/index.html": (b"<p>hello\n", 0o644),
    "/etc/selsock/a.htpasswd": (b"alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0o644),  # "password"
    "/etc/systemd/system/control.socket": (
        b"[Socket]\nListenStream=127.0.0.1:9001\nListenStream=127.0.0.1:9002\nAccept=yes\n",
        0o644,
    ),
    "/etc/systemd/system/control@.service": (
        b"[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=-/usr/bin/sleep 20\nStandardInput=socket\n",
        0o644,
    ),
}
EPERM, EAFNOSUPPORT = "1", "97"
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
# Connections in quick succession to two ports, each begun and held.  Once MaxConnections= is reached, systemd accepts the
# rest only to close it, quickly; and each counts.
FLOOD = """
import socket, sys, time
held = []
count = 0
for turn in range(700):
    for port in map(int, sys.argv[1:]):
        try:
            connection = socket.create_connection(("127.0.0.1", port), 1)
            connection.sendall(b"GET / HTTP/1.1\\r\\nHost: a.example\\r\\n")
            held.append(connection)
            count += 1
        except OSError:
            pass
    del held[:-900]
time.sleep(4)
print(count)
"""

# By number on x86-64, with arguments that do no harm: what the kernel says to who may call it, and who may not.
CALLS = """#!/usr/bin/python3 -I
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
calls = {
    "bpf": (321, 0, 0, 0), "chown": (92, 0, 0, 0), "io_uring_setup": (425, 0, 0), "kexec_load": (246, 0, 0, 0, 0),
    "memfd_secret": (447, 0),
    "modify_ldt": (154, 99), "mount": (165, 0, 0, 0, 0, 0), "open_tree": (428, -1, 0, 0), "perf_event_open": (298, 0, 0),
    "personality": (135, 8), "ptrace": (101, 99), "sched_setscheduler": (144, 0, 99, 0), "setpriority": (141, 99, 0, 0),
    "unshare for a user namespace": (272, 0x10000000), "userfaultfd": (323, -1), "socket of AF_NETLINK": (41, 16, 3, 0),
    "getpid": (39,), "getpriority": (140, 0, 0),
}
for name, (number, *arguments) in calls.items():
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    print(name, ctypes.get_errno(), sep=": ", file=os.fdopen(os.dup(int(sys.argv[1])), "w"))
"""
PROBE = r"""set -e
cd /etc/systemd/system
sed 's,^ExecStart=.*,ExecStart=/usr/libexec/selsock/calls 3,' selsock@.service >calls@.service
printf '[Socket]\nListenStream=127.0.0.1:9003\nAccept=yes\n' >calls.socket
systemctl daemon-reload
systemctl start calls.socket
"""


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    """selsock without SELinux, and a control socket with systemd's defaults."""
    with boot(VHOST_YAML, FILES) as machine:
        yield machine


def talk(machine: NativeMachine, request: bytes, port: int = 80) -> bytes:
    """Send ``request``, return all that comes until the end of the stream."""
    with machine.connect(port, timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def status(answer: bytes) -> int:
    """The status code of a response."""
    return int(answer.split(b" ", 2)[1])


def show(machine: NativeMachine, unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit."""
    words = [word for name in names for word in ("-p", name)]
    return dict(line.split("=", 1) for line in machine.run(["systemctl", "show", *words, unit]).stdout.splitlines())


def settle(machine: NativeMachine) -> None:
    """Wait until no instance is left."""
    for _ in range(200):
        if not machine.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "selsock@*"]).stdout:
            return
        time.sleep(0.1)
    raise AssertionError("instances stay")


def test_a_file_is_served(machine: NativeMachine) -> None:
    """Over TCP, through Accept=yes, by a process that systemd stripped of everything."""
    after = machine.cursor()
    answer = talk(machine, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (status(answer), answer.endswith(b"\r\n\r\n<p>hello\n")) == (200, True)
    settle(machine)
    records = machine.journal("SYSLOG_IDENTIFIER=selsock", after=after)
    assert [record["SELSOCK_EVENT"] for record in records] == ["unconfined", "decision", "outcome"]
    assert records[0]["MESSAGE"] == "serving UNCONFINED, as selinux: optional allows"


def test_optional_is_logged_on_every_connection(machine: NativeMachine) -> None:
    """Twice is twice."""
    after = machine.cursor()
    for _ in range(2):
        talk(machine, GET.replace(b"1.1", b"1.0"))
    assert len(machine.journal("SELSOCK_EVENT=unconfined", after=after)) == 2


def test_required_refuses_without_selinux(machine: NativeMachine) -> None:
    """The default: 503 and the reason."""
    machine.run(["sh", "-c", "sed 's/optional/required/' /etc/selsock/vhost.yaml >/tmp/vhost.yaml"])
    machine.run(["selsock-generate", "--output", "/tmp/required", "/tmp/vhost.yaml"])
    table = "/var/lib/selsock/table.cdb"
    machine.run(["sh", "-ec", f"cp -a {table} /tmp/; cat /tmp/required{table} >{table}"])
    try:
        after = machine.cursor()
        answer = talk(machine, GET)
        assert (status(answer), b"hello" in answer) == (503, False)
        (record,) = machine.journal("SELSOCK_EVENT=fault", after=after)
        assert record["SELSOCK_REASON"] == "SELinux is disabled, and vhost.yaml requires it"
    finally:
        machine.run(["cp", "-a", "/tmp/table.cdb", table])


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /staff HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic YTpi\r\n\r\n", 401),
        (b"GET /nothing HTTP/1.0\r\nHost: a.example\r\n\r\n", 404),
        (b"POST / HTTP/1.0\r\nHost: a.example\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: a.exam", 408),
        (b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9999999\r\n\r\n", 413),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20000, 431),
        (b"BREW / HTTP/1.1\r\nHost: a.example\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", 505),
    ],
)
def test_refusals_leave_no_failed_unit(machine: NativeMachine, request_bytes: bytes, expected: int) -> None:
    """Each status arrives whole, though input may still be unread; and the peer's fault is not ours."""
    assert status(talk(machine, request_bytes)) == expected
    settle(machine)
    assert machine.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == ""


def test_a_silent_connection_is_not_even_accepted(machine: NativeMachine) -> None:
    """DeferAcceptSec: who only connects costs no process."""
    before = show(machine, "selsock.socket", "NAccepted")
    with machine.connect(80):
        time.sleep(1)
        assert show(machine, "selsock.socket", "NAccepted") == before


def test_signing_in_works_without_a_mount_namespace_or_nss(machine: NativeMachine) -> None:
    """{SHA}, in the child."""
    request = GET.replace(b"\r\n\r\n", b"\r\nAuthorization: Basic YWxpY2U6cGFzc3dvcmQ=\r\nConnection: close\r\n\r\n")
    after = machine.cursor()
    assert status(talk(machine, request)) == 200
    (decision,) = machine.journal("SELSOCK_EVENT=decision", after=after)
    assert decision["SELSOCK_USER"] == "alice"


def test_the_default_trigger_limit_kills_a_socket(machine: NativeMachine) -> None:
    """The control: with systemd's defaults, a flood of two ports ends the listener for good."""
    machine.run(["systemctl", "start", "control.socket"])
    machine.run(["python3", "-c", FLOOD, "9001", "9002"], timeout=60)
    found = show(machine, "control.socket", "ActiveState", "Result")
    assert found == {"ActiveState": "failed", "Result": "trigger-limit-hit"}
    machine.run(["systemctl", "stop", "control@*"])
    machine.run(["systemctl", "reset-failed"])


def test_a_flood_does_not_kill_ours(machine: NativeMachine) -> None:
    """The same flood against selsock.socket; then it still serves."""
    flooded = int(machine.run(["python3", "-c", FLOOD, "80", "8081"], timeout=60).stdout)
    assert flooded > 400
    assert show(machine, "selsock.socket", "ActiveState", "Result") == {"ActiveState": "active", "Result": "success"}
    assert int(show(machine, "selsock.socket", "NRefused")["NRefused"]) > 200, "not a flood"
    settle(machine)
    assert status(talk(machine, GET.replace(b"1.1", b"1.0"))) == 200
    assert machine.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == ""


def test_two_hundred_connections_leave_nothing(machine: NativeMachine) -> None:
    """No failed unit, no instance, no descriptor of PID 1."""
    settle(machine)
    before = machine.run(["sh", "-c", "ls /proc/1/fd | wc -l"]).stdout
    for turn in range(200):
        assert status(talk(machine, GET.replace(b"1.1", b"1.0"), (80, 8081)[turn % 2])) == 200
    settle(machine)
    # It opens and closes some now and then; a leak would be of two hundred.
    assert abs(int(machine.run(["sh", "-c", "ls /proc/1/fd | wc -l"]).stdout) - int(before)) < 10
    assert machine.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == ""


def test_the_process_has_nothing_left(machine: NativeMachine) -> None:
    """User selsock, no capability in any set, no_new_privs, seccomp on: as /proc says of a live instance."""
    with machine.connect(80) as connection:
        connection.sendall(GET)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        script = "cat /proc/$(pgrep -u selsock)/status"
        text = machine.run(["sh", "-c", script]).stdout
        user = machine.run(["id", "-u", "selsock"]).stdout.strip()
    found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert found["Uid"].split() == [user] * 4
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (found["NoNewPrivs"], found["Seccomp"], found["Threads"]) == ("1", "2", "1")


def test_calls_that_nobody_may_use_are_denied(machine: NativeMachine) -> None:
    """EPERM, by the unit that an instance runs in; and the control: most of them are not denied to another service."""
    machine.run(["tee", "/usr/libexec/selsock/calls"], input=CALLS)
    machine.run(["chmod", "755", "/usr/libexec/selsock/calls"])
    machine.run(["sh", "-c", PROBE])
    told = dict(line.split(": ") for line in talk(machine, b"", 9003).decode().splitlines())
    allowed = {"getpid", "getpriority"}
    assert {name: "0" if name in allowed else EPERM for name in told if name != "socket of AF_NETLINK"} | {
        "socket of AF_NETLINK": EAFNOSUPPORT
    } == told
    control = machine.run(["setpriv", "--reuid=nobody", "--clear-groups", "/usr/libexec/selsock/calls", "1"]).stdout
    others = dict(line.split(": ") for line in control.splitlines())
    assert others.keys() == told.keys()
    # Those that need a capability are denied to user nobody as well.
    needing = {"bpf", "kexec_load", "mount"}
    assert {name for name, error in others.items() if error == EPERM} <= needing | {"perf_event_open", "userfaultfd"}


def test_what_fails_before_the_first_line_of_ours_is_in_the_journal(machine: NativeMachine) -> None:
    """Half of the handler's code: nothing is answered, and Python says why."""
    (file,) = machine.run(["sh", "-c", "echo /usr/lib/selsock/*/handler.*"]).stdout.split()
    machine.run(["cp", "-a", file, "/tmp/handler"])
    try:
        machine.run(["truncate", "--size=1000", file])
        after = machine.cursor()
        with pytest.raises(ConnectionResetError):
            talk(machine, GET)
        settle(machine)
        messages = [str(record["MESSAGE"]) for record in machine.journal("_COMM=serve", "PRIORITY=3", after=after)]
        assert [message.partition(":")[0] for message in messages[-1:]] == ["EOFError"], messages
    finally:
        machine.run(["cp", "-a", "/tmp/handler", file])


def test_hardening_is_as_stated(machine: NativeMachine) -> None:
    """systemd's own exposure figure of the rendered unit, at most 3.0 of 10, with no mount namespace at all."""
    machine.run(["systemd-analyze", "security", "--threshold=30", "--no-pager", "selsock@.service"])
    text = machine.run(["cat", "/etc/systemd/system/selsock@.service"]).stdout
    assert not [name for name in ("PrivateTmp", "ProtectSystem", "ReadOnlyPaths", "PrivateDevices") if name in text]
