# SPDX-License-Identifier: Apache-2.0
"""What is in force on this machine, as its disk tells: the source that was applied last, and the paths it had labelled.

The source is kept, and its maps are, because the files that they were read from are the administrator's: they may hold
half of an edit, or be gone, when an upgrade needs them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from selsock.generate.compiled import places
from selsock.generate.configuration import configure
from selsock.generate.faults import MachineFault
from selsock.generate.maps import Maps, taken_apart
from selsock.generate.plan import APPLIED, MAPS, TABLE
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load
from selsock.names import AbsolutePath


@dataclass(frozen=True, slots=True)
class Applied:
    """A source that was applied: the absolute path that it was read from, and the bytes that were read; and those of the
    maps that it names."""

    source: Path
    data: bytes
    maps: dict[str, bytes] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        """The ledger beside the source."""
        return Path(f"{self.source}.ranges")

    def compose(self) -> bytes:
        """This, but for the maps, as a file: the path is its first line, the rest the bytes of the source."""
        return os.fsencode(self.source) + b"\n" + self.data

    @classmethod
    def parse(cls, data: bytes, maps: dict[str, bytes]) -> Self:
        """The inverse of ``compose``, with ``maps``.  Raises ValueError."""
        first, newline, rest = data.partition(b"\n")
        source = Path(os.fsdecode(first))
        if not newline or not source.is_absolute() or not AbsolutePath.accepts(f"/{source.name}"):
            raise ValueError("its first line is not the absolute path of a source")
        return cls(source, rest, maps)


def read(root: Path) -> Applied | None:
    """What is in force below ``root``, None when nothing was applied.  Raises MachineFault when a file is damaged."""
    place = root / MAPS
    try:
        maps = taken_apart(place.read_bytes()) if place.exists() else {}
        place = root / APPLIED
        return Applied.parse(place.read_bytes(), maps)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise MachineFault(f"{place} is damaged: {error}; apply the source itself again") from None


def labelled(root: Path) -> frozenset[str] | None:
    """The roots, directories for temporary files and password files that what is in force had labelled; nothing when nothing was applied.

    None when neither the table nor the source that was applied can be read, though one of them is there.
    """
    if not any(os.path.lexists(root / path) for path in (TABLE, APPLIED)):
        return frozenset()
    try:
        return places((root / TABLE).read_bytes())
    except (OSError, ValueError):
        try:
            applied = read(root)
            if applied is None:
                return None
            source = load(applied.data, str(applied.source))
            # Which pairs it gives is of no interest here.
            sites = configure(source, applied.source.name, Ledger(), Maps(applied.maps)).sites
        except (OSError, BadSource, MachineFault):
            return None
    made = [directory.label.path for site in sites for directory in site.directories]
    return frozenset({*made, *(file for site in sites for file in (str(site.vhost.root), *site.files))})
