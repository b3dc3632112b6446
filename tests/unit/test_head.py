# SPDX-License-Identifier: Apache-2.0
"""Every message of ``tests/wire`` gives exactly what is stated beside it, however the bytes arrive.

``NAME.http`` is what the peer sends before it half-closes, NAME the clause that it is about.  ``NAME.expect`` is the
refusal, status and reason, be it of the head or of the content; or, under ``accept``, what the message says: one
"name value" per line, segments in JSON.  ``body`` is the content and ``rest`` what follows the message, in JSON, or
length and SHA-256 if they are long; a line of nothing is left out.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import pytest

from selsock.errors import PeerFault, PeerGone
from selsock.handler import adopt as adopt_module
from selsock.handler import head as head_module
from selsock.handler.adopt import Client
from selsock.handler.head import CHUNKED, HeadBuffer, RequestHead, read_head
from selsock.handler.serve.body import Body
from selsock.model import Limits
from tests.unit.fakes import connect

WIRE = Path(__file__).parent.parent / "wire"
ACCEPT = sorted((WIRE / "accept").glob("*.http"))
REFUSE = sorted((WIRE / "refuse").glob("*.http"))
FEEDS = ("whole", "halves", "bytes")
HOST = b"Host: dog.example\r\n"


class Portions(Client):
    """A Client whose reads return at most the next of ``sizes`` bytes, as if the network had cut the stream there."""

    __slots__ = ("sizes",)

    def __init__(self, client: Client, sizes: Iterator[int]) -> None:
        super().__init__(client.socket, client.address)
        self.sizes = sizes

    def read_into(self, view: memoryview, deadline: float) -> int:
        """Read as a Client, into less of ``view``."""
        return super().read_into(view[: next(self.sizes)], deadline)


def sizes_of(feed: str, data: bytes) -> Iterator[int]:
    """In which portions ``data`` arrives."""
    if feed == "bytes":
        return repeat(1)
    half = max(1, len(data) // 2)
    return chain([half], repeat(1 << 20)) if feed == "halves" else repeat(1 << 20)


def read(data: bytes, feed: str = "whole", given: dict[str, int] | None = None) -> tuple[RequestHead, HeadBuffer]:
    """Send ``data``, half-close, and read one head of it."""
    limits = Limits(given)
    buffer = HeadBuffer(limits.head_bytes)
    peer, client = connect()
    try:
        peer.sendall(data)
        peer.shutdown(1)
        return read_head(Portions(client, sizes_of(feed, data)), buffer, limits, limits.head_seconds), buffer
    finally:
        peer.close()
        client.socket.close()


def read_message(data: bytes, feed: str) -> dict[str, str]:
    """Send ``data``, half-close, read one head and its content; return both in the words of an ``.expect`` file."""
    limits = Limits()
    buffer = HeadBuffer(limits.head_bytes)
    peer, client = connect()
    portions = Portions(client, sizes_of(feed, data))
    try:
        peer.sendall(data)
        peer.shutdown(1)
        head = read_head(portions, buffer, limits, limits.head_seconds)
        found = describe(head, buffer)
        body = Body(portions, buffer, head, limits)
        content = b"".join(iter(lambda: body.read(1 << 16), b""))
        assert body.finished
        rest = bytes(buffer.data[buffer.start : buffer.filled])
        rest += b"".join(iter(lambda: client.socket.recv(1 << 16), b""))
        return found | stated("body", content) | stated("rest", rest)
    finally:
        peer.close()
        client.socket.close()


def refusal(data: bytes, feed: str = "whole", given: dict[str, int] | None = None) -> str:
    """The status and reason with which the head in ``data`` is refused."""
    with pytest.raises(PeerFault) as caught:
        read(data, feed, given)
    return f"{caught.value.status} {caught.value.reason}"


def stated(name: str, data: bytes) -> dict[str, str]:
    """``data`` as it stands in an ``.expect`` file."""
    if not data:
        return {}
    text = json.dumps(data.decode("latin-1")) if len(data) <= 200 else f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    return {name: text}


def describe(head: RequestHead, buffer: HeadBuffer) -> dict[str, str]:
    """``head`` in the words of an ``.expect`` file."""
    start, end = head.credentials
    found = {
        "method": head.method,
        "host": head.host,
        "segments": json.dumps(head.target.segments, ensure_ascii=False),
        "directory": "yes" if head.target.directory else "no",
        "query": head.target.query.decode(),
        "content": "chunked" if head.content == CHUNKED else str(head.content),
        "close": "yes" if head.close else "no",
    }
    return found | ({"credentials": buffer.data[start:end].decode()} if end else {})


def expected(path: Path) -> str:
    """The sidecar of the message in ``path``."""
    return path.with_suffix(".expect").read_text().rstrip("\n")


def names(paths: Sequence[Path]) -> list[str]:
    """The names of messages, for the names of tests."""
    return [path.stem for path in paths]


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("path", REFUSE, ids=names(REFUSE))
def test_refused_with_this_status_and_reason(path: Path, feed: str) -> None:
    """A refusal names its own clause, so that a message can not be refused for some other reason by accident."""
    with pytest.raises(PeerFault) as caught:
        read_message(path.read_bytes(), feed)
    assert expected(path) == f"{caught.value.status} {caught.value.reason}"


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("path", ACCEPT, ids=names(ACCEPT))
def test_accepted_and_read_as(path: Path, feed: str) -> None:
    """Everything that the decision rests on is stated and compared."""
    wanted = dict(line.partition(" ")[::2] for line in expected(path).split("\n"))
    assert wanted == read_message(path.read_bytes(), feed)


def test_corpus_is_whole() -> None:
    """Each message has a sidecar and each sidecar a message; no case is dropped in silence."""
    for folder, cases, least in (("accept", ACCEPT, 110), ("refuse", REFUSE, 320)):
        assert least <= len(cases)
        assert {path.stem for path in cases} == {path.stem for path in (WIRE / folder).glob("*.expect")}


def test_every_refusal_of_a_message_is_in_the_corpus() -> None:
    """The statuses that a message can be refused with; 408 and 421 depend on time and table, and are tested elsewhere."""
    assert {"400", "413", "414", "417", "431", "501", "505"} == {expected(path)[:3] for path in REFUSE}


# ---- limits: one below, on, and one above


def line_of(length: int) -> bytes:
    """A request line of ``length`` bytes without its CRLF."""
    return b"GET /" + b"a" * (length - 14) + b" HTTP/1.1"


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("length", [99, 100])
def test_request_line_up_to_its_limit_is_read(length: int, feed: str) -> None:
    """The limit itself is allowed, also when the CRLF has not come yet."""
    head, _ = read(line_of(length) + b"\r\n" + HOST + b"\r\n", feed, {"request_line_bytes": 100})
    assert length == len(head.target.raw) + 13


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("data", [line_of(101) + b"\r\n" + HOST + b"\r\n", line_of(300)[:102], line_of(300)])
def test_request_line_above_its_limit_is_414(data: bytes, feed: str) -> None:
    """RFC 9112 §3: 414, whether the line ends or not."""
    wanted = "414 a request line of more than 100 bytes (RFC 9112 §3)"
    assert wanted == refusal(data, feed, {"request_line_bytes": 100})


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("length", [199, 200])
def test_head_up_to_its_limit_is_read(length: int, feed: str) -> None:
    """The limit counts every byte of the head, the empty line included."""
    start = b"GET / HTTP/1.1\r\n" + HOST + b"X: "
    data = start + b"a" * (length - len(start) - 4) + b"\r\n\r\n"
    assert length == len(data)
    read(data, feed, {"head_bytes": 200})


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("length", [201, 202, 1000])
def test_head_above_its_limit_is_431(length: int, feed: str) -> None:
    """RFC 6585 §5."""
    start = b"GET / HTTP/1.1\r\n" + HOST + b"X: "
    data = start + b"a" * (length - len(start) - 4) + b"\r\n\r\n"
    assert "431 a head of more than 200 bytes (RFC 6585 §5)" == refusal(data, feed, {"head_bytes": 200})


@pytest.mark.parametrize("count", [4, 5])
def test_fields_up_to_their_limit_are_read(count: int) -> None:
    """Lines are counted, not names."""
    head, _ = read(b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * (count - 1) + b"\r\n", given={"fields": 5})
    assert b", ".join([b"a"] * (count - 1)) == head.fields[b"x"]


@pytest.mark.parametrize("line", [b"X: a\r\n", b"Authorization: Basic ZG9nOmE=\r\n"])
def test_fields_above_their_limit_are_431(line: bytes) -> None:
    """Credentials count as a field as well."""
    data = b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 4 + line + b"\r\n"
    assert "431 more than 5 field lines (RFC 6585 §5)" == refusal(data, given={"fields": 5})


@pytest.mark.parametrize("length", [9, 10])
def test_content_up_to_its_limit_may_be_announced(length: int) -> None:
    """As a number of bytes; by chunks it is not known here (test_body)."""
    data = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % length
    assert length == read(data, given={"content_bytes": 10})[0].content


def test_content_above_its_limit_is_413() -> None:
    """RFC 9110 §15.5.14."""
    data = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 11\r\n\r\n"
    assert "413 more than 10 bytes of content (RFC 9110 §15.5.14)" == refusal(data, given={"content_bytes": 10})


# ---- time


def read_open(data: bytes, wait: float, given: dict[str, int] | None = None) -> PeerFault:
    """How a head ends whose peer sends ``data`` and then neither sends nor closes."""
    limits = Limits(given)
    peer, client = connect()
    peer.sendall(data)
    with pytest.raises(PeerFault) as caught:
        read_head(client, HeadBuffer(limits.head_bytes), limits, wait)
    peer.close()
    client.socket.close()
    return caught.value


def test_silent_peer_is_left_without_a_word() -> None:
    """Nobody asked, so nobody is answered."""
    gone = read_open(b"", 0.02)
    assert (PeerGone, "silent until the deadline") == (type(gone), gone.reason)


@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"\r"])
def test_partial_head_is_408(data: bytes) -> None:
    """From its first byte on, a head has ``head_seconds``; zero of them here, so that the test need not wait."""
    late = read_open(data, 5.0, {"head_seconds": 0})
    assert (408, "the head was not complete in time (RFC 9110 §15.5.9)") == (late.status, late.reason)


class Clock:
    """Time as a test wants it."""

    now = 1000.0

    def monotonic(self) -> float:
        """As time.monotonic."""
        return self.now


class Slow(Client):
    """A Client whose reads take the next of ``pauses`` seconds of ``clock``, if they have the time, and yield a byte."""

    __slots__ = ("clock", "pauses")

    def __init__(self, client: Client, clock: Clock, pauses: Iterator[float]) -> None:
        super().__init__(client.socket, client.address)
        self.clock, self.pauses = clock, pauses

    def read_into(self, view: memoryview, deadline: float) -> int:
        """Read as a Client, later."""
        pause, left = next(self.pauses), min(deadline, self.deadline) - self.clock.now
        self.clock.now += min(pause, left)
        return super().read_into(view[:1], deadline)


def read_slowly(monkeypatch: pytest.MonkeyPatch, *pauses: float) -> str:
    """What becomes of a head whose bytes take these ``pauses``, and no time from then on; five seconds to begin, ten
    for the whole."""
    clock = Clock()
    monkeypatch.setattr(head_module, "time", clock)
    monkeypatch.setattr(adopt_module, "time", clock)
    peer, client = connect()
    try:
        peer.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        slow = Slow(client, clock, chain(pauses, repeat(0.0)))
        return read_head(slow, HeadBuffer(16384), Limits({"head_seconds": 10}), 5.0).method
    except PeerFault as fault:
        return f"{fault.status} {fault.reason}"
    finally:
        peer.close()
        client.socket.close()


@pytest.mark.parametrize(
    ("seconds", "ending"), [(4, "GET"), (5, "0 silent until the deadline"), (6, "0 silent until the deadline")]
)
def test_first_byte_has_its_time(monkeypatch: pytest.MonkeyPatch, seconds: float, ending: str) -> None:
    """first_byte_seconds, or idle_seconds on a kept connection; which of them, test_connection shows."""
    assert ending == read_slowly(monkeypatch, seconds)


LATE = "408 the head was not complete in time (RFC 9110 §15.5.9)"


@pytest.mark.parametrize(("seconds", "ending"), [(4, "GET"), (5, LATE), (6, LATE)])
def test_head_has_its_time(monkeypatch: pytest.MonkeyPatch, seconds: float, ending: str) -> None:
    """head_seconds, ten, from the first byte on, which itself came late; in two pauses, of which the first takes five."""
    assert ending == read_slowly(monkeypatch, 4, 5, seconds)


def test_trickling_peer_can_not_stretch_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline is set by the first byte and no later one moves it: a byte a second, and ten seconds for a head."""
    clock = Clock()
    monkeypatch.setattr(head_module, "time", clock)
    monkeypatch.setattr(adopt_module, "time", clock)
    peer, client = connect()
    peer.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 1000)

    def slowly() -> Iterator[int]:
        while True:
            yield 1
            clock.now += 1.0

    buffer = HeadBuffer(16384)
    with pytest.raises(PeerFault) as caught:
        read_head(Portions(client, slowly()), buffer, Limits({"head_seconds": 10}), 5.0)
    assert (408, 10) == (caught.value.status, buffer.filled)
    peer.close()


def test_connection_deadline_bounds_a_head() -> None:
    """``Client.end`` counts, however long the head might still take."""
    peer, client = connect()
    client.end = time.monotonic() + 0.02
    with pytest.raises(PeerGone):
        read_head(client, HeadBuffer(100), Limits(), 100.0)
    peer.close()


def test_peer_that_closes_without_a_request_is_gone() -> None:
    """A connection that a browser opened in advance and did not need."""
    with pytest.raises(PeerGone, match="closed without a request"):
        read(b"")


def test_peer_that_resets_is_gone() -> None:
    """ECONNRESET is no defect of ours."""
    peer, client = connect()
    client.socket.send(b"unread, so that closing resets")
    peer.close()
    with pytest.raises(PeerGone, match="Connection reset by peer"):
        read_head(client, HeadBuffer(100), Limits(), 5.0)


# ---- what stays behind


FIRST = b"POST /a HTTP/1.1\r\n" + HOST + b"Authorization: Basic ZG9nOmE=\r\n\r\n"
SECOND = b"GET /b HTTP/1.1\r\n" + HOST + b"Authorization: Basic Y2F0OmI=\r\n\r\n"


@pytest.mark.parametrize("feed", FEEDS)
def test_next_head_begins_exactly_behind_the_last(feed: str) -> None:
    """RFC 9112 §9.3.2: what was sent ahead is the next request, and keeps the connection."""
    limits = Limits()
    buffer = HeadBuffer(limits.head_bytes)
    peer, client = connect()
    portions = Portions(client, sizes_of(feed, FIRST + SECOND))
    peer.sendall(FIRST + SECOND)
    for path, credentials, close in (("/a", b"Basic ZG9nOmE=", False), ("/b", b"Basic Y2F0OmI=", False)):
        head = read_head(portions, buffer, limits, 5.0)
        assert (path, close) == (head.target.raw, head.close)
        assert credentials == buffer.data[slice(*head.credentials)]
    assert (SECOND, b"") == (bytes(buffer.data[: buffer.filled]), bytes(buffer.data[buffer.filled :]).strip(b"\0"))
    peer.close()


@pytest.mark.parametrize("behind", [b"", b"G", b"GET /b HTTP/1.1\r\n" + HOST])
def test_what_is_behind_the_head_stays_for_whoever_reads_on(behind: bytes) -> None:
    """Content or the next request, nothing of it is lost; and nothing else is left in the buffer."""
    _, buffer = read(FIRST + behind)
    assert (len(FIRST), behind) == (buffer.start, bytes(buffer.data[buffer.start : buffer.filled]))
    assert b"" == bytes(buffer.data[buffer.filled :]).strip(b"\0")


@pytest.mark.parametrize("size", [len(SECOND), len(SECOND) + 1, 200])
def test_head_that_began_behind_another_may_fill_the_buffer(size: int) -> None:
    """The limit is of each head: what lies before it makes room."""
    limits = Limits({"head_bytes": size})
    buffer = HeadBuffer(size)
    peer, client = connect()
    peer.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n" + SECOND)
    read_head(client, buffer, limits, 5.0)
    assert "/b" == read_head(client, buffer, limits, 5.0).target.raw
    peer.close()


def test_second_head_is_late_like_the_first() -> None:
    """A part of it that came with the first has begun it: its time is that of a head, not that of an idle connection."""
    limits = Limits({"head_seconds": 0})
    buffer = HeadBuffer(limits.head_bytes)
    peer, client = connect()
    peer.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\nG")
    read_head(client, buffer, limits, 5.0)
    with pytest.raises(PeerFault) as caught:
        read_head(client, buffer, limits, 5.0)
    assert (408, "the head was not complete in time (RFC 9110 §15.5.9)") == (caught.value.status, caught.value.reason)
    peer.close()


def test_everything_is_wiped() -> None:
    """What a child that runs tenant code does first: head, credentials, and what has been read ahead."""
    _, buffer = read(FIRST + SECOND)
    buffer.wipe()
    assert (0, 0, b"") == (buffer.start, buffer.filled, bytes(buffer.data).strip(b"\0"))


def test_next_head_does_not_see_the_last_one() -> None:
    """The buffer is wiped before it is read into again."""
    limits = Limits()
    buffer = HeadBuffer(limits.head_bytes)
    peer, client = connect()
    peer.sendall(b"GET /long/path/of/the/first HTTP/1.1\r\n" + HOST + b"X: secret\r\n\r\n")
    read_head(client, buffer, limits, 5.0)
    peer.sendall(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert "HEAD" == read_head(client, buffer, limits, 5.0).method
    assert b"secret" not in buffer.data
    assert client.head_only
    peer.close()


def test_credentials_are_remembered_as_a_place_alone() -> None:
    """The value of Authorization is in no field: whoever holds the head does not hold the secret."""
    head, buffer = read(b"GET / HTTP/1.1\r\n" + HOST + b"Authorization: Basic ZG9nOmE=\r\n\r\n")
    assert [b"host"] == list(head.fields)
    assert b"Basic ZG9nOmE=" == buffer.data[slice(*head.credentials)]


def test_lists_in_several_fields_are_joined() -> None:
    """RFC 9110 §5.3."""
    head, _ = read(b"GET / HTTP/1.1\r\n" + HOST + b"Accept: a\r\nX: b\r\naccept: c\r\n\r\n")
    assert b"a, c" == head.fields[b"accept"]
