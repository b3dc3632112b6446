# SPDX-License-Identifier: Apache-2.0
"""When the kernel last denied something to a domain of ours, or to somebody on a file of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from selsock.ctl.doctor.look import Look, Machine, Said, ok, unknown, warning

LOG = "var/log/audit/audit.log"
READ = 4 * 1024 * 1024  # bytes of the log's end
RECENT = 3600.0  # seconds
PAST = 7 * 86400.0  # as far as the journal is read back
RECORD = re.compile(
    r"avc:  denied  \{ (?P<permissions>[^}]*) \} .*"
    r"scontext=(?P<source>\S+) tcontext=(?P<target>\S+) tclass=(?P<tclass>\w+)"
)
STAMP = re.compile(r"type=AVC msg=audit\((\d+)\.")


@dataclass(frozen=True, slots=True)
class Denial:
    """When (seconds since the epoch), and what in words."""

    when: float
    words: str


def denials(look: Look) -> Iterator[Said]:
    """Whether there was a denial within the last hour, by the audit log, or by the journal where there is none."""
    machine = look.machine
    if machine.kernel.watch() == "disabled":
        return
    found = of_log(machine) if (look.root / LOG).exists() else of_journal(machine)
    if found is None:
        yield unknown("there is no audit log to read, neither a file nor in the journal", "install auditd")
        return
    recent = [denial for denial in found if machine.now() - denial.when < RECENT]
    if recent:
        count = "1 denial" if len(recent) == 1 else f"{len(recent)} denials"
        what = f"{count} in the last hour, the last one {ago(machine, recent[-1])}"
        yield warning(f"{what}: {recent[-1].words}", "ausearch -m AVC -ts recent")
    else:
        yield ok(f"the last denial was {ago(machine, found[-1])}" if found else "no denial is on record")


def ago(machine: Machine, denial: Denial) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0, int(machine.now() - denial.when))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = seconds // length
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "less than a minute ago"


def of_log(machine: Machine) -> list[Denial]:
    """Those at the end of auditd's log, the last one last.  Raises OSError."""
    with open(machine.root / LOG, "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - READ))
        lines = log.read().decode("utf-8", "replace").splitlines()
    stamped = ((STAMP.match(line), line) for line in lines)
    return [denial for stamp, line in stamped if stamp for denial in parsed(float(stamp[1]), line)]


def of_journal(machine: Machine) -> list[Denial] | None:
    """Those of the journal; None where it has no audit records at all.  Raises MachineFault."""
    found: list[Denial] = []
    heard = False
    for record in machine.records(PAST, _TRANSPORT="audit"):
        heard = True
        found += parsed(record["__REALTIME_TIMESTAMP"].timestamp(), str(record.get("MESSAGE", "")))
    return found if heard else None


def parsed(when: float, line: str) -> Iterator[Denial]:
    """The denial in ``line``, if it is one that names a type of ours."""
    match = RECORD.search(line)
    if match is None:
        return
    source, target = ((match[name].split(":") + [""] * 3)[2] for name in ("source", "target"))
    if source.startswith("selsock_") or target.startswith("selsock_"):
        yield Denial(when, f"{source} was denied {match['permissions']} of {match['tclass']} on {target}")
