# SPDX-License-Identifier: Apache-2.0
"""The service that knows who a visitor is, where SELinux enforces: the handler asks it, and nobody else touches it."""

import pytest

from tests.machines.vm import VirtualMachine
from tests.site import PASSWORDS
from tests.visitor import curl
from tests.vm.test_confinement import ALICE, Probe, level_of, probe, type_of
from tests.vm.test_pam import denied

__all__ = ["probe"]

SOCKET = "/run/selsock/identify"


@pytest.fixture
def service(vm: VirtualMachine) -> int:
    """The pid of the service, which somebody has asked by now."""
    assert curl(vm.http_port(80), "http://alpha.example/staff/", ALICE).status == 200
    return int(vm.ssh("systemctl show --property=MainPID --value selsock-identify.service").stdout)


def test_it_runs_in_its_domain(vm: VirtualMachine, service: int) -> None:
    """Without categories, a capability, or a way to get one."""
    context = vm.ssh(f"cat /proc/{service}/attr/current").stdout.rstrip("\0\n")
    assert (type_of(context), level_of(context)) == ("selsock_identify_t", "s0")
    words = vm.ssh(f"cat /proc/{service}/status").stdout
    assert "CapEff:\t0000000000000000" in words
    assert "NoNewPrivs:\t1" in words
    assert "selsock_identify_runtime_t" in vm.ssh(f"ls -Z {SOCKET}").stdout


@pytest.mark.provokes("a tenant tries to ask")
def test_a_tenant_may_not_ask(vm: VirtualMachine, probe: Probe) -> None:
    """Though the socket's mode lets its user in."""
    mark = vm.mark()
    assert probe("alpha.example", f"ask={SOCKET}") == {"error": "EACCES"}
    assert denied(vm, mark, "selsock_public_t") == {("selsock_runtime_t", "dir", "search")}


@pytest.mark.provokes("a tenant tries")
@pytest.mark.parametrize(
    ("attempt", "denial"),
    [
        ("kill={}:9", ("process", "sigkill")),
        ("kill={}:0", ("process", "signull")),
        ("open=/proc/{}/environ", ("dir", "search")),
        ("open=/proc/{}/mem", ("dir", "search")),
    ],
)
def test_a_tenant_does_not_touch_it(
    vm: VirtualMachine, probe: Probe, service: int, attempt: str, denial: tuple[str, str]
) -> None:
    """Neither ended, nor looked into; another user's, besides."""
    mark = vm.mark()
    assert probe("alpha.example", attempt.format(service))["error"] in ("EACCES", "EPERM")
    found = {record[1:] for record in denied(vm, mark, "selsock_public_t") if record[0] == "selsock_identify_t"}
    assert found == {denial} or (not found and attempt.startswith("kill"))  # the uid is looked at first
    assert vm.ssh(f"cat /proc/{service}/comm").stdout == "identify\n"


@pytest.mark.provokes("the handler's domain tries to read hashes")
def test_the_handlers_domain_reads_no_hash(vm: VirtualMachine) -> None:
    """A broken parser of ours finds none, whatever the mode says."""
    vm.ssh("chmod o+r /etc/selsock/alpha.htpasswd; chmod o+x /etc/selsock")
    script = "open('/proc/self/attr/current','w').write('system_u:system_r:selsock_t:s0'); open('/etc/selsock/alpha.htpasswd')"
    mark = vm.mark()
    done = vm.ssh(f'python3 -c "{script}"', check=False)
    assert "PermissionError: [Errno 13]" in done.stderr
    assert "selsock_passwd_t" in {record[0] for record in denied(vm, mark, "selsock_t")}


def test_without_it_nobody_signs_in(vm: VirtualMachine) -> None:
    """503 for alice, with the reason; whoever does not sign in is served."""
    vm.ssh("systemctl stop selsock-identify.socket selsock-identify.service")
    try:
        cursor = vm.ssh("journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p'").stdout.strip()
        assert curl(vm.http_port(80), "http://alpha.example/staff/", ALICE).status == 503
        assert curl(vm.http_port(80), "http://alpha.example/").status == 200
        said = vm.ssh(
            f"journalctl --after-cursor='{cursor}' SELSOCK_EVENT=fault -o cat --output-fields=SELSOCK_REASON"
        ).stdout
        assert f"{SOCKET}: [Errno 2] No such file or directory\n" == said
    finally:
        vm.ssh("systemctl start selsock-identify.socket")
    assert curl(vm.http_port(80), "http://alpha.example/staff/", f"alice:{PASSWORDS['alice']}").status == 200
