# SPDX-License-Identifier: Apache-2.0
"""An Apache configuration with all that it includes, its variables and its conditional sections resolved.

Modules that are loaded are those that the configuration loads itself; a part that loads none is taken as if all were there.
Variables are those of ``Define``; neither the environment of the running Apache nor its ``-D`` is known here.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from selsock.generate.apache.syntax import LINE, Directive, directives
from selsock.generate.source import BadSource

DEPTH = 20  # of includes, and of sections
MOST = 100_000  # directives in all
BYTES = 4 << 20  # of a file
VARIABLE = re.compile(r"\$\{([^${}\s]+)\}")
# What Debian or Fedora builds into the server, and no configuration loads.
BUILT_IN = frozenset(
    f"{name}_module" for name in ("core", "http", "log_config", "logio", "so", "unixd", "version", "watchdog")
)


class Reader:
    """Reads a configuration; ``notes`` are what it did not read, with the reason."""

    def __init__(self, file: Path, modules: bool) -> None:
        self.file = file
        self.root = file.absolute().parent
        self.modules = modules  # whether those that are loaded decide; else all are taken for loaded
        self.loaded: set[str] = set()
        self.defined: dict[str, str] = {}
        self.notes: list[tuple[Directive, str]] = []
        self.skipped: list[Directive] = []
        self.count = 0

    def read(self) -> list[Directive]:
        """All directives, in the order in which Apache sees them.  Raises BadSource, and OSError for the first file."""
        return list(self.resolved(directives(content(self.file), str(self.file)), 1))

    def resolved(self, given: list[Directive], depth: int) -> Iterator[Directive]:
        """``given`` with what is included in place of each Include.  Raises BadSource."""
        for directive in given:
            self.count += 1
            if self.count > MOST or depth > DEPTH:
                much = f"{MOST} directives" if depth <= DEPTH else f"includes and sections {DEPTH} deep"
                directive.refuse(f"{much} at most")
            directive.text = self.expanded(directive)
            if directive.name in ("include", "includeoptional"):
                yield from self.included(directive, depth + 1)
            elif directive.inside is None:
                self.learn(directive)
                yield directive
            elif directive.name in ("ifmodule", "ifdefine", "iffile"):
                if self.holds(directive):
                    yield from self.resolved(directive.inside, depth + 1)
                else:
                    directive.inside = []
                    self.skipped.append(directive)
                    self.notes.append((directive, "not read, for it does not hold"))
            else:
                directive.inside = list(self.resolved(directive.inside, depth + 1))
                yield directive

    def expanded(self, directive: Directive) -> str:
        """The arguments with the values of variables; what is not defined stays as it is written, and is told.

        Raises BadSource.
        """
        for name in VARIABLE.findall(directive.text):
            if name not in self.defined:
                self.notes.append((directive, f"${{{name}}} is not defined here and was left as it is"))
        if sum(len(self.defined.get(name, "")) for name in VARIABLE.findall(directive.text)) > LINE:
            directive.refuse(f"variables with {LINE} characters at most")
        return VARIABLE.sub(lambda found: self.defined.get(found[1], found[0]), directive.text)

    def learn(self, directive: Directive) -> None:
        """Remember what bears on how the rest is read.  Raises BadSource."""
        words = directive.words() if directive.name in ("define", "undefine", "loadmodule", "serverroot") else []
        match directive.name, words:
            case "define", [name, *value]:
                self.defined[name] = "".join(value[:1])
            case "undefine", [name]:
                self.defined.pop(name, None)
            case "loadmodule", [name, *_]:
                self.loaded.add(name)
            case "serverroot", [path]:
                self.root = Path(path)

    def holds(self, section: Directive) -> bool:
        """Whether what is in a conditional section counts.  Raises BadSource."""
        word = section.word()
        name = word.removeprefix("!")
        if section.name == "ifdefine":
            found = name in self.defined
        elif section.name == "iffile":
            found = (self.root / name).exists()
        else:
            module = f"{name.removeprefix('mod_').removesuffix('.c')}_module" if name.endswith(".c") else name
            found = not self.modules or module in self.loaded or module in BUILT_IN
        return found != word.startswith("!")

    def included(self, directive: Directive, depth: int) -> Iterator[Directive]:
        """What the files have that ``directive`` names.  Raises BadSource."""
        pattern = str(self.root / directive.word())
        names = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern] * os.path.lexists(pattern)
        if not names and directive.name == "include":
            directive.refuse(f"a file that exists ({pattern})")
        for path in (path for name in names for path in files(Path(name))):
            try:
                data = content(path)
            except OSError as error:
                directive.refuse(f"a file that can be read ({path}: {error.strerror})")
            yield from self.resolved(directives(data, str(path)), depth)


def files(path: Path) -> list[Path]:
    """``path``, or all files in it when it is a directory, as Apache includes one."""
    if not path.is_dir():
        return [path]
    return sorted(Path(top, name) for top, _, names in os.walk(path) for name in names)


def content(path: Path) -> bytes:
    """The bytes of ``path``.  Raises BadSource for what is no regular file or too large, and OSError."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BadSource(str(path), "expected a regular file, not something else")
        data = file.read(BYTES + 1)
    if len(data) > BYTES:
        raise BadSource(str(path), f"expected {BYTES} bytes at most, not more")
    return data


def read(file: Path) -> Reader:
    """A reader that has gone through ``file`` once, so that it knows whether modules are loaded.  Raises as ``Reader``."""
    first = Reader(file, modules=False)
    first.read()
    return Reader(file, modules=bool(first.loaded))
