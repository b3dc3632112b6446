# SPDX-License-Identifier: Apache-2.0
"""Signing in, by the real service: an attack on passwords is stopped, however many connections it takes, and what the
service cannot tell is served to nobody."""

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot
from tests.systemd.test_connections import status, talk

FAILURES, SECONDS = 6, 1
VHOST_YAML = f"""selinux: optional
listen: [80, "[::]:8080"]
limits: {{failures: {FAILURES}, failure_seconds: {SECONDS}, failures_window: 600, connections_per_source: 0}}
domains: {{public: {{}}, staff: {{}}}}
vhosts:
  a.example:
    root: /srv/vhosts/a
    domain: public
    range: auto
    auth: {{basic: {{realm: A, file: /etc/selsock/a.htpasswd, groups: /etc/selsock/a.htgroup, remember: 60}}}}
    contexts: [{{user: alice, context: staff}}, {{user: [bob, large99999]}}]
"""
HASH = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="  # of "password"
MANY = "".join(f"large{number}:{HASH}\n" for number in range(100000))
FILES = {
    "/srv/vhosts/a/index.html": (b"<p>hello\n", 0o644),
    "/etc/selsock/a.htpasswd": (f"alice:{HASH}\nbob:{HASH}\n{MANY}".encode(), 0o640),
    "/etc/selsock/a.htgroup": (b"staff: alice\n", 0o644),
}


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    """selsock without SELinux, and 100,002 users."""
    with boot(VHOST_YAML, FILES) as machine:
        machine.run(["chgrp", "selsock", "/etc/selsock/a.htpasswd"])
        yield machine


@pytest.fixture
def forgetful(machine: NativeMachine) -> NativeMachine:
    """The machine, its service anew: nobody has failed yet."""
    machine.run(["systemctl", "stop", "selsock-identify.service"])
    machine.run(["systemctl", "start", "selsock-identify.socket"])
    return machine


def sign_in(machine: NativeMachine, user: str, password: str) -> bytes:
    """The answer to one request on a connection of its own."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    head = f"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nAuthorization: Basic {token}\r\n\r\n"
    return talk(machine, head.encode())


def test_users_sign_in(forgetful: NativeMachine) -> None:
    """The first and the last of a hundred thousand; the handler's user cannot read their file."""
    for user in ("alice", "large99999"):
        assert 200 == status(sign_in(forgetful, user, "password"))
    forgetful.run(["chgrp", "selsock-identify", "/etc/selsock/a.htpasswd"])
    assert 200 == status(sign_in(forgetful, "bob", "password"))
    listed = forgetful.run(["su", "-s", "/bin/sh", "-c", "cat /etc/selsock/a.htpasswd", "selsock"], check=False)
    assert "Permission denied" in listed.stderr


def test_every_no_takes_as_long(forgetful: NativeMachine) -> None:
    """A wrong password, a user whom nobody knows, and what is no password at all: not before failure_seconds."""
    for user, password in (("alice", "wrong"), ("nobody", "wrong"), ("", "")):
        began = time.monotonic()
        assert 401 == status(sign_in(forgetful, user, password))
        assert time.monotonic() - began >= SECONDS


def test_an_attack_is_stopped(forgetful: NativeMachine) -> None:
    """Each guess on a connection and in a process of its own, eight at a time; then the right password, too, gets 429."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: sign_in(forgetful, "alice", f"guess{number}"), range(40)))
    statuses = [status(answer) for answer in answers]
    # As many as fit beside each other may be under way while the last one of those that count is told.
    assert FAILURES <= statuses.count(401) < FAILURES + 8
    assert 40 - statuses.count(401) == statuses.count(429)
    answer = sign_in(forgetful, "alice", "password")
    head = answer.decode().lower()
    assert 429 == status(answer)
    assert 0 < int(head.partition("retry-after: ")[2].split()[0]) <= 600
    assert "too many wrong passwords from this address" in head


def test_another_address_is_not_limited(forgetful: NativeMachine) -> None:
    """But every address of one /64 is."""
    forgetful.run(["ip", "address", "add", "2001:db8::1/128", "dev", "lo"])
    forgetful.run(["ip", "address", "add", "2001:db8::2/128", "dev", "lo"])

    def ask(source: str, password: str) -> str:
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-g", "--interface", source]
        command += ["-u", f"alice:{password}", "-H", "Host: a.example"]
        port = "http://[::1]:8080/" if ":" in source else "http://127.0.0.1/"
        return forgetful.run([*command, port]).stdout

    assert ["401"] * FAILURES == [ask("2001:db8::1", "wrong") for _ in range(FAILURES)]
    assert ("429", "429") == (ask("2001:db8::1", "password"), ask("2001:db8::2", "password"))
    assert ("200", "200") == (ask("::1", "password"), ask("127.0.0.1", "password"))


def test_a_changed_password_counts_at_once(forgetful: NativeMachine) -> None:
    """Although the old one is remembered."""
    assert 200 == status(sign_in(forgetful, "bob", "password"))
    other = "{SHA}0JQeaNqPOBUf+Gph/Fn3xc+fyqI="  # of "other"
    forgetful.run(["sed", "-i", f"s|^bob:.*|bob:{other}|", "/etc/selsock/a.htpasswd"])
    forgetful.run(["chown", "root:selsock", "/etc/selsock/a.htpasswd"])
    assert (401, 200) == (status(sign_in(forgetful, "bob", "password")), status(sign_in(forgetful, "bob", "other")))


def test_no_service_serves_nobody(machine: NativeMachine) -> None:
    """503, and the journal says why; it comes back with its socket."""
    machine.run(["systemctl", "stop", "selsock-identify.socket", "selsock-identify.service"])
    after = machine.cursor()
    assert 503 == status(sign_in(machine, "alice", "password"))
    (record,) = machine.journal("SELSOCK_EVENT=fault", after=after)
    assert "/run/selsock/identify: [Errno 2] No such file or directory" == record["SELSOCK_REASON"]
    machine.run(["systemctl", "start", "selsock-identify.socket"])
    assert 200 == status(sign_in(machine, "alice", "password"))


def test_unreadable_files_serve_nobody(forgetful: NativeMachine) -> None:
    """Passwords or groups."""
    for file in ("a.htgroup", "a.htpasswd"):
        path = f"/etc/selsock/{file}"
        forgetful.run(["chmod", "000", path])
        after = forgetful.cursor()
        assert 503 == status(sign_in(forgetful, "alice", "password"))
        (record,) = forgetful.journal("SELSOCK_EVENT=fault", after=after)
        assert f"/run/selsock/identify: {path}: Permission denied" == record["SELSOCK_REASON"]
        forgetful.run(["chmod", "644", path])
        assert 200 == status(sign_in(forgetful, "alice", "password"))


def test_the_service_is_hardened(machine: NativeMachine) -> None:
    """It runs without a capability, and can gain none."""
    shown = machine.run(["systemctl", "show", "-P", "MainPID", "selsock-identify.service"]).stdout.strip()
    words = machine.run(["cat", f"/proc/{shown}/status"]).stdout
    assert "CapEff:\t0000000000000000" in words
    assert "NoNewPrivs:\t1" in words
