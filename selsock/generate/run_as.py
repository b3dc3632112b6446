# SPDX-License-Identifier: Apache-2.0
"""``run_as``: the account of this machine that a vhost is served as, in numbers, so that no connection looks it up."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from selsock.generate.source import Mapping, scalar
from selsock.generate.unix import account
from selsock.model import NOBODY

AUTHENTICATED = "authenticated"
LOGIN_DEFS = Path("/etc/login.defs")
UID_MIN = 1000  # where login.defs(5) does not say it


@dataclass(frozen=True, slots=True)
class RunAs:
    """The ``name`` of the account, or ``AUTHENTICATED``; ``numbers`` as ``Vhost.run_as`` has them."""

    name: str
    numbers: tuple[int, ...]


def parse_run_as(given: Mapping) -> RunAs | None:
    """What the vhost ``given`` says of it; None for nothing.  Raises BadSource."""
    node = given.get("run_as")
    if node is None:
        return None
    lowest = lowest_uid()
    name = scalar(node)
    if name.text == AUTHENTICATED:
        if "auth" not in given.values:
            node.refuse("the name of a user where there is no auth")
        return RunAs(AUTHENTICATED, (lowest,))
    found = account(name, pwd.getpwnam)
    groups = os.getgrouplist(found.pw_name, found.pw_gid)
    if found.pw_uid < lowest or found.pw_uid == NOBODY:
        name.refuse(f"a user from uid {lowest} on, who is not nobody")
    if 0 in (found.pw_gid, *groups):
        name.refuse("a user who is not in group root")
    return RunAs(found.pw_name, (lowest, found.pw_uid, found.pw_gid, *sorted({*groups})))


def lowest_uid() -> int:
    """The lowest uid that is not a system's: UID_MIN of login.defs(5)."""
    try:
        words = [line.split() for line in LOGIN_DEFS.read_text(errors="replace").splitlines()]
    except FileNotFoundError:
        return UID_MIN
    given = [line[1] for line in words if len(line) > 1 and line[0] == "UID_MIN" and line[1].isdecimal()]
    return max(1, int(given[-1])) if given else UID_MIN
