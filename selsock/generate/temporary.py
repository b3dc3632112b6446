# SPDX-License-Identifier: Apache-2.0
"""Where the programs of a vhost have their temporary files when it names no directory: one that applying makes for it.

Sessions and uploads lie there, too: of the shared places, /tmp among them, a tenant has none.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from selsock.generate.commands import run
from selsock.generate.faults import MachineFault
from selsock.generate.labels import Label
from selsock.generate.relabel import set_context
from selsock.generate.run_as import AUTHENTICATED, RunAs
from selsock.names import AbsolutePath, HostName

CACHE = AbsolutePath("/var/cache/selsock")  # root's; tmpfiles.d makes it, and policy/selsock.fc labels it
OWNER = "selsock"
MODE = 0o700
SHARED_MODE = 0o1733  # of several accounts: each may make something, and see what he knows the name of


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that applying makes: what it is labelled, and whose it is."""

    label: Label
    owner: str = OWNER
    mode: int = MODE

    @classmethod
    def of(cls, label: Label, run_as: RunAs | None) -> Self:
        """That of a vhost which is served as ``run_as`` says: the account's, or for all whom it may be."""
        if run_as is None:
            return cls(label)
        return cls(label, mode=SHARED_MODE) if run_as.name == AUTHENTICATED else cls(label, run_as.name)


def cache_of(name: HostName) -> AbsolutePath:
    """The directory of the vhost ``name``: called like it, but for the brackets and colons of an IPv6 address."""
    return AbsolutePath(f"{CACHE}/{name.strip('[]').replace(':', '=')}")


def make(directories: Iterable[Directory], root: Path, labelled: bool) -> None:
    """Make those of ``directories`` below ``root`` that are missing, and give all their owner, their mode and, if that is
    to be, their label, which the policy has to know.

    Nobody but root may make anything in ``CACHE``; what is in the directories is left alone.  Raises MachineFault, OSError.
    """
    for directory in directories:
        place = root / directory.label.path.lstrip("/")
        place.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        place.mkdir(mode=MODE, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, directory.mode)
            if os.geteuid() == 0:
                os.fchown(descriptor, *numbers(directory.owner))
            if labelled:
                set_context(descriptor, directory.label.context)
        finally:
            os.close(descriptor)


def numbers(owner: str) -> tuple[int, int]:
    """The uid of ``owner``, and the gid of his own group.  Raises MachineFault."""
    try:
        found = pwd.getpwnam(owner)
    except KeyError:
        raise MachineFault(f"this machine has no user {owner}, whose a directory in {CACHE} is to be") from None
    return found.pw_uid, found.pw_gid


def made(root: Path) -> list[Path]:
    """The directories in ``CACHE`` below ``root``, of whichever run.  Raises OSError."""
    place = root / CACHE.lstrip("/")
    return sorted(place.iterdir()) if place.is_dir() else []


def delete_made(root: Path, say: Callable[[str], None], keep: Iterable[Directory] = ()) -> None:
    """Delete all of them but ``keep``, with what is in them, and tell ``say``: who gets the name of a vhost that went has no
    business with its sessions.  Raises MachineFault, OSError."""
    kept = {root / directory.label.path.lstrip("/") for directory in keep}
    for place in made(root):
        if place in kept:
            continue
        # rm(1) never goes through a link, and as deep as a tenant has gone; shutil.rmtree ends with a RecursionError there.
        run(["rm", "-rf", "--one-file-system", "--", str(place)])
        say(f"removed {place}")
