# SPDX-License-Identifier: Apache-2.0
"""htgroup: which groups a user is in, as Apache's mod_authz_groupfile reads it: ``GROUP: USER USER``, ``#`` comments."""

from __future__ import annotations

from selsock.identify.answer import Unable
from selsock.identify.files import read
from selsock.names import UserName


def groups_of(path: str, user: str) -> tuple[str, ...]:
    """The groups of ``user`` in the file ``path``, sorted.  Raises Unable when it cannot be read, or has a line that is none."""
    found: set[str] = set()
    for number, line in enumerate(read(path).split(b"\n"), 1):
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            raise Unable(f"{path}:{number}: not UTF-8") from None
        if not text or text.startswith("#"):
            continue
        group, colon, users = text.partition(":")
        if not colon or not UserName.accepts(group) or " " in group:
            raise Unable(f"{path}:{number}: expected GROUP: USER USER")
        if user in users.split():
            found.add(group)
    return tuple(sorted(found))
