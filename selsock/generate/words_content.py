# SPDX-License-Identifier: Apache-2.0
"""What an apply would label, in words: content whose label changes, by vhost, and files of users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from selsock.generate.configuration import Configuration
from selsock.generate.conflicts import ancestors
from selsock.generate.labels import Label
from selsock.generate.plan import labels, logged_in, password_files
from selsock.generate.words_line import Line
from selsock.generate.words_reach import Reach, label_widens
from selsock.names import HostName

Kept = TypeVar("Kept")


def content(before: Configuration, then: Reach, after: Configuration, now: Reach) -> dict[HostName, list[Line]]:
    """The lines on labels of content, by the vhost whose content it will be, or was."""
    owners = {
        str(path): site.vhost.name
        for site in (*before.sites[::-1], *after.sites[::-1])
        for path in (*(label.path for label in site.labels), site.vhost.temporary)
    }
    old = {str(label.path): label for label in labels(before)}
    new = {str(label.path): label for label in labels(after)}
    edited = editable(before), editable(after)
    found: dict[HostName, list[Line]] = {}
    moves: dict[str, tuple[Label | None, Label | None]] = {}
    for path in sorted(old.keys() | new.keys(), key=lambda path: path.split("/")):
        was, gets = around(path, old), around(path, new)
        above = around(path, moves)
        moves[path] = was, gets
        if said(was) == said(gets) or (above and list(map(said, above)) == [said(was), said(gets)]):
            continue
        owner = owners[gets.path if gets else path]
        if gets is None:
            line = Line(f"{path}: labelled as the policy says without selsock, instead of {said(was)}")
        else:
            words = f"{path}: labelled {said(gets)}" + (f" instead of {said(was)}" if was else "")
            # A session edits what is at its own level, and nothing below it.
            more = said(gets) in edited[1] and said(was) not in edited[0]
            line = Line(words, more or label_widens(then, was, now, gets))
        found.setdefault(owner, []).append(line)
    return found


def editable(given: Configuration) -> frozenset[str]:
    """Type and level of what logins edit."""
    sessions = ((its.types, level) for its in logged_in(given) for _, level in its.levels)
    return frozenset(f"{kind}:{level}" for types, level in sessions for kind in types)


def around(path: str, found: Mapping[str, Kept]) -> Kept | None:
    """What is ``found`` for ``path``, or for the nearest directory above it."""
    return next((found[place] for place in (path, *reversed(ancestors(path))) if place in found), None)


def said(label: Label | None) -> str:
    """Type and level, "" for no content."""
    return f"{label.type}:{label.level}" if label else ""


def files(before: Configuration, after: Configuration) -> Iterator[Line]:
    """The lines on files of users."""
    old, new = password_files(before), password_files(after)
    yield from (Line(f"{file}: labelled selsock_passwd_t:s0") for file in new if file not in old)
    gone = (file for file in old if file not in new)
    yield from (Line(f"{file}: labelled as the policy says without selsock") for file in gone)
