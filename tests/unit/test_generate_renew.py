# SPDX-License-Identifier: Apache-2.0
"""--renew: what is in force and nothing else, whatever the file on disk says by now."""

from pathlib import Path

import pytest

from selsock.generate import renew as module
from selsock.generate.applied import Applied
from selsock.generate.configuration import Configuration
from selsock.generate.faults import MachineFault
from selsock.generate.plan import APPLIED, MAPS, UNITS, Plan
from selsock.generate.renew import renew
from selsock.generate.source import BadSource

SOURCE = """\
domains: {public: {}}
vhosts:
  a.example: {root: /srv/a, domain: public, range: auto, contexts: [{any: true}]}
"""
NOTHING = "nothing is applied yet: the packaged configuration needs no renewal"


class Machine:
    """A place for what is in force and for its source; what was applied, said and waited for."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = path / "root"
        self.source = path / "vhost.yaml"
        self.applied: list[tuple[Configuration, Plan]] = []
        self.said: list[str] = []
        monkeypatch.setattr(module, "Selinux", lambda: None)
        monkeypatch.setattr(module, "apply", self.apply)
        monkeypatch.setattr(module, "starting", self.starting)
        monkeypatch.setattr(module, "drain", lambda before, say: say(f"waited for {len(before)}"))

    def apply(self, configuration: Configuration, plan: Plan, _selinux: object, _say: object, root: Path) -> None:
        """Instead of applying."""
        assert root == self.root
        self.applied.append((configuration, plan))

    def starting(self) -> frozenset[tuple[str, str]]:
        """One connection is starting, until something was applied."""
        return frozenset() if self.applied else frozenset({("7", "4711")})

    def is_in_force(self, text: str) -> None:
        """``text`` was applied."""
        place = self.root / APPLIED
        place.parent.mkdir(parents=True)
        place.write_bytes(Applied(self.source, text.encode()).compose())

    def renew(self) -> None:
        """Renew."""
        renew(self.said.append, self.root)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that nothing was applied on."""
    return Machine(tmp_path, monkeypatch)


def test_nothing_is_applied_yet(machine: Machine) -> None:
    """Connections of the packaged configuration are waited for all the same."""
    machine.renew()
    assert machine.said == [NOTHING, "waited for 1"]
    assert machine.applied == []


def test_what_is_in_force_is_applied_as_it_was(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.is_in_force(SOURCE)
    machine.source.write_text(SOURCE)
    machine.renew()
    ((configuration, plan),) = machine.applied
    assert [site.vhost.name for site in configuration.sites] == ["a.example"]
    assert plan.artifact(APPLIED).data == f"{machine.source}\n{SOURCE}".encode()
    assert plan.artifact(f"{machine.source}.ranges".lstrip("/")).data.endswith(b"a.example 0 s0:c0,c1\n")
    assert machine.said == ["waited for 1"]
    assert capsys.readouterr().err == ""


def test_an_edited_file_is_not_put_in_force(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Half an edit, or another whole configuration."""
    machine.is_in_force(SOURCE)
    for edited in (SOURCE + "  b.exam", SOURCE.replace("a.example", "b.example")):
        machine.source.write_text(edited)
        machine.renew()
        configuration, plan = machine.applied.pop()
        assert [site.vhost.name for site in configuration.sites] == ["a.example"]
        assert plan.artifact(APPLIED).data == f"{machine.source}\n{SOURCE}".encode()
        assert capsys.readouterr().err == (
            f"hint: {machine.source} differs from what is in force; renewed is what is in force\n"
        )
        assert machine.source.read_text() == edited


def test_an_edited_map_is_not_put_in_force(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is one needed that is gone; a map that the source no longer names is nothing to speak of."""
    file = machine.source.with_name("users.map")
    source = SOURCE.replace("{any: true}", f"{{map: {file}}}")
    machine.is_in_force(source)
    machine.source.write_text(source)
    (machine.root / MAPS).write_bytes(f"{file} 9\n* public\n/etc/old.map 2\nx\n".encode())
    for edited, problem in (
        ("* public\n", ""),
        ("* publ", "differs from what is in force"),
        (None, "can not be compared with what is in force (No such file or directory)"),
    ):
        file.write_text(edited) if edited is not None else file.unlink()
        machine.renew()
        _, plan = machine.applied.pop()
        assert plan.artifact(MAPS).data == f"{file} 9\n* public\n".encode()
        told = f"hint: {file} {problem}; renewed is what is in force\n" if problem else ""
        assert capsys.readouterr().err == told


def test_a_file_that_is_gone_is_not_needed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.is_in_force(SOURCE)
    machine.renew()
    assert len(machine.applied) == 1
    assert capsys.readouterr().err == (
        f"hint: {machine.source} can not be compared with what is in force (No such file or directory); "
        "renewed is what is in force\n"
    )


def test_the_ledger_is_the_one_beside_the_recorded_path(machine: Machine) -> None:
    machine.is_in_force(SOURCE)
    Path(f"{machine.source}.ranges").write_text("a.example 4 s0:c0,c5\n")
    machine.renew()
    _, plan = machine.applied[0]
    assert plan.artifact(f"{machine.source}.ranges".lstrip("/")).data.endswith(b"a.example 4 s0:c0,c5\n")


def test_what_is_in_force_and_no_longer_good_names_the_recorded_path(machine: Machine) -> None:
    """And connections are waited for: the upgrade goes on."""
    machine.is_in_force("vhosts: {}\n")
    with pytest.raises(BadSource) as caught:
        machine.renew()
    assert str(caught.value) == (f"{machine.source}:1:9: vhosts: expected one vhost at least, not an empty mapping")
    assert machine.said == ["waited for 1"]


def test_a_record_that_is_damaged(machine: Machine) -> None:
    machine.is_in_force(SOURCE)
    (machine.root / APPLIED).write_bytes(b"")
    with pytest.raises(MachineFault, match="applied is damaged: its first line is not the absolute path of a source"):
        machine.renew()
    assert (machine.applied, machine.said) == ([], ["waited for 1"])


def test_a_mask_and_a_unit_of_somebody_else_are_left(machine: Machine) -> None:
    """Neither was put in force by us, so renewing does not undo it."""
    machine.is_in_force(SOURCE)
    units = machine.root / UNITS
    units.mkdir(parents=True)
    (units / "selsock.socket").symlink_to("/dev/null")
    (units / "selsock@.service").write_text("[Service]\nExecStart=/bin/false\n")
    (units / "system-selsock.slice").write_text("# Written by selsock-generate 0.0.1.  Do not edit\n")
    machine.renew()
    ((_, plan),) = machine.applied
    assert [artifact.path for artifact in plan.artifacts if artifact.path.startswith(UNITS)] == [
        f"{UNITS}system-selsock.slice"
    ]
    assert [line for line in machine.said if line.startswith("left ")] == [
        f"left {units}/{name}: it is masked, or somebody else's" for name in ("selsock.socket", "selsock@.service")
    ]
