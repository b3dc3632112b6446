# SPDX-License-Identifier: Apache-2.0
"""Contexts as the source writes them, either part of which may be left to the enclosing level."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from selsock.generate.domains import Domain, Domains, parse_domain
from selsock.generate.source import BadSource, Mapping, Node, Place, Scalar, scalar
from selsock.mls.levels import Level

CLEARANCE = "clearance"


class Auto(enum.Enum):
    """``range: auto``: the category pair of the vhost."""

    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Partial:
    """A context of which either part may be missing, and where the source says so.

    With ``clearance``, the range is each user's own, and that which is inherited is its ceiling.
    """

    place: Place
    domain: Domain | None = None
    range: Level | Auto | None = None
    clearance: bool = False

    def over(self, enclosing: Partial) -> Partial:
        """This, with what it leaves out taken from ``enclosing``."""
        clearance = self.clearance or (self.range is None and enclosing.clearance)
        return Partial(self.place, self.domain or enclosing.domain, self.range or enclosing.range, clearance)

    @property
    def limit(self) -> str:
        """How a user's own level may be below the ceiling, as a rule of the table says it.

        Half of a vhost's pair belongs to no vhost, or to many, so that of a pair he gets the whole or nothing.
        """
        if not self.clearance:
            return ""
        return "whole" if self.range is Auto.AUTO else "meet"

    def complete(self, pair: Callable[[], Level]) -> tuple[Domain, Level]:
        """Both parts, ``auto`` resolved by ``pair``.  Raises BadSource when one is missing at every level."""
        if self.domain is None:
            raise BadSource(self.place, "expected a domain here, in the vhost or in default_context, not none at all")
        if self.range is None:
            raise BadSource(self.place, "expected a range here, in the vhost or in default_context, not none at all")
        return self.domain, pair() if isinstance(self.range, Auto) else self.range


def parse_range(node: Node, others: str = "auto") -> Level | Auto:
    """A level in any spelling, or ``auto``; ``others`` are the words that may stand here.  Raises BadSource."""
    text = scalar(node).text
    if text == "auto":
        return Auto.AUTO
    try:
        return Level.parse(text)
    except ValueError as error:
        raise BadSource(
            node.place, f"{error}".replace("expected a level", f"expected {others} or a level", 1)
        ) from None


def parse_parts(given: Mapping, domains: Domains, clearance: bool = False) -> Partial:
    """The keys ``domain`` and ``range`` of ``given``, either of which may be missing.  Raises BadSource."""
    domain, level = given.get("domain"), given.get("range")
    return parsed(given.place, None if domain is None else parse_domain(domain, domains), level, clearance)


def parsed(place: Place, domain: Domain | None, level: Node | None, clearance: bool) -> Partial:
    """The context of ``domain`` and the range that ``level`` gives, if any.  Raises BadSource."""
    if level is None:
        return Partial(place, domain)
    if clearance and scalar(level).text == CLEARANCE:
        return Partial(place, domain, clearance=True)
    return Partial(place, domain, parse_range(level, "auto, clearance" if clearance else "auto"))


def parse_context(node: Node, domains: Domains, clearance: bool = False) -> Partial:
    """``DOMAIN``, ``DOMAIN:RANGE`` or ``{domain: …, range: …}``; RANGE may be ``clearance`` where that is said.

    Raises BadSource.
    """
    if isinstance(node, Mapping):
        node.only(("domain", "range"))
        if not node.values:
            node.refuse("domain, range or both")
        return parse_parts(node, domains, clearance)
    if not isinstance(node, Scalar):
        node.refuse("DOMAIN, DOMAIN:RANGE or a mapping of domain and range")
    text, colon, level = node.text.partition(":")
    domain = parse_domain(Scalar(node.place, text), domains)
    return parsed(node.place, domain, Scalar(node.place, level) if colon else None, clearance)
