# SPDX-License-Identifier: Apache-2.0
"""``--diff``: what a run would change, as a unified diff; the table as the lines that it holds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from selsock.generate.compiled import decoded
from selsock.generate.plan import TABLE, Artifact

LONG = 100_000_000  # lines of two files, times those that are in one of them alone: two seconds, or three


def differing(artifacts: Iterable[Artifact], root: Path) -> list[Artifact]:
    """Those of ``artifacts`` whose data is not what is under ``root``.  Raises OSError."""
    return [artifact for artifact in artifacts if in_place(artifact, root) != artifact.data]


def in_place(artifact: Artifact, root: Path) -> bytes | None:
    """What is where ``artifact`` is to be; None when nothing is.  Raises OSError."""
    place = root / artifact.path
    return place.read_bytes() if place.exists() else None


def difference(artifacts: Iterable[Artifact], root: Path) -> str:
    """A unified diff from what is under ``root`` to ``artifacts``, all of which differ.  Raises OSError."""
    found: list[str] = []
    for artifact in artifacts:
        before = in_place(artifact, root)
        name = str(root / artifact.path)
        old = "/dev/null" if before is None else name
        lines = difflib.unified_diff(
            *apart(as_lines(artifact.path, before or b""), as_lines(artifact.path, artifact.data)), old, name
        )
        # A file whose lines are the same and whose bytes are not: a table of another order, or one that is damaged.
        found.append("".join(lines) or f"--- {old}\n+++ {name}\n(the same lines in other bytes)\n")
    return "".join(found)


def apart(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """Both as they are; where difflib would take long, which goes by the product of what there is and what differs, without
    what is in both."""
    common = set(before).intersection(after)
    old, new = ([line for line in lines if line not in common] for lines in (before, after))
    if (len(before) + len(after)) * (len(old) + len(new)) < LONG:
        return before, after
    return old, new


def as_lines(path: str, data: bytes) -> list[str]:
    """``data`` as lines of text, a table decoded."""
    if path == TABLE and data:
        try:
            return decoded(data).splitlines(keepends=True)
        except ValueError as error:
            return [f"(not a table: {error})\n"]
    return data.decode("utf-8", "replace").splitlines(keepends=True)
