# SPDX-License-Identifier: Apache-2.0
"""What was carried over and what was not, so that nothing is dropped without a word."""

from __future__ import annotations

from collections.abc import Iterator

from selsock.generate.apache.known import harmless
from selsock.generate.apache.syntax import Directive


class Report:
    """Which directives were used, and the reasons why others were not, or not as they are."""

    def __init__(self) -> None:
        self.used: set[Directive] = set()
        self.reasons: dict[Directive, dict[str, None]] = {}

    def use(self, directive: Directive) -> None:
        """Note that ``directive`` is carried over, if there is no reason why not."""
        self.used.add(directive)

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
            yield from self.left(directive.inside or [])


def located(places: dict[str, list[int]]) -> str:
    """``FILE:LINE,LINE`` for each file."""
    return ", ".join(f"{file}:{','.join(map(str, dict.fromkeys(lines)))}" for file, lines in places.items())
