# SPDX-License-Identifier: Apache-2.0
"""The service that asks PAM, under its own unit, with a real pam_unix and users made by the system's own programs."""

import json
from collections.abc import Iterator

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot

VHOST_YAML = """selinux: optional
listen: [80]
domains: {public: {}}
vhosts:
  a.example:
    root: /srv/vhosts/a
    domain: public
    range: s0
    auth: {basic: {realm: A, pam: true}}
    contexts: [{group: divers}]
"""
SOCKET = "/run/selsock/pam"
PASSWORD = "swims at dawn, 6°"
# Each asks the questions that come as JSON, over a connection for each, and shows the answers.
ASK = """
import json, socket, sys
answers = []
for question in json.load(sys.stdin):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(30)
        try:
            connection.connect(sys.argv[1])
            connection.sendall(question.encode("latin-1"))
            answers.append(connection.recv(65536).decode())
        except OSError as error:
            answers.append(error.strerror)
json.dump(answers, sys.stdout)
"""
# Of each user: how the password is hashed, and what happens to the account then.
USERS = {
    "yes": ("YESCRYPT", []),
    "sha": ("SHA512", []),
    "nologin": ("YESCRYPT", ["usermod", "--shell", "/usr/sbin/nologin"]),
    "gone": ("YESCRYPT", ["chage", "--expiredate", "0"]),
    "stale": ("YESCRYPT", ["chage", "--lastday", "0"]),
    "locked": ("YESCRYPT", ["usermod", "--lock"]),
    "blank": ("YESCRYPT", ["passwd", "--quiet", "--delete"]),
    "toor": ("YESCRYPT", ["usermod", "--non-unique", "--uid", "0"]),
    "root": ("YESCRYPT", []),
}


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    with boot(VHOST_YAML, {"/srv/vhosts/a/index.html": (b"hello", 0o644)}) as machine:
        machine.run(["groupadd", "divers"])
        machine.run(["useradd", "walker"])
        machine.run(["chpasswd"], input=f"walker:{PASSWORD}\n")
        for user, (method, change) in USERS.items():
            if user != "root":
                machine.run(["useradd", "--groups", "divers", user])
            machine.run(["chpasswd", "--crypt-method", method], input=f"{user}:{PASSWORD}\n")
            if change:
                machine.run([*change, user])
        yield machine


def ask(machine: NativeMachine, *questions: bytes, user: str = "selsock-identify") -> list[str]:
    """What is answered to each question of a process that runs as ``user``."""
    words = ["setpriv", f"--reuid={user}", "--clear-groups", "python3", "-c", ASK, SOCKET]
    asked = json.dumps([question.decode("latin-1") for question in questions])
    answers: list[str] = json.loads(machine.run(words, input=asked).stdout)
    return answers


def question(user: str, password: str = PASSWORD) -> bytes:
    return f"{user}\0{password}".encode()


@pytest.mark.parametrize("user", ["yes", "sha", "nologin"])
def test_a_user_with_his_password(machine: NativeMachine, user: str) -> None:
    """Whatever the hash; the shell is for those who log in.  His groups are those of the machine."""
    assert ask(machine, question(user)) == [f"granted {user}\ngroup divers\ngroup {user}\n"]


@pytest.mark.parametrize(
    ("user", "password", "reason"),
    [
        ("yes", "swims at noon", "wrong password"),
        ("sha", "swims at noon", "wrong password"),
        ("yes", PASSWORD + " ", "wrong password"),
        ("nobody-here", PASSWORD, "unknown user"),
        ("YES", PASSWORD, "unknown user"),
        ("../yes", PASSWORD, "unknown user"),
        ("gone", PASSWORD, "the account may not be used"),
        ("gone", "swims at noon", "wrong password"),
        ("stale", PASSWORD, "the password has to be changed first"),
        ("locked", PASSWORD, "wrong password"),
        ("locked", "!", "wrong password"),
        ("blank", PASSWORD, "wrong password"),
        ("blank", "", "an empty password"),
        ("root", PASSWORD, "root"),
        ("toor", PASSWORD, "root"),
        ("daemon", "*", "wrong password"),
    ],
)
def test_who_may_not_come_in(machine: NativeMachine, user: str, password: str, reason: str) -> None:
    """Refused, each for what it is; the reason goes to the journal, and the visitor sees none."""
    assert ask(machine, question(user, password)) == [f"refused {reason}\n"]


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"yes", "unable a question that is none\n"),
        (b"\0" + PASSWORD.encode(), "refused a name that no user has\n"),
        (b"y\xffes\0x", "refused a name that no user has\n"),
        (b"a:b\0x", "refused a name that no user has\n"),
        (question("yes") + b"\0", "refused a password of more than one line, or of more than 510 bytes\n"),
        (question("yes", "x" * 511), "refused a password of more than one line, or of more than 510 bytes\n"),
        (question("yes", "x" * 510), "refused wrong password\n"),
        (question("yes", f"{PASSWORD}\n"), "refused a password of more than one line, or of more than 510 bytes\n"),
    ],
)
def test_questions_that_are_none(machine: NativeMachine, data: bytes, answer: str) -> None:
    """Nothing is asked of PAM that it, or C, could read otherwise than we do."""
    assert ask(machine, data) == [answer]


@pytest.mark.parametrize("user", ["selsock", "nobody", "yes"])
def test_nobody_else_may_ask(machine: NativeMachine, user: str) -> None:
    """Neither those who serve visitors, nor the user himself."""
    assert ask(machine, question("yes"), user=user) == ["Permission denied"]


def test_no_delay_of_a_module_is_waited_for(machine: NativeMachine) -> None:
    """pam_faildelay asks for a minute after each "no"; who asks here would have given up after 30 s."""
    machine.run(["sed", "-i", "/^auth/i auth optional pam_faildelay.so delay=60000000", "/etc/pam.d/selsock"])
    try:
        assert ask(machine, question("yes", "no")) == ["refused wrong password\n"]
    finally:
        machine.run(["sed", "-i", "/pam_faildelay/d", "/etc/pam.d/selsock"])


def service(machine: NativeMachine, text: str) -> None:
    """Write the PAM service; the one that is shipped stays beside it."""
    machine.run(["cp", "--no-clobber", "/etc/pam.d/selsock", "/root/selsock.pam"])
    machine.run(["dd", "status=none", "of=/etc/pam.d/selsock"], input=text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("auth required pam_permit.so\naccount required pam_permit.so\n", "takes users without asking for a password"),
        ("auth required pam_missing.so\naccount required pam_permit.so\n", "pam_authenticate: Module is unknown"),
        ("auth required pam_unix.so\naccount required pam_missing.so\n", "pam_acct_mgmt: Module is unknown"),
        ("auth required pam_echo.so\nauth requisite pam_unix.so try_first_pass foo\n@include missing\n", "pam_start: "),
    ],
)
def test_a_service_that_cannot_tell(machine: NativeMachine, text: str, reason: str) -> None:
    """Neither yes nor no: the visitor gets 503, and the administrator reads why."""
    service(machine, text)
    try:
        (answer,) = ask(machine, question("yes"))
        assert answer.startswith("unable ")
        assert reason in answer
    finally:
        machine.run(["cp", "/root/selsock.pam", "/etc/pam.d/selsock"])


def test_without_its_pam_service_nobody_comes_in(machine: NativeMachine) -> None:
    """Debian's "other" would take every user of the system."""
    machine.run(["mv", "/etc/pam.d/selsock", "/root/selsock.pam"])
    try:
        assert ask(machine, question("yes")) == ["unable there is no PAM service selsock\n"]
    finally:
        machine.run(["mv", "/root/selsock.pam", "/etc/pam.d/selsock"])


def test_each_module_may_ask_for_itself(machine: NativeMachine) -> None:
    """And is told the same password."""
    service(machine, "auth required pam_unix.so\n" * 3 + "account required pam_unix.so\n")
    try:
        answers = ask(machine, question("sha"), question("sha", "no"))
        assert answers == ["granted sha\ngroup divers\ngroup sha\n", "refused wrong password\n"]
    finally:
        machine.run(["cp", "/root/selsock.pam", "/etc/pam.d/selsock"])


def test_the_longest_password(machine: NativeMachine) -> None:
    """Is read whole."""
    machine.run(["useradd", "long"])
    machine.run(["chpasswd", "--crypt-method", "SHA512"], input=f"long:{'x' * 510}\n")
    answers = ask(machine, question("long", "x" * 510), question("long", "x" * 509))
    assert answers == ["granted long\ngroup long\n", "refused wrong password\n"]


def test_one_may_keep_users_out(machine: NativeMachine) -> None:
    """A line below the system's own stacks is asked, too."""
    rule = "account required pam_succeed_if.so quiet user ingroup divers user != sha\n"
    machine.run(["cp", "/etc/pam.d/selsock", "/root/selsock.pam"])
    machine.run(["sh", "-c", "cat >>/etc/pam.d/selsock"], input=rule)
    try:
        answers = ask(machine, question("yes"), question("sha"))
        assert answers == ["granted yes\ngroup divers\ngroup yes\n", "refused the account may not be used\n"]
    finally:
        machine.run(["mv", "/root/selsock.pam", "/etc/pam.d/selsock"])


def test_wrong_passwords_may_be_counted(machine: NativeMachine) -> None:
    """By pam_faillock, which keeps its files in the one directory that may be written to."""
    stack = ["auth required pam_faillock.so preauth deny=2", "auth sufficient pam_unix.so"]
    stack += ["auth [default=die] pam_faillock.so authfail deny=2", "account required pam_unix.so"]
    machine.run(["mkdir", "-p", "/run/faillock"])
    service(machine, "\n".join(stack) + "\n")
    try:
        answers = ask(machine, *[question("sha", "no")] * 2, question("sha"), question("yes"))
        assert [answer.split()[0] for answer in answers] == ["refused", "refused", "refused", "granted"]
        machine.run(["faillock", "--user", "sha", "--reset"])
        assert ask(machine, question("sha")) == ["granted sha\ngroup divers\ngroup sha\n"]
    finally:
        machine.run(["cp", "/root/selsock.pam", "/etc/pam.d/selsock"])


def test_a_changed_password_holds_at_once(machine: NativeMachine) -> None:
    """Nothing is remembered from one question to the next."""
    machine.run(["useradd", "late"])
    machine.run(["chpasswd"], input="late:first\n")
    first = ask(machine, question("late", "first"))
    machine.run(["chpasswd"], input="late:second\n")
    assert first == ["granted late\ngroup late\n"]
    assert ask(machine, question("late", "first"), question("late", "second")) == ["refused wrong password\n", *first]


def test_shadow_that_nobody_may_read(machine: NativeMachine) -> None:
    """As Fedora has it: mode 0, so root needs a capability."""
    machine.run(["chmod", "0", "/etc/shadow"])
    try:
        assert ask(machine, question("sha")) == ["granted sha\ngroup divers\ngroup sha\n"]
    finally:
        machine.run(["chmod", "640", "/etc/shadow"])


def test_no_process_remains(machine: NativeMachine) -> None:
    """One process for each question, and none between them; one that was never asked is ended by itself."""
    ask(machine, question("yes"), question("yes", "no"))
    assert machine.run(["systemctl", "list-units", "--plain", "--no-legend", "selsock-pam@*"]).stdout == ""
    script = f"import socket; c = socket.socket(1, socket.SOCK_SEQPACKET); c.connect('{SOCKET}'); print(c.recv(9))"
    assert machine.run(["python3", "-c", script]).stdout == "b''\n"


def status(machine: NativeMachine, user: str, password: str) -> int:
    """What a visitor gets."""
    words = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--header", "Host: a.example"]
    return int(machine.run([*words, "--user", f"{user}:{password}", "http://127.0.0.1/"]).stdout)


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        ("sha", PASSWORD, 200),
        ("sha", "no", 401),
        ("gone", PASSWORD, 401),
        ("root", PASSWORD, 401),
        ("walker", PASSWORD, 403),
    ],
)
def test_signing_in(machine: NativeMachine, user: str, password: str, expected: int) -> None:
    """By HTTP, through all three programs; the socket was started because the configuration needs it."""
    assert status(machine, user, password) == expected


def test_what_pam_cannot_tell_is_our_fault(machine: NativeMachine) -> None:
    """503, and the journal has the reason."""
    service(machine, "auth required pam_missing.so\n")
    mark = machine.cursor()
    try:
        assert status(machine, "sha", PASSWORD) == 503
        reasons = [str(record["MESSAGE"]) for record in machine.journal("--unit=selsock@*", after=mark)]
    finally:
        machine.run(["cp", "/root/selsock.pam", "/etc/pam.d/selsock"])
    assert [reason for reason in reasons if "pam_authenticate: Module is unknown" in reason] != []
