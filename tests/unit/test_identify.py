# SPDX-License-Identifier: Apache-2.0
"""identify: a service judges, one line grants, and this process keeps one copy of the credentials and no password."""

import base64
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock.errors import Challenge, IdentityFault, Limited
from selsock.handler import identify as module
from selsock.handler.adopt import Client
from selsock.handler.head import HeadBuffer, RequestHead
from selsock.handler.identify import Identity, identify
from selsock.handler.serve.requests import recognise
from selsock.identify.provider import Provider
from selsock.model import Limits, Location, Vhost
from selsock.names import AbsolutePath, HostName, Realm
from tests.unit.fakes import compile_table, identifying
from tests.unit.test_head import read

SECRET = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"
ROOT = str(Path(__file__).parents[2])
LIMITS = {"failures": 1000}


def basic(user: str, password: str) -> str:
    """The value of Authorization for Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def vhost_with(auth: bool) -> Vhost:
    """A vhost with authentication, or one without."""
    given = Realm.parse("kennel") if auth else None
    return Vhost((HostName.parse("dog.example"),), AbsolutePath.parse("/srv/dog"), given, (Location((), (), None),))


def head_with(value: str | None) -> tuple[RequestHead, HeadBuffer]:
    """A head with ``value`` as Authorization."""
    line = f"Authorization: {value}\r\n" if value else ""
    return read(b"GET / HTTP/1.1\r\nHost: dog.example\r\n" + line.encode() + b"\r\n")


class Clock:
    """The time, and how long nobody slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.monotonic = time.monotonic

    def sleep(self, seconds: float) -> None:
        """Do not."""
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What identify has for the module time."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Path]:
    """A password file with the user dog, whose password is "secret", hare, who has no valid hash, and mole, who is locked;
    and the service that reads it."""
    path = tmp_path / "htpasswd"
    path.write_text(f"dog:{SECRET}\nhare:plain\nmole:!{SECRET}\nw\u00fcff:{SECRET}\n")
    compile_table(tmp_path, [vhost_with(True)], LIMITS, providers={"dog.example": Provider("file", str(path))})
    with identifying(tmp_path, monkeypatch):
        yield path


def put(head: RequestHead, buffer: HeadBuffer, auth: bool = True) -> Identity:
    """identify, of a visitor from 192.0.2.1."""
    return identify(head, buffer, vhost_with(auth), Client(socket.socket(), "192.0.2.1"), Limits(LIMITS))


def ask(value: str | None) -> Identity:
    """identify, in a buffer of its own."""
    head, buffer = head_with(value)
    return put(head, buffer)


# ---- verdicts


@pytest.mark.parametrize("user", ["dog", "w\u00fcff"])
def test_right_password_gives_the_user(file: Path, user: str) -> None:
    """By the real service."""
    assert user == ask(basic(user, "secret")).user


def test_scheme_is_read_in_any_case(file: Path) -> None:
    """RFC 9110 §11.1."""
    assert "dog" == ask(basic("dog", "secret").replace("Basic", "bASIC  ")).user


def test_nobody_asked_is_anonymous(file: Path) -> None:
    """No Authorization, and no question either."""
    assert ask(None).user is None


def test_vhost_without_authentication_does_not_look_at_credentials() -> None:
    """They are wiped all the same: nothing is to be found of them below the line."""
    head, buffer = head_with(basic("dog", "secret"))
    assert put(head, buffer, auth=False).user is None
    assert b"" == buffer.verified
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
        ask(value)
    assert (401, "kennel", reason) == (caught.value.status, caught.value.realm, caught.value.reason)


def test_verdict_can_not_be_forged_by_a_user_name(file: Path) -> None:
    """ "granted" in a name stays a name: what counts is how the verdict starts."""
    with pytest.raises(Challenge, match="unknown user granted dog"):
        ask(basic("granted dog", "x"))


def test_password_file_that_cannot_answer_is_503(file: Path) -> None:
    """Nobody is refused for it, and nobody admitted."""
    with pytest.raises(IdentityFault) as caught:
        ask(basic("hare", "secret"))
    wanted = f"{file}: a hash of a format other than $2y$, $5$, $6$, $apr1$, {{SHA}} and DES"
    assert f"{module.SERVICE}: {wanted}" == caught.value.reason
    file.unlink()
    with pytest.raises(IdentityFault) as caught:
        ask(basic("dog", "secret"))
    assert f"{module.SERVICE}: {file}: No such file or directory" == caught.value.reason


def test_locked_account_is_401(file: Path) -> None:
    """With the same reason as for a wrong password: the visitor can not tell them apart."""
    with pytest.raises(Challenge) as caught:
        ask(basic("mole", "secret"))
    assert (401, "wrong password or unknown user mole") == (caught.value.status, caught.value.reason)


def test_several_identities_in_a_row_leave_no_descriptor(file: Path) -> None:
    """Each socket is closed, whatever the verdict."""
    before = os.listdir("/proc/self/fd")
    for user in ("dog", "cat", "hare"):
        try:
            ask(basic(user, "secret"))
        except (Challenge, IdentityFault):
            pass
    assert before == os.listdir("/proc/self/fd")


# ---- a service that does not do its duty


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the service listens, for a test that answers in its place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(tmp_path / "service"))
        listening.listen()
        listening.settimeout(10)
        monkeypatch.setattr(module, "SERVICE", str(tmp_path / "service"))
        yield listening


def say(service: socket.socket, said: bytes) -> bytes:
    """Answer the next question with ``said``, and return the question."""
    connection, _ = service.accept()
    with connection:
        question = connection.recv(65536)
        if said:
            connection.sendall(said)
    return question


def told(service: socket.socket, said: bytes) -> Identity:
    """What identify makes of the answer ``said``."""
    answering = threading.Thread(target=say, args=(service, said))
    answering.start()
    try:
        return ask(basic("dog", "secret"))
    finally:
        answering.join()


def test_question_names_vhost_and_address(service: socket.socket) -> None:
    """And has the value of Authorization as it came."""
    asked: list[bytes] = []
    answering = threading.Thread(target=lambda: asked.append(say(service, b"granted dog\n")))
    answering.start()
    assert "dog" == ask(basic("dog", "secret")).user
    answering.join()
    assert [b"basic\tdog.example\t192.0.2.1\n" + basic("dog", "secret").encode()] == asked


def test_answer_tells_of_groups_context_and_clearance(service: socket.socket) -> None:
    """All that is known of him."""
    said = b"granted dog\ngroup pack\ngroup all dogs\ncontext selsock_kennel_t:s0:c1\ncleared s0:c1,c2 s0:c1\ncleared s0 s0\n"
    identity = told(service, said)
    assert ("dog", ["all dogs", "pack"]) == (identity.user, sorted(identity.groups))
    assert ("selsock_kennel_t:s0:c1", {"s0:c1,c2": "s0:c1", "s0": "s0"}) == (identity.assigned, identity.cleared)


@pytest.mark.parametrize(
    "said",
    [
        *(
            b"",
            b"\0",
            b"granted",
            b"granted dog",
            b"Granted dog\n",
            b" granted dog\n",
            b"yes\n",
            b"dog\n",
            b"granted\n",
        ),
        *(
            b"granted \n",
            b"granted d:og\n",
            b"granted dog\nroot\n",
            b"granted dog\n\n",
            b"granted dog\ncontext a\ncontext b\n",
        ),
        *(
            b"granted dog\ncleared s0\n",
            b"granted dog\ncleared s0 s0 s0\n",
            b"granted dog\ncleared s0 s0-s1\n",
            b"granted \xff\n",
            b"x" * 5000,
            b"refused no",
        ),
    ],
)
def test_answer_that_is_none_grants_nothing(service: socket.socket, said: bytes) -> None:
    """Nothing but the exact words."""
    with pytest.raises(IdentityFault):
        told(service, said)


def test_service_that_cannot_tell_is_503(service: socket.socket) -> None:
    """With the service's own reason."""
    with pytest.raises(IdentityFault) as caught:
        told(service, b"unable /etc/x: No such file or directory\n")
    assert f"{module.SERVICE}: /etc/x: No such file or directory" == caught.value.reason


def test_service_that_is_not_there_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is refused for it, and nobody admitted."""
    monkeypatch.setattr(module, "SERVICE", str(tmp_path / "none"))
    with pytest.raises(IdentityFault) as caught:
        ask(basic("dog", "secret"))
    assert f"{tmp_path}/none: [Errno 2] No such file or directory" == caught.value.reason


def test_service_that_is_silent_is_503(service: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for without end."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    with pytest.raises(IdentityFault) as caught:
        ask(basic("dog", "secret"))
    assert f"{module.SERVICE}: timed out" == caught.value.reason


@pytest.mark.parametrize("user", ["dog", "cat", "mole"])
def test_every_no_is_told_at_the_same_moment(file: Path, clock: Clock, user: str) -> None:
    """failure_seconds after the question, less the time that it took; a yes at once."""
    with pytest.raises(Challenge):
        ask(basic(user, "wrong"))
    (slept,) = clock.slept
    assert 0 < slept < Limits.failure_seconds
    clock.slept.clear()
    assert "dog" == ask(basic("dog", "secret")).user
    assert [] == clock.slept


def test_too_many_are_told_at_once(service: socket.socket, clock: Clock) -> None:
    """429: nothing was checked, so there is nothing that the time could tell."""
    with pytest.raises(Limited) as caught:
        told(service, b"limited 120 too many wrong passwords\n")
    assert (429, "120", "too many wrong passwords") == (caught.value.status, caught.value.seconds, caught.value.reason)
    assert [] == clock.slept


# ---- what is kept


def test_credentials_are_moved_out_of_the_buffer(file: Path) -> None:
    """One copy, in one bytearray; the buffer has zeros in its place and the rest untouched."""
    head, buffer = head_with(basic("dog", "secret"))
    put(head, buffer)
    assert basic("dog", "secret").encode() == buffer.verified
    start, end = head.credentials
    assert bytes(end - start) == buffer.data[start:end]
    assert b"Authorization: \0" in buffer.data


def test_refused_credentials_are_not_kept(file: Path) -> None:
    """There is nothing to recognise later."""
    head, buffer = head_with(basic("dog", "wrong"))
    with pytest.raises(Challenge):
        put(head, buffer)
    assert b"" == buffer.verified


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
    put(head, buffer)
    again, other = head_with(value)
    other.verified = buffer.verified
    assert same == recognise(again, other)
    assert value.encode() not in other.data


def test_recognising_needs_no_module_that_may_be_a_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done below the line, where nothing can be opened; Red Hat's Python has binascii and _hashlib as files."""
    head, buffer = head_with(basic("dog", "secret"))
    put(head, buffer)
    for name in ("binascii", "_hashlib"):
        monkeypatch.setitem(sys.modules, name, None)
    again, other = head_with(basic("dog", "secret"))
    other.verified = buffer.verified
    assert recognise(again, other)
    assert "_operator" in sys.builtin_module_names


def test_wipe_overwrites_in_place(file: Path) -> None:
    """The bytearray stays where it is; what points at it sees zeros."""
    head, buffer = head_with(basic("dog", "secret"))
    put(head, buffer)
    view = memoryview(buffer.verified)
    buffer.wipe()
    assert bytes(len(view)) == bytes(view)


MEMORY = """
import sys
sys.path.append(sys.argv[1])
from selsock.cores import socket
from selsock.handler.adopt import Client
from selsock.handler.head import HeadBuffer, read_head
from selsock.handler import identify
from selsock.model import Limits
from tests.unit.test_identify import vhost_with
identify.SERVICE = sys.argv[2]
buffer = HeadBuffer(16384)
client = Client(socket.socket(fileno=int(sys.argv[3])), "192.0.2.1")
vhost = vhost_with(True)
read_head(client, buffer, Limits(), 10.0)
client.write(b"read")
sys.stdin.readline()
head = read_head(client, buffer, Limits(), 10.0)
identify.identify(head, buffer, vhost, client, Limits())
client.write(b"kept")
sys.stdin.readline()
buffer.wipe()
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


def test_memory_has_one_copy_of_the_credentials_and_then_none(file: Path) -> None:
    """Seen from outside, in /proc/PID/mem: no slice, no decoded password, nothing after the wipe."""
    password = os.urandom(9).hex()  # no constant of any module
    file.write_text("dog:{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode() + "\n")
    value, request = basic("dog", password), "GET / HTTP/1.1\r\nHost: dog.example\r\n{}\r\n"
    peer, own = socket.socketpair()
    peer.settimeout(10)
    command = [sys.executable, "-c", MEMORY, ROOT, module.SERVICE, str(own.fileno())]
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
    # First head: in the buffer alone.  Second: moved aside there.  Then: gone.
    assert [(1, 0), (1, 0), (0, 0)] == seen
    assert 0 == process.returncode
