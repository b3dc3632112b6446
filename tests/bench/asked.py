#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: Apache-2.0
"""An instance of selsock with a clock around each thing that it asks of SELinux; its answer is JSON, not content.

Installed in the bench's machines alone, as a second program of type selsock_exec_t.  The order is the handler's own, for
it is the handler that asks.  The answer: ``steps``, pairs of a method of ``Kernel`` and nanoseconds, in their order, and
``uses``, the nanoseconds of one use of a descriptor, before and after setcon: of /dev/null and the connection, which
systemd opened, and of /dev/null again, which this process opened in selsock_t.
"""

import os
import sys

(release,) = os.listdir("/usr/lib/selsock")
sys.path += (f"/usr/lib/selsock/{release}", "/usr/lib/python3/dist-packages")

import json
import posix
import time
from collections.abc import Callable

from selsock.handler import __main__ as instance
from selsock.handler.confine import Confined
from selsock.handler.kernel import Kernel
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.reply import Outcome

USES = 200  # of a descriptor, one after the other
NULL, CONNECTION = 0, 3
OWN = posix.open("/dev/null", posix.O_RDONLY | posix.O_CLOEXEC)
clock = time.perf_counter_ns
steps: list[tuple[str, int]] = []
uses: dict[str, float] = {}


def note_uses(when: str) -> None:
    """Read and write nothing, which the kernel checks nevertheless: the first time, and the mean of the next ones."""
    actions: dict[str, Callable[[], object]] = {
        "own": lambda: posix.read(OWN, 1),
        "null": lambda: posix.read(NULL, 1),
        "connection": lambda: posix.write(CONNECTION, b""),
    }
    for name, use in actions.items():
        begin = clock()
        use()
        first = clock()
        for _ in range(USES):
            use()
        uses[f"{name}, first {when}"] = first - begin
        uses[f"{name}, next {when}"] = (clock() - first) / USES


def timed(name: str) -> Callable[..., object]:
    """The method ``name`` of Kernel, with a clock around it."""
    method = getattr(Kernel, name)

    def call(kernel: Kernel, *arguments: str) -> object:
        begin = clock()
        try:
            return method(kernel, *arguments)
        finally:
            steps.append((name, clock() - begin))

    return call


class Timed(Kernel):
    """What the kernel says of SELinux, with a clock around each question."""

    def __init__(self) -> None:
        begin = clock()
        super().__init__()
        steps.append(("init", clock() - begin))
        begin = clock()
        steps.append(("clock", clock() - begin))


for method in [name for name, value in vars(Kernel).items() if callable(value) and not name.startswith("_")]:
    setattr(Timed, method, timed(method))


def serve(_: Confined, exchange: Exchange) -> Outcome:
    """Answer with what was noted."""
    note_uses("after")
    answer = json.dumps({"steps": steps, "uses": uses}).encode()
    exchange.reply.begin(200, [("Content-Type", "application/json")], len(answer), answer)
    return exchange.reply.end()


json.dumps({})  # what it loads is loaded above the line
setattr(instance, "Kernel", Timed)  # noqa: B010 - mypy knows that the name is a class's
note_uses("before")
instance.main(serve)
