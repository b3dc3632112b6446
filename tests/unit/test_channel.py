# SPDX-License-Identifier: Apache-2.0
"""channel: frames over a socketpair, to an end that reads when it likes."""

import time
from typing import Any

import pytest

from selsock.handler.serve.channel import DATA, HEADER, Channel


class SlowEnd:
    """A socket that takes a part of what is sent at the very end of its time, and says how long it may take the next."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.left = 0.0
        self.sent = b""

    def settimeout(self, left: float) -> None:
        """Bound what follows."""
        self.left = left

    def sendmsg(self, parts: list[bytes], rights: list[Any]) -> int:
        """Take three bytes, late."""
        self.clock[0] += self.left - 1
        self.sent += parts[0][:3]
        return 3

    def sendall(self, rest: memoryview) -> None:
        """Take the rest in the time that is left."""
        self.sent += bytes(rest)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as one number."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_deadline_bounds_both_halves_of_a_frame_together(clock: list[float]) -> None:
    """Who takes the first of it at the last moment does not get as long again for the rest."""
    end = SlowEnd(clock)
    channel = Channel(end)  # type: ignore[arg-type]  # as far as one is needed
    channel.deadline = 110.0
    channel.send(DATA, b"content")
    assert (HEADER.pack(DATA, 7) + b"content", 1.0) == (end.sent, end.left)
