# SPDX-License-Identifier: Apache-2.0
"""The only module that writes files: all of a set, or none of it.

Each file is first written whole beside its place; then all are renamed into place.  When anything fails on the way,
what was renamed is put back.  (Against a crash of the machine halfway through the renames there is no remedy here;
then the generation in policy and table no longer agrees and nothing is served.)
"""

from __future__ import annotations

import contextlib
import grp
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from selsock.generate.plan import Artifact


class Transaction:
    """A set of files to be put in place under ``root`` together; ``with`` cleans up, ``commit`` alone changes any."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.staged: list[tuple[Path, Path]] = []  # (temporary, place)
        self.directories: list[Path] = []
        self.committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was not committed.  Failures here would hide the first one, and leave only litter."""
        for temporary, _place in self.staged:
            with contextlib.suppress(OSError):
                temporary.unlink()
        for directory in reversed(self.directories if not self.committed else ()):
            with contextlib.suppress(OSError):
                directory.rmdir()

    def stage(self, artifacts: Iterable[Artifact]) -> None:
        """Write those of ``artifacts`` that differ from what is in place to temporary files.  Raises OSError."""
        for artifact in artifacts:
            place = self.root / artifact.path
            group = group_id(artifact.group)
            if is_in_place(place, artifact, group):
                continue
            self.make_directory(place.parent)
            handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
            self.staged.append((Path(name), place))
            with open(handle, "wb") as file:
                file.write(artifact.data)
                os.fchmod(handle, artifact.mode)
                if os.geteuid() == 0:
                    os.fchown(handle, 0, group)
                file.flush()
                os.fsync(handle)

    def make_directory(self, path: Path) -> None:
        """Make ``path`` and what is missing above it, and remember what was made.  Raises OSError."""
        if not path.is_dir():
            self.make_directory(path.parent)
            path.mkdir(mode=0o755)
            self.directories.append(path)

    def commit(self) -> list[Path]:
        """Rename everything into place, in the order of staging; return the places.  Raises OSError; whatever is raised, all is undone."""
        done: list[tuple[Path, Path | None]] = []  # (place, what was there before)
        try:
            for temporary, place in self.staged:
                before = keep(place)
                done.append((place, before))
                os.replace(temporary, place)
        except BaseException:  # also when it is interrupted: half of a set is what must not be
            for place, before in reversed(done):
                put_back(place, before)
            raise
        self.committed = True
        for _, before in done:
            if before:
                with contextlib.suppress(OSError):
                    before.unlink()
        places = [place for _, place in self.staged]
        self.staged = []
        return places


def group_id(name: str) -> int:
    """The number of group ``name``; root's where there is no name, or no such group on this machine yet."""
    try:
        return grp.getgrnam(name).gr_gid if name else 0
    except KeyError:
        return 0


def is_in_place(place: Path, artifact: Artifact, group: int) -> bool:
    """Whether ``place`` is a file that already is what ``artifact`` says.  Raises OSError when it can not be read."""
    if place.is_symlink() or not place.is_file():
        return False
    status = place.stat()
    owned = os.geteuid() != 0 or (status.st_uid, status.st_gid) == (0, group)
    return owned and status.st_mode & 0o7777 == artifact.mode and place.read_bytes() == artifact.data


def keep(place: Path) -> Path | None:
    """A second name for what is at ``place``, so that it can be put back; None when nothing is.  Raises OSError."""
    before = place.with_name(f".{place.name}.before-{os.getpid()}")
    try:
        os.link(place, before, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return before


def put_back(place: Path, before: Path | None) -> None:
    """Undo a rename.  A failure here is not raised: the first one says more, and the other files come first."""
    with contextlib.suppress(OSError):
        if before:
            # Renaming between two names of one file does nothing, and leaves both; so unlink, too.
            os.replace(before, place)
            before.unlink(missing_ok=True)
        else:
            place.unlink(missing_ok=True)


def replace(place: Path, data: bytes, mode: int) -> None:
    """Put ``data`` at ``place``, root's, in one step: whoever is interrupted leaves what was there, or this.

    Raises OSError.
    """
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    with open(handle, "wb") as file:
        file.write(data)
        os.fchmod(handle, mode)
        file.flush()
        os.fsync(handle)
    os.replace(name, place)


def sweep(places: Iterable[Path]) -> None:
    """Delete what runs that were killed have left beside ``places``.  Raises OSError."""
    for place in places:
        for left in place.parent.glob(f".{place.name}.*"):
            left.unlink()
