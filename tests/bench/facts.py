# SPDX-License-Identifier: Apache-2.0
"""On what, and of what, the figures are."""

import os
import platform
from collections.abc import Callable

from selsock import __version__
from tests.machines.commands import CHECKOUT, run


def facts(ask: Callable[[list[str]], str]) -> dict[str, object]:
    """The versions that the machine runs, the host's processors and how busy they are: to be asked before measuring.

    ``ask`` runs a command in the machine and returns what it prints.
    """
    commit = run(
        ["git", "-c", f"safe.directory={CHECKOUT}", "describe", "--always", "--dirty"], check=False, cwd=CHECKOUT
    )
    return {
        "selsock": f"{__version__} {commit.stdout.strip()}".rstrip(),
        "kernel": ask(["uname", "-r"]).strip(),
        "systemd": ask(["systemctl", "--version"]).split()[1],
        "python": ask(["python3", "--version"]).split()[1],
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
    }


def processor() -> str:
    """The name of the processor, as proc(5) has it."""
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
