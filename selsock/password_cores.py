# SPDX-License-Identifier: Apache-2.0
"""The C cores that passwords need, as ``cores.py`` has the others: imported where somebody signs in."""

import binascii  # base64

__all__ = ["binascii", "crypt_core", "digest"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def crypt_core() -> "Any":
    """The C half of ``crypt`` (Python up to 3.12) or of ``crypt_r``, which replaces it; or ImportError."""
    try:
        import _crypt as core  # type: ignore[import-not-found]  # a C module without stubs, as are those below
    except ImportError:
        try:
            import _crypt_r as core  # type: ignore[import-not-found]
        except ImportError:
            raise ImportError("Python has no crypt: install python3-crypt-r") from None
    return core


def digest(name: str, data: bytes) -> bytes:
    """The MD5 or SHA-1 of ``data`` (``hashlib``), for old htpasswd formats: from the built-in module, else OpenSSL's.

    Red Hat builds Python without ``_md5`` and ``_sha1``.
    """
    try:
        if name == "md5":
            from _md5 import md5 as function  # type: ignore[import-not-found]
        else:
            from _sha1 import sha1 as function  # type: ignore[import-not-found]
    except ImportError:
        import _hashlib

        function = getattr(_hashlib, f"openssl_{name}")
    result: bytes = function(data, usedforsecurity=False).digest()
    return result
