# SPDX-License-Identifier: Apache-2.0
"""body: what a file of ``tests/wire`` can not say: limits, time, 100 (Continue), draining, and how reading goes on.

Each limit is tested one below, on, and one above.
"""

import socket
from collections.abc import Iterator

import pytest

from selsock.errors import PeerFault, PeerGone
from selsock.handler import adopt as adopt_module
from selsock.handler.adopt import GRACE_SECONDS, Client
from selsock.handler.head import HeadBuffer, RequestHead, read_head
from selsock.handler.serve import body as body_module
from selsock.handler.serve.body import DRAIN_BYTES, NOT_IN_TRAILERS, Body
from selsock.model import Limits, Table
from tests.unit.fakes import connect

LAST = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECT = "Expect: 100-continue\r\n"
LATE = "408 the content did not come in time (RFC 9110 §15.5.9)"
CUT = "400 the stream ended inside the content (RFC 9112 §8)"


class Exchanged:
    """A connection on which the head of one request has been read, with its body and the peer's end."""

    def __init__(self, head: str, content: bytes = b"", limits: dict[str, int] | None = None, minor: int = 1) -> None:
        self.limits = Limits(limits)
        self.buffer = HeadBuffer(self.limits.head_bytes)
        self.peer, self.client = connect()
        self.peer.setblocking(False)
        self.client.bound(Table("g1", True, self.limits))
        self.send(f"POST / HTTP/1.{minor}\r\nHost: dog.example\r\n{head}\r\n".encode() + content)
        self.body = Body(self.client, self.buffer, self.head(), self.limits)

    def head(self) -> RequestHead:
        """The next head."""
        return read_head(self.client, self.buffer, self.limits, 5.0)

    def send(self, data: bytes) -> None:
        """Send as the peer."""
        self.peer.sendall(data)

    def end(self) -> None:
        """Nothing more comes."""
        self.peer.shutdown(socket.SHUT_WR)

    def received(self) -> bytes:
        """What the peer has received by now."""
        try:
            return self.peer.recv(65536)
        except BlockingIOError:
            return b""

    def portions(self, size: int) -> list[bytes]:
        """All of the content, as reads of ``size`` give it."""
        return list(iter(lambda: self.body.read(size), b""))

    def whole(self) -> bytes:
        """All of the content."""
        return b"".join(self.portions(65536))

    def refusal(self) -> str:
        """Status and reason of the fault in the content, which is not all there."""
        self.end()
        with pytest.raises(PeerFault) as caught:
            self.whole()
        return f"{caught.value.status} {caught.value.reason}"

    def close(self) -> None:
        """Both ends."""
        self.peer.close()
        self.client.socket.close()


@pytest.fixture
def exchanges() -> Iterator[list[Exchanged]]:
    """Those of a test, to be closed."""
    found: list[Exchanged] = []
    yield found
    for exchanged in found:
        exchanged.close()


class Begin:
    """Makes what the test asks for, and keeps it until the test is over."""

    def __init__(self, exchanges: list[Exchanged]) -> None:
        self.exchanges = exchanges

    def length(self, length: int, content: bytes = b"", rest: str = "", **limits: int) -> Exchanged:
        """A request with Content-Length."""
        return self.request(f"Content-Length: {length}\r\n{rest}", content, 1, limits)

    def chunked(self, content: bytes = b"", rest: str = "", **limits: int) -> Exchanged:
        """A request whose content comes in chunks."""
        return self.request(f"Transfer-Encoding: chunked\r\n{rest}", content, 1, limits)

    def request(self, head: str, content: bytes, minor: int, limits: dict[str, int]) -> Exchanged:
        """Any request."""
        self.exchanges.append(Exchanged(head, content, limits, minor))
        return self.exchanges[-1]


@pytest.fixture
def begin(exchanges: list[Exchanged]) -> Begin:
    """One for each test."""
    return Begin(exchanges)


# ---- reading


def test_content_is_read_in_portions_of_any_size(begin: Begin) -> None:
    """At most as much as was asked for, wherever it lies; nothing at its end, as often as asked."""
    for size in (1, 2, 3, 4, 5, 6, 100):
        for exchanged in (begin.length(5, b"hel"), begin.chunked(b"4\r\nhell\r\n1\r\no\r\n0\r")):
            exchanged.send(b"lo" if not exchanged.body.chunked else b"\n\r\n")
            portions = exchanged.portions(size)
            assert (b"hello", True) == (b"".join(portions), max(map(len, portions)) <= size)
            assert (b"", True) == (exchanged.body.read(size), exchanged.body.finished)


def test_reading_nothing_reads_nothing(begin: Begin) -> None:
    """No 100 (Continue) is sent for it either."""
    exchanged = begin.length(5, rest=EXPECT)
    assert (b"", b"", True) == (exchanged.body.read(0), exchanged.received(), exchanged.body.expects)


def test_content_that_was_read_is_not_kept(begin: Begin) -> None:
    """A form may hold a password, and the next tenant's request is read into the same buffer."""
    exchanged = begin.chunked(b"8;a=hidden\r\n5ecret!!\r\n0\r\nX: 5ecret\r\n\r\n")
    assert b"5ecret!!" == exchanged.whole()
    assert (False, False) == (b"ecret" in exchanged.buffer.data, b"hidden" in exchanged.buffer.data)


@pytest.mark.parametrize("length", [0, 1, 5])
def test_read_never_goes_beyond_the_content(begin: Begin, length: int) -> None:
    """What follows is the next request, in the buffer or still with the kernel."""
    following = b"GET /next HTTP/1.1\r\nHost: dog.example\r\n\r\n"
    exchanged = begin.length(length, b"hello"[:length] + following[:1])
    exchanged.send(following[1:])
    assert b"hello"[:length] == exchanged.whole()
    assert "/next" == exchanged.head().target.raw


def test_fault_is_final(begin: Begin) -> None:
    """Whoever goes on reading after a fault would take what follows for content, or content for a request."""
    exchanged = begin.chunked(b"x\r\n5\r\nhello\r\n" + LAST)
    with pytest.raises(PeerFault) as first:
        exchanged.body.read(5)
    with pytest.raises(PeerFault) as second:
        exchanged.body.read(5)
    assert (400, True) == (first.value.status, first.value is second.value)
    assert not exchanged.body.drain()


def test_peer_that_resets_is_gone(begin: Begin) -> None:
    """ECONNRESET; nobody is there to be answered."""
    exchanged = begin.length(5, rest=EXPECT)
    exchanged.client.write(b"unread, so that closing resets")
    exchanged.peer.close()
    exchanged.client.answered = True
    with pytest.raises(PeerGone, match="Connection reset by peer"):
        exchanged.body.read(5)


# ---- limits


@pytest.mark.parametrize("count", [9, 10])
def test_content_up_to_its_limit_is_read(begin: Begin, count: int) -> None:
    """By length, in one chunk, and in several."""
    content = b"0123456789"[:count]
    several = b"".join(b"1\r\n%c\r\n" % octet for octet in content)
    assert content == begin.length(count, content, content_bytes=10).whole()
    for chunks in (b"%x\r\n%b\r\n" % (count, content), several):
        assert content == begin.chunked(chunks + LAST, content_bytes=10).whole()


@pytest.mark.parametrize("chunks", [b"b\r\n", b"a\r\n0123456789\r\n1\r\n", b"1\r\na\r\n" * 10 + b"1\r\n"])
def test_content_above_its_limit_is_413(begin: Begin, chunks: bytes) -> None:
    """RFC 9110 §15.5.14: as soon as a chunk's size says so, before its content; the length is looked at in the head."""
    wanted = "413 more than 10 bytes of content (RFC 9110 §15.5.14)"
    assert wanted == begin.chunked(chunks, content_bytes=10).refusal()


@pytest.mark.parametrize("count", [2, 3])
def test_chunks_up_to_their_limit_are_read(begin: Begin, count: int) -> None:
    """The last one, which has no content, is not counted."""
    assert b"a" * count == begin.chunked(b"1\r\na\r\n" * count + LAST, chunks=3).whole()


def test_chunks_above_their_limit_are_413(begin: Begin) -> None:
    """RFC 9110 §15.5.14: each of them costs, however little it holds."""
    wanted = "413 more than 3 chunks (RFC 9110 §15.5.14)"
    assert wanted == begin.chunked(b"1\r\na\r\n" * 4 + LAST, chunks=3).refusal()


@pytest.mark.parametrize("line", [b"5;" + b"a" * 17, b"5;" + b"a" * 18, b"0" * 14 + b"5;aaaa"])
def test_chunk_line_up_to_its_limit_is_read(begin: Begin, line: bytes) -> None:
    """Without its CRLF."""
    assert b"hello" == begin.chunked(line + b"\r\nhello\r\n" + LAST, chunk_line_bytes=20).whole()


@pytest.mark.parametrize("line", [b"5;" + b"a" * 19 + b"\r\n", b"5;" + b"a" * 20, b"5;" + b"a" * 500])
def test_chunk_line_above_its_limit_is_400(begin: Begin, line: bytes) -> None:
    """RFC 9112 §7.1.1, whether it ends or not."""
    wanted = "400 more than 20 bytes in a chunk's first line (RFC 9112 §7.1.1)"
    assert wanted == begin.chunked(line, chunk_line_bytes=20).refusal()


@pytest.mark.parametrize(
    "trailers", [b"X: " + b"a" * 14, b"X: " + b"a" * 15, b"X:\r\n" * 4 + b"Y:", b"X: a\r\nY: aaaaaaaa"]
)
def test_trailers_up_to_their_limit_are_read(begin: Begin, trailers: bytes) -> None:
    """Every byte of them with each CRLF, but for the empty line."""
    assert len(trailers) in (17, 18)
    assert b"" == begin.chunked(b"0\r\n" + trailers + b"\r\n\r\n", trailer_bytes=20).whole()


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_trailer_limit_below_the_least_field_line_lets_none_through(begin: Begin, limit: int) -> None:
    """The empty line alone is none."""
    assert b"" == begin.chunked(LAST, trailer_bytes=limit).whole()
    wanted = f"431 more than {limit} bytes of trailers (RFC 6585 §5)"
    assert wanted == begin.chunked(b"0\r\nX:\r\n\r\n", trailer_bytes=limit).refusal()


@pytest.mark.parametrize(
    "trailers", [b"X: " + b"a" * 16 + b"\r\n\r\n", b"X:\r\n" * 4 + b"Y:a\r\n", b"X:\r\n" * 5 + b"Y:\r\n", b"X" * 500]
)
def test_trailers_above_their_limit_are_431(begin: Begin, trailers: bytes) -> None:
    """RFC 6585 §5, whether they end or not."""
    wanted = "431 more than 20 bytes of trailers (RFC 6585 §5)"
    assert wanted == begin.chunked(b"0\r\n" + trailers, trailer_bytes=20).refusal()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"5;" + b"a" * 600, "400 more than 1000 bytes in a chunk's first line (RFC 9112 §7.1.1)"),
        (b"0\r\nX: " + b"a" * 600, "431 more than 1000 bytes of trailers (RFC 6585 §5)"),
    ],
)
def test_line_never_outgrows_the_buffer(begin: Begin, content: bytes, reason: str) -> None:
    """Where the administrator allows it more than a head: a full buffer that reads nothing is no end of the stream."""
    exchanged = begin.chunked(content, head_bytes=512, chunk_line_bytes=1000, trailer_bytes=1000)
    assert reason == exchanged.refusal()


@pytest.mark.parametrize("length", [509, 510])
def test_line_may_fill_the_buffer(begin: Begin, length: int) -> None:
    """Its CRLF is in it as well; what lies before it makes room."""
    exchanged = begin.chunked(head_bytes=512, chunk_line_bytes=1000)
    exchanged.send(b"5;" + b"a" * (length - 2) + b"\r\nhello\r\n" + LAST)
    assert b"hello" == exchanged.whole()


@pytest.mark.parametrize("name", NOT_IN_TRAILERS)
def test_field_that_matters_is_none_behind_the_content(begin: Begin, name: bytes) -> None:
    """RFC 9110 §6.5.1: a proxy that merged it into the head would read another message."""
    wanted = f"400 {name.decode()} behind the content (RFC 9110 §6.5.1)"
    assert wanted == begin.chunked(b"0\r\n" + name + b": 1\r\n\r\n").refusal()


# ---- time


class Clock:
    """Time as a test wants it."""

    now = 1000.0

    def monotonic(self) -> float:
        """As time.monotonic."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The one that client and body look at."""
    clock = Clock()
    monkeypatch.setattr(adopt_module, "time", clock)
    monkeypatch.setattr(body_module, "time", clock)
    monkeypatch.setattr("selsock.handler.head.time", clock)
    return clock


class Drip:
    """A peer's pace: each read takes ``seconds`` of ``clock`` and yields ``count`` bytes, as long as it has the time."""

    def __init__(self, clock: Clock, client: Client, seconds: float, count: int) -> None:
        self.clock, self.client, self.seconds, self.count = clock, client, seconds, count
        self.reads = 0

    def __call__(self, view: memoryview, deadline: float) -> int:
        """In place of ``Client.read_into``."""
        self.client.expire(deadline)
        left = min(deadline, self.client.deadline) - self.clock.now
        self.clock.now += min(self.seconds, left)
        if self.seconds > left:
            raise TimeoutError
        self.reads += 1
        return min(self.count, len(view))


def drip(begin: Begin, clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: float, count: int) -> tuple[str, Drip]:
    """How the content of a peer ends that sends ``count`` bytes every so many ``seconds``; at least 100 a second."""
    exchanged = begin.length(100_000, bytes_per_second=100, request_seconds=5000, connection_seconds=9000)
    slow = Drip(clock, exchanged.client, seconds, count)
    monkeypatch.setattr(Client, "read_into", lambda client, view, deadline: slow(view, deadline))
    try:
        return f"{len(exchanged.whole())} bytes", slow
    except PeerFault as fault:
        return f"{fault.status} {fault.reason}", slow


@pytest.mark.parametrize("count", [100, 101])
def test_content_at_the_least_rate_is_read(
    begin: Begin, clock: Clock, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """bytes_per_second, counted over the whole content."""
    assert "100000 bytes" == drip(begin, clock, monkeypatch, 1.0, count)[0]


@pytest.mark.parametrize("count", [1, 99])
def test_content_below_the_least_rate_is_408(
    begin: Begin, clock: Clock, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """RFC 9110 §15.5.9: the grace is given once, and no byte gives it again."""
    ending, slow = drip(begin, clock, monkeypatch, 1.0, count)
    assert LATE == ending
    wanted = (GRACE_SECONDS - 1) / (1 - count / 100) + 1  # each second costs what it did not bring
    assert wanted - 1 <= slow.reads <= wanted + 1


@pytest.mark.parametrize(("seconds", "ending"), [(9.0, "100000 bytes"), (10.0, "100000 bytes"), (11.0, LATE)])
def test_peer_may_pause_for_the_grace(
    begin: Begin, clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: float, ending: str
) -> None:
    """Ten seconds, whatever the rate; what it has sent in time gives it more."""
    assert ending == drip(begin, clock, monkeypatch, seconds, 1001 if seconds > 9 else 901)[0]


@pytest.mark.parametrize(("seconds", "ending"), [(19, "hello"), (20, LATE), (21, LATE)])
def test_request_has_its_time(begin: Begin, clock: Clock, seconds: int, ending: str) -> None:
    """request_seconds, from the end of the head on, whatever the rate."""
    exchanged = begin.length(5, b"hell", request_seconds=20, connection_seconds=300)
    assert b"hell" == exchanged.body.read(5)
    exchanged.send(b"o")
    clock.now += seconds
    ended = "hello" if seconds < 20 and exchanged.body.read(1) == b"o" else exchanged.refusal()
    assert ending == ended


@pytest.mark.parametrize(("seconds", "ending"), [(29, "hello"), (30, LATE), (31, LATE)])
def test_connection_has_its_time(begin: Begin, clock: Clock, seconds: int, ending: str) -> None:
    """connection_seconds, from its start on, counts where a request might take longer."""
    exchanged = begin.length(5, b"hell", request_seconds=300, connection_seconds=30)
    assert b"hell" == exchanged.body.read(5)
    exchanged.send(b"o")
    clock.now += seconds
    ended = "hello" if seconds < 30 and exchanged.body.read(1) == b"o" else exchanged.refusal()
    assert ending == ended


def test_next_request_has_its_own_time(begin: Begin, clock: Clock) -> None:
    """Neither the time nor the rate of one request counts against the next."""
    exchanged = begin.length(5, b"hello", request_seconds=20, connection_seconds=300)
    clock.now += 19
    assert b"hello" == exchanged.whole()
    exchanged.send(b"POST / HTTP/1.1\r\nHost: dog.example\r\nContent-Length: 1\r\n\r\na")
    clock.now += 100
    head = exchanged.head()
    assert (clock.now + 20, 0, 0.0) == (exchanged.client.deadline, exchanged.client.moved, exchanged.client.waited)
    assert b"a" == Body(exchanged.client, exchanged.buffer, head, exchanged.limits).read(5)


# ---- 100 (Continue), RFC 9110 §10.1.1


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_continue_is_sent_by_the_first_read(begin: Begin, how: str) -> None:
    """Exactly once, and it does not begin the answer."""
    content = b"hello" if how == "length" else b"5\r\nhello\r\n" + LAST
    exchanged = begin.length(5, rest=EXPECT) if how == "length" else begin.chunked(rest=EXPECT)
    assert b"" == exchanged.received()
    exchanged.end()
    with pytest.raises(PeerFault, match="the stream ended inside the content"):
        exchanged.body.read(1)
    assert (CONTINUE, False) == (exchanged.received(), exchanged.client.answered)
    exchanged = begin.length(5, rest=EXPECT) if how == "length" else begin.chunked(rest=EXPECT)
    exchanged.body.proceed()
    exchanged.send(content)
    assert (b"hello", CONTINUE) == (exchanged.whole(), exchanged.received())


@pytest.mark.parametrize("arrived", [b"h", b"hello"])
def test_continue_is_not_sent_when_content_has_arrived(begin: Begin, arrived: bytes) -> None:
    """The client did not wait."""
    exchanged = begin.length(5, arrived, EXPECT)
    exchanged.send(b"hello"[len(arrived) :])
    assert (b"hello", b"") == (exchanged.whole(), exchanged.received())


def test_continue_is_not_sent_to_http_1_0(begin: Begin) -> None:
    """It would take it for the answer."""
    exchanged = begin.request(f"Content-Length: 5\r\n{EXPECT}", b"", 0, {})
    exchanged.send(b"hello")
    assert (b"hello", b"") == (exchanged.whole(), exchanged.received())


@pytest.mark.parametrize("rest", ["", EXPECT])
def test_continue_is_not_sent_where_nothing_is_expected(begin: Begin, rest: str) -> None:
    """Without the field; and without content, for which nobody waits."""
    exchanged = begin.length(0 if rest else 5, b"" if rest else b"hello", rest)
    assert (b"" if rest else b"hello", b"") == (exchanged.whole(), exchanged.received())


def test_continue_is_not_sent_once_an_answer_has_begun(begin: Begin) -> None:
    """It would stand in the middle of that; the content is read if it comes, and the connection ends all the same."""
    exchanged = begin.length(5, rest=EXPECT)
    exchanged.client.write(b"answer")
    exchanged.send(b"hello")
    assert (b"hello", b"answer") == (exchanged.whole(), exchanged.received())
    assert (True, False) == (exchanged.body.finished, exchanged.body.drain())


# ---- draining


@pytest.mark.parametrize("read", [0, 1, 5])
@pytest.mark.parametrize("how", ["length", "chunked"])
def test_next_request_begins_behind_what_was_drained(begin: Begin, how: str, read: int) -> None:
    """Whatever the content handler has read of it."""
    following = b"GET /next HTTP/1.1\r\nHost: dog.example\r\n\r\n"
    chunks = b"3\r\nhel\r\n2\r\nlo\r\n0\r\nX: a\r\n\r\n"
    exchanged = begin.length(5, b"hello" + following) if how == "length" else begin.chunked(chunks + following)
    exchanged.body.read(read)
    assert (True, "/next") == (exchanged.body.drain(), exchanged.head().target.raw)


@pytest.mark.parametrize("how", ["length", "chunked"])
@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("read", [0, 7])
def test_draining_is_bounded(begin: Begin, how: str, over: int, read: int) -> None:
    """64 KiB beyond what was read; more is not worth it, and the connection ends."""
    count = DRAIN_BYTES + read + over
    content = bytes(count)
    exchanged = begin.length(count) if how == "length" else begin.chunked()
    exchanged.send(content if how == "length" else b"%x\r\n%b\r\n" % (count, content) + LAST)
    exchanged.body.read(read)
    # Of chunks, the end itself is read only when there is room left.
    assert (over < (1 if how == "length" else 0)) == exchanged.body.drain()
    assert exchanged.body.taken <= DRAIN_BYTES + read


def test_content_that_may_never_come_is_not_waited_for(begin: Begin) -> None:
    """A client that was never told to go on may send its next request instead."""
    exchanged = begin.length(5, rest=EXPECT)
    assert (False, b"") == (exchanged.body.drain(), exchanged.received())


def test_draining_ends_with_the_stream(begin: Begin) -> None:
    """As reading does."""
    exchanged = begin.length(5, b"hell")
    exchanged.end()
    with pytest.raises(PeerFault) as caught:
        exchanged.body.drain()
    assert CUT == f"{caught.value.status} {caught.value.reason}"


def test_without_content_there_is_nothing_to_drain(begin: Begin) -> None:
    """The common case: not a byte is waited for."""
    assert begin.length(0).body.drain()
