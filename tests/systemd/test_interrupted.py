# SPDX-License-Identifier: Apache-2.0
"""An apply that is killed at any step, or stopped by the disk or the policy store: what was in force serves, or what is
new does, and the next run completes it.

Natively: a root tree with the packages, a real semodule and a policy store that is small enough for many runs.  strace(1)
of the host kills the program at the entry to a system call; what it has started by then goes on, as in real life.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selsock.generate.compiled import records
from selsock.model import Table, Vhost
from tests.machines.commands import PATH, run
from tests.machines.evidence import reporter
from tests.machines.install import write_files
from tests.machines.packages import install, packages
from tests.machines.slim import slim
from tests.machines.trees import overlay, run_in, tree

APPLY = Path(__file__).parents[1] / "machines/apply_natively.py"
PROGRAM = "/root/apply_natively.py"
SOURCE = "etc/selsock/vhost.yaml"
STATE = ("var/lib/selsock", "etc/systemd/system", "etc/selsock")
TABLE = "var/lib/selsock/table.cdb"
BEFORE = """
domains: {public: {}, leaving: {}}
vhosts:
  a.example: {root: /srv/vhosts/a, domain: public, range: auto, contexts: [{any: true}]}
  b.example: {root: /srv/vhosts/b, domain: leaving, range: auto, contexts: [{any: true}]}
  c.example: {root: /srv/vhosts/c, domain: public, range: auto, contexts: [{any: true}]}
"""
# One vhost gets another domain, one goes with its domain, one comes, one stays as it was; and a unit changes.
AFTER = """
domains: {public: {}, coming: {}}
limits: {connections: 65}
vhosts:
  a.example: {root: /srv/vhosts/a, domain: coming, range: auto, contexts: [{any: true}]}
  c.example: {root: /srv/vhosts/c, domain: public, range: auto, contexts: [{any: true}]}
  d.example: {root: /srv/vhosts/d, domain: coming, range: auto, contexts: [{any: true}]}
"""
# Each changes something that somebody else can see: files in place, labels, programs that are started, files that go.
CALLS = ("rename", "vfork", "setxattr", "unlink")


class Machine:
    """A root tree in which the configuration BEFORE is in force."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def apply(self, source: str, *strace: str) -> subprocess.CompletedProcess[str]:
        """Write ``source`` and apply it, under strace with these options; wait for what it leaves running, too."""
        (self.root / SOURCE).write_text(source)
        inside = (
            'mount --make-rprivate /; mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev";'
            f' exec chroot "$0" /usr/bin/python3 -ISB {PROGRAM} /{SOURCE}'
        ).replace("-ISB", "-IB")
        command = ["unshare", "--mount", "sh", "-euc", inside, str(self.root)]
        traced = ["strace", "--quiet=all", "--output=/dev/null", *strace] if strace else []
        done = subprocess.run(
            [*traced, *command], env={"PATH": PATH}, capture_output=True, text=True, check=False, timeout=300
        )
        while self.is_at_work():
            time.sleep(0.05)
        return done

    def is_at_work(self) -> bool:
        """Whether a process lives in this tree."""
        for process in Path("/proc").glob("[0-9]*/root"):
            try:
                if os.readlink(process) == str(self.root):
                    return True
            except OSError:
                continue
        return False

    def policy(self) -> bytes:
        """The policy that a kernel would load."""
        (policy,) = (self.root / "etc/selinux/default/policy").glob("policy.*")
        return policy.read_bytes()

    def table(self) -> tuple[str, list[Vhost]]:
        """The generation and the vhosts of the table in force."""
        found = list(records((self.root / TABLE).read_bytes()))
        vhosts = [Vhost.parse(value.encode()) for key, value in found if key.startswith("host ")]
        return Table.parse(dict(found)["table"].encode()).generation, vhosts

    def label(self, path: str) -> str:
        """Type and level of a file."""
        value = os.getxattr(self.root / path.lstrip("/"), "security.selinux").decode().strip("\0")
        return value.partition(":object_r:")[2]

    def state(self) -> dict[str, object]:
        """All that an apply leaves: files, our modules in the store, labels."""
        files = {
            str(path.relative_to(self.root)): path.read_bytes()
            for name in STATE
            for path in sorted((self.root / name).rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        found: dict[str, object] = {**files}
        modules = run_in(self.root, ["semodule", "-lfull"]).stdout.splitlines()
        found["modules"] = [line.split() for line in modules if line.startswith("400")]
        found["policy"] = sorted(set(re.findall(rb"selsock_[a-z0-9_]+", self.policy())))
        roots = (self.root / "srv/vhosts").rglob("*")
        found["labels"] = {str(path): self.label(str(path.relative_to(self.root))) for path in sorted(roots)}
        found["labels"] = json.dumps(found["labels"]).replace(str(self.root), "")
        return found


def serves(machine: Machine, labels: dict[str, set[str]]) -> None:
    """What the handler insists on, of the table in force: its generation and its types are in the policy.

    Of labels: each root has that of a configuration that one of the runs had.
    """
    generation, vhosts = machine.table()
    policy = machine.policy()
    assert f"selsock_generation_{generation}".encode() in policy
    for vhost in vhosts:
        for location in vhost.locations:
            for rule in location.rules:
                assert f"{rule.context.type}\0".encode() in policy or str(rule.context.type).encode() in policy
        assert machine.label(vhost.root) in labels[vhost.root]


@pytest.fixture(scope="module")
def before(pytestconfig: pytest.Config) -> Iterator[Machine]:
    """The machine on which BEFORE is in force.  Nobody changes it: a test works on an overlay."""
    report = reporter(pytestconfig)
    with overlay(tree("trixie", report)) as root:
        install(root, packages(report).paths())
        slim(root)
        pages = {f"/srv/vhosts/{name}/{file}": (b"x", 0o644) for name in "abcd" for file in ("index.html", "x/y.html")}
        write_files(root, pages)
        write_files(root, {PROGRAM: (APPLY.read_bytes(), 0o644)})
        run_in(root, ["setfiles", "-F", "/etc/selinux/default/contexts/files/file_contexts", "/srv"], mounts=False)
        machine = Machine(root)
        done = machine.apply(BEFORE)
        assert (done.returncode, done.stderr) == (0, "")
        yield machine


@contextmanager
def copy(before: Machine) -> Iterator[Machine]:
    """A machine that is in the same state."""
    with overlay(before.root) as root:
        yield Machine(root)


@pytest.fixture(scope="module")
def after(before: Machine) -> dict[str, object]:
    """What an undisturbed apply of AFTER leaves."""
    with copy(before) as machine:
        done = machine.apply(AFTER)
        assert (done.returncode, done.stderr) == (0, "")
        return machine.state()


def labels_of(*states: dict[str, object]) -> dict[str, set[str]]:
    """Which labels a root has in any of ``states``."""
    found: dict[str, set[str]] = {}
    for state in states:
        for path, label in json.loads(str(state["labels"])).items():
            found.setdefault(path, set()).add(label)
    return found


def differing(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """The names of what is not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def calls(machine: Machine, call: str, tmp_path: Path) -> int:
    """How often an undisturbed apply makes the system call."""
    log = tmp_path / call
    done = machine.apply(AFTER, f"--trace={call}", f"--output={log}")
    assert done.returncode == 0, done.stderr
    return sum(line.startswith(call) for line in log.read_text().splitlines())


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_every_step(before: Machine, after: dict[str, object], call: str, tmp_path: Path) -> None:
    labels = labels_of(before.state(), after)
    with copy(before) as machine:
        count = calls(machine, call, tmp_path)
    assert count > 3, "else nothing is tried here"
    # Labels are many, and one is like the other; so are names that go.
    for number in {1, count // 2, count - 1, count} if call in ("setxattr", "unlink") else range(1, count + 1):
        with copy(before) as machine:
            killed = machine.apply(AFTER, f"--trace={call}", f"--inject={call}:signal=SIGKILL:when={number}")
            assert killed.returncode == 137 or killed.returncode == -9, (number, killed.stderr)
            serves(machine, labels)
            done = machine.apply(AFTER)
            assert (done.returncode, done.stderr) == (0, ""), number
            assert differing(machine.state(), after) == [], (number, killed.stdout, done.stdout)


@pytest.mark.parametrize(("call", "number"), [("setxattr", 3), ("rename", 6)])
def test_killed_and_then_back(before: Machine, call: str, number: int) -> None:
    """What was in force is applied again: nothing of the other configuration is left, but for a number in the ledger."""
    start = before.state()
    with copy(before) as machine:
        machine.apply(AFTER, f"--trace={call}", f"--inject={call}:signal=SIGKILL:when={number}")
        done = machine.apply(BEFORE)
        assert (done.returncode, done.stderr) == (0, "")
        back = machine.state()
        ledgers = {f"{SOURCE}.ranges", "var/lib/selsock/ranges"}
        inert = {"modules", "policy", "var/lib/selsock/selsock_retired.cil"}  # the other generation, until the next run
        assert set(differing(back, start)) <= ledgers | inert
        names = set(re.findall(rb"selsock_coming_\w+", machine.policy()))
        assert names == set(), "no type of what was never in force"


def test_a_policy_that_is_refused(before: Machine) -> None:
    """Another module has an attribute of the name of a type: semodule says so, and nothing has changed."""
    with copy(before) as machine:
        write_files(machine.root, {"/var/tmp/stranger.cil": (b"(typeattribute selsock_coming_t)", 0o644)})
        run_in(machine.root, ["semodule", "-X", "400", "-i", "/var/tmp/stranger.cil"])
        start = machine.state()
        done = machine.apply(AFTER)
        assert done.returncode == 3
        assert done.stderr.startswith("selsock-generate: semodule failed with status 1: ")
        assert "selsock_coming_t" in done.stderr
        unharmed(machine, start)


def test_a_policy_store_that_is_broken(before: Machine) -> None:
    """A module of others is damaged.  What was in force is, and when the store is mended the run succeeds."""
    start = before.state()
    with copy(before) as machine:
        module = machine.root / "var/lib/selinux/default/active/modules/100/base/cil"
        whole = module.read_bytes()
        module.write_bytes(whole[: len(whole) // 2])
        done = machine.apply(AFTER)
        assert done.returncode == 3
        assert done.stderr.startswith("selsock-generate: semodule failed with status 1: ")
        module.write_bytes(whole)
        unharmed(machine, start)
        assert machine.apply(AFTER).returncode == 0


def test_a_disk_that_is_full(before: Machine) -> None:
    """The files do not fit: that is found before anything is changed."""
    start = before.state()
    with copy(before) as machine:
        place = machine.root / "var/lib/selsock"
        kept = {path.name: path.read_bytes() for path in place.iterdir()}
        run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=750", "full", place])
        try:
            for name, data in kept.items():
                (place / name).write_bytes(data)
                (place / name).chmod(0o600)
            with pytest.raises(OSError, match="No space left on device"), open(place / "rest", "wb", 0) as rest:
                while True:
                    rest.write(b"0" * 4096)
            done = machine.apply(AFTER)
            assert done.returncode == 3
            assert done.stderr.endswith(": No space left on device\n")
            (place / "rest").unlink()
            unharmed(machine, start)
        finally:
            run(["umount", place])


def unharmed(machine: Machine, start: dict[str, object]) -> None:
    """All is as it was at ``start``, but for the source, the ledger, and notes of what was tried."""
    notes = {SOURCE, f"{SOURCE}.ranges", "var/lib/selsock/selsock_retired.cil"}
    assert set(differing(machine.state(), start)) <= notes
    serves(machine, labels_of(start))
