# SPDX-License-Identifier: Apache-2.0
"""``--renew``: what is in force, made anew by the selsock that is installed now.  For a package, after an upgrade.

Never from the files as they are now on disk: an upgrade must not put somebody's unfinished edit in force.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from selsock.generate.applied import read
from selsock.generate.apply import apply, is_ours
from selsock.generate.commands import Say
from selsock.generate.drain import drain, starting
from selsock.generate.libselinux import Selinux
from selsock.generate.maps import Maps
from selsock.generate.plan import UNITS, Artifact, Plan
from selsock.generate.prepare import prepare


def renew(say: Say, root: Path = Path("/")) -> None:
    """Apply again what is in force, and wait for connections that were starting.  Raises what applying raises."""
    before = starting()
    try:
        applied = read(root)
        if applied is None:
            say("nothing is applied yet: the packaged configuration needs no renewal")
            return
        hint(applied.source, applied.data)
        configuration, plan = prepare(applied.source, applied.data, root, Maps(applied.maps))
        for given in configuration.maps:
            hint(Path(given.file), given.data)
        # No check_roots: a root that is gone is one customer's, and the others are to be served by the new release, too.
        apply(configuration, without_others(plan, root, say), Selinux(), say, root)
    finally:  # the upgrade goes on whether this was possible or not
        drain(before, say)


def hint(file: Path, data: bytes) -> None:
    """Say on stderr when ``file`` on disk is not what is in force, which is ``data``."""
    try:
        if file.read_bytes() == data:
            return
        problem = "differs from what is in force"
    except OSError as error:
        problem = f"can not be compared with what is in force ({error.strerror})"
    print(f"hint: {file} {problem}; renewed is what is in force", file=sys.stderr)


def without_others(plan: Plan, root: Path, say: Say) -> Plan:
    """``plan`` without the units that are masked by now, or somebody else's: they were not put in force by us."""
    kept: list[Artifact] = []
    for artifact in plan.artifacts:
        place = root / artifact.path
        if artifact.path.startswith(UNITS) and os.path.lexists(place) and not is_ours(place):
            say(f"left {place}: it is masked, or somebody else's")
        else:
            kept.append(artifact)
    return Plan(tuple(kept), plan.generation)
