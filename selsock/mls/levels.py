# SPDX-License-Identifier: Apache-2.0
"""The algebra of levels, and the one spelling of each that the kernel uses.

Source: the kernel's ``mls_sid_to_context`` (security/selinux/ss/mls.c).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from selsock import context

SENSITIVITIES = 16  # refpolicy and Fedora declare s0 to s15 with MLS, s0 alone with MCS
CATEGORIES = 1024


class Level(context.Level):
    """A level that can be taken apart."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Level:
        """Take any spelling of one level, return the canonical one.  Raises ValueError."""
        if "-" in text:
            raise ValueError(f"expected one level, not the range {text!r}: a tenant runs at a single level")
        sensitivity, colon, rest = text.partition(":")
        number("s", sensitivity, SENSITIVITIES, text)
        categories: set[int] = set()
        for part in rest.split(",") if colon else ():
            low, dot, high = part.partition(".")
            first = number("c", low, CATEGORIES, text)
            last = number("c", high, CATEGORIES, text) if dot else first
            if last < first:
                raise ValueError(f"expected rising categories, not {part!r} in {text!r}")
            categories.update(range(first, last + 1))
        return cls.of(sensitivity, categories)

    @classmethod
    def of(cls, sensitivity: str, categories: AbstractSet[int]) -> Level:
        """Compose the canonical form; three or more neighbours become a run, ``c0.c2``, as the kernel prints them."""
        parts: list[str] = []
        for first, last in runs(sorted(categories)):
            parts.append(f"c{first}")
            if last > first:
                joint = "." if last - first > 1 else ","
                parts[-1] += f"{joint}c{last}"
        return cls(sensitivity + (":" + ",".join(parts) if parts else ""))

    def categories(self) -> frozenset[int]:
        """The set of categories of this level."""
        found: set[int] = set()
        for part in self.partition(":")[2].split(","):
            low, _, high = part.partition(".")
            if low:
                found.update(range(int(low[1:]), int((high or low)[1:]) + 1))
        return frozenset(found)

    def dominates(self, other: Level) -> bool:
        """Whether what is at ``other`` may be read at this level: no lower sensitivity, no category missing."""
        return self.sensitivity() >= other.sensitivity() and self.categories() >= other.categories()

    def sensitivity(self) -> int:
        """The number of the sensitivity of this level."""
        return int(self.partition(":")[0][1:])


def ends(text: str) -> tuple[Level, Level]:
    """The lowest and the highest level of a range, ``LOW-HIGH`` or one level for both, as in seusers(5).

    Raises ValueError.
    """
    low, _, high = text.partition("-")
    found = Level.parse(low), Level.parse(high or low)
    if text.endswith("-") or not found[1].dominates(found[0]):
        raise ValueError(f"expected a range LOW-HIGH, not {text!r}")
    return found


def meet(low: Level, high: Level, ceiling: Level) -> Level | None:
    """The level at which a user whose login has the range ``low`` to ``high`` works below ``ceiling``.

    It is the greatest that both ``high`` and ``ceiling`` dominate.  None where it does not dominate ``low``, or where the
    ceiling has categories and none of them is the user's: without them it would be a level that everybody dominates.
    """
    common = ceiling.categories() & high.categories()
    found = Level.of(f"s{min(ceiling.sensitivity(), high.sensitivity())}", common)
    return found if found.dominates(low) and (common or not ceiling.categories()) else None


def number(letter: str, text: str, bound: int, whole: str) -> int:
    """The number in ``c12`` or ``s0``, below ``bound``.  Raises ValueError."""
    digits = text[1:]
    if text[:1] != letter or not digits.isascii() or not digits.isdigit() or str(int(digits)) != digits:
        raise ValueError(f"expected a level such as s0 or s0:c1,c5, not {whole!r}")
    if int(digits) >= bound:
        raise ValueError(f"expected {letter}0 to {letter}{bound - 1}, not {text!r} in {whole!r}")
    return int(digits)


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Group rising numbers into (first, last) runs of neighbours."""
    found: list[tuple[int, int]] = []
    for value in numbers:
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found
