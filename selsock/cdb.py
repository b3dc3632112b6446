# SPDX-License-Identifier: Apache-2.0
"""Reader of cdb, D. J. Bernstein's constant database: two reads per lookup, replaced by rename.

Format: https://cr.yp.to/cdb/cdb.txt.  The file is 256 pointers, the records, then 256 hash tables.  Numbers are 32 bit,
little-endian, so a file ends at 4 GiB.  The writer is ``generate/cdb_writer``; both are tested against tinycdb.
"""

from selsock.cores import Final, posix, struct

HEADER = 2048


def hashed(key: bytes) -> int:
    """cdb's hash of ``key``: h = ((h << 5) + h) ^ octet, from 5381, in 32 bits."""
    value = 5381
    for octet in key:
        value = (value * 33 & 0xFFFFFFFF) ^ octet
    return value


class Reader:
    """An open cdb.  Raises ValueError when the file is not a whole cdb, OSError when it cannot be read."""

    __slots__ = ("file", "header", "size")

    def __init__(self, path: str) -> None:
        self.file: Final = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW)
        self.size: Final = posix.fstat(self.file).st_size
        self.header: Final = posix.pread(self.file, HEADER, 0)
        if len(self.header) != HEADER:
            raise ValueError("shorter than the header of a cdb")
        # The last table ends the file, to the byte; so a file cut short, or one that is still being written, shows.
        position, slots = struct.unpack_from("<II", self.header, HEADER - 8)
        if position + slots * 8 != self.size:
            raise ValueError(f"{self.size} bytes long where its header says {position + slots * 8}")

    def get(self, key: bytes) -> bytes | None:
        """The first value stored under ``key``, or None.  Raises ValueError when the file contradicts itself."""
        value = hashed(key)
        position, slots = struct.unpack("<II", self.header[(value & 255) * 8 :][:8])
        for step in range(slots):
            slot = position + ((value >> 8) + step) % slots * 8
            found, record = struct.unpack("<II", self.read(8, slot))
            if record == 0:
                return None
            if found == value:
                key_length, length = struct.unpack("<II", self.read(8, record))
                if key_length == len(key) and self.read(key_length, record + 8) == key:
                    return self.read(length, record + 8 + key_length)
        return None

    def read(self, length: int, position: int) -> bytes:
        """Exactly ``length`` bytes at ``position``.  Raises ValueError where the file has fewer."""
        if position + length > self.size:
            raise ValueError("a record points behind the end of the file")
        data = posix.pread(self.file, length, position)
        if len(data) != length:
            raise ValueError("cut short while it was read")
        return data

    def close(self) -> None:
        """Close the file."""
        posix.close(self.file)
