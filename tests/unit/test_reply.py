# SPDX-License-Identifier: Apache-2.0
"""reply: one response, framed by RFC 9112 §6; a length that is announced is kept, or the peer notices; and no peer takes
its time for ever."""

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h11
import pytest

from selsock import cores
from selsock.errors import PeerGone
from selsock.handler import adopt
from selsock.handler.adopt import GRACE_SECONDS, Client
from selsock.handler.head import HeadBuffer, read_head
from selsock.handler.serve import reply as module
from selsock.handler.serve.reply import Outcome, Reply
from selsock.model import Limits
from tests.unit.fakes import PATIENCE, connect

LEAST = 500


@contextlib.contextmanager
def asked(method: str = "GET", minor: int = 1, close: bool = False) -> Iterator[tuple[socket.socket, Reply]]:
    """The peer's end of a connection, and the reply to the request that it has sent."""
    peer, client = connect()
    peer.sendall(f"{method} / HTTP/1.{minor}\r\nHost: dog.example\r\n\r\n".encode())
    head = read_head(client, HeadBuffer(1024), Limits(), 5.0)
    try:
        yield peer, Reply(client, head, close or head.close)
    finally:
        client.socket.close()
        peer.close()


Answer = Callable[[Reply], Outcome]


def said(
    answer: Answer, method: str = "GET", minor: int = 1, close: bool = False
) -> tuple[bytes, bytes, Outcome, bool]:
    """Head and what follows it, the outcome, and whether the connection is to close, of a reply that ``answer`` makes."""
    with asked(method, minor, close) as (peer, reply):
        outcome = answer(reply)
        reply.client.socket.close()
        head, _, content = b"".join(iter(lambda: peer.recv(65536), b"")).partition(b"\r\n\r\n")
        return head, content, outcome, reply.close


def hello(status: int = 200, length: int | None = None, parts: tuple[bytes, ...] = (b"hello", b" world")) -> Answer:
    """A response of some parts, the first of them with its head."""

    def answer(reply: Reply) -> Outcome:
        reply.begin(status, [("X-Field", "1")], length, parts[0])
        for part in parts[1:]:
            reply.write(part)
        return reply.end("reason")

    return answer


# ---- framing


@pytest.mark.parametrize(
    ("method", "minor", "status", "length", "framing", "content", "close"),
    [
        ("GET", 1, 200, 11, "Content-Length: 11", b"hello world", False),
        ("GET", 1, 200, None, "Transfer-Encoding: chunked", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", False),
        ("GET", 0, 200, 11, "Content-Length: 11", b"hello world", True),
        ("GET", 0, 200, None, "", b"hello world", True),
        ("HEAD", 1, 200, 11, "Content-Length: 11", b"", False),
        ("HEAD", 1, 200, None, "Transfer-Encoding: chunked", b"", False),
        ("HEAD", 0, 200, None, "", b"", True),
        ("GET", 1, 204, None, "", b"", False),
        ("GET", 1, 204, 11, "", b"", False),
        ("GET", 0, 204, None, "", b"", True),
        ("GET", 1, 304, None, "", b"", False),
        ("GET", 1, 304, 11, "Content-Length: 11", b"", False),
        ("GET", 1, 404, 11, "Content-Length: 11", b"hello world", False),
        ("POST", 1, 200, None, "Transfer-Encoding: chunked", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", False),
    ],
)
def test_response_is_framed(
    method: str, minor: int, status: int, length: int | None, framing: str, content: bytes, close: bool
) -> None:
    """RFC 9112 §6.3: by length, by chunks, or by the end of the connection; not at all where there is no content."""
    head, found, outcome, closes = said(hello(status, length), method, minor)
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    assert "X-Field: 1" in lines
    assert [framing] * bool(framing) == [line for line in lines if line.startswith(("Content-L", "Transfer"))]
    assert (content, close, close) == (found, closes, "Connection: close" in lines)
    sent = 0 if method == "HEAD" or status in (204, 304) else 11
    assert (status, sent, "reason", False) == (outcome.status, outcome.content, outcome.reason, outcome.cut)


@pytest.mark.parametrize("length", [11, None])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 206, 304, 404, 500])
def test_response_is_whole_to_another_implementation(method: str, status: int, length: int | None) -> None:
    """h11 sees one message, and nothing behind it."""
    head, content, _, _ = said(hello(status, length), method)
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "dog.example")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(head + b"\r\n\r\n" + content)
    response, text = connection.next_event(), b""
    assert isinstance(response, h11.Response)
    while isinstance(event := connection.next_event(), h11.Data):
        text += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert (b"", b"" if method == "HEAD" or status in (204, 304) else b"hello world") == (
        connection.trailing_data[0],
        text,
    )


def test_205_has_no_content() -> None:
    """RFC 9110 §15.3.6, and says so; what an application writes is too much."""
    for parts in ((b"",), (b"", b"content")):
        head, content, outcome, _ = said(hello(205, None, parts))
        assert (b"", True) == (content, b"\r\nContent-Length: 0" in head)
        assert (len(parts) > 1) == outcome.cut


def test_empty_part_is_no_chunk() -> None:
    """It would be the last one (RFC 9112 §7.1)."""
    _, content, _, _ = said(hello(200, None, (b"", b"a", b"", b"b")))
    assert b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n" == content


def test_last_response_says_so() -> None:
    """RFC 9112 §9.6."""
    assert b"\r\nConnection: close" in said(hello(), close=True)[0]
    assert b"\r\nConnection" not in said(hello())[0]


def test_unknown_status_has_an_empty_phrase() -> None:
    """RFC 9112 §4: the space stays."""
    assert said(hello(299, 11))[0].startswith(b"HTTP/1.1 299 \r\n")


# ---- a length that is not kept


@pytest.mark.parametrize(
    ("length", "content", "cut", "reason"),
    [
        (10, b"hello worl", True, "more content than announced"),
        (11, b"hello world", False, "reason"),
        (12, b"hello world", True, "1 bytes less than announced"),
        (5, b"hello", True, "more content than announced"),
        (0, b"", True, "more content than announced"),
    ],
)
def test_length_is_kept_or_the_connection_ends(length: int, content: bytes, cut: bool, reason: str) -> None:
    """Too much would be taken for the next response, too little would wait for it (RFC 9112 §8)."""
    _, found, outcome, close = said(hello(200, length))
    assert (content, cut, cut) == (found, close, outcome.cut)
    assert (reason, len(content)) == (outcome.reason, outcome.content)


@pytest.mark.parametrize("length", [0, 5, 11, 100])
def test_length_of_head_is_what_it_says(length: int) -> None:
    """The content of an answer to HEAD is never sent, so it can be neither too long nor too short."""
    head, content, outcome, close = said(hello(200, length), "HEAD")
    assert (b"", False, False) == (content, outcome.cut, close)
    assert f"\r\nContent-Length: {length}".encode() in head


def test_cut_of_chunks_has_no_last_chunk() -> None:
    """So the peer sees that there is more (RFC 9112 §8)."""

    def answer(reply: Reply) -> Outcome:
        reply.begin(200, [], None, b"hello")
        return reply.cut("gone wrong")

    _, content, outcome, close = said(answer)
    assert (b"5\r\nhello\r\n", 5, "gone wrong", True, True) == (
        content,
        outcome.content,
        outcome.reason,
        outcome.cut,
        close,
    )


def test_cut_without_length_or_chunks_is_a_reset() -> None:
    """The end of the connection would be the end of the content (HTTP/1.0); over TCP, since AF_UNIX has no reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        own = cores.socket.socket(fileno=listener.accept()[0].detach())
    client = Client(own, "127.0.0.1")
    peer.sendall(b"GET / HTTP/1.0\r\nHost: dog.example\r\n\r\n")
    reply = Reply(client, read_head(client, HeadBuffer(1024), Limits(), 5.0), True)
    reply.begin(200, [], None, b"hello")
    assert peer.recv(65536).endswith(b"hello")
    assert reply.cut("gone wrong").cut
    with pytest.raises(ConnectionResetError):
        peer.recv(1)
    peer.close()


@pytest.mark.parametrize("begun", [False, True])
def test_failure_is_a_page_or_a_cut(begun: bool) -> None:
    """Never a second response behind the first; and the connection ends either way."""

    def answer(reply: Reply) -> Outcome:
        if begun:
            reply.begin(200, [], 11, b"hello")
        return reply.fail(502, "gone wrong")

    head, content, outcome, close = said(answer)
    wanted = (b"HTTP/1.1 200 OK", b"hello") if begun else (b"HTTP/1.1 502 Bad Gateway", b"502 Bad Gateway\n")
    assert wanted == (head.split(b"\r\n")[0], content)
    assert (begun, "gone wrong", True) == (outcome.cut, outcome.reason, close)


def test_page_has_the_fields_that_it_is_given() -> None:
    """Allow with a 405; and its reason is for the journal alone."""
    head, content, outcome, close = said(lambda reply: reply.page(405, "secret", [("Allow", "GET, HEAD")]))
    assert (b"405 Method Not Allowed\n", "secret", False) == (content, outcome.reason, close)
    assert b"\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD\r\nContent-Length: 23" in head
    assert b"secret" not in head


# ---- files


def write_file(path: Path, offset: int, length: int, method: str = "GET", announced: int | None = None) -> Answer:
    """A response that is a part of a file."""

    def answer(reply: Reply) -> Outcome:
        with path.open("rb") as file:
            reply.begin(200, [], length if announced is None else announced)
            reply.write_file(file.fileno(), offset, length)
        return reply.end()

    return answer


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_every_byte_of_a_file_is_sent(tmp_path: Path, size: int) -> None:
    """Also where it takes several calls of sendfile and the peer reads slowly."""
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    with asked() as (peer, reply):

        def send() -> None:
            write_file(path, 0, size)(reply)
            reply.client.socket.close()

        worker = threading.Thread(target=send)
        worker.start()
        got = b"".join(iter(lambda: peer.recv(10000), b""))
        worker.join()
        assert size == reply.sent
    assert data == got.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 1), (3, 4), (9, 1), (0, 10), (10, 0)])
def test_part_of_a_file_is_sent(tmp_path: Path, offset: int, length: int) -> None:
    """And the position of the descriptor is nobody's."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    _, content, outcome, _ = said(write_file(path, offset, length))
    assert (b"0123456789"[offset : offset + length], length, False) == (content, outcome.content, outcome.cut)


def test_nothing_of_a_file_is_sent_where_there_is_no_content(tmp_path: Path) -> None:
    """HEAD."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert b"" == said(write_file(path, 0, 10), "HEAD")[1]


@pytest.mark.parametrize(("size", "short"), [(9, 1), (0, 10), (10, 0), (11, 0)])
def test_file_that_ends_early_ends_the_connection(tmp_path: Path, size: int, short: int) -> None:
    """The length was announced before; RFC 9112 §8 tells what a peer makes of that."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789+"[:size])
    if short:
        with pytest.raises(PeerGone, match=f"^the file ended {short} bytes early$"):
            said(write_file(path, 0, 10))
    else:
        assert b"0123456789" == said(write_file(path, 0, 10))[1]


@pytest.mark.parametrize(("announced", "cut"), [(9, True), (10, False), (11, True)])
def test_part_that_is_not_what_was_announced_ends_the_connection(tmp_path: Path, announced: int, cut: bool) -> None:
    """And nothing is sent beyond it: that would be taken for the next response."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    _, content, outcome, _ = said(write_file(path, 0, 10, announced=announced))
    assert (b"0123456789"[:announced], cut) == (content, outcome.cut)


def test_peer_that_left_is_noticed_while_a_file_is_sent(tmp_path: Path) -> None:
    """No signal, no traceback."""
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    with asked() as (peer, reply), path.open("rb") as file:
        reply.begin(200, [], 1000)
        peer.close()
        with pytest.raises(PeerGone, match="writing to the peer: .*Broken pipe"):
            reply.write_file(file.fileno(), 0, 1000)


# ---- time


def test_deadline_ends_the_sending_of_a_file(tmp_path: Path) -> None:
    """A peer that does not read is gone, not waited for."""
    path = tmp_path / "file"
    path.write_bytes(bytes(10_000_000))
    with asked() as (_, reply), path.open("rb") as file:
        reply.client.deadline = time.monotonic() + 0.05
        reply.begin(200, [], 10_000_000)
        with pytest.raises(PeerGone, match="writing to the peer: deadline"):
            reply.write_file(file.fileno(), 0, 10_000_000)


class Clock:
    """A clock that only a slow peer moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


class SlowPeer:
    """Stands in for the socket, for ``posix`` and for ``select``: the peer takes ``rate`` bytes a second, or none at all.

    ``given`` has each time, in seconds, that was to be waited at most; where none are taken, it passes.
    """

    POLLOUT = select.POLLOUT

    def __init__(self, rate: int) -> None:
        self.clock, self.rate, self.given, self.took = Clock(), rate, [0.0], 0

    def fileno(self) -> int:
        """Of a socket that is never asked."""
        return -1

    def settimeout(self, seconds: float) -> None:
        """Of the socket, for send."""
        self.given.append(seconds)

    def send(self, view: memoryview) -> int:
        """As much as the socket's buffer holds."""
        if not self.rate:
            self.clock.now += self.given[-1]
            raise TimeoutError("timed out")
        return self.take(len(view))

    def poll(self, milliseconds: float | None = None) -> "SlowPeer":
        """Of a poll object, for sendfile; and the call that makes one."""
        if milliseconds is not None and not self.rate:
            self.clock.now += milliseconds / 1000
        return self

    def register(self, file: int, events: int) -> None:
        """Of a poll object."""

    def sendfile(self, out: int, file: int, offset: int, count: int) -> int:
        """As ``send``."""
        if not self.rate:
            raise BlockingIOError
        return self.take(count)

    def take(self, count: int) -> int:
        """Some of it; the time that this takes passes."""
        count = min(count, 65536)
        self.clock.now += count / self.rate
        self.took += count
        return count


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], tuple[SlowPeer, Reply]]:
    """slow(rate): a peer, and the reply to it, whose head it took in no time."""

    def make(rate: int) -> tuple[SlowPeer, Reply]:
        peer = SlowPeer(rate)
        with asked() as (_, reply):
            client = Client(peer, "192.0.2.1")  # type: ignore[arg-type]  # as much of a socket as is used here
            reply.client = client  # type: ignore[misc]  # Final
        monkeypatch.setattr(adopt, "time", peer.clock)
        monkeypatch.setattr(module, "posix", peer)
        monkeypatch.setattr(module, "select", peer)
        client.least = LEAST
        client.end = client.deadline = peer.clock.now + 1e9
        reply.left = 1 << 40
        return peer, reply

    return make


# At one byte a second less than the least, the seconds of grace are used up after so many bytes.
ENOUGH = int(GRACE_SECONDS * LEAST * (LEAST - 1))


@pytest.mark.parametrize(("rate", "gone"), [(LEAST - 1, True), (LEAST, False), (LEAST + 1, False)])
@pytest.mark.parametrize("kind", ["write", "write_file"])
def test_peer_that_is_slower_than_the_least_rate_is_gone(
    slow: Callable[[int], tuple[SlowPeer, Reply]], rate: int, gone: bool, kind: str
) -> None:
    """bytes_per_second, whether the content is a file or not; and not a byte before the grace is used up."""
    peer, reply = slow(rate)
    send = reply.client.write if kind == "write" else lambda data: reply.write_file(0, 0, len(data))
    send(bytes(ENOUGH - 65536))
    assert ENOUGH - 65536 == peer.took
    if gone:
        with pytest.raises(PeerGone, match="^writing to the peer: deadline$"):
            send(bytes(3 * 65536))
    else:
        send(bytes(10 * ENOUGH))


@pytest.mark.parametrize("kind", ["write", "write_file"])
@pytest.mark.parametrize("left", [GRACE_SECONDS - 1, GRACE_SECONDS, GRACE_SECONDS + 1])
def test_peer_that_takes_nothing_is_gone_after_the_grace(
    slow: Callable[[int], tuple[SlowPeer, Reply]], left: float, kind: str
) -> None:
    """Or at the deadline of the request, where that is sooner."""
    peer, reply = slow(0)
    began = peer.clock.now
    reply.client.deadline = began + left
    with pytest.raises(PeerGone, match="^writing to the peer: (timed out|deadline)$"):
        reply.client.write(b"x") if kind == "write" else reply.write_file(0, 0, 1)
    assert min(left, GRACE_SECONDS) == peer.clock.now - began


def test_next_request_has_a_grace_of_its_own(slow: Callable[[int], tuple[SlowPeer, Reply]]) -> None:
    """What was saved, or used up, in one request is forgotten in the next."""
    peer, reply = slow(LEAST - 1)
    for _ in range(3):
        reply.client.next_request()
        reply.client.write(bytes(ENOUGH - 65536))
    reply.client.next_request()
    peer.rate = 0
    began = peer.clock.now
    with pytest.raises(PeerGone):
        reply.client.write(b"x")
    assert GRACE_SECONDS == peer.clock.now - began
