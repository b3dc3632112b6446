# SPDX-License-Identifier: Apache-2.0
"""Programs of the system, as an administrator's tool runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from selsock.generate.faults import MachineFault

# Of the caller's environment nothing: its PATH may lack sbin, and its locale would translate messages.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

Say = Callable[[str], None]  # tells the operator one line


def run(command: list[str]) -> str:
    """What a program of the system writes.  Raises MachineFault with its complaint, on one line, when it fails."""
    done = subprocess.run(
        command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = "; ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        raise MachineFault(f"{command[0]} failed with status {done.returncode}: {said or 'no reason given'}")
    return done.stdout


def is_booted() -> bool:
    """Whether systemd runs this machine (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()
