# SPDX-License-Identifier: Apache-2.0
"""Writer of cdb; the format and its reader are in ``selsock/cdb.py``."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable

from selsock.cdb import HEADER, hashed


def compose(records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The bytes of a cdb that holds ``records`` in the given order.  Raises ValueError over 4 GiB."""
    data = bytearray(HEADER)
    # Numbers rather than objects: for a million users it is a tenth of the memory.
    tables = [array("L") for _ in range(256)]  # of hash and position, one behind the other
    for key, value in records:
        code = hashed(key)
        tables[code & 255].extend((code, len(data)))
        data += struct.pack("<II", len(key), len(value))
        data += key
        data += value
    for number, entries in enumerate(tables):
        length = len(entries)  # in slots, too, for half of them stay empty
        slots = array("L", bytes(length * 2 * entries.itemsize))
        for code, position in zip(entries[::2], entries[1::2], strict=True):
            place = (code >> 8) % length
            while slots[place * 2 + 1]:
                place = (place + 1) % length
            slots[place * 2] = code
            slots[place * 2 + 1] = position
        if len(data) + length * 8 > 0xFFFFFFFF:
            raise ValueError("a cdb ends at 4 GiB")
        struct.pack_into("<II", data, number * 8, len(data), length)
        data += struct.pack(f"<{length * 2}I", *slots)
    return bytes(data)
