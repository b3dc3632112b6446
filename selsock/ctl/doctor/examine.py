# SPDX-License-Identifier: Apache-2.0
"""All checks, one after the other, and what they said: as lines or as JSON, and as an exit status."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from selsock.ctl.doctor import accounts, denials, labels, policy, proxies, state, units
from selsock.ctl.doctor.look import ERROR, OK, UNKNOWN, WARNING, Check, Look, Machine, Said, unknown
from selsock.errors import TableFault
from selsock.generate.faults import MachineFault
from selsock.generate.source import BadSource

# Names as ``--json`` has them, which stay.  The first are made everywhere, the others where something is in force.
EVERYWHERE: tuple[tuple[str, Check], ...] = (
    ("mode", policy.mode),
    ("policy", policy.policy),
    ("socket", units.socket),
    ("denials", denials.denials),
)
IN_FORCE: tuple[tuple[str, Check], ...] = (
    ("source", state.source),
    ("interrupted", state.interrupted),
    ("files", state.files),
    ("units", units.units),
    ("services", units.services),
    ("limits", units.limits),
    ("store", policy.store),
    ("permissive", policy.permissive),
    ("labels", labels.labels),
    ("temporary", state.temporary),
    ("proxy", proxies.proxy),
    ("accounts", accounts.accounts),
    ("sshd", accounts.sshd),
)
EXITS = {OK: 0, UNKNOWN: 1, WARNING: 1, ERROR: 3}  # 2 is the command line's
MOST = 10  # lines of one check
Findings = list[tuple[str, Said]]


def run(as_json: bool, verbose: bool) -> int:
    """Print what is wrong with this machine; with ``verbose``, also what is well.  Return the exit status."""
    found = examine(Machine())
    sys.stdout.write(in_json(found) if as_json else in_words(found, verbose))
    return max(EXITS[said.severity] for _, said in found)


def examine(machine: Machine) -> Findings:
    """Make all checks: pairs of a check's name and what it said.  What can not be looked at is said, and never raised."""
    found: Findings = []
    force, known = None, False
    try:
        force, heard = state.force(machine)
        known = True
        found += [("configuration", said) for said in heard]
    except BadSource as wrong:
        found.append(("configuration", Said(ERROR, f"what is in force is no good configuration here: {wrong}")))
    except (MachineFault, OSError) as wrong:
        found.append(("configuration", unseen(wrong)))
    look = Look(machine, force, known)
    for name, check in (*EVERYWHERE, *(IN_FORCE if force else ())):
        found += [(name, said) for said in survived(check, look)]
    return found


def survived(check: Check, look: Look) -> Iterator[Said]:
    """What ``check`` says, and, where it could not go on, why."""
    try:
        yield from check(look)
    except TableFault as wrong:
        yield unknown(f"can not be looked at: {wrong.reason}")
    except (MachineFault, OSError, ValueError) as wrong:
        yield unseen(wrong)


def unseen(wrong: Exception) -> Said:
    """That something could not be looked at, and why."""
    reason = str(wrong)
    if isinstance(wrong, OSError):
        reason = f"{wrong.filename}: {wrong.strerror}" if wrong.filename else wrong.strerror or reason
    return unknown(f"can not be looked at: {reason}", "" if os.geteuid() == 0 else "run it as root")


def in_words(found: Findings, verbose: bool) -> str:
    """A line for each, but of one check no more than ``MOST`` unless ``verbose``, and one in the end that counts them."""
    lines: list[str] = []
    seen: Counter[str] = Counter()
    for name, said in found:
        if said.severity == OK and not verbose:
            continue
        seen[name] += 1
        if seen[name] <= MOST or verbose:
            lines.append(f"{said.severity:8}{name:14}{said.what}{f' → {said.mend}' if said.mend else ''}\n")
        elif seen[name] == MOST + 1:
            lines.append(f"{'':8}{name:14}and more: --verbose shows all\n")
    counts = {word: sum(said.severity == word for _, said in found) for word in (ERROR, WARNING, UNKNOWN)}
    words = [f"{number} {word}" for word, number in counts.items() if number]
    return "".join(lines) + (f"{', '.join(words)}\n" if words else f"nothing is wrong: {len(found)} looks\n")


def in_json(found: Findings) -> str:
    """A list of objects: check, severity, what, mend."""
    return json.dumps([{"check": name, **asdict(said)} for name, said in found], ensure_ascii=False, indent=2) + "\n"
