# SPDX-License-Identifier: Apache-2.0
"""generate.libselinux: the binding is the distribution's own, or there is none."""

import subprocess
import sys
import types

import pytest

from selsock.generate import libselinux


def test_selinux_core_agrees_with_the_public_binding() -> None:
    """python3-selinux's own C half: its answers are those of ``import selinux``, in the distribution's Python."""
    script = (
        "import os, sys; sys.path.append('.')\n"
        "from selsock.generate.libselinux import selinux_core\n"
        "core = selinux_core()\n"
        "import selinux\n"
        "assert os.path.samefile(selinux._selinux.__file__, core.__file__)\n"
        "assert selinux.is_selinux_enabled() == core.is_selinux_enabled()\n"
        "for name in ('security_getenforce security_check_context_raw'\n"
        "    ' selabel_open selabel_lookup_raw selabel_close').split():\n"
        "    assert hasattr(core, name), name\n"
    )
    subprocess.run(["/usr/bin/python3", "-I", "-c", script], check=True)


def test_selinux_core_refuses_a_shim(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module without selabel_lookup_raw is not libselinux's binding, whatever it says of is_selinux_enabled()."""
    shim = types.ModuleType("_selinux")
    shim.__file__ = "/shim/_selinux.py"
    vars(shim)["is_selinux_enabled"] = lambda: 0
    monkeypatch.setitem(sys.modules, "_selinux", shim)
    with pytest.raises(ImportError, match="/shim/_selinux.py is not libselinux's own binding"):
        libselinux.selinux_core()


def test_selinux_core_missing_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """No binding at all; binding() says what to install."""
    monkeypatch.setitem(sys.modules, "_selinux", None)
    with pytest.raises(ImportError):
        libselinux.selinux_core()
