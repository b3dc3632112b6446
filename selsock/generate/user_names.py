# SPDX-License-Identifier: Apache-2.0
"""Names of users and groups as the source and its maps write them: in the one form in which a visitor's is compared.

What a visitor sends is brought into normal form C (RFC 8265 §3.4); a name in another form would be nobody's.
"""

from __future__ import annotations

import unicodedata

from selsock.names import UserName


class CanonicalUser(UserName):
    """A user name in its canonical form."""

    __slots__ = ()
    expected = f"{UserName.expected}, in normal form C"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """As ``UserName``, and composed."""
        return UserName.accepts(text) and unicodedata.is_normalized("NFC", text)


class GroupName(CanonicalUser):
    """A group of users: what a line of an htgroup file, of SQL or of PAM can name."""

    __slots__ = ()
    expected = "a group name without blank, comma, colon or control character, 255 bytes at most, in normal form C"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """A blank ends a name in an htgroup file, and a comma one in the column of a database."""
        return CanonicalUser.accepts(text) and " " not in text and "," not in text
