# SPDX-License-Identifier: Apache-2.0
"""selsockctl doctor on a real systemd: a machine that was applied to, with one thing broken at a time, and mended again."""

import json
from collections.abc import Iterator

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot

VHOST_YAML = """selinux: optional
listen: [80, "127.0.0.1:8080"]
limits: {memory: 16M}
domains: {public: {}, app: {python: true}}
vhosts:
  a.example:
    root: /srv/vhosts/a
    domain: public
    range: s0:c1
    auth: {basic: {realm: A, file: /etc/selsock/a.htpasswd}}
    contexts: [{any: true}]
  b.example:
    root: /srv/vhosts/b
    domain: app
    range: s0:c2
    contexts: [{any: true}]
    locations: {/app: {wsgi: {application: "application:application"}}}
"""
FILES = {
    "/srv/vhosts/a/index.html": (b"<p>a\n", 0o644),
    "/srv/vhosts/b/index.html": (b"<p>b\n", 0o644),
    "/etc/selsock/a.htpasswd": (b"alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0o644),
}
SOURCE = "/etc/selsock/vhost.yaml"
DISABLED = "SELinux is disabled: everything is served unconfined, as vhost.yaml allows"
# Where there is no SELinux, these are always said.
ALWAYS = [("configuration", "warning"), ("mode", "warning")]


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    """selsock without SELinux, applied as an administrator would."""
    with boot(VHOST_YAML, FILES) as machine:
        machine.run(["selsock-generate", SOURCE])
        yield machine


def examined(machine: NativeMachine) -> list[dict[str, str]]:
    """All that doctor says, as JSON."""
    found: list[dict[str, str]] = json.loads(machine.run(["selsockctl", "doctor", "--json"], check=False).stdout)
    return found


def wrong(machine: NativeMachine) -> list[tuple[str, str]]:
    """Check and severity of what is not well."""
    return [(said["check"], said["severity"]) for said in examined(machine) if said["severity"] != "ok"]


def test_a_machine_that_is_well(machine: NativeMachine) -> None:
    """But for SELinux, which vhost.yaml does without: two lines, and what they come to."""
    done = machine.run(["selsockctl", "doctor"], check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "warning configuration selinux: optional serves without confinement where SELinux does not enforce",
        f"warning mode          {DISABLED} → set SELINUX=enforcing in /etc/selinux/config, and boot",
        "2 warning",
    ]
    lines = machine.run(["selsockctl", "doctor", "--verbose"], check=False).stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("ok ")] == [
        *("socket", "source", "interrupted", "files", "units", "services", "limits", "temporary", "proxy"),
    ]


DROPINS = "/run/systemd/system/selsock.socket.d"
AGAIN = "systemctl daemon-reload; systemctl restart selsock.socket"
ENABLE = "systemctl daemon-reload; systemctl enable --now selsock.socket"
BREAKS = {
    "socket stopped": ("systemctl stop selsock.socket", "systemctl start selsock.socket", [("socket", "error")]),
    "socket disabled": ("systemctl disable selsock.socket", "systemctl enable selsock.socket", [("socket", "warning")]),
    "socket masked": (
        "systemctl stop selsock.socket; mv /etc/systemd/system/selsock.socket /root; systemctl mask selsock.socket",
        f"systemctl unmask selsock.socket; mv /root/selsock.socket /etc/systemd/system; {ENABLE}",
        [("socket", "error"), ("units", "error")],
    ),
    "not all listened on": (
        f"mkdir {DROPINS}; printf '[Socket]\\nListenStream=\\nListenStream=80\\n' >{DROPINS}/x.conf; {AGAIN}",
        f"rm -r {DROPINS}; {AGAIN}",
        [("socket", "error")],
    ),
    "unit edited": (
        "cp -p /etc/systemd/system/selsock@.service /root; echo '# mine' >>/etc/systemd/system/selsock@.service",
        "mv /root/selsock@.service /etc/systemd/system/",
        [("units", "warning")],
    ),
    "unit not read again": (
        "touch -d '+1 hour' /etc/systemd/system/selsock.socket",
        "touch -d '-1 hour' /etc/systemd/system/selsock.socket; systemctl daemon-reload",
        [("socket", "warning")],
    ),
    "nobody to ask": (
        "systemctl stop selsock-identify.socket selsock-identify.service",
        "systemctl start selsock-identify.socket",
        [("services", "error")],
    ),
    "table missing": ("mv /var/lib/selsock/table.cdb /root", f"selsock-generate {SOURCE}", [("files", "error")]),
    "table of another group": (
        "chgrp root /var/lib/selsock/table.cdb",
        f"selsock-generate {SOURCE}",
        [("files", "error")],
    ),
    "source edited": (f"echo >>{SOURCE}", f"sed -i '$d' {SOURCE}", [("source", "warning")]),
    "no place for temporary files": (
        "rm -r /var/cache/selsock/b.example",
        f"selsock-generate {SOURCE}",
        [("temporary", "error")],
    ),
    "temporary files of another": (
        "chown root /var/cache/selsock/b.example",
        f"selsock-generate {SOURCE}",
        [("temporary", "error")],
    ),
    "applying was interrupted": (
        """echo '{"/srv/vhosts/a": null}' >/var/lib/selsock/labelled""",
        "rm /var/lib/selsock/labelled",
        [("interrupted", "warning")],
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_told(machine: NativeMachine, name: str) -> None:
    """It, and nothing else; and no more of it when it is mended."""
    broken, mended, expected = BREAKS[name]
    machine.run(["sh", "-ec", broken])
    try:
        found = wrong(machine)
    finally:
        machine.run(["sh", "-ec", mended])
    assert sorted(found) == sorted([*ALWAYS, *expected])
    assert sorted(wrong(machine)) == sorted(ALWAYS)


def test_status_is_that_of_the_worst(machine: NativeMachine) -> None:
    """An error is 3; its line ends with the command that mends it."""
    machine.run(["systemctl", "stop", "selsock.socket"])
    done = machine.run(["selsockctl", "doctor"], check=False)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("error ")]
    assert (done.returncode, done.stdout.splitlines()[-1]) == (3, "1 error, 2 warning")
    machine.run(["sh", "-c", line.partition(" → ")[2]])
    assert machine.run(["selsockctl", "doctor"], check=False).returncode == 1


def test_who_is_not_root_hears_what_he_did_not_see(machine: NativeMachine) -> None:
    done = machine.run(["su", "-s", "/bin/sh", "-c", "selsockctl doctor", "nobody"], check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if " configuration " in line]
    assert line.startswith("unknown configuration can not be looked at: /var/lib/selsock/")
    assert line.endswith(": Permission denied → run it as root")


def test_connections_that_a_proxy_shares_are_counted(machine: NativeMachine) -> None:
    """Each is closed when the request of another virtual host comes over it."""
    for _ in range(60):
        with machine.connect(80, timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            answer = connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 ")
            connection.sendall(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")
            while answer := connection.recv(4096):
                assert b"<p>b" not in answer
    found = [said for said in examined(machine) if said["check"] == "proxy"]
    assert [said["severity"] for said in found] == ["warning"]
    assert found[0]["what"].startswith("60 connections on 80 were closed in the last hour")
