# SPDX-License-Identifier: Apache-2.0
"""adopt: the connection that systemd accepted, its peer, and its deadline.  Nothing is read from the client yet.

From systemd (sd_listen_fds(3), systemd.socket(5) under Accept=yes): LISTEN_PID and LISTEN_FDS=1 are required, fd 3 is
the connection.  LISTEN_FDNAMES and REMOTE_ADDR are not used: the first is "connection" or the unit's choice depending on
the version, the second is absent when the client has left already; the kernel is asked instead.
"""

from selsock.cores import Final, posix, socket, time
from selsock.errors import AdoptFault, PeerGone
from selsock.model import Table

LISTEN_FDS_START = 3
GRACE_SECONDS = 10.0  # of waiting for the peer, before bytes_per_second counts
LINGER_BYTES = 65536
LINGER_SECONDS = 2.0


class Client:
    """The accepted socket.  The only reads and writes of it, each bounded by a deadline on the monotonic clock.

    ``answered`` is set with the first byte of a response: after it, no second response may start.  ``head_only`` says
    that the request at hand is HEAD, whose answers carry no content.  ``scheme`` and ``port`` are what the visitor used;
    ``field`` is the one that tells his address in each request, if any, ``login`` the one that tells who he is; ``user`` is
    what a proxy has told of that, unchecked.  ``hidden`` are the fields that no request keeps.  ``listener`` is where he
    came in: its port or path.
    """

    __slots__ = (
        *("address", "field", "hidden", "listener", "login", "port", "scheme", "socket", "user"),
        *("answered", "head_only", "deadline", "end", "least", "moved", "waited"),
    )

    def __init__(self, connection: "socket.socket", address: str, own: "str | tuple[str, int]" = ("", 80)) -> None:
        self.socket: Final = connection
        self.address = address
        self.port = own[1] if isinstance(own, tuple) else 80
        self.listener = str(self.port) if isinstance(own, tuple) else own
        self.scheme = "http"
        self.field = self.login = self.user = b""
        self.hidden: tuple[bytes, ...] = ()
        self.answered = self.head_only = False
        self.end = self.deadline = time.monotonic() + 60.0  # until the table tells connection_seconds
        self.least = 1  # bytes per second
        self.moved = 0
        self.waited = 0.0

    def bound(self, settings: Table) -> None:
        """Take the limits of the table for this connection, and the fields that none of its requests keeps."""
        self.end = self.deadline = time.monotonic() + settings.limits.connection_seconds
        self.least = settings.limits.bytes_per_second
        self.hidden = settings.fields

    def next_request(self) -> None:
        """Nothing of another request has been read, nothing of its answer has been sent."""
        self.answered = self.head_only = False
        self.deadline = self.end
        self.moved, self.waited = 0, 0.0

    def read_into(self, view: memoryview, deadline: float) -> int:
        """Read once into ``view``; return the count, 0 at the end of the stream.

        Raises TimeoutError at ``deadline`` or the connection's own, PeerGone when the peer has reset.
        """
        self.expire(deadline)
        try:
            return self.socket.recv_into(view)
        except TimeoutError:
            raise
        except OSError as error:
            raise PeerGone(f"reading from the peer: {error.strerror}") from None

    def write(self, data: "bytes | memoryview") -> None:
        """Send all of ``data``.  Raises PeerGone when the peer does not take it in time, or too slowly."""
        view = memoryview(data)
        while view:
            view = view[self.send(view) :]

    def send(self, view: "bytes | memoryview") -> int:
        """Send as much of ``view`` as the peer takes at once; return the count.  Raises as ``write``."""
        self.answered = True
        try:
            began = self.expire(self.pace())
            count = self.socket.send(view)
        except OSError as error:
            raise PeerGone(f"writing to the peer: {error}") from None
        self.account(count, began)
        return count

    def pace(self) -> float:
        """Until when the peer may let us wait for its next bytes of content, or for taking ours."""
        return time.monotonic() + GRACE_SECONDS + self.moved / self.least - self.waited

    def account(self, count: int, began: float) -> None:
        """``count`` bytes of content have moved; we have waited for them since ``began``."""
        self.moved += count
        self.waited += time.monotonic() - began

    def expire(self, deadline: float) -> float:
        """Give the socket what is left until ``deadline``; return the time now.  Raises TimeoutError when none is."""
        now = time.monotonic()
        left = min(deadline, self.deadline) - now
        if left <= 0:
            raise TimeoutError("deadline")
        self.socket.settimeout(left)
        return now

    def last_words(self) -> None:
        """Give one short answer time of its own, whatever the peer has used up: a 408 is to arrive."""
        self.deadline = time.monotonic() + LINGER_SECONDS
        self.moved, self.waited = 0, 0.0

    def end_output(self) -> None:
        """Nothing more is sent: the peer reads to the end of the stream."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone, or was cut off

    def linger(self) -> None:
        """Close so that an answer already sent arrives: half-close, then drop what the peer still sends.

        Closing with unread input makes the kernel send RST, which may overtake the answer (RFC 9112 §9.6).
        """
        end = self.deadline = time.monotonic() + LINGER_SECONDS
        left = LINGER_BYTES
        waste = bytearray(4096)
        self.end_output()
        try:
            while left > 0 and (count := self.read_into(memoryview(waste), end)):
                left -= count
        except (OSError, PeerGone):
            pass  # the peer may be gone already, and nothing depends on it any more
        self.socket.close()


def adopt(environ: "dict[bytes, bytes]", pid: int) -> Client:
    """Take over fd 3.  ``environ`` is posix.environ, ``pid`` our own.

    Raises AdoptFault when this is not what Accept=yes hands over, PeerGone when the client has left already.
    """
    if environ.get(b"LISTEN_PID") != b"%d" % pid or environ.get(b"LISTEN_FDS") != b"1":
        raise AdoptFault("expected LISTEN_PID of this process and LISTEN_FDS=1, as systemd passes under Accept=yes")
    try:
        posix.set_inheritable(LISTEN_FDS_START, False)
        connection = socket.socket(fileno=LISTEN_FDS_START)
    except OSError as error:
        raise AdoptFault(f"fd 3 is not a socket: {error.strerror}") from None
    if connection.type != socket.SOCK_STREAM or connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise AdoptFault("fd 3 is not an accepted stream connection")
    try:
        peer, own = connection.getpeername(), connection.getsockname()
    except OSError as error:
        raise PeerGone(f"left before it was adopted: {error.strerror}") from None
    return Client(connection, plain_address(peer), own)


def plain_address(peer: object) -> str:
    """The peer's address as text: IPv4 even where it arrived mapped into IPv6, "local" for AF_UNIX."""
    if not isinstance(peer, tuple):
        return "local"
    address = str(peer[0])
    mapped = address.removeprefix("::ffff:")
    return mapped if "." in mapped else address
