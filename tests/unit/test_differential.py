# SPDX-License-Identifier: Apache-2.0
"""What we accept, h11 accepts and reads alike: method, target, host and where the content ends.

A proxy in front may be of any make; what two parsers read in two ways is what request smuggling lives on.  We may be
stricter than h11, never laxer.  One reading differs on purpose (``test_the_one_difference``): the host of an absolute
target, which h11 leaves to its caller.
"""

from pathlib import Path

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from selsock.errors import PeerFault
from selsock.handler.head import RequestHead, announced_content
from selsock.handler.target import host_of
from selsock.model import Limits
from tests.unit.test_head import ACCEPT, REFUSE, names, read

CORPUS = [path.read_bytes() for path in ACCEPT * 3 + REFUSE if path.stat().st_size < 2000]
# What bends a message, rather than any byte: a mutation that only changes a letter tells nothing.
PIECES = [
    *(bytes([octet]) for octet in (0, 8, 9, 10, 11, 12, 13, 27, 32, 35, 37, 44, 46, 47, 58, 59, 63, 64, 91, 127, 160)),
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r",
    b"\n",
    b" HTTP/1.1",
    b" HTTP/1.0",
    b"HEAD",
    b"Content-Length: 3\r\n",
    b"Content-Length: 03\r\n",
    b"Content-Length:\t3 \r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: Chunked\r\n",
    b"Transfer-Encoding: chunked\r\n ,x",
    b"transfer-encoding:chunked \r\n",
    b"Transfer-Encoding",
    b"Content-Length",
    b"Host: cat.example\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"http://cat.example",
    b"chunked",
    b"0",
    b"9",
]


def read_by_h11(data: bytes) -> tuple[h11.Request, bool]:
    """The request in ``data`` as h11 reads it, and whether content follows.  Raises h11.RemoteProtocolError."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request), f"h11 does not see the end of the head: {request}"
    return request, not isinstance(connection.next_event(), h11.EndOfMessage)


def agree(head: RequestHead, data: bytes) -> None:
    """Both read ``data`` alike."""
    # The head alone: behind it h11 would go on to the content.
    request, content = read_by_h11(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    fields = dict(request.headers)
    assert (head.method.encode(), head.target.raw.encode()) == (request.method, request.target)
    assert announced_content(head.fields, 1, Limits()) == content
    host = fields.get(b"host")
    if host is not None:
        assert head.host == host_of(host)
    assert head.fields.get(b"content-length", b"").lstrip(b"0") == fields.get(b"content-length", b"").lstrip(b"0")


@pytest.mark.parametrize("path", ACCEPT, ids=names(ACCEPT))
def test_accepted_messages_are_read_alike_by_h11(path: Path) -> None:
    """Every message of ``wire/accept``."""
    data = path.read_bytes()
    agree(read(data)[0], data)


def test_h11_is_laxer_on_most_of_what_we_refuse() -> None:
    """The corpus bites: a parser in common use lets more than half of ``wire/refuse`` through."""
    lax = 0
    for path in REFUSE:
        try:
            read_by_h11(path.read_bytes())
            lax += 1
        except (h11.RemoteProtocolError, ValueError, AssertionError):  # h11 before 0.16 leaves int()'s to the caller
            pass
    assert len(REFUSE) // 2 < lax


@settings(max_examples=3000, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    some.sampled_from(CORPUS),
    some.lists(
        some.tuples(some.integers(0, 400), some.booleans(), some.integers(0, 1), some.sampled_from(PIECES)),
        min_size=1,
        max_size=3,
    ),
)
def test_mutated_messages_are_read_alike_or_refused(data: bytes, changes: list[tuple[int, bool, int, bytes]]) -> None:
    """Pieces that bend a message, put in or over a byte, anywhere or before a line: never a defect or another reading."""
    for place, before_line, drop, piece in changes:
        place %= len(data) + 1
        if before_line:
            place, drop = (data[:place].rfind(b"\n") + 1), 0
        data = data[:place] + piece + data[place + drop :]
    if not data:
        return
    try:
        head, _ = read(data)
    except PeerFault:
        return
    agree(head, data)


@settings(max_examples=1500, derandomize=True, deadline=None, database=None)
@given(
    some.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"PUT"]),
    some.sampled_from([b"/", b"/a?b", b"/%41", b"/a/", b"http://dog.example/a", b"/a;b=%3b"]),
    some.sampled_from([b"1.1", b"1.1", b"1.0"]),
    some.lists(
        some.tuples(
            some.sampled_from([b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"X", b"Y", b"TE"]),
            some.sampled_from([b":", b": ", b":\t", b":  \t"]),
            some.sampled_from(
                [b"", b"0", b"3", b"003", b"3,3", b"chunked", b"Chunked", b"chunked;", b"close", b"\xfc\x80"]
            ),
            some.sampled_from([b"", b" ", b"\t "]),
        ),
        max_size=3,
    ),
)
def test_composed_messages_are_read_alike_or_refused(
    method: bytes, target: bytes, version: bytes, lines: list[tuple[bytes, bytes, bytes, bytes]]
) -> None:
    """Whole lines, each of them plausible, in combinations that nobody wrote down."""
    fields = b"".join(b"".join(line) + b"\r\n" for line in [(b"Host", b": ", b"dog.example", b""), *lines])
    data = method + b" " + target + b" HTTP/" + version + b"\r\n" + fields + b"\r\n"
    try:
        head, _ = read(data)
    except PeerFault:
        return
    agree(head, data)


@settings(max_examples=1000, derandomize=True, deadline=None, database=None)
@given(some.binary(min_size=1, max_size=200))
def test_noise_is_refused_and_never_a_defect(data: bytes) -> None:
    """Bytes at random, alone and as a field behind a good head."""
    for whole in (data, b"GET / HTTP/1.1\r\nHost: dog.example\r\n" + data + b"\r\n\r\n"):
        try:
            head, _ = read(whole)
        except PeerFault:
            continue
        agree(head, whole)


def test_the_one_difference() -> None:
    """RFC 9112 §3.2.2: the absolute target names the host; h11 leaves that to its caller."""
    data = b"GET http://dog.example/ HTTP/1.0\r\n\r\n"
    request, _ = read_by_h11(data)
    assert ("dog.example", None) == (read(data)[0].host, dict(request.headers).get(b"host"))
