# SPDX-License-Identifier: Apache-2.0
"""What two users can do in a tree that is shared by ACLs, each as himself, under the narrowest umask."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock.generate.acl import Sharing
from selsock.generate.relabel import opened

WEB, DOG, OTHER = 4001, 4002, 4003


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory that anybody may reach."""
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(0o755)
    before = os.umask(0o022)
    yield tmp_path
    os.umask(before)


def share(path: Path) -> None:
    """Share one file or directory."""
    with opened(str(path), os.O_PATH) as descriptor:
        Sharing({WEB, DOG}, set()).set(descriptor)


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


@pytest.mark.parametrize(("maker", "other"), [(WEB, DOG), (DOG, WEB)])
@pytest.mark.parametrize("mode", [0o666, 0o660, 0o777])
def test_each_edits_what_the_other_created(place: Path, maker: int, other: int, mode: int) -> None:
    """Under the narrowest umask, as an editor, a shell or an application creates it; also in a new directory."""
    share(place)
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
    share(place)
    file = place / "file"
    assert may(maker, create(0o644), file)
    assert may(other, "open(p).read()", file)
    assert not may(other, "open(p, 'a')", file)
    assert may(other, "open(p + '.new', 'w').write('new'); os.rename(p + '.new', p)", file)
    assert may(other, "os.chmod(p, 0o644)", file)
    assert not may(maker, "open(p, 'a')", file)
    share(file)
    assert may(maker, "open(p, 'a')", file)
    assert not may(maker, "os.chmod(p, 0o644)", file)


def test_what_nobody_may_read_is_kept_too(place: Path) -> None:
    """0600 asked for is nobody else's, even to read; a directory is listed and emptied all the same."""
    share(place)
    assert may(WEB, create(0o600), place / "session")
    assert not may(DOG, "open(p)", place / "session")
    assert may(DOG, "os.unlink(p)", place / "session")
