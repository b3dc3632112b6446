# SPDX-License-Identifier: Apache-2.0
"""adopt: what Accept=yes hands over is taken, anything else is refused; and the Client that comes of it.

fd 3 is set up in a child process: the test's own fd 3 belongs to pytest.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selsock import cores
from selsock.errors import PeerGone
from selsock.handler import adopt as module
from selsock.handler.adopt import plain_address
from selsock.model import Limits, Table
from tests.unit.fakes import PATIENCE, connect

ADOPT = """
import os, posix, sys
sys.path.append(sys.argv[1])
if sys.argv[4] == "-":
    os.closerange(3, 4)
else:
    os.dup2(int(sys.argv[4]), 3)
    os.dup2(3, 4)  # for LISTEN_FDS=2
from systemd import daemon
if sys.argv[2] != "-":
    posix.environ[b"LISTEN_PID"] = os.environ["LISTEN_PID"] = sys.argv[2].replace("SELF", str(os.getpid()))
if sys.argv[3] != "-":
    posix.environ[b"LISTEN_FDS"] = os.environ["LISTEN_FDS"] = sys.argv[3]
from selsock.errors import OwnFault, PeerFault
from selsock.handler.adopt import adopt
try:
    theirs = daemon.listen_fds(False)
except OSError as error:
    theirs = type(error).__name__
try:
    os.set_inheritable(3, True)  # listen_fds took that away, as adopt has to
except OSError:
    pass
try:
    client = adopt(posix.environ, posix.getpid())
    ours = f"adopted {client.address} inheritable={os.get_inheritable(3)}"
except (OwnFault, PeerFault) as fault:
    ours = f"{type(fault).__name__}: {fault.reason}"
print(theirs, ours, sep="; ")
"""


def adopt(fd: int | None, pid: str = "SELF", fds: str = "1") -> str:
    """What systemd.daemon.listen_fds and adopt say in a process whose fd 3 is ``fd``; "-" leaves a variable unset."""
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", ADOPT, root, pid, fds, "-" if fd is None else str(fd)]
    keep = () if fd is None else (fd,)
    return subprocess.run(command, pass_fds=keep, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def accepted(family: socket.AddressFamily, host: str) -> tuple[socket.socket, socket.socket]:
    """A TCP connection over the loopback interface: the peer's end and the accepted one."""
    with socket.create_server((host, 0), family=family) as listener:
        peer = socket.create_connection(listener.getsockname()[:2], timeout=PATIENCE)
        return peer, listener.accept()[0]


def test_connection_is_adopted_with_the_address_that_the_kernel_knows() -> None:
    """listen_fds agrees that there is one, fd 3; it is not passed on to children."""
    peer, own = accepted(socket.AF_INET, "127.0.0.1")
    with peer, own:
        assert "[3]; adopted 127.0.0.1 inheritable=False" == adopt(own.fileno())


def test_ipv6_connection_is_adopted() -> None:
    """The address has no brackets and no port."""
    peer, own = accepted(socket.AF_INET6, "::1")
    with peer, own:
        assert "[3]; adopted ::1 inheritable=False" == adopt(own.fileno())


def test_unix_connection_is_adopted_as_local() -> None:
    """An AF_UNIX peer has no address."""
    left, right = socket.socketpair()
    with left, right:
        assert "[3]; adopted local inheritable=False" == adopt(right.fileno())


NOT_SYSTEMD = "AdoptFault: expected LISTEN_PID of this process and LISTEN_FDS=1, as systemd passes under Accept=yes"


@pytest.mark.parametrize(
    ("pid", "fds", "theirs"),
    [
        ("-", "1", "[]"),
        ("1", "1", "[]"),
        ("SELF", "-", "[]"),
        ("SELF", "2", "[3, 4]"),
        ("SELF", "", "OSError"),
        ("SELF", "x", "OSError"),
        ("x", "1", "OSError"),
        ("", "1", "OSError"),
    ],
)
def test_variables_other_than_accept_yes_sets_are_refused(pid: str, fds: str, theirs: str) -> None:
    """Where sd_listen_fds finds nothing, so do we; two sockets are systemd's Accept=no, and refused on top of that."""
    left, right = socket.socketpair()
    with left, right, open("/dev/null") as other:
        assert other.fileno() > 3
        assert f"{theirs}; {NOT_SYSTEMD}" == adopt(right.fileno(), pid, fds)


def test_fd_that_is_closed_is_refused() -> None:
    """systemd's own look at it fails as well."""
    assert "OSError; AdoptFault: fd 3 is not a socket: Bad file descriptor" == adopt(None)


def test_fd_that_is_no_socket_is_refused() -> None:
    """sd_listen_fds does not look, adopt does."""
    with open("/dev/null") as file:
        assert "[3]; AdoptFault: fd 3 is not a socket: Socket operation on non-socket" == adopt(file.fileno())


@pytest.mark.parametrize("make", ["listening", "datagram"])
def test_socket_that_is_no_accepted_connection_is_refused(make: str) -> None:
    """A unit with Accept=no hands over the listener itself; serving that would be one process for all."""
    kind = socket.SOCK_DGRAM if make == "datagram" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if make == "listening":
            other.listen()
        assert "[3]; AdoptFault: fd 3 is not an accepted stream connection" == adopt(other.fileno())


def test_peer_that_reset_before_it_was_adopted_is_gone() -> None:
    """systemd may take a second to start us; nobody is there to be answered, and nothing is wrong here."""
    peer, own = accepted(socket.AF_INET, "127.0.0.1")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    with own:
        assert "[3]; PeerGone: left before it was adopted: Transport endpoint is not connected" == adopt(own.fileno())


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("2001:db8::1", 5, 0, 0), "2001:db8::1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("::ffff:0:1", 5, 0, 0), "::ffff:0:1"),
        (("::1.2.3.4", 5, 0, 0), "::1.2.3.4"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::1%eth0"),
        ("", "local"),
        ("/run/peer", "local"),
        (b"\0abstract", "local"),
    ],
)
def test_address_is_plain(peer: object, address: str) -> None:
    """IPv4 is IPv4 also where a dual-stack listener took it; so one rule holds for both."""
    assert address == plain_address(peer)


def test_write_marks_the_answer_as_begun_even_when_it_fails() -> None:
    """Some of it may have left: a second answer would be taken for another request's."""
    peer, client = connect()
    peer.close()
    with pytest.raises(PeerGone, match="writing to the peer: .*Broken pipe"):
        client.write(b"x")
    assert client.answered


def test_write_ends_at_the_deadline_of_the_connection() -> None:
    """A peer that does not read is gone, not waited for."""
    peer, client = connect()
    client.deadline = time.monotonic() + 0.05
    with pytest.raises(PeerGone, match="timed out|deadline"):
        client.write(bytes(10_000_000))
    peer.close()


def test_linger_lets_an_answer_arrive_whose_request_was_not_read() -> None:
    """Without it, closing with unread input resets the connection and the peer may lose the answer (TCP)."""
    peer, own = accepted(socket.AF_INET, "127.0.0.1")
    client = module.Client(cores.socket.socket(fileno=own.detach()), "127.0.0.1")
    peer.sendall(bytes(30000))
    client.write(b"HTTP/1.1 413 Content Too Large\r\n\r\n")
    client.deadline = 0.0  # what the peer had for its request is no matter here
    worker = threading.Thread(target=client.linger)
    worker.start()
    assert b"HTTP/1.1 413 Content Too Large\r\n\r\n" == b"".join(iter(lambda: peer.recv(1000), b""))
    peer.close()
    worker.join()


def test_linger_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that never stops sending does not keep the process."""
    monkeypatch.setattr(module, "LINGER_BYTES", 1000)
    peer, client = connect()
    peer.sendall(bytes(100_000))
    client.linger()
    with pytest.raises(BrokenPipeError):
        peer.sendall(b"x")
    peer.close()


@pytest.mark.parametrize("leave", [lambda peer: None, lambda peer: peer.close()])
def test_linger_is_bounded_in_time_and_never_fails(
    monkeypatch: pytest.MonkeyPatch, leave: Callable[[socket.socket], None]
) -> None:
    """A peer that neither sends nor closes, and one that has left."""
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.02)
    peer, client = connect()
    leave(peer)
    client.linger()
    assert -1 == client.socket.fileno()
    peer.close()


# ---- the least rate


class Clock:
    """Time as a test wants it."""

    now = 1000.0

    def monotonic(self) -> float:
        """As time.monotonic."""
        return self.now


class SlowSocket:
    """A socket whose peer takes ``count`` bytes each time, after ``seconds`` of ``clock``."""

    def __init__(self, clock: Clock, seconds: float, count: int) -> None:
        self.clock, self.seconds, self.count = clock, seconds, count
        self.left = 0.0

    def settimeout(self, left: float) -> None:
        """As socket.settimeout."""
        self.left = left

    def send(self, data: memoryview) -> int:
        """As socket.send."""
        self.clock.now += min(self.seconds, self.left)
        if self.seconds > self.left:
            raise TimeoutError("timed out")
        return min(self.count, len(data))


@pytest.mark.parametrize(
    ("seconds", "count", "ending"),
    [
        (1.0, 101, "sent"),
        (1.0, 100, "sent"),
        (1.0, 99, "writing to the peer: timed out"),
        (1.0, 1, "writing to the peer: timed out"),
        (9.0, 900, "sent"),
        (10.0, 1000, "sent"),
        (11.0, 100_000, "writing to the peer: timed out"),
    ],
)
def test_peer_takes_its_answer_at_the_least_rate(
    monkeypatch: pytest.MonkeyPatch, seconds: float, count: int, ending: str
) -> None:
    """bytes_per_second, 100 here; ten seconds of grace, once."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    client = module.Client(SlowSocket(clock, seconds, count), "192.0.2.1")  # type: ignore[arg-type]  # a fake
    client.bound(Table("g1", True, Limits({"bytes_per_second": 100, "connection_seconds": 9000})))
    try:
        client.write(bytes(100_000))
        found = "sent"
    except PeerGone as gone:
        found = gone.reason
    assert ending == found
