# SPDX-License-Identifier: Apache-2.0
"""All that verify found, and whether it is as ``vhost.yaml`` promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selsock.ctl.verify.contexts import Labelled
from selsock.ctl.verify.findings import Fault, Writers
from selsock.ctl.verify.judging import Probed
from selsock.ctl.verify.matrix import Cell, Grant, Matrix


@dataclass(frozen=True, slots=True)
class Result:
    """``source`` and ``policy`` are the files that were read; ``probed`` is None where nothing was tried."""

    source: str
    policy: str
    matrix: Matrix
    beside: tuple[Fault, ...]
    writers: tuple[Writers, ...]
    notes: tuple[str, ...]
    probed: Probed | None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that is not as promised; isolation is proved where this is empty."""
        of_cells = (fault for cell in self.matrix.all() for fault in faults_of(cell))
        return (*of_cells, *self.beside, *(self.probed.faults if self.probed else ()))

    @property
    def crossings(self) -> tuple[tuple[Cell, Grant], ...]:
        """What vhost.yaml has one tenant do to another."""
        cells = (cell for cells in self.matrix.cells.values() for cell in cells)
        return tuple((cell, grant) for cell in cells for grant in cell.grants if grant.promised)


def faults_of(cell: Cell) -> Iterator[Fault]:
    """What in ``cell`` is not as promised."""
    whose = "its own" if cell.source is cell.target else f"{cell.target.name}'s"
    more = cell.pairs - 1
    alike = f" (and {more} {'pair' if more == 1 else 'pairs'} like it)" if more else ""
    for grant in cell.grants:
        if not grant.promised:
            words = f"{cell.source.name} may {VERBS[grant.kind]} {whose} {described(grant.target)}{alike}"
            yield Fault(f"{words}, as {grant.source.context}; vhost.yaml does not promise it", grant.rules)
    for missing in cell.missing:
        words = f"{cell.source.name} may not {VERBS[missing.kind]} {whose} {described(missing.target)}{alike}"
        yield Fault(f"{words}, as {missing.source.context}; vhost.yaml promises it")


VERBS = {
    "read": "read",
    "write": "write",
    "execute": "execute",
    "transition": "become",
    "signal": "signal",
    "ptrace": "trace",
    "ipc": "talk to",
}


def described(target: Labelled) -> str:
    """What it is, and its context."""
    return f"{'processes' if target.is_process else target.place} ({target.context})"
