# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the systemd tier. Every test that uses them, directly or not, runs on systemd 252 and on 257.

A test module says what its machine is to contain and keeps it for all its tests; that costs about 2 seconds:

    @pytest.fixture(scope="module")
    def machine(boot: Boot) -> Iterator[NativeMachine]:
        with boot(VHOST_YAML, {"/srv/a/index.html": (b"hello", 0o644)}) as machine:
            yield machine
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.machines.evidence import pytest_configure, pytest_runtest_makereport, reporter
from tests.machines.install import Files, install_selsock, stage, write_files
from tests.machines.native import NativeMachine
from tests.machines.trees import SUITES, overlay, tree

__all__ = ["Boot", "bare_machine", "boot", "pytest_configure", "pytest_runtest_makereport", "suite"]

Boot = Callable[..., AbstractContextManager[NativeMachine]]


@pytest.fixture(scope="session", params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    """The Debian release under test: bookworm (systemd 252, Python 3.11) or trixie (257, 3.13)."""
    return str(request.param)


@pytest.fixture(scope="session")
def boot(suite: str, pytestconfig: pytest.Config) -> Boot:
    """boot(vhost_yaml=None, files={}, purpose="", number=""): a context manager for a new machine of the suite.

    With vhost_yaml, selsock is installed and configured and its socket enabled; without, it is not there at all. files
    are written first, so the generator sees them. purpose is that of a tree of trees.PACKAGES, number tells machines
    apart that run at the same time.
    """

    @contextmanager
    def booted(
        vhost_yaml: str | None = None, files: Files | None = None, purpose: str = "", number: str = ""
    ) -> Iterator[NativeMachine]:
        with overlay(tree(f"{suite}-{purpose}" if purpose else suite, reporter(pytestconfig))) as root:
            if vhost_yaml is None:
                write_files(root, files or {})
            else:
                install_selsock(root)
                stage(root, vhost_yaml, files or {})
            with NativeMachine(root, f"native-{suite}{purpose}{number}") as machine:
                yield machine

    return booted


@pytest.fixture(scope="session")
def bare_machine(boot: Boot) -> Iterator[NativeMachine]:
    """A machine without selsock, one for all tests."""
    with boot() as machine:
        yield machine
