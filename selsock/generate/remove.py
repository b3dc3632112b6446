# SPDX-License-Identifier: Apache-2.0
"""``--remove``: undoes what applying has done on this machine.

The base module is not touched: who installed it removes it.  The source that was applied goes last, so that a run that
was interrupted, or failed, is simply run again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from selsock.generate.applied import labelled, read
from selsock.generate.apply import HEADER, LOCK, alone, is_ours
from selsock.generate.commands import Say, is_booted, run
from selsock.generate.drain import end
from selsock.generate.faults import MachineFault
from selsock.generate.labelling import RECORD, Record, give_back
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import APPLIED, FILE_CONTEXTS, MAPS, POLICY, RANGES, TABLE, TEMPLATES, UNITS
from selsock.generate.policy_store import PRIORITY, RETIRED, SLOW, clear, installed, tell_freed, text_of
from selsock.generate.retired import domains, statements
from selsock.generate.sharing import RECORD as SHARED
from selsock.generate.sharing import unshare
from selsock.generate.temporary import delete_made, made
from selsock.generate.user_contexts import forget
from selsock.identify.provider import SERVICES

REST = (RANGES, FILE_CONTEXTS, RETIRED, POLICY, RECORD, SHARED, MAPS, APPLIED)  # in this order


def remove(selinux: Selinux, say: Say, root: Path = Path("/")) -> None:
    """Undo all that applying has done, and tell ``say``.  Raises MachineFault and OSError.

    ``root`` is where the artifacts are, for tests; policy, labels and systemd are always this machine's.
    """
    with alone(root, say):
        undo(selinux, say, root)
        (root / LOCK).unlink()


def undo(selinux: Selinux, say: Say, root: Path) -> None:
    """Do that, while nobody else does."""
    units = own_units(root, say)
    modules = installed(root)
    rest = [root / path for path in REST]
    if not modules and not any(os.path.lexists(place) for place in (root / TABLE, *units, *rest, *made(root))):
        say("nothing to remove")
        return
    stop(say)
    end_logins(root, say)
    before, recorded = labelled(root), Record(root).trees
    paths = frozenset({*(before or ()), *recorded})
    # From the first of these on nothing is served.
    delete((root / TABLE, *units), say)
    if is_booted():
        run(["systemctl", "daemon-reload"])
        say("systemd has read its units again")
    tell_freed(text_of(root / POLICY), "", say)
    if modules:
        say(f"removing policy module {' and '.join(modules)}: {SLOW}")
        run(["semodule", "-X", PRIORITY, *(word for name in modules for word in ("-r", name))])
    if selinux.enabled():
        # No path at all: table and source are gone, though something else was there to be removed.
        give_back(paths or None, frozenset(), selinux, say)
    forget(root, say)
    unshare(say, root)
    delete_made(root, say)
    tell_ledger(root, say)
    clear(root)
    delete(rest, say)


def own_units(root: Path, say: Say) -> list[Path]:
    """The units that selsock-generate wrote; others of their names are somebody else's, and are told."""
    found: list[Path] = []
    for path, _ in TEMPLATES:
        place = root / path
        if not path.startswith(UNITS) or not os.path.lexists(place):
            continue
        if is_ours(place):
            found.append(place)
        else:
            say(f'left {place}: it has no line "{HEADER.decode()}…", so it is somebody else\'s')
    return found


def stop(say: Say) -> None:
    """End the listener and all connections: a process whose type is removed would be left without a label."""
    booted = is_booted()
    unless_missing(["systemctl", "disable", *["--now"] * booted, "selsock.socket"])
    if booted:
        unless_missing(["systemctl", "stop", "system-selsock.slice"])
        unless_missing(["systemctl", "stop", "selsock-run-as.socket"])
        for name in SERVICES:
            unless_missing(["systemctl", "stop", f"selsock-{name}.socket"])
            unless_missing(["systemctl", "stop", f"selsock-{name}.service"])
    say("stopped and disabled selsock.socket, and all connections" if booted else "disabled selsock.socket")


def end_logins(root: Path, say: Say) -> None:
    """End whoever is in a domain of ours that is no connection: a login's."""
    texts = (text_of(root / POLICY), text_of(root / RETIRED))
    if count := end(domains(statement for text in texts for statement in statements(text))):
        say(f"ended {count} process{'es' * (count > 1)} in domains that are removed")


def unless_missing(command: list[str]) -> None:
    """Run systemctl; that there is no such unit is no failure.  Raises MachineFault for any other."""
    try:
        run(command)
    except MachineFault as error:
        if not any(f"{command[-1]} {problem}" in str(error) for problem in ("does not exist", "not loaded")):
            raise


def delete(places: Iterable[Path], say: Say) -> None:
    """Delete those of ``places`` that are there.  Raises OSError."""
    for place in places:
        if os.path.lexists(place):
            place.unlink()
            say(f"removed {place}")


def tell_ledger(root: Path, say: Say) -> None:
    """Say that the ledger beside the source was kept, and where."""
    try:
        applied = read(root)
    except MachineFault as error:
        say(f"warning: {error}; the ledger beside the source was kept")
        return
    if applied and (root / str(applied.ledger).lstrip("/")).exists():
        say(f"kept {applied.ledger}: backups may still carry its categories")
