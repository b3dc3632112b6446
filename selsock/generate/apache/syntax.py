# SPDX-License-Identifier: Apache-2.0
"""The syntax of Apache's configuration files: lines, words and sections, each of which knows its file and line.

Source: "Configuration Files" of the Apache HTTP Server 2.4 manual, and what its ``ap_cfg_getline`` and ``ap_getword_conf`` do:
a line goes on behind a backslash at its end, a comment is a whole line, a word may be in either kind of quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from selsock.generate.source import BadSource, in_utf_8, shown

LINE = 65536  # characters of a line, with those that it goes on in
SHOWN = 100  # characters of a directive in a message
WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']\S*))""", re.DOTALL)
SECTION = re.compile(r"<(/?)([^\s<>]+)\s*(.*)>", re.DOTALL)


@dataclass(eq=False, slots=True)
class Directive:
    """A directive, or a section with what stands in it.  ``name`` is in lower case, ``text`` its arguments as written."""

    file: str
    line: int
    written: str
    text: str
    inside: list[Directive] | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.written.lower()

    @property
    def place(self) -> str:
        """``FILE:LINE``."""
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        text = " ".join(f"{self.written} {self.text}".split())
        text = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        return text if self.inside is None else f"<{text}>"

    def refuse(self, expected: str) -> NoReturn:
        """Raise BadSource: something else was expected here."""
        raise BadSource(self.place, f"expected {expected}, not {shown(str(self))}")

    def words(self) -> list[str]:
        """The arguments, without their quotes.  Raises BadSource where a quote is not closed."""
        found, position = [], 0
        text = self.text.rstrip()
        while position < len(text):
            word = WORD.match(text, position)
            if word is None:
                self.refuse("a quote that is closed")
            quote = {1: '"', 2: "'"}.get(word.lastindex or 3, "")
            found.append(re.sub(r"\\([\\" + quote + "])", r"\1", word[word.lastindex or 3]))
            position = word.end()
        return found

    def word(self) -> str:
        """The one argument.  Raises BadSource."""
        words = self.words()
        if len(words) != 1:
            self.refuse("one argument")
        return words[0]


def logical_lines(data: bytes, file: str) -> Iterator[tuple[int, str]]:
    """The lines of ``data``, the content of ``file``, that are neither empty nor comments, each with the number of its
    first.  Raises BadSource."""
    kept, first = "", 0
    for number, line in enumerate(in_utf_8(data, file).split("\n"), 1):
        line = line.removesuffix("\r")
        first = first or number
        if "\0" in line:
            raise BadSource(f"{file}:{number}", "expected text, not the character NUL")
        if len(kept) + len(line) > LINE:
            raise BadSource(f"{file}:{first}", f"expected a line of {LINE} characters at most, not a longer one")
        if line.endswith("\\"):
            kept += line[:-1]
            continue
        whole = (kept + line).strip()
        if whole and not whole.startswith("#"):
            yield first, whole
        kept, first = "", 0
    if kept.strip():
        raise BadSource(f"{file}:{first}", "expected a line behind the backslash, not the end of the file")


def directives(data: bytes, file: str) -> list[Directive]:
    """The directives of ``data``, the content of ``file``; those of a section are in it.  Raises BadSource."""
    top: list[Directive] = []
    opened: list[Directive] = []
    inside = [top]  # of the file, and of each section that is open
    for number, line in logical_lines(data, file):
        section = SECTION.fullmatch(line)
        if not line.startswith("<"):
            name, *rest = line.split(None, 1)
            inside[-1].append(Directive(file, number, name, rest[0] if rest else ""))
        elif section is None:
            raise BadSource(f"{file}:{number}", f"expected <SECTION …> or </SECTION>, not {shown(line)}")
        elif not section[1]:
            opened.append(Directive(file, number, section[2], section[3].strip(), []))
            inside[-1].append(opened[-1])
            inside.append(opened[-1].inside or [])
        elif not opened or opened[-1].name != section[2].lower() or section[3]:
            raise BadSource(
                f"{file}:{number}", f"expected the end of the section that was opened last, not {shown(line)}"
            )
        else:
            opened.pop().inside = inside.pop()
    if opened:
        opened[-1].refuse(f"the end </{opened[-1].written}> in this file")
    return top
