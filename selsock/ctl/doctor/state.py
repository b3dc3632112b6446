# SPDX-License-Identifier: Apache-2.0
"""What is in force, and whether files of this machine are as it says."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from selsock.ctl.doctor.look import Force, Look, Machine, Said, error, ok, warning
from selsock.generate.applied import read
from selsock.generate.labelling import Record
from selsock.generate.maps import Maps
from selsock.generate.plan import POLICY, TABLE, directories
from selsock.generate.policy_store import RETIRED, generation_in_force, text_of
from selsock.generate.prepare import prepare
from selsock.generate.retired import is_inert, statements
from selsock.generate.temporary import numbers
from selsock.generate.write import group_id, is_in_place

STATE = "var/lib/selsock/"


def force(machine: Machine) -> tuple[Force | None, list[Said]]:
    """What is in force, and what is to be said of it.  Raises MachineFault, BadSource and OSError."""
    applied = read(machine.root)
    if applied is None:
        return None, [ok("nothing is applied: the packaged configuration serves its own page")]
    heard = io.StringIO()
    with contextlib.redirect_stderr(heard):
        configuration, plan = prepare(applied.source, applied.data, machine.root, Maps(applied.maps))
    # A hint is for whom a port can not be bound, which the socket would tell.
    lines = [line.removeprefix("warning: ") for line in heard.getvalue().splitlines() if line.startswith("warning: ")]
    found = [warning(line) for line in lines]
    return Force(applied, configuration, plan), found or [ok(f"{applied.source} is in force")]


def source(look: Look) -> Iterator[Said]:
    """Whether the source on disk, and its maps, are what is in force."""
    given = look.given
    of_maps = [(Path(name), data) for name, data in given.applied.maps.items()]
    found = False
    for file, data in ((given.applied.source, given.applied.data), *of_maps):
        place = look.root / str(file).lstrip("/")
        try:
            problem = "" if place.read_bytes() == data else "differs from what is in force"
        except FileNotFoundError:
            problem = "is gone; what is in force stays so"
        if problem:
            found = True
            yield warning(f"{file} {problem}", f"selsock-generate --diff {given.applied.source}")
    if not found:
        yield ok("the source on disk is what is in force")


def interrupted(look: Look) -> Iterator[Said]:
    """Whether the last apply came to its end: with the table that goes with the policy, all labels, and nothing kept."""
    root, found = look.root, False
    generation = generation_in_force(root)
    if generation and f"(type selsock_generation_{generation})" not in text_of(root / POLICY):
        found = True
        yield warning("an apply was interrupted: what was in force before it is served", look.given.again)
    for tree in sorted(tree for tree, its in Record(root).trees.items() if its is None):
        found = True
        yield warning(f"{tree} was not labelled in full", look.given.again)
    if not is_inert(statements(text_of(root / RETIRED))):
        found = True
        yield warning("the policy still has what is no longer used, for processes that were in it", look.given.again)
    if not found:
        yield ok("the last apply came to its end")


def files(look: Look) -> Iterator[Said]:
    """Whether table, policy and what is kept beside them are what applying wrote, owner and mode included."""
    found = False
    for artifact in look.given.plan.artifacts:
        place = look.root / artifact.path
        if not artifact.path.startswith(STATE) or is_in_place(place, artifact, group_id(artifact.group)):
            continue
        found = True
        table = artifact.path == TABLE
        if not place.is_file():
            yield (error if table else warning)(f"{place} is missing", look.given.again)
        elif place.read_bytes() != artifact.data:
            yield warning(f"{place} is not what this selsock makes of what is in force", look.given.again)
        else:
            wanted = f"root:{artifact.group or 'root'} {artifact.mode:04o}"
            yield (error if table else warning)(f"{place} does not belong to {wanted}", look.given.again)
    if not found:
        yield ok("table and policy are as they were written")


def temporary(look: Look) -> Iterator[Said]:
    """Whether the directories for temporary files are there, and whose they should be."""
    found = False
    for directory in directories(look.given.configuration):
        place = look.root / directory.label.path.lstrip("/")
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            problem = "is missing"
        else:
            right = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == directory.mode
            owned = (status.st_uid, status.st_gid) == numbers(directory.owner)
            problem = "" if right and owned else f"does not belong to {directory.owner} {directory.mode:04o}"
        if problem:
            found = True
            yield error(f"{place}, for temporary files, {problem}", look.given.again)
    if not found:
        yield ok("every directory for temporary files is there")
