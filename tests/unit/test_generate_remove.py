# SPDX-License-Identifier: Apache-2.0
"""--remove: what is undone, in which order, what is left to others, and that a run can be run again."""

from pathlib import Path

import pytest

from selsock.generate import labelling, policy_store
from selsock.generate import remove as module
from selsock.generate.applied import Applied
from selsock.generate.apply import LOCK
from selsock.generate.compiled import compile_table
from selsock.generate.configuration import configure
from selsock.generate.faults import MachineFault
from selsock.generate.labelling import RECORD, UNKNOWN
from selsock.generate.plan import APPLIED, FILE_CONTEXTS, MAPS, POLICY, RANGES, TABLE, UNITS
from selsock.generate.policy_store import RETIRED
from selsock.generate.ranges import Ledger
from selsock.generate.remove import remove
from selsock.generate.source import load
from tests.unit.test_generate_apply import FakeSelinux

SOURCE = b"""\
domains: {public: {}}
default_context: public:auto
vhosts:
  a.example: {root: /srv/a, auth: {basic: {realm: x, file: /etc/selsock/htpasswd}}}
  b.example: {root: /srv/b}
"""
UNIT = b"# SPDX-License-Identifier: Apache-2.0\n# Written by selsock-generate 0.1.0.  Do not edit\n[Unit]\n"
OWN = tuple(UNITS + name for name in ("selsock.socket", "selsock@.service", "system-selsock.slice"))
LEDGER = "etc/selsock/vhost.yaml.ranges"
LABELS = ["restore /etc/selsock/htpasswd", "restore /srv/a", "restore /srv/b"]
SERVICES = [f"selsock-{name}.{kind}" for name in ("identify", "pam", "sql") for kind in ("socket", "service")]
STOP = [
    "systemctl disable --now selsock.socket",
    *(f"systemctl stop {unit}" for unit in ("system-selsock.slice", "selsock-run-as.socket", *SERVICES)),
]
UNLOAD = "semodule -X 400 -r selsock_retired -r selsock_tenants"


class Machine:
    """A machine on which a configuration was applied, and a record of what was done in which order."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = path
        self.booted = True
        self.modules = (
            "100 base pp\n200 selsock pp\n200 selsock_tenants cil\n400 selsock_retired cil\n400 selsock_tenants cil\n"
        )
        self.done: list[str] = []
        self.said: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.selinux = FakeSelinux(set())
        configuration = configure(load(SOURCE, "vhost.yaml"), "vhost.yaml", Ledger())
        self.put(TABLE, compile_table(configuration, "0123456789abcdef"))
        self.put(APPLIED, Applied(Path("/etc/selsock/vhost.yaml"), SOURCE).compose())
        for name in (POLICY, RETIRED, FILE_CONTEXTS, RANGES, MAPS, LEDGER):
            self.put(name, b"")
        self.put(RECORD, b'{"/srv/a": {"": "x"}, "/srv/b": null}')
        for name in OWN:
            self.put(name, UNIT)
        (path / "var/lib/selinux/default/active").mkdir(parents=True)
        monkeypatch.setattr(module, "run", self.run)
        monkeypatch.setattr(policy_store, "run", self.run)
        monkeypatch.setattr(module, "is_booted", lambda: self.booted)
        monkeypatch.setattr(labelling, "restore", lambda path, ask, keep, outcome: self.step(f"restore {path}"))

    def put(self, name: str, data: bytes) -> None:
        """Write a file below the root."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(data)

    def step(self, what: str) -> None:
        """Note ``what``, and fail if it is to fail."""
        self.done.append(what)
        for beginning, error in self.fails.items():
            if what.startswith(beginning):
                raise error

    def run(self, command: list[str]) -> str:
        """Instead of a program of the system."""
        self.step(" ".join(command))
        if command == UNLOAD.split():
            self.modules = self.modules.replace("400 selsock_tenants cil\n", "").replace(
                "400 selsock_retired cil\n", ""
            )
        return self.modules if command == ["semodule", "-lfull"] else ""

    def remove(self) -> None:
        """Remove, with a fresh record."""
        self.done.clear()
        self.said.clear()
        remove(self.selinux, self.said.append, self.root)

    def files(self) -> set[str]:
        """What is below the root; the lock is left by a run that failed."""
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}
        return found - {LOCK}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which a configuration is in force."""
    return Machine(tmp_path, monkeypatch)


def test_everything_is_undone_in_order(machine: Machine) -> None:
    """The ledger stays, and so does the directory, which is the package's."""
    machine.remove()
    assert machine.done == ["semodule -lfull", *STOP, "systemctl daemon-reload", UNLOAD, *LABELS]
    assert machine.said == [
        "stopped and disabled selsock.socket, and all connections",
        *(f"removed {machine.root}/{name}" for name in (TABLE, *OWN)),
        "systemd has read its units again",
        "removing policy module selsock_retired and selsock_tenants: the whole policy is linked, which takes some seconds",
        "put back the policy's own labels on 0 of 0 files; the others had them",
        "kept /etc/selsock/vhost.yaml.ranges: backups may still carry its categories",
        *(f"removed {machine.root}/{name}" for name in (RANGES, FILE_CONTEXTS, RETIRED, POLICY, RECORD, MAPS, APPLIED)),
    ]
    assert machine.files() == {LEDGER}
    assert (machine.root / "var/lib/selsock").is_dir()


def test_directories_for_temporary_files_are_deleted(machine: Machine) -> None:
    """Of whichever run, with all that is in them, and nothing that a link in them leads to."""
    machine.put("kept", b"")
    machine.put("var/cache/selsock/a.example/d/file", b"")
    (machine.root / "var/cache/selsock/a.example/link").symlink_to(machine.root)
    machine.remove()
    assert f"removed {machine.root}/var/cache/selsock/a.example" in machine.said
    assert machine.files() == {"kept", LEDGER}
    assert (machine.root / "var/cache/selsock").is_dir()
    machine.put("var/cache/selsock/gone.example/file", b"")
    machine.remove()
    assert f"removed {machine.root}/var/cache/selsock/gone.example" in machine.said


def test_a_second_run_has_nothing_to_do(machine: Machine) -> None:
    """The packaged units and module are not ours to stop."""
    machine.remove()
    machine.remove()
    assert (machine.done, machine.said) == (["semodule -lfull"], ["nothing to remove"])


FAILURES = ["systemctl disable", "systemctl stop", "systemctl daemon-reload", "semodule -X", "restore /srv/b"]


@pytest.mark.parametrize("beginning", FAILURES)
@pytest.mark.parametrize("error", [MachineFault("x failed with status 1"), KeyboardInterrupt()])
def test_a_run_that_was_interrupted_is_run_again(machine: Machine, beginning: str, error: Exception) -> None:
    """And does all that is left, labels included, though the table that told them is gone."""
    machine.fails[beginning] = error
    with pytest.raises(type(error)):
        machine.remove()
    assert APPLIED in machine.files()
    machine.fails.clear()
    machine.remove()
    assert machine.done[-3:] == LABELS
    assert machine.files() == {LEDGER}
    machine.remove()
    assert machine.said == ["nothing to remove"]


def test_an_interruption_while_files_are_removed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source that was applied goes last."""
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == Path(POLICY).name:
            raise OSError(5, "Input/output error", str(path))
        real(path, missing_ok)

    with monkeypatch.context() as context:
        context.setattr(Path, "unlink", unlink)
        with pytest.raises(OSError, match="Input/output error"):
            machine.remove()
    assert machine.files() == {LEDGER, POLICY, RECORD, MAPS, APPLIED}
    machine.remove()
    assert machine.done[-3:] == LABELS
    assert machine.files() == {LEDGER}


def test_a_module_that_can_not_be_removed_keeps_its_labels(machine: Machine) -> None:
    """Their types are still there; nothing is served meanwhile."""
    machine.fails["semodule -X"] = MachineFault("semodule failed with status 1: Failed to resolve")
    with pytest.raises(MachineFault, match="^semodule failed with status 1: Failed to resolve$"):
        machine.remove()
    assert machine.done[-1] == UNLOAD
    assert {TABLE, *OWN}.isdisjoint(machine.files())


@pytest.mark.parametrize("kind", ["without header", "header of another", "masked"])
def test_a_unit_that_is_somebody_elses_is_left_and_told(machine: Machine, kind: str) -> None:
    place = machine.root / OWN[1]
    if kind == "masked":
        place.unlink()
        place.symlink_to("/dev/null")
    else:
        place.write_bytes(b"[Unit]\n" if kind == "without header" else b"[Unit]\nDescription=" + UNIT.split(b"\n")[1])
    left = f'left {place}: it has no line "# Written by selsock-generate …", so it is somebody else\'s'
    machine.remove()
    assert left in machine.said
    assert machine.files() == {LEDGER, OWN[1]}
    machine.remove()
    assert machine.said == [left, "nothing to remove"]


def test_without_systemd_the_socket_is_only_disabled(machine: Machine) -> None:
    """In a chroot, or while an image is made."""
    machine.booted = False
    machine.remove()
    assert [step for step in machine.done if step.startswith("systemctl")] == ["systemctl disable selsock.socket"]
    assert machine.said[0] == "disabled selsock.socket"


@pytest.mark.parametrize(
    ("beginning", "said"),
    [
        ("systemctl disable", "Failed to disable unit: Unit file selsock.socket does not exist."),
        ("systemctl disable", "Failed to disable unit: Unit selsock.socket does not exist"),
        ("systemctl disable", "Failed to stop selsock.socket: Unit selsock.socket not loaded."),
        (
            "systemctl stop system-selsock.slice",
            "Failed to stop system-selsock.slice: Unit system-selsock.slice not loaded.",
        ),
        *((f"systemctl stop {unit}", f"Failed to stop {unit}: Unit {unit} not loaded.") for unit in SERVICES),
    ],
)
def test_a_unit_that_is_not_there_is_no_failure(machine: Machine, beginning: str, said: str) -> None:
    machine.fails[beginning] = MachineFault(f"systemctl failed with status 5: {said}")
    machine.remove()
    assert machine.files() == {LEDGER}


def test_a_socket_that_can_not_be_stopped_is_one(machine: Machine) -> None:
    """Nothing was removed yet."""
    before = machine.files()
    machine.fails["systemctl disable"] = MachineFault("systemctl failed with status 1: Failed to connect to bus")
    with pytest.raises(MachineFault, match="Failed to connect to bus"):
        machine.remove()
    assert machine.files() == before


@pytest.mark.parametrize("modules", ["", "200 selsock_tenants cil\n", "400 selsock_tenants_x cil\n4000 x cil\n"])
def test_a_module_of_others_is_left(machine: Machine, modules: str) -> None:
    """The packaged one has another priority."""
    machine.modules = modules
    machine.remove()
    assert UNLOAD not in machine.done
    assert machine.files() == {LEDGER}


def test_a_module_that_is_disabled_is_removed(machine: Machine) -> None:
    machine.modules = "400 selsock_tenants cil disabled\n"
    machine.remove()
    assert "semodule -X 400 -r selsock_tenants" in machine.done


def test_without_a_policy_store_no_module_is_looked_for(machine: Machine) -> None:
    (machine.root / "var/lib/selinux/default/active").rmdir()
    machine.remove()
    assert not [step for step in machine.done if step.startswith("semodule")]
    assert machine.files() == {LEDGER}


def test_without_selinux_no_label_is_touched(machine: Machine) -> None:
    """The module is in the store all the same."""
    machine.selinux.is_enabled = False
    machine.remove()
    assert UNLOAD in machine.done
    assert not [step for step in machine.done if step.startswith("restore")]


def test_without_a_table_the_record_tells_what_was_labelled(machine: Machine) -> None:
    """Be it that a run was interrupted which had begun to label what no table names."""
    machine.put(RECORD, b'{"/srv/new": null}')
    for name in (TABLE, APPLIED):
        (machine.root / name).unlink()
    machine.remove()
    assert machine.done[-1:] == ["restore /srv/new"]


def test_without_a_table_the_source_tells_the_labels(machine: Machine) -> None:
    (machine.root / TABLE).unlink()
    machine.remove()
    assert machine.done[-3:] == LABELS


@pytest.mark.parametrize("applied", ["missing", "damaged"])
@pytest.mark.parametrize("table", ["missing", "damaged"])
def test_without_either_labels_are_left_and_told(machine: Machine, table: str, applied: str) -> None:
    """And the rest is done."""
    for name, state in ((TABLE, table), (APPLIED, applied), (RECORD, "missing")):
        (machine.root / name).unlink()
        if state == "damaged":
            machine.put(name, b"rubbish")
    machine.remove()
    assert not [step for step in machine.done if step.startswith("restore")]
    assert f"warning: {UNKNOWN}" in machine.said
    assert UNLOAD in machine.done
    assert machine.files() == {LEDGER}


def test_a_ledger_that_is_not_there_is_not_told(machine: Machine) -> None:
    (machine.root / LEDGER).unlink()
    machine.remove()
    assert not [line for line in machine.said if line.startswith("kept")]


def test_the_lock_goes_with_the_rest(machine: Machine) -> None:
    """Whoever has waited for it takes one that is everybody's."""
    machine.remove()
    assert not (machine.root / LOCK).exists()
