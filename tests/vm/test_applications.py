# SPDX-License-Identifier: Apache-2.0
"""The same applications under an enforcing kernel, each in a domain of its own with no more opt-ins than it needs.

A denial that is not expected fails the test that caused it (see ``conftest``).
"""

import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence

import pytest

pytest.register_assert_rewrite("tests.applications.resistance", "tests.applications.visits")

from tests.applications.browser import Browser
from tests.applications.build import FILES, GIVE, TREE, site_yaml, sites
from tests.applications.resistance import (
    commit,
    test_an_application_has_no_way_to_the_client,
    test_nothing_outlives_the_connection,
)
from tests.applications.visits import (
    found,
    test_bottle_rest,
    test_cgi_environment_is_made_from_nothing,
    test_cgi_stderr_is_in_the_journal,
    test_dav_by_cadaver,
    test_dav_locks_outlive_the_connection,
    test_django_admin_changes_a_model,
    test_django_static_is_ours,
    test_dokuwiki_edits_a_page,
    test_dokuwiki_static_and_dynamic_lie_together,
    test_flask_keeps_a_session,
    test_flask_reads_content,
    test_flask_sends_a_file,
    test_git_clones_and_pushes,
    test_perl_guest_book,
)
from tests.machines import image
from tests.machines.vm import VirtualMachine
from tests.vm.conftest import BootVm
from tests.vm.expected_avcs import OF_APPLICATIONS, missed

__all__ = [
    # Every application does here what it was made for; the rest of what is said of it natively needs no kernel.
    "test_an_application_has_no_way_to_the_client",
    "test_bottle_rest",
    "test_cgi_environment_is_made_from_nothing",
    "test_cgi_stderr_is_in_the_journal",
    "test_dav_by_cadaver",
    "test_dav_locks_outlive_the_connection",
    "test_django_admin_changes_a_model",
    "test_django_static_is_ours",
    "test_dokuwiki_edits_a_page",
    "test_dokuwiki_static_and_dynamic_lie_together",
    "test_flask_keeps_a_session",
    "test_flask_reads_content",
    "test_flask_sends_a_file",
    "test_git_clones_and_pushes",
    "test_nothing_outlives_the_connection",
    "test_perl_guest_book",
]


class ServedInVm:
    """A VirtualMachine as ``visits.Served``."""

    address = "10.0.2.2"  # QEMU's

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
    recipe = image.Recipe(site_yaml(), FILES, base=TREE, layers=(sites(),), script=GIVE)
    with boot_vm(recipe, "vm-applications") as machine:
        yield machine


@pytest.fixture
def served(vm: VirtualMachine) -> ServedInVm:
    """The machine, for the tests."""
    return ServedInVm(vm)


# What an application says of its response is the parent's to judge, in whatever domain; these are the kernel's.
@pytest.mark.provokes("descriptors that are not its own")
@pytest.mark.parametrize("flavour", ["wsgi", "cgi"])
@pytest.mark.parametrize("name", ["everywhere", "everywhere-late", "kills-parent", "raises", "dies-late"])
def test_no_misdeed_bends_a_response_in_a_domain(served: ServedInVm, flavour: str, name: str) -> None:
    """As natively."""
    commit(served, flavour, name)


def test_applications_run_in_domains_of_their_own(served: ServedInVm) -> None:
    """The shell and git say where they are: in the domain of their vhost, at its level, and no setexec is left over."""
    with Browser(served.connect, "cgi.example") as browser:
        context = found("context=(.*?)\n", browser.get("/cgi-bin/report.sh/context"))
    assert context.split(":")[:3] == ["system_u", "system_r", "selsock_scripts_t"]
    label = served.run(["stat", "-c", "%C", "/srv/vhosts/cgi/data"]).stdout.strip()
    assert context.split(":", 3)[3] == label.split(":", 3)[3]


def test_every_expected_avc_occurs(vm: VirtualMachine) -> None:
    """The list holds nothing that no longer happens."""
    assert missed(vm.avcs(about="selsock_"), OF_APPLICATIONS) == []
