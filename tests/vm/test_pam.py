# SPDX-License-Identifier: Apache-2.0
"""PAM where SELinux enforces: who may ask, that the answers are pam_unix's own, and what the process can not do."""

import json
import shlex

import pytest

from tests.machines.audit import Record
from tests.machines.vm import Mark, VirtualMachine
from tests.visitor import curl
from tests.vm.expected_avcs import OF_PAM, missed

SOCKET = "/run/selsock/pam"
PASSWORD = "dives at noon"
# Of each user: what he is in, and what happened to his account.
USERS = {
    "diver": ("divers", []),
    "swimmer": ("", []),
    "walker": ("", []),
    "gone": ("divers", ["chage", "--expiredate", "0"]),
    "stale": ("divers", ["chage", "--lastday", "0"]),
}
# As USER ("0": root), enters a domain, asks each question over a connection of its own, and shows the answers as JSON.
ASK = """
import json, os, pwd, socket, sys
path, user, domain, *questions = sys.argv[1:]
"".encode("latin-1")  # what is loaded from now on would be loaded in the domain
if user != "0":
    account = pwd.getpwnam(user)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
with open("/proc/self/attr/current", "r+") as file:
    role = file.read().split(":")[:2]
    file.seek(0)
    file.write(":".join([*role, domain]))
answers = []
for question in questions:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(path)
        connection.sendall(question.replace("+", "\\0").encode())
        answers.append(connection.recv(65536).decode())
    except OSError as error:
        answers.append(error.strerror)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module", autouse=True)
def users(vm: VirtualMachine) -> None:
    """Real users of the machine, by its own programs."""
    vm.ssh("groupadd divers")
    for user, (group, change) in USERS.items():
        vm.ssh(f"useradd --groups '{group}' {user} && chpasswd", input=f"{user}:{PASSWORD}\n")
        if change:
            vm.ssh(shlex.join([*change, user]))


def ask(
    vm: VirtualMachine, *questions: str, domain: str = "selsock_identify_t", user: str = "selsock-identify"
) -> list[str]:
    """What a process of ``user`` in ``domain`` is answered."""
    words = ["python3", "-c", ASK, SOCKET, user, f"{domain}:s0", *questions]
    answers: list[str] = json.loads(vm.ssh(shlex.join(words)).stdout)
    return answers


def type_of(context: str) -> str:
    return context.split(":")[2]


@pytest.mark.parametrize(
    ("user", "context"),
    [("diver", "selsock_writer_t:s0:c121"), ("swimmer", "selsock_reader_t:s0:c120")],
    ids=["by his group", "by his name"],
)
def test_signing_in(vm: VirtualMachine, user: str, context: str) -> None:
    """A user of the machine is served in the context that a rule has for his group, or for him; nothing is denied."""
    mark = vm.mark()
    answer = curl(vm.http_port(80), "http://guarded.example/", f"{user}:{PASSWORD}")
    assert (answer.status, "Guarded" in answer.content) == (200, True)
    (outcome,) = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    assert str(outcome["_SELINUX_CONTEXT"]).split(":", 2)[2] == context


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        ("", 401),
        ("diver:wrong", 401),
        ("diver:", 401),
        ("nobody-here:wrong", 401),
        (f"gone:{PASSWORD}", 401),
        (f"stale:{PASSWORD}", 401),
        (f"root:{PASSWORD}", 401),
        (f"walker:{PASSWORD}", 403),
    ],
)
def test_not_signing_in(vm: VirtualMachine, credentials: str, status: int) -> None:
    """401 for whom PAM refuses; 403 for one whom it takes and no rule has."""
    assert curl(vm.http_port(80), "http://guarded.example/", credentials).status == status


def test_without_the_service_nobody_can_tell(vm: VirtualMachine) -> None:
    """503, whatever the password, and the reason in the journal; and it is well again when the service is."""
    url = "http://guarded.example/"
    vm.ssh("systemctl mask --runtime --now selsock-pam.socket")
    try:
        mark = vm.mark()
        assert [curl(vm.http_port(80), url, f"diver:{word}").status for word in (PASSWORD, "wrong")] == [503, 503]
        reasons = [str(record["MESSAGE"]) for record in vm.journal("--unit=selsock@*", since=mark)]
    finally:
        vm.ssh("systemctl unmask --runtime selsock-pam.socket && systemctl start selsock-pam.socket")
    assert [reason for reason in reasons if SOCKET in reason] != []
    assert curl(vm.http_port(80), url, f"diver:{PASSWORD}").status == 200


def test_the_socket_is_labelled(vm: VirtualMachine) -> None:
    """Its node has a type of its own; what listens there is selsock_pam_t's."""
    found = vm.ssh(f"stat -c '%C %a %U' {SOCKET}").stdout
    assert found == "system_u:object_r:selsock_pam_runtime_t:s0 600 selsock-identify\n"


def test_pam_unix_answers(vm: VirtualMachine) -> None:
    """Under MemoryDenyWriteExecute= and without execmem; unix_chkpwd is reached in its own domain, and nothing is denied."""
    questions = [f"diver+{PASSWORD}", "diver+wrong", f"gone+{PASSWORD}", f"stale+{PASSWORD}", "nobody-here+x"]
    assert ask(vm, *questions) == [
        "granted diver\ngroup diver\ngroup divers\n",
        "refused wrong password\n",
        "refused the account may not be used\n",
        "refused the password has to be changed first\n",
        "refused unknown user\n",
    ]


def test_shadow_that_nobody_may_read(vm: VirtualMachine) -> None:
    """As Fedora has it: the helper reads it by a capability, which it has in its own domain alone."""
    vm.ssh("chmod 0 /etc/shadow")
    try:
        assert ask(vm, f"diver+{PASSWORD}") == ["granted diver\ngroup diver\ngroup divers\n"]
    finally:
        vm.ssh("chmod 640 /etc/shadow")


def test_the_audit_log_has_who_signed_in(vm: VirtualMachine) -> None:
    """As for every other service that asks PAM."""
    vm.ssh("auditctl -m before-the-question")
    ask(vm, f"diver+{PASSWORD}", "diver+wrong")
    log = vm.ssh("cat /var/log/audit/audit.log").stdout.rpartition("before-the-question")[2]
    records = [line for line in log.splitlines() if line.startswith("type=USER_AUTH ")]
    assert ['acct="diver"' in line and "selsock_pam_t" in line for line in records] == [True, True]
    assert [line.rstrip("'").rpartition("res=")[2][:6] for line in records] == ["succes", "failed"]


def denied(vm: VirtualMachine, mark: Mark, source: str) -> set[tuple[str, str, str]]:
    """Target type, class and permissions of each denial of ``source`` that was enforced."""
    records: list[Record] = vm.avcs(mark, source)
    return {
        (type_of(record["tcontext"]), record["tclass"], record["permissions"])
        for record in records
        if type_of(record["scontext"]) == source and record["permissive"] == "0"
    }


@pytest.mark.provokes("others try to ask")
@pytest.mark.parametrize("domain", ["selsock_t", "tests_other_t"])
def test_nobody_else_may_ask(vm: VirtualMachine, domain: str) -> None:
    """Not even who serves visitors, and one who may connect to its listener; modes that let everybody in change nothing."""
    vm.ssh(f"chmod 0666 {SOCKET}")
    try:
        assert ask(vm, f"diver+{PASSWORD}") == ["granted diver\ngroup diver\ngroup divers\n"]
        mark = vm.mark()
        assert ask(vm, f"diver+{PASSWORD}", domain=domain, user="0") == ["Permission denied"]
        (found,) = denied(vm, mark, domain)
    finally:
        vm.ssh(f"chmod 0600 {SOCKET}")
    assert found in {("selsock_runtime_t", "dir", "search"), ("selsock_pam_runtime_t", "sock_file", "write")}


@pytest.mark.provokes("a tenant tries to ask")
def test_a_tenant_may_not_ask(vm: VirtualMachine) -> None:
    """Its code finds not even the way there."""
    vm.ssh(f"chmod 0666 {SOCKET}")
    try:
        mark = vm.mark()
        answer = curl(vm.http_port(8080), f"http://alpha.example/?ask={SOCKET}")
    finally:
        vm.ssh(f"chmod 0600 {SOCKET}")
    assert json.loads(answer.content) == {"error": "EACCES"}
    assert denied(vm, mark, "selsock_public_t") == {("selsock_runtime_t", "dir", "search")}


def test_every_expected_avc_occurs(vm: VirtualMachine) -> None:
    """The list holds nothing that no longer happens."""
    ask(vm, f"diver+{PASSWORD}")
    assert missed(vm.avcs(about="selsock_"), OF_PAM) == []
