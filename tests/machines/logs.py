# SPDX-License-Identifier: Apache-2.0
"""Where the logs of machines are kept, and which machines are running now.

The logs of a machine are those of its last run, in .cache/logs/NAME/.
"""

import shutil
from pathlib import Path
from typing import Protocol

from tests.machines.commands import cache


class Machine(Protocol):
    """What NativeMachine and VirtualMachine have in common."""

    name: str

    def save_logs(self) -> None:
        """Write what the machine logged so far into directory(name); never raise because it does not answer."""


running: list[Machine] = []  # who collects evidence of a failed test needs to find them


def directory(name: str) -> Path:
    """The directory for the logs of a machine."""
    path = cache() / "logs" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def emptied_directory(name: str) -> Path:
    """The same, emptied: the logs of one run are never mixed with those of the last."""
    shutil.rmtree(directory(name))
    return directory(name)
