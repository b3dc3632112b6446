# SPDX-License-Identifier: Apache-2.0
"""Rules, where the kernel enforces: each kind of condition and of context, by the context that the kernel says an answer is from.

The decision's record has the rule; that of the outcome has, from journald, the context of the process that served it.
"""

import socket
import subprocess

import pytest

from tests.machines.vm import Mark, VirtualMachine
from tests.site import PASSWORDS
from tests.visitor import curl

ALICE, BOB, CAROL = (f"{name}:{PASSWORDS[name]}" for name in ("alice", "bob", "carol"))
READER, WRITER = "selsock_reader_t", "selsock_writer_t"


def rule(text: str, vm: VirtualMachine) -> str:
    """``file:line`` of the rule with ``text`` in it, in the machine's configuration."""
    lines = vm.ssh("cat /etc/selsock/vhost.yaml").stdout.splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return f"vhost.yaml:{number}"


def decided(vm: VirtualMachine, mark: Mark) -> list[tuple[str, str]]:
    """The context that each decision since ``mark`` was served from, as the kernel has it, and the rule that gave it."""
    decisions = vm.journal("SELSOCK_EVENT=decision", since=mark)
    outcomes = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    found = [str(record["_SELINUX_CONTEXT"]).split(":", 2)[2] for record in outcomes]
    assert found == [record["SELSOCK_CONTEXT"] for record in decisions]
    return [(context, str(record["SELSOCK_RULE"])) for context, record in zip(found, decisions, strict=True)]


@pytest.mark.parametrize(
    ("url", "user", "options", "context", "which"),
    [
        # group and method together; the level is as far as the login of each reaches
        ("mapped.example/", CAROL, ("-X", "OPTIONS"), f"{WRITER}:s0:c100.c109", "group: editors"),
        ("mapped.example/", ALICE, ("-X", "OPTIONS"), f"{WRITER}:s0:c105", "group: editors"),
        ("mapped.example/", BOB, (), f"{WRITER}:s0:c102", "/etc/selsock/mapped.map"),
        ("mapped.example/", CAROL, (), f"{READER}:s0:c100.c109", "/etc/selsock/mapped.map"),
        ("mapped.example/", ALICE, (), f"{READER}:s0:c105", "{user: alice, context: {range: clearance}}"),
        ("mapped.example/", "", (), f"{READER}:s0:c109", "{anonymous: true, context: {range: s0:c109}}"),
        # location, vhost, top; and what each inherits
        ("mapped.example/own/", "", (), f"{WRITER}:s0:c100.c109", "/own: {contexts"),
        ("mapped.example/far/", CAROL, (), f"{READER}:s0:c200", "/far: {range: s0:c200"),
        ("unruled.example/", "", (), f"{WRITER}:s0:c110", "- {any: true, context: writer}"),
    ],
)
def test_context_is_the_one_that_the_first_rule_gives(
    vm: VirtualMachine, url: str, user: str, options: tuple[str, ...], context: str, which: str
) -> None:
    mark = vm.mark()
    answer = curl(vm.http_port(80), f"http://{url}", user, options)
    assert answer.status == (204 if options else 200), answer
    assert decided(vm, mark) == [(context, which if which.startswith("/etc") else rule(which, vm))]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mapped.example/far/", "clearance does not reach s0:c200: nothing in common ("),
        ("paired.example/", "clearance does not reach "),
    ],
)
def test_clearance_that_does_not_reach_is_refused(vm: VirtualMachine, url: str, reason: str) -> None:
    """Nothing in common with the ceiling; or with a vhost's pair, of which nobody gets a part."""
    mark = vm.mark()
    assert curl(vm.http_port(80), f"http://{url}", ALICE).status == 403
    (record,) = vm.journal("SELSOCK_EVENT=refusal", since=mark)
    assert str(record["SELSOCK_REASON"]).startswith(reason)
    assert record["_SELINUX_CONTEXT"] == "system_u:system_r:selsock_t:s0"


def test_clearance_for_the_whole_of_a_pair(vm: VirtualMachine) -> None:
    mark = vm.mark()
    assert curl(vm.http_port(80), "http://paired.example/", CAROL).status == 200
    pair = vm.ssh("grep '^paired.example ' /etc/selsock/vhost.yaml.ranges").stdout.split()[2]
    assert decided(vm, mark) == [
        (f"{READER}:{pair}", rule("- {user: [alice, carol], context: {range: clearance}}", vm))
    ]


def test_address_is_the_visitors_behind_the_proxy(vm: VirtualMachine) -> None:
    """By the PROXY protocol; from elsewhere the next rules are asked."""
    found = []
    for address in ("198.51.100.7", "203.0.113.7"):
        mark = vm.mark()
        with socket.create_connection(("127.0.0.1", vm.http_port(443)), timeout=60) as connection:
            header = f"PROXY TCP4 {address} 192.0.2.1 51234 443\r\n"
            connection.sendall(f"{header}GET / HTTP/1.1\r\nHost: mapped.example\r\nConnection: close\r\n\r\n".encode())
            with connection.makefile("rb") as answer:
                assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
                answer.read()
        found += [context for context, _ in decided(vm, mark)]
    assert found == [f"{READER}:s0:c101", f"{READER}:s0:c109"]


def test_method_changes_the_context_on_a_kept_connection(vm: VirtualMachine) -> None:
    """The visitor sees nothing of it: the connection ends without an answer, and curl asks again on another."""
    port, mark = vm.http_port(80), vm.mark()
    command = ["curl"]
    for place, method in enumerate(("GET", "GET", "OPTIONS", "GET")):
        command += ["--next"] * bool(place) + ["--silent", "--show-error", "--max-time", "60", "--user", CAROL]
        command += ["--connect-to", f"::127.0.0.1:{port}", "--output", "/dev/null", "--request", method]
        command += ["--write-out", "%{http_code} %{num_connects}\n", "http://mapped.example/"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["200 1", "200 0", "204 1", "200 1"]
    outcomes = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    contexts = [str(record["_SELINUX_CONTEXT"]).split(":", 2)[2] for record in outcomes]
    assert contexts == [f"{domain}:s0:c100.c109" for domain in (READER, READER, WRITER, READER)]
