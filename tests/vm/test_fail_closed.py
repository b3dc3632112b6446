# SPDX-License-Identifier: Apache-2.0
"""Claim 2, it fails closed: nothing is served, one record of the journal says why, and it works again once mended."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EFBIG, EINVAL

import pytest

from selsock.generate.cdb_writer import compose
from selsock.generate.records import table_record
from selsock.model import TABLE_FORMAT, Table
from tests.machines.vm import VirtualMachine
from tests.visitor import Answer, curl
from tests.vm.conftest import loaded
from tests.vm.judge import judged

TABLE = "/var/lib/selsock/table.cdb"
PUBLIC = "system_u:system_r:selsock_public_t:s0:c0,c1"


def check_refused(vm: VirtualMachine, status: int, event: str, reason: str, url: str = "http://alpha.example/") -> None:
    """``url`` gets ``status``, no content, and exactly one record with ``reason``."""
    mark = vm.mark()
    answer = curl(vm.http_port(80), url)
    assert answer.status == status
    assert "<p>" not in answer.content
    records = vm.journal("SYSLOG_IDENTIFIER=selsock", since=mark)
    assert [
        (record["SELSOCK_EVENT"], record["SELSOCK_STATUS"]) for record in records if "SELSOCK_STATUS" in record
    ] == [(event, str(status))]
    found = [record["SELSOCK_REASON"] for record in records if "SELSOCK_REASON" in record]
    assert len(found) == 1
    assert reason in found[0]


def served(vm: VirtualMachine) -> Answer:
    """What alpha.example answers when all is well."""
    answer = curl(vm.http_port(80), "http://alpha.example/")
    assert answer.status == 200
    assert "Welcome to alpha" in answer.content
    return answer


def test_no_rule_is_403(vm: VirtualMachine) -> None:
    """A vhost whose rules admit others, and no default_context."""
    check_refused(vm, 403, "refusal", "no rule matches", "http://closed.example/")


def test_unknown_host_is_421(vm: VirtualMachine) -> None:
    """Never "the first vhost"."""
    check_refused(vm, 421, "refusal", "no vhost answers to unknown.example", "http://unknown.example/")


@pytest.mark.provokes("the refused transition")
def test_refused_setcon_is_500(vm: VirtualMachine) -> None:
    """A type that selsock_t may not enter: the kernel's AVC names the transition."""
    mark = vm.mark()
    check_refused(vm, 500, "fault", "entering httpd_t:s0", "http://refused.example/")
    (record,) = (record for record in vm.avcs(mark, "selsock_t") if record["permissions"] == "dyntransition")
    assert record["tcontext"] == "system_u:system_r:httpd_t:s0"


def test_permissive_is_503_until_enforcing(vm: VirtualMachine) -> None:
    """setenforce 0, and back."""
    served(vm)
    vm.enforce(False)
    try:
        check_refused(vm, 503, "fault", "SELinux is permissive")
    finally:
        vm.enforce(True)
    served(vm)


REQUEST = b"GET / HTTP/1.1\r\nHost: alpha.example\r\n\r\n"


@contextmanager
def kept_and_begun(vm: VirtualMachine) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection that has been served and is kept, and one whose head lacks its last two bytes; both have instances."""
    address = ("127.0.0.1", vm.http_port(80))
    with socket.create_connection(address, 60) as kept, socket.create_connection(address, 60) as begun:
        kept.sendall(REQUEST)
        answer = b""
        while not answer.endswith(b"</p>\n"):
            answer += kept.recv(65536)
        begun.sendall(REQUEST[:-2])
        vm.ssh(
            "for i in $(seq 100); do [ $(systemctl list-units --plain --no-legend 'selsock@*' | wc -l) = 2 ] &&"
            " [ $(pgrep -cu selsock) = 2 ] && break; sleep 0.1; done; sleep 1"
        )
        yield kept, begun


def test_what_changes_while_a_connection_lives_ends_it(vm: VirtualMachine) -> None:
    """A head that was begun under enforcing gets 503 with the reason of now; a kept connection ends without a byte."""
    with kept_and_begun(vm) as (kept, begun):
        vm.enforce(False)
        try:
            mark = vm.mark()
            begun.sendall(REQUEST[-2:])
            assert begun.recv(65536).startswith(b"HTTP/1.1 503 ")
            kept.sendall(REQUEST)
            assert kept.recv(65536) == b""
            (record,) = vm.journal("SELSOCK_EVENT=fault", since=mark)
            assert record["SELSOCK_REASON"] == "SELinux is permissive, and vhost.yaml requires it"
        finally:
            vm.enforce(True)
    served(vm)


def test_a_policy_load_costs_no_request(vm: VirtualMachine) -> None:
    """The same policy again: a head that was begun is judged anew and served; a kept connection ends without a byte."""
    with kept_and_begun(vm) as (kept, begun):
        vm.ssh("load_policy")
        begun.sendall(REQUEST[-2:])
        assert begun.recv(65536).startswith(b"HTTP/1.1 200 ")
        kept.sendall(REQUEST)
        assert kept.recv(65536) == b""
    served(vm)


def test_permissive_domain_is_503(vm: VirtualMachine) -> None:
    """semanage permissive -a leaves getenforce at 1; the flag of the access vector tells.  Other domains still serve."""
    others = [PUBLIC.replace("public", "staff"), "system_u:system_r:init_t:s0"]
    assert judged(vm, "is_permissive", [PUBLIC, *others]) == [False, False, False]
    with loaded(vm, "permissive_selsock_public_t"):
        assert vm.ssh("getenforce").stdout == "Enforcing\n"
        assert judged(vm, "is_permissive", [PUBLIC, *others]) == [True, False, False]
        check_refused(vm, 503, "fault", "selsock_public_t:s0:c0,c1 is permissive")
    served(vm)


@pytest.fixture
def table(vm: VirtualMachine) -> Iterator[bytes]:
    """The bytes of the table, which is put back afterwards."""
    vm.ssh(f"cp -a {TABLE} /root/table.cdb")
    content = bytes.fromhex(vm.ssh(f"od -An -v -tx1 {TABLE}").stdout.replace(" ", "").replace("\n", ""))
    yield content
    vm.ssh(f"cp -a /root/table.cdb {TABLE}; restorecon -F {TABLE}")
    served(vm)


def replace(vm: VirtualMachine, content: bytes) -> None:
    """Put ``content`` in the table's place, by rename, as selsock-generate does."""
    hexadecimal = content.hex()
    script = "import sys; open('/var/lib/selsock/new','wb').write(bytes.fromhex(sys.stdin.read()))"
    vm.ssh(f'python3 -c "{script}"', input=hexadecimal)
    vm.ssh(f"cd /var/lib/selsock; chown root:selsock new; chmod 640 new; mv new table.cdb; restorecon -F {TABLE}")


@pytest.mark.parametrize(
    ("reason", "length"),
    [("shorter than the header", 1000), ("where its header says", 2100), ("where its header says", -1)],
)
def test_table_cut_short_is_503(vm: VirtualMachine, table: bytes, reason: str, length: int) -> None:
    """Inside the header, behind it, and by a single byte."""
    replace(vm, table[:length])
    check_refused(vm, 503, "fault", reason)


def test_table_of_another_format_is_503(vm: VirtualMachine, table: bytes) -> None:
    """A whole cdb, but not ours; and one of a later format."""
    for records, reason in (
        ([(b"alpha.example", b"/srv")], "has no record 'table'"),
        ([(b"table", b"format\t99\n")], f"of another format than {TABLE_FORMAT}"),
    ):
        replace(vm, compose(records))
        check_refused(vm, 503, "fault", reason)


def test_table_of_another_generation_is_503(vm: VirtualMachine, table: bytes) -> None:
    """Table and policy both carry a generation; the kernel is asked for the policy's."""
    from selsock.cdb import Reader

    generation = "0123456789abcdef"
    path = "/tmp/selsock-test-table.cdb"
    with open(path, "wb") as file:
        file.write(table)
    reader = Reader(path)
    settings = Table.parse(reader.get(b"table") or b"")
    alpha = reader.get(b"host alpha.example") or b""
    reader.close()
    assert settings.generation != generation
    other = Table(generation, settings.required, settings.limits)
    replace(vm, compose([(b"table", table_record(other)), (b"host alpha.example", alpha)]))
    check_refused(vm, 503, "fault", f"not of the table's generation {generation}")


def test_missing_table_is_503(vm: VirtualMachine, table: bytes) -> None:
    """And the socket stays up."""
    vm.ssh(f"rm {TABLE}")
    check_refused(vm, 503, "fault", "No such file or directory")
    assert vm.ssh("systemctl is-active selsock.socket").stdout == "active\n"


def test_missing_password_file_is_503_for_those_who_sign_in(vm: VirtualMachine) -> None:
    """Not 401: the visitor did nothing wrong; and never anonymous instead."""
    vm.ssh("mv /etc/selsock/alpha.htpasswd /root/")
    try:
        mark = vm.mark()
        answer = curl(vm.http_port(80), "http://alpha.example/", "alice:alice-reads-1")
        assert (answer.status, "<p>" in answer.content) == (503, False)
        (record,) = vm.journal("SELSOCK_EVENT=fault", since=mark)
        assert (
            record["SELSOCK_REASON"] == "/run/selsock/identify: /etc/selsock/alpha.htpasswd: No such file or directory"
        )
        served(vm)
    finally:
        vm.ssh("mv /root/alpha.htpasswd /etc/selsock/; restorecon -F /etc/selsock/alpha.htpasswd")


@pytest.mark.provokes("a process of root's own session, with its terminal")
def test_started_by_hand_it_serves_nothing(vm: VirtualMachine) -> None:
    """systemctl refuses to start an instance; run as a program, it ends with the documented status."""
    started = vm.ssh("systemctl start selsock@by-hand.service", check=False)
    assert started.returncode != 0
    assert "may be requested by dependency only" in started.stderr
    assert vm.ssh(f"/usr/libexec/selsock/serve {TABLE} </dev/null 2>/dev/null", check=False).returncode == 24


def test_libselinux_remembers_what_it_set(vm: VirtualMachine) -> None:
    """Why the handler reads /proc itself: after setcon_raw, getcon_raw repeats what was asked for, whatever is true."""
    script = """
import _selinux
user, role, domain, _ = _selinux.getcon_raw()[1].split(":", 3)
_selinux.setcon_raw(f"{user}:{role}:{domain}:s0:c1")
with open("/proc/thread-self/attr/current", "w") as attribute:
    attribute.write(f"{user}:{role}:{domain}:s0:c2")
print(_selinux.getcon_raw()[1].rsplit(":")[-1], open("/proc/thread-self/attr/current").read().rstrip(chr(0)).rsplit(":")[-1])
"""
    vm.enforce(False)  # nobody may change his own level otherwise
    try:
        assert vm.ssh(["python3", "-c", script]).stdout == "c1 c2\n"
    finally:
        vm.enforce(True)


STAFF = "system_u:system_r:selsock_staff_t:s0:c1"
# A context, whether it is valid, and whether its domain is permissive: False, or why the kernel does not say.
JUDGED: list[tuple[str, object, object]] = [
    (PUBLIC, True, False),
    (STAFF, True, False),
    ("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023", True, False),
    ("system_u:object_r:selsock_public_t:s0", True, False),
    (PUBLIC + "\0", True, None),
    (PUBLIC + " ", False, False),
    (PUBLIC + "\n", False, False),
    (PUBLIC + ",c5000", False, EINVAL),
    (PUBLIC.replace(":s0:c0,c1", ""), False, EINVAL),
    (PUBLIC.replace("s0:c0,c1", "SystemLow"), False, EINVAL),
    (PUBLIC.replace("system_u", "user_u"), False, EINVAL),
    (PUBLIC.replace("public", "absent"), False, EINVAL),
    ("system_u:object_r:selsock_generation_0123456789abcdef:s0", False, EINVAL),
    ("kernel", False, EINVAL),
    ("", False, EINVAL),
    ("\u00fc", False, EINVAL),
    ("x" * 1000, False, EINVAL),
    ("x" * 5000, EFBIG, None),
]


def test_libselinux_answers_alike(vm: VirtualMachine) -> None:
    """What the handler reads from the kernel's files itself is what libselinux's own binding makes of them.

    Not asked is what libselinux cuts (at a NUL) or refuses (a page) before the kernel sees it.
    """
    assert judged(vm, "knows", [context for context, _, _ in JUDGED]) == [known for _, known, _ in JUDGED]
    asked = [(context, permissive) for context, _, permissive in JUDGED if permissive is not None]
    assert judged(vm, "is_permissive", [context for context, _ in asked]) == [permissive for _, permissive in asked]
    assert judged(vm, "getcon") == ["unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023"]


def test_libselinux_tells_the_same_mode(vm: VirtualMachine) -> None:
    """Also the moment after it has changed, both ways."""
    assert judged(vm, "watch") == ["enforcing"]
    vm.enforce(False)
    try:
        assert judged(vm, "watch") == ["permissive"]
    finally:
        vm.enforce(True)
    assert judged(vm, "watch") == ["enforcing"]
