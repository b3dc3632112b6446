# SPDX-License-Identifier: Apache-2.0
"""A line of what ``--diff`` says in words, and how lists and values are put into one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MARK = "WIDENS"
NAMED = 3  # of a list, so many are named


@dataclass(frozen=True, slots=True)
class Line:
    """What changes, in ``words``; ``widens`` where somebody may do more by it, or where that can not be ruled out."""

    words: str
    widens: bool = False

    def __str__(self) -> str:
        return f"{MARK if self.widens else '':<{len(MARK)}}  {self.words}"


def few(names: Iterable[object]) -> str:
    """The first of ``names``, and how many more there are."""
    found = [str(name) for name in names]
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def instead(new: object, old: object) -> str:
    """``new instead of old``; nothing is "none"."""
    return f"{value(new)} instead of {value(old)}"


def value(given: object) -> str:
    """A value of the configuration: a text, a number, a switch, several of them, or none."""
    if given in (None, "", ()):
        return "none"
    if isinstance(given, bool):
        return "yes" if given else "no"
    return ", ".join(map(str, given)) if isinstance(given, tuple) else str(given)
