# SPDX-License-Identifier: Apache-2.0
"""Many connections leave nothing behind, and a served request makes the kernel complain about nothing."""

from tests.machines.vm import VirtualMachine
from tests.site import PASSWORDS
from tests.visitor import curl
from tests.vm.expected_avcs import is_expected


def leftovers(vm: VirtualMachine) -> dict[str, str]:
    """What must not grow: failed units, instances, descriptors of PID 1 and of journald."""
    return {
        "failed": vm.ssh("systemctl --failed --plain --no-legend").stdout,
        "instances": vm.ssh("systemctl list-units --all --plain --no-legend 'selsock@*'").stdout,
        "descriptors of PID 1": vm.ssh("ls /proc/1/fd | wc -l").stdout,
        "descriptors of journald": vm.ssh("ls /proc/$(pidof systemd-journald)/fd | wc -l").stdout,
        "cgroups": vm.ssh(
            "ls -d /sys/fs/cgroup/system.slice/system-selsock.slice/selsock@* 2>/dev/null | wc -l"
        ).stdout,
    }


def test_two_hundred_connections_leave_nothing(vm: VirtualMachine) -> None:
    """Good visits, wrong passwords, unknown hosts and rubbish, in turn."""
    curl(vm.http_port(80), "http://alpha.example/")
    settle(vm)
    before = leftovers(vm)
    mark = vm.mark()
    visits = [("alpha.example", ""), ("alpha.example", "alice:wrong"), ("unknown.example", ""), ("beta.example", "")]
    statuses = [curl(vm.http_port(80), f"http://{host}/", user).status for host, user in visits * 50]
    assert statuses == [200, 401, 421, 200] * 50
    settle(vm)
    after = leftovers(vm)
    # Both open and close some now and then; a leak would be of two hundred.
    for name in ("descriptors of PID 1", "descriptors of journald"):
        assert abs(int(after.pop(name)) - int(before.pop(name))) < 10
    assert after == before
    assert before["failed"] == before["instances"] == ""
    assert len(vm.journal("SELSOCK_EVENT=decision", since=mark)) == 100
    assert len(vm.journal("SELSOCK_EVENT=refusal", since=mark)) == 100


def settle(vm: VirtualMachine) -> None:
    """Wait until the last instance is gone."""
    vm.ssh(
        "for i in $(seq 100); do systemctl list-units --all --plain --no-legend 'selsock@*' | grep -q . || exit 0;"
        " sleep 0.1; done; exit 1"
    )


def test_a_served_request_causes_no_avc(vm: VirtualMachine) -> None:
    """With dontaudit rules off and no permissive domain, every denial of ours is listed with its reason."""
    assert vm.ssh("semanage permissive -l", timeout=300).stdout.strip() == ""
    mark = vm.mark()
    assert curl(vm.http_port(80), "http://alpha.example/").status == 200
    assert curl(vm.http_port(80), "http://alpha.example/staff/", f"alice:{PASSWORDS['alice']}").status == 200
    assert curl(vm.http_port(80), "http://alpha.example/staff/", "alice:wrong").status == 401
    assert curl(vm.http_port(80), "http://unknown.example/").status == 421
    settle(vm)
    assert [record["raw"] for record in vm.avcs(mark, "selsock_") if not is_expected(record)] == []
