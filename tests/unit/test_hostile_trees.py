# SPDX-License-Identifier: Apache-2.0
"""What a tenant does to his tree, or to processes of his context, while an administrator's program is at work there."""

import json
import os
import pwd
import subprocess
from pathlib import Path

import pytest

from selsock.ctl.verify import attempts
from selsock.generate import acl, drain, labelling, policy_store, relabel, retired, sharing
from selsock.generate.relabel import Outcome

GOLDEN = Path(__file__).parents[1] / "golden/logins/expected/var/lib/selsock/selsock_tenants.cil"
FIRST, SECOND = 4242, 4243


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with a tree, ``tree``, which is shared with the user FIRST."""
    (tmp_path / "var/lib/selsock").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    (tmp_path / "tree/b/file").write_text("x")
    shared(tmp_path, FIRST)
    assert names(tmp_path / "tree/b/file", FIRST)
    return tmp_path


def shared(root: Path, *users: int) -> list[str]:
    """Share the tree with ``users``, and return what was said."""
    said: list[str] = []
    trees = {str(root / "tree"): sorted(users)} if users else {}
    sharing.shared(trees, said.append, root)
    return said


def names(path: Path, user: int) -> bool:
    """Whether the ACL of a file names the user."""
    return (acl.USER, user) in acl.read(str(path), acl.ACCESS)


def test_a_link_to_nowhere_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of a directory that is labelled apart, and longer than any name may be."""
    monkeypatch.setattr(relabel, "set_context", lambda descriptor, context: True)
    for name in ("dog", "cat"):
        (tmp_path / name).mkdir()
    os.symlink("a" * 300, tmp_path / "dog/cgi")
    said: list[str] = []
    trees = {str(tmp_path / "dog"): {"": "x", "/cgi": "y"}, str(tmp_path / "cat"): {"": "x"}}
    assert labelling.label_trees(trees, Outcome(), said.append) == trees.keys()
    assert said == []


def test_a_second_name_does_not_keep_what_is_taken_away(root: Path) -> None:
    """A file with two names is left alone, and looked at again by the next run, when it has one."""
    os.link(root / "tree/b/file", root / "tree/other")
    assert "warning: permissions not set: " in "".join(shared(root, SECOND))
    assert names(root / "tree/b/file", FIRST)
    (root / "tree/other").unlink()
    shared(root, SECOND)
    assert not names(root / "tree/b/file", FIRST)
    assert names(root / "tree/b/file", SECOND)


def test_a_move_does_not_keep_what_is_taken_away(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From where the walk has yet to come to where it has been."""
    real = relabel.Walk.enter

    def enter(walk: relabel.Walk, directory: int, name: str, below: str, context: str) -> None:
        real(walk, directory, name, below, context)
        if below == "/a":
            (root / "tree/b").rename(root / "tree/a/b")

    with monkeypatch.context() as patch:
        patch.setattr(relabel.Walk, "enter", enter)
        shared(root, SECOND)
    assert names(root / "tree/a/b/file", FIRST)
    shared(root, SECOND)
    assert not names(root / "tree/a/b/file", FIRST)


def test_a_tree_that_was_away_is_looked_at_when_it_is_back(root: Path) -> None:
    """A file system that was not mounted."""
    (root / "tree").rename(root / "away")
    shared(root)
    (root / "away").rename(root / "tree")
    shared(root)
    assert not names(root / "tree/b/file", FIRST)


def test_sessions_of_a_login_that_goes_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of his alone: the type is others', too."""
    text = GOLDEN.read_text()
    assert retired.session_types(text) == {"selsock_web_login_t", "selsock_app_login_t", "selsock_app__web_login_t"}
    now = "\n".join(line for line in text.splitlines() if not line.startswith("(selinuxuser kitten "))
    uids = {"kitten": FIRST, "cat": SECOND}

    def look(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", uids[name], uids[name], "", "/", "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwnam", look)
    with subprocess.Popen(["sleep", "60"], user=FIRST) as gone, subprocess.Popen(["sleep", "60"], user=SECOND) as stays:
        ours = {str(gone.pid), str(stays.pid)}
        monkeypatch.setattr(drain, "domain", lambda place: "selsock_web_login_t" if place.name in ours else "")
        said: list[str] = []
        try:
            policy_store.end_sessions(text, now, said.append)
            assert gone.wait(5) == -9
            assert stays.poll() is None
        finally:
            stays.kill()
    assert said == ["ended 1 process of logins that are no longer what they were"]


def test_a_probe_that_is_killed_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tenant of the same context may do so; what was not tried is no refusal."""

    def start(number: int, task: object, children: list[attempts.Child], libc: object) -> int:
        child = os.fork()
        if child:
            return child
        own = children[number].own
        attempts.leave(number, children)
        own.send(json.dumps({"context": "c"}).encode())
        own.recv(999)
        if number == 0:
            os._exit(9)
        own.send(b"{}")
        os._exit(0)

    monkeypatch.setattr(attempts, "start", start)
    (tmp_path / "task").write_text(json.dumps({"contexts": ["a", "b"], "files": [], "handler": "h"}))
    assert attempts.main(["", str(tmp_path / "task")]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in found if "error" in line] == [{"by": 0, "error": "its process ended before all was tried"}]
