# SPDX-License-Identifier: Apache-2.0
"""Gives the configured roots and password files their labels, and those that are no longer, the policy's; nothing else.

A tenant may write in the tree that is walked, while it is walked, and this is root.  So every step goes from an open
directory to one name in it without following links, and a label is set through the descriptor that was looked at.  A
file with a second link is left alone: the other name may be /etc/shadow.  libselinux's restorecon promises neither.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from selsock.generate.faults import MachineFault

ATTRIBUTE = "security.selinux"
DEPTH = 200  # each level holds a descriptor; nobody's content is deeper

Labels = dict[str, str]  # path below the root, "" for the root itself → context
Ask = Callable[[str, int], str]  # path, mode → the context that the policy's file contexts say, "" when none


@dataclass(slots=True)
class Outcome:
    """What was done: files seen and changed, and what was left alone, with the reason."""

    seen: int = 0
    changed: int = 0
    skipped: list[str] = field(default_factory=list)


@contextmanager
def opened(name: str, flags: int, directory: int | None = None) -> Iterator[int]:
    """A descriptor of ``name`` in ``directory``, never through a link, closed at the end.  Raises OSError."""
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def reached(path: str, directory: bool) -> Iterator[int]:
    """An O_PATH descriptor of the absolute ``path``, none of whose parts is a link.  Raises OSError."""
    descriptor = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        parts = PurePosixPath(path).parts[1:]
        for index, part in enumerate(parts):
            only = os.O_DIRECTORY if directory or index < len(parts) - 1 else 0
            following = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC | only, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = following
        yield descriptor
    except OSError as error:
        # The part alone would not tell which root it was.
        error.filename = path
        raise
    finally:
        os.close(descriptor)


def relabel_tree(root: str, labels: Labels, outcome: Outcome) -> None:
    """Label the directory ``root`` and what is in it, on its own file system.  Raises OSError when it has no such."""
    with reached(root, directory=True) as descriptor:
        Walk(root, labels, mount_of(descriptor), outcome).visit(descriptor, "", labels[""])


def relabel_file(path: str, context: str, outcome: Outcome) -> None:
    """Label one regular file.  Raises OSError when it is not there."""
    with reached(path, directory=False) as descriptor:
        Walk(path, {}, mount_of(descriptor), outcome).visit(descriptor, "", context)


def restore(path: str, ask: Ask, keep: Collection[str], outcome: Outcome) -> None:
    """Label a directory with what is in it, or a file, as ``ask`` says, but nothing at or below ``keep``.  Raises OSError."""
    with reached(path, directory=False) as descriptor:
        Restoration(path, ask, keep, mount_of(descriptor), outcome).visit(descriptor, "", "")


class Walk:
    """One tree on its way to its labels."""

    def __init__(self, root: str, labels: Labels, mount: str, outcome: Outcome) -> None:
        self.root = root
        self.labels = labels
        self.mount = mount
        self.outcome = outcome

    def visit(self, descriptor: int, below: str, context: str, directory: int | None = None) -> None:
        """Label what the O_PATH ``descriptor`` is, at ``below`` the root in ``directory``, and what is in it."""
        status = os.fstat(descriptor)
        problem = why_not(status)
        if not problem and mount_of(descriptor) != self.mount:
            problem = "something else is mounted here"
        if not problem and directory is not None and is_gone(descriptor, directory, below.rpartition("/")[2]):
            problem = "was moved or taken away while it was looked at"
        if problem:
            if not stat.S_ISLNK(status.st_mode):
                self.skip(below, problem)
            return
        context = self.wanted(below, status.st_mode, context)
        self.outcome.seen += 1
        self.outcome.changed += self.change(descriptor, context)
        if not stat.S_ISDIR(status.st_mode):
            return
        if below.count("/") == DEPTH:
            self.skip(below, f"deeper than {DEPTH} directories, not entered")
            return
        with opened(".", os.O_RDONLY | os.O_DIRECTORY, descriptor) as listing:
            names = sorted(os.listdir(listing))
        for name in names:
            self.enter(descriptor, name, f"{below}/{name}", context)

    def change(self, descriptor: int, context: str) -> bool:
        """Make what ``descriptor`` is as it has to be, and return whether it was not.  Raises OSError."""
        return bool(context) and set_context(descriptor, context)

    def wanted(self, below: str, mode: int, around: str) -> str:
        """The context for what is at ``below``, in a directory that gets ``around``; "" to leave it as it is."""
        return self.labels.get(below, around)

    def enter(self, directory: int, name: str, below: str, context: str) -> None:
        """Visit ``name`` in ``directory``; what is gone, or can not be had, is reported and left."""
        try:
            with opened(name, os.O_PATH, directory) as descriptor:
                self.visit(descriptor, below, context, directory)
        except OSError as error:
            self.skip(below, error.strerror or str(error))

    def skip(self, below: str, problem: str) -> None:
        """Enter among what was left alone; a file's name may hold anything."""
        path = self.root + below
        self.outcome.skipped.append(f"{path if path.isprintable() else ascii(path)}: {problem}")


class Restoration(Walk):
    """One tree on its way back to the labels that the policy's file contexts say."""

    def __init__(self, root: str, ask: Ask, keep: Collection[str], mount: str, outcome: Outcome) -> None:
        super().__init__(root, {}, mount, outcome)
        self.ask = ask
        self.keep = keep
        self.told = False

    def visit(self, descriptor: int, below: str, context: str, directory: int | None = None) -> None:
        """As in any walk, but what is still configured has its labels from elsewhere."""
        if self.root + below not in self.keep:
            super().visit(descriptor, below, context, directory)

    def wanted(self, below: str, mode: int, around: str) -> str:
        """What the policy says of this very path."""
        found = self.ask(self.root + below, mode)
        if not found and not self.told:
            self.told = True  # once: it is likely to be so for the whole tree
            self.skip(below, "the policy has no label for it, nor perhaps for more that is here")
        return found


def mount_of(descriptor: int) -> str:
    """The identity of the mount that ``descriptor`` lies on (proc_pid_fdinfo(5)): a bind mount has another."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as text:
        return next(line for line in text if line.startswith("mnt_id:"))


def is_gone(descriptor: int, directory: int, name: str) -> bool:
    """Whether ``descriptor`` is no longer ``name`` in ``directory``, by which it was opened.

    Asked after the links were counted.  Somebody may make a link to another's file here, let it be opened, and unlink it
    before the count, which is then 1.  But a name that is unlinked while it is open never comes back (a new link is a
    new entry), and the link in /proc/self/fd says so, or where it was moved to (proc_pid_fd(5)).  It says so only at the
    end of an unlink, and the count goes down before, on a directory with chattr +D a whole journal commit before.
    Reading the directory waits for that end: both hold the directory's lock.
    """
    with opened(".", os.O_RDONLY | os.O_DIRECTORY, directory) as listing, os.scandir(listing) as entries:
        next(entries, None)
    around = os.readlink(f"/proc/self/fd/{directory}")
    return os.readlink(f"/proc/self/fd/{descriptor}") != os.path.join(around, name)


def why_not(status: os.stat_result) -> str:
    """Why something of ``status`` gets no label, "" when it does."""
    if stat.S_ISDIR(status.st_mode):
        return ""
    if not stat.S_ISREG(status.st_mode):
        return "neither file nor directory"
    return "" if status.st_nlink == 1 else f"has {status.st_nlink} links, and the others may be anywhere"


def set_context(descriptor: int, context: str) -> bool:
    """Give what ``descriptor`` (O_PATH) is the label ``context``; False when it has it.  Raises OSError."""
    path = f"/proc/self/fd/{descriptor}"
    wanted = context.encode() + b"\0"
    try:
        if os.getxattr(path, ATTRIBUTE).rstrip(b"\0") == wanted[:-1]:
            return False
    except OSError:
        pass  # no label yet, or none that may be read: setting it decides
    os.setxattr(path, ATTRIBUTE, wanted)
    return True


def check_roots(roots: Iterable[str]) -> None:
    """Raise MachineFault for the first of ``roots`` that is no directory, or is reached through a link."""
    for root in roots:
        try:
            with reached(root, directory=True):
                pass
        except OSError as error:
            what = (
                "is missing: create it" if isinstance(error, FileNotFoundError) else "is no directory, or behind a link"
            )
            raise MachineFault(f"root {root} {what}") from None
