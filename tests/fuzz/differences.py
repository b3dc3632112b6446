# SPDX-License-Identifier: Apache-2.0
"""Where another parser reads a message that we accept in another way, and by which clause ours is right.

Each has an example that ``test_fuzz.py`` shows to be read so.  Nothing else may differ, but that we may end a
connection that another would keep: HTTP/1.0 with keep-alive (RFC 9112 §9.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.fuzz.reading import Message


@dataclass(frozen=True, slots=True)
class Difference:
    """``as_read`` makes of a message as we read it the one that ``parser`` reads; of most it makes nothing else."""

    name: str
    clause: str
    parser: str
    example: bytes
    as_read: Callable[[Message], Message]


def options(message: Message, name: bytes) -> list[bytes]:
    """The options in a field such as Connection."""
    return [option.strip(b" \t").lower() for option in message.fields.get(name, b"").split(b",")]


def follow_upgrade(ours: Message) -> Message:
    """What is behind the head is another protocol's, as if the answer were 101."""
    asked = b"upgrade" in [*options(ours, b"connection"), *options(ours, b"proxy-connection")]
    return replace(ours, content=b"", end=ours.head) if asked and ours.fields.get(b"upgrade") else ours


def close_proxy_connection(ours: Message) -> Message:
    """Proxy-Connection counts as Connection does."""
    return replace(ours, last=True) if b"close" in options(ours, b"proxy-connection") else ours


def lower_coding(ours: Message) -> Message:
    """The name of the transfer coding in lower case."""
    coding = ours.fields.get(b"transfer-encoding")
    return replace(ours, fields=ours.fields | {b"transfer-encoding": coding.lower()}) if coding else ours


POST = b"POST / HTTP/1.1\r\nHost: dog.example\r\n"
DIFFERENCES = (
    Difference(
        "Upgrade is ignored: content is content",
        "RFC 9110 §7.8, RFC 9112 §6.3",
        "llhttp",
        POST + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhello",
        follow_upgrade,
    ),
    Difference(
        "Proxy-Connection means nothing",
        "RFC 9112 §C.2.2",
        "llhttp",
        POST + b"Proxy-Connection: close\r\n\r\n",
        close_proxy_connection,
    ),
    Difference(
        "the transfer coding is as it was written",
        "RFC 9112 §7",
        "h11",
        POST + b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        lower_coding,
    ),
)


def as_read_by(parser: str, ours: Message) -> Message:
    """``ours`` with every difference of ``parser``."""
    for difference in DIFFERENCES:
        if difference.parser == parser:
            ours = difference.as_read(ours)
    return ours
