# SPDX-License-Identifier: Apache-2.0
"""Sharing a tree by ACLs: what getfacl(1) then says, what each of two users can do there, and that it can be undone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock.generate.acl import Sharing
from selsock.generate.relabel import opened

WEB, DOG, OTHER = 4001, 4002, 4003
SHARED = Sharing({WEB, DOG}, set())
UNSHARED = Sharing(set(), {WEB, DOG})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory that anybody may reach."""
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(0o755)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


def set_on(path: Path, sharing: Sharing) -> bool:
    """Whether it changed anything."""
    with opened(str(path), os.O_PATH) as descriptor:
        return sharing.set(descriptor)


def facl(path: Path) -> list[str]:
    """What getfacl says, in short."""
    command: list[str | Path] = ["getfacl", "--numeric", "--omit-header", "--absolute-names", "--no-effective", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [line.replace("default:", "d:") for line in lines]


def setfacl(path: Path, *words: str) -> None:
    subprocess.run(["setfacl", *words, path], check=True)


def may(user: int, code: str, path: Path) -> bool:
    """Whether ``user``, whose umask is 077, can do ``code`` with the path ``p``."""
    text = f"import os; os.umask(0o077); p = {str(path)!r}; {code}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", text], user=user, group=user, extra_groups=[], capture_output=True, check=False
    )
    assert done.returncode == 0 or b"Permission denied" in done.stderr or b"not permitted" in done.stderr, done.stderr
    return done.returncode == 0


def create(mode: int) -> str:
    """Code that writes a file anew, asking for ``mode`` as sftp-server does for what is put."""
    return f"os.write(os.open(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL, {mode}), b'new')"


def test_a_directory(place: Path) -> None:
    """And what is created in it from now on; a second time nothing is left to do."""
    assert set_on(place, SHARED)
    users = [f"user:{WEB}:rwx", f"user:{DOG}:rwx"]
    entries = ["user::rwx", *users, "group::r-x", "mask::rwx", "other::r-x"]
    assert facl(place) == [*entries, *(f"d:{entry}" for entry in entries)]
    assert not set_on(place, SHARED)


@pytest.mark.parametrize(("mode", "bits"), [(0o644, "rw-"), (0o600, "rw-"), (0o755, "rwx"), (0o444, "rw-")])
def test_a_file(place: Path, mode: int, bits: str) -> None:
    """It is executed by whom it is shared with where its owner may; what group and others may stays as it is."""
    file = place / "file"
    file.touch()
    file.chmod(mode)
    before = facl(file)
    assert set_on(file, SHARED)
    assert facl(file) == [before[0], f"user:{WEB}:{bits}", f"user:{DOG}:{bits}", before[1], f"mask::{bits}", before[2]]
    assert not set_on(file, SHARED)
    assert set_on(file, UNSHARED)
    assert (facl(file), file.stat().st_mode & 0o777) == (before, mode)
    assert not set_on(file, UNSHARED)


def test_undone_is_as_before(place: Path) -> None:
    """Nothing is left of what was set; what an administrator has set himself is left."""
    before = facl(place)
    set_on(place, SHARED)
    assert set_on(place, UNSHARED)
    assert facl(place) == before
    setfacl(place, "-m", f"u:{OTHER}:rx,d:u:{OTHER}:rx")
    before = facl(place)
    set_on(place, SHARED)
    assert f"user:{OTHER}:r-x" in facl(place)
    set_on(place, UNSHARED)
    assert facl(place) == before


def test_a_mask_that_is_widened_lets_nobody_else_do_more(place: Path) -> None:
    """An entry that the mask held back is held back by itself from then on."""
    file = place / "file"
    file.touch()
    setfacl(file, "-m", f"u:{OTHER}:rw,g::rw,m::r")
    set_on(file, SHARED)
    assert facl(file)[1:] == [
        f"user:{WEB}:rw-",
        f"user:{DOG}:rw-",
        f"user:{OTHER}:r--",
        "group::r--",
        "mask::rw-",
        "other::r--",
    ]


def test_one_of_two_is_gone(place: Path) -> None:
    set_on(place, SHARED)
    assert set_on(place, Sharing({WEB}, {DOG}))
    assert [line for line in facl(place) if str(DOG) in line] == []
    assert [line for line in facl(place) if str(WEB) in line] == [f"user:{WEB}:rwx", f"d:user:{WEB}:rwx"]


@pytest.mark.parametrize(("maker", "other"), [(WEB, DOG), (DOG, WEB)])
@pytest.mark.parametrize("mode", [0o666, 0o660, 0o777])
def test_each_edits_what_the_other_created(place: Path, maker: int, other: int, mode: int) -> None:
    """Under the narrowest umask, as an editor, a shell or an application creates it; also in a new directory."""
    set_on(place, SHARED)
    directory = place / "new"
    assert may(maker, "os.mkdir(p)", directory)
    assert may(maker, create(mode), directory / "file")
    assert may(other, "open(p, 'a').write('more')", directory / "file")
    assert may(other, create(mode), directory / "another")
    assert may(other, "os.rename(p, p + '.old')", directory / "file")
    assert (directory / "file.old").read_text() == "newmore"
    assert not may(OTHER, "open(p, 'a')", directory / "file.old")


@pytest.mark.parametrize(("maker", "other"), [(WEB, DOG), (DOG, WEB)])
def test_what_was_asked_for_is_kept_until_the_next_run(place: Path, maker: int, other: int) -> None:
    """A file put with mode 0644, or chmodded: the other reads it, and may replace it, but not write into it."""
    set_on(place, SHARED)
    file = place / "file"
    assert may(maker, create(0o644), file)
    assert may(other, "open(p).read()", file)
    assert not may(other, "open(p, 'a')", file)
    assert may(other, "open(p + '.new', 'w').write('new'); os.rename(p + '.new', p)", file)
    assert may(other, "os.chmod(p, 0o644)", file)
    assert not may(maker, "open(p, 'a')", file)
    set_on(file, SHARED)
    assert may(maker, "open(p, 'a')", file)
    assert not may(maker, "os.chmod(p, 0o644)", file)


def test_what_nobody_may_read_is_kept_too(place: Path) -> None:
    """0600 asked for is nobody else's, even to read; a directory is listed and emptied all the same."""
    set_on(place, SHARED)
    assert may(WEB, create(0o600), place / "session")
    assert not may(DOG, "open(p)", place / "session")
    assert may(DOG, "os.unlink(p)", place / "session")
