# SPDX-License-Identifier: Apache-2.0
"""The context that a database has for a user, ``DOMAIN[:RANGE]``, in the form in which the handler takes it."""

from __future__ import annotations

from selsock.identify.answer import Unable
from selsock.mls.levels import Level
from selsock.names import TypeName

STAR = "*"


def record(text: str) -> str:
    """``text`` as ``TYPE:LEVEL``, either of which is empty where the rule is to say it: for ``*``, or a RANGE left out.

    DOMAIN is the name of a declared domain, or a type of the administrator's.  Which names are declared is not known
    here: a domain that is none cannot be entered.  Raises Unable for anything else, and for a level that the kernel
    spells in another way, since what is written there is compared with what it says.
    """
    domain, colon, level = text.partition(":")
    try:
        if not domain or domain.startswith("selsock_"):
            raise ValueError("expected a name under domains, or a type of your own")
        if domain != STAR:
            domain = TypeName.parse(domain if domain.endswith("_t") else f"selsock_{domain}_t")
        if colon and level != STAR and (spelled := Level.parse(level)) != level:
            raise ValueError(f"expected {spelled}")
    except ValueError as error:
        raise Unable(f"{error}, not the context {text!r}") from None
    return f"{domain}:{level}".replace(STAR, "")
