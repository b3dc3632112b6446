# SPDX-License-Identifier: Apache-2.0
"""The files that tell sshd, through libselinux, where a session of a login begins: one for each of our SELinux users.

They lie in a directory of the distribution's, whose name has the type of the policy in it; so those that are no longer
wanted are found by their names.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from selsock.generate.commands import Say
from selsock.generate.faults import MachineFault
from selsock.generate.logins import SelinuxUser
from selsock.names import DIGITS, LOWER

CONFIG = "etc/selinux/config"


def policy_type(root: Path) -> str:
    """SELINUXTYPE of selinux_config(5) under ``root``, else of this machine; ``targeted`` where nothing says.

    Raises MachineFault for what is no name, and OSError.
    """
    for place in (root / CONFIG, Path("/", CONFIG)):
        if place.is_file():
            words = [line.partition("=") for line in place.read_text().splitlines()]
            for found in (value.strip() for key, _, value in words if key.strip() == "SELINUXTYPE"):
                if not found or found.lower().strip(LOWER + DIGITS + "_-"):
                    raise MachineFault(f"{place}: expected the name of a policy as SELINUXTYPE, not {found!r}")
                return found
    return "targeted"


def forget(root: Path, say: Say, wanted: Iterable[str] = ()) -> None:
    """Delete the files of our SELinux users that are under ``root``, but for the artifacts ``wanted``.  Raises OSError."""
    keep = {root / path for path in wanted}
    for place in sorted(root.glob("etc/selinux/*/contexts/users/selsock_*_u")):
        if SelinuxUser.accepts(place.name) and place not in keep:
            place.unlink()
            say(f"removed {place}")
