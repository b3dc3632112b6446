# SPDX-License-Identifier: Apache-2.0
"""selsockctl doctor where the kernel enforces: on a machine that is well, and with one thing broken, and mended again.

What depends on the size of the machine (limits), on what other tests were denied before (denials), and on what the site says
on purpose that is doubtful (configuration), is left out.
"""

import json

import pytest

from tests.machines.vm import VirtualMachine
from tests.visitor import curl
from tests.vm.conftest import loaded

Said = dict[str, str]
ELSEWHERE = ("limits", "denials", "configuration")


def examined(vm: VirtualMachine) -> list[Said]:
    """All that doctor says."""
    found: list[Said] = json.loads(vm.ssh("selsockctl doctor --json", check=False).stdout)
    return found


def wrong(vm: VirtualMachine) -> list[Said]:
    """What is not well."""
    return [said for said in examined(vm) if said["severity"] != "ok" and said["check"] not in ELSEWHERE]


@pytest.fixture(scope="module", autouse=True)
def applied(vm: VirtualMachine) -> None:
    """As an administrator would; the machine was staged."""
    vm.ssh("selsock-generate /etc/selsock/vhost.yaml")


def test_a_machine_that_is_well(vm: VirtualMachine) -> None:
    """And nothing was left out."""
    found = examined(vm)
    assert [said for said in found if said["severity"] != "ok" and said["check"] not in ELSEWHERE] == []
    looked = {said["check"] for said in found if said["severity"] == "ok"}
    assert looked >= {"mode", "policy", "store", "permissive", "labels", "socket", "files", "units", "temporary"}


def test_a_domain_that_is_permissive(vm: VirtualMachine) -> None:
    """Its visitors are answered with 503, which the same flag of the kernel decides."""
    with loaded(vm, "permissive_selsock_public_t"):
        assert curl(vm.http_port(80), "http://alpha.example/").status == 503
        assert wrong(vm) == [
            {
                "check": "permissive",
                "severity": "error",
                "what": "the domain selsock_public_t is permissive: "
                "nothing confines it, and its visitors are answered with 503",
                "mend": "semanage permissive -d selsock_public_t",
            }
        ]
    assert wrong(vm) == []


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/srv/vhosts/lodger", "etc_t", "selsock_code_content_t"),
        ("/usr/libexec/selsock/identify", "bin_t", "selsock_identify_exec_t"),
    ],
)
def test_a_label_that_was_changed(vm: VirtualMachine, path: str, name: str, expected: str) -> None:
    """A root, and a program; the command that is told puts it right."""
    vm.ssh(f"chcon -t {name} {path}")
    (said,) = wrong(vm)
    assert (said["check"], said["severity"], said["mend"]) == ("labels", "error", f"restorecon -RF {path}")
    assert said["what"].startswith(f"{path} is labelled {name}:")
    assert f", not {expected}:s0" in said["what"]
    vm.ssh(said["mend"])
    assert wrong(vm) == []


def test_a_file_that_was_moved_in(vm: VirtualMachine) -> None:
    """It has kept the label of where it was made."""
    vm.ssh("touch /var/tmp/moved && mv /var/tmp/moved /srv/vhosts/lodger/htdocs/0")
    vm.ssh("mv /srv/vhosts/lodger/htdocs/0 /srv/vhosts/lodger/0")
    (said,) = wrong(vm)
    assert (said["check"], said["severity"]) == ("labels", "warning")
    assert said["what"].startswith("1 entry of /srv/vhosts/lodger of those looked at lack its label, such as ")
    vm.ssh("rm /srv/vhosts/lodger/0")


def test_a_kernel_that_does_not_enforce(vm: VirtualMachine) -> None:
    vm.enforce(False)
    try:
        found = wrong(vm)
    finally:
        vm.enforce(True)
    assert found == [
        {
            "check": "mode",
            "severity": "error",
            "what": "SELinux is permissive: every request is answered with 503",
            "mend": "setenforce 1",
        }
    ]


def test_a_module_that_is_gone_from_the_store(vm: VirtualMachine) -> None:
    """The kernel still has it."""
    modules = "/var/lib/selinux/default/active/modules/400"
    vm.ssh(f"mv {modules}/selsock_tenants /root")
    try:
        (said,) = wrong(vm)
    finally:
        vm.ssh(f"mv /root/selsock_tenants {modules}")
    assert (said["check"], said["severity"]) == ("store", "warning")


@pytest.mark.provokes("a denial is what the test looks for")
def test_a_denial_is_told_in_words(vm: VirtualMachine) -> None:
    answer = curl(vm.http_port(80), "http://code.example/app?list=/srv/vhosts/alpha")
    assert json.loads(answer.content) == {"error": "EACCES"}
    for _ in range(20):  # auditd writes when it comes to it
        (said,) = [said for said in examined(vm) if said["check"] == "denials"]
        if said["severity"] == "warning":
            break
    assert said["what"].endswith(": selsock_code_t was denied read of dir on selsock_public_content_t")
