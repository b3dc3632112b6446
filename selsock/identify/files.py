# SPDX-License-Identifier: Apache-2.0
"""Reading the files of users: whole, or a line of one that has many, and never through a symbolic link."""

from __future__ import annotations

import ctypes
import mmap
import os
import stat

from selsock.identify.answer import Unable

LIBC = ctypes.CDLL(None)
LIBC.memmem.restype = ctypes.c_void_p
LIBC.memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)


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
    ``$`` behind a colon.  The file may have a hundred thousand lines: it is mapped, and searched by libc.  Raises Unable."""
    file = open_file(path)
    try:
        if os.fstat(file).st_size == 0:
            return None, b""
        with mmap.mmap(file, 0, access=mmap.ACCESS_COPY) as lines:
            wanted = user + b":"
            start = 0 if lines[: len(wanted)] == wanted else find(lines, b"\n" + wanted) + 1
            own = value(lines, start + len(user)) if start or lines[: len(wanted)] == wanted else None
            return own, value(lines, find(lines, b":$"))
    except (OSError, ValueError) as error:
        raise Unable(f"{path}: {error}") from None
    finally:
        os.close(file)


def find(lines: mmap.mmap, needle: bytes) -> int:
    """Where ``needle`` first stands in ``lines``, else -1: memmem(3), which takes a third of the time of mmap's own."""
    view = (ctypes.c_char * len(lines)).from_buffer(lines)
    start = ctypes.addressof(view)
    found: int | None = LIBC.memmem(start, len(lines), needle, len(needle))
    del view  # a map that is looked into cannot be closed
    return -1 if found is None else found - start


def value(lines: mmap.mmap, colon: int) -> bytes:
    """What stands between the ``colon`` and the end of its line."""
    if colon < 0:
        return b""
    end = lines.find(b"\n", colon)
    return lines[colon + 1 : end if end >= 0 else len(lines)]
