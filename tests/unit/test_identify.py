# SPDX-License-Identifier: Apache-2.0
"""identify: a child judges and ends, one line grants, and the parent keeps one copy of the credentials and no password."""

import base64
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selsock import cores
from selsock.errors import Challenge, IdentityFault
from selsock.handler import htpasswd
from selsock.handler import identify as module
from selsock.handler.head import HeadBuffer, RequestHead
from selsock.handler.identify import Credentials, Identity, identify, judge
from selsock.model import Basic, Location, Vhost
from selsock.names import AbsolutePath, HostName, Realm
from tests.unit.test_head import read

SECRET = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"
ROOT = str(Path(__file__).parents[2])


def basic(user: str, password: str) -> str:
    """The value of Authorization for Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def vhost_with(file: Path | str | None) -> Vhost:
    """A vhost whose password file is ``file``, or one without authentication."""
    auth = Basic(Realm.parse("kennel"), AbsolutePath.parse(str(file))) if file else None
    return Vhost((HostName.parse("dog.example"),), AbsolutePath.parse("/srv/dog"), auth, (Location((), (), None),))


def head_with(value: str | None) -> tuple[RequestHead, HeadBuffer]:
    """A head with ``value`` as Authorization."""
    line = f"Authorization: {value}\r\n" if value else ""
    return read(b"GET / HTTP/1.1\r\nHost: dog.example\r\n" + line.encode() + b"\r\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A password file with the user dog, whose password is "secret", hare, who has no valid hash, and mole, who is locked."""
    path = tmp_path / "htpasswd"
    path.write_text(f"dog:{SECRET}\nhare:plain\nmole:!{SECRET}\nw\u00fcff:{SECRET}\n")
    return path


def ask(value: str | None, file: Path | str | None) -> Identity:
    """identify, with credentials of its own."""
    head, buffer = head_with(value)
    return identify(head, buffer, Credentials(), vhost_with(file))


# ---- verdicts


@pytest.mark.parametrize("user", ["dog", "w\u00fcff"])
def test_right_password_gives_the_user(file: Path, user: str) -> None:
    """By the real child, over the real socketpair."""
    assert user == ask(basic(user, "secret"), file).user


def test_scheme_is_read_in_any_case(file: Path) -> None:
    """RFC 9110 §11.1."""
    assert "dog" == ask(basic("dog", "secret").replace("Basic", "bASIC  "), file).user


def test_nobody_asked_is_anonymous(file: Path) -> None:
    """No Authorization, and no child either."""
    assert ask(None, file).user is None


def test_vhost_without_authentication_does_not_look_at_credentials() -> None:
    """They are wiped all the same: nothing is to be found of them below the line."""
    head, buffer = head_with(basic("dog", "secret"))
    credentials = Credentials()
    assert identify(head, buffer, credentials, vhost_with(None)).user is None
    assert b"" == credentials.value
    assert b"Basic" not in buffer.data


SYNTAX = "credentials that are no user, colon and password (RFC 7617 §2)"
BASE64 = "credentials that are no base64 of UTF-8 (RFC 7617 §2)"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (basic("dog", "wrong"), "wrong password or unknown user dog"),
        (basic("dog", ""), "wrong password or unknown user dog"),
        (basic("dog", "secret\n"), "wrong password or unknown user dog"),
        (basic("cat", "secret"), "wrong password or unknown user cat"),
        (basic("dog", "secret\0"), SYNTAX),
        (basic("", "secret"), SYNTAX),
        (basic("dog\n", "secret"), SYNTAX),
        (basic("dog\ngranted cat", "secret"), SYNTAX),
        (basic("d\0og", "secret"), SYNTAX),
        (basic("d\u2028og", "secret"), SYNTAX),
        (basic("d\x85og", "secret"), SYNTAX),
        (basic("x" * 256, "secret"), SYNTAX),
        ("Basic " + base64.b64encode(b"dog").decode(), SYNTAX),
        ("Basic " + base64.b64encode(b"dog:\xff").decode(), BASE64),
        ("Basic " + base64.b64encode(b"d\xf6g:secret").decode(), BASE64),
        ("Basic !", BASE64),
        ("Basic ZG9nOnNlY3JldA", BASE64),
        ("Basic ZG9nOnNl Y3JldA==", BASE64),
        ("Basic", SYNTAX),
        ("Basic=", "a scheme other than Basic"),
        ("Bearer ZG9nOnNlY3JldA==", "a scheme other than Basic"),
        ("ZG9nOnNlY3JldA==", "a scheme other than Basic"),
    ],
)
def test_refused_with_401_and_this_reason(file: Path, value: str, reason: str) -> None:
    """The reason is for the journal; the peer learns the realm alone (test_response)."""
    with pytest.raises(Challenge) as caught:
        ask(value, file)
    assert (401, "kennel", reason) == (caught.value.status, caught.value.realm, caught.value.reason)


def test_verdict_can_not_be_forged_by_a_user_name(file: Path) -> None:
    """ "granted" in a name stays a name: what counts is how the verdict starts."""
    with pytest.raises(Challenge, match="unknown user granted dog"):
        ask(basic("granted dog", "x"), file)


def test_password_file_that_cannot_answer_is_503(file: Path) -> None:
    """Nobody is refused for it, and nobody admitted."""
    unknown = "a hash of a format other than $2y$, $5$, $6$, $apr1$ and {SHA}"
    for path, user, reason in ((file, "hare", unknown), (Path(f"{file}.none"), "dog", "No such file or directory")):
        with pytest.raises(IdentityFault) as caught:
            ask(basic(user, "secret"), path)
        assert f"{path}: {reason}" == caught.value.reason


def test_locked_account_is_401(file: Path) -> None:
    """With the same reason as for a wrong password: the visitor can not tell them apart."""
    with pytest.raises(Challenge) as caught:
        ask(basic("mole", "secret"), file)
    assert (401, "wrong password or unknown user mole") == (caught.value.status, caught.value.reason)


def test_several_identities_in_a_row_leave_neither_child_nor_descriptor(file: Path) -> None:
    """Each child is reaped, each socket closed, whatever the verdict."""
    before = os.listdir("/proc/self/fd")
    for user, path in (("dog", file), ("cat", file), ("hare", file), ("dog", Path("/none"))):
        try:
            ask(basic(user, "secret"), path)
        except (Challenge, IdentityFault):
            pass
    assert before == os.listdir("/proc/self/fd")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# ---- a child that does not do its duty

ENDED = "the child that checks passwords ended without a verdict"


def misbehave(monkeypatch: pytest.MonkeyPatch, file: Path, child: Callable[[socket.socket], None]) -> str:
    """The reason of the fault when ``child`` takes the place of the child's code, and ends the process itself."""
    monkeypatch.setattr(module, "answer_and_end", lambda sock, buffer, span, basic: child(sock))
    with pytest.raises(IdentityFault) as caught:
        ask(basic("dog", "secret"), file)
    return caught.value.reason


@pytest.mark.parametrize("status", [0, 1, 70])
def test_child_that_says_nothing_grants_nothing(monkeypatch: pytest.MonkeyPatch, file: Path, status: int) -> None:
    """Also with status 0."""
    assert ENDED == misbehave(monkeypatch, file, lambda sock: os._exit(status))


def test_child_that_dies_grants_nothing(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """A signal, such as seccomp's SIGSYS or the OOM killer's."""
    assert ENDED == misbehave(monkeypatch, file, lambda sock: os.kill(os.getpid(), 9))


@pytest.mark.parametrize("said", [b"granted dog", b"refused no"])
def test_child_that_fails_after_its_verdict_grants_nothing(
    monkeypatch: pytest.MonkeyPatch, file: Path, said: bytes
) -> None:
    """A verdict counts only from a child that also ends well."""

    def child(sock: socket.socket) -> None:
        sock.sendall(said)
        os._exit(1)

    assert ENDED == misbehave(monkeypatch, file, child)


@pytest.mark.parametrize("said", [b"granted", b"Granted dog", b" granted dog", b"\0", b"yes", b"dog", b"x" * 5000])
def test_child_that_says_something_else_grants_nothing(
    monkeypatch: pytest.MonkeyPatch, file: Path, said: bytes
) -> None:
    """Nothing but the exact word and a name."""

    def child(sock: socket.socket) -> None:
        sock.sendall(said)
        os._exit(0)

    assert ENDED == misbehave(monkeypatch, file, child)


def test_child_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: Path) -> None:
    """A hash of absurd cost must not hold the connection for ever; the child does not outlive its time either."""
    outlived = tmp_path / "outlived"

    def child(sock: socket.socket) -> None:
        sock.sendall(b"granted dog")
        time.sleep(0.3)
        outlived.touch()
        os._exit(0)

    monkeypatch.setattr(module, "VERDICT_SECONDS", 0.05)
    assert "no verdict on the password in time" == misbehave(monkeypatch, file, child)
    assert not outlived.exists()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_child_with_a_defect_ends_without_a_verdict(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """The real child, with an exception that nobody foresaw; it must not come back into the parent's code."""

    def judge(credentials: bytes, basic: Basic) -> bytes:
        raise MemoryError

    monkeypatch.setattr(module, "judge", judge)
    with pytest.raises(IdentityFault, match=ENDED):
        ask(basic("dog", "secret"), file)


def test_no_process_left_for_a_child_is_503(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """EAGAIN of fork(2) at TasksMax= is a shortage of ours and no defect."""

    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(cores.posix, "fork", fork)
    with pytest.raises(IdentityFault, match="no child to check the password in: Resource temporarily unavailable"):
        ask(basic("dog", "secret"), file)


def test_judge_never_says_granted_without_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line grants, and it stands behind verify."""
    asked: list[tuple[str, bytes, bytes]] = []

    def verify(path: str, user: bytes, password: bytes) -> bool:
        asked.append((path, user, password))
        return True

    monkeypatch.setattr(htpasswd, "verify", verify)
    rule = Basic(Realm.parse("kennel"), AbsolutePath.parse("/x"))
    assert b"granted dog" == judge(basic("dog", "a:b").encode(), rule)
    assert [("/x", b"dog", b"a:b")] == asked


# ---- what is kept


def test_credentials_are_moved_out_of_the_buffer(file: Path) -> None:
    """One copy, in one bytearray; the buffer has zeros in its place and the rest untouched."""
    head, buffer = head_with(basic("dog", "secret"))
    credentials = Credentials()
    identify(head, buffer, credentials, vhost_with(file))
    assert basic("dog", "secret").encode() == credentials.value
    start, end = head.credentials
    assert bytes(end - start) == buffer.data[start:end]
    assert b"Authorization: \0" in buffer.data


def test_refused_credentials_are_not_kept(file: Path) -> None:
    """There is nothing to recognise later."""
    head, buffer = head_with(basic("dog", "wrong"))
    credentials = Credentials()
    with pytest.raises(Challenge):
        identify(head, buffer, credentials, vhost_with(file))
    assert b"" == credentials.value


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (basic("dog", "secret"), True),
        (basic("dog", "secre"), False),
        (basic("dog", "secret "), False),
        (basic("cat", "secret"), False),
        (basic("dog", "secret").replace("Basic", "basic"), False),
    ],
)
def test_only_the_very_same_value_is_recognised(file: Path, value: str, same: bool) -> None:
    """And it is wiped from the buffer in either case."""
    head, buffer = head_with(basic("dog", "secret"))
    credentials = Credentials()
    identify(head, buffer, credentials, vhost_with(file))
    again, buffer = head_with(value)
    assert same == credentials.recognise(again, buffer)
    assert value.encode() not in buffer.data


def test_recognising_needs_no_module_that_may_be_a_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done below the line, where nothing can be opened; Red Hat's Python has binascii and _hashlib as files."""
    head, buffer = head_with(basic("dog", "secret"))
    credentials = Credentials()
    identify(head, buffer, credentials, vhost_with(file))
    for name in ("binascii", "_hashlib", "selsock.password_cores"):
        monkeypatch.setitem(sys.modules, name, None)
    again, buffer = head_with(basic("dog", "secret"))
    assert credentials.recognise(again, buffer)
    assert "_operator" in sys.builtin_module_names


def test_wipe_overwrites_in_place(file: Path) -> None:
    """The bytearray stays where it is; what points at it sees zeros."""
    head, buffer = head_with(basic("dog", "secret"))
    credentials = Credentials()
    identify(head, buffer, credentials, vhost_with(file))
    view = memoryview(credentials.value)
    credentials.wipe()
    assert bytes(len(view)) == bytes(view)


AUDIT = """
import os, sys
sys.path.append(sys.argv[1])
parent = os.getpid()
def hook(event, arguments):
    if event == "open" and str(arguments[0]).endswith("htpasswd"):
        os.write(1, b"parent\\n" if os.getpid() == parent else b"child\\n")
sys.addaudithook(hook)
from pathlib import Path
from tests.unit.test_identify import ask, basic
os.write(1, f"{ask(basic('dog', 'secret'), Path(sys.argv[2])).user}\\n".encode())
"""


def test_parent_never_opens_the_password_file(file: Path) -> None:
    """The child does, once: the audit hook of Python sees every open, also those of posix."""
    command = [sys.executable, "-c", AUDIT, ROOT, str(file)]
    assert "child\ndog\n" == subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


MEMORY = """
import sys
sys.path.append(sys.argv[1])
from selsock.cores import socket
from selsock.handler.adopt import Client
from selsock.handler.head import HeadBuffer, read_head
from selsock.handler.identify import Credentials, identify
from selsock.model import Limits
from tests.unit.test_identify import vhost_with
buffer, credentials = HeadBuffer(16384), Credentials()
client = Client(socket.socket(fileno=int(sys.argv[3])), "-")
vhost = vhost_with(sys.argv[2])
read_head(client, buffer, Limits(), 10.0)
client.write(b"read")
sys.stdin.readline()
head = read_head(client, buffer, Limits(), 10.0)
identify(head, buffer, credentials, vhost)
client.write(b"kept")
sys.stdin.readline()
credentials.wipe()
client.write(b"done")
sys.stdin.readline()
"""


def copies(pid: int, needle: bytes) -> int:
    """How often ``needle`` stands in the writable memory of ``pid``."""
    count = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *rest = line.split()
            if "w" in rights and rest[-1] not in ("[vvar]", "[vsyscall]"):
                start, end = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                count += memory.read(end - start).count(needle)
    return count


def test_memory_of_the_parent_has_one_copy_of_the_credentials_and_then_none(tmp_path: Path) -> None:
    """Seen from outside, in /proc/PID/mem: no slice, no decoded password, nothing after the wipe."""
    path = tmp_path / "htpasswd"
    password = os.urandom(9).hex()  # no constant of any module
    path.write_text("dog:{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode() + "\n")
    value, request = basic("dog", password), "GET / HTTP/1.1\r\nHost: dog.example\r\n{}\r\n"
    peer, own = socket.socketpair()
    peer.settimeout(10)
    command = [sys.executable, "-c", MEMORY, ROOT, str(path), str(own.fileno())]
    with subprocess.Popen(command, pass_fds=(own.fileno(),), stdin=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin
        seen = []
        for said, line in (
            (b"read", f"Authorization: {value}\r\n"),
            (b"kept", f"Authorization: {value}\r\n"),
            (b"done", ""),
        ):
            if line:
                peer.sendall(request.format(line).encode())
            assert said == peer.recv(4)
            seen.append((copies(process.pid, value.encode()), copies(process.pid, password.encode())))
            process.stdin.write("\n")
    # First head: in the buffer alone.  Second: moved to the Credentials.  Then: gone.
    assert [(1, 0), (1, 0), (0, 0)] == seen
    assert 0 == process.returncode
