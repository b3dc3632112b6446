# SPDX-License-Identifier: Apache-2.0
"""What was carried over and what was not, so that nothing is dropped without a word."""

from __future__ import annotations

from collections.abc import Iterator

from selsock.generate.apache.access import REQUIRE
from selsock.generate.apache.known import harmless
from selsock.generate.apache.syntax import Directive
from selsock.mls.levels import runs


class Report:
    """Which directives were used, and the reasons why others were not, or not as they are."""

    def __init__(self) -> None:
        self.used: set[Directive] = set()
        self.reasons: dict[Directive, dict[str, None]] = {}

    def use(self, directive: Directive) -> None:
        """Note that ``directive`` is carried over, if there is no reason why not."""
        self.used.add(directive)
        for inner in directive.inside or () if directive.name in REQUIRE else ():
            self.use(inner)

    def refuse(self, directive: Directive, reason: str) -> None:
        """Note why ``directive`` is not carried over, or not as it is."""
        self.reasons.setdefault(directive, {})[reason] = None

    def lines(self, given: list[Directive]) -> list[str]:
        """For all of ``given`` that was not carried over: what and why, then where; in the order in which it stands.

        Raises BadSource.
        """
        found: dict[tuple[str, str], dict[str, list[int]]] = {}
        for directive, reason in self.left(given):
            what = str(directive) if reason in self.reasons.get(directive, ()) else directive.written
            places = found.setdefault((what, reason), {}).setdefault(directive.file, [])
            places.append(directive.line)
        return [f"{located(places)}: {what}: {reason}" for (what, reason), places in found.items()]

    def left(self, given: list[Directive]) -> Iterator[tuple[Directive, str]]:
        """Each directive that was not carried over, with each reason.  Raises BadSource."""
        for directive in given:
            reasons = self.reasons.get(directive)
            if reasons:
                yield from ((directive, reason) for reason in reasons)
            elif directive not in self.used:
                yield directive, harmless(directive) or "it is about nothing that is carried over"
            if reasons or directive in self.used or not harmless(directive):  # else the section says it all
                yield from self.left(directive.inside or [])


def located(places: dict[str, list[int]]) -> str:
    """``FILE:LINE,LINE`` for each file."""
    return ", ".join(f"{file}:{','.join(spans(sorted(set(lines))))}" for file, lines in places.items())


def spans(lines: list[int]) -> Iterator[str]:
    """``LINE`` or ``LINE-LINE``, for rising numbers."""
    for first, last in runs(lines):
        yield f"{first}-{last}" if last > first else f"{first}"
