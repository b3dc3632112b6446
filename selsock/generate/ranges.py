# SPDX-License-Identifier: Apache-2.0
"""``range: auto``: a pair of categories for each vhost, recorded in a ledger that only ever grows.

A pair belongs to a vhost for good, since files and backups may still carry it when the vhost is long gone.  Pairs only,
never one category or three: a level dominates another of the same size only when both are equal.
"""

from __future__ import annotations

from collections.abc import Iterable

from selsock.generate.source import BadSource, Place
from selsock.mls.levels import CATEGORIES, Level
from selsock.names import HostName

PAIRS = CATEGORIES * (CATEGORIES - 1) // 2  # 523,776

HEADER = """\
# Which category pair belongs to which vhost.  Written by selsock-generate; keep this file, it exists nowhere else.
# A line is never removed and a pair never reused: files on disk and in backups may still carry it.
"""


def pair(number: int) -> Level:
    """Pair ``number`` in the order (c0,c1), (c0,c2), … (c0,c1023), (c1,c2), …; ``number`` is below ``PAIRS``."""
    first = 0
    while number >= CATEGORIES - 1 - first:
        number -= CATEGORIES - 1 - first
        first += 1
    return Level.of("s0", {first, first + 1 + number})


class Ledger:
    """Which vhost has which pair.  Reading refuses what was edited into contradiction; asking allocates."""

    def __init__(self) -> None:
        self.numbers: dict[HostName, int] = {}
        self.owners: dict[int, HostName] = {}

    @classmethod
    def parse(cls, data: bytes, file: str) -> Ledger:
        """Read a ledger.  Raises BadSource with ``file:line``."""
        found = cls()
        for line, text in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            if not text or text.startswith("#"):
                continue
            name, number = parse_line(text, f"{file}:{line}")
            found.add(name, number, f"{file}:{line}")
        return found

    def add(self, name: HostName, number: int, place: str) -> None:
        """Enter that ``name`` has pair ``number``.  Raises BadSource when either is taken otherwise."""
        if name in self.numbers:
            raise BadSource(place, f"expected each vhost once, not {name!r} again (it has pair {self.numbers[name]})")
        if number in self.owners:
            raise BadSource(place, f"expected each pair once, not {number} again ({self.owners[number]} has it)")
        self.numbers[name] = number
        self.owners[number] = name

    def merge(self, other: Ledger, file: str) -> None:
        """Enter all that ``other``, read from ``file``, knows.  Raises BadSource where the two contradict."""
        for name, number in other.numbers.items():
            if self.numbers.get(name) != number:
                self.add(name, number, file)

    def level(self, name: HostName, place: Place) -> Level:
        """The level of ``name``, allocated now if it has none.  Raises BadSource at ``place`` when no pair is left."""
        if name not in self.numbers:
            number = max(self.owners, default=-1) + 1
            if number >= PAIRS:
                raise BadSource(place, f"expected {PAIRS} vhosts with range: auto at most, not one more")
            self.add(name, number, "")
        return pair(self.numbers[name])

    def text(self) -> str:
        """The ledger as a file, in the order of allocation."""
        return HEADER + "".join(f"{self.owners[number]} {number} {pair(number)}\n" for number in sorted(self.owners))


def parse_line(text: str, place: str) -> tuple[HostName, int]:
    """The vhost and pair number of one line ``NAME NUMBER LEVEL``.  Raises BadSource."""
    words = text.split(" ")
    if len(words) == 3 and HostName.accepts(words[0]) and is_number(words[1]):
        number = int(words[1])
        if number < PAIRS and words[2] == pair(number):
            return HostName(words[0]), number
    raise BadSource(place, f"expected NAME NUMBER LEVEL with the level of that number, not {text[:80]!r}")


def is_number(text: str) -> bool:
    """Whether ``text`` is a decimal number in its one shortest form."""
    return text.isascii() and text.isdigit() and len(text) < 7 and str(int(text)) == text


def merged(ledgers: Iterable[tuple[str, bytes]]) -> Ledger:
    """One ledger of several, given as (file, content).  Raises BadSource where they contradict."""
    found = Ledger()
    for file, data in ledgers:
        found.merge(Ledger.parse(data, file), file)
    return found
