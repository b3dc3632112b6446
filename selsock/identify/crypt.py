# SPDX-License-Identifier: Apache-2.0
"""libcrypt, by the module that Python has for it."""

from __future__ import annotations

import warnings


def crypt(password: str, setting: str) -> str | None:
    """crypt(3).  None, or what begins with ``*``, is a failure.  Raises ImportError, OSError, ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python up to 3.12 has a module of its own
        try:
            from crypt import crypt as function
        except ImportError:
            try:
                from crypt_r import crypt as function  # type: ignore[import-not-found,no-redef]  # which replaces it
            except ImportError:
                raise ImportError("Python has no crypt: install python3-crypt-r") from None
    result: str | None = function(password, setting)
    return result
