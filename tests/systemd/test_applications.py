# SPDX-License-Identifier: Apache-2.0
"""Real applications and hostile ones, on the systemd of Debian 13, without SELinux; as ``tests/vm`` has them with it."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

pytest.register_assert_rewrite("tests.applications.resistance", "tests.applications.visits")

from tests.applications.build import FILES, GIVE, TREE, site_yaml, sites
from tests.applications.resistance import *
from tests.applications.visits import *
from tests.machines.evidence import reporter
from tests.machines.install import install_selsock, stage
from tests.machines.native import NativeMachine
from tests.machines.trees import overlay, run_in, tree


class ServedNatively:
    """A NativeMachine as ``visits.Served``."""

    address = "127.0.0.1"

    def __init__(self, machine: NativeMachine) -> None:
        self.machine = machine

    def connect(self) -> socket.socket:
        """A connection from inside its network."""
        return self.machine.connect(80, timeout=60)

    def run(
        self, argv: Sequence[str], *, check: bool = True, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root."""
        return self.machine.run(argv, check=check, input=input)

    def said(self, deed: Callable[[], object], vhost: str) -> list[str]:
        """What ``vhost``'s programs wrote to standard error during ``deed``."""
        after = self.machine.cursor()
        deed()
        entries = self.machine.journal("SELSOCK_EVENT=stderr", f"SELSOCK_VHOST={vhost}", after=after)
        return [entry["MESSAGE"] for entry in entries]


@contextmanager
def serving(pytestconfig: pytest.Config, yaml: str) -> Iterator[ServedNatively]:
    """A machine with all sites."""
    report = reporter(pytestconfig)
    with overlay(tree(TREE, report), sites(report)) as root:
        install_selsock(root)
        stage(root, "selinux: optional\n" + yaml, FILES)
        run_in(root, ["sh", "-euc", GIVE])
        with NativeMachine(root, "native-applications") as machine:
            yield ServedNatively(machine)


@pytest.fixture(scope="module")
def served(pytestconfig: pytest.Config) -> Iterator[ServedNatively]:
    """One machine for the imported tests."""
    with serving(pytestconfig, site_yaml()) as machine:
        yield machine


def test_a_flood_that_nobody_reads_ends(pytestconfig: pytest.Config) -> None:
    """The client stays and reads nothing; what the kernel has taken for it counts as read, so connection_seconds ends it."""
    with serving(pytestconfig, re.sub("(connection_seconds): .*", r"\1: 5", site_yaml())) as machine:
        flood_without_reading(machine)
