# SPDX-License-Identifier: Apache-2.0
"""Which trees are shared with whom: when that changes, when a run was interrupted, and no longer."""

import json
import pwd
from pathlib import Path

import pytest

from selsock.generate import sharing as module
from selsock.generate.configuration import configure
from selsock.generate.ranges import Ledger
from selsock.generate.sharing import RECORD, share, unshare
from selsock.generate.source import load
from tests.unit.test_acl import facl

UIDS = {"selsock": 4001, "dog": 4002, "cat": 4003}


class Machine:
    """A directory for the record and one for each vhost, and what was said."""

    def __init__(self, path: Path) -> None:
        self.root = path / "root"
        self.said: list[str] = []
        for name in ("a", "b"):
            (path / name / "sub").mkdir(parents=True)
            (path / name / "sub/file").touch()
        self.path = path

    def share(self, **logins: str) -> list[str]:
        """Share with these logins of vhosts, and return what was said."""
        text = "domains: {web: {}}\ncontexts: [{any: true}]\nvhosts:\n"
        for name in ("a", "b"):
            login = f", login: {logins[name]}" if name in logins else ""
            text += f"  {name}: {{root: {self.path}/{name}, domain: web, range: auto{login}}}\n"
        self.said.clear()
        share(configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger()), self.said.append, self.root)
        return self.said

    def users(self, path: str) -> list[int]:
        """The numbers of users that the entries of a file name."""
        return [
            int(entry.split(":")[1])
            for entry in facl(self.path / path)
            if entry.startswith("user:") and "::" not in entry
        ]

    def record(self) -> dict[str, list[int]]:
        """The record, roots by their names."""
        found: dict[str, list[int]] = json.loads((self.root / RECORD).read_bytes())
        return {Path(tree).name: users for tree, users in found.items()}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that knows ``UIDS``."""

    def getpwnam(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", UIDS[name], UIDS[name], "", "/", "/bin/sh"))

    monkeypatch.setattr("selsock.generate.places.SYSTEM_TREES", ())
    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    (tmp_path / "root/var/lib/selsock").mkdir(parents=True)
    return Machine(tmp_path)


def set_for(count: int, seen: int) -> str:
    return f"set the permissions of {count} of {seen} files for who logs in to edit them; the others were right"


def test_what_has_logins_is_shared(machine: Machine) -> None:
    """With them and with who serves, all that is in it; the rest is not looked at, nor is a second time anything."""
    assert machine.share(a="[dog, cat]") == [set_for(3, 3)]
    assert [machine.users(path) for path in ("a", "a/sub", "a/sub/file", "b")] == [[4001, 4002, 4003]] * 3 + [[]]
    assert machine.share(a="[cat, dog]") == []
    assert machine.record() == {"a": [4001, 4002, 4003]}


def test_who_is_gone_is_taken_out(machine: Machine) -> None:
    """Of that tree; and everybody, where a vhost has no login any more."""
    machine.share(a="[dog, cat]", b="cat")
    before = facl(machine.path / "b/sub")
    assert machine.share(a="dog", b="cat") == [set_for(3, 3)]
    assert [machine.users(path) for path in ("a/sub/file", "b/sub/file")] == [[4001, 4002], [4001, 4003]]
    assert machine.share(a="dog") == [set_for(3, 3)]
    assert [machine.users("b/sub/file"), len(facl(machine.path / "b/sub"))] == [[], 3]
    assert len(before) > 3
    machine.said.clear()
    unshare(machine.said.append, machine.root)
    assert machine.said == [set_for(3, 3)]
    assert (machine.users("a"), machine.record()) == ([], {})


def test_an_interrupted_run_is_made_good(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the next one is to share: who was on the way is taken out again."""
    machine.share(a="dog")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.SharingWalk, "enter", stopped)
        with pytest.raises(KeyboardInterrupt):
            machine.share(a="cat")
    assert machine.record() == {"a": [4001, 4002, 4003]}
    assert [machine.users("a"), machine.users("a/sub")] == [[4001, 4003], [4001, 4002]]
    machine.share(a="dog")
    assert [machine.users("a"), machine.users("a/sub/file")] == [[4001, 4002]] * 2


def test_an_account_that_is_missing(machine: Machine) -> None:
    """It is told, the others have theirs, and the next run does it when it is there."""
    missing = "warning: this machine has no user owl: run selsock-generate again when it has"
    assert machine.share(a="[owl, dog]") == [missing, set_for(3, 3)]
    assert machine.share(a="[owl, dog]") == [missing]
    UIDS["owl"] = 4004
    try:
        assert machine.share(a="[owl, dog]") == [set_for(3, 3)]
    finally:
        del UIDS["owl"]
    assert machine.users("a/sub/file") == [4001, 4002, 4004]


def test_a_tree_that_is_gone(machine: Machine) -> None:
    """Nothing is left to be done, and it is done again when it is back."""
    machine.share(a="dog")
    (machine.path / "a").rename(machine.path / "away")
    assert machine.share(a="[dog, cat]") == [set_for(0, 0)]
    (machine.path / "away").rename(machine.path / "a")
    assert machine.share(a="[dog, cat]") == [set_for(3, 3)]


def test_a_tree_behind_a_link_is_not_shared(machine: Machine) -> None:
    """It is told, and tried again."""
    (machine.path / "a").rename(machine.path / "away")
    (machine.path / "a").symlink_to("away")
    for _ in range(2):
        warning, *_ = machine.share(a="dog")
        problem = "could not be set (Not a directory): its logins may not be able to write"
        assert warning == f"warning: the permissions of {machine.path}/a {problem}"
    assert machine.users("away") == []


def test_what_can_not_be_shared_is_told(machine: Machine) -> None:
    """A file with a second name is left alone: the other may be anywhere."""
    (machine.path / "a/twice").hardlink_to(machine.path / "a/sub/file")
    said = machine.share(a="dog")
    problem = "has 2 links, and the others may be anywhere"
    assert said[:2] == [
        f"warning: permissions not set: {machine.path}/a/{name}: {problem}" for name in ("sub/file", "twice")
    ]
    assert machine.users("a/twice") == []


@pytest.mark.parametrize("damage", [b"rubbish", b"[]", b'{"/srv/a": 1}', b'{"/srv/a": ["x"]}'])
def test_a_record_that_is_damaged_is_told(machine: Machine, damage: bytes) -> None:
    """What follows from it is done all the same: who is wanted is let in."""
    machine.share(a="dog")
    (machine.root / RECORD).write_bytes(damage)
    said = machine.share(a="cat")
    assert said[0].startswith(f"warning: {machine.root / RECORD} is damaged (")
    assert said[0].endswith("): look for logins that are gone in the ACLs of all roots (getfacl -R)")
    assert list(json.loads((machine.root / RECORD).read_bytes()).values()) == [[UIDS["selsock"], UIDS["cat"]]]
