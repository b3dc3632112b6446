# SPDX-License-Identifier: Apache-2.0
"""Whole connections on which requests with content follow one another: one answer to each, and none to anything else.

The process is real, as in test_connection; content handlers are static's, or made by a test for what it has to show.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock import errors
from selsock.errors import PeerFault
from selsock.handler import confine
from selsock.handler.confine import Confined
from selsock.handler.serve.body import DRAIN_BYTES
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.reply import Outcome
from tests.unit.fakes import FakeJournal, identifying
from tests.unit.test_connection import CLOSE, World, alone, content_of, request, status_of

CHUNKED = "Transfer-Encoding: chunked\r\n"
EXPECT = "Expect: 100-continue\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HIDDEN = request("/b.txt")  # where it stands in content, nobody may take it for a request


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """As in test_connection."""
    monkeypatch.setattr(confine, "REQUIRED_STATUS", {})
    with identifying(tmp_path, monkeypatch), FakeJournal(tmp_path) as journal:
        yield World(tmp_path, journal)


def post(content: bytes, rest: str = "", target: str = "/a.txt") -> bytes:
    """A request whose content has a length."""
    return request(target, method="POST", rest=f"Content-Length: {len(content)}\r\n{rest}") + content


def post_chunked(*chunks: bytes, rest: str = "", target: str = "/a.txt") -> bytes:
    """A request whose content comes in ``chunks``."""
    found = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    return request(target, method="POST", rest=CHUNKED + rest) + b"".join(found)


def echo(confined: Confined, exchange: Exchange) -> Outcome:
    """A content handler that answers with what was sent to it."""
    content = b"".join(iter(lambda: exchange.body.read(7), b""))
    exchange.reply.begin(200, [], len(content), content)
    return exchange.reply.end()


def statuses(answers: bytes) -> list[int]:
    """Those of all responses, the interim ones too."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


def ending(world: World) -> tuple[str, str, str]:
    """Event, status and reason of the last record."""
    record = world.journal.records()[-1]
    return record["SELSOCK_EVENT"], record["SELSOCK_STATUS"], record["SELSOCK_REASON"]


# ---- content and the next request


def test_content_of_each_request_is_its_own(world: World) -> None:
    """One after the other on a kept connection, by length and in chunks."""
    with world.visit(serve=echo) as instance:
        for data, content in (
            (post(b"hello"), b"hello"),
            (post_chunked(b"hel", b"lo, world"), b"hello, world"),
            (post(b""), b""),
            (post_chunked(), b""),
            (request(), b""),
            (post(HIDDEN), HIDDEN),
            (post_chunked(HIDDEN), HIDDEN),
            (post(bytes(100_000)), bytes(100_000)),
        ):
            instance.send(data)
            assert content == content_of(instance.receive_one())
    assert ["decision", *["outcome"] * 8] == world.journal.events()


def test_pipelined_requests_with_content_are_answered_in_order(world: World) -> None:
    """RFC 9112 §9.3.2: all of them in one segment, as far as the network is concerned."""
    contents = [b"first", HIDDEN, b"", b"0\r\n\r\n", b"last"]
    data = b"".join((post_chunked if place % 2 else post)(content) for place, content in enumerate(contents))
    answers, status = alone(world, data + request(rest=CLOSE), serve=echo)
    assert ([200] * 6, errors.EXIT_SERVED) == (statuses(answers.replace(HIDDEN, b"")), status)
    assert contents == [answer.partition(b"\r\n\r\n")[2] for answer in re.split(rb"HTTP/1\.1 200 OK", answers)[1:-1]]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_requests_that_arrive_in_pieces_are_the_same(world: World, size: int) -> None:
    """Wherever the network cuts them."""
    data = post(b"hello") + post_chunked(b"hel", b"lo") + request(rest=CLOSE)
    with world.visit(serve=echo) as instance:
        for start in range(0, len(data), size):
            instance.send(data[start : start + size])
        answers = instance.receive()
    assert ([200] * 3, 2) == (statuses(answers), answers.count(b"\r\n\r\nhello"))


@pytest.mark.parametrize("data", [post(HIDDEN), post_chunked(HIDDEN)], ids=["length", "chunked"])
def test_content_that_nobody_reads_is_drained(world: World, data: bytes) -> None:
    """A file takes no POST: 405, and the next request begins behind the content."""
    answers, status = alone(world, data + request(rest=CLOSE))
    assert ([405, 200], errors.EXIT_SERVED) == (statuses(answers), status)
    assert (True, False) == (answers.endswith(b"dog's a"), b"dog's b" in answers)


@pytest.mark.parametrize(("over", "answered"), [(-1, [405, 200]), (0, [405, 200]), (1, [405])])
def test_content_that_is_too_much_to_drain_ends_the_connection(world: World, over: int, answered: list[int]) -> None:
    """64 KiB and no more; what is left of it is not taken for a request."""
    content = bytes(DRAIN_BYTES + over - len(HIDDEN)) + HIDDEN
    answers, status = alone(world, post(content) + request(rest=CLOSE))
    assert (answered, errors.EXIT_SERVED) == (statuses(answers), status)


def test_content_behind_the_last_request_is_read_and_no_more(world: World) -> None:
    """HTTP/1.0, and Connection: close."""
    old = post(b"hello").replace(b"HTTP/1.1", b"HTTP/1.0")
    for data in (old + request(), post(b"hello", CLOSE) + request()):
        answers, status = alone(world, data, serve=echo)
        assert (1, b"hello", errors.EXIT_SERVED) == (len(statuses(answers)), content_of(answers), status)
        assert b"\r\nConnection: close\r\n" in answers


def test_request_in_the_content_of_another_user_is_no_request(world: World) -> None:
    """What would be smuggling: the content of one visitor's request is never read as somebody's request."""
    with world.visit() as instance:
        instance.send(request(user="dog", method="POST", rest=f"Content-Length: {len(HIDDEN)}\r\n") + HIDDEN)
        assert 405 == status_of(instance.receive_one())
        instance.send(request(user="dog", rest=CLOSE))
        assert b"dog's a" == content_of(instance.receive())
    assert ["POST", "GET"] == [
        record["SELSOCK_METHOD"] for record in world.journal.records() if record["SELSOCK_EVENT"] == "outcome"
    ]


# ---- 100 (Continue)


def test_client_that_waits_is_told_to_go_on(world: World) -> None:
    """Once the content is wanted; and the connection is kept."""
    data = post(b"hello", EXPECT)
    with world.visit(serve=echo) as instance:
        instance.send(data[:-5])
        assert CONTINUE == instance.peer.recv(100)
        instance.send(b"hello")
        assert b"hello" == content_of(instance.receive_one())
        instance.send(request())
        assert 200 == status_of(instance.receive_one())


def test_client_that_does_not_wait_is_told_nothing(world: World) -> None:
    """Its content is there."""
    answers, _ = alone(world, post(b"hello", EXPECT) + request(rest=CLOSE), serve=echo)
    assert [200, 200] == statuses(answers)


@pytest.mark.parametrize("sent", [b"", HIDDEN])
def test_client_whose_content_nobody_wants_is_answered_at_once(world: World, sent: bytes) -> None:
    """405 in place of 100; it may send its content now or not, so that nothing more is read on this connection."""
    with world.visit() as instance:
        instance.send(post(HIDDEN, EXPECT)[: -len(HIDDEN)])
        answer = instance.receive_one()
        assert (405, True) == (status_of(answer), b"\r\nConnection: close\r\n" in answer)
        instance.peer.sendall(sent)
        assert (b"", errors.EXIT_SERVED) == (instance.receive(), instance.wait())
    assert ["decision", "outcome"] == world.journal.events()


def test_continue_is_sent_on_a_kept_connection_too(world: World) -> None:
    """That a request before it was answered does not matter."""
    with world.visit(serve=echo) as instance:
        for _ in range(2):
            instance.send(post(b"hello", EXPECT)[:-5])
            assert CONTINUE == instance.peer.recv(100)
            instance.send(b"hello")
            assert b"hello" == content_of(instance.receive_one())


# ---- refusals from the content


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"5\r\nhello\r\n6\r\n world", 413, "more than 10 bytes of content (RFC 9110 §15.5.14)"),
        (b"1\r\na\r\n" * 4, 413, "more than 3 chunks (RFC 9110 §15.5.14)"),
        (b"5\r\nhello\r\n0\r\nX: aaaaaaaaaaaaaaaaaaaa", 431, "more than 20 bytes of trailers (RFC 6585 §5)"),
        (b"5\r\nhello\r\n0\r\nHost: x\r\n\r\n", 400, "Host behind the content (RFC 9110 §6.5.1)"),
        (b"5\nhello", 400, "more than 20 bytes in a chunk's first line (RFC 9112 §7.1.1)"),
        (b"+5\r\nhello\r\n", 400, "a chunk whose size is no hexadecimal number (RFC 9112 §7.1)"),
        (b"4\r\nhello\r\n", 400, "a chunk that does not end where its size says (RFC 9112 §7.1)"),
    ],
)
@pytest.mark.parametrize("before", [b"", request()])
def test_fault_in_the_content_is_refused_and_ends_the_connection(
    world: World, content: bytes, status: int, reason: str, before: bytes
) -> None:
    """On the first request of a connection and on another; what follows is not read."""
    world.recompile({"content_bytes": 10, "chunks": 3, "trailer_bytes": 20, "chunk_line_bytes": 20})
    data = request(method="POST", rest=CHUNKED) + content + HIDDEN
    answers, exit_status = alone(world, before + data, serve=echo)
    assert ([*[200] * bool(before), status], errors.EXIT_REFUSED) == (statuses(answers), exit_status)
    assert ("refusal", str(status), reason) == ending(world)
    assert (True, True) == (b"\r\nConnection: close\r\n" in answers, answers.endswith(f": {reason}\n".encode()))


@pytest.mark.parametrize(("length", "answered"), [(9, [200, 200]), (10, [200, 200]), (11, [200, 413])])
def test_length_above_its_limit_is_413_before_the_content(world: World, length: int, answered: list[int]) -> None:
    """On a kept connection; a client that waits for 100 never sends it."""
    world.recompile({"content_bytes": 10})
    answers, _ = alone(world, request() + post(bytes(length), CLOSE), serve=echo)
    assert answered == statuses(answers)


@pytest.mark.parametrize("framing", ["Content-Length: 5\r\n", CHUNKED])
@pytest.mark.parametrize("out_of", ["time", "rate"])
def test_content_that_does_not_come_is_408(world: World, framing: str, out_of: str) -> None:
    """test_body has the times; here the answer arrives, although its peer has none left, and the connection ends."""

    def late(confined: Confined, exchange: Exchange) -> Outcome:
        client = exchange.body.client
        if out_of == "time":
            client.deadline = time.monotonic() + 0.02
        else:
            client.waited = 1e6
        return echo(confined, exchange)

    answers, status = alone(world, request(method="POST", rest=framing) + b"4", serve=late)
    assert ([408], errors.EXIT_REFUSED) == (statuses(answers), status)
    assert ("refusal", "408", "the content did not come in time (RFC 9110 §15.5.9)") == ending(world)


def test_content_that_is_cut_off_is_400(world: World) -> None:
    """The peer half-closes in the middle: no part of it is served as if it were the whole."""
    with world.visit(serve=echo) as instance:
        instance.send(post(b"hello")[:-1])
        instance.peer.shutdown(1)
        assert ([400], errors.EXIT_REFUSED) == (statuses(instance.receive()), instance.wait())
    assert ("refusal", "400", "the stream ended inside the content (RFC 9112 §8)") == ending(world)


def test_fault_after_the_answer_has_no_answer(world: World) -> None:
    """Draining finds it: the request was answered, so the connection just ends."""
    answers, status = alone(world, request(method="POST", rest=CHUNKED) + b"x\r\n" + HIDDEN)
    assert ([405], errors.EXIT_REFUSED) == (statuses(answers), status)
    assert ("refusal", "0", "a chunk whose size is no hexadecimal number (RFC 9112 §7.1)") == ending(world)


def test_fault_after_the_answer_has_begun_cuts_it(world: World) -> None:
    """A second response would be taken for part of the first."""

    def early(confined: Confined, exchange: Exchange) -> Outcome:
        exchange.reply.begin(200, [], 100, b"half")
        exchange.body.read(5)
        return exchange.reply.end()

    answers, status = alone(world, request(method="POST", rest=CHUNKED) + b"x\r\n" + HIDDEN, serve=early)
    assert ([200], b"half", errors.EXIT_REFUSED) == (statuses(answers), content_of(answers), status)


def test_fault_that_a_content_handler_hides_ends_the_connection_all_the_same(world: World) -> None:
    """Nobody knows where the content ends, so that there is no next request."""

    def careless(confined: Confined, exchange: Exchange) -> Outcome:
        for _ in range(3):
            try:
                exchange.body.read(5)
            except PeerFault:
                pass
        return exchange.reply.page(404)

    data = request(method="POST", rest=CHUNKED) + b"x\r\n0\r\n\r\n" + HIDDEN
    answers, status = alone(world, data, serve=careless)
    assert ([404], errors.EXIT_SERVED) == (statuses(answers), status)


# ---- the connection's own limits


@pytest.mark.parametrize(("sent", "answered", "closed"), [(2, 2, False), (3, 3, True), (4, 3, True)])
def test_number_of_requests_is_limited_with_content_too(world: World, sent: int, answered: int, closed: bool) -> None:
    """The last answer says so, and its content is not drained: nothing follows."""
    world.recompile({"requests": 3})
    with world.visit() as instance:
        instance.send(post(HIDDEN) * sent)
        instance.peer.shutdown(1)
        answers = instance.receive()
        assert ([405] * answered, closed) == (statuses(answers), b"\r\nConnection: close\r\n" in answers)


def test_connection_without_a_first_byte_is_closed_in_silence(world: World) -> None:
    """first_byte_seconds, none here; idle_seconds, which may be more, is for a connection that was used."""
    world.recompile({"first_byte_seconds": 0, "idle_seconds": 300})
    with world.visit() as instance:
        assert (b"", errors.EXIT_GONE) == (instance.receive(), instance.wait())
    assert ("gone", "0", "silent until the deadline") == ending(world)
