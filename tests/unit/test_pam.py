# SPDX-License-Identifier: Apache-2.0
"""The service that asks PAM, without PAM: what it takes for a question, and whom it never asks about.

With a real pam_unix it is tested in tests/systemd and tests/vm.
"""

import ctypes
import grp
import os
import pwd
import socket
from pathlib import Path

import pytest
from systemd import daemon  # type: ignore[import-untyped]  # no stubs

from selsock.identify import libpam, pam
from selsock.identify.answer import Refused, Unable

DIVER = pwd.struct_passwd(("diver", "x", 1000, 1000, "", "/", "/bin/false"))


@pytest.mark.parametrize("password", [b"x", b"x" * 510, b"colon:in:it", "°".encode(), b" ", b"\r"])
def test_a_question(password: bytes) -> None:
    """Whatever the password is made of, but for NUL and line end."""
    assert pam.parse(b"diver\0" + password) == ("diver", password)


@pytest.mark.parametrize("name", ["diver@example.org", "DOMAIN\\diver", "a b", "Ω", "x" * 255])
def test_a_name(name: str) -> None:
    """Whatever a directory may call its users."""
    assert pam.parse(name.encode() + b"\0x") == (name, b"x")


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (b"\0x", "a name that no user has"),
        (b"a:b\0x", "a name that no user has"),
        (b"a\nb\0x", "a name that no user has"),
        (b"\xff\0x", "a name that no user has"),
        (b"x" * 256 + b"\0x", "a name that no user has"),
        (b"diver\0", "an empty password"),
        (b"diver\0a\0", "a password of more than one line, or of more than 510 bytes"),
        (b"diver\0line\nend", "a password of more than one line, or of more than 510 bytes"),
        (b"diver\0\0", "a password of more than one line, or of more than 510 bytes"),
        (b"diver\0" + b"x" * 511, "a password of more than one line, or of more than 510 bytes"),
    ],
)
def test_refused_without_asking(question: bytes, reason: str) -> None:
    """The visitor's fault."""
    with pytest.raises(Refused) as refused:
        pam.parse(question)
    assert str(refused.value) == reason


@pytest.mark.parametrize("question", [b"", b"diver", b"diver password"])
def test_no_question(question: bytes) -> None:
    """Ours."""
    with pytest.raises(Unable) as unable:
        pam.parse(question)
    assert str(unable.value) == "a question that is none"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The users that PAM is asked about; it takes them all.  The machine has diver, and another two names of root."""
    found: list[str] = []

    def getpwnam(name: str) -> pwd.struct_passwd:
        known = {"diver": ("diver", 1000), "DIVER": ("diver", 1000), "root": ("root", 0), "toor": ("toor", 0)}
        if name not in known:
            raise KeyError(name)
        own, number = known[name]
        return pwd.struct_passwd((own, "x", number, 1000, "", "/", "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(pam, "verify", lambda user, password: found.append(user))
    monkeypatch.setattr(pam, "groups_of", lambda account: ("divers",))
    return found


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("nobody-here", "unknown user"),
        ("DIVER", "a user whose name is written otherwise"),
        ("root", "root"),
        ("toor", "root"),
    ],
)
def test_pam_never_hears_of(asked: list[str], user: str, reason: str) -> None:
    """Who has no account, another name, or the number of root."""
    with pytest.raises(Refused) as refused:
        pam.answer(user.encode() + b"\0x")
    assert (str(refused.value), asked) == (reason, [])


def test_whom_pam_takes(asked: list[str]) -> None:
    """Is granted, with his groups."""
    assert pam.answer(b"diver\0x").lines() == ["granted diver", "group divers"]
    assert asked == ["diver"]


def test_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, each once; one without a name, and one whose name could end a line, are nobody's."""
    names = {1: "divers", 2: "domain users", 3: "divers", 5: "new\nline", 6: "co:lon"}
    monkeypatch.setattr(os, "getgrouplist", lambda user, group: [*range(1, 7)])
    monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group((names[number], "x", number, [])))
    assert pam.groups_of(DIVER) == ("divers", "domain users")


def test_what_is_said() -> None:
    """Lines of standard input, and nothing of what is written; afterwards everything is as it was."""
    before = [os.fstat(number) for number in range(3)]
    with libpam.said(b"secret") as asked:
        line = os.read(0, 7)
        os.write(2, b"Password: ")
        assert asked.anything()
        assert os.read(0, 1) == b""
    assert line == b"secret\n"
    assert [os.fstat(number).st_ino for number in range(3)] == [file.st_ino for file in before]


def test_whether_anybody_asked() -> None:
    """Who reads nothing has not."""
    with libpam.said(b"secret") as asked:
        assert not asked.anything()


def test_no_descriptor_is_left() -> None:
    """Not even where something fails."""
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(Unable), libpam.said(b"secret"):
        raise Unable("so")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_without_a_service_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpam would ask another one."""
    monkeypatch.setattr(libpam, "DIRECTORIES", (tmp_path,))
    with pytest.raises(Unable) as unable:
        libpam.verify("diver", b"secret")
    assert str(unable.value) == "there is no PAM service selsock"


@pytest.mark.parametrize("status", sorted({*range(1, 32)} - {*libpam.REFUSALS}))
def test_what_pam_cannot_tell_is_no_refusal(status: int) -> None:
    """All but what it says of the user: the visitor gets 503, and not 401."""
    with pytest.raises(Unable, match=r"^pam_authenticate: \w"):
        libpam.check("pam_authenticate", ctypes.c_void_p(), status)


def test_the_account_is_another_matter_than_the_password() -> None:
    """PAM_AUTH_ERR is what Debian's stack says of both."""
    reasons = []
    for call in ("pam_authenticate", "pam_acct_mgmt"):
        with pytest.raises(Refused) as refused:
            libpam.check(call, ctypes.c_void_p(), libpam.AUTH_ERR)
        reasons.append(str(refused.value))
    assert reasons == ["wrong password", "the account may not be used"]


def test_the_answer_goes_back_over_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """One packet each way."""
    asking, connection = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(daemon, "listen_fds", lambda: [connection.detach()])
    asking.send(b"diver\0")
    pam.main()
    assert [asking.recv(100), asking.recv(100)] == [b"refused an empty password\n", b""]


def test_who_asks_nothing_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """After five seconds, or so."""
    asking, connection = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(daemon, "listen_fds", lambda: [connection.detach()])
    monkeypatch.setattr(pam, "QUESTION_SECONDS", 0.1)
    with pytest.raises(SystemExit, match="^<3>timed out$"):
        pam.main()
    assert asking.recv(100) == b""


def test_who_has_gone_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal gets one line."""
    asking, connection = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(daemon, "listen_fds", lambda: [connection.detach()])
    asking.close()
    with pytest.raises(SystemExit, match="Broken pipe$"):
        pam.main()
