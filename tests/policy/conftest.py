# SPDX-License-Identifier: Apache-2.0
"""The policy of the tests' site, linked natively into Debian's, with neverallow rules checked, for setools to ask."""

import functools
from collections.abc import Callable, Iterator

import pytest

from tests.machines.evidence import pytest_configure, pytest_runtest_makereport, reporter
from tests.machines.install import GENERATED_POLICY, stage
from tests.machines.packages import install, packages
from tests.machines.trees import overlay, run_in, tree
from tests.site import files, whole_yaml

__all__ = ["Query", "pytest_configure", "pytest_runtest_makereport", "query"]

Query = Callable[..., list[str]]


@pytest.fixture(scope="session")
def query(pytestconfig: pytest.Config) -> Iterator[Query]:
    """query(program, *words): the lines that a setools program prints about the linked policy."""
    report = reporter(pytestconfig)
    with overlay(tree("trixie", report)) as root:
        # Debian leaves these checks off; Fedora has them on.
        run_in(root, ["sed", "-i", "s/^expand-check=.*/expand-check=1/", "/etc/selinux/semanage.conf"])
        run_in(root, ["grep", "-qx", "expand-check=1", "/etc/selinux/semanage.conf"])
        install(root, packages(report).paths())
        stage(root, whole_yaml(), files())
        run_in(root, ["semodule", "-n", "-X", "400", "-i", GENERATED_POLICY])
        (policy,) = (root / "etc/selinux/default/policy").glob("policy.*")
        path = "/" + str(policy.relative_to(root))

        @functools.cache
        def ask(program: str, *words: str) -> list[str]:
            lines = run_in(root, [program, path, *words]).stdout.splitlines()
            return [line.strip() for line in lines if line.strip()]

        yield ask
