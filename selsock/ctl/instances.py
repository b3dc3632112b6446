# SPDX-License-Identifier: Apache-2.0
"""The connections that there are: who, where, since when, and in which context, as the kernel has it.

vhost and user are from the decision in the journal, which counts only if journald says that selsock_t or selsock_run_as_t wrote it: what a
tenant writes is its claim.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from selsock.generate.faults import MachineFault
from selsock.handler.kernel import OWN_TYPES

PATTERNS = ("selsock@*.service", "selsock-run-as@*.service")
PROPERTIES = ("Id", "MainPID", "Description", "ActiveEnterTimestampMonotonic", "InvocationID")
COLUMNS = ("unit", "address", "vhost", "user", "context", "seconds")


@dataclass(frozen=True, slots=True)
class Instance:
    """A connection.  ``address``, ``vhost`` and ``user`` are empty as long as nothing is decided, ``user`` also for one who
    has not signed in; ``context`` is the kernel's, empty where it has no SELinux; ``seconds`` is its age."""

    unit: str
    pid: int
    address: str
    vhost: str
    user: str
    context: str
    seconds: int


def run(as_json: bool) -> int:
    """Print them, and return the exit status.  Raises MachineFault."""
    if os.geteuid() != 0:
        raise MachineFault("only root can see the connections of all")
    found = sorted(instances(), key=lambda instance: -instance.seconds)
    if as_json:
        print(json.dumps([asdict(instance) for instance in found], ensure_ascii=False, indent=2))
    else:
        sys.stdout.write(in_columns(found))
    return 0


def in_columns(found: list[Instance]) -> str:
    """A line for each, below one of titles; ``-`` for what is not known."""
    rows = [[str(getattr(instance, name)) or "-" for name in COLUMNS] for instance in found]
    table = [[name.upper() for name in COLUMNS], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in table
    )


def instances() -> Iterator[Instance]:
    """Those that run now.  Raises MachineFault."""
    for shown in units():
        pid = int(shown["MainPID"])
        if pid == 0:
            continue  # it has just ended
        fields = decision(shown["InvocationID"])
        since = int(shown["ActiveEnterTimestampMonotonic"]) / 1e6
        yield Instance(
            shown["Id"],
            pid,
            fields.get("SELSOCK_ADDRESS", ""),
            fields.get("SELSOCK_VHOST", ""),
            fields.get("SELSOCK_USER", ""),
            context_of(pid),
            int(max(0.0, time.clock_gettime(time.CLOCK_MONOTONIC) - since)),
        )


def units() -> list[dict[str, str]]:
    """The properties of each instance, as systemctl(1) shows them.  Raises MachineFault."""
    command = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", *PATTERNS]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineFault(f"systemctl failed with status {done.returncode}: {done.stderr.strip()}")
    blocks = [block for block in done.stdout.split("\n\n") if block.strip()]
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]


def context_of(pid: int) -> str:
    """The context of process ``pid``, empty where there is none, or where it has ended."""
    try:
        return Path(f"/proc/{pid}/attr/current").read_text().rstrip("\0\n")
    except OSError:
        return ""


def decision(invocation: str) -> dict[str, Any]:
    """The fields of the last decision of the instance with this invocation; none without one.

    Where SELinux is, it has to be of one of ``OWN_TYPES``.  Raises MachineFault without systemd's binding.
    """
    try:
        from systemd import journal  # type: ignore[import-untyped]  # no stubs
    except ImportError as error:
        raise MachineFault(f"{error}: install python3-systemd") from None
    with journal.Reader() as reader:
        reader.add_match(_SYSTEMD_INVOCATION_ID=invocation)
        reader.add_match(SELSOCK_EVENT="decision")
        found: dict[str, Any] = {}
        for entry in reader:
            context = str(entry.get("_SELINUX_CONTEXT", "")).split(":")
            if len(context) < 3 or context[2] in OWN_TYPES:
                found = entry
    return found
