# SPDX-License-Identifier: Apache-2.0
"""What is remembered from one question to the next: who failed how often, and which passwords were right.

The service's parent holds it; each child has it as it was when that child was forked, and tells the parent what is new.
No password is in it, and no hash that one could be guessed by without the secret, which ends with the service.
"""

from __future__ import annotations

import ipaddress
import os
import time
from hashlib import blake2b

SOURCES = 65536  # at most; the one that failed longest ago is forgotten first
REMEMBERED = 16384  # at most, in the same way
PREFIX = 64  # of an IPv6 address: what one client has
LOCAL = "local"  # as the handler names whoever comes by a UNIX socket and not through a proxy


def source_of(address: str) -> str:
    """Whom failures from ``address`` are counted for: an IPv4 address, the /64 of an IPv6 address, or ``local``.

    Raises ValueError for what is none of them: a source is kept, and told in a report, so it has to be short and one word.
    """
    if address == LOCAL:
        return address
    found = ipaddress.ip_address(address.partition("%")[0])
    return str(ipaddress.ip_network((found, PREFIX), strict=False)) if found.version == 6 else str(found)


class Memory:
    """Failures by source, and marks of passwords that were right; times are of the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.secret = os.urandom(64)
        self.failures: dict[str, tuple[int, float]] = {}
        self.right: dict[bytes, float] = {}

    def wait(self, source: str, failures: int, window: int) -> int:
        """For how many seconds nothing more is checked for ``source``, which may fail ``failures`` times in ``window``
        seconds; 0 for none."""
        count, began = self.failures.get(source, (0, 0.0))
        left = began + window - time.monotonic()
        return int(left) + 1 if count >= failures and left > 0 else 0

    def failed(self, source: str, window: int) -> None:
        """Count one more failure of ``source``; what is older than ``window`` seconds no longer counts."""
        now = time.monotonic()
        count, began = self.failures.pop(source, (0, now))
        if began + window <= now:
            count, began = 0, now
        while len(self.failures) >= SOURCES:
            del self.failures[next(iter(self.failures))]
        self.failures[source] = (count + 1, began)

    def mark(self, *parts: bytes) -> bytes:
        """What stands for these ``parts`` in their order: vhost, user, stored hash and password."""
        data = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return blake2b(data, key=self.secret, digest_size=32).digest()

    def knows(self, mark: bytes) -> bool:
        """Whether the password of ``mark`` was right, and not too long ago."""
        return self.right.get(mark, 0.0) > time.monotonic()

    def was_right(self, mark: bytes, seconds: int) -> None:
        """Remember ``mark`` for so many seconds."""
        self.right.pop(mark, None)
        while len(self.right) >= REMEMBERED:
            del self.right[next(iter(self.right))]
        self.right[mark] = time.monotonic() + seconds
