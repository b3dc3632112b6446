# SPDX-License-Identifier: Apache-2.0
"""One execution: an input read by selsock, in two ways of arriving, and what it accepts read by the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from selsock.model import Limits
from tests.fuzz.differences import as_read_by
from tests.fuzz.reading import DRAIN, Message, Refused, read_ours

WHOLE = 1 << 20
# With these a message of a few hundred bytes fills the buffer, and what is left of one moves to its front.
SMALL = {"head_bytes": 512, "request_line_bytes": 200, "fields": 9, "content_bytes": 300, "chunks": 9}
SMALL |= {"chunk_line_bytes": 40, "trailer_bytes": 60}


class Parser(Protocol):
    """Another parser, for one connection."""

    name: str

    def read(self, data: bytes, start: int, expected: int) -> Message:
        """The message at ``start``; ours ends at ``expected``.  Raises Refused."""


@dataclass(frozen=True, slots=True)
class Executed:
    """How many messages of an input were accepted, and what is wrong: "" for nothing; ``kind`` is its first words."""

    accepted: int
    finding: str

    @property
    def kind(self) -> str:
        """What findings with one cause have in common."""
        return self.finding.partition(":")[0]


def execute(data: bytes, parsers: Iterable[Callable[[], Parser]], seed: int) -> Executed:
    """Read ``data`` in every way; ``seed`` says how it arrives, and by which limits."""
    random = Random(seed)
    limits = Limits(SMALL if random.random() < 0.3 else None)
    largest = random.choice((1, 3, 17, 400))
    portions = random.choice(((WHOLE,), (1, 3, 7), (DRAIN, 5, WHOLE)))
    try:
        ours, ending = read_ours(data, limits, lambda: WHOLE, lambda: WHOLE)
        cut, other = read_ours(data, limits, lambda: random.randint(1, largest), lambda: random.choice(portions))
    except Exception as defect:  # noqa: BLE001 - whatever it is, it is found
        return Executed(0, f"a defect: {type(defect).__name__}: {defect}")
    finding = arrival(ours, ending, cut, other)
    for parser in parsers:
        finding = finding or disagreement(data, ours, parser())
    return Executed(len(ours), finding)


def arrival(ours: list[Message], ending: str, cut: list[Message], other: str) -> str:
    """What depends on where the network has cut the input, or on how its content was read."""
    for whole, parts in zip(ours, cut, strict=False):
        if difference := whole.differs(parts):
            return f"it depends on how it arrives: {difference}"
    if (len(ours), ending) != (len(cut), other):
        return f"the end depends on how it arrives: {len(ours)}, {ending}; {len(cut)}, {other}"
    return ""


def disagreement(data: bytes, ours: Iterable[Message], parser: Parser) -> str:
    """The first message of ``ours`` that ``parser`` refuses, or reads in a way that is not documented."""
    start = 0
    for number, message in enumerate(ours, 1):
        try:
            theirs = parser.read(data, start, message.end)
        except Refused as refused:
            return f"{parser.name} refuses what we accept: message {number}: {refused}"
        difference = message.differs(theirs) and as_read_by(parser.name, message).differs(theirs)
        if difference:
            return f"{parser.name} reads it otherwise: message {number}: {difference}"
        start = message.end
    return ""
