# SPDX-License-Identifier: Apache-2.0
"""What a service says: a verdict, and why; or who it is, and what is known of him.  One packet of lines."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from selsock.names import UserName

PACKET_BYTES = 65536


class Refused(Exception):
    """The visitor's fault: he is not who he says that he is.  ``str()`` is the reason, one line, without a secret."""


class Limited(Exception):
    """Too many passwords from this address were wrong; nothing was checked.  ``seconds`` is until when."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many wrong passwords from this address; again in {seconds} s")
        self.seconds = seconds


class Unable(Exception):
    """Our fault: it cannot be told who it is.  ``str()`` is the reason."""


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor who is who he says: ``user`` by his canonical name, the ``groups`` that he is in, the context that he was
    ``assigned`` as ``assigned.record`` gives it, and to which level he is ``cleared`` below each ceiling."""

    user: UserName
    groups: tuple[str, ...] = ()
    assigned: str = ""
    cleared: tuple[tuple[str, str], ...] = ()

    def lines(self) -> list[str]:
        """As an answer."""
        found = [f"granted {self.user}"]
        found += [f"group {group}" for group in self.groups]
        found += [f"context {self.assigned}"] * bool(self.assigned)
        return found + [f"cleared {ceiling} {level}" for ceiling, level in self.cleared]


def packet(outcome: Person | Refused | Limited | Unable) -> bytes:
    """The answer that tells ``outcome``; UTF-8, and no longer than a packet may be."""
    match outcome:
        case Person():
            lines = outcome.lines()
        case Refused():
            lines = [f"refused {one_line(outcome)}"]
        case Limited(seconds=seconds):
            lines = [f"limited {seconds} {one_line(outcome)}"]
        case Unable():
            lines = [f"unable {one_line(outcome)}"]
    data = "".join(line + "\n" for line in lines).encode("utf-8", "backslashreplace")
    return data if len(data) <= PACKET_BYTES else packet(Unable(f"an answer of more than {PACKET_BYTES} bytes"))


def one_line(reason: Exception) -> str:
    """The words of ``reason``, with whatever could end a line escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(reason))


def canonical(name: str) -> UserName:
    """``name`` in normal form C (RFC 8265 §3.4), by which a user is known here.  Raises Refused."""
    try:
        return UserName.parse(unicodedata.normalize("NFC", name))
    except ValueError as error:
        raise Refused(str(error)) from None
