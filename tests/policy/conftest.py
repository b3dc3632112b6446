# SPDX-License-Identifier: Apache-2.0
"""Policies of selsock linked natively into Debian's, with neverallow rules checked, for setools to ask."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.machines.evidence import pytest_configure, pytest_runtest_makereport, reporter
from tests.machines.install import GENERATED_POLICY, stage
from tests.machines.packages import install, packages
from tests.machines.trees import overlay, run_in, tree
from tests.site import files, whole_yaml

__all__ = ["Query", "full", "linked", "logins", "pytest_configure", "pytest_runtest_makereport", "query"]

Query = Callable[..., list[str]]

CASES = Path(__file__).parents[1] / "golden"
GOLDEN = CASES / "full/expected/var/lib/selsock"
# What the golden configuration expects of its administrator.
STUB = """(type legacy_content_t)
(roletype object_r legacy_content_t)
(type legacy_t)
(roletype object_r legacy_t)
"""


@contextmanager
def installed(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A root tree with the packages, in which loading a policy checks it."""
    report = reporter(pytestconfig)
    with overlay(tree("trixie", report)) as root:
        # Debian leaves these checks off; Fedora has them on.
        run_in(root, ["sed", "-i", "s/^expand-check=.*/expand-check=1/", "/etc/selinux/semanage.conf"])
        run_in(root, ["grep", "-qx", "expand-check=1", "/etc/selinux/semanage.conf"])
        install(root, packages(report).paths())
        yield root


def asking(root: Path) -> Query:
    """query(program, *words): the lines that a program of setools prints about the policy in ``root``."""
    (policy,) = (root / "etc/selinux/default/policy").glob("policy.*")
    path = "/" + str(policy.relative_to(root))

    @functools.cache
    def ask(program: str, *words: str) -> list[str]:
        lines = run_in(root, [program, path, *words]).stdout.splitlines()
        return [line.strip() for line in lines if line.strip()]

    return ask


@pytest.fixture(scope="session")
def linked(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A root tree with the tests' site, and its policy."""
    with installed(pytestconfig) as root:
        stage(root, whole_yaml(), files())
        run_in(root, ["semodule", "-n", "-X", "400", "-i", GENERATED_POLICY])
        yield root


@pytest.fixture(scope="session")
def query(linked: Path) -> Query:
    """That policy."""
    return asking(linked)


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> Iterator[tuple[Path, Query]]:
    """The policy of the golden configuration with every key, and the root tree that it is loaded in."""
    with installed(pytestconfig) as root:
        work = root / "var/tmp"
        (work / "stub.cil").write_text(STUB)
        (work / "selsock_tenants.cil").write_bytes((GOLDEN / "selsock_tenants.cil").read_bytes())
        modules = ["-i", "/var/tmp/stub.cil", "-i", "/var/tmp/selsock_tenants.cil"]
        run_in(root, ["semodule", "-n", "-X", "400", *modules])
        yield root, asking(root)


@pytest.fixture(scope="session")
def logins(pytestconfig: pytest.Config) -> Iterator[tuple[Path, Query]]:
    """The policy of the golden configuration with logins, and the root tree that it is loaded in."""
    with installed(pytestconfig) as root:
        policy = CASES / "logins/expected/var/lib/selsock/selsock_tenants.cil"
        (root / "var/tmp/selsock_tenants.cil").write_bytes(policy.read_bytes())
        run_in(root, ["semodule", "-n", "-X", "400", "-i", "/var/tmp/selsock_tenants.cil"])
        yield root, asking(root)
