# SPDX-License-Identifier: Apache-2.0
"""The C cores of the standard library that the handler uses in place of their Python wrappers.

Each wrapper costs 1 to 12 ms per connection (enum, collections, typing behind it), each core next to nothing.  The
public name stands beside each, and ``tests/unit/test_cores.py`` holds that both are the same object.
"""

import _operator  # hmac.compare_digest
import _signal  # type: ignore[import-not-found]  # signal; typeshed has no stub of its core
import _socket  # socket
import _struct  # struct
import binascii  # base64.b64decode
import io  # loaded at the start of every interpreter
import posix  # os
import select
import sys
import time

__all__ = ["Final", "binascii", "crypt_core", "digest", "import_module", "io", "operator", "posix", "select"]
__all__ += ["signal", "socket", "struct", "sys", "time"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final
else:
    Final = None  # of typing, for mypy alone: at run time no annotation of an attribute is evaluated

operator = _operator
signal = _signal
socket = _socket
struct = _struct


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


def import_module(name: str) -> "Any":
    """``importlib.import_module``, for the child that runs a tenant's application and for nobody else."""
    from _frozen_importlib import _gcd_import  # type: ignore[attr-defined]  # typeshed has the public half

    return _gcd_import(name)
