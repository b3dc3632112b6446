# SPDX-License-Identifier: Apache-2.0
"""reply: the one response to a request.  Status, fields, length and end of it are written here and nowhere else.

A content handler says what the response is; how it is framed (RFC 9112 §6), whether it has content at all (RFC 9110
§6.4.1), and that there is one and no second, is not in its hands.
"""

from selsock.cores import posix, select, socket, struct
from selsock.errors import PeerGone
from selsock.handler.adopt import Client
from selsock.handler.head import RequestHead
from selsock.handler.response import REASONS, compose_head
from selsock.handler.serve.body import Body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    Fields = list[tuple[str, str]]

PORTION = 1 << 20  # of a file, between two looks at the clock
WITHOUT_CONTENT = (204, 304)
PHRASES = REASONS | {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    207: "Multi-Status",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    423: "Locked",
    424: "Failed Dependency",
    429: "Too Many Requests",
    502: "Bad Gateway",
    504: "Gateway Timeout",
    507: "Insufficient Storage",
}


class Outcome:
    """What was answered: ``status``, the number of ``content`` bytes, and why it is not the file, if it is not.

    ``cut`` says that the answer is not whole, so that the connection has to end.
    """

    __slots__ = ("content", "cut", "reason", "status")

    def __init__(self, status: int, content: int, reason: str = "", cut: bool = False) -> None:
        self.status: Final = status
        self.content: Final = content
        self.reason: Final = reason
        self.cut: Final = cut


class Reply:
    """The response to the request of ``head`` with its ``body``; ``close`` says that it is the connection's last.

    ``begin``, then any number of ``write`` and ``write_file``, then ``end``; or ``cut`` where it cannot be completed.
    """

    __slots__ = ("begun", "body", "client", "close", "failed", "left", "minor", "over", "sent", "silent", "status")

    def __init__(self, client: Client, head: RequestHead, close: bool, body: Body | None = None) -> None:
        self.client: Final = client
        self.body: Final = body
        self.minor: Final = head.minor
        self.close = close
        self.begun = self.failed = False
        self.over = False  # there was more content than announced
        self.silent = False  # this response has no content, whatever is written
        self.left: int | None = 0  # of the announced length; None: the end is told otherwise
        self.sent = 0
        self.status = 0

    def begin(self, status: int, fields: "Fields", length: int | None, first: bytes = b"") -> None:
        """Send the head of a final response and the ``first`` of its content.

        ``length`` is that of the whole content, None if it is not known.  ``fields`` have been checked, and none of
        them frames the message.  Raises PeerGone.
        """
        self.client.write(self.opening(status, fields, length, first))

    def opening(self, status: int, fields: "Fields", length: int | None, first: bytes = b"") -> bytes:
        """What ``begin`` sends, for who sends it himself, as the peer takes it; ``framed`` has what follows it."""
        self.begun = True
        self.status = status
        if self.body is not None and self.body.expects:
            self.close = True  # content that was not asked for may come or not (RFC 9110 §10.1.1): nobody could tell
        self.silent = self.client.head_only or status in WITHOUT_CONTENT
        if status == 205:
            length = 0  # RFC 9110 §15.3.6
        self.left = length
        framing: list[tuple[str, str]] = []
        if length is not None and status != 204:  # RFC 9110 §8.6: no Content-Length in 204
            framing.append(("Content-Length", str(length)))
        elif status not in WITHOUT_CONTENT and self.minor == 1:
            framing.append(("Transfer-Encoding", "chunked"))
        elif status not in WITHOUT_CONTENT:
            self.close = True  # HTTP/1.0 knows no chunks: the end of the connection is the end of the content
        phrase = PHRASES.get(status, "")  # RFC 9112 §4: may be empty
        head = compose_head(status, phrase, [*fields, *framing], self.close)
        return head + self.framed(first)

    def framed(self, data: bytes) -> bytes:
        """``data`` as it stands in the message; what is beyond the announced length is left out."""
        if self.left is not None:
            self.over = self.over or len(data) > self.left
            data = data[: self.left]
            self.left -= len(data)
        if self.silent or not data:
            return b""
        self.sent += len(data)
        if self.left is None and self.minor == 1:
            return b"%x\r\n%b\r\n" % (len(data), data)
        return data

    def write(self, data: bytes) -> None:
        """Send more of the content.  Raises PeerGone."""
        if data := self.framed(data):
            self.client.write(data)

    def write_file(self, file: int, offset: int, length: int) -> None:
        """Send ``length`` bytes of the open ``file`` from ``offset`` on, by sendfile(2); the length is announced, and as
        in ``framed``, what is beyond that is left out.

        Raises PeerGone when the peer does not take them, or when the file ends early: the announced length can no
        longer be kept, and cutting the connection is how a recipient learns that (RFC 9112 §8).
        """
        if self.silent or not length:
            return
        most = self.left or 0
        self.over = self.over or length > most
        client = self.client
        poll = select.poll()
        poll.register(client.socket.fileno(), select.POLLOUT)
        end = offset + min(length, most)
        while offset < end:
            try:
                began = client.expire(pace := client.pace())
                sent = posix.sendfile(client.socket.fileno(), file, offset, min(end - offset, PORTION))
            except BlockingIOError:
                poll.poll(max(0.0, min(pace, client.deadline) - began) * 1000)
                client.account(0, began)
                continue
            except OSError as error:
                raise PeerGone(f"writing to the peer: {error}") from None
            if sent == 0:
                raise PeerGone(f"the file ended {end - offset} bytes early")
            client.account(sent, began)
            offset += sent
            self.sent += sent
        if self.left is not None:
            self.left -= min(length, most)

    def end(self, reason: str = "") -> Outcome:
        """The content is complete; tell the peer where that is not plain.  Raises PeerGone.

        Content that is shorter than announced is a response cut short, and the connection ends with it.
        """
        if (self.left or self.over) and not self.silent:
            return self.cut("more content than announced" if self.over else f"{self.left} bytes less than announced")
        if self.left is None and self.minor == 1 and not self.silent:
            self.client.write(b"0\r\n\r\n")
        return Outcome(self.status, self.sent, reason)

    def cut(self, reason: str) -> Outcome:
        """Give up a response that has begun.  The peer has to notice: without length or chunks, by a reset."""
        self.close = True
        if self.left is None and self.minor == 0:
            # socket(7): closing with SO_LINGER and no time to linger resets the connection.
            self.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.client.socket.close()
        return Outcome(self.status, self.sent, reason, cut=True)

    def fail(self, status: int, reason: str) -> Outcome:
        """An application gave no response, or not all of it: the page of ``status`` if nothing was sent, else a cut."""
        self.failed = self.close = True
        return self.cut(reason) if self.begun else self.page(status, reason)

    def page(self, status: int, reason: str = "", fields: "Fields | None" = None) -> Outcome:
        """Answer with the short page of ``status``; the ``reason`` is for the journal.  Raises PeerGone."""
        content = f"{status} {PHRASES[status]}\n".encode()
        own = [("Content-Type", "text/plain; charset=utf-8"), *(fields or [])]
        self.begin(status, own, len(content), content)
        return self.end(reason)
