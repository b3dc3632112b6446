# SPDX-License-Identifier: Apache-2.0
"""validators: by what two states of a file are told apart (RFC 9110 §8.8)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from selsock.cores import posix

YOUNG_SECONDS = 2
NANOSECONDS = 10**9


class Validators:
    """The entity ``tag`` of a representation, b"" for none, and its ``modified`` in seconds since the epoch, or None."""

    __slots__ = ("modified", "tag")

    def __init__(self, tag: bytes, modified: int | None) -> None:
        self.tag: Final = tag
        self.modified: Final = modified

    @property
    def strong(self) -> bool:
        """Whether two contents with these validators are the same bytes (§8.8.1)."""
        return self.tag.startswith(b'"')


def validators(status: "posix.stat_result", now: float) -> Validators:
    """The validators of the file of ``status`` at the time ``now``, in seconds since the epoch.

    Another file has another inode, and one that is written to another time, so the tag is strong; but the kernel's time
    of a file moves in steps of some milliseconds, so that a file may still be written to without getting another one.
    Until it is two seconds old, its tag is weak (§8.8.1).  It would be strong by mistake for who writes as many bytes
    into the same file and then puts its time back (utimensat(2)).

    §8.8.2.1: a file of the future is one of now.  One from before the epoch is from the epoch.
    """
    tag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
    if now * NANOSECONDS - status.st_mtime_ns < YOUNG_SECONDS * NANOSECONDS:
        tag = "W/" + tag
    return Validators(tag.encode(), max(0, min(status.st_mtime_ns // NANOSECONDS, int(now))))
