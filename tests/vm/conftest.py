# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the vm tier: one machine for all tests, since it takes half a minute to boot where there is no KVM.

Its content is tests/vm/site/: vhost.yaml is its configuration, and the files below root/ are copied into the machine
with the modes they have in the checkout. Without vhost.yaml, selsock is not in the machine. A test that has to change the
machine changes it back.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.machines import image
from tests.machines.evidence import pytest_configure, pytest_runtest_makereport, reporter
from tests.machines.install import Files
from tests.machines.vm import VirtualMachine

__all__ = ["BootVm", "boot_vm", "pytest_configure", "pytest_runtest_makereport", "site", "vm"]

BootVm = Callable[..., AbstractContextManager[VirtualMachine]]
SITE = Path(__file__).parent / "site"
PORTS = (80, 443, 8080, 8443)


def files_below(directory: Path) -> Files:
    """The files below a directory, under the names that they have in a machine of which it is the root."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {f"/{path.relative_to(directory)}": (path.read_bytes(), path.stat().st_mode & 0o777) for path in paths}


@pytest.fixture(scope="session")
def site() -> image.Recipe:
    """What is in the machine `vm`."""
    configuration = SITE / "vhost.yaml"
    return image.Recipe(configuration.read_text() if configuration.exists() else None, files_below(SITE / "root"))


@pytest.fixture(scope="session")
def boot_vm(pytestconfig: pytest.Config) -> BootVm:
    """boot_vm(recipe, name="vm"): a context manager for a machine of its own."""
    report = reporter(pytestconfig)

    def booted(recipe: image.Recipe, name: str = "vm") -> VirtualMachine:
        return VirtualMachine(image.build(recipe, report), name, PORTS, report)

    return booted


@pytest.fixture(scope="session")
def vm(boot_vm: BootVm, site: image.Recipe) -> Iterator[VirtualMachine]:
    """The machine that all tests share, enforcing, with the dontaudit rules off."""
    with boot_vm(site) as machine:
        yield machine
