# SPDX-License-Identifier: Apache-2.0
"""The policy of the tests' site, linked natively into Debian's, with neverallow rules checked, for setools to ask."""

import functools
from collections.abc import Callable, Iterator

import pytest

from tests.machines.evidence import pytest_configure, pytest_runtest_makereport, reporter
from tests.machines.install import BASE_POLICY, GENERATED_POLICY, build_base_policy, install_selsock, stage
from tests.machines.trees import overlay, run_in, tree
from tests.site import files, whole_yaml

__all__ = ["Query", "pytest_configure", "pytest_runtest_makereport", "query"]

Query = Callable[..., list[str]]


@pytest.fixture(scope="session")
def query(pytestconfig: pytest.Config) -> Iterator[Query]:
    """query(program, *words): the lines that a setools program prints about the linked policy."""
    with overlay(tree("trixie", reporter(pytestconfig))) as root:
        install_selsock(root)
        build_base_policy(root)
        stage(root, whole_yaml(), files())
        # Debian leaves these checks off; Fedora has them on.
        run_in(root, ["sed", "-i", "s/^expand-check=.*/expand-check=1/", "/etc/selinux/semanage.conf"])
        run_in(root, ["grep", "-qx", "expand-check=1", "/etc/selinux/semanage.conf"])
        run_in(root, ["semodule", "-n", "-X", "200", "-i", BASE_POLICY, "-X", "400", "-i", GENERATED_POLICY])
        (policy,) = (root / "etc/selinux/default/policy").glob("policy.*")
        path = "/" + str(policy.relative_to(root))

        @functools.cache
        def ask(program: str, *words: str) -> list[str]:
            lines = run_in(root, [program, path, *words]).stdout.splitlines()
            return [line.strip() for line in lines if line.strip()]

        yield ask
