# SPDX-License-Identifier: Apache-2.0
"""htpasswd: does this password belong to this user, and which hash says so?

Formats, as Apache's htpasswd(1) writes them: bcrypt, SHA-256, SHA-512 and DES crypt through libcrypt; ``$apr1$`` and
``{SHA}``, which libcrypt does not know, here.  Anything else is an error of the administrator, never a "no"; so is a
plain password, which Apache takes on Windows alone.
"""

from __future__ import annotations

import binascii
import hashlib
from hmac import compare_digest

from selsock.identify.answer import Unable
from selsock.identify.crypt import crypt
from selsock.identify.files import fields_of

LIBCRYPT = ("$2y$", "$2b$", "$2a$", "$5$", "$6$")
ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DES_LETTERS = 13  # two of salt, eleven of hash (crypt(5))
UNKNOWN = "a hash of a format other than $2y$, $5$, $6$, $apr1$, {SHA} and DES"


def stored_hash(path: str, user: str) -> tuple[str, bool]:
    """The hash that ``path`` has for ``user``, and True; or, without him, another's, and False: so that it takes as long
    to find out that a password is not his.  Raises Unable.

    As to Apache, a line that starts with "#" is a comment, and a second colon ends the hash.
    """
    own, other = fields_of(path, user.encode())
    known = own is not None and not user.startswith("#")
    found = own if own is not None and known else other
    try:
        return found.partition(b":")[0].rstrip(b"\r").decode("ascii"), known
    except ValueError as error:
        if known:
            raise Unable(f"{path}: {error}") from None
        return "", False


def matches(password: bytes, stored: str, place: str) -> bool:
    """Whether ``password`` (UTF-8) gives the hash ``stored``.  Raises Unable, naming ``place``, where that cannot be told."""
    try:
        return matches_hash(password, stored)
    except (ImportError, OSError, ValueError) as error:
        raise Unable(f"{place}: {error}") from None


def matches_hash(password: bytes, stored: str) -> bool:
    """Whether ``password`` (UTF-8) gives the hash ``stored``.  Raises ValueError for a format that is not known."""
    if stored.startswith(("*", "!")):
        return False  # a locked account, as in shadow(5)
    if stored.startswith(LIBCRYPT) or is_des(stored):
        if len(password) > 511:  # CRYPT_MAX_PASSPHRASE_SIZE of crypt(3), for which it fails as for a broken hash
            return False
        # crypt(5): a failure is None or a string that starts with "*", and never equals a hash that does not.
        computed = crypt(password.decode(), stored) or "*0"
    elif stored.startswith("$apr1$"):
        computed = apr1(password, stored.split("$")[2].encode())
    elif stored.startswith("{SHA}"):
        sha1 = hashlib.sha1(password, usedforsecurity=False).digest()
        computed = "{SHA}" + binascii.b2a_base64(sha1, newline=False).decode()
    else:
        raise ValueError(UNKNOWN)
    return compare_digest(computed, stored) and not computed.startswith("*")


def is_des(stored: str) -> bool:
    """Whether ``stored`` has the shape of DES crypt, which tells passwords apart by their first eight bytes alone."""
    return len(stored) == DES_LETTERS and not stored.strip(ITOA64)


def md5(data: bytes) -> bytes:
    """The MD5 of ``data``, as old hashes have it."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def apr1(password: bytes, salt: bytes) -> str:
    """Apache's variant of the MD5 crypt, with the magic ``$apr1$`` (APR, crypto/apr_md5.c)."""
    salt = salt[:8]
    inner = md5(password + salt + password)
    text = password + b"$apr1$" + salt
    text += (inner * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        text += b"\0" if length & 1 else password[:1]
        length >>= 1
    final = md5(text)
    for turn in range(1000):
        text = password if turn & 1 else final
        text += salt if turn % 3 else b""
        text += password if turn % 7 else b""
        final = md5(text + (final if turn & 1 else password))
    result = ""
    for first, second, third in ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)):
        result += to64(final[first] << 16 | final[second] << 8 | final[third], 4)
    return f"$apr1${salt.decode()}${result}{to64(final[11], 2)}"


def to64(value: int, length: int) -> str:
    """``length`` digits of crypt's own base 64, lowest first."""
    return "".join(ITOA64[value >> 6 * place & 63] for place in range(length))
