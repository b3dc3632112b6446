# SPDX-License-Identifier: Apache-2.0
"""Labels go to the configured trees and nowhere else, whatever a tenant has put there."""

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from selsock.generate import relabel
from selsock.generate.faults import MachineFault
from selsock.generate.relabel import Ask, Outcome, check_roots, relabel_file, relabel_tree, restore

LABELS = {"": "public", "/staff": "staff", "/staff/open": "public"}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """The labels that were set, by inode; the attribute itself needs a privilege and a file system that has it."""
    found: dict[int, str] = {}

    def get(path: str, _name: str) -> bytes:
        try:
            return found[os.stat(path).st_ino].encode() + b"\0"
        except KeyError:
            raise OSError(61, "No data available") from None

    def put(path: str, name: str, value: bytes) -> None:
        assert path.startswith("/proc/self/fd/")
        assert name == "security.selinux"
        assert value.endswith(b"\0")
        found[os.stat(path).st_ino] = value[:-1].decode()

    monkeypatch.setattr("selsock.generate.relabel.os.getxattr", get)
    monkeypatch.setattr("selsock.generate.relabel.os.setxattr", put)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with content."""
    root = tmp_path / "root"
    for name in ("index.html", "staff/list.html", "staff/open/a.html", "staffroom/b.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def named(root: Path, given: dict[int, str]) -> dict[str, str]:
    """The labels that were set below ``root``, by path."""
    paths = [root, *root.rglob("*")]
    return {str(path.relative_to(root)): given[path.lstat().st_ino] for path in paths if path.lstat().st_ino in given}


def test_each_subtree_gets_its_own_label(tree: Path, given: dict[int, str]) -> None:
    outcome = Outcome()
    relabel_tree(str(tree), LABELS, outcome)
    assert named(tree, given) == {
        ".": "public",
        "index.html": "public",
        "staff": "staff",
        "staff/list.html": "staff",
        "staff/open": "public",
        "staff/open/a.html": "public",
        "staffroom": "public",
        "staffroom/b.html": "public",
    }
    assert (outcome.seen, outcome.changed, outcome.skipped) == (8, 8, [])


def test_what_is_right_is_left_alone(tree: Path, given: dict[int, str]) -> None:
    relabel_tree(str(tree), LABELS, Outcome())
    again = Outcome()
    relabel_tree(str(tree), LABELS, again)
    assert (again.seen, again.changed) == (8, 0)


def test_links_are_not_followed_and_their_targets_not_labelled(
    tree: Path, given: dict[int, str], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    (secret / "inside").mkdir(parents=True)
    (secret / "file").write_text("")
    (tree / "to-file").symlink_to(secret / "file")
    (tree / "to-directory").symlink_to(secret)
    outcome = Outcome()
    relabel_tree(str(tree), LABELS, outcome)
    assert named(secret, given) == {}
    assert (outcome.seen, outcome.skipped) == (8, [])


def test_a_file_with_a_second_link_is_reported_and_left(tree: Path, given: dict[int, str], tmp_path: Path) -> None:
    """The control: the same file with one link gets its label."""
    secret = tmp_path / "shadow"
    secret.write_text("")
    os.link(secret, tree / "innocent.html")
    outcome = Outcome()
    relabel_tree(str(tree), LABELS, outcome)
    assert secret.stat().st_ino not in given
    assert outcome.skipped == [f"{tree}/innocent.html: has 2 links, and the others may be anywhere"]
    secret.unlink()
    relabel_tree(str(tree), LABELS, Outcome())
    assert given[(tree / "innocent.html").stat().st_ino] == "public"


def test_a_link_that_was_unlinked_again_is_reported_and_left(tree: Path, given: dict[int, str], tmp_path: Path) -> None:
    """Somebody's race: a link to another's file, opened here, unlinked before the links are counted.  The count is 1."""
    secret = tmp_path / "shadow"
    secret.write_text("")
    os.link(secret, tree / "innocent.html")
    outcome = Outcome()
    with (
        relabel.opened(str(tree), os.O_PATH) as directory,
        relabel.opened(str(tree / "innocent.html"), os.O_PATH) as descriptor,
    ):
        (tree / "innocent.html").unlink()
        assert os.fstat(descriptor).st_nlink == 1
        walk = relabel.Walk(str(tree), LABELS, relabel.mount_of(descriptor), outcome)
        walk.visit(descriptor, "/innocent.html", "public", directory)
    assert given == {}
    assert outcome.skipped == [f"{tree}/innocent.html: was moved or taken away while it was looked at"]


def test_a_file_that_was_moved_away_is_reported_and_left(tree: Path, given: dict[int, str]) -> None:
    """Elsewhere somebody could unlink it, and the link count would go down long before the name is gone."""
    (tree / "elsewhere").mkdir()
    (tree / "moved.html").write_text("")
    outcome = Outcome()
    with (
        relabel.opened(str(tree), os.O_PATH) as directory,
        relabel.opened(str(tree / "moved.html"), os.O_PATH) as descriptor,
    ):
        (tree / "moved.html").rename(tree / "elsewhere/moved.html")
        walk = relabel.Walk(str(tree), LABELS, relabel.mount_of(descriptor), outcome)
        walk.visit(descriptor, "/moved.html", "public", directory)
    assert given == {}
    assert outcome.skipped == [f"{tree}/moved.html: was moved or taken away while it was looked at"]


def test_a_file_that_is_called_deleted(tree: Path, given: dict[int, str]) -> None:
    """The kernel's own word for what is gone, as a file's name."""
    (tree / "page (deleted)").write_text("")
    outcome = Outcome()
    relabel_tree(str(tree), LABELS, outcome)
    assert outcome.skipped == []


def test_what_is_neither_file_nor_directory_is_reported_and_left(tree: Path, given: dict[int, str]) -> None:
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "socket"))
        outcome = Outcome()
        relabel_tree(str(tree), LABELS, outcome)
    assert outcome.skipped == [f"{tree}/{name}: neither file nor directory" for name in ("fifo", "socket")]


def test_another_file_system_is_reported_and_left(tree: Path, given: dict[int, str]) -> None:
    """As root this could be mounted, a bind mount included; here the walk merely claims to be on another mount."""
    outcome = Outcome()
    descriptor = os.open(tree, os.O_PATH)
    relabel.Walk(str(tree), LABELS, "mnt_id:\t-1\n", outcome).visit(descriptor, "", "public")
    os.close(descriptor)
    assert given == {}
    assert outcome.skipped == [f"{tree}: something else is mounted here"]


def test_a_name_cannot_forge_a_line_of_the_report(tree: Path, given: dict[int, str]) -> None:
    os.mkfifo(tree / "a\nwarning: b")
    outcome = Outcome()
    relabel_tree(str(tree), LABELS, outcome)
    assert len(outcome.skipped) == 1
    assert "\n" not in outcome.skipped[0]


def test_a_name_that_is_no_text_is_labelled_all_the_same(tree: Path, given: dict[int, str]) -> None:
    (tree / os.fsdecode(b"\xff.html")).write_text("")
    outcome = Outcome()
    relabel_tree(str(tree), LABELS, outcome)
    assert (outcome.seen, outcome.skipped) == (9, [])


def test_a_tree_deeper_than_descriptors_allow_is_reported(tree: Path, given: dict[int, str]) -> None:
    path = tree
    for _ in range(relabel.DEPTH + 5):
        path /= "d"
        path.mkdir()
    outcome = Outcome()
    before = sys.getrecursionlimit()
    relabel_tree(str(tree), LABELS, outcome)
    assert sys.getrecursionlimit() == before
    assert len(outcome.skipped) == 1
    assert outcome.skipped[0].endswith(f"deeper than {relabel.DEPTH} directories, not entered")


@pytest.mark.parametrize("part", ["root", "root/staff"])
def test_a_root_that_is_reached_through_a_link_is_refused(tree: Path, tmp_path: Path, part: str) -> None:
    moved = tmp_path / "elsewhere"
    (tmp_path / part).rename(moved)
    (tmp_path / part).symlink_to(moved)
    with pytest.raises(MachineFault) as caught:
        check_roots([str(tmp_path / "root/staff")])
    assert str(caught.value) == f"root {tmp_path}/root/staff is no directory, or behind a link"


@pytest.mark.parametrize("root", ["file", "file/below"])
def test_a_root_that_is_a_file_is_refused(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineFault) as caught:
        check_roots([str(tmp_path / root)])
    assert str(caught.value) == f"root {tmp_path}/{root} is no directory, or behind a link"


def test_a_root_that_is_not_there_is_refused_by_its_whole_path(tmp_path: Path) -> None:
    with pytest.raises(MachineFault) as caught:
        check_roots([str(tmp_path), str(tmp_path / "a/b/c")])
    assert str(caught.value) == f"root {tmp_path}/a/b/c is missing: create it"


def test_roots_that_are_there_are_left_in_peace(tree: Path, given: dict[int, str]) -> None:
    before = os.listdir("/proc/self/fd")
    check_roots([str(tree), str(tree / "staff")])
    assert (before, {}) == (os.listdir("/proc/self/fd"), given)


def test_a_password_file_gets_its_label(tmp_path: Path, given: dict[int, str]) -> None:
    (tmp_path / "users").write_text("")
    outcome = Outcome()
    relabel_file(str(tmp_path / "users"), "passwd", outcome)
    assert given == {(tmp_path / "users").stat().st_ino: "passwd"}


def test_no_descriptor_is_left_open(tree: Path, given: dict[int, str]) -> None:
    before = os.listdir("/proc/self/fd")
    relabel_tree(str(tree), LABELS, Outcome())
    with pytest.raises(FileNotFoundError):
        relabel_tree(str(tree / "missing"), LABELS, Outcome())
    assert os.listdir("/proc/self/fd") == before


def by_path(root: Path, labels: dict[str, str]) -> Ask:
    """File contexts of ``root``: the label of the longest beginning that matches, "" where none does."""

    def ask(path: str, mode: int) -> str:
        assert path.startswith(str(root))
        found = [name for name in labels if path.removeprefix(str(root)).startswith(name)]
        kind = "d" if stat.S_ISDIR(mode) else "f" if stat.S_ISREG(mode) else "?"
        return f"{labels[max(found, key=len)]}:{kind}" if found else ""

    return ask


def test_labels_are_put_back_by_path_and_kind(tree: Path, given: dict[int, str]) -> None:
    """Not those of the directory above."""
    outcome = Outcome()
    restore(str(tree), by_path(tree, {"": "var", "/staff/": "spool"}), (), outcome)
    assert named(tree, given) == {
        ".": "var:d",
        "index.html": "var:f",
        "staff": "var:d",
        "staff/list.html": "spool:f",
        "staff/open": "spool:d",
        "staff/open/a.html": "spool:f",
        "staffroom": "var:d",
        "staffroom/b.html": "var:f",
    }
    assert (outcome.seen, outcome.changed, outcome.skipped) == (8, 8, [])


def test_labels_are_put_back_never_through_a_link(tree: Path, given: dict[int, str], tmp_path: Path) -> None:
    """Neither in the tree nor on the way to it; nor to a file with a second link, or another file system."""
    secret = tmp_path / "secret"
    (secret / "inside").mkdir(parents=True)
    (secret / "file").write_text("")
    (tree / "to-file").symlink_to(secret / "file")
    (tree / "to-directory").symlink_to(secret)
    os.link(secret / "file", tree / "innocent.html")
    outcome = Outcome()
    restore(str(tree), by_path(tree, {"": "var"}), (), outcome)
    assert named(secret, given) == {}
    assert (outcome.seen, outcome.skipped) == (
        8,
        [f"{tree}/innocent.html: has 2 links, and the others may be anywhere"],
    )
    given.clear()
    (tmp_path / "way").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        restore(str(tmp_path / "way/root"), by_path(tmp_path, {"": "var"}), (), outcome)
    restore(str(tree / "to-directory"), by_path(tree, {"": "var"}), (), outcome)
    assert given == {}


def test_labels_are_put_back_on_the_own_file_system_alone(tree: Path, given: dict[int, str]) -> None:
    outcome = Outcome()
    with relabel.opened(str(tree), os.O_PATH) as descriptor:
        ask = by_path(tree, {"": "var"})
        relabel.Restoration(str(tree), ask, (), "mnt_id:\t-1\n", outcome).visit(descriptor, "", "")
    assert given == {}
    assert outcome.skipped == [f"{tree}: something else is mounted here"]


def test_what_the_policy_has_no_label_for_is_left_and_told_once(tree: Path, given: dict[int, str]) -> None:
    """What is in it is asked for all the same."""
    relabel_tree(str(tree), LABELS, Outcome())
    outcome = Outcome()
    restore(str(tree), by_path(tree, {"/staff/open": "var"}), (), outcome)
    assert outcome.skipped == [f"{tree}: the policy has no label for it, nor perhaps for more that is here"]
    assert (outcome.seen, outcome.changed) == (8, 2)
    labels = named(tree, given)
    assert (labels["staff"], labels["staff/open"], labels["staff/open/a.html"]) == ("staff", "var:d", "var:f")


def test_what_is_still_configured_is_not_touched(tree: Path, given: dict[int, str]) -> None:
    """A root or a password file inside of what is given back."""
    outcome = Outcome()
    restore(str(tree), by_path(tree, {"": "var"}), {f"{tree}/staff", f"{tree}/index.html"}, outcome)
    assert set(named(tree, given)) == {".", "staffroom", "staffroom/b.html"}
    assert (outcome.seen, outcome.skipped) == (3, [])


def test_the_label_of_one_file_is_put_back(tree: Path, given: dict[int, str]) -> None:
    restore(str(tree / "index.html"), by_path(tree, {"": "var"}), (), Outcome())
    assert named(tree, given) == {"index.html": "var:f"}
    with pytest.raises(FileNotFoundError):
        restore(str(tree / "gone"), by_path(tree, {"": "var"}), (), Outcome())
