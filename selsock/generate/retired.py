# SPDX-License-Identifier: Apache-2.0
"""What an apply takes out of the policy, kept beside the new text until nobody needs it: the module selsock_retired.

A type that is removed leaves a process in it without a label, and while the old table is in force, connections enter by
it.  So one transaction loads the new text together with all that the one before had and it has not; and what was kept is
dropped when no table names it any more and no process is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

PIECES = re.compile(r';[^\n]*|"[^"]*"|[()]|[^;"()]+')
# Of these, what is new decides at once: two patterns of one path, two levels of one login would be an error, and an
# optional block grants others something that no connection of ours needs.
NEVER_KEPT = ("(filecon ", "(optional ", "(selinuxuser ")
OF_A_USER = ("(userlevel ", "(userrange ")
GENERATION = ("(type selsock_generation_", "(roletype object_r selsock_generation_")

HEADER = "; SPDX-License-Identifier: Apache-2.0\n; Written by selsock-generate.  What the policy had before, for as long as it is needed.\n"


def statements(text: str) -> list[str]:
    """The statements of ``text`` of CIL, each on one line, its blanks single and without comments.

    As our template writes it: no quoted text has a quote in it.
    """
    found: list[str] = []
    depth = 0
    current: list[str] = []
    # A comment ends with its line, a quoted text may hold parentheses: a pattern of paths does.
    for piece in PIECES.findall(text):
        if piece.startswith(";"):
            continue
        depth += (piece == "(") - (piece == ")")
        current.append(piece)
        if depth == 0:
            found.append(" ".join("".join(current).split()))
            current.clear()
    return [statement for statement in found if statement]


def retired(before: Iterable[str], now: str) -> tuple[str, ...]:
    """The statements of the texts ``before`` that ``now`` has not, but for those of a kind that is never kept."""
    new = set(statements(now))
    found = dict.fromkeys(statement for text in before for statement in statements(text))
    return tuple(statement for statement in found if statement not in new and is_kept(statement, new))


def is_kept(statement: str, new: set[str]) -> bool:
    """Whether ``statement`` may stand beside the ``new`` ones."""
    if statement.startswith(OF_A_USER):
        return f"(user {statement.split()[1]})" not in new
    return not statement.startswith(NEVER_KEPT)


def is_inert(kept: Iterable[str]) -> bool:
    """Whether ``kept`` says nothing but of which generations the policy was: that may stay until the next apply."""
    return all(statement.startswith(GENERATION) for statement in kept)


def domains(kept: Iterable[str]) -> frozenset[str]:
    """The types that ``kept`` declares for processes: those of a role other than that of files."""
    words = (statement.strip("()").split() for statement in kept if statement.startswith("(roletype "))
    return frozenset(type_name for _, role, type_name in words if role != "object_r")


def accounts(text: str) -> frozenset[str]:
    """The accounts whose logins the CIL ``text`` maps."""
    return frozenset(words.split()[1] for words in statements(text) if words.startswith("(selinuxuser "))


def mappings(text: str) -> dict[str, str]:
    """The accounts whose logins the CIL ``text`` maps, each with the statement that does."""
    return {words.split()[1]: words for words in statements(text) if words.startswith("(selinuxuser ")}


def session_types(text: str) -> frozenset[str]:
    """The domains of logins that the CIL ``text`` declares."""
    start = "(typeattributeset selsock_login_domain ("
    return frozenset(words[len(start) : -2] for words in statements(text) if words.startswith(start))


def unshared(kept: list[str]) -> list[str]:
    """``kept`` without the rights of types that are in use as ever: what it declares itself, and what is said of that."""
    own = {words.strip("()").split()[1] for words in kept if words.startswith(("(type ", "(typeattribute "))}
    return [
        words
        for words in kept
        if not words.startswith(("(allow ", "(typeattributeset ")) or not own.isdisjoint(re.findall(r"\w+", words))
    ]


def compose(kept: Iterable[str]) -> str:
    """A module of the statements ``kept``."""
    return HEADER + "".join(f"{statement}\n" for statement in kept)
