# SPDX-License-Identifier: Apache-2.0
"""The names that may appear in a configuration or a request: one rule for each, as a type of its own.

Each type is a ``str`` that can only be made by its ``parse``; so a template or a table entry can never receive a text
that nobody looked at.  No ``re`` here: the handler imports this module on every connection.
"""

from selsock.cores import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

LOWER = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"


class Name(str):
    """A checked text.  ``expected`` completes the sentence "expected …" of an error message."""

    __slots__ = ()
    expected = "a name"

    @classmethod
    def parse(cls, text: str) -> "Self":
        """Return ``text`` as this type.  Raises ValueError with what was expected."""
        if not cls.accepts(text):
            raise ValueError(f"expected {cls.expected}, not {text!r}")
        return cls(text)

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Whether ``text`` obeys the rule of this type."""
        raise NotImplementedError


class HostName(Name):
    """A host as it stands in a Host field, without port: DNS name (RFC 1123 §2.1), IPv4, or IPv6 in brackets."""

    __slots__ = ()
    expected = "a host name in lower case, such as www.example.org"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """RFC 1123 §2.1: labels of letters, digits and inner hyphens, 63 at most, 253 in all."""
        if text.startswith("[") and text.endswith("]"):
            return len(text) < 48 and ":" in text and not text[1:-1].strip(DIGITS + "abcdef:.")
        if len(text) > 253:
            return False
        return all(
            0 < len(label) < 64 and not label.strip(LOWER + DIGITS + "-") and label[0] != "-" and label[-1] != "-"
            for label in text.split(".")
        )


class TypeName(Name):
    """A full SELinux type, ours or the administrator's."""

    __slots__ = ()
    expected = "an SELinux type that ends in _t"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """What checkpolicy calls an identifier, in lower case, with the customary ending."""
        return 2 < len(text) <= 64 and text[0] in LOWER and text.endswith("_t") and not text.strip(LOWER + DIGITS + "_")


class UserName(Name):
    """A user of HTTP authentication: UTF-8, 255 bytes at most, no colon (RFC 7617 §2), no control character."""

    __slots__ = ()
    expected = "a user name without colon or control character, 255 bytes at most"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """RFC 7617 §2 forbids the colon and control characters; C1 controls and line separators could forge a log."""
        return 0 < len(text.encode("utf-8", "replace")) <= 255 and text.isprintable() and ":" not in text


class Realm(Name):
    """The realm of a challenge: printable ASCII without quote or backslash, so that it needs no escaping."""

    __slots__ = ()
    expected = 'a realm of printable ASCII without " or \\'

    @classmethod
    def accepts(cls, text: str) -> bool:
        """A quoted-string (RFC 9110 §5.6.4) that needs no quoted-pair."""
        return 0 < len(text) <= 100 and text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


class AbsolutePath(Name):
    """An absolute path in normal form, of characters that need no escaping in CIL, a unit or a table."""

    __slots__ = ()
    expected = "an absolute path of letters, digits and ._-+@=~ without //, /./, /../ or a slash at the end"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Normal form, so that two spellings never mean one directory; no space, quote, backslash or %."""
        if not text.startswith("/") or len(text) > 1000 or not text.isascii():
            return False
        return all(
            segment not in ("", ".", "..") and not segment.lower().strip(LOWER + DIGITS + "._-+@=~")
            for segment in text[1:].split("/")
        )


class Network(Name):
    """An address or CIDR network, v4 or v6, in the form in which the table keeps it: ``10.0.0.0/8``."""

    __slots__ = ()
    expected = "an address or a network such as 192.0.2.0/24 or 2001:db8::/32"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Only the shape; ``generate/configuration`` puts it into canonical form with the ``ipaddress`` module."""
        return 0 < len(text) < 50 and not text.strip(DIGITS + "abcdef:./")

    def contains(self, address: str) -> bool:
        """Whether ``address`` lies in it.  An AF_UNIX peer lies in none."""
        base, _, length = self.partition("/")
        family = socket.AF_INET6 if ":" in base else socket.AF_INET
        try:
            # A link-local peer comes with its interface: fe80::1%eth0.
            bits = int.from_bytes(socket.inet_pton(family, address.partition("%")[0]), "big")
        except OSError:
            return False  # of the other family
        shift = (128 if family == socket.AF_INET6 else 32) - int(length)
        return bits >> shift == int.from_bytes(socket.inet_pton(family, base), "big") >> shift
