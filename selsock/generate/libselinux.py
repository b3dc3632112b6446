# SPDX-License-Identifier: Apache-2.0
"""The one edge of the generator to libselinux."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selsock.generate.faults import MachineFault
from selsock.generate.relabel import Ask


class Selinux:
    """SELinux as this machine has it; what unit tests replace."""

    def __init__(self) -> None:
        self.core: Any = binding()

    def enabled(self) -> bool:
        """Whether the kernel has a policy loaded."""
        return bool(self.core.is_selinux_enabled() == 1)

    def enforcing(self) -> bool:
        """Whether the kernel denies what the policy does not allow."""
        return bool(self.core.security_getenforce() == 1)

    def knows(self, context: str) -> bool:
        """Whether ``context`` is valid under the loaded policy."""
        try:
            return bool(self.core.security_check_context_raw(context) == 0)
        except OSError:
            return False

    @contextmanager
    def file_contexts(self) -> Iterator[Ask]:
        """What the policy's file contexts, as they are now, say of a path and a mode (selabel_lookup(3))."""
        handle = self.core.selabel_open(0, None, 0)
        if handle is None:
            raise MachineFault("the file contexts of the policy can not be read")

        def ask(path: str, mode: int) -> str:
            # The binding takes text alone; a name that is none can match no pattern but one for all.
            text = os.fsencode(path).decode("utf-8", "replace")
            try:
                return str(self.core.selabel_lookup_raw(handle, text, mode)[1])
            except OSError:
                return ""  # no pattern, or <<none>>

        try:
            yield ask
        finally:
            self.core.selabel_close(handle)


def selinux_core() -> Any:
    """The C half of the distribution's libselinux binding (``selinux``), or ImportError.

    PyPI's ``selinux`` is no substitute: on Debian it defines is_selinux_enabled() alone, which answers 0 even where the
    kernel enforces.  It has no ``_selinux``, so it can not be picked up here; the check makes that explicit.
    """
    import _selinux  # type: ignore[import-not-found]  # a C module without stubs

    if not hasattr(_selinux, "selabel_lookup_raw"):
        raise ImportError(f"{_selinux.__file__} is not libselinux's own binding: it has no selabel_lookup_raw")
    return _selinux


def binding() -> Any:
    """libselinux's own Python binding.  Raises MachineFault where there is none, or PyPI's shim in its place.

    The shim is never imported: what is looked for is the C half, which it does not have.
    """
    try:
        return selinux_core()
    except ImportError as error:
        spec = importlib.util.find_spec("selinux")
        shim = f"; {spec.origin} is not it: PyPI's selinux is a shim" if spec and spec.origin else ""
        raise MachineFault(
            f"no libselinux binding for Python ({error}){shim}; install python3-selinux or python3-libselinux"
        ) from None
