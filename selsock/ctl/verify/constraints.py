# SPDX-License-Identifier: Apache-2.0
"""Constraints of a policy, MLS and others, evaluated for two contexts.

Source: constraint_expr_eval() of the kernel (security/selinux/ss/services.c); setools yields expressions in postfix form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from selsock.ctl.verify.contexts import Labelled, Rank
from selsock.generate.faults import MachineFault

Names = Callable[[str], frozenset[str]]  # a type, and the attributes that it has

LEVELS: dict[str, Callable[[Rank, Rank], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "dom": lambda one, other: one.dominates(other),
    "domby": lambda one, other: other.dominates(one),
    "incomp": lambda one, other: one.relation(other) == "apart",
}


@dataclass(frozen=True, slots=True)
class Called:
    """A user, role or type: its name, and that of all sets that it is in, itself among them."""

    name: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Constraint:
    """An expression that has to hold for a permission: its tokens in postfix form, and its text."""

    tokens: tuple[Any, ...]
    text: str

    @classmethod
    def of(cls, given: Any) -> Constraint:
        """What setools has for a (mls)constrain statement."""
        tokens = (token if isinstance(token, str) else frozenset(map(str, token)) for token in given.expression)
        return cls(tuple(tokens), str(given).strip())

    def holds(self, source: Labelled, target: Labelled, names: Names) -> bool:
        """Whether ``source`` may do to ``target`` what this constrains.  Raises MachineFault for what is not known here."""
        stack: list[Any] = []
        for token in self.tokens:
            if token == "not":
                stack.append(not stack.pop())
            elif token in ("and", "or"):
                second, first = stack.pop(), stack.pop()
                stack.append(first and second if token == "and" else first or second)
            elif isinstance(token, str) and not token[-1].isdigit():
                second, first = stack.pop(), stack.pop()
                stack.append(self.compared(token, first, second))
            else:
                stack.append(token if isinstance(token, frozenset) else self.value(token, source, target, names))
        return bool(stack.pop())

    def value(self, symbol: str, source: Labelled, target: Labelled, names: Names) -> Rank | Called:
        """What ``symbol`` (u1, r2, t1, h2, …) stands for."""
        its = source if symbol[1] == "1" else target
        if symbol[0] in "lh" and symbol[1] in "12":  # single levels: the lower is the higher
            return its.rank
        found = {"u": (its.user, None), "r": (its.role, None), "t": (its.type, names(its.type))}.get(symbol[0])
        if found is None or symbol[1] not in "12":
            raise MachineFault(f"a constraint that is not known here: {self.text}")
        return Called(found[0], found[1] or frozenset((found[0],)))

    def compared(self, operator: str, first: Any, second: Any) -> bool:
        """Levels by their order; a user, a role or a type with another, or with a set that it may be in."""
        if isinstance(first, Rank) and isinstance(second, Rank) and operator in LEVELS:
            return LEVELS[operator](first, second)
        if isinstance(first, Called) and isinstance(second, Called | frozenset) and operator in ("==", "!="):
            same = first.name == second.name if isinstance(second, Called) else bool(first.names & second)
            return same is (operator == "==")
        raise MachineFault(f"a constraint that is not known here: {self.text}")


def unmet(given: Iterable[Constraint], source: Labelled, target: Labelled, names: Names) -> Constraint | None:
    """The first of ``given`` that does not hold; None if all do."""
    return next((one for one in given if not one.holds(source, target, names)), None)
