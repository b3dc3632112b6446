# SPDX-License-Identifier: Apache-2.0
"""Reading the files of users: whole, or a line of one that has many, and never through a symbolic link."""

from __future__ import annotations

import mmap
import os
import stat

from selsock.identify.answer import Unable


def open_file(path: str) -> int:
    """A descriptor of the regular file ``path``, for reading.  Raises Unable."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Unable(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Unable(f"{path}: no regular file")
    return file


def read(path: str) -> bytes:
    """All of the file ``path``.  Raises Unable."""
    try:
        with open(open_file(path), "rb") as file:
            return file.read()
    except OSError as error:
        raise Unable(f"{path}: {error.strerror}") from None


def fields_of(path: str, user: bytes) -> tuple[bytes | None, bytes]:
    """What follows ``user:`` on the first line of ``path`` that begins so, None without one; and the first that begins with
    ``$`` behind a colon.  The file may have a hundred thousand lines: it is mapped, and searched in C.  Raises Unable."""
    file = open_file(path)
    try:
        if os.fstat(file).st_size == 0:
            return None, b""
        with mmap.mmap(file, 0, prot=mmap.PROT_READ) as lines:
            other = value(lines, lines.find(b":$"))
            wanted = user + b":"
            if lines[: len(wanted)] == wanted:
                return value(lines, len(user)), other
            start = lines.find(b"\n" + wanted)
            return (value(lines, start + 1 + len(user)) if start >= 0 else None), other
    except (OSError, ValueError) as error:
        raise Unable(f"{path}: {error}") from None
    finally:
        os.close(file)


def value(lines: mmap.mmap, colon: int) -> bytes:
    """What stands between the ``colon`` and the end of its line."""
    if colon < 0:
        return b""
    end = lines.find(b"\n", colon)
    return lines[colon + 1 : end if end >= 0 else len(lines)]
