# SPDX-License-Identifier: Apache-2.0
"""Sharing a tree by ACLs: what getfacl(1) then says, and that it can be undone."""

import os
import subprocess
from pathlib import Path

import pytest

from selsock.generate.acl import Sharing
from selsock.generate.relabel import opened

WEB, DOG, OTHER = 4001, 4002, 4003
SHARED = Sharing({WEB, DOG}, set())
UNSHARED = Sharing(set(), {WEB, DOG})


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


def test_a_directory(tmp_path: Path) -> None:
    """And what is created in it from now on; a second time nothing is left to do."""
    tmp_path.chmod(0o755)
    assert set_on(tmp_path, SHARED)
    users = [f"user:{WEB}:rwx", f"user:{DOG}:rwx"]
    entries = ["user::rwx", *users, "group::r-x", "mask::rwx", "other::r-x"]
    assert facl(tmp_path) == [*entries, *(f"d:{entry}" for entry in entries)]
    assert not set_on(tmp_path, SHARED)


@pytest.mark.parametrize(("mode", "bits"), [(0o644, "rw-"), (0o600, "rw-"), (0o755, "rwx"), (0o444, "rw-")])
def test_a_file(tmp_path: Path, mode: int, bits: str) -> None:
    """It is executed by whom it is shared with where its owner may; what group and others may stays as it is."""
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    before = facl(file)
    assert set_on(file, SHARED)
    assert facl(file) == [before[0], f"user:{WEB}:{bits}", f"user:{DOG}:{bits}", before[1], f"mask::{bits}", before[2]]
    assert not set_on(file, SHARED)
    assert set_on(file, UNSHARED)
    assert (facl(file), file.stat().st_mode & 0o777) == (before, mode)
    assert not set_on(file, UNSHARED)


def test_undone_is_as_before(tmp_path: Path) -> None:
    """Nothing is left of what was set; what an administrator has set himself is left."""
    before = facl(tmp_path)
    set_on(tmp_path, SHARED)
    assert set_on(tmp_path, UNSHARED)
    assert facl(tmp_path) == before
    setfacl(tmp_path, "-m", f"u:{OTHER}:rx,d:u:{OTHER}:rx")
    before = facl(tmp_path)
    set_on(tmp_path, SHARED)
    assert f"user:{OTHER}:r-x" in facl(tmp_path)
    set_on(tmp_path, UNSHARED)
    assert facl(tmp_path) == before


def test_a_mask_that_is_widened_lets_nobody_else_do_more(tmp_path: Path) -> None:
    """An entry that the mask held back is held back by itself from then on."""
    file = tmp_path / "file"
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


def test_one_of_two_is_gone(tmp_path: Path) -> None:
    set_on(tmp_path, SHARED)
    assert set_on(tmp_path, Sharing({WEB}, {DOG}))
    assert [line for line in facl(tmp_path) if str(DOG) in line] == []
    assert [line for line in facl(tmp_path) if str(WEB) in line] == [f"user:{WEB}:rwx", f"d:user:{WEB}:rwx"]
