# SPDX-License-Identifier: Apache-2.0
"""The virtual machine itself: what the other tests of this tier take for granted."""

import socket

from tests.machines.vm import VirtualMachine


def test_selinux_enforces_with_categories(vm: VirtualMachine) -> None:
    """The kernel enforces the default policy with MLS on, and every file of importance is labelled."""
    assert vm.ssh("getenforce").stdout == "Enforcing\n"
    assert vm.ssh("cat /sys/fs/selinux/mls").stdout == "1"
    labels = vm.ssh("stat -c %C / /etc /etc/shadow /usr/sbin/sshd").stdout.split()
    assert [label.split(":")[2] for label in labels] == ["root_t", "etc_t", "shadow_t", "sshd_exec_t"]


def test_processes_have_the_domains_of_the_policy(vm: VirtualMachine) -> None:
    """systemd entered its domain, so the policy was loaded at boot; root's session is unconfined."""
    assert vm.ssh("cat /proc/1/attr/current").stdout.startswith("system_u:system_r:init_t:s0")
    assert vm.ssh("id -Z").stdout.startswith("unconfined_u:unconfined_r:unconfined_t:")


def test_a_denial_is_seen_with_its_reason(vm: VirtualMachine) -> None:
    """A transition that the policy does not allow fails, and is among the records since the mark, once."""
    mark = vm.mark()
    assert vm.ssh("runcon system_u:system_r:sshd_t:s0 true", check=False).returncode == 126
    (record,) = [
        record for record in vm.avcs(mark) if record["comm"] == "runcon" and record["permissions"] == "transition"
    ][:1]
    assert (record["type"], record["verdict"], record["tclass"]) == ("AVC", "denied", "process")
    assert record["tcontext"] == "system_u:system_r:sshd_t:s0"
    assert record["permissive"] == "0"
    assert record["exe"] == "/usr/bin/runcon"


def test_no_denial_is_seen_twice(vm: VirtualMachine) -> None:
    """What happened before a mark is not among the records after it."""
    vm.ssh("runcon system_u:system_r:sshd_t:s0 true", check=False)
    mark = vm.mark()
    assert [record for record in vm.avcs(mark) if record["comm"] == "runcon"] == []


def test_dontaudit_rules_are_off(vm: VirtualMachine) -> None:
    """A denial that Debian's policy normally hides is seen: siginh, at every transition of domain."""
    mark = vm.mark()
    vm.ssh("true")
    assert any(record["permissions"] == "siginh" for record in vm.avcs(mark))


def test_permissive_mode_allows_and_still_tells(vm: VirtualMachine) -> None:
    """enforce(False) lets the same command through, and its record says so."""
    vm.enforce(False)
    try:
        mark = vm.mark()
        vm.ssh("runcon system_u:system_r:sshd_t:s0 true", check=False)
        records = [record for record in vm.avcs(mark, about="sshd_t") if record["comm"] == "runcon"]
        assert records and {record["permissive"] for record in records} == {"1"}
    finally:
        vm.enforce(True)
    assert vm.ssh("getenforce").stdout == "Enforcing\n"


def test_auditd_loses_nothing(vm: VirtualMachine) -> None:
    """The kernel has no rate limit and has lost no record so far."""
    status = dict(line.split(maxsplit=1) for line in vm.ssh("auditctl -s").stdout.splitlines())
    assert (status["enabled"], status["rate_limit"], status["lost"]) == ("1", "0", "0")


def test_put_writes_any_bytes_and_labels_them(vm: VirtualMachine) -> None:
    """Content arrives unchanged, with the label that the policy gives to the path."""
    vm.put("/etc/selsock-test/key", bytes(range(256)), 0o600)
    assert vm.ssh("stat -c '%a %C' /etc/selsock-test/key").stdout == "600 system_u:object_r:etc_t:s0\n"
    assert vm.ssh("od -An -v -tx1 /etc/selsock-test/key").stdout.split() == [f"{byte:02x}" for byte in range(256)]
    vm.ssh("rm -r /etc/selsock-test")


def test_the_journal_is_read_since_a_mark(vm: VirtualMachine) -> None:
    """A match finds what was logged after the mark alone."""
    vm.ssh("logger -t harness before")
    mark = vm.mark()
    vm.ssh("logger -t harness after")
    assert [entry["MESSAGE"] for entry in vm.journal("SYSLOG_IDENTIFIER=harness", since=mark)] == ["after"]


def test_a_port_of_the_guest_is_reached(vm: VirtualMachine) -> None:
    """http_port() leads to the guest: a port where nobody listens closes at once, without a byte."""
    with socket.create_connection(("127.0.0.1", vm.http_port(8008)), 10) as connection:
        assert connection.recv(1) == b""
