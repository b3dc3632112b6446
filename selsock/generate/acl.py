# SPDX-License-Identifier: Apache-2.0
"""Shares the files of a vhost between who serves them and who logs in to edit them, by POSIX ACLs (acl(5)).

A directory's entries are inherited by what is created in it, whatever the umask.  What a program asks for when it creates
a file is kept as the mask: of a file that is put with mode 0644 others than its owner have the reading, until he lets the
group write.

The form is the kernel's (include/uapi/linux/posix_acl_xattr.h); with it a file is changed through its descriptor.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
VERSION = struct.pack("<I", 2)
ENTRY = struct.Struct("<HHI")  # tag, permissions, who
OWNER, USER, OWNING_GROUP, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
NOBODY = 2**32 - 1  # where the tag tells all
MASKED = (USER, OWNING_GROUP, GROUP)
READ_WRITE, EXECUTE = 6, 1

Entries = dict[tuple[int, int], int]  # (tag, who) → permissions


@dataclass(frozen=True, slots=True)
class Sharing:
    """The users, by number, who may edit what is in a tree, and those who might once and no longer may."""

    users: AbstractSet[int]
    gone: AbstractSet[int]

    def set(self, descriptor: int) -> bool:
        """Share what the O_PATH ``descriptor`` is, a file or a directory; whether that changed anything.  Raises OSError."""
        path = f"/proc/self/fd/{descriptor}"
        mode = os.stat(path).st_mode
        before = read(path, ACCESS)
        access = unmasked(before or of_mode(mode), self.users | self.gone)
        permissions = READ_WRITE | (access[OWNER, NOBODY] & EXECUTE)
        changed = write(path, ACCESS, before, self.added(access, permissions))
        if stat.S_ISDIR(mode):
            inherited = read(path, DEFAULT)
            default = self.added(unmasked(inherited or access, self.users | self.gone), permissions)
            # One that names nobody is taken away: it would be there for our sake.
            changed |= write(path, DEFAULT, inherited, default if any(tag == USER for tag, _ in default) else {})
        return changed

    def added(self, entries: Entries, permissions: int) -> Entries:
        """``entries`` with those of the users, and with a mask where there has to be one."""
        found = entries | {(USER, uid): permissions for uid in self.users}
        if any(tag in (USER, GROUP) for tag, _ in found):
            found[MASK, NOBODY] = 0
            for (tag, _), its in entries.items():
                found[MASK, NOBODY] |= its if tag in MASKED else 0
            found[MASK, NOBODY] |= permissions if self.users else 0
        return found


def of_mode(mode: int) -> Entries:
    """The entries that permissions are."""
    return {(OWNER, NOBODY): mode >> 6 & 7, (OWNING_GROUP, NOBODY): mode >> 3 & 7, (OTHER, NOBODY): mode & 7}


def unmasked(entries: Entries, users: AbstractSet[int]) -> Entries:
    """``entries`` without those of ``users``, and without a mask: each has what it let him have."""
    mask = entries.get((MASK, NOBODY), 7)
    return {
        (tag, who): its & mask if tag in MASKED else its
        for (tag, who), its in entries.items()
        if tag != MASK and not (tag == USER and who in users)
    }


def read(path: str, name: str) -> Entries:
    """The entries of the attribute ``name``; none where there is no such.  Raises OSError."""
    try:
        data = os.getxattr(path, name)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
            return {}
        raise
    return {(tag, who): its for tag, its, who in ENTRY.iter_unpack(data[len(VERSION) :])}


def write(path: str, name: str, before: Entries, entries: Entries) -> bool:
    """Set the attribute ``name``, unless it is so; whether it was done.  Raises OSError.

    Of entries that permissions can express, the kernel makes permissions.
    """
    if entries == before or (not before and len(entries) == len(of_mode(0)) and name == ACCESS):
        return False
    if entries:
        os.setxattr(
            path, name, VERSION + b"".join(ENTRY.pack(tag, entries[tag, who], who) for tag, who in sorted(entries))
        )
    else:
        os.removexattr(path, name)
    return True
