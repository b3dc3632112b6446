# SPDX-License-Identifier: Apache-2.0
"""Which IPv4 addresses a regular expression of ``SetEnvIf Remote_Addr`` holds for: exactly those, as networks.

The expression becomes the states of an automaton, which is then asked octet by octet; so ``192.168.1.[0-9]+$`` is
192.168.1.0/24 because nothing else matches, and not because it looks like it.  Taken are digits, dots, ``[0-9]``, ``\\d``, a
quantifier behind each, and anchors.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cache

from selsock.names import DIGITS

TOKEN = re.compile(r"(\\\.|\[\.\]|\[0-9\]|\\d|\.|[0-9])([*+?]|\{([1-3])(?:(,)([1-3])?)?\})?")
MOST = 64  # networks; of more, an administrator could not tell what they mean
STEPS = 32  # of an expression

States = frozenset[int]


@dataclass(frozen=True, slots=True)
class Step:
    """One character of an expression, or any number of it with ``again``; it may be missing when ``optional``."""

    characters: str
    optional: bool
    again: bool


def steps(expression: str) -> tuple[list[Step], bool, bool]:
    """The steps, and whether they begin and end where the address does.  Raises ValueError."""
    begins, ends = expression.startswith("^"), expression.endswith("$")
    text = expression[begins : len(expression) - ends]
    found: list[Step] = []
    position = 0
    while position < len(text):
        token = TOKEN.match(text, position)
        if token is None or len(found) > STEPS:
            raise ValueError(f"expected digits, dots, [0-9] and \\d alone, not {expression!r}")
        position = token.end()
        characters = {r"\.": ".", "[.]": ".", "[0-9]": DIGITS, r"\d": DIGITS, ".": DIGITS + "."}.get(token[1], token[1])
        least, most = 1, 1
        if token[2]:
            least = 0 if token[2] in "*?" else int(token[3] or 1)
            most = -1 if token[2] in "*+" or (token[4] and not token[5]) else int(token[5] or token[3] or 1)
        found += [Step(characters, False, False)] * least
        found += [Step(characters, True, True)] if most < 0 else [Step(characters, True, False)] * (most - least)
    return found, begins, ends


class Automaton:
    """The states of an expression: how many of its steps are taken, one after the other."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.path, self.begins, self.ends = steps(expression)
        self.final = len(self.path)
        self.start = self.closed({0})
        self.after = cache(self._after)
        self.holding = cache(self._holding)

    def closed(self, states: set[int]) -> States:
        """``states``, and what is reached from them without a character."""
        for state, step in enumerate(self.path):
            if state in states and step.optional:
                states.add(state + 1)
        return frozenset(states)

    def _after(self, states: States, text: str) -> States:
        """The states after the characters of ``text``."""
        for character in text:
            if self.final in states and not self.ends:
                return states  # found already, whatever follows
            taken = {s for s in states if s < self.final and character in self.path[s].characters}
            reached = self.closed({s + 1 for s in taken} | {s for s in taken if self.path[s].again})
            states = reached if self.begins else reached | self.start
        return states

    def _holding(self, states: States, octets: int) -> tuple[tuple[int, int], ...]:
        """What matches of ``octets`` more octets: networks, as (number, bits that are free).  Raises ValueError."""
        found: list[tuple[int, int]] = []
        for value in range(256):
            reached = self.after(states, str(value) + "." * (octets > 1))
            rest = self.holding(reached, octets - 1) if octets > 1 else ((0, 0),) * (self.final in reached)
            found += [(value << 8 * (octets - 1) | number, free) for number, free in rest]
        if len(found) > 16 * 256:
            raise ValueError(f"expected {MOST} networks at most, not what {self.expression!r} matches")
        return joined(found)


def networks(expression: str) -> list[str]:
    """The networks of the IPv4 addresses that ``expression`` is found in.  Raises ValueError when it is of another kind,
    or when they are too many."""
    automaton = Automaton(expression)
    found = automaton.holding(automaton.start, 4)
    if len(found) > MOST:
        raise ValueError(f"expected {MOST} networks at most, not what {expression!r} matches")
    return [f"{ipaddress.IPv4Address(number)}/{32 - free}" for number, free in found]


def meant(expression: str) -> str:
    """What may have been meant by ``expression`` if its dots were dots and it began where the address does."""
    try:
        found = networks("^" + re.sub(r"\\?\.(?![*+?{])", r"\\.", expression.removeprefix("^")))
    except ValueError:
        return "say it with address"
    return f"if {', '.join(found)} is meant, say that with address"


def joined(found: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Disjoint networks in rising order, two halves of one put together wherever there are."""
    kept: list[tuple[int, int]] = []
    for number, free in found:
        while kept and kept[-1][1] == free and kept[-1][0] ^ number == 1 << free:
            number, free = kept.pop()[0], free + 1
        kept.append((number, free))
    return tuple(kept)
