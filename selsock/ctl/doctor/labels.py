# SPDX-License-Identifier: Apache-2.0
"""Whether files have their labels: those that the policy says of our own, and samples of what is served."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from itertools import islice

from selsock.ctl.doctor.look import Look, Said, error, ok, warning
from selsock.generate.labels import Label
from selsock.generate.plan import TABLE, password_files
from selsock.generate.plan import labels as all_labels
from selsock.generate.relabel import ATTRIBUTE, Ask, opened, reached
from selsock.generate.temporary import CACHE
from selsock.identify.provider import SERVICES

PROGRAMS = "/usr/libexec/selsock/"
OURS = (
    *("/etc/selsock", "/run/selsock", "/var/lib/selsock", f"/{TABLE}", str(CACHE)),
    *(PROGRAMS + name for name in ("serve", *SERVICES)),
)
SAMPLES = 8  # entries of each directory with a label of its own


def labels(look: Look) -> Iterator[Said]:
    """Look at labels.  Raises MachineFault and OSError."""
    if look.machine.kernel.watch() == "disabled":
        return
    configuration = look.given.configuration
    found = False
    with look.machine.selinux().file_contexts() as ask:
        for path in (*OURS, *password_files(configuration)):
            for said in of_the_policy(look, path, ask):
                found = True
                yield said
    wanted = {str(label.path): label for label in all_labels(configuration)}
    # What a tenant writes has the level of whoever wrote it.
    written = {name for domain in configuration.domains for name in (domain.writable, domain.temporary)}
    for label in wanted.values():
        for said in of_the_configuration(look, label, wanted, label.type in written):
            found = True
            yield said
    if not found:
        yield ok(f"{len(wanted)} paths, and samples of what is there, have their labels")


def of_the_policy(look: Look, path: str, ask: Ask) -> Iterator[Said]:
    """What is wrong with a file that the policy's file contexts know.  One that is not there is for others to miss."""
    try:
        with reached(str(look.root) + path if look.root.parts[1:] else path, directory=False) as descriptor:
            label, mode = label_of(descriptor), os.fstat(descriptor).st_mode
    except FileNotFoundError:
        return
    expected = without_user(ask(path, mode))
    if expected and label != expected:
        yield error(f"{path} is labelled {label or 'not at all'}, not {expected}", f"restorecon -RF {path}")


def of_the_configuration(look: Look, label: Label, others: Mapping[str, Label], written: bool) -> Iterator[Said]:
    """What is wrong at the path of ``label``, and with some of what is right below."""
    expected = f"{label.type}:{label.level}"
    place = str(look.root).rstrip("/") + label.path
    try:
        with reached(place, directory=False) as descriptor:
            if stat.S_ISLNK(os.fstat(descriptor).st_mode):
                raise OSError(errno.ELOOP, "a link")
            found = label_of(descriptor)
            entries = list(strays(descriptor, label, others, written))
    except FileNotFoundError:
        yield warning(f"{label.path} does not exist")
        return
    except OSError as wrong:
        yield error(f"{label.path} is not reached: {wrong.strerror}, and no link is followed on the way")
        return
    if found != expected:
        yield error(f"{label.path} is labelled {found or 'not at all'}, not {expected}", f"restorecon -RF {label.path}")
    elif entries:
        count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
        yield warning(
            f"{count} of {label.path} of those looked at lack its label, such as {entries[0]}",
            f"restorecon -RF {label.path}",
        )


def strays(directory: int, label: Label, others: Mapping[str, Label], written: bool) -> Iterator[str]:
    """Which of some entries of ``directory`` (O_PATH) have another label than ``label``; links, and what has a label of its
    own, are left out."""
    if not stat.S_ISDIR(os.fstat(directory).st_mode):
        return
    with opened(".", os.O_RDONLY | os.O_DIRECTORY, directory) as listing, os.scandir(listing) as entries:
        names = sorted(islice((entry.name for entry in entries), SAMPLES))
    for name in names:
        path = f"{label.path}/{name}"
        try:
            with opened(name, os.O_PATH, directory) as descriptor:
                status, found = os.fstat(descriptor), label_of(descriptor)
        except FileNotFoundError:
            continue  # it has just been deleted
        plain = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
        right = found.split(":")[0] == label.type and (written or found == f"{label.type}:{label.level}")
        if plain and path not in others and not right:
            yield f"{path if path.isprintable() else ascii(path)} ({found or 'no label'})"


def label_of(descriptor: int) -> str:
    """Type and level of what the O_PATH ``descriptor`` is; "" where it has no label."""
    try:
        return without_user(
            os.getxattr(f"/proc/self/fd/{descriptor}", ATTRIBUTE).rstrip(b"\0").decode("ascii", "replace")
        )
    except OSError:
        return ""


def without_user(context: str) -> str:
    """Type and level: user and role of a file mean nothing here."""
    return ":".join(context.split(":")[2:])
