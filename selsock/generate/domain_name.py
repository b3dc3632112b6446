# SPDX-License-Identifier: Apache-2.0
"""The names under ``domains:``; the handler knows types alone."""

from __future__ import annotations

from selsock.names import DIGITS, LOWER, Name


class DomainName(Name):
    """A domain declared under ``domains:``; it becomes the type ``selsock_NAME_t``."""

    __slots__ = ()
    expected = (
        "a domain name (a-z, 0-9, _; not ending in _t, _content, _rw, _script, _tmp or _login; none of selsock's own)"
    )

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Letters, digits and single underscores; ``_t`` would make it a full type, the others one of our own."""
        return (
            0 < len(text) <= 40
            and text[0] in LOWER
            and not text.strip(LOWER + DIGITS + "_")
            and "__" not in text
            and not text.endswith(("_t", "_content", "_rw", "_script", "_tmp", "_login", "_"))
            and text not in RESERVED_DOMAINS
        )


# selsock_NAME_t of these is, or will be, a type of the base module.
SERVICES = ("identify", "pam", "sql")
RESERVED_DOMAINS = (
    *("exec", "table", "passwd", "tls", "warm", "auth", "generation", "runtime", "login", "login_devpts", "cache"),
    *("run_as", "run_as_exec", "slots"),
    *(f"{name}{kind}" for name in SERVICES for kind in ("", "_exec", "_runtime")),
)
