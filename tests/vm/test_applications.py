# SPDX-License-Identifier: Apache-2.0
"""The same applications under an enforcing kernel, each in a domain of its own with no more opt-ins than it needs.

A denial that is not expected fails the test that caused it (see ``conftest``).
"""

import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence

import pytest

pytest.register_assert_rewrite("tests.applications.resistance", "tests.applications.visits")

from tests.applications.build import FILES, GIVE, TREE, site_yaml, sites
from tests.applications.resistance import *
from tests.applications.visits import *
from tests.machines import image
from tests.machines.vm import VirtualMachine
from tests.vm.conftest import BootVm


class ServedInVm:
    """A VirtualMachine as ``visits.Served``."""

    def __init__(self, machine: VirtualMachine) -> None:
        self.machine = machine

    def connect(self) -> socket.socket:
        """A connection from outside."""
        return socket.create_connection(("127.0.0.1", self.machine.http_port(80)), 120)

    def run(
        self, argv: Sequence[str], *, check: bool = True, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root."""
        return self.machine.ssh(argv, check=check, input=input)

    def said(self, deed: Callable[[], object], vhost: str) -> list[str]:
        """What ``vhost``'s programs wrote to standard error during ``deed``."""
        since = self.machine.mark()
        deed()
        entries = self.machine.journal("SELSOCK_EVENT=stderr", f"SELSOCK_VHOST={vhost}", since=since)
        return [entry["MESSAGE"] for entry in entries]


@pytest.fixture(scope="module")
def vm(boot_vm: BootVm) -> Iterator[VirtualMachine]:
    """A machine of its own, in the place of the one that the other modules share."""
    recipe = image.Recipe(site_yaml(), FILES, base=TREE, directories={"/srv/vhosts": sites()}, script=GIVE)
    with boot_vm(recipe, "vm-applications") as machine:
        yield machine


@pytest.fixture
def served(vm: VirtualMachine) -> ServedInVm:
    """The machine, for the tests."""
    return ServedInVm(vm)
