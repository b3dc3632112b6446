# SPDX-License-Identifier: Apache-2.0
"""What is in force on this machine, as its disk tells: the source that was applied last, and the paths it had labelled.

The source is kept because the file that it was read from is the administrator's: it may hold half of an edit, or be
gone, when an upgrade needs it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from selsock.generate.compiled import vhosts
from selsock.generate.configuration import configure
from selsock.generate.faults import MachineFault
from selsock.generate.plan import APPLIED, TABLE
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load
from selsock.names import AbsolutePath


@dataclass(frozen=True, slots=True)
class Applied:
    """A source that was applied: the absolute path that it was read from, and the bytes that were read."""

    source: Path
    data: bytes

    @property
    def ledger(self) -> Path:
        """The ledger beside the source."""
        return Path(f"{self.source}.ranges")

    def compose(self) -> bytes:
        """This as a file: the path is its first line, the rest the bytes of the source."""
        return os.fsencode(self.source) + b"\n" + self.data

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The inverse of ``compose``.  Raises ValueError."""
        first, newline, rest = data.partition(b"\n")
        source = Path(os.fsdecode(first))
        if not newline or not source.is_absolute() or not AbsolutePath.accepts(f"/{source.name}"):
            raise ValueError("its first line is not the absolute path of a source")
        return cls(source, rest)


def read(root: Path) -> Applied | None:
    """What is in force below ``root``, None when nothing was applied.  Raises MachineFault when the file is damaged."""
    place = root / APPLIED
    try:
        return Applied.parse(place.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise MachineFault(f"{place} is damaged: {error}; apply the source itself again") from None


def labelled(root: Path) -> frozenset[str] | None:
    """The roots and password files that what is in force had labelled; nothing when nothing was applied.

    None when neither the table nor the source that was applied can be read, though one of them is there.
    """
    if not any(os.path.lexists(root / path) for path in (TABLE, APPLIED)):
        return frozenset()
    try:
        found = vhosts((root / TABLE).read_bytes())
    except (OSError, ValueError):
        try:
            applied = read(root)
            if applied is None:
                return None
            source = load(applied.data, str(applied.source))
            # Which pairs it gives is of no interest here.
            found = [site.vhost for site in configure(source, applied.source.name, Ledger()).sites]
        except (OSError, BadSource, MachineFault):
            return None
    return frozenset(
        {str(vhost.root) for vhost in found} | {str(vhost.basic.file) for vhost in found if vhost.basic is not None}
    )
