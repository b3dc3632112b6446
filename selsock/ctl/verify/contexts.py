# SPDX-License-Identifier: Apache-2.0
"""Whole contexts, of processes and of files, as constraints compare them."""

from __future__ import annotations

from dataclasses import dataclass, field

from selsock.mls.levels import Level


@dataclass(frozen=True, slots=True)
class Rank:
    """A level as numbers: its sensitivity, and a bit for each category."""

    sensitivity: int
    categories: int

    @classmethod
    def of(cls, level: Level) -> Rank:
        """The rank of ``level``."""
        return cls(level.sensitivity(), sum(1 << number for number in level.categories()))

    def dominates(self, other: Rank) -> bool:
        """As ``Level.dominates``."""
        return self.sensitivity >= other.sensitivity and not other.categories & ~self.categories

    def relation(self, other: Rank) -> str:
        """How this stands to ``other``: ``same``, ``above``, ``below`` or ``apart``."""
        if self == other:
            return "same"
        if self.dominates(other):
            return "above"
        return "below" if other.dominates(self) else "apart"


@dataclass(frozen=True, slots=True)
class Labelled:
    """What has a context at a single level.  ``place`` is a path of files, or says who runs in a process's context."""

    user: str
    role: str
    type: str
    level: Level
    place: str
    rank: Rank = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rank", Rank.of(self.level))

    @property
    def is_process(self) -> bool:
        """Whether it is a process, and not files."""
        return self.role != "object_r"

    @property
    def is_login(self) -> bool:
        """Whether it is a session over ssh: nobody enters it but by sshd."""
        return self.is_process and self.role != "system_r"

    @property
    def context(self) -> str:
        """As the kernel spells it."""
        return f"{self.user}:{self.role}:{self.type}:{self.level}"


def process(type_name: str, level: str, place: str) -> Labelled:
    """Processes that selsock's handler becomes."""
    return Labelled("system_u", "system_r", type_name, Level.parse(level), place)


def files(type_name: str, level: str, path: str) -> Labelled:
    """Files at ``path`` and below."""
    return Labelled("system_u", "object_r", type_name, Level.parse(level), path)


# Who enters the tenants' contexts (policy/selsock.te).
HANDLER = process("selsock_t", "s0", "the handler, before the line")
