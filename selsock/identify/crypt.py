# SPDX-License-Identifier: Apache-2.0
"""libcrypt, by the module that Python has for it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable


@functools.cache
def binding() -> Callable[[str, str], str | None]:
    """The function of ``crypt`` (Python up to 3.12) or of ``crypt_r``, which replaces it.  Raises ImportError.

    To load it takes longer than to check a cheap hash, so the service does that before it forks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            from crypt import crypt as found
        except ImportError:
            try:
                from crypt_r import crypt as found  # type: ignore[import-not-found,no-redef]  # no stubs
            except ImportError:
                raise ImportError("Python has no crypt: install python3-crypt-r") from None
    return found


def crypt(password: str, setting: str) -> str | None:
    """crypt(3).  None, or what begins with ``*``, is a failure.  Raises ImportError, OSError, ValueError."""
    return binding()(password, setting)
