# SPDX-License-Identifier: Apache-2.0
"""``vhost.yaml`` as a tree in which every value knows its file, line, column and key path.

All scalars stay strings, so nothing is guessed (``no`` is a name, ``010`` is no 8).  Built from the parser's events,
not from PyYAML's ``compose``: there an alias can no longer be told from what it stands for.  Refused: duplicate keys,
anchors, aliases, tags, merge keys, a second document.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import yaml

from selsock.names import Name

# libyaml where the distribution built PyYAML with it: ten times as fast, the same events.
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
DEPTH = 20  # the configuration needs 7; a limit of our own, rather than Python's on recursion

AnyName = TypeVar("AnyName", bound=Name)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the file as the user named it, line and column from 1, and the path of keys."""

    file: str
    line: int
    column: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path or 'the whole'}"


class BadSource(Exception):
    """The source says what it must not: one line, ``FILE:LINE:COLUMN: key.path: expected …, not …``."""

    def __init__(self, place: Place | str, text: str) -> None:
        super().__init__(f"{place}: {text}")


def shown(text: str) -> str:
    """``text`` quoted, on one line, cut where it is long."""
    return repr(text) if len(text) <= 60 else repr(text[:60]) + "…"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the source."""

    place: Place

    def refuse(self, expected: str) -> NoReturn:
        """Raise BadSource: something else was expected here."""
        raise BadSource(self.place, f"expected {expected}, not {self.described()}")

    def described(self) -> str:
        """What stands here, for an error message."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A string."""

    text: str

    def described(self) -> str:
        """The text in quotes."""
        return shown(self.text) if self.text else "nothing"

    def name(self, kind: type[AnyName]) -> AnyName:
        """This text as a checked name of ``kind``.  Raises BadSource."""
        if not kind.accepts(self.text):
            self.refuse(kind.expected)
        return kind(self.text)

    def number(self, low: int, high: int) -> int:
        """This text as a decimal number from ``low`` to ``high``.  Raises BadSource."""
        text = self.text
        digits = text.isascii() and text.isdigit() and len(text) < 16
        if not digits or str(int(text)) != text or not low <= int(text) <= high:
            self.refuse(f"a number from {low} to {high}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """A list."""

    items: tuple[Node, ...]

    def described(self) -> str:
        """Whether the list is empty."""
        return "a list" if self.items else "an empty list"


@dataclass(frozen=True, slots=True)
class Mapping(Node):
    """Keys with their values, in the order of the file."""

    values: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)

    def described(self) -> str:
        """Whether the mapping is empty."""
        return "a mapping" if self.values else "an empty mapping"

    def only(self, known: tuple[str, ...]) -> None:
        """Refuse the first key that is not ``known``, and name the nearest that is.  Raises BadSource."""
        for key in self.keys.values():
            if key.text not in known:
                key.refuse(f"a known key, the nearest being {nearest(key.text, known)}")

    def forbid(self, names: tuple[str, ...], expected: str) -> None:
        """Refuse the first of the keys ``names`` that is given.  Raises BadSource."""
        for key in self.keys.values():
            if key.text in names:
                key.refuse(expected)

    def get(self, key: str) -> Node | None:
        """The value of ``key``, or None."""
        return self.values.get(key)

    def require(self, key: str) -> Node:
        """The value of ``key``.  Raises BadSource when it is missing."""
        value = self.values.get(key)
        if value is None:
            raise BadSource(self.place, f"expected the key {key!r}, not its absence")
        return value


def nearest(text: str, known: tuple[str, ...]) -> str:
    """The one of ``known`` that is most like ``text``, in quotes; "none" when there is none at all."""
    found = difflib.get_close_matches(text, sorted(known), n=1, cutoff=0)
    return repr(str(found[0])) if found else "none"


def scalar(node: Node) -> Scalar:
    """``node``, when it is a string.  Raises BadSource."""
    if not isinstance(node, Scalar):
        node.refuse("a single value")
    return node


def mapping(node: Node) -> Mapping:
    """``node``, when it is a mapping.  Raises BadSource."""
    if not isinstance(node, Mapping):
        node.refuse("a mapping, {} when it is empty")
    return node


def sequence(node: Node) -> tuple[Node, ...]:
    """The items of ``node``, when it is a list.  Raises BadSource."""
    if not isinstance(node, Sequence):
        node.refuse("a list")
    return node.items


def one_or_more(node: Node) -> tuple[Scalar, ...]:
    """The one value of ``node``, or the values of its list.  Raises BadSource when the list is empty."""
    if isinstance(node, Sequence):
        if not node.items:
            node.refuse("a value or a list of them")
        return tuple(scalar(item) for item in node.items)
    return (scalar(node),)


def is_true(given: Mapping, key: str) -> bool:
    """Whether ``key`` is given; its one value is ``true``, since what does not hold is left out."""
    value = given.get(key)
    if value is not None and scalar(value).text != "true":
        value.refuse("true")
    return value is not None


def load(data: bytes, file: str) -> Mapping:
    """Parse ``data``, the content of ``file``.  Raises BadSource."""
    text = in_utf_8(data, file)
    try:
        return mapping(Builder(text, file).document())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        raise BadSource(place, f"expected YAML, not this: {one_line(error.problem or error.context)}") from None
    except yaml.YAMLError as error:
        raise BadSource(Place(file, 1, 1), f"expected YAML, not this: {one_line(str(error))}") from None


def in_utf_8(data: bytes, file: str) -> str:
    """The text of ``data``, the content of ``file``.  Raises BadSource."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadSource(Place(file, line, 1), f"expected UTF-8, not the byte {data[error.start]:#04x}") from None


def one_line(text: str | None) -> str:
    """``text`` without line breaks."""
    return " ".join((text or "unknown problem").split())


class Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, text: str, file: str) -> None:
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=LOADER)
        self.file = file

    def document(self) -> Node:
        """The one document of the stream.  Raises BadSource and yaml.YAMLError."""
        next(self.events)  # the start of the stream
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise BadSource(self.place(event, ""), "expected a mapping, not an empty file")
        node = self.node(next(self.events), "", DEPTH)
        next(self.events)  # the end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise BadSource(self.place(event, ""), "expected the end of the file, not a second document")
        return node

    def place(self, event: yaml.Event, path: str) -> Place:
        """Where ``event`` begins."""
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1, path) if mark else Place(self.file, 1, 1, path)

    def node(self, event: yaml.Event, path: str, depth: int) -> Node:
        """The node that ``event`` begins.  Raises BadSource."""
        place = self.place(event, path)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadSource(place, "expected a plain value, not an anchor or alias")
        if getattr(event, "tag", None):
            raise BadSource(place, "expected a plain value, not one with a tag")
        if not depth:
            raise BadSource(place, f"expected {DEPTH} levels at most, not one more")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                items.append(self.node(event, f"{path}[{len(items)}]", depth - 1))
            return Sequence(place, tuple(items))
        return self.mapping(place, depth)

    def mapping(self, place: Place, depth: int) -> Mapping:
        """The mapping whose start was just read.  Raises BadSource."""
        found = Mapping(place)
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, place.path, depth - 1)
            if not isinstance(key, Scalar):
                key.refuse("a key of a single value")
            label = key.text if key.text.isprintable() and " " not in key.text else shown(key.text)
            path = f"{place.path}.{label}" if place.path else label
            key = Scalar(self.place(event, path), key.text)
            if key.text == "<<":
                key.refuse("a key of its own")
            if key.text in found.keys:
                key.refuse(f"each key once, the first being in line {found.keys[key.text].place.line}")
            found.keys[key.text] = key
            found.values[key.text] = self.node(next(self.events), path, depth - 1)
        return found
