# SPDX-License-Identifier: Apache-2.0
"""selsockctl doctor: each check on a machine in a directory, where all is well, and where one thing is not."""

import bz2
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from selsock.ctl.doctor import accounts, examine, labels, state, units
from selsock.ctl.doctor.look import ERROR, OK, UNKNOWN, WARNING, Machine, Said
from selsock.generate import places
from selsock.generate.applied import Applied
from selsock.generate.faults import MachineFault
from selsock.generate.labelling import RECORD
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import APPLIED, POLICY, TABLE, UNITS
from selsock.generate.policy_store import RETIRED
from selsock.generate.prepare import prepare
from selsock.generate.temporary import make
from selsock.handler.kernel import Kernel
from tests.unit.test_generate_apply import FakeSelinux

NOW = 1_800_000_000.0
STORE = "var/lib/selinux/targeted/active/modules"
SOURCE = """\
listen: [80, "192.0.2.1:8080", {unix: /run/selsock/http.sock, peer: {user: 0, type: haproxy_t}, proxy: protocol}]
limits: {connections: 10, memory: 16M}
domains: {public: {}, app: {python: true}}
vhosts:
  a.example:
    root: /srv/a
    domain: app
    range: s0:c1
    auth: {basic: {realm: x, file: /etc/selsock/a.htpasswd}}
    content: {/data: {access: write}}
    login: [dog, cat]
    contexts: [{any: true}]
    locations: {/: {static: {directory: /htdocs}}, /app: {wsgi: {application: "a:b"}}}
"""
# ::ffff:… is not written for what IPv6 takes of IPv4; 50 is 80, 1F90 is 8080.
TCP = (
    "  sl  local_address rem_address   st\n   0: 010200C0:1F90 00000000:0000 0A\n   1: 0100007F:0019 00000000:0000 01\n"
)
TCP6 = "  sl  local_address rem_address st\n   0: 00000000000000000000000000000000:0050 0:0 0A\n"
UNIX = "Num RefCount Protocol Flags Type St Inode Path\n0: 2 0 00010000 0001 01 77 /run/selsock/http.sock\n1: 2 0 0 1 3 78\n"
DENIED = (
    'type=AVC msg=audit({when}.123:77): avc:  denied  {{ read }} for  pid=1 comm="x" name="y" '
    "scontext=system_u:system_r:{source}:s0 tcontext=system_u:object_r:{target}:s0 tclass=dir permissive=0\n"
)


class FakeKernel(Kernel):
    """SELinux that enforces, and knows every context but those of ``unknown``."""

    def __init__(self) -> None:
        super().__init__()
        self.mode = "enforcing"
        self.unknown: set[str] = set()
        self.permissive: set[str] = set()

    def watch(self) -> str:
        return self.mode

    def knows(self, context: str) -> bool:
        return context.split(":")[2] not in self.unknown

    def is_permissive(self, context: str) -> bool:
        return context.split(":")[2] in self.permissive


class FakeMachine(Machine):
    """A machine in the directory ``root``, on which ``SOURCE`` is in force."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.kernel: FakeKernel = FakeKernel()
        self.shown: dict[str, dict[str, str]] = {
            "selsock.socket": {
                "LoadState": "loaded",
                "ActiveState": "active",
                "UnitFileState": "enabled",
                "NeedDaemonReload": "no",
                "NConnections": "3",
                "NRefused": "0",
            },
            "selsock-identify.socket": {"ActiveState": "active"},
            "selsock-identify.service": {"ActiveState": "inactive"},
        }
        self.journal: list[dict[str, Any]] = []
        self.labels: dict[str, str] = {}
        self.sshd = "subsystem sftp /usr/lib/openssh/sftp-server\ndisableforwarding yes\nforcecommand none\n"
        self.asked: list[str] = []
        self.put("etc/selinux/targeted/seusers", b"# of us\ndog:selsock_app_u:s0:c1-s0:c1\ncat:selsock_app_u:s0:c1\n")
        self.put("etc/selsock/vhost.yaml", SOURCE.encode())
        self.put("etc/selinux/config", b"# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
        self.put("var/log/audit/audit.log", self.denied(7200, "selsock_app_t", "etc_t"))
        for name, text in (
            ("net/tcp", TCP),
            ("net/tcp6", TCP6),
            ("net/unix", UNIX),
            ("meminfo", "MemTotal: 204800 kB\n"),
        ):
            self.put(f"proc/{name}", text.encode())
        self.apply()
        for path in ("srv/a/data", "srv/a/htdocs"):
            (root / path).mkdir(parents=True)

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(mode)

    def apply(self) -> None:
        """Write what ``SOURCE`` becomes, and put its policy into the store."""
        applied = Applied(Path("/etc/selsock/vhost.yaml"), (self.root / "etc/selsock/vhost.yaml").read_bytes())
        configuration, plan = prepare(applied.source, applied.data, self.root)
        for artifact in plan.artifacts:
            self.put(artifact.path, artifact.data, artifact.mode)
        self.put(f"{STORE}/400/selsock_tenants/cil", bz2.compress(plan.artifact(POLICY).data))
        make((directory for site in configuration.sites for directory in site.directories), self.root, labelled=False)

    def denied(self, before: int, source: str, target: str) -> bytes:
        """A denial, so many seconds ago."""
        return DENIED.format(when=int(NOW) - before, source=source, target=target).encode()

    def selinux(self) -> Selinux:
        return FakeSelinux(set(), labels=self.labels)

    def run(self, command: list[str]) -> str:
        assert command[:3] == ["sshd", "-T", "-C"]
        self.asked.append(command[3])
        return self.sshd

    def show(self, unit: str, *names: str) -> dict[str, str]:
        return {name: self.shown[unit][name] for name in names if name in self.shown[unit]}

    def records(self, seconds: float, **fields: str) -> Iterator[dict[str, Any]]:
        yield from (record for record in self.journal if fields.items() <= record.items())

    def now(self) -> float:
        return NOW

    def said(self, check: str) -> list[Said]:
        """What one check says."""
        return [said for name, said in examine.examine(self) if name == check]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A machine on which all is well; labels are told by ``labels`` alone."""
    me = (os.geteuid(), os.getegid())
    monkeypatch.setattr("selsock.generate.temporary.numbers", lambda owner: me)
    monkeypatch.setattr(state, "numbers", lambda owner: me)
    monkeypatch.setattr(accounts, "exists", lambda account: account != "bird")
    made = FakeMachine(tmp_path)
    wanted = {
        "/srv/a": "selsock_app_content_t:s0:c1",
        "/srv/a/data": "selsock_app_rw_t:s0:c1",
        "/var/cache/selsock/a.example": "selsock_app_tmp_t:s0:c1",
    }
    made.labels |= {"/etc/selsock": "system_u:object_r:selsock_passwd_t:s0"}

    def label_of(descriptor: int) -> str:
        path = os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(str(tmp_path))
        inner = max((tree for tree in wanted if places.within(path, tree)), key=len, default="")
        return made.labels.get(f"found {path}", wanted.get(inner, "selsock_passwd_t:s0"))

    monkeypatch.setattr(labels, "label_of", label_of)
    return made


def test_all_is_well(machine: FakeMachine) -> None:
    """Every check has looked, none has found anything; none said nothing."""
    found = examine.examine(machine)
    assert [said for _, said in found if said.severity != OK] == []
    names = [name for name, _ in (*examine.EVERYWHERE, *examine.IN_FORCE)]
    assert sorted({name for name, _ in found}) == sorted(["configuration", *names])


def edit(machine: FakeMachine, path: str, data: bytes) -> None:
    """Write a file of the machine, with the mode that it has."""
    place = machine.root / path
    place.write_bytes(data)


AGAIN = "selsock-generate /etc/selsock/vhost.yaml"
TENANTS = "cd $(mktemp -d) && cp /var/lib/selsock/selsock_tenants.cil . && semodule -X 400 -i selsock_tenants.cil"


def test_mode(machine: FakeMachine) -> None:
    machine.kernel.mode = "permissive"
    served = "every request is answered with 503"
    assert machine.said("mode") == [Said(ERROR, f"SELinux is permissive: {served}", "setenforce 1")]
    machine.kernel.mode = "disabled"
    mend = "set SELINUX=enforcing in /etc/selinux/config, and boot"
    assert machine.said("mode") == [Said(ERROR, f"SELinux is disabled: {served}", mend)]
    for check in ("policy", "store", "permissive", "labels", "denials"):
        assert machine.said(check) == [], "there is nothing to look at"


def test_mode_that_need_not_enforce(machine: FakeMachine) -> None:
    """selinux: optional is a warning, and so is what it leads to."""
    machine.put("etc/selsock/vhost.yaml", b"selinux: optional\n" + SOURCE.encode())
    machine.apply()
    machine.kernel.mode = "disabled"
    (said,) = machine.said("mode")
    assert (said.severity, said.what) == (
        WARNING,
        "SELinux is disabled: everything is served unconfined, as vhost.yaml allows",
    )
    (said,) = machine.said("configuration")
    assert said == Said(WARNING, "selinux: optional serves without confinement where SELinux does not enforce")


def test_mode_after_the_next_boot(machine: FakeMachine) -> None:
    machine.put("etc/selinux/config", b"SELINUX=Permissive\n")
    what = "/etc/selinux/config has SELINUX=permissive for the next boot"
    assert machine.said("mode")[1:] == [Said(WARNING, what, "set SELINUX=enforcing in /etc/selinux/config")]


def test_policy(machine: FakeMachine) -> None:
    """The base module; and the tenants of the table's generation."""
    (well,) = machine.said("policy")
    generation = well.what.rpartition(" ")[2]
    machine.kernel.unknown = {f"selsock_generation_{generation}"}
    what = f"the loaded policy is not of the table's generation {generation}: nobody is served"
    assert machine.said("policy") == [Said(ERROR, what, AGAIN)]
    machine.kernel.unknown = {"selsock_t"}
    what = "the policy module selsock is not loaded: nobody is served"
    assert machine.said("policy") == [Said(ERROR, what, "install the package selsock-selinux")]


def test_store(machine: FakeMachine) -> None:
    """Missing, disabled, another; plain or compressed is the same."""
    kept = machine.root / STORE / "400/selsock_tenants/cil"
    policy = (machine.root / POLICY).read_bytes()
    kept.write_bytes(policy)
    assert [said.severity for said in machine.said("store")] == [OK]
    kept.write_bytes(bz2.compress(b"; of another release\n" + policy))
    assert [said.severity for said in machine.said("store")] == [OK]
    kept.write_bytes(bz2.compress(policy + b"(type stranger_t)"))
    what = f"the policy store has a module selsock_tenants that is not /{POLICY}"
    assert machine.said("store") == [Said(WARNING, what, TENANTS)]
    machine.put(f"{STORE}/disabled/selsock_tenants", b"")
    what = "the module selsock_tenants is disabled: a rebuild of the policy would drop the tenants"
    assert machine.said("store") == [Said(WARNING, what, "semodule -e selsock_tenants")]
    kept.unlink()
    what = "the policy store has no module selsock_tenants: a rebuild of the policy would drop the tenants"
    assert machine.said("store") == [Said(WARNING, what, TENANTS)]


def test_permissive(machine: FakeMachine) -> None:
    """A tenant, our own, and one that this machine has not."""
    machine.kernel.permissive = {"selsock_app_t", "selsock_t", "selsock_sql_t"}
    machine.kernel.unknown = {"selsock_sql_t"}
    assert machine.said("permissive") == [
        Said(
            ERROR,
            "the domain selsock_app_t is permissive: nothing confines it, and its visitors are answered with 503",
            "semanage permissive -d selsock_app_t",
        ),
        Said(ERROR, "the domain selsock_t is permissive: nothing confines it", "semanage permissive -d selsock_t"),
    ]


def test_denials(machine: FakeMachine) -> None:
    """Recent ones of ours: as who is denied, and as what is."""
    log = "var/log/audit/audit.log"
    assert [said.what for said in machine.said("denials")] == ["the last denial was 2 hours ago"]
    machine.put(log, machine.denied(86400 * 3, "httpd_t", "selsock_app_content_t"))
    assert [said.what for said in machine.said("denials")] == ["the last denial was 3 days ago"]
    machine.put(log, machine.denied(10, "httpd_t", "etc_t") + b"type=USER_AVC msg=audit(1.0:1): \xff\n")
    assert machine.said("denials") == [Said(OK, "no denial is on record")]
    machine.put(log, machine.denied(3700, "selsock_t", "a_t") + 2 * machine.denied(60, "selsock_app_t", "etc_t"))
    what = "2 denials in the last hour, the last one 1 minute ago: selsock_app_t was denied read of dir on etc_t"
    assert machine.said("denials") == [Said(WARNING, what, "ausearch -m AVC -ts recent")]


def test_denials_of_the_journal(machine: FakeMachine) -> None:
    """Where there is no file; and where there is no audit record at all."""
    (machine.root / "var/log/audit/audit.log").unlink()
    what = "there is no audit log to read, neither a file nor in the journal"
    assert machine.said("denials") == [Said(UNKNOWN, what, "install auditd")]
    line = machine.denied(0, "selsock_app_t", "etc_t").decode().partition(": ")[2]
    when = datetime.fromtimestamp(NOW - 5, UTC)
    machine.journal.append({"_TRANSPORT": "audit", "MESSAGE": f"AVC {line}", "__REALTIME_TIMESTAMP": when})
    (said,) = machine.said("denials")
    assert (said.severity, said.what[:55]) == (WARNING, "1 denial in the last hour, the last one less than a min")


def test_source(machine: FakeMachine) -> None:
    machine.put("etc/selsock/vhost.yaml", SOURCE.encode() + b"\n")
    mend = "selsock-generate --diff /etc/selsock/vhost.yaml"
    what = "/etc/selsock/vhost.yaml differs from what is in force"
    assert machine.said("source") == [Said(WARNING, what, mend)]
    (machine.root / "etc/selsock/vhost.yaml").unlink()
    what = "/etc/selsock/vhost.yaml is gone; what is in force stays so"
    assert machine.said("source") == [Said(WARNING, what, mend)]


def test_interrupted(machine: FakeMachine) -> None:
    """Before the table, while labels were set, and before what is no longer used was dropped."""
    record = json.dumps({"/srv/a": {"": "x"}, "/srv/b": None}).encode()
    machine.put(RECORD, record)
    assert machine.said("interrupted") == [Said(WARNING, "/srv/b was not labelled in full", AGAIN)]
    machine.put(RECORD, b"{}")
    machine.put(RETIRED, b"(type selsock_old_t)\n(typeattributeset selsock_tenant_domain (selsock_old_t))\n")
    what = "the policy still has what is no longer used, for processes that were in it"
    assert machine.said("interrupted") == [Said(WARNING, what, AGAIN)]
    (machine.root / RETIRED).unlink()
    edit(machine, POLICY, b"(type selsock_generation_0123456789abcdef)\n")
    what = "an apply was interrupted: what was in force before it is served"
    assert machine.said("interrupted") == [Said(WARNING, what, AGAIN)]


def test_files(machine: FakeMachine) -> None:
    """A table of another content, mode, or none at all; the policy's text."""
    table = machine.root / TABLE
    table.chmod(0o600)
    (said,) = machine.said("files")
    assert (said.severity, said.mend) == (ERROR, AGAIN)
    assert said.what == f"{table} does not belong to root:selsock 0640"
    table.chmod(0o640)
    edit(machine, POLICY, b"")
    what = f"{machine.root / POLICY} is not what this selsock makes of what is in force"
    assert machine.said("files") == [Said(WARNING, what, AGAIN)]
    table.unlink()
    assert Said(ERROR, f"{table} is missing", AGAIN) in machine.said("files")
    assert machine.said("policy") == [
        Said(UNKNOWN, f"can not be looked at: {table}: No such file or directory"),
    ]


def test_source_that_is_no_good_configuration_here(machine: FakeMachine) -> None:
    """As with a user who is gone from this machine; what needs no configuration is still looked at."""
    applied = Applied(Path("/etc/selsock/vhost.yaml"), SOURCE.replace("user: 0", "user: gone").encode())
    machine.put(APPLIED, applied.compose())
    found = examine.examine(machine)
    (said,) = machine.said("configuration")
    assert said.severity == ERROR
    assert said.what.endswith("expected a user or group that this machine has, not 'gone'")
    assert {name for name, _ in found} <= {"configuration", "mode", "policy", "socket", "denials"}


def test_nothing_is_applied(machine: FakeMachine) -> None:
    (machine.root / APPLIED).unlink()
    found = examine.examine(machine)
    assert {said.severity for _, said in found} == {OK}
    assert found[0][1].what == "nothing is applied: the packaged configuration serves its own page"


def test_socket(machine: FakeMachine) -> None:
    """Not active, masked, not enabled, not read again."""
    shown = machine.shown["selsock.socket"]
    shown |= {"ActiveState": "failed", "UnitFileState": "disabled", "NeedDaemonReload": "yes"}
    assert machine.said("socket") == [
        Said(
            ERROR,
            "selsock.socket is failed: nobody can connect",
            "systemctl start selsock.socket; systemctl status selsock.socket",
        ),
        Said(
            WARNING, "selsock.socket is not enabled: after a reboot nobody listens", "systemctl enable selsock.socket"
        ),
        Said(WARNING, "systemd has not read selsock.socket as it is now", "systemctl daemon-reload"),
    ]
    shown |= {"LoadState": "masked", "UnitFileState": "masked", "NeedDaemonReload": "no"}
    (said,) = machine.said("socket")
    assert said.what == "selsock.socket is masked: nobody can connect"


@pytest.mark.parametrize(
    ("name", "text", "missing"),
    [("tcp6", "", "80"), ("tcp", "", "192.0.2.1:8080"), ("unix", "\n", "/run/selsock/http.sock")],
)
def test_socket_that_listens_elsewhere(machine: FakeMachine, name: str, text: str, missing: str) -> None:
    machine.put(f"proc/net/{name}", text.encode())
    what = f"selsock.socket is active, and nobody listens on {missing}"
    assert machine.said("socket") == [Said(ERROR, what, "systemctl restart selsock.socket")]


def test_socket_without_ipv6(machine: FakeMachine) -> None:
    """systemd listens on IPv4 then."""
    machine.put("proc/net/tcp", TCP.encode() + b"   2: 00000000:0050 00000000:0000 0A\n")
    (machine.root / "proc/net/tcp6").unlink()
    assert [said.severity for said in machine.said("socket")] == [OK]


def test_addresses_of_proc_are_read() -> None:
    """As the kernel of a little-endian machine writes them."""
    assert str(units.parsed("0100007F")) == "127.0.0.1"
    assert str(units.parsed("B80D0120000000000000000001000000")) == "2001:db8::1"


def test_units(machine: FakeMachine) -> None:
    """Edited, somebody else's, masked, a link, missing; a drop-in is named, and no fault."""
    place = machine.root / UNITS / "selsock@.service"
    written = place.read_bytes()
    mend = f"{AGAIN}; changes of your own go into systemctl edit selsock@.service"
    edit(machine, UNITS + "selsock@.service", written + b"User=root\n")
    assert machine.said("units") == [Said(WARNING, f"{place} differs from what this selsock writes", mend)]
    edit(machine, UNITS + "selsock@.service", b"[Service]\n")
    assert machine.said("units") == [Said(WARNING, f"{place} is somebody else's", mend)]
    place.unlink()
    assert machine.said("units") == [Said(WARNING, f"{place} is missing", mend)]
    place.symlink_to("/elsewhere")
    assert machine.said("units") == [Said(WARNING, f"{place} is a link", mend)]
    place.unlink()
    place.symlink_to("/dev/null")
    assert machine.said("units") == [Said(ERROR, f"{place} is masked", f"systemctl unmask selsock@.service; {AGAIN}")]
    place.unlink()
    place.write_bytes(written)
    machine.put(UNITS + "selsock@.service.d/own.conf", b"")
    assert machine.said("units")[0] == Said(OK, f"{place}.d/own.conf adds to selsock@.service")
    assert {said.severity for said in machine.said("units")} == {OK}


def test_services(machine: FakeMachine) -> None:
    machine.shown["selsock-identify.socket"]["ActiveState"] = "inactive"
    machine.shown["selsock-identify.service"]["ActiveState"] = "failed"
    assert machine.said("services") == [
        Said(
            ERROR,
            "selsock-identify.socket is inactive: nobody can sign in",
            "systemctl start selsock-identify.socket; systemctl status selsock-identify.socket",
        ),
        Said(
            ERROR,
            "selsock-identify.service has failed: nobody can sign in",
            "systemctl reset-failed selsock-identify.service; systemctl status selsock-identify.service",
        ),
    ]


def test_limits(machine: FakeMachine) -> None:
    """More than there is; nearly reached; reached."""
    assert machine.said("limits") == [Said(OK, "there are 3 connections of 10 at most, and none was turned away")]
    machine.put("proc/meminfo", b"MemFree: 1 kB\nMemTotal: 163839 kB\n")
    machine.shown["selsock.socket"] |= {"NConnections": "8", "NRefused": "5"}
    assert [said.what for said in machine.said("limits")] == [
        "10 connections of 16M are more than the 159M of this machine",
        "there are 8 connections of 10 at most",
        "5 connections were turned away since selsock.socket was started",
    ]
    assert {said.severity for said in machine.said("limits")} == {WARNING}


def test_temporary(machine: FakeMachine) -> None:
    """Missing, open to others, no directory."""
    place = machine.root / "var/cache/selsock/a.example"
    place.chmod(0o755)
    what = f"{place}, for temporary files, does not belong to selsock 0700"
    assert machine.said("temporary") == [Said(ERROR, what, AGAIN)]
    place.rmdir()
    assert machine.said("temporary") == [Said(ERROR, f"{place}, for temporary files, is missing", AGAIN)]
    place.symlink_to(machine.root)
    assert machine.said("temporary") == [Said(ERROR, what, AGAIN)]


def test_temporary_files_of_another_owner(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "numbers", lambda owner: (4711, 4711))
    (said,) = machine.said("temporary")
    assert said.severity == ERROR


def test_labels_of_our_own_files(machine: FakeMachine) -> None:
    """Compared with the policy's file contexts; user and role do not count, and what they do not know is not looked at."""
    machine.labels["/etc/selsock"] = "unconfined_u:object_r:selsock_passwd_t:s0"
    assert [said.severity for said in machine.said("labels")] == [OK]
    machine.labels["found /etc/selsock"] = "etc_t:s0"
    what = "/etc/selsock is labelled etc_t:s0, not selsock_passwd_t:s0"
    assert machine.said("labels") == [Said(ERROR, what, "restorecon -RF /etc/selsock")]


def test_labels_of_content(machine: FakeMachine) -> None:
    """The root, and samples of what is there; what a tenant has written may have his level; links are left alone."""
    machine.put("srv/a/htdocs/deep", b"")
    for name in ("one", "two"):
        machine.put(f"srv/a/{name}", b"")
        machine.labels[f"found /srv/a/{name}"] = "selsock_app_content_t:s0"
    (machine.root / "srv/a/link").symlink_to("/etc")
    machine.labels["found /srv/a/link"] = "etc_t:s0"
    machine.labels["found /srv/a/htdocs/deep"] = "etc_t:s0"
    machine.put("srv/a/data/new", b"")
    machine.labels["found /srv/a/data/new"] = "selsock_app_rw_t:s0:c1,c7"
    what = "2 entries of /srv/a of those looked at lack its label, such as /srv/a/one (selsock_app_content_t:s0)"
    assert machine.said("labels") == [Said(WARNING, what, "restorecon -RF /srv/a")]
    machine.labels["found /srv/a"] = ""
    what = "/srv/a is labelled not at all, not selsock_app_content_t:s0:c1"
    assert machine.said("labels") == [Said(ERROR, what, "restorecon -RF /srv/a")]


def test_labels_of_what_is_not_there(machine: FakeMachine) -> None:
    shutil.rmtree(machine.root / "srv/a")
    assert machine.said("labels") == [
        Said(WARNING, "/srv/a does not exist"),
        Said(WARNING, "/srv/a/data does not exist"),
    ]
    (machine.root / "srv/a").symlink_to("/etc")
    assert machine.said("labels") == [
        Said(ERROR, "/srv/a is not reached: a link, and no link is followed on the way"),
        Said(ERROR, "/srv/a/data is not reached: Not a directory, and no link is followed on the way"),
    ]


def test_proxy(machine: FakeMachine) -> None:
    """Many closings on one listener of ours; what claims to be of another is nobody's."""
    closed = {"SELSOCK_EVENT": "closed", "SELSOCK_LISTENER": "80"}
    machine.journal = 59 * [closed] + 100 * [closed | {"SELSOCK_LISTENER": "9"}] + 100 * [{"SELSOCK_EVENT": "outcome"}]
    assert [said.severity for said in machine.said("proxy")] == [OK]
    machine.journal.append(closed)
    (said,) = machine.said("proxy")
    assert (said.severity, said.what) == (
        WARNING,
        (
            "60 connections on 80 were closed in the last hour, since the next request belonged elsewhere: "
            "a proxy shares connections among visitors"
        ),
    )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (MachineFault("systemctl failed"), "systemctl failed"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied"),
        (OSError("half taken"), "half taken"),
        (ValueError("not of version 1"), "not of version 1"),
    ],
)
def test_what_can_not_be_looked_at_is_said(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, wrong: Exception, reason: str
) -> None:
    """And the other checks go on; who is not root hears that he might be."""

    def show(unit: str, *names: str) -> dict[str, str]:
        raise wrong

    monkeypatch.setattr(machine, "show", show)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for check in ("socket", "services", "limits"):
        assert machine.said(check)[-1] == Said(UNKNOWN, f"can not be looked at: {reason}", "run it as root")
    assert [said.severity for said in machine.said("permissive")] == [OK]


def test_what_is_in_force_may_not_be_read(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(root: Path) -> None:
        raise PermissionError(13, "Permission denied", "/var/lib/selsock/maps")

    monkeypatch.setattr(state, "read", read)
    (said,) = machine.said("configuration")
    assert (said.severity, said.what) == (UNKNOWN, "can not be looked at: /var/lib/selsock/maps: Permission denied")
    machine.kernel.mode = "permissive"
    what = "SELinux is permissive: what vhost.yaml says of that is not known"
    assert machine.said("mode") == [Said(WARNING, what, "setenforce 1")]


def test_words_and_status() -> None:
    """The worst decides; what is well is shown on request."""
    well, bad = ("mode", Said(OK, "fine")), ("socket", Said(WARNING, "odd", "mend it"))
    assert examine.in_words([well], False) == "nothing is wrong: 1 looks\n"
    assert examine.in_words([well, bad], False) == "warning socket        odd → mend it\n1 warning\n"
    assert examine.in_words([well], True) == "ok      mode          fine\nnothing is wrong: 1 looks\n"
    assert json.loads(examine.in_json([bad])) == [
        {"check": "socket", "severity": "warning", "what": "odd", "mend": "mend it"}
    ]


def test_a_thousand_findings_are_ten_lines() -> None:
    """As when labels were lost on all of a machine; they are counted all the same."""
    found = [("labels", Said(ERROR, f"/srv/{number} has none")) for number in range(1000)]
    lines = examine.in_words(found, False).splitlines()
    assert lines[9:] == [
        "error   labels        /srv/9 has none",
        "        labels        and more: --verbose shows all",
        "1000 error",
    ]
    assert len(examine.in_words(found, True).splitlines()) == 1001


@pytest.mark.parametrize(("severity", "status"), [(OK, 0), (UNKNOWN, 1), (WARNING, 1), (ERROR, 3)])
def test_status_is_that_of_the_worst(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], severity: str, status: int
) -> None:
    found = [("mode", Said(OK, "fine")), ("socket", Said(severity, "x")), ("units", Said(OK, "fine"))]
    monkeypatch.setattr(examine, "examine", lambda machine: found)
    assert examine.run(True, False) == status
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_logins_that_are_well(machine: FakeMachine) -> None:
    assert machine.said("accounts") == [Said(OK, "2 logins were looked at")]
    assert machine.said("sshd") == [Said(OK, "sshd does nothing for logins outside of their domains")]
    assert set(machine.asked) == {f"user={name},host=localhost,addr=127.0.0.1" for name in ("cat", "dog")}


def test_a_login_without_an_account(machine: FakeMachine) -> None:
    text = SOURCE.replace("[dog, cat]", "bird")
    machine.put("etc/selsock/vhost.yaml", text.encode())
    machine.put("etc/selinux/targeted/seusers", b"bird:selsock_app_u:s0:c1-s0:c1\n")
    machine.apply()
    assert machine.said("accounts") == [
        Said(WARNING, "login bird: this machine has no such account", "useradd bird"),
        Said(OK, "1 logins were looked at"),
    ]


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("dog:unconfined_u:s0-s0:c0.c1023", "unconfined_u:s0-s0:c0.c1023"),
        ("dog:selsock_app_u:s0:c2-s0:c2", "selsock_app_u:s0:c2-s0:c2"),
        ("# dog:selsock_app_u:s0:c1", "nothing of its own"),
    ],
)
def test_a_login_that_is_mapped_otherwise(machine: FakeMachine, line: str, given: str) -> None:
    """By an administrator, to whom semanage gives the last word, or not at all: the default is no confined user."""
    machine.put("etc/selinux/targeted/seusers", f"{line}\ncat:selsock_app_u:s0:c1\n".encode())
    what = f"login dog is mapped to {given}, not to selsock_app_u:s0:c1-s0:c1: it is not confined to its content"
    assert machine.said("accounts")[0] == Said(ERROR, what, "semanage login -d dog")


@pytest.mark.parametrize("line", ["subsystem sftp internal-sftp", "forcecommand internal-sftp"])
def test_sftp_in_sshd_itself(machine: FakeMachine, line: str) -> None:
    machine.sshd = f"{line}\ndisableforwarding yes\n"
    (said,) = machine.said("sshd")
    assert said == Said(
        ERROR,
        "sshd serves sftp for cat, dog itself (internal-sftp), in its own domain and not in theirs",
        f"{accounts.SFTP}, in sshd_config, and no ForceCommand internal-sftp",
    )


def test_sshd_that_forwards(machine: FakeMachine) -> None:
    machine.sshd = machine.sshd.replace("disableforwarding yes", "disableforwarding no")
    what = "sshd forwards connections for cat, dog, to this machine's own services, too"
    assert machine.said("sshd") == [Said(WARNING, what, "DisableForwarding yes, in sshd_config")]
