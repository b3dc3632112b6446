# SPDX-License-Identifier: Apache-2.0
"""What the source says to systemd and the handler of how much a connection, and all of them, may take."""

from __future__ import annotations

from dataclasses import dataclass

from selsock.generate.source import Mapping, Node, mapping, scalar
from selsock.model import LIMITS, Limits
from selsock.names import DIGITS, Name

HIGHEST = 2**31 - 1

# The limits that systemd keeps, with their defaults and lowest values.
SYSTEMD_LIMITS = (
    ("connections", 64, 1),  # MaxConnections=
    ("connections_per_source", 16, 0),  # MaxConnectionsPerSource=, where systemd takes 0 for "no limit"
    ("connections_per_vhost", 0, 0),  # kept by the handler: 0 for no limit
    ("connections_per_second", 50, 1),  # PollLimitBurst= in one second, for each address
    ("tasks", 16, 1),  # TasksMax= of an instance
)
MEMORY = "64M"
# A chunk's line has to hold any size; two bytes are trailers without a field.
LOWEST = {"content_bytes": 0, "head_bytes": 512, "request_line_bytes": 64, "chunk_line_bytes": 16, "trailer_bytes": 2}
# Heads, lines and trailers are kept in memory, a request line goes into one datagram of the journal, and poll(2) counts
# in milliseconds.
GREATEST = {
    "head_bytes": 1048576,
    "request_line_bytes": 65536,
    "chunk_line_bytes": 65536,
    "trailer_bytes": 1048576,
    "connection_seconds": 86400,
}
# Which limit could never be reached beyond which other.
WITHIN = (
    ("request_line_bytes", "head_bytes"),
    ("first_byte_seconds", "connection_seconds"),
    ("head_seconds", "connection_seconds"),
    ("idle_seconds", "connection_seconds"),
    ("request_seconds", "connection_seconds"),
    ("failure_seconds", "connection_seconds"),
    ("connections_per_source", "connections"),
    ("connections_per_vhost", "connections"),
)


class Size(Name):
    """An amount of memory as systemd reads it: digits and K, M or G, to the base 1024."""

    __slots__ = ()
    expected = "an amount of memory such as 64M"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """A number without leading zero and a unit."""
        digits = text[:-1]
        number = 0 < len(digits) < 7 and not digits.strip(DIGITS) and digits[0] != "0"
        return number and text[-1] in ("K", "M", "G")

    @property
    def bytes(self) -> int:
        """As a number of bytes."""
        return int(self[:-1]) << {"K": 10, "M": 20, "G": 30}[self[-1]]

    def times(self, number: int) -> Size:
        """``number`` times as much."""
        return Size(f"{int(self[:-1]) * number}{self[-1]}")


@dataclass(frozen=True, slots=True)
class SystemLimits:
    """The limits that systemd keeps; each instance has ``memory`` and ``tasks`` of its own.  ``connections_per_vhost`` is
    what a vhost without a number of its own has."""

    connections: int
    connections_per_source: int
    connections_per_vhost: int
    connections_per_second: int
    tasks: int
    memory: Size


def parse_limits(node: Node | None) -> tuple[Limits, SystemLimits]:
    """The handler's limits and systemd's.  Raises BadSource."""
    values = LIMITS | {name: default for name, default, _ in SYSTEMD_LIMITS}
    lowest = LOWEST | {name: low for name, _, low in SYSTEMD_LIMITS}
    memory = Size(MEMORY)
    if node is not None:
        given = mapping(node)
        given.only((*values, "memory"))
        for name, value in given.values.items():
            if name == "memory":
                memory = scalar(value).name(Size)
            else:
                values[name] = scalar(value).number(lowest.get(name, 1), GREATEST.get(name, HIGHEST))
        fit(given, values)
    system = {name: values[name] for name, _, _ in SYSTEMD_LIMITS}
    return Limits({name: values[name] for name in LIMITS}), SystemLimits(memory=memory, **system)


def fit(given: Mapping, values: dict[str, int]) -> None:
    """Lower each default to the limit that it lies within; refuse what is given and larger.  Raises BadSource."""
    for small, large in WITHIN:
        if small not in given.values:
            values[small] = min(values[small], values[large])
        elif values[small] > values[large]:
            given.require(small).refuse(f"{small} ({values[small]}) to be at most {large} ({values[large]})")
