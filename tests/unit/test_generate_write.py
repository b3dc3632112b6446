# SPDX-License-Identifier: Apache-2.0
"""All files or none, at whichever step it fails."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from selsock.generate.plan import Artifact
from selsock.generate.write import Transaction

OLD = (Artifact("a/one", 0o644, "", b"old one"), Artifact("b/two", 0o600, "", b"old two"))
NEW = (
    Artifact("a/one", 0o644, "", b"new one"),
    Artifact("b/two", 0o640, "", b"new two"),
    Artifact("c/d/three", 0o644, "", b"new three"),
)


def written(root: Path, artifacts: tuple[Artifact, ...]) -> list[Path]:
    """Write ``artifacts`` and return what was changed."""
    with Transaction(root) as transaction:
        transaction.stage(artifacts)
        return transaction.commit()


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below ``root``, directories included."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode, b"" if path.is_dir() else path.read_bytes())
        for path in root.rglob("*")
    }


def test_files_get_their_content_and_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        changed = written(tmp_path, NEW)
    finally:
        os.umask(before)
    assert changed == [tmp_path / "a/one", tmp_path / "b/two", tmp_path / "c/d/three"]
    assert {name: entry for name, entry in state(tmp_path).items() if entry[1]} == {
        "a/one": (0o100644, b"new one"),
        "b/two": (0o100640, b"new two"),
        "c/d/three": (0o100644, b"new three"),
    }


def test_what_is_in_place_is_left_alone(tmp_path: Path) -> None:
    written(tmp_path, NEW)
    inode = (tmp_path / "a/one").stat().st_ino
    assert written(tmp_path, NEW) == []
    assert (tmp_path / "a/one").stat().st_ino == inode


def test_a_wrong_mode_is_put_right(tmp_path: Path) -> None:
    written(tmp_path, NEW)
    (tmp_path / "b/two").chmod(0o666)
    assert written(tmp_path, NEW) == [tmp_path / "b/two"]
    assert (tmp_path / "b/two").stat().st_mode & 0o777 == 0o640


def test_a_link_in_place_is_replaced_and_its_target_left(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "target").write_bytes(b"new one")
    (tmp_path / "a/one").symlink_to(tmp_path / "target")
    written(tmp_path, NEW)
    assert not (tmp_path / "a/one").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new one"


def test_a_directory_in_place_of_a_file_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path, OLD)
    (tmp_path / "c/d/three").mkdir(parents=True)
    before = state(tmp_path)
    with pytest.raises(OSError, match="three"):
        written(tmp_path, NEW)
    assert state(tmp_path) == before


def test_without_commit_nothing_changes(tmp_path: Path) -> None:
    written(tmp_path, OLD)
    before = state(tmp_path)
    with Transaction(tmp_path) as transaction:
        transaction.stage(NEW)
    assert state(tmp_path) == before


FULL = OSError(28, "No space left on device")


def failing(real: Callable[..., object], step: int, error: BaseException = FULL) -> Callable[..., object]:
    """``real``, which fails at its call number ``step`` and works before and after."""
    calls = 0

    def call(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == step:
            raise error
        return real(*args, **options)

    return call


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_interruption_leaves_the_last_good_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ctrl-C between two renames is no excuse for half a set."""
    written(tmp_path, OLD)
    good = state(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("selsock.generate.write.os.replace", failing(os.replace, step, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            written(tmp_path, NEW)
    assert state(tmp_path) == good


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("function", ["replace", "link", "fsync", "fchmod"])
@pytest.mark.parametrize("before", [(), OLD], ids=["nothing there", "an older set there"])
def test_a_failure_at_any_step_leaves_the_last_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: tuple[Artifact, ...], function: str, step: int
) -> None:
    written(tmp_path, before)
    good = state(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(f"selsock.generate.write.os.{function}", failing(getattr(os, function), step))
        with pytest.raises(OSError, match="No space left"):
            written(tmp_path, NEW)
    assert state(tmp_path) == good
    written(tmp_path, NEW)
    assert state(tmp_path)["c/d/three"][1] == b"new three"


def test_no_litter_after_success(tmp_path: Path) -> None:
    written(tmp_path, OLD)
    written(tmp_path, NEW)
    assert sorted(state(tmp_path)) == ["a", "a/one", "b", "b/two", "c", "c/d", "c/d/three"]
