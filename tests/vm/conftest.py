# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the vm tier: one machine for all tests, since it takes half a minute to boot where there is no KVM.

Its content is tests/site. A test that has to change the machine changes it back.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.machines import image
from tests.machines.evidence import pytest_configure, pytest_runtest_makereport, reporter
from tests.machines.vm import VirtualMachine
from tests.site import (
    LOGINS,
    PROBE_POLICY,
    PROBE_START,
    PROXY_POLICY,
    SPEAKING_POLICY,
    files,
    machine_yaml,
    probe_files,
)
from tests.vm.expected_avcs import is_expected

__all__ = [
    "BootVm",
    "boot_vm",
    "loaded",
    "no_unexpected_avc",
    "pytest_configure",
    "pytest_runtest_makereport",
    "site",
    "vm",
]

BootVm = Callable[..., AbstractContextManager[VirtualMachine]]
PORTS = (80, 443, 8008, 8080, 8443)
# Modules that tests add to the policy for a while.  They were linked when the image was made: the emulated machine needs
# forty seconds for that, and one for loading.
VARIANTS = {
    # What semanage permissive -a selsock_public_t installs.
    "permissive_selsock_public_t": "(typepermissive selsock_public_t)\n",
    # Holes: one tenant reads what another's visitors have at a level that it dominates, and asks for processes of a third,
    # which categories do not keep it from.
    "tests_holes": """
(allow selsock_code_t selsock_reader_content_t (dir (getattr open read search)))
(allow selsock_code_t selsock_reader_content_t (file (getattr open read)))
(allow selsock_code_t selsock_public_t (process (signull)))
""",
    # A constraint takes away what the generated policy allows, as an administrator's own policy might.
    "tests_barred": "(mlsconstrain (process2 (nnp_transition)) (neq t2 selsock_tools_t))\n",
}


@pytest.fixture(scope="session")
def site() -> image.Recipe:
    """What is in the machine `vm`: selsock with the site of the tests on port 80, and the probe on port 8080."""
    return image.Recipe(
        machine_yaml(),
        {**files(), **probe_files()},
        {
            "selsock_probe": PROBE_POLICY,
            "tests_logins": LOGINS,
            "tests_proxies": PROXY_POLICY,
            "tests_speaking": SPEAKING_POLICY,
        },
        VARIANTS,
    )


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
        machine.ssh(PROBE_START)
        yield machine


@contextmanager
def loaded(machine: VirtualMachine, variant: str) -> Iterator[None]:
    """Within the block the kernel has the policy with one of ``VARIANTS``; the policy store is as it was."""
    kept = "/root/policy"
    machine.ssh(
        f"cat {image.POLICY}/policy.* >{kept} && cat {image.VARIANTS}/{variant} >{image.POLICY}/policy.* && load_policy"
    )
    try:
        yield
    finally:
        machine.ssh(f"cat {kept} >{image.POLICY}/policy.* && load_policy")


@pytest.fixture(autouse=True)
def no_unexpected_avc(request: pytest.FixtureRequest) -> Iterator[None]:
    """A denial that names a type of ours fails the test that caused it, unless it is marked ``provokes``, or listed."""
    if "vm" not in request.fixturenames or request.node.get_closest_marker("provokes"):
        yield
        return
    machine: VirtualMachine = request.getfixturevalue("vm")
    mark = machine.mark()
    yield
    assert [record["raw"] for record in machine.avcs(mark, "selsock_") if not is_expected(record)] == []
