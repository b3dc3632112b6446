# SPDX-License-Identifier: Apache-2.0
"""What checks look at, and what they say of it.

``Machine`` is the edge: what unit tests replace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selsock.generate.applied import Applied
from selsock.generate.commands import run
from selsock.generate.configuration import Configuration
from selsock.generate.faults import MachineFault
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import Plan
from selsock.handler.kernel import Kernel

OK, UNKNOWN, WARNING, ERROR = "ok", "unknown", "warning", "error"


@dataclass(frozen=True, slots=True)
class Said:
    """What a check says: how bad it is, what it is, and the command that mends it, "" where there is none."""

    severity: str
    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Force:
    """What is in force: the source that was applied, and what this selsock makes of it."""

    applied: Applied
    configuration: Configuration
    plan: Plan

    @property
    def again(self) -> str:
        """The command that applies it anew."""
        return f"selsock-generate {self.applied.source}"


class Machine:
    """This machine, as far as a look at it takes a program, the kernel or a library."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.kernel = Kernel()

    def selinux(self) -> Selinux:
        """libselinux.  Raises MachineFault."""
        return Selinux()

    def run(self, command: list[str]) -> str:
        """What a program of the system writes.  Raises MachineFault."""
        return run(command)

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """The properties ``names`` of ``unit``; those that this systemd does not know are not there.  Raises MachineFault."""
        lines = self.run(["systemctl", "show", f"--property={','.join(names)}", unit]).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def records(self, seconds: float, **fields: str) -> Iterator[dict[str, Any]]:
        """The journal's records with all of ``fields`` of the last ``seconds``.  Raises MachineFault."""
        try:
            from systemd import journal  # type: ignore[import-untyped]  # no stubs
        except ImportError as error:
            raise MachineFault(f"{error}: install python3-systemd") from None
        with journal.Reader() as reader:
            reader.add_match(**fields)
            reader.seek_realtime(self.now() - seconds)
            yield from reader

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


@dataclass(frozen=True, slots=True)
class Look:
    """A machine, and what is in force there; None where nothing is, or, if not ``known``, where nobody could tell."""

    machine: Machine
    force: Force | None
    known: bool = True

    @property
    def given(self) -> Force:
        """What is in force, for a check that is made only where something is.  Raises MachineFault."""
        if self.force is None:
            raise MachineFault("nothing is in force")
        return self.force

    @property
    def root(self) -> Path:
        """Where the machine's files are."""
        return self.machine.root


Check = Callable[[Look], Iterator[Said]]


def ok(what: str) -> Said:
    """All is well."""
    return Said(OK, what)


def unknown(what: str, mend: str = "") -> Said:
    """Nobody could look."""
    return Said(UNKNOWN, what, mend)


def warning(what: str, mend: str = "") -> Said:
    """It is served, and somebody should do something."""
    return Said(WARNING, what, mend)


def error(what: str, mend: str = "") -> Said:
    """Something is not served, or not confined."""
    return Said(ERROR, what, mend)
