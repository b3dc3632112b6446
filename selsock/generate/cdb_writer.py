# SPDX-License-Identifier: Apache-2.0
"""Writer of cdb; the format and its reader are in ``selsock/cdb.py``."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from selsock.cdb import HEADER, hashed


def compose(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The bytes of a cdb that holds ``records`` in the given order.  Raises ValueError over 4 GiB."""
    body: list[bytes] = []
    tables: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    position = HEADER
    for key, value in records:
        code = hashed(key)
        tables[code & 255].append((code, position))
        body.append(struct.pack("<II", len(key), len(value)) + key + value)
        position += len(body[-1])
    header: list[bytes] = []
    for entries in tables:
        slots: list[tuple[int, int]] = [(0, 0)] * (len(entries) * 2)
        for code, record in entries:
            place = (code >> 8) % len(slots)
            while slots[place][1]:
                place = (place + 1) % len(slots)
            slots[place] = (code, record)
        header.append(struct.pack("<II", position, len(slots)))
        body.extend(struct.pack("<II", *slot) for slot in slots)
        position += len(slots) * 8
    if position > 0xFFFFFFFF:
        raise ValueError("a cdb ends at 4 GiB")
    return b"".join(header + body)
