# SPDX-License-Identifier: Apache-2.0
"""The client of streams: runs in the machine that is measured, on the standard library and client.py alone.

Usage: main(PLAN), JSON, prints JSON.  A plan has "streams", "turns" and "seconds"; see measure().
"""

import json
import random
import socket
import time
from typing import Any, Self

from tests.bench.client import CGROUPS, SETTLE, processes, resident

Stream = dict[str, Any]
BUFFER = memoryview(bytearray(1 << 20))


def main(plan: str) -> None:
    """Measure as the plan says."""
    print(json.dumps(measure(**json.loads(plan))))


def measure(streams: list[Stream], turns: int, seconds: float) -> dict[str, dict[str, Any]]:
    """All streams in turn, one turn more than ``turns``: the first brings files into the page cache and is left out.

    Returns by the stream's name "turns", of each the requests, seconds and connections, and "kib", of each the memory.
    """
    found: dict[str, dict[str, Any]] = {stream["name"]: {"turns": [], "kib": []} for stream in streams}
    order = random.Random(0)
    for turn in range(turns + 1):
        for stream in order.sample(streams, len(streams)):
            with Client(stream) as client:
                told = client.repeat(seconds)
                peak = max(resident(pid) for pid in processes(f"{CGROUPS}/{stream['cgroup']}"))
            if turn > 0:
                found[stream["name"]]["turns"].append(told)
                found[stream["name"]]["kib"].append(peak)
            time.sleep(3 * SETTLE)
    return found


class Client:
    """One connection after another, as the server keeps or closes them."""

    def __init__(self, stream: Stream) -> None:
        self.name, self.port, self.content = stream["name"], stream["port"], stream["content"]
        self.request, self.prelude = stream["request"].encode("latin-1"), stream["prelude"].encode("latin-1")
        self.dialled: socket.socket | None = None
        self.connections = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self.dialled is not None:
            self.dialled.close()
            self.dialled = None

    def repeat(self, seconds: float) -> tuple[int, float, int]:
        """As many requests as begin within ``seconds``, but one: their number, the time they took, and connections."""
        if self.prelude:
            self.ask(self.prelude, None)
        self.connections = 0 if self.dialled is None else 1
        start = now = time.perf_counter()
        count = 0
        while count == 0 or now - start < seconds:
            self.ask(self.request, self.content)
            count += 1
            now = time.perf_counter()
        return count, now - start, self.connections

    def ask(self, request: bytes, content: int | None) -> None:
        """One request; its answer is to have so much ``content``.  Raises ValueError."""
        if self.dialled is None:
            self.dialled = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
        self.dialled.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive(self.dialled)
        head, _, rest = answer.lower().partition(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or -1)
        if head[9:12] != b"200" or content not in (None, length):
            raise ValueError(f"{self.name}: {head!r}")
        left = length - len(rest)
        while left > 0:
            left -= len(self.receive(self.dialled))
        if left or b"\r\nconnection: close" in head:
            self.close()
        if left:
            raise ValueError(f"{self.name}: {-left} bytes more than announced")

    def receive(self, dialled: socket.socket) -> memoryview:
        """What has arrived, at least a byte.  Raises ValueError."""
        count = dialled.recv_into(BUFFER)
        if not count:
            raise ValueError(f"{self.name}: the stream ended early")
        return BUFFER[:count]
