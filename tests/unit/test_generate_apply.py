# SPDX-License-Identifier: Apache-2.0
"""Applying: what is done, in which order, and what is undone when a later step fails."""

import importlib.util
import os
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selsock.generate import apply as module
from selsock.generate import commands, labelling, libselinux, policy_store, temporary
from selsock.generate.applied import Applied
from selsock.generate.apply import apply
from selsock.generate.configuration import Configuration, configure
from selsock.generate.faults import MachineFault
from selsock.generate.labelling import RECORD
from selsock.generate.libselinux import Selinux, binding
from selsock.generate.plan import APPLIED, POLICY, TABLE, Plan, plan
from selsock.generate.policy_store import RETIRED
from selsock.generate.ranges import Ledger
from selsock.generate.relabel import Ask, Outcome
from selsock.generate.source import load
from selsock.identify import crypt

BASE = "system_u:system_r:selsock_t:s0"


class FakeSelinux(Selinux):
    """SELinux with the contexts that it is told to know."""

    def __init__(self, known: set[str], enabled: bool = True, labels: dict[str, str] | None = None) -> None:
        self.known = known
        self.is_enabled = enabled
        self.is_enforcing = True
        self.labels = labels or {}

    def enabled(self) -> bool:
        return self.is_enabled

    def enforcing(self) -> bool:
        return self.is_enforcing

    def knows(self, context: str) -> bool:
        return context in self.known

    @contextmanager
    def file_contexts(self) -> Iterator[Ask]:
        yield lambda path, mode: self.labels.get(path, "")


Given = list[tuple[str, frozenset[str]]]
LOAD = "semodule -X 400 -i selsock_tenants.cil -i selsock_retired.cil"
DROP = "semodule -X 400 -r selsock_retired"


class Machine:
    """A directory for the artifacts, and a record of what was done in which order."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = path / "root"
        self.content = path / "content"
        self.content.mkdir()
        self.extra = ""
        (self.root / "var/lib/selinux/default/active").mkdir(parents=True)
        self.done: list[str] = []
        self.said: list[str] = []
        self.fails: dict[str, str] = {}
        self.selinux = FakeSelinux({BASE})
        self.loaded: dict[str, str] = {}
        self.domain = "public"
        self.python = False
        self.more: list[str] = []
        self.patch(monkeypatch)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this in the place of programs and of the walk."""
        monkeypatch.setattr(module, "run", self.run)
        monkeypatch.setattr(policy_store, "run", self.run)
        monkeypatch.setattr(labelling, "relabel_tree", lambda root, labels, outcome: self.step(f"label {root}"))
        monkeypatch.setattr(labelling, "relabel_file", lambda path, context, outcome: self.step(f"label {path}"))

    def step(self, what: str) -> None:
        """Note ``what``, and whether the table was in place by then."""
        state = "with" if (self.root / TABLE).exists() else "without"
        self.done.append(f"{what} ({state} table)")
        for beginning, reason in self.fails.items():
            if what.startswith(beginning):
                raise OSError(5, reason, beginning)

    def run(self, command: list[str]) -> str:
        """Instead of a program of the system."""
        self.step(" ".join(Path(word).name if word.startswith("/") else word for word in command))
        if command == ["semodule", "-lfull"]:
            return "".join(f"400 {name} cil\n" for name in self.loaded)
        if command[0] == "semodule":
            self.load(command[3:])
        return ""

    def load(self, words: list[str]) -> None:
        """What semodule(8) does: the kernel has the types of all modules afterwards."""
        for option, name in zip(words[::2], words[1::2], strict=True):
            if option == "-r":
                del self.loaded[name]
            else:
                self.loaded[Path(name).stem] = Path(name).read_text()
        found = (line for text in self.loaded.values() for line in text.splitlines())
        types = [line.strip("()").split()[1] for line in found if line.startswith("(type ")]
        self.selinux.known = {BASE, *(f"system_u:object_r:{name}:s0" for name in types)}

    def prepared(self, mode: str = "required", auth: bool = True) -> tuple[Configuration, Plan]:
        """A configuration whose root is on this machine, and its plan."""
        opt_in = "python: true" if self.python else ""
        text = f"selinux: {mode}\ndomains: {{{', '.join(f'{name}: {{{opt_in}}}' for name in (self.domain, *self.more))}}}\n"
        text += f"default_context: {self.domain}:auto\nvhosts:\n"
        text += f"  a.example:\n    root: {self.content}\n"
        if auth:
            text += "    auth: {basic: {realm: x, file: /etc/selsock/users.htpasswd}}\n"
        text += self.extra
        ledger = Ledger()
        # /tmp is no place for a root; for this test it has to be.
        configuration = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", ledger)
        applied = Applied(Path("/etc/selsock/vhost.yaml"), text.encode())
        return configuration, plan(configuration, ledger, str(applied.ledger), applied.compose())

    def apply(self, mode: str = "required", auth: bool = True, whole: bool = False) -> Plan:
        """Apply it."""
        configuration, its = self.prepared(mode, auth)
        apply(configuration, its, self.selinux, self.said.append, self.root, whole)
        return its


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without anything on it."""
    monkeypatch.setattr("selsock.generate.places.SYSTEM_TREES", ())
    return Machine(tmp_path, monkeypatch)


def test_policy_then_labels_then_table(machine: Machine) -> None:
    machine.apply()
    assert machine.done[:6] == [
        "systemd-sysusers selsock.conf (without table)",
        "systemd-tmpfiles --create selsock.conf (without table)",
        "semodule -lfull (without table)",
        "semodule -X 400 -i selsock_tenants.cil (without table)",
        f"label {machine.content} (without table)",
        "label /etc/selsock/users.htpasswd (without table)",
    ]
    assert (machine.root / TABLE).exists()


CODE = "    contexts: [{any: true}]\n    locations: {/: {wsgi: {application: 'a:b'}}}\n"


def test_a_directory_for_temporary_files_is_made_and_labelled(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the table names it; once made, its content is left alone, and its mode is mended."""
    labels: list[str] = []
    monkeypatch.setattr(temporary, "numbers", lambda owner: (12345, 12346))
    monkeypatch.setattr(temporary, "set_context", lambda descriptor, context: labels.append(context))
    machine.python = True
    machine.extra = CODE
    machine.apply(auth=False)
    assert "label /var/cache/selsock/a.example (without table)" in machine.done
    place = machine.root / "var/cache/selsock/a.example"
    (place / "file").touch()
    place.chmod(0o777)
    machine.apply(auth=False)
    status = place.stat()
    owner = (12345, 12346) if os.geteuid() == 0 else (os.geteuid(), status.st_gid)
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o700, *owner)
    assert (place.parent.stat().st_mode & 0o7777, [path.name for path in place.iterdir()]) == (0o711, ["file"])
    assert labels == 2 * ["system_u:object_r:selsock_public_tmp_t:s0:c0,c1"], (
        "whoever deletes it loses the label as well"
    )


def test_a_directory_for_temporary_files_goes_with_its_vhost(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is in it, links not followed: another vhost of the name is another customer's, perhaps."""
    monkeypatch.setattr(temporary, "numbers", lambda owner: (os.geteuid(), os.getegid()))
    monkeypatch.setattr(temporary, "set_context", lambda descriptor, context: True)
    machine.python = True
    machine.extra = CODE
    machine.apply(auth=False)
    place = machine.root / "var/cache/selsock/a.example"
    (machine.content / "kept").touch()
    (place / "link").symlink_to(machine.content)
    machine.extra = "    contexts: [{any: true}]\n"
    machine.apply(auth=False)
    assert list(place.parent.iterdir()) == []
    assert f"removed {place}" in machine.said
    assert (machine.content / "kept").exists()


def test_a_directory_for_temporary_files_is_never_a_link(machine: Machine) -> None:
    """Root alone can make one there; it is not followed all the same."""
    (machine.root / "var/cache/selsock").mkdir(parents=True)
    (machine.root / "var/cache/selsock/a.example").symlink_to(machine.content)
    machine.python = True
    machine.extra = CODE
    with pytest.raises(OSError, match="a.example"):
        machine.apply(auth=False)
    assert not (machine.root / TABLE).exists()


def test_an_owner_of_temporary_files_that_is_missing_is_told() -> None:
    with pytest.raises(MachineFault, match="this machine has no user nobodys, whose a directory in /var/cache/selsock"):
        temporary.numbers("nobodys")


def test_a_policy_that_is_loaded_is_not_loaded_again(machine: Machine) -> None:
    machine.apply()
    machine.done.clear()
    machine.apply()
    assert not [step for step in machine.done if step.startswith("semodule -X")]


def test_a_policy_of_another_release_with_the_same_rules_is_not_loaded_again(machine: Machine) -> None:
    """An upgrade that changes the version on top alone."""
    machine.apply()
    text = (machine.root / POLICY).read_text()
    assert "selsock-generate 0." in text
    (machine.root / POLICY).write_text(text.replace("selsock-generate 0.", "selsock-generate 9."))
    machine.done.clear()
    machine.apply()
    assert not [step for step in machine.done if step.startswith("semodule -X")]
    assert (machine.root / POLICY).read_text() == text


def test_a_policy_that_the_kernel_lost_is_loaded_again(machine: Machine) -> None:
    machine.apply()
    machine.done.clear()
    machine.selinux.known = {BASE}
    machine.apply()
    assert [step for step in machine.done if step.startswith("semodule -X")] == [
        "semodule -X 400 -i selsock_tenants.cil (with table)"
    ]


def test_systemd_reads_units_again_only_when_one_changed(machine: Machine) -> None:
    running = Path("/run/systemd/system").is_dir()
    machine.apply()
    assert any(step.startswith("systemctl daemon-reload") for step in machine.done) is running
    machine.done.clear()
    machine.apply()
    assert not any(step.startswith("systemctl") for step in machine.done)


def test_a_policy_that_does_not_load_leaves_the_old_table(machine: Machine) -> None:
    machine.fails["semodule"] = "refused"
    with pytest.raises(OSError, match="refused"):
        machine.apply()
    assert not (machine.root / TABLE).exists()
    assert (machine.root / "etc/selsock/vhost.yaml.ranges").exists(), "a number that was given is given"


def generation(its: Plan) -> str:
    """The statement that declares the generation of a plan."""
    return f"(type selsock_generation_{its.generation})"


def test_the_old_table_is_good_until_the_new_one_is_there(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy has both generations while labels are given, and what was removed from it."""
    first = machine.apply()
    seen: list[str] = []
    monkeypatch.setattr(
        labelling, "relabel_tree", lambda root, labels, outcome: seen.append("".join(machine.loaded.values()))
    )
    machine.domain = "other"
    second = machine.apply()
    (text,) = seen
    for statement in (generation(first), generation(second), "(type selsock_public_t)", "(type selsock_other_t)"):
        assert statement in text


def test_what_is_removed_is_dropped_after_the_table(machine: Machine) -> None:
    machine.apply()
    machine.domain = "other"
    machine.done.clear()
    second = machine.apply()
    assert [step for step in machine.done if step.startswith("semodule -X")] == [
        f"{LOAD} (with table)",
        f"{DROP} (with table)",
    ]
    assert machine.loaded == {"selsock_tenants": second.artifact(POLICY).data.decode()}
    assert not (machine.root / RETIRED).exists()
    assert "selsock_public_t is no longer used, and stays until no process is in it" in machine.said


def test_what_is_added_takes_one_transaction(machine: Machine) -> None:
    """The generation that was costs nobody anything, and goes with the next one."""
    first = machine.apply()
    machine.done.clear()
    machine.more = ["second"]
    second = machine.apply()
    assert [step for step in machine.done if step.startswith("semodule -X")] == [f"{LOAD} (with table)"]
    assert generation(first) in machine.loaded["selsock_retired"]
    machine.more.append("third")
    machine.apply()
    assert generation(first) not in machine.loaded["selsock_retired"]
    assert generation(second) in machine.loaded["selsock_retired"]


def test_who_is_inside_keeps_what_is_removed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removed type would leave the process without a label.  The next run drops it, if it has gone by then."""
    machine.apply()
    machine.domain = "other"
    monkeypatch.setattr(policy_store, "emptied", lambda domains, before, say: False)
    monkeypatch.setattr(policy_store, "inside", lambda domains: len(domains))
    machine.apply()
    assert "(type selsock_public_t)" in machine.loaded["selsock_retired"]
    assert "what they use is dropped by the next run of selsock-generate" in machine.said
    machine.apply()
    assert "(type selsock_public_t)" in machine.loaded["selsock_retired"]
    monkeypatch.undo()
    monkeypatch.setattr("selsock.generate.places.SYSTEM_TREES", ())
    machine.patch(monkeypatch)
    machine.apply()
    assert "selsock_public_t" not in "".join(machine.loaded.values())
    assert "(type selsock_other_t)" in machine.loaded["selsock_tenants"]


@pytest.mark.parametrize("error", [OSError(5, "disk is broken"), KeyboardInterrupt()])
def test_a_failure_after_the_policy_leaves_what_the_table_needs(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Nothing is taken back: the old table is served, and the next run does the rest, with whichever configuration."""

    def fails(*_: object) -> None:
        raise error

    first = machine.apply()
    machine.domain = "other"
    with monkeypatch.context() as patch:
        patch.setattr(labelling, "relabel_file", fails)
        with pytest.raises(type(error)):
            machine.apply()
    old = (machine.root / TABLE).read_bytes()
    assert old == first.artifact(TABLE).data
    assert {generation(first), "(type selsock_public_t)"} <= set("\n".join(machine.loaded.values()).split("\n"))
    machine.domain = "third"
    third = machine.apply()
    assert machine.loaded == {"selsock_tenants": third.artifact(POLICY).data.decode()}


def test_back_to_what_is_in_force_after_a_failure(machine: Machine) -> None:
    """The kernel knows its generation, as what is kept; the policy is loaded all the same, without what came after."""
    first = machine.apply()
    machine.more = ["second"]
    machine.fails["label /etc"] = "disk is broken"
    with pytest.raises(OSError, match="disk is broken"):
        machine.apply()
    machine.fails.clear()
    machine.more = []
    machine.apply()
    assert machine.loaded["selsock_tenants"] == first.artifact(POLICY).data.decode()
    assert "selsock_second_t" not in "".join(machine.loaded.values())


def test_only_what_changed_is_labelled(machine: Machine) -> None:
    """Of two roots the one that has another label now; files of users each time."""
    second = machine.content.parent / "second"
    second.mkdir()
    machine.apply()
    machine.extra = f"  b.example: {{root: {second}}}\n"
    machine.done.clear()
    machine.apply()
    assert [step for step in machine.done if step.startswith("label")] == [
        f"label {second} (with table)",
        "label /etc/selsock/users.htpasswd (with table)",
    ]
    assert "not looked at: 1 roots that have their labels; --relabel does" in machine.said


def test_every_root_is_looked_at_on_demand(machine: Machine) -> None:
    machine.apply()
    machine.done.clear()
    machine.apply(whole=True)
    assert f"label {machine.content} (with table)" in machine.done


def test_labels_that_were_under_way_are_given_again(machine: Machine) -> None:
    """Whoever was interrupted may have given some of them, be it for another configuration."""
    machine.apply()
    machine.domain = "other"
    machine.fails["label /etc"] = "disk is broken"
    with pytest.raises(OSError, match="disk is broken"):
        machine.apply()
    machine.fails.clear()
    machine.domain = "public"
    machine.done.clear()
    machine.apply()
    assert f"label {machine.content} (with table)" in machine.done


def test_a_root_that_was_given_back_for_nothing_is_labelled(machine: Machine, given_back: Given) -> None:
    """The run that took it out of the configuration was interrupted, and it is applied with it again."""
    second = machine.content.parent / "second"
    second.mkdir()
    machine.extra = f"  b.example: {{root: {second}}}\n"
    machine.apply()
    machine.extra = ""
    machine.fails["label /etc"] = "disk is broken"
    with pytest.raises(OSError, match="disk is broken"):
        machine.apply()
    assert [path for path, _ in given_back] == [str(second)]
    machine.fails.clear()
    machine.extra = f"  b.example: {{root: {second}}}\n"
    machine.done.clear()
    machine.apply()
    assert f"label {second} (with table)" in machine.done


def test_a_root_that_was_labelled_for_nothing_is_given_back(machine: Machine, given_back: Given) -> None:
    """The run that labelled it was interrupted, and the configuration that is applied now has it not."""
    second = machine.content.parent / "second"
    second.mkdir()
    machine.apply()
    machine.extra = f"  b.example: {{root: {second}}}\n"
    machine.fails["label /etc"] = "disk is broken"
    with pytest.raises(OSError, match="disk is broken"):
        machine.apply()
    machine.fails.clear()
    machine.extra = ""
    machine.apply()
    assert [path for path, _ in given_back] == [str(second)]


def test_a_record_that_is_damaged_labels_all(machine: Machine) -> None:
    machine.apply()
    for damage in (b"rubbish", b"[]", b"{"):
        (machine.root / RECORD).write_bytes(damage)
        machine.done.clear()
        machine.apply()
        assert f"label {machine.content} (with table)" in machine.done


def test_two_runs_at_once(machine: Machine) -> None:
    """The second one waits, and says so."""
    with module.alone(machine.root, machine.said.append):
        run = threading.Thread(target=machine.apply)
        run.start()
        while not machine.said:
            time.sleep(0.01)
        assert machine.said == ["waiting for another selsock-generate"]
        assert machine.done == []
    run.join()
    assert (machine.root / TABLE).exists()


def test_a_lock_that_was_deleted_meanwhile_is_nobodys(machine: Machine) -> None:
    """Another run would hold the new one at the same time."""
    with module.alone(machine.root, machine.said.append):
        run = threading.Thread(target=machine.apply)
        run.start()
        while not machine.said:
            time.sleep(0.01)
        (machine.root / module.LOCK).unlink()
        with module.alone(machine.root, machine.said.append):
            run.join(0.3)
            assert run.is_alive()
            assert machine.done == []
    run.join()
    assert (machine.root / TABLE).exists()


def test_what_a_killed_run_left_is_swept(machine: Machine) -> None:
    machine.apply()
    left = (machine.root / TABLE).with_name(".table.cdb.abcdefgh")
    left.write_bytes(b"half")
    machine.apply()
    assert not left.exists()


def test_a_tree_that_can_not_be_labelled_is_a_warning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One customer's tree is no reason to leave the others without their table."""

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(labelling, "relabel_tree", broken)
    machine.apply()
    warning = (
        f"warning: {machine.content} could not be labelled (Input/output error); what lacks its label is not served"
    )
    assert warning in machine.said
    assert (machine.root / TABLE).exists()


def test_a_missing_directory_with_a_label_of_its_own_is_a_warning(machine: Machine) -> None:
    """What is made later takes the label of what it lies in."""
    machine.extra = "    content: {/there: public, /missing: public}\n"
    (machine.content / "there").mkdir()
    machine.apply()
    said = [line for line in machine.said if "does not exist yet" in line]
    assert said == [f"warning: {machine.content}/missing does not exist yet; run selsock-generate again when it does"]


def test_a_missing_password_file_is_a_warning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str, context: str, outcome: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(labelling, "relabel_file", missing)
    machine.apply()
    assert "warning: /etc/selsock/users.htpasswd does not exist yet; run restorecon on it when it does" in machine.said


def test_a_missing_root_is_one_customers(machine: Machine) -> None:
    """When what is in force is renewed; an administrator who applies is told before anything is done."""
    machine.content.rmdir()
    machine.apply()
    assert (machine.root / TABLE).exists()


def test_a_machine_without_crypt_stops_before_anything_is_done(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each visitor who signs in would get a 503."""
    crypt.binding.cache_clear()
    for name in ("crypt", "crypt_r"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MachineFault, match="^Python has no crypt: install python3-crypt-r$"):
        machine.apply()
    assert machine.done == []
    assert [path for path in machine.root.rglob("*") if not path.is_dir()] == []


def test_a_machine_without_crypt_and_without_passwords_is_fine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    crypt.binding.cache_clear()
    for name in ("crypt", "crypt_r"):
        monkeypatch.setitem(sys.modules, name, None)
    machine.apply(auth=False)
    assert (machine.root / TABLE).exists()


def test_a_machine_without_a_journal_module_has_all_else_done(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    with pytest.raises(MachineFault) as caught:
        machine.apply()
    assert str(caught.value).startswith("all is done but for the record in the journal (")
    assert str(caught.value).endswith("): install python3-systemd")
    assert (machine.root / TABLE).exists()
    assert any(step.startswith("label") for step in machine.done)
    assert f"wrote {machine.root / TABLE}" in machine.said


def test_the_record_names_the_generation(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the decisions of the handler, which name none."""
    sent: list[tuple[str, dict[str, str]]] = []
    journal = types.ModuleType("systemd.journal")
    vars(journal)["send"] = lambda message, **fields: sent.append((message, fields))
    package = types.ModuleType("systemd")
    vars(package)["journal"] = journal
    monkeypatch.setitem(sys.modules, "systemd", package)
    its = machine.apply()
    ((message, fields),) = sent
    assert message == f"selsock-generate: generation {its.generation} is in force"
    assert (fields["SELSOCK_EVENT"], fields["SELSOCK_GENERATION"]) == ("apply", its.generation)


RESTART = "next, if it is not so yet: systemctl enable selsock.socket; systemctl restart selsock.socket"
NOW = "next, if it is not so yet: systemctl enable --now selsock.socket"


def test_the_next_step_restarts_the_socket_only_when_it_changed(machine: Machine) -> None:
    """A restart closes the port for a moment; without one, a socket that runs would go on listening as before."""
    machine.apply()
    assert machine.said[-1] == RESTART
    machine.apply()
    assert machine.said[-1] == NOW
    machine.extra = "listen: [81]\n"
    machine.apply()
    assert machine.said[-1] == RESTART
    machine.extra += "limits: {requests: 7}\n"
    machine.apply()
    assert (machine.said[-2], machine.said[-1]) == (f"wrote {machine.root / TABLE}", NOW)


RUN_AS_UNITS = ("selsock-run-as.socket", "selsock-run-as@.service")


def test_units_for_run_as_come_and_go_with_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is listened for any more, systemd is told so first."""
    places = [machine.root / "etc/systemd/system" / name for name in RUN_AS_UNITS]
    monkeypatch.setattr(module, "is_booted", lambda: True)
    machine.extra = "listen: [80, {address: 8080, run_as: true}]\n"
    machine.apply()
    assert all(place.exists() for place in places)
    machine.extra = ""
    machine.done.clear()
    machine.apply()
    stop, reload = "systemctl stop selsock-run-as.socket (with table)", "systemctl daemon-reload (with table)"
    assert machine.done.index(stop) < machine.done.index(reload)
    assert not any(place.exists() for place in places)
    assert [f"removed {place}" for place in places] == [line for line in machine.said if line.startswith("removed")]


def test_a_unit_of_that_name_that_is_not_ours_is_left(machine: Machine) -> None:
    place = machine.root / "etc/systemd/system/selsock-run-as.socket"
    place.parent.mkdir(parents=True)
    place.write_text("# somebody else's\n")
    machine.apply()
    assert place.read_text() == "# somebody else's\n"


def test_listening_for_run_as_begins_with_the_apply(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If selsock.socket listens already; else it begins together with it."""
    monkeypatch.setattr(module, "is_booted", lambda: True)
    machine.extra = "listen: [80, {address: 8080, run_as: true}]\n"
    machine.apply(auth=False)
    assert not any("start" in step for step in machine.done)
    monkeypatch.setattr(module, "run", lambda command: [machine.run(command), "active\n"][1])
    machine.apply(auth=False)
    assert machine.done[-1] == "systemctl start selsock-run-as.socket (with table)"


def test_another_module_that_claims_a_root_is_told(machine: Machine) -> None:
    machine.selinux.labels[str(machine.content)] = "system_u:object_r:user_home_t:s0"
    machine.apply()
    warnings = [line for line in machine.said if "another module claims it" in line]
    assert len(warnings) == 1
    assert "user_home_t" in warnings[0]


@pytest.fixture
def given_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, frozenset[str]]]:
    """What was given the policy's labels back, and what was not to be touched."""
    found: list[tuple[str, frozenset[str]]] = []

    def restore(path: str, ask: Ask, keep: frozenset[str], outcome: Outcome) -> None:
        machine.step(f"give back {path}")
        found.append((path, keep))
        outcome.seen, outcome.changed = outcome.seen + 2, outcome.changed + 1

    monkeypatch.setattr(labelling, "restore", restore)
    return found


HTPASSWD = "/etc/selsock/users.htpasswd"


def test_what_is_no_longer_configured_gets_the_policys_labels(machine: Machine, given_back: Given) -> None:
    """After the policy is loaded, while the old table is still there; what stays is not touched."""
    first, second = machine.content, machine.content.parent / "second"
    second.mkdir()
    machine.apply()
    assert given_back == []
    machine.content = second
    machine.done.clear()
    machine.said.clear()
    machine.apply(auth=False)
    assert given_back == [(HTPASSWD, frozenset({str(second)})), (str(first), frozenset({str(second)}))]
    assert machine.done[2:6] == [
        "semodule -X 400 -i selsock_tenants.cil -i selsock_retired.cil (with table)",
        f"give back {HTPASSWD} (with table)",
        f"give back {first} (with table)",
        f"label {second} (with table)",
    ]
    assert "put back the policy's own labels on 2 of 4 files; the others had them" in machine.said
    given_back.clear()
    machine.apply(auth=False)
    assert given_back == []


def test_a_root_inside_one_that_is_still_configured_is_not_given_back(machine: Machine, given_back: Given) -> None:
    """It has the labels of the outer one from now on."""
    outer = machine.content
    machine.content = outer / "inner"
    machine.content.mkdir()
    machine.apply(auth=False)
    machine.content = outer
    machine.apply(auth=False)
    assert given_back == []


def test_a_root_around_one_that_is_still_configured_leaves_it_out(machine: Machine, given_back: Given) -> None:
    outer = machine.content
    machine.apply()
    machine.content = outer / "inner"
    machine.content.mkdir()
    machine.apply()
    assert given_back == [(str(outer), frozenset({str(outer / "inner"), HTPASSWD}))]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory"), []),
        (
            NotADirectoryError(20, "Not a directory"),
            ["warning: the labels of {} were not put back (Not a directory): run restorecon -RF on it"],
        ),
    ],
)
def test_a_root_that_can_not_be_given_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, error: OSError, said: list[str]
) -> None:
    """One that is gone has no labels; any other is told, and the rest is done."""

    def restore(*_: object) -> None:
        raise error

    first, second = machine.content, machine.content.parent / "second"
    second.mkdir()
    machine.apply(auth=False)
    monkeypatch.setattr(labelling, "restore", restore)
    machine.content = second
    machine.said.clear()
    machine.apply(auth=False)
    assert [line for line in machine.said if "put back (" in line] == [line.format(first) for line in said]
    assert f"wrote {machine.root / TABLE}" in machine.said


def test_a_last_run_that_can_not_be_read_is_told(machine: Machine, given_back: Given) -> None:
    machine.apply()
    for path in (TABLE, APPLIED, RECORD):
        (machine.root / path).write_bytes(b"rubbish")
    machine.apply()
    assert f"warning: {labelling.UNKNOWN}" in machine.said
    assert given_back == []


def test_without_selinux_nothing_is_given_back(machine: Machine, given_back: Given) -> None:
    machine.apply("optional")
    machine.selinux.is_enabled = False
    machine.apply("optional", auth=False)
    assert given_back == []


def test_required_selinux_that_is_disabled(machine: Machine) -> None:
    machine.selinux.is_enabled = False
    with pytest.raises(MachineFault, match="SELinux is disabled here, and vhost.yaml requires it"):
        machine.apply()
    assert machine.done == []


def test_optional_selinux_that_is_disabled(machine: Machine) -> None:
    machine.selinux.is_enabled = False
    machine.apply("optional")
    assert not [step for step in machine.done if step.startswith(("semodule", "label"))]
    assert (machine.root / TABLE).exists()
    assert machine.said[0] == "SELinux is disabled: neither policy nor labels were installed"


def test_permissive_selinux_is_a_warning(machine: Machine) -> None:
    """All is installed, so that it works from the moment on that SELinux enforces."""
    machine.selinux.is_enforcing = False
    machine.apply()
    assert machine.said[0] == "warning: SELinux is permissive: until it enforces, every request is answered with 503"
    assert any(step.startswith("semodule") for step in machine.done)
    assert (machine.root / TABLE).exists()


def test_permissive_selinux_that_is_optional_is_another_warning(machine: Machine) -> None:
    """The handler then serves, as kernel.check says."""
    machine.selinux.is_enforcing = False
    machine.apply("optional")
    assert machine.said[0] == "warning: SELinux is permissive: until it enforces, every request is served unconfined"


def test_enforcing_selinux_is_no_warning(machine: Machine) -> None:
    machine.apply()
    assert not [line for line in machine.said if "permissive" in line]


@pytest.mark.parametrize(("answer", "enforcing"), [(1, True), (0, False), (-1, False)])
def test_enforcing_is_one_alone(monkeypatch: pytest.MonkeyPatch, answer: int, enforcing: bool) -> None:
    """security_getenforce(3): -1 is an error."""
    core = types.SimpleNamespace(security_getenforce=lambda: answer)
    monkeypatch.setattr(libselinux, "selinux_core", lambda: core)
    assert Selinux().enforcing() is enforcing


def test_a_base_module_that_is_missing(machine: Machine) -> None:
    machine.selinux.known.clear()
    with pytest.raises(MachineFault, match="the policy module selsock is not loaded"):
        machine.apply()
    assert machine.done == []


def test_a_program_that_fails_is_one_line() -> None:
    with pytest.raises(MachineFault) as caught:
        commands.run(["sh", "-c", "echo one >&2; echo two >&2; exit 7"])
    assert str(caught.value) == "sh failed with status 7: one; two"


def test_the_shim_of_pypi_is_named_and_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would say that SELinux is disabled on a Debian that enforces."""
    (tmp_path / "selinux").mkdir()
    (tmp_path / "selinux/__init__.py").write_text("raise Exception('imported')\n")
    monkeypatch.setattr(libselinux, "selinux_core", lambda: importlib.import_module("no_such_core"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "selinux", raising=False)
    with pytest.raises(MachineFault) as caught:
        binding()
    assert f"{tmp_path}/selinux/__init__.py is not it: PyPI's selinux is a shim" in str(caught.value)
    assert "install python3-selinux or python3-libselinux" in str(caught.value)
    assert "selinux" not in sys.modules


def test_no_binding_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libselinux, "selinux_core", lambda: importlib.import_module("no_such_core"))
    monkeypatch.setattr("selsock.generate.libselinux.importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MachineFault, match=r"^no libselinux binding for Python \(No module named 'no_such_core'\); install"
    ):
        binding()


class Core:
    """libselinux, as far as file contexts go."""

    def __init__(self, handle: object = "handle") -> None:
        self.handle = handle
        self.open = 0

    def selabel_open(self, backend: int, options: None, count: int) -> object:
        assert (backend, options, count) == (0, None, 0)
        self.open += 1
        return self.handle

    def selabel_close(self, handle: object) -> None:
        assert handle == self.handle
        self.open -= 1

    def selabel_lookup_raw(self, handle: object, path: str, mode: int) -> list[object]:
        assert (handle, self.open) == (self.handle, 1)
        path.encode()  # as the binding does: a name that is no text would be a TypeError
        if path.startswith("/none"):
            raise FileNotFoundError(2, "No such file or directory")
        return [0, f"u:r:{path}:{mode:o}"]


def test_file_contexts_are_asked_through_one_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core()
    monkeypatch.setattr(libselinux, "selinux_core", lambda: core)
    with Selinux().file_contexts() as ask:
        assert ask("/srv/a", 0o040755) == "u:r:/srv/a:40755"
        assert ask("/none", 0o100644) == ""
        assert ask("/srv/\udcff", 0) == "u:r:/srv/\ufffd:0"
        assert core.open == 1
    assert core.open == 0


def test_file_contexts_that_can_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """libselinux would take the missing handle, and fall over it."""
    monkeypatch.setattr(libselinux, "selinux_core", lambda: Core(handle=None))
    with (
        pytest.raises(MachineFault, match="^the file contexts of the policy can not be read$"),
        Selinux().file_contexts(),
    ):
        pass


def test_who_is_no_login_any_more_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the account exists: the distribution may confine nobody who is not mapped."""
    monkeypatch.setattr("selsock.generate.sharing.share", lambda *_: None)
    known = {"dog": 1001}

    def look(name: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(pw_uid=known[name], pw_gid=known[name])

    monkeypatch.setattr("pwd.getpwnam", look)
    machine.extra = "    login: [dog, cat]\n"
    machine.apply()
    machine.extra = ""
    machine.apply()
    lock = "usermod --expiredate 1 dog"
    told = f"warning: dog is no login any more, and is not confined by selsock from now on; to lock it out: {lock}"
    assert [line for line in machine.said if "is no login any more" in line] == [told]
