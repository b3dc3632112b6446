# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the rpm tier: the packages, and a tree that they are installed in."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.machines.commands import CHECKOUT
from tests.machines.evidence import pytest_configure, pytest_runtest_makereport, reporter
from tests.machines.packages import Packages, install, packages
from tests.machines.trees import overlay, run_in, tree

__all__ = ["Query", "built", "installed", "pytest_configure", "pytest_runtest_makereport", "query"]

Query = Callable[..., list[str]]


@pytest.fixture(scope="session")
def built(pytestconfig: pytest.Config) -> Packages:
    """The packages that demo and VM install; left in build/rpm, too."""
    found = packages(reporter(pytestconfig))
    for old in (CHECKOUT / "build/rpm").glob("*.rpm"):
        old.unlink()
    for name in ("selsock", "selsock-selinux", "src"):
        shutil.copy(found.path(name), CHECKOUT / "build/rpm")
    return found


@pytest.fixture(scope="session")
def installed(built: Packages) -> Iterator[Path]:
    """A tree with everything that builds packages and the packages installed; tests leave it as it is."""
    with overlay(tree("trixie-build")) as root:
        install(root, built.paths())
        yield root


@pytest.fixture(scope="session")
def query(built: Packages) -> Iterator[Query]:
    """query(package, *options): what rpm says of a package's file, as lines."""
    with overlay(tree("trixie-build")) as root:
        work = root / "var/tmp/rpm"
        work.mkdir()
        for name in ("selsock", "selsock-selinux"):
            shutil.copy(built.path(name), work / f"{name}.rpm")

        def ask(package: str, *options: str) -> list[str]:
            return run_in(
                root, ["rpm", "--query", *options, "--package", f"/var/tmp/rpm/{package}.rpm"]
            ).stdout.splitlines()

        yield ask
