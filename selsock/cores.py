# SPDX-License-Identifier: Apache-2.0
"""The C cores of the standard library that the handler uses in place of their Python wrappers.

Each wrapper costs 1 to 12 ms per connection (enum, collections, typing behind it), each core next to nothing.  The
public name stands beside each, and ``tests/unit/test_cores.py`` holds that both are the same object.
"""

import _signal  # type: ignore[import-not-found]  # signal; typeshed has no stub of its core
import _socket  # socket
import _struct  # struct
import io  # loaded at the start of every interpreter
import posix  # os
import select
import sys
import time

__all__ = ["Final", "import_module", "io", "posix", "select", "signal", "socket", "struct", "sys", "time"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final
else:
    Final = None  # of typing, for mypy alone: at run time no annotation of an attribute is evaluated

signal = _signal
socket = _socket
struct = _struct


def compare_digest(left: "Any", right: "Any") -> bool:
    """``hmac.compare_digest``.  Its core is part of every Python, so that it is no file even where it is needed first."""
    from _operator import _compare_digest

    return _compare_digest(left, right)


def import_module(name: str) -> "Any":
    """``importlib.import_module``, for the child that runs a tenant's application and for nobody else."""
    from _frozen_importlib import _gcd_import  # type: ignore[attr-defined]  # typeshed has the public half

    return _gcd_import(name)
