# SPDX-License-Identifier: Apache-2.0
"""body: the content of a request, read when a content handler asks for it; framed by RFC 9112 §6 and §7 alone.

What is read ends exactly where the message ends, so the next request begins behind it, or nowhere.
"""

from selsock.cores import time
from selsock.errors import PeerFault
from selsock.handler.adopt import Client
from selsock.handler.head import CHUNKED, TOKEN, VALUE, HeadBuffer, RequestHead, field_name, too_much_content
from selsock.model import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

PORTION = 65536
DRAIN_BYTES = 65536
HEXADECIMAL = b"0123456789abcdefABCDEF"
SIZE_DIGITS = 15  # what fits into 64 bits, signed
QUOTED_TEXT = VALUE.translate(None, b'"\\')  # qdtext, RFC 9110 §5.6.4
# RFC 9110 §6.5.1: fields that frame, route, authenticate, or say how the content is to be read have no place behind it.
NOT_IN_TRAILERS = (
    *(b"transfer-encoding", b"content-length", b"trailer", b"host", b"connection", b"expect", b"te", b"upgrade"),
    *(b"authorization", b"proxy-authorization", b"cookie", b"content-type", b"content-encoding", b"content-range"),
    *(b"range", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"),
)


class Body:
    """The content of one request.  ``finished`` once its last byte, and the last trailer, has been read.

    ``expects``: the client waits for 100 (Continue), which the first ``read`` sends.  After a ``fault`` nobody knows
    where the content ends, so every further ``read`` raises it again.
    """

    __slots__ = (
        *("buffer", "chunked", "client", "limits"),
        *("chunks", "expects", "fault", "finished", "kept", "left", "taken"),
    )

    def __init__(self, client: Client, buffer: HeadBuffer, head: RequestHead, limits: Limits) -> None:
        self.client: Final = client
        self.buffer: Final = buffer
        self.limits: Final = limits
        self.chunked: Final = head.content == CHUNKED
        self.left = 0 if self.chunked else head.content  # of the content, or of the chunk at hand
        self.finished = head.content == 0
        self.expects = head.expects
        self.fault: PeerFault | None = None
        self.kept: Final = bytearray()  # content that was collected and not been read yet
        self.chunks = 0
        self.taken = 0

    def read(self, size: int) -> bytes:
        """At least one and at most ``size`` bytes of content; nothing at its end.

        Raises PeerFault 400, 408, 413 or 431, PeerGone when the peer has reset.
        """
        if self.fault is not None:
            raise self.fault
        if self.kept:
            data = bytes(self.kept[:size])
            del self.kept[:size]
            return data
        return self.read_on(size)

    def read_on(self, size: int) -> bytes:
        """As ``read``, of what was neither collected nor is at fault."""
        if self.finished or size < 1:
            return b""
        try:
            return self.take(size)
        except PeerFault as fault:
            self.fault = fault
            raise

    def take(self, size: int) -> bytes:
        """As ``read``, of content that is neither finished nor at fault."""
        if self.expects:
            self.proceed()
        if self.chunked and not self.left and not self.next_chunk():
            self.trailers()
            self.finished = True
            return b""
        data = self.receive(min(size, self.left, PORTION))
        self.left -= len(data)
        self.taken += len(data)
        if not self.chunked and not self.left:
            self.finished = True
        return data

    def collect(self) -> int:
        """Read all of the content, and keep it for ``read``; its length, which an application has to be told.

        Raises as ``read``.
        """
        while data := self.read_on(PORTION):
            self.kept.extend(data)
        return len(self.kept)

    def drain(self) -> bool:
        """Drop what the content handler has left, 64 KiB at most; whether the next request begins behind it.

        A client that was never told to go on may or may not send its content (RFC 9110 §10.1.1): nobody can tell what
        comes next.
        """
        if self.expects or self.fault is not None:
            return False
        most = self.taken + DRAIN_BYTES
        while not self.finished and self.taken < most:
            self.read(most - self.taken)
        return self.finished

    def proceed(self) -> None:
        """Send 100 (Continue), unless content has arrived already (RFC 9110 §10.1.1).

        Once an answer has begun it would be taken for part of that, and the client goes on expecting.
        """
        if self.client.answered:
            return
        if self.buffer.start == self.buffer.filled:
            self.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.client.answered = False  # an interim response is not the answer
        self.expects = False

    def receive(self, size: int) -> bytes:
        """1 to ``size`` bytes, from what has been received already or else from the peer.  Raises as ``read``."""
        buffer = self.buffer
        if buffer.start < buffer.filled:
            end = min(buffer.filled, buffer.start + size)
            data = bytes(memoryview(buffer.data)[buffer.start : end])
            self.use(end)
            return data
        waste = bytearray(size)
        count = self.wait(lambda deadline: self.client.read_into(memoryview(waste), deadline))
        return bytes(memoryview(waste)[:count])

    def use(self, end: int) -> None:
        """What lies before ``end`` in the buffer has been used."""
        self.buffer.wipe_span(self.buffer.start, end)
        self.buffer.start = end

    def wait(self, read: "Callable[[float], int]") -> int:
        """Let ``read`` read more from the peer, by the deadline that it is given.  Raises as ``read``."""
        began = time.monotonic()
        try:
            count = read(self.client.pace())
        except TimeoutError:
            raise PeerFault(408, "the content did not come in time (RFC 9110 §15.5.9)") from None
        if not count:
            raise PeerFault(400, "the stream ended inside the content (RFC 9112 §8)")
        self.client.account(count, began)
        return count

    def line(self, most: int, fault: PeerFault) -> bytes:
        """The next line, without its CRLF.  Raises ``fault`` when it has more than ``most`` bytes; and as ``read``."""
        buffer = self.buffer
        while (end := buffer.data.find(b"\r\n", buffer.start, buffer.filled)) < 0:
            count = buffer.filled - buffer.start
            if count > most + 1 or count == len(buffer.data):  # one more: the CR may be there already
                raise fault
            self.wait(lambda deadline: buffer.receive(self.client, deadline))
        if end - buffer.start > most:
            raise fault
        text = bytes(memoryview(buffer.data)[buffer.start : end])
        self.use(end + 2)
        return text

    def next_chunk(self) -> bool:
        """Read the line with the size of the next chunk; False for the last one, which has none (RFC 9112 §7.1)."""
        if self.chunks:
            self.line(0, PeerFault(400, "a chunk that does not end where its size says (RFC 9112 §7.1)"))
        most = self.limits.chunk_line_bytes
        line = self.line(most, PeerFault(400, f"more than {most} bytes in a chunk's first line (RFC 9112 §7.1.1)"))
        digits, semicolon, extension = line.partition(b";")
        if not digits or digits.translate(None, HEXADECIMAL) or len(digits) > SIZE_DIGITS:
            raise PeerFault(400, "a chunk whose size is no hexadecimal number (RFC 9112 §7.1)")
        if semicolon:
            check_extension(extension)
        size = int(digits, 16)
        if not size:
            return False
        self.chunks += 1
        if self.chunks > self.limits.chunks:
            raise PeerFault(413, f"more than {self.limits.chunks} chunks (RFC 9110 §15.5.14)")
        if self.taken + size > self.limits.content_bytes:
            raise too_much_content(self.limits)
        self.left = size
        return True

    def trailers(self) -> None:
        """Read and drop the trailer section (RFC 9112 §7.1.2).  Raises PeerFault 400 for a field that would matter."""
        left = self.limits.trailer_bytes
        fault = PeerFault(431, f"more than {left} bytes of trailers (RFC 6585 §5)")
        while line := self.line(max(0, left - 2), fault):
            left -= len(line) + 2
            name, colon, value = line.partition(b":")
            if not colon or value.translate(None, VALUE):
                raise PeerFault(400, "a trailer that is no field line (RFC 9112 §7.1.2)")
            if field_name(name) in NOT_IN_TRAILERS:
                raise PeerFault(400, f"{name.decode()} behind the content (RFC 9110 §6.5.1)")


def check_extension(text: bytes) -> None:
    """What stands behind the first semicolon of a chunk's line means nothing here, but has to be what it should be.

    RFC 9112 §7.1.1: ``name``, ``name=token`` or ``name="text"``, the next one behind a semicolon; without white space.
    Raises PeerFault 400.
    """
    while True:
        text = behind_token(text)
        if text[:1] == b"=":
            text = behind_quoted(text[2:]) if text[1:2] == b'"' else behind_token(text[1:])
        if not text:
            return
        if text[:1] != b";":
            raise bad_extension()
        text = text[1:]


def behind_token(text: bytes) -> bytes:
    """What follows the token at the start of ``text`` (RFC 9110 §5.6.2).  Raises PeerFault 400."""
    rest = text.lstrip(TOKEN)
    if rest == text:
        raise bad_extension()
    return rest


def behind_quoted(text: bytes) -> bytes:
    """What follows the quoted-string whose first quote is before ``text`` (RFC 9110 §5.6.4).  Raises PeerFault 400."""
    text = text.lstrip(QUOTED_TEXT)
    while text[:1] == b"\\" and text[1:2] and text[1:2] in VALUE:  # quoted-pair
        text = text[2:].lstrip(QUOTED_TEXT)
    if text[:1] != b'"':
        raise bad_extension()
    return text[1:]


def bad_extension() -> PeerFault:
    """400, wherever it was noticed."""
    return PeerFault(400, "an extension of a chunk that is none (RFC 9112 §7.1.1)")
