# SPDX-License-Identifier: Apache-2.0
"""What verify found as one page of HTML that needs nothing else: no script, no font, no picture, no server.

Every text is escaped where it is printed; and a policy in the page itself forbids the browser to load anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jinja2

from selsock import __version__
from selsock.ctl.verify.access import KINDS
from selsock.ctl.verify.matrix import Cell, Grant
from selsock.ctl.verify.report import notes
from selsock.ctl.verify.result import VERBS, Result, described

LETTERS = dict(zip(KINDS, "RWXTSPI", strict=True))
CLASSES = 100  # of more, no table is made that anybody could read: what is allowed is listed anyway
MEMBERS = 20  # of a class that are named
ENTRIES = 20  # of what is promised that are shown for one kind in one field; of what is not, all are


@dataclass(frozen=True, slots=True)
class Mark:
    """One kind in a field of the matrix: ``state`` is denied, promised or wrong; ``anchor`` where the page says why."""

    letter: str
    kind: str
    state: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Section:
    """Why something is allowed, or missing, for one kind in one field; ``more`` entries like these are left out."""

    anchor: str
    title: str
    state: str
    entries: tuple[tuple[Cell, Grant], ...]
    more: int
    missing: tuple[str, ...]


def page(result: Result) -> str:
    """The page."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    classes = result.matrix.classes
    numbers = range(len(classes))
    fields = {
        (row, column): field(result.matrix.cells.get((row, column), []), f"{row}-{column}")
        for row in numbers
        for column in numbers
        if (row, column) in result.matrix.cells
    }
    own = {number: field(cells, f"own-{number}") for number, cells in result.matrix.own.items()}
    found = [section for _, sections in (*fields.values(), *own.values()) for section in sections]
    values = {
        "result": result,
        "version": __version__,
        "letters": LETTERS,
        "limit": MEMBERS,
        "tabled": len(classes) <= CLASSES,
        "fields": {key: marks for key, (marks, _) in fields.items()},
        "own": {number: marks for number, (marks, _) in own.items()},
        "sections": [section for section in found if not section.anchor.startswith("own")],
        "own_sections": [section for section in found if section.anchor.startswith("own")],
        "notes": notes(result),
        "described": described,
        "pairs": sum(cell.pairs for cells in result.matrix.cells.values() for cell in cells),
    }
    return made.get_template("page.html.j2").render(values)


def field(cells: list[Cell], name: str) -> tuple[list[Mark], list[Section]]:
    """The marks of one field, and the sections that they lead to."""
    marks, sections = [], []
    for kind in KINDS:
        entries = tuple((cell, grant) for cell in cells for grant in cell.grants if grant.kind == kind)
        missing = tuple(
            f"{one.source.context} → {described(one.target)}"
            for cell in cells
            for one in cell.missing
            if one.kind == kind
        )
        wrong = bool(missing) or not all(grant.promised for _, grant in entries)
        state = "wrong" if wrong else "promised" if entries else "denied"
        anchor = f"{name}-{kind}"
        marks.append(Mark(LETTERS[kind], kind, state, anchor))
        if state != "denied":
            first = cells[0]
            target = "its own" if first.source is first.target else first.target.name
            title = f"{first.source.name} may {VERBS[kind]} {target}"
            wrongs = [entry for entry in entries if not entry[1].promised]
            rest = [entry for entry in entries if entry[1].promised]
            more = max(0, len(rest) - ENTRIES)
            sections.append(Section(anchor, title, state, (*wrongs, *rest[:ENTRIES]), more, missing))
    return marks, sections
