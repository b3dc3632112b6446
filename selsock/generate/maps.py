# SPDX-License-Identifier: Apache-2.0
"""Maps: files that say for each of a million users what a rule would say, in the format of mod_selinux.

A line is ``USER DOMAIN:RANGE``; ``#`` begins a comment, anywhere.  User ``__anonymous__`` is a visitor who has not signed in,
``*`` whoever comes.  ``*`` in place of domain or range, or of both, is what holds around the rule that names the map.  (In
mod_selinux it was the server's own context, and a line that it could not read was skipped.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from selsock.generate.domains import Domains, parse_domain
from selsock.generate.partial import Partial, parse_range
from selsock.generate.source import BadSource, Place, Scalar, in_utf_8, shown
from selsock.generate.user_names import CanonicalUser
from selsock.names import AbsolutePath

ANONYMOUS = "__anonymous__"
STAR = "*"


@dataclass(frozen=True, slots=True)
class Line:
    """The context of a line, and the text that it is written as."""

    context: Partial
    text: str

    @property
    def source(self) -> str:
        """``file:line`` for the journal."""
        return f"{self.context.place.file}:{self.context.place.line}"

    def record(self) -> bytes:
        """As the table holds it: ``TYPE:LEVEL``, without what is inherited.  ``auto`` is the level around it."""
        domain, level = self.context.domain, self.context.range
        return f"{domain.type if domain else ''}:{level if isinstance(level, str) else ''}".encode()


@dataclass(frozen=True, slots=True)
class Map:
    """A map: its ``file``, ``place`` in the source and ``data``; the first line of each context that is written in it,
    by its text; and which of these each user has, whoever is anonymous, and whoever comes."""

    file: AbsolutePath
    place: Place
    data: bytes
    lines: dict[str, Line]
    users: dict[str, Line]
    anonymous: Line | None
    anyone: Line | None

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """The records of the table, one for each user."""
        values = {text: line.record() for text, line in self.lines.items()}
        return ((f"map {self.file} {user}".encode(), values[line.text]) for user, line in self.users.items())

    def starred(self) -> Line | None:
        """The first line whose context has a ``*``, if any."""
        return next((line for text, line in self.lines.items() if STAR in text.split(":", 1)), None)


def composed(maps: Iterable[Map]) -> bytes:
    """The data of ``maps`` as one file: for each a line ``FILE LENGTH``, and so many bytes."""
    return b"".join(f"{given.file} {len(given.data)}\n".encode() + given.data for given in maps)


def taken_apart(data: bytes) -> dict[str, bytes]:
    """The inverse of ``composed``, by the names of the files.  Raises ValueError."""
    found: dict[str, bytes] = {}
    while data:
        line, _, data = data.partition(b"\n")
        file, _, length = line.decode("utf-8", "replace").partition(" ")
        if not AbsolutePath.accepts(file) or not length.isdecimal() or int(length) > len(data):
            raise ValueError("expected lines FILE LENGTH, each before so many bytes")
        found[file], data = data[: int(length)], data[int(length) :]
    return found


class Maps:
    """The maps that a source names, each read once: from this machine, or from ``kept`` where that is given."""

    def __init__(self, kept: Mapping[str, bytes] | None = None) -> None:
        self.kept = kept
        self.found: dict[AbsolutePath, Map] = {}

    def all(self) -> tuple[Map, ...]:
        """All of them, by the names of their files."""
        return tuple(self.found[file] for file in sorted(self.found))

    def read(self, given: Scalar, domains: Domains) -> Map:
        """The map that ``given`` names.  Raises BadSource."""
        file = given.name(AbsolutePath)
        if file not in self.found:
            try:
                data = Path(file).read_bytes() if self.kept is None else self.kept[file]
            except OSError as error:
                given.refuse(f"a map that can be read ({error.strerror})")
            except KeyError:
                given.refuse("a map that was applied")
            self.found[file] = parse_map(file, given.place, data, domains)
        return self.found[file]


def parse_map(file: AbsolutePath, place: Place, data: bytes, domains: Domains) -> Map:
    """The map in ``data``, read from ``file``.  Raises BadSource for the first bad line."""
    in_utf_8(data, file)
    lines: dict[str, Line] = {}
    users: dict[str, Line] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        words = line.partition(b"#")[0].split()  # of ASCII's white space
        if not words:
            continue
        user, text = words[0].decode(), words[-1].decode()
        if len(words) != 2 or user in users or STAR in users or not CanonicalUser.accepts(user):
            refuse(f"{file}:{number}:{column(line, words[0])}", words, users, data)
        if text not in lines or user in (ANONYMOUS, STAR):  # these become rules, each with its own line
            at = Place(file, number, column(line, words[1], line.index(words[0]) + len(words[0])), user)
            users[user] = Line(parse_entry(Scalar(at, text), domains), text)
            lines.setdefault(text, users[user])
        else:
            users[user] = lines[text]
    return Map(file, place, data, lines, users, users.pop(ANONYMOUS, None), users.pop(STAR, None))


def column(line: bytes, word: bytes, start: int = 0) -> int:
    """In which column of ``line``, from ``start`` on, ``word`` begins; from 1."""
    return len(line[: line.index(word, start)].decode()) + 1


def refuse(place: str, words: list[bytes], users: Mapping[str, Line], data: bytes) -> NoReturn:
    """Raise BadSource for the ``words`` of a line of ``data`` behind those of ``users``."""
    user, *rest = (word.decode() for word in words)
    if len(rest) != 1:
        problem = f"expected USER DOMAIN:RANGE, not {shown(' '.join([user, *rest]))}"
    elif STAR in users:
        problem = f"expected no line behind that of {STAR}, which is for whoever comes, not one of {shown(user)}"
    elif user in users:
        first = [line.partition(b"#")[0].split()[:1] for line in data.split(b"\n")].index(words[:1]) + 1
        problem = f"expected each user once, the first being in line {first}, not {shown(user)}"
    else:
        problem = f"expected {CanonicalUser.expected}, not {shown(user)}"
    raise BadSource(place, problem)


def parse_entry(given: Scalar, domains: Domains) -> Partial:
    """``DOMAIN``, ``DOMAIN:RANGE``, or ``*`` in place of either.  Raises BadSource."""
    domain, colon, level = given.text.partition(":")
    return Partial(
        given.place,
        None if domain == STAR else parse_domain(Scalar(given.place, domain), domains),
        None if level == STAR or not colon else parse_range(Scalar(given.place, level)),
    )
