# SPDX-License-Identifier: Apache-2.0
"""The table that the handler opens: a configuration as a cdb, and a cdb as lines that a person can compare."""

from __future__ import annotations

import struct

from selsock.cdb import HEADER, compose
from selsock.generate.configuration import Configuration
from selsock.model import Table


def compile_table(configuration: Configuration, generation: str) -> bytes:
    """The table of ``configuration``, for a policy of ``generation``."""
    records = [(b"table", Table(generation, configuration.required, configuration.limits).record())]
    for site in configuration.sites:
        record = site.vhost.record()
        records += [(f"host {name}".encode(), record) for name in site.vhost.names]
    return compose(sorted(records))


def decoded(table: bytes) -> str:
    """The records of a table as text, each line indented below its key.  Raises ValueError for what is no table."""
    if len(table) < HEADER:
        raise ValueError("shorter than the header of a cdb")
    # The first hash table begins where the records end.
    end = min(position for position, _ in struct.iter_unpack("<II", table[:HEADER]))
    lines: list[str] = []
    position = HEADER
    try:
        while position < end:
            key_length, length = struct.unpack_from("<II", table, position)
            start = position + 8 + key_length
            position = start + length
            lines.append(table[start - key_length : start].decode() + "\n")
            lines += [f"    {line}\n" for line in table[start:position].decode().splitlines()]
    except struct.error:
        raise ValueError("cut short") from None
    return "".join(lines)
