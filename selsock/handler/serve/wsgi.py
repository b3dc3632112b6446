# SPDX-License-Identifier: Apache-2.0
"""wsgi: the parent's side of an application.  It holds the client; the application runs in a child (``application.py``).

The child is forked after confinement, at the first request for its location, imports the application once, and lives
for the connection at most.  What it says is a frame (``channel.py``); whatever is no frame, or comes out of turn, is the
end of the child and of the connection.
"""

from selsock.cores import posix, socket, struct
from selsock.handler.confine import Confined
from selsock.handler.serve import application, channel
from selsock.handler.serve.channel import Broken, Channel
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.gateway import (
    Complaints,
    become_tenant,
    end_session,
    environment,
    process_environment,
    response_fields,
    rest_of,
)
from selsock.handler.serve.reply import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from selsock.handler.serve.reply import Fields

SAY_SO_SECONDS = 1.0  # are kept for telling the visitor that the application was too slow
FORMAT, REGULAR = 0o170000, 0o100000
SPAN = struct.Struct(">QQ")


class Applications:
    """The applications of one connection, by location."""

    __slots__ = ("children",)

    def __init__(self) -> None:
        self.children: Final[dict[tuple[str, ...], tuple[int, Channel]]] = {}

    def serve(self, confined: Confined, exchange: Exchange) -> Outcome:
        """Answer one request.  Raises PeerFault, PeerGone, AdoptFault."""
        prefix = exchange.location.prefix
        if prefix not in self.children:
            try:
                self.children[prefix] = start(confined, exchange)
            except OSError as error:
                return exchange.reply.fail(500, f"no process for the application: {error.strerror}")
        pid, end = self.children[prefix]
        outcome = Conversation(confined, exchange, end).hold()
        if outcome.cut or exchange.reply.failed:
            # Whatever it is in the middle of, it is not trusted with another request.
            del self.children[prefix]
            end_session(pid)
        return outcome


def start(confined: Confined, exchange: Exchange) -> "tuple[int, Channel]":
    """Fork the child; return its pid and our end of the channel.  Raises OSError where a limit is reached."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = posix.fork()
    if pid == 0:
        try:
            become_tenant(confined, theirs.fileno(), process_environment(confined, exchange))
            application.run(Channel(theirs), exchange.location.options)
        finally:
            posix._exit(1)
    theirs.close()
    return pid, Channel(ours)


class Conversation:
    """One request and what the child says to it.  ``head`` is the response's, held until its first content."""

    __slots__ = ("channel", "complaints", "confined", "exchange", "head")

    def __init__(self, confined: Confined, exchange: Exchange, end: Channel) -> None:
        self.confined: Final = confined
        self.exchange: Final = exchange
        self.channel: Final = end
        self.complaints: Final = Complaints(exchange.journal, confined.vhost.name)
        self.head: tuple[int, Fields, int | None] | None = None

    def hold(self) -> Outcome:
        """From the request to the end of the response.  Raises PeerFault, PeerGone, AdoptFault."""
        self.channel.deadline = self.exchange.reply.client.deadline - SAY_SO_SECONDS
        try:
            self.channel.send(channel.REQUEST, self.request())
            while True:
                kind, data, descriptor = self.channel.receive()
                if descriptor is None and kind == channel.END:
                    return self.end()
                if descriptor is None and kind == channel.FAILED:
                    return self.fail("the application failed")
                self.take(kind, data, descriptor)
        except TimeoutError:
            return self.fail("the application did not answer in time", 504)
        except (Broken, ValueError) as error:
            return self.fail(f"the application: {error}")
        finally:
            self.complaints.end()

    def request(self) -> bytes:
        """The environ, as the child reads it: names and values, a NUL behind each."""
        exchange = self.exchange
        prefix = exchange.location.prefix
        environ = environment(self.confined, exchange, prefix, rest_of(exchange, len(prefix)))
        if exchange.body.chunked:  # few applications read content whose length they are not told
            environ["CONTENT_LENGTH"] = str(exchange.body.collect()).encode()
        return b"".join(name.encode() + b"\0" + value + b"\0" for name, value in environ.items())

    def take(self, kind: bytes, data: bytes, descriptor: int | None) -> None:
        """A frame that is not the last.  Raises ValueError for one that has no place here."""
        if descriptor is not None:
            try:
                self.file(kind, data, descriptor)
            finally:
                posix.close(descriptor)
        elif kind == channel.READ:
            size = int.from_bytes(data, "big")
            self.channel.send(channel.CONTENT, self.exchange.body.read(size))
        elif kind == channel.COMPLAINT:
            self.complaints.take(data)
        elif kind == channel.HEAD:
            self.head = self.parse_head(data)
        elif kind == channel.DATA:
            self.content(data)
        else:
            raise ValueError("a frame that has no place here")

    def parse_head(self, data: bytes) -> "tuple[int, Fields, int | None]":
        """Status and fields: NUL-separated, the status first.  Raises ValueError."""
        if self.exchange.reply.begun:
            raise ValueError("a second head")
        status, *rest = data.split(b"\0")
        if len(status) != 3 or status.translate(None, b"0123456789") or not 200 <= int(status) <= 599:
            raise ValueError(f"a status that is not 200 to 599: {status[:40]!r}")
        fields, length = response_fields(list(zip(rest[::2], rest[1::2], strict=True)))
        return int(status), fields, length

    def content(self, data: bytes) -> None:
        """More content; the first of it sends the head along.  Raises ValueError where no head came before."""
        if self.exchange.reply.begun:
            self.exchange.reply.write(data)
        elif self.head is None:
            raise ValueError("content before status and fields")
        else:
            self.exchange.reply.begin(*self.head, data)

    def file(self, kind: bytes, data: bytes, descriptor: int) -> None:
        """The content of a file, by sendfile: ``data`` says from where and how much.  Raises ValueError."""
        reply = self.exchange.reply
        if kind != channel.FILE or len(data) != SPAN.size or self.head is None or reply.begun:
            raise ValueError("a descriptor that has no place here")
        offset, length = SPAN.unpack(data)
        status = posix.fstat(descriptor)
        # Of anything else, a read might never end.
        if status.st_mode & FORMAT != REGULAR or offset + length > status.st_size:
            raise ValueError("a descriptor of no regular file, or of a shorter one")
        code, fields, announced = self.head
        announced = length if announced is None else announced
        reply.begin(code, fields, announced)
        reply.write_file(descriptor, offset, min(length, announced))

    def end(self) -> Outcome:
        """The application is through with this request."""
        if not self.exchange.reply.begun:
            if self.head is None:
                return self.fail("the application ended the response before status and fields")
            self.exchange.reply.begin(*self.head)
        return self.exchange.reply.end()

    def fail(self, reason: str, status: int = 500) -> Outcome:
        """No response, or no more of it, can be had: a page of ours, if nothing has been sent, else a cut."""
        return self.exchange.reply.fail(status, reason)
