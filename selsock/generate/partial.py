# SPDX-License-Identifier: Apache-2.0
"""Contexts as the source writes them, either part of which may be left to the enclosing level."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from selsock.generate.domains import Domain, Domains, parse_domain
from selsock.generate.source import BadSource, Mapping, Node, Place, Scalar, scalar
from selsock.mls.levels import Level


class Auto(enum.Enum):
    """``range: auto``: the category pair of the vhost."""

    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Partial:
    """A context of which either part may be missing, and where the source says so."""

    place: Place
    domain: Domain | None = None
    range: Level | Auto | None = None

    def over(self, enclosing: Partial) -> Partial:
        """This, with what it leaves out taken from ``enclosing``."""
        return Partial(self.place, self.domain or enclosing.domain, self.range or enclosing.range)

    def complete(self, pair: Callable[[], Level]) -> tuple[Domain, Level]:
        """Both parts, ``auto`` resolved by ``pair``.  Raises BadSource when one is missing at every level."""
        if self.domain is None:
            raise BadSource(self.place, "expected a domain here, in the vhost or in default_context, not none at all")
        if self.range is None:
            raise BadSource(self.place, "expected a range here, in the vhost or in default_context, not none at all")
        return self.domain, pair() if isinstance(self.range, Auto) else self.range


def parse_range(node: Node) -> Level | Auto:
    """A level in any spelling, or ``auto``.  Raises BadSource."""
    text = scalar(node).text
    if text == "auto":
        return Auto.AUTO
    try:
        return Level.parse(text)
    except ValueError as error:
        raise BadSource(node.place, f"{error}".replace("expected a level", "expected auto or a level", 1)) from None


def parse_parts(given: Mapping, domains: Domains) -> Partial:
    """The keys ``domain`` and ``range`` of ``given``, either of which may be missing.  Raises BadSource."""
    domain = given.get("domain")
    level = given.get("range")
    return Partial(
        given.place,
        None if domain is None else parse_domain(domain, domains),
        None if level is None else parse_range(level),
    )


def parse_context(node: Node, domains: Domains) -> Partial:
    """``DOMAIN``, ``DOMAIN:RANGE`` or ``{domain: …, range: …}``.  Raises BadSource."""
    if isinstance(node, Mapping):
        node.only(("domain", "range"))
        if not node.values:
            node.refuse("domain, range or both")
        return parse_parts(node, domains)
    if not isinstance(node, Scalar):
        node.refuse("DOMAIN, DOMAIN:RANGE or a mapping of domain and range")
    text, colon, level = node.text.partition(":")
    domain = parse_domain(Scalar(node.place, text), domains)
    return Partial(node.place, domain, parse_range(Scalar(node.place, level)) if colon else None)
