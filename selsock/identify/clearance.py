# SPDX-License-Identifier: Apache-2.0
"""clearance: to which level a user may go below a ceiling, by the range of his SELinux login (seusers(5))."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from selsock.identify.answer import Unable
from selsock.mls.levels import Level, ends, meet


def cleared(user: str, ceilings: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Each of ``ceilings`` that he reaches, and the level that he gets there.  Raises Unable."""
    wanted = sorted(set(ceilings))
    if not wanted:
        return ()
    low, high = login(user)
    found = ((ceiling, meet(low, high, Level.parse(ceiling))) for ceiling in wanted)
    return tuple((ceiling, str(level)) for ceiling, level in found if level is not None)


def login(user: str) -> tuple[Level, Level]:
    """The lowest and the highest level of the login ``user``, or of that which stands for all others.  Raises Unable."""
    try:
        _, _, text = binding().getseuserbyname(user)
        if not text:
            raise ValueError("it has no range; does this kernel have SELinux?")
        return ends(text)
    except (ImportError, OSError, ValueError) as error:
        raise Unable(f"the SELinux login of {user}: {error}") from None


def binding() -> Any:
    """The C half of the distribution's libselinux binding, of which one function is needed.  Raises ImportError."""
    import _selinux  # type: ignore[import-not-found]  # a C module without stubs; only where a rule asks for clearance

    return _selinux
