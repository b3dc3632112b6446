# SPDX-License-Identifier: Apache-2.0
"""Which connections are starting, and waiting for them: what they still have to load must not be taken away meanwhile.

An instance has loaded all its modules before it enters a tenant's domain; so one that is still in selsock_t may be
about to load one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

SERVE = {b"/usr/libexec/selsock/serve", b"/usr/libexec/selsock/serve-as"}
PATIENCE = 15.0  # seconds; one that takes longer waits for its client, and has loaded what it needs
INTERVAL = 0.1
START_TIME = 22 - 3  # the field of proc_pid_stat(5), counted from the one after the name

Process = tuple[str, str]  # its number, and when it started: together they never come back


def starting(proc: Path = Path("/proc")) -> frozenset[Process]:
    """The instances that have not entered a tenant's domain; all, where SELinux tells no domain."""
    found: set[Process] = set()
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if SERVE.isdisjoint((process / "cmdline").read_bytes().split(b"\0")):
                continue
            # The name, in parentheses, may hold anything.
            status = (process / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # it has ended
        if domain(process) in ("selsock_t", "selsock_run_as_t", ""):
            found.add((process.name, status[START_TIME].decode()))
    return frozenset(found)


def domain(process: Path) -> str:
    """The type that the directory ``process`` of /proc says, "" where it says none: SELinux is off."""
    try:
        fields = (process / "attr/current").read_bytes().decode("ascii", "replace").strip("\0\n").split(":")
    except OSError:
        return ""
    return fields[2] if len(fields) > 2 else ""


def inside(domains: Collection[str], proc: Path = Path("/proc")) -> int:
    """How many processes are in one of ``domains``."""
    if not domains:
        return 0
    return sum(domain(process) in domains for process in proc.iterdir() if process.name.isdigit())


def uid(process: Path) -> int:
    """The real uid that the directory ``process`` of /proc says, -1 where it says none: it has ended."""
    try:
        lines = (process / "status").read_bytes().splitlines()
    except OSError:
        return -1
    return next((int(line.split()[1]) for line in lines if line.startswith(b"Uid:")), -1)


def end(domains: Collection[str], proc: Path = Path("/proc"), uids: Collection[int] | None = None) -> int:
    """Kill every process that is in one of ``domains``, and one of ``uids``, unless that is None; return how many there were."""
    found = 0
    for process in list(proc.iterdir()) if domains else ():
        if not process.name.isdigit():
            continue
        try:
            descriptor = os.pidfd_open(int(process.name))
        except ProcessLookupError:
            continue
        try:
            # Asked when the descriptor is there: it, unlike the number, is of this process for good.
            if domain(process) in domains and (uids is None or uid(process) in uids):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                found += 1
        except ProcessLookupError:
            continue
        finally:
            os.close(descriptor)
    return found


def emptied(
    domains: Collection[str],
    before: frozenset[Process],
    say: Callable[[str], None],
    proc: Path = Path("/proc"),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until no process is in one of ``domains``, and none of ``before`` may still enter one; False, and told, when
    that takes more than ``PATIENCE``."""
    end = clock() + PATIENCE
    told = False
    while left := inside(domains, proc) + len(before & starting(proc)):
        what = "1 process is" if left == 1 else f"{left} processes are"
        if clock() >= end:
            say(f"{what} still in what is no longer used")
            return False
        if not told:
            told = True
            say(f"waiting: {what} still in what is no longer used")
        sleep(INTERVAL)
    return True


def drain(
    before: frozenset[Process],
    say: Callable[[str], None],
    proc: Path = Path("/proc"),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until none of ``before`` is starting any more; warn, and go on, when that takes more than ``PATIENCE``."""
    end = clock() + PATIENCE
    while left := len(before & starting(proc)):
        if clock() >= end:
            what = "1 connection is" if left == 1 else f"{left} connections are"
            say(f"warning: {what} still starting with what was installed before, and may fail")
            return
        sleep(INTERVAL)
