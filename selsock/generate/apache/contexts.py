# SPDX-License-Identifier: Apache-2.0
"""What mod_selinux says, as rules: its directives in order, the first that has something for a visitor.

Which visitor gets in at all is asked apart by Apache, and in the same rule here; so each alternative of ``access`` is put together
with each of mod_selinux.  Where something can not be said, the rules end: what stood behind it was for others.
Source: mod_selinux.c of mod_selinux 2.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from selsock.generate.apache import addresses
from selsock.generate.apache.access import METHOD_NAMES, Alternatives, Condition, network
from selsock.generate.apache.files import content
from selsock.generate.apache.syntax import Directive
from selsock.generate.maps import Line, Map, parse_map
from selsock.generate.source import BadSource, Place
from selsock.mls.levels import Level
from selsock.names import AbsolutePath, TypeName

MAPS = ("selinuxdomainmap", "selinuxconfigfile")
VALUES = ("selinuxdomainval", "selinuxdefaultdomain")
ENTRIES = (*MAPS, *VALUES, "selinuxdomainenv")
SETTERS = ("setenv", "setenvif", "setenvifnocase", "browsermatch", "browsermatchnocase", "passenv", "unsetenv")
DATABASE = "AUTHENTICATE_"  # what mod_authn_dbd puts before the name of a column
INVARIABLY = re.compile(r"[A-Za-z()|^$]*")  # of an expression for methods: read alike by Python and PCRE
MOST_USERS = 1000


ANYBODY = Condition()
LOWEST = frozenset({"s0"})


class Untold(Exception):
    """Something that no rule can say; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Given:
    """A context of which either part may be empty: what holds around it."""

    domain: str = ""
    range: str = ""

    @classmethod
    def parse(cls, text: str) -> Given:
        """``DOMAIN[:RANGE]`` or ``*`` in place of either.  Raises Untold."""
        domain, _, level = text.partition(":")
        try:
            return cls(
                "" if domain == "*" else own(domain), "" if level in ("", "*") else str(Level.parse(one_level(level)))
            )
        except ValueError as error:
            raise Untold(str(error)) from None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of ``contexts``, and the directive that it is from."""

    condition: Condition
    context: Given = Given()
    map: str = ""
    assigned: bool = False
    place: str = ""
    levels: frozenset[str] = frozenset()  # of a map

    @property
    def names_users(self) -> bool:
        """Whether somebody has to sign in for it."""
        return bool(self.map) or self.assigned or self.condition.names_users


@dataclass(frozen=True, slots=True)
class Visitors:
    """Whom the rules are for: whoever has ``access``; and whether a ``database`` says who that is."""

    access: Alternatives
    database: bool


def own(text: str) -> str:
    """``text``, when it is a type of the administrator's.  Raises ValueError."""
    if text.startswith("selsock_"):
        raise ValueError(f"expected a type of your own, not {text!r}")
    return TypeName.parse(text)


def one_level(text: str) -> str:
    """``text``, or its one level where both ends of the range are the same."""
    low, _, high = text.partition("-")
    return low if low == high else text


class Translation:
    """The rules of one location.  ``refuse`` tells why a directive is not carried over, ``root`` is what files lie in."""

    def __init__(self, visitors: Visitors, root: Path, refuse: Callable[[Directive, str], None]) -> None:
        self.visitors = visitors
        self.root = root
        self.refuse = refuse

    def rules(self, entries: list[Directive], setters: list[Directive]) -> list[Rule]:
        """What ``entries`` of mod_selinux say, with the variables of ``setters``.  Raises BadSource."""
        found: list[Rule] = []
        for entry in sorted(entries, key=lambda entry: entry.name == "selinuxdefaultdomain"):
            try:
                if entry.name in MAPS:
                    new, last = self.by_map(entry)
                elif entry.name in VALUES:
                    new, last = self.by_value(entry, Given.parse(entry.word())), True
                else:
                    new, last = self.by_variable(entry, setters)
            except Untold as error:
                self.refuse(entry, f"{error}; nobody is let in whom the rules before it do not name")
                for other in entries[entries.index(entry) + 1 :]:
                    self.refuse(other, f"it stands behind {entry.place}")
                return found
            found += new
            if last:
                return found
        if entries:
            self.refuse(
                entries[-1], "whom it names no context for is not let in; mod_selinux had the server's own context"
            )
        return found

    def by_value(self, entry: Directive, context: Given, asked: Condition = ANYBODY) -> list[Rule]:
        """``context`` for whoever is let in and meets ``asked``."""
        found = []
        for condition in self.visitors.access:
            both = condition.both(asked)
            if both is not None:
                found.append(Rule(both.shortest(), context, place=entry.place))
        return found

    def by_map(self, entry: Directive) -> tuple[list[Rule], bool]:
        """What a map has, and whether it has something for everybody.  Raises Untold and BadSource."""
        given = self.read(entry)
        found: list[Rule] = []
        for condition in self.visitors.access:
            if not condition.names_users:  # Apache asks nobody to sign in who is let in without
                line = given.anonymous or given.anyone
                found += [self.rule(condition, line)] if line else []
            elif given.anonymous is None and given.anyone is None and condition.users is None:
                levels = frozenset(Given.parse(text).range for text in given.lines) - {""}
                asked = replace(condition, signed_in=False)
                found.append(Rule(asked, map=given.file, place=entry.place, levels=levels))
            else:
                found += self.expanded(condition, given)
        return found, given.anyone is not None

    def rule(self, condition: Condition, line: Line) -> Rule:
        """The rule for one line of a map.  Raises Untold."""
        return Rule(condition, Given.parse(line.text), place=line.source)

    def expanded(self, condition: Condition, given: Map) -> Iterator[Rule]:
        """A rule for the users of each context of a map that has a line for others as well.  Raises Untold."""
        users = given.users.keys() if condition.users is None else condition.users & given.users.keys()
        if condition.groups is not None or len(users) > MOST_USERS:
            raise Untold(f"a map with __anonymous__ or *, for a group or for more than {MOST_USERS} users")
        lines: dict[str, tuple[Line, set[str]]] = {}
        for user in sorted(users):
            lines.setdefault(given.users[user].text, (given.users[user], set()))[1].add(user)
        for line, named in lines.values():
            yield self.rule(replace(condition, users=frozenset(named), signed_in=False), line)
        if given.anyone is not None:
            yield self.rule(condition.shortest(), given.anyone)

    def read(self, entry: Directive) -> Map:
        """The map that ``entry`` names.  Raises Untold and BadSource."""
        path = str(self.root / entry.word())
        if not AbsolutePath.accepts(path):
            raise Untold(f"expected {AbsolutePath.expected}, not {path!r}")
        try:
            given = parse_map(AbsolutePath(path), Place(entry.file, entry.line, 1), content(Path(path)), {})
        except OSError as error:
            raise Untold(f"{path}: {error.strerror}") from None
        except BadSource as error:
            raise Untold(f"{error} (selsock-generate --import {path} writes a map that is good)") from None
        if given.starred() is not None:
            self.refuse(entry, "* in a context of the map is what holds around the rule; there it was the server's own")
        return given

    def by_variable(self, entry: Directive, setters: list[Directive]) -> tuple[list[Rule], bool]:
        """What an environment variable has, and whether it has something for everybody.  Raises Untold and BadSource."""
        name = entry.word()
        if name.startswith(DATABASE):
            if not self.visitors.database:
                raise Untold("the variable is not from a query that can be carried over")
            asked = [replace(c, signed_in=False) for c in self.visitors.access if c.names_users]
            return [Rule(one, assigned=True, place=entry.place, levels=LOWEST) for one in asked], False
        found: list[Rule] = []
        values = assignments(name, setters)
        for condition, text, place in values:
            rules = self.by_value(entry, Given.parse(text), condition)
            found += [replace(rule, place=place) for rule in rules]
        return found, any(condition == Condition() for condition, _, _ in values)


def assignments(name: str, setters: Iterable[Directive]) -> list[tuple[Condition, str, str]]:
    """Who has which value of the variable ``name``, and from which place; the first that holds counts.

    In Apache it is the last SetEnvIf that holds, and SetEnv where there is none.  Raises Untold and BadSource.
    """
    found: list[tuple[Condition, str, str]] = []
    fixed: list[tuple[Condition, str, str]] = []
    for setter in setters:
        words = setter.words()
        if setter.name == "setenv":
            if words[:1] == [name]:
                fixed = [(Condition(), "".join(words[1:2]), setter.place)]
            continue
        if not setter.name.startswith("setenvif") and any(text.strip("!").startswith(name) for text in words):
            raise Untold(f"{setter.place} may set {name} as no rule can say")
        for text in words[2:]:
            variable, _, value = text.partition("=")
            if variable.removeprefix("!") != name:
                continue
            if variable != name or "$" in value:
                raise Untold(f"{setter.place} does not set {name} to a context")
            if words[:2] == [name, "^$"]:
                found.append((Condition(), value, setter.place))
            else:
                found.insert(0, (asked(setter, words[0], words[1]), value, setter.place))
    return [*found, *fixed]


def asked(setter: Directive, attribute: str, expression: str) -> Condition:
    """What ``SetEnvIf ATTRIBUTE EXPRESSION`` asks of a request.  Raises Untold."""
    try:
        if attribute.lower() == "remote_addr":
            return Condition(networks=tuple(network(text) for text in addresses.networks(expression)))
        if attribute.lower() == "request_method" and INVARIABLY.fullmatch(expression):
            flags = re.IGNORECASE if setter.name == "setenvifnocase" else 0
            found = frozenset(method for method in METHOD_NAMES if re.search(expression, method, flags))
            if found:
                return Condition(methods=found)
    except ValueError as error:
        raise Untold(f"{setter.place}: {error}; {addresses.meant(expression)}") from None
    except re.error as error:
        raise Untold(f"{setter.place}: expected a regular expression, not {expression!r} ({error})") from None
    raise Untold(f"{setter.place}: no rule can ask for {attribute} {expression}")
