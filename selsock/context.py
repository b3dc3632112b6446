# SPDX-License-Identifier: Apache-2.0
"""What a context is: a type, and the level that it is entered at; user and role come from the running process.

Source: SELinux Notebook, "Security Context".
"""

from selsock.cores import Final
from selsock.names import DIGITS, Name, TypeName


class Level(Name):
    """One level, sensitivity and categories, as the kernel spells it: ``s0``, ``s0:c1,c5``, ``s0:c0.c3``."""

    __slots__ = ()
    expected = "a level such as s0 or s0:c1,c5"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Only the shape, and no range; ``mls/levels`` finds the spelling, and ``confine`` sees whether it was."""
        return text[:1] == "s" and not text[1:].strip(DIGITS + "c.,:") and text.count(":") < 2


class Context:
    """What a rule yields: the type to enter and the level to enter it at.  Compared by both."""

    __slots__ = ("level", "type")

    def __init__(self, type_name: TypeName, level: Level) -> None:
        self.type: Final = type_name
        self.level: Final = level

    @classmethod
    def parse(cls, text: str) -> "Context":
        """Read ``TYPE:LEVEL`` as the table holds it.  Raises ValueError."""
        type_name, _, level = text.partition(":")
        return cls(TypeName.parse(type_name), Level.parse(level))

    def __str__(self) -> str:
        return f"{self.type}:{self.level}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and (self.type, self.level) == (other.type, other.level)

    def __hash__(self) -> int:
        return hash((self.type, self.level))
