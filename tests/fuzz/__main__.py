# SPDX-License-Identifier: Apache-2.0
"""Fuzz until interrupted: ``python -m tests.fuzz``.  What is found is printed and left in build/fuzz.

A round has one seed, and with the same tests/wire the same inputs: ``--seed N`` runs that of a report again.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from random import SystemRandom

from tests.fuzz.by_h11 import ByH11
from tests.fuzz.by_llhttp import ByLlhttp
from tests.fuzz.compare import Executed, execute
from tests.fuzz.inputs import Inputs

PARSERS = (ByH11, ByLlhttp)
ROUND = 20_000  # executions
CHECKED = range(1, 13)  # the seeds of every `make check`, to which a fresh one is added; a minute
FOUND = Path("build/fuzz")


class Report:
    """What the executions so far have come to; ``kinds`` counts findings by what they have in common."""

    def __init__(self) -> None:
        self.executions = self.accepted = self.messages = 0
        self.kinds: Counter[str] = Counter()

    def add(self, executed: Executed) -> bool:
        """Count one execution; return whether it is the first of its kind to find something."""
        self.executions += 1
        self.messages += executed.accepted
        self.accepted += executed.accepted > 0
        if executed.finding:
            self.kinds[executed.kind] += 1
        return self.kinds[executed.kind] == 1

    def __str__(self) -> str:
        return (
            f"{self.executions} executions, {self.accepted} with something accepted, {self.messages} messages accepted, "
            f"{sum(self.kinds.values())} findings of {len(self.kinds)} kinds"
        )


def run_round(seed: int, report: Report, until: float) -> None:
    """The executions of one seed, or as many as there is time for."""
    inputs = Inputs(seed)
    for number in range(ROUND):
        if time.monotonic() > until:
            return
        data = inputs.next()
        executed = execute(data, PARSERS, number)
        if report.add(executed):
            show(shortest(data, number, executed.kind), number, seed)


def shortest(data: bytes, number: int, kind: str) -> bytes:
    """``data`` without whatever the finding does not need."""
    size = len(data) // 2
    while size:
        for start in range(0, len(data), size):
            less = data[:start] + data[start + size :]
            if execute(less, PARSERS, number).kind == kind:
                data = less
                break
        else:
            size //= 2
    return data


def show(data: bytes, number: int, seed: int) -> None:
    """Print a finding and keep its input."""
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{hashlib.sha256(data).hexdigest()[:12]}.http"
    path.write_bytes(data)
    print(
        f"seed {seed}, execution {number}: {execute(data, PARSERS, number).finding}\n  {data!r}\n  {path}", flush=True
    )


def seeds(options: argparse.Namespace) -> Iterator[int]:
    """The seeds to run: those that were asked for, those of `make check` and a fresh one, or fresh ones without end."""
    fresh: Iterable[int] = (SystemRandom().randrange(1 << 32) for _ in repeat(None))
    if options.seed:
        return iter(options.seed)
    return iter((*CHECKED, next(iter(fresh)))) if options.check else iter(fresh)


def main(arguments: Sequence[str]) -> int:
    """Run; return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--seed", type=int, action="append", help="run this round, or these, and stop")
    parser.add_argument("--check", action="store_true", help="run the rounds of make check and one with a fresh seed")
    options = parser.parse_args(arguments)
    until = time.monotonic() + options.seconds
    report = Report()
    try:
        for seed in seeds(options):
            run_round(seed, report, until)
            print(f"seed {seed}: {report}", flush=True)
            if time.monotonic() > until:
                break
    except KeyboardInterrupt:
        print(report)
    return 1 if report.kinds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
