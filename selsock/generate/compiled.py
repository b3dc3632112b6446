# SPDX-License-Identifier: Apache-2.0
"""The table that the handler opens: a configuration as a cdb, and a cdb as lines that a person can compare."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from selsock.cdb import HEADER
from selsock.generate.cdb_writer import compose
from selsock.generate.configuration import Configuration
from selsock.generate.records import table_record, vhost_record
from selsock.identify.provider import Provider
from selsock.model import Table, Vhost


def compile_table(configuration: Configuration, generation: str) -> bytes:
    """The table of ``configuration``, for a policy of ``generation``."""
    fields = tuple(sorted({name.encode() for entry in configuration.listen for name in entry.fields}))
    apart = tuple(sorted({entry.name for entry in configuration.listen if entry.run_as}))
    table = Table(generation, configuration.required, configuration.limits, fields, apart)
    records = [(b"table", table_record(table))]
    records += [(f"listener {entry.name}".encode(), entry.record()) for entry in configuration.listen if entry.marked]
    for given in configuration.maps:
        records += given.records()
    for site in configuration.sites:
        record = vhost_record(site.vhost)
        records += [(f"host {name}".encode(), record) for name in site.vhost.names]
        if site.provider is not None:
            records.append((f"identity {site.vhost.name}".encode(), site.provider.record()))
    return compose(sorted(records))


def decoded(table: bytes) -> str:
    """The records of a table as text, each line indented below its key, or behind it where there is but one.

    Raises ValueError for what is no table.
    """
    lines: list[str] = []
    for key, value in records(table):
        if value and "\n" not in value:
            lines.append(f"{key}\t{value}\n")
            continue
        lines.append(f"{key}\n")
        lines += [f"    {line}\n" for line in value.splitlines()]
    return "".join(lines)


def places(table: bytes) -> frozenset[str]:
    """The roots, the directories that were made, and the files of users that a table names.  Raises ValueError for what is no table."""
    found: set[str] = set()
    for key, value in records(table):
        if key.startswith("host "):
            vhost = Vhost.parse(value.encode())
            found.update({vhost.root, vhost.temporary or vhost.root})
        elif key.startswith("identity "):
            found.update(Provider.parse(value.encode()).files)
    return frozenset(found)


def records(table: bytes) -> Iterator[tuple[str, str]]:
    """Key and value of each record of a table, in its order.  Raises ValueError for what is no table."""
    if len(table) < HEADER:
        raise ValueError("shorter than the header of a cdb")
    pointers = list(struct.iter_unpack("<II", table[:HEADER]))
    # As in cdb.Reader: the last hash table ends the file.
    if len(table) != max(HEADER, *(position + slots * 8 for position, slots in pointers)):
        raise ValueError("cut short")
    # The first hash table begins where the records end.
    end = min(position for position, _ in pointers)
    position = HEADER
    try:
        while position < end:
            key_length, length = struct.unpack_from("<II", table, position)
            start = position + 8 + key_length
            position = start + length
            yield table[start - key_length : start].decode(), table[start:position].decode()
    except struct.error:
        raise ValueError("cut short") from None
