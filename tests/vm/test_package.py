# SPDX-License-Identifier: Apache-2.0
"""The life of an installation by rpm, on an enforcing machine of its own: each step begins where the last one ended.

install → enable → the welcome page → a site of one's own → upgrade under load → downgrade → erase.
"""

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.machines import image
from tests.machines.evidence import reporter
from tests.machines.packages import CHATTER, Packages, packages
from tests.machines.vm import Mark, VirtualMachine
from tests.site import page
from tests.visitor import curl
from tests.vm.conftest import BootVm
from tests.vm.expected_avcs import is_expected

YAML = "/etc/selsock/vhost.yaml"
SITE = """limits: {head_seconds: 1800, connection_seconds: 3600}
domains: {site: {}}
vhosts:
  site.example:
    root: /srv/site
    domain: site
    range: auto
    contexts: [{any: true}]
"""
PAGE = page("A site of one's own")
NEXT = "OK from the next release"
# The next release: its reason phrase tells it, two of its modules fit no other release's, and its policy says more.
EDITS = {
    "selsock/__init__.py": ('"0.1.0"', '"0.1.1"'),
    "selsock/handler/serve/reply.py": ('200: "OK"', f'200: "{NEXT}"'),
    "policy/tenants.cil.j2": (
        "; Which text",
        "(type selsock_next_t)\n(roletype object_r selsock_next_t)\n\n; Which text",
    ),
    "selsock/handler/table.py": ("locate", "locate_next"),
    "selsock/handler/connection.py": ("locate", "locate_next"),
    "selsock/handler/serve/requests.py": ("locate", "locate_next"),
    "selsock/handler/serve/script.py": ("locate", "locate_next"),
}
# What rpm, systemd, auditd, sshd and the policy store keep for themselves.
NOT_OURS = (
    *("/var/lib/rpm/", "/var/lib/selinux/", "/etc/selinux/default/", "/var/log/", "/var/lib/systemd/", "/root/"),
    *("/var/cache/", "/var/tmp/", "/tmp/", "/etc/.pwd.lock", "/var/lib/rpm-state"),
)


# logind, which this machine does without, is not asked to delay a shutdown.
RPM = "rpm --dbpath /var/lib/rpm --define '__transaction_systemd_inhibit %{nil}'"


class Installation:
    """The machine, the two releases, and what was there before either."""

    def __init__(self, machine: VirtualMachine) -> None:
        self.machine = machine
        self.mark: Mark = machine.mark()
        self.before = self.files()
        self.odd_before = self.odd()

    def files(self) -> set[str]:
        """The names of all files that are not ``NOT_OURS``."""
        names = self.machine.ssh("find / -xdev -print0", timeout=300).stdout.split("\0")
        return {name for name in names if name and not f"{name}/".startswith(NOT_OURS)}

    def odd(self) -> str:
        """The files with a label of ours, or with one that has lost its meaning, which the kernel calls unlabeled_t."""
        return self.machine.ssh(
            "find / -xdev \\( -context '*:selsock_*' -o -context '*:unlabeled_t:*' \\)", timeout=300
        ).stdout

    def modules(self) -> list[str]:
        """selsock's modules in the policy store: ``200 selsock pp``."""
        listed = self.machine.ssh("semodule -lfull", timeout=300).stdout.splitlines()
        return sorted(" ".join(line.split()) for line in listed if "selsock" in line)

    def rpm(self, arguments: str) -> str:
        """Run rpm; return what it, its scriptlets and what they call complained of."""
        return CHATTER.sub("", self.machine.ssh(f"cd /root/rpm && {RPM} {arguments}", timeout=900).stderr)

    def unit_version(self) -> str:
        """The version that the units in force were written by."""
        text = self.machine.ssh("systemctl cat selsock@.service").stdout
        found = re.search(r"Written by selsock-generate (\S+)\.  Do", text)
        return found[1] if found else text

    def since_last_time(self) -> list[str]:
        """The denials that name a type of ours since this was asked last."""
        mark, self.mark = self.mark, self.machine.mark()
        return [record["raw"] for record in self.machine.avcs(mark, "selsock_") if not is_expected(record)]


class Load:
    """Visitors who come again and again, each on a connection of his own, until the with block ends.

    Each stays away for as long as he was served.
    """

    def __init__(self, port: int, visitors: int = 3) -> None:
        self.port = port
        self.answers: list[tuple[float, int, str, bytes]] = []  # when it was begun, status, reason, content
        self.errors: list[BaseException] = []
        self.over = threading.Event()
        self.visitors = [threading.Thread(target=self.visit) for _ in range(visitors)]

    def visit(self) -> None:
        """One visitor."""
        while not self.over.is_set():
            try:
                begun = time.monotonic()
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
                connection.request("GET", "/", headers={"Host": "site.example", "Connection": "close"})
                answer = connection.getresponse()
                self.answers.append((begun, answer.status, answer.reason, answer.read()))
                connection.close()
                # Or an emulated processor would be theirs alone, and the upgrade would take three times as long.
                self.over.wait(time.monotonic() - begun)
            except Exception as error:  # noqa: BLE001 - a lost request, whatever way: the test tells of all
                self.errors.append(error)

    def __enter__(self) -> Self:
        for visitor in self.visitors:
            visitor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for visitor in self.visitors:
            visitor.join()


@pytest.fixture(scope="module")
def releases(pytestconfig: pytest.Config) -> tuple[Packages, Packages]:
    """This release and the next."""
    report = reporter(pytestconfig)
    return packages(report), packages(report, EDITS)


@pytest.fixture(scope="module")
def installation(boot_vm: BootVm, releases: tuple[Packages, Packages]) -> Iterator[Installation]:
    """A machine with the packages of both releases in /root/rpm, and neither installed."""
    found: list[Path] = [file for release in releases for file in release.paths()]
    files = {f"/root/rpm/{file.name}": (file.read_bytes(), 0o644) for file in found}
    policy = Path(__file__).with_name("rpm_script.cil").read_text()
    recipe = image.Recipe(files=files, modules={"rpm_script": policy}, slim=True)
    with boot_vm(recipe, "package") as machine:
        yield Installation(machine)


def names(release: Packages) -> str:
    """The file names of selsock's own packages."""
    return " ".join(file.name for file in release.paths()[1:])


def test_install(installation: Installation, releases: tuple[Packages, Packages]) -> None:
    """Every dependency is there by name; policy loaded, files labelled, nothing listens yet."""
    assert installation.rpm(f"--install {releases[0].path('fedora-names').name}") == ""
    assert installation.rpm(f"--install {names(releases[0])}") == ""
    assert installation.modules() == ["200 selsock pp", "200 selsock_tenants cil"]
    machine = installation.machine
    # The policy store's own files carry the user of whoever called semodule.
    listed = "rpm -ql selsock selsock-selinux | grep -v ^/var/lib/selinux/"
    assert machine.ssh(f"{listed} | xargs restorecon -nvF").stdout == ""
    assert machine.ssh("systemctl is-enabled selsock.socket", check=False).stdout == "disabled\n"
    assert machine.ssh("systemctl is-active selsock.socket", check=False).stdout == "inactive\n"
    assert machine.ssh("stat -c '%U %G %a' /var/lib/selsock").stdout == "root selsock 750\n"
    assert installation.since_last_time() == []


def test_the_welcome_page(installation: Installation) -> None:
    """systemctl enable --now, and it is served by a process in a tenant's domain."""
    machine = installation.machine
    machine.ssh("systemctl enable --now selsock.socket")
    mark = machine.mark()
    answer = curl(machine.http_port(80), "http://localhost/")
    assert answer.status == 200
    assert "selsock is running" in answer.content
    (record,) = machine.journal("SELSOCK_EVENT=outcome", since=mark)
    assert record["_SELINUX_CONTEXT"].rstrip("\0") == "system_u:system_r:selsock_welcome_t:s0:c1022,c1023"
    assert curl(machine.http_port(80), "http://site.example/").status == 421
    assert installation.since_last_time() == []


def test_a_site_of_ones_own(installation: Installation) -> None:
    """Edit, selsock-generate, served; what was packaged steps back."""
    machine = installation.machine
    machine.put("/srv/site/index.html", PAGE[0])
    machine.put(YAML, SITE.encode())
    machine.ssh(f"selsock-generate {YAML}", timeout=600)
    answer = curl(machine.http_port(80), "http://site.example/")
    assert (answer.status, answer.content) == (200, PAGE[0].decode())
    assert curl(machine.http_port(80), "http://localhost/").status == 421
    assert installation.modules() == ["200 selsock pp", "200 selsock_tenants cil", "400 selsock_tenants cil"]
    assert installation.unit_version() == "0.1.0"
    assert installation.since_last_time() == []


def test_upgrade_under_load(installation: Installation, releases: tuple[Packages, Packages]) -> None:
    """No request is lost, none is answered by half of each release, and who was there before is served to the end."""
    machine = installation.machine
    port = machine.http_port(80)
    socket_since = machine.ssh("systemctl show -P ActiveEnterTimestampMonotonic selsock.socket").stdout
    with socket.create_connection(("127.0.0.1", port), 120) as old:
        old.sendall(b"GET / HTTP/1.1\r\nHost: site.example\r\n")
        with Load(port) as load:
            wait_for(load, "OK")
            # The instance of ``old`` has to run by now: DeferAcceptSec= holds nothing that has sent bytes.
            assert installation.rpm(f"--upgrade {names(releases[1])}") == ""
            wait_for(load, NEXT)
        old.sendall(b"Connection: close\r\n\r\n")
        answer = b""
        while part := old.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(PAGE[0])
    assert load.errors == []
    assert {(status, content) for _, status, _, content in load.answers} == {(200, PAGE[0])}
    assert {reason for _, _, reason, _ in load.answers} == {"OK", NEXT}
    assert installation.unit_version() == "0.1.1"
    assert machine.ssh("ls /usr/lib/selsock").stdout.split() == ["0.1.1-1"]
    assert machine.ssh("systemctl show -P ActiveEnterTimestampMonotonic selsock.socket").stdout == socket_since
    assert machine.ssh(f"cat {YAML}; ls /etc/selsock").stdout == f"{SITE}vhost.yaml\nvhost.yaml.ranges\n"
    # Of the rules before, what they were is still known.
    expected = ["200 selsock pp", "200 selsock_tenants cil", "400 selsock_retired cil", "400 selsock_tenants cil"]
    assert installation.modules() == expected
    assert machine.ssh("seinfo --type=selsock_next_t", timeout=300).stdout.count("selsock_next_t") == 1
    assert machine.journal("SELSOCK_EVENT=fault") == []
    assert installation.since_last_time() == []


def wait_for(load: Load, reason: str, answers: int = 5, patience: float = 300) -> None:
    """Wait until ``answers`` more answers with ``reason`` have come to visitors who came after this was called."""
    start = time.monotonic()
    while sum(begun > start and found == reason for begun, _, found, _ in load.answers) < answers:
        assert load.errors == []
        assert time.monotonic() < start + patience
        time.sleep(0.1)


def test_downgrade(installation: Installation, releases: tuple[Packages, Packages]) -> None:
    """Back to this release, and its units with it."""
    machine = installation.machine
    assert installation.rpm(f"--upgrade --oldpackage {names(releases[0])}") == ""
    assert machine.ssh("ls /usr/lib/selsock").stdout.split() == ["0.1.0-1"]
    assert installation.unit_version() == "0.1.0"
    assert curl(machine.http_port(80), "http://site.example/").content == PAGE[0].decode()
    assert installation.modules() == ["200 selsock pp", "200 selsock_tenants cil", "400 selsock_tenants cil"]
    assert installation.since_last_time() == []


def test_erase(installation: Installation) -> None:
    """What is left is what the user wrote, with the pairs that were given to it, and the system user."""
    machine = installation.machine
    assert installation.rpm("--erase selsock selsock-selinux") == f"warning: {YAML} saved as {YAML}.rpmsave\n"
    assert installation.modules() == []
    assert machine.ssh("grep -rl selsock /var/lib/selinux/default/active", check=False).stdout == ""
    assert machine.ssh("seinfo --type | grep selsock", check=False, timeout=300).stdout == ""
    assert machine.ssh("systemctl is-active selsock.socket; ss -Hltn sport = :80", check=False).stdout == "inactive\n"
    assert machine.ssh("systemctl list-units --all --plain --no-legend '*selsock*'").stdout == ""
    files = installation.files()
    left = files - installation.before
    fedora_names = set(machine.ssh("rpm -ql fedora-names").stdout.split())
    written = {"/srv/site", "/srv/site/index.html"}
    kept = {"/etc/selsock", f"{YAML}.rpmsave", f"{YAML}.ranges"}
    assert left - fedora_names == written | kept
    assert installation.before - files == set()
    assert machine.ssh(f"cat {YAML}.rpmsave").stdout == SITE
    assert machine.ssh("getent passwd selsock | cut -d: -f1").stdout == "selsock\n"
    assert installation.odd() == installation.odd_before
    assert machine.ssh("restorecon -nvRF /srv /etc/selsock").stdout == ""
