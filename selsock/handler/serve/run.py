# SPDX-License-Identifier: Apache-2.0
"""run: a script from its start to its end.  We hold the client; the script has three pipes, and ends with the response.

One loop carries all bytes: whatever the script or the client does not take, no other direction waits for it.
"""

from selsock.cores import posix, select, time
from selsock.errors import PeerFault, PeerGone
from selsock.handler.confine import Confined
from selsock.handler.serve.child import CLOSED, start
from selsock.handler.serve.document import Document, DocumentHead
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.gateway import Complaints
from selsock.handler.serve.reply import WITHOUT_CONTENT, Outcome
from selsock.handler.serve.script import Script, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    Watched = dict[int, tuple[int, Callable[[int], None]]]

PORTION = 65536
SAY_SO_SECONDS = 1.0  # are kept for telling the visitor that the script was too slow
GRACE_SECONDS = 1.0  # for a script to end once its output has
LEFT_BYTES = 1 << 20  # of output are taken once it has ended: as much as a pipe can hold (pipe(7))
AWAY = select.POLLHUP | select.POLLERR


class Run:
    """One request and the script that answers it: what is on the way between them (``inbox`` to the script, ``outbox``
    to the client), and how far they are."""

    __slots__ = (
        *("body", "child", "client", "complaints", "deadline", "document", "exchange", "grace", "head", "inbox"),
        *("left", "outbox", "reply", "talking"),
    )

    def __init__(self, confined: Confined, exchange: Exchange, script: Script) -> None:
        """Start it.  Raises NoScript, PeerFault, PeerGone."""
        self.exchange: Final = exchange
        self.body: Final = exchange.body
        self.reply: Final = exchange.reply
        self.client: Final = exchange.reply.client
        self.deadline: Final = self.client.deadline - SAY_SO_SECONDS
        self.complaints: Final = Complaints(exchange.journal, confined.vhost.name)
        self.head: Final = DocumentHead()
        self.document: Document | None = None
        self.inbox: Final = bytearray()
        self.outbox = b""
        self.talking = True  # there may be more output
        self.grace = 0.0  # until when it may go on without talking
        self.left = LEFT_BYTES
        environ = variables(confined, exchange, script)
        if self.body.chunked:  # RFC 3875 §4.1.2: the script is told the length, so it has to be known
            environ["CONTENT_LENGTH"] = str(self.body.collect()).encode()
            self.inbox.extend(self.body.kept)
            self.body.kept.clear()
        self.child: Final = start(confined, script, environ)

    def hold(self) -> "Outcome | str":
        """From the first byte of content to the end of the response, or to the path of a local redirect.

        Raises PeerFault, PeerGone, AdoptFault.
        """
        fault = None
        by_itself = False
        try:
            if self.body.expects:
                self.body.proceed()
            while self.goes_on():
                self.step()
            by_itself = self.child.status is not None
        except TimeoutError:
            fault = 504, "the script did not answer in time"
        except ValueError as error:
            fault = 500, f"the script: {error}"
        finally:
            status = self.end()
        return self.conclude(status if by_itself else 0) if fault is None else self.reply.fail(*fault)

    def goes_on(self) -> bool:
        """Whether there is anything more to carry, or the script still has a moment to end by itself."""
        return self.talking or bool(self.outbox) or (self.child.status is None and time.monotonic() < self.grace)

    def hungry(self) -> bool:
        """Whether the script could take content that the client has not sent yet."""
        return self.talking and self.child.input != CLOSED and not self.inbox and not self.body.finished

    def step(self) -> None:
        """Carry what can be carried now, or wait until something can."""
        buffer = self.body.buffer
        # While the client does not take output, it may be because it is still sending: then what it sends is kept.
        reading = self.hungry() or (bool(self.outbox) and not self.body.finished)
        if self.body.finished and not self.inbox:
            self.child.close_input()
        if reading and buffer.start < buffer.filled:
            self.take_content()
        elif self.child.status is not None and self.talking and not self.outbox:
            self.take_output(0)  # whoever else may still hold the pipe is not waited for
        else:
            watched = self.watched(reading)
            for end, events in self.wait({end: wanted for end, (wanted, _) in watched.items()}):
                try:
                    watched[end][1](events)
                except BlockingIOError:
                    pass  # less room than a write needs; or the script has opened its own pipe, and was faster

    def watched(self, reading: bool) -> "Watched":
        """What to wait for, and what to do about it, by descriptor."""
        child = self.child
        client = (select.POLLIN if reading else 0) | (select.POLLOUT if self.outbox else 0)
        found: Watched = {self.client.socket.fileno(): (client, self.meet_client)}
        if child.errors != CLOSED:
            found[child.errors] = (select.POLLIN, self.take_complaint)
        if child.input != CLOSED and self.inbox:
            found[child.input] = (select.POLLOUT, self.feed)
        if self.talking and not self.outbox:
            found[child.output] = (select.POLLIN, self.take_output)
        if child.status is None:
            found[child.life] = (select.POLLIN, self.note_end)  # last, for it closes what the others use
        return found

    def wait(self, events: "dict[int, int]") -> "list[tuple[int, int]]":
        """Wait for one of ``events``, and call the client to account for what it was waited for.

        Raises TimeoutError when the script has no more time, PeerFault 408 or PeerGone when the client is too slow.
        """
        began = time.monotonic()
        client = self.client
        waiting = bool(self.outbox) or self.hungry()
        end = min(self.deadline, client.pace()) if waiting else self.deadline
        if not self.talking and not self.outbox:
            end = min(end, self.grace)
        poll = select.poll()
        for descriptor, wanted in events.items():
            poll.register(descriptor, wanted)
        ready = poll.poll(max(0.0, end - began) * 1000 + 1)
        now = time.monotonic()
        if waiting:
            client.account(0, began)
        if now >= self.deadline:
            raise TimeoutError
        if waiting and client.pace() <= now and client.socket.fileno() not in dict(ready):
            if self.outbox:
                raise PeerGone("writing to the peer: deadline")
            raise PeerFault(408, "the content did not come in time (RFC 9110 §15.5.9)")
        return ready

    def meet_client(self, events: int) -> None:
        """The client takes output, or has sent content, or is gone.  Raises PeerFault, PeerGone."""
        if events & AWAY:
            raise PeerGone("the peer left before the script had answered")
        if events & select.POLLOUT:
            self.outbox = self.outbox[self.client.send(self.outbox) :]
        if events & select.POLLIN:
            self.take_content()

    def take_content(self) -> None:
        """More content of the request, for the script, or for nobody.  Raises PeerFault, PeerGone."""
        data = self.body.read(PORTION)
        if self.child.input != CLOSED:
            self.inbox.extend(data)

    def feed(self, events: int) -> None:
        """The script's standard input has room, or nobody will read it.  Raises BlockingIOError."""
        try:
            del self.inbox[: posix.write(self.child.input, self.inbox[:PORTION])]
        except BrokenPipeError:
            self.drop_input()

    def drop_input(self) -> None:
        """Nobody will read it."""
        self.inbox.clear()
        self.child.close_input()

    def take_complaint(self, events: int) -> None:
        """Something on standard error, or its end.  Raises AdoptFault, BlockingIOError."""
        data = posix.read(self.child.errors, PORTION)
        if data:
            self.complaints.take(data)
        else:
            self.child.close_errors()

    def note_end(self, events: int) -> None:
        """The script has ended.  So does what it has left behind: the response is as long as the script's life."""
        self.child.end()
        self.drop_input()

    def take_output(self, events: int) -> None:
        """Something on standard output, or its end.  Raises ValueError for what is no response, BlockingIOError."""
        try:
            data = posix.read(self.child.output, PORTION)
        except BlockingIOError:
            if self.child.status is None:
                raise
            data = b""  # the script has ended, and that was all
        if self.child.status is not None:
            self.left -= len(data)
        if not data or self.left < 0:
            self.talking = False
            self.grace = time.monotonic() + GRACE_SECONDS
        elif self.document is not None:
            self.send(self.document, data)
        elif (rest := self.head.take(data)) is not None:
            self.document = Document(self.head.lines)
            if self.document.local is not None:
                self.talking = False
            elif rest:
                self.send(self.document, rest)

    def send(self, document: Document, data: bytes) -> None:
        """Content, with the head before the first of it.  Raises ValueError where there may be none."""
        if self.reply.begun:
            self.outbox = self.reply.framed(data)
        elif not document.typed:
            raise ValueError("content without Content-Type (RFC 3875 §6.3.1)")
        else:
            self.outbox = self.reply.opening(document.status, document.fields, document.length, data)
        if self.reply.over:
            self.talking = False  # and that is the end of the response

    def end(self) -> int:
        """End the script and what leads to it; its wait status.  What it said last on standard error is kept."""
        status = self.child.end()
        try:
            while self.child.errors != CLOSED and self.complaints.left:
                self.take_complaint(0)
        except BlockingIOError:
            pass  # that was all
        self.complaints.end()
        self.child.close()
        return status

    def conclude(self, status: int) -> "Outcome | str":
        """The outcome, once all is carried; ``status`` is the script's wait status, 0 where it was ended here."""
        document, reply = self.document, self.reply
        if document is not None and document.local is not None:
            return document.local
        if posix.WIFSIGNALED(status):
            return reply.fail(500, f"the script was ended by signal {posix.WTERMSIG(status)}")
        code = posix.waitstatus_to_exitcode(status)
        ending = f"the script ended with status {code}" if code else ""
        if document is None:
            return reply.fail(500, ending or "the script: no response, or not all of its head")
        if not reply.begun:
            # That of 304, as of the answer to HEAD, would be of the content that there is elsewhere (RFC 9110 §8.6).
            unknown = self.client.head_only or document.status in WITHOUT_CONTENT
            length = 0 if document.length is None and not unknown else document.length
            reply.begin(document.status, document.fields, length)
        return reply.end(ending)
