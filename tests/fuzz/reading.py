# SPDX-License-Identifier: Apache-2.0
"""A connection's input as selsock reads it: message after message, up to the one that it refuses or that is the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from selsock import cores
from selsock.errors import PeerFault
from selsock.handler.adopt import Client
from selsock.handler.head import HeadBuffer, read_head
from selsock.handler.serve.body import Body
from selsock.model import Limits

NOBODY = cores.socket.socket()  # stands where a Client has its connection; nothing is read from it
DRAIN = 0  # in place of the size of a read: the content is left unread, and then drained


@dataclass(frozen=True, slots=True)
class Message:
    """A request as a parser reads it.

    ``fields`` have lower-case names, and lines of one name joined (RFC 9110 §5.3); ``content`` is None if it was not
    looked at; ``end`` is where in the input the next message begins, ``head`` where the content does; ``last`` says
    that no message follows on the connection.
    """

    method: bytes
    target: bytes
    fields: dict[bytes, bytes]
    content: bytes | None
    last: bool
    end: int
    head: int = 0  # known of ours alone

    def differs(self, other: Message) -> str:
        """The parts that are not the same, in words, or nothing.  A message that is the last is never too strict."""
        found = []
        for part in ("method", "target", "fields", "content", "last", "end"):
            mine, theirs = getattr(self, part), getattr(other, part)
            allowed = mine is True if part == "last" else part == "content" and None in (mine, theirs)
            if mine != theirs and not allowed:
                found.append(f"{part} is {mine!r} and {theirs!r}")
        return "; ".join(found)


class Refused(Exception):
    """A parser does not take a message for one."""


def join(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Field lines by lower-case name, lists joined, white space round a value removed (RFC 9110 §5.5)."""
    fields: dict[bytes, bytes] = {}
    for name, value in lines:
        name, value = name.lower(), value.strip(b" \t")
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


class Fed(Client):
    """A Client whose peer has sent ``data`` and closed; each read yields at most what ``size()`` says."""

    __slots__ = ("data", "position", "size")

    def __init__(self, data: bytes, size: Callable[[], int]) -> None:
        super().__init__(NOBODY, "192.0.2.1")
        self.data, self.size = data, size
        self.position = 0

    def read_into(self, view: memoryview, deadline: float) -> int:
        """As a Client."""
        part = self.data[self.position : self.position + min(len(view), self.size())]
        view[: len(part)] = part
        self.position += len(part)
        return len(part)

    def write(self, data: bytes | memoryview) -> None:
        """As a Client: 100 (Continue)."""
        self.answered = True


def read_ours(
    data: bytes, limits: Limits, size: Callable[[], int], portion: Callable[[], int]
) -> tuple[list[Message], str]:
    """The messages in ``data`` that we accept, and how the connection ends: "close", or status and reason.

    ``size`` says how many bytes arrive at once, ``portion`` how many of a content are read at once, or DRAIN.
    """
    client = Fed(data, size)
    buffer = HeadBuffer(limits.head_bytes)
    found: list[Message] = []
    try:
        while True:
            head = read_head(client, buffer, limits, 5.0)
            fields = dict(head.fields)
            if head.credentials != (0, 0):
                fields[b"authorization"] = bytes(buffer.data[slice(*head.credentials)])
            start = client.position - (buffer.filled - buffer.start)
            content = read_content(Body(client, buffer, head, limits), portion)
            end = client.position - (buffer.filled - buffer.start)
            target = head.target.raw.encode()
            found.append(Message(head.method.encode(), target, fields, content, head.close, end, start))
            if head.close:
                return found, "close"
    except PeerFault as fault:
        return found, f"{fault.status} {fault.reason}"


def read_content(body: Body, portion: Callable[[], int]) -> bytes | None:
    """The content, or None if it was drained."""
    parts = []
    while not body.finished:
        size = portion()
        if size == DRAIN and not body.expects and body.drain():
            return None
        parts.append(body.read(size or 1))
    return b"".join(parts)
