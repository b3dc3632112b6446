# SPDX-License-Identifier: Apache-2.0
"""head: bytes to a RequestHead, or a refusal that names its clause (RFC 9112, RFC 9110, RFC 3986).

Strict where the RFC allows leniency: what two parsers may read in two ways is refused.  The value of Authorization is
never sliced out of the buffer: the head only remembers where it lies, so that it can be wiped in one place.
"""

from selsock.cores import Final, time
from selsock.errors import PeerFault, PeerGone
from selsock.handler.adopt import Client
from selsock.handler.target import Target, parse_host, parse_target
from selsock.model import METHODS, Limits

TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # RFC 9110 §5.6.2
VALUE = bytes([9, *range(32, 127), *range(128, 256)])  # field-content with obs-text, RFC 9110 §5.5
CHUNKED = -1  # as the length of content
CODING = b"transfer-encoding"
# Two of any of these would let a proxy and us read the message in two ways.
SINGLE = (b"host", b"content-length", b"transfer-encoding", b"content-type", b"expect")


class RequestHead:
    """A request as far as it concerns the decision: every value checked.

    ``credentials`` is where in the buffer the value of Authorization lies, (0, 0) for none.  ``content`` is the length
    of the content in bytes, or CHUNKED.  ``expects`` says that the client waits for 100 (Continue) before it sends it,
    ``close`` that this is the connection's last request.  ``minor`` is that of HTTP/1.  ``told`` are the fields for proxies,
    which are no longer among ``fields``, be it a proxy that has sent them or not.
    """

    __slots__ = ("close", "content", "credentials", "expects", "fields", "host", "method", "minor", "target", "told")

    def __init__(
        self,
        method: str,
        target: Target,
        minor: int,
        host: str,
        fields: "dict[bytes, bytes]",
        credentials: "tuple[int, int]",
        content: int,
    ) -> None:
        self.method: Final = method
        self.target: Final = target
        self.minor: Final = minor
        self.host: Final = host
        self.told: dict[bytes, bytes] = {}
        self.fields: Final = fields
        self.credentials: Final = credentials
        self.content: Final = content
        # RFC 9110 §10.1.1: from HTTP/1.0 the expectation is ignored; without content there is nothing to wait for.
        self.expects: Final = b"expect" in fields and minor == 1 and content != 0
        options = [option.strip(b" \t").lower() for option in fields.get(b"connection", b"").split(b",")]
        self.close: Final = minor == 0 or b"close" in options


class HeadBuffer:
    """The one place that the client's bytes are read into, as large as a head may be; what was used is wiped.

    ``data[start:filled]`` has been received and not been used: content, or the next request.  ``verified`` is the value of
    Authorization once it is, kept to recognise it in later requests of the connection.
    """

    __slots__ = ("data", "filled", "start", "verified")

    def __init__(self, size: int) -> None:
        self.data: Final = bytearray(size)
        self.verified = bytearray()
        self.start = self.filled = 0

    def wipe_span(self, start: int, end: int) -> None:
        """Overwrite ``data[start:end]`` with zeros, in place: a bytearray never moves unless its size changes."""
        memoryview(self.data)[start:end] = bytes(end - start)

    def wipe(self) -> None:
        """Overwrite everything, in place: what this process holds of the connection's input is gone."""
        self.wipe_span(0, self.filled)
        memoryview(self.verified)[:] = bytes(len(self.verified))
        self.start = self.filled = 0

    def settle(self) -> None:
        """Move what was not used to the front, and overwrite the rest."""
        view = memoryview(self.data)
        count = self.filled - self.start
        view[:count] = view[self.start : self.filled]
        self.wipe_span(count, self.filled)
        self.start, self.filled = 0, count

    def receive(self, client: Client, deadline: float) -> int:
        """Read once more behind what is there; return the count.  Raises as ``Client.read_into``."""
        if self.filled == len(self.data):
            self.settle()
        count = client.read_into(memoryview(self.data)[self.filled :], deadline)
        self.filled += count
        return count


def read_head(client: Client, buffer: HeadBuffer, limits: Limits, wait: float) -> RequestHead:
    """Read and parse one head.  ``wait`` is how many seconds the peer may be silent before its first byte.

    Raises PeerFault 400, 408, 413, 414, 417, 431, 501 or 505; PeerGone when nothing came.
    """
    client.next_request()
    buffer.settle()
    deadline = time.monotonic() + (limits.head_seconds if buffer.filled else wait)
    searched = 0
    while (end := buffer.data.find(b"\r\n\r\n", max(0, searched - 3), buffer.filled)) < 0:
        searched = buffer.filled
        end_of_line = limits.request_line_bytes + 2  # at the latest
        long_line = searched >= end_of_line and buffer.data.find(b"\r\n", 0, end_of_line) < 0
        if searched == len(buffer.data) or long_line:
            raise too_large(buffer, limits)
        more(client, buffer, deadline)
        if not searched:
            deadline = time.monotonic() + limits.head_seconds
    client.deadline = min(client.end, time.monotonic() + limits.request_seconds)
    head = parse_head(buffer, end + 2, limits)
    head.told = {name: head.fields.pop(name, b"") for name in client.hidden}
    buffer.start = end + 4
    client.head_only = head.method == "HEAD"
    return head


def more(client: Client, buffer: HeadBuffer, deadline: float) -> None:
    """Receive more of a head.  A peer that began one and did not end it is told so; a silent one is not.

    Raises PeerFault 400 or 408, PeerGone.
    """
    try:
        ended = not buffer.receive(client, deadline)
    except TimeoutError:
        if buffer.filled:
            raise PeerFault(408, "the head was not complete in time (RFC 9110 §15.5.9)") from None
        raise PeerGone("silent until the deadline") from None
    if ended and buffer.filled:
        raise PeerFault(400, "the stream ended inside the head (RFC 9112 §8)")
    if ended:
        raise PeerGone("closed without a request")


def too_large(buffer: HeadBuffer, limits: Limits) -> PeerFault:
    """414 when it is the request line that does not end (RFC 9112 §3), else 431 (RFC 6585 §5)."""
    end = buffer.data.find(b"\r\n", 0, buffer.filled)
    if end < 0 or end > limits.request_line_bytes:
        return PeerFault(414, f"a request line of more than {limits.request_line_bytes} bytes (RFC 9112 §3)")
    return PeerFault(431, f"a head of more than {len(buffer.data)} bytes (RFC 6585 §5)")


def parse_head(buffer: HeadBuffer, end: int, limits: Limits) -> RequestHead:
    """Parse the head that ends at ``end`` (behind the last field line's CRLF).  Raises as ``read_head``."""
    data = buffer.data
    line_end = data.find(b"\r\n", 0, end)
    if line_end > limits.request_line_bytes:
        raise too_large(buffer, limits)
    method, raw_target, minor = parse_request_line(bytes(memoryview(data)[:line_end]))
    fields, credentials = parse_fields(data, line_end + 2, end, limits)
    target = parse_target(method, raw_target)
    host = parse_host(fields.get(b"host"), target, minor)
    content = content_length(fields, minor, limits)
    if fields.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise PeerFault(417, "an expectation other than 100-continue (RFC 9110 §10.1.1)")
    return RequestHead(method.decode(), target, minor, host, fields, credentials, content)


def parse_request_line(line: bytes) -> "tuple[bytes, bytes, int]":
    """``method SP request-target SP HTTP-version`` (RFC 9112 §3).  Returns method, target and the minor version."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise PeerFault(400, "expected method, target and version with one space between (RFC 9112 §3)")
    method, target, version = parts
    if not method or method.translate(None, TOKEN):
        raise PeerFault(400, "a method that is no token (RFC 9110 §9.1)")
    if len(version) != 8 or version[:5] + version[6:7] != b"HTTP/." or version[5::2].translate(None, b"0123456789"):
        raise PeerFault(400, "no HTTP version at the end of the request line (RFC 9112 §2.3)")
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise PeerFault(505, "a version other than HTTP/1.0 and HTTP/1.1 (RFC 9110 §15.6.6)")
    if method not in METHODS:
        raise PeerFault(501, "a method that is not known here (RFC 9110 §9.1)")
    return method, target, version[7] - 48


def parse_fields(data: bytearray, start: int, end: int, limits: Limits) -> "tuple[dict[bytes, bytes], tuple[int, int]]":
    """The field lines of ``data[start:end]`` by lower-case name, lists joined (RFC 9110 §5.3), and where the
    credentials lie."""
    fields: dict[bytes, bytes] = {}
    credentials = (0, 0)
    count = 0
    while start < end:
        line_end = data.find(b"\r\n", start, end)
        count += 1
        if count > limits.fields:
            raise PeerFault(431, f"more than {limits.fields} field lines (RFC 6585 §5)")
        colon = data.find(b":", start, line_end)
        name = field_name(bytes(memoryview(data)[start : max(start, colon)]))
        if name == b"authorization":
            if credentials != (0, 0):
                raise PeerFault(400, "two Authorization fields (RFC 9110 §5.3)")
            credentials = parse_credentials(data, colon + 1, line_end)
        else:
            # A tab beside the coding hides it from some parsers, so it is left there to be refused.
            value = bytes(memoryview(data)[colon + 1 : line_end]).strip(b" " if name == CODING else b" \t")
            add_field(fields, name, value)
        start = line_end + 2
    return fields, credentials


def field_name(name: bytes) -> bytes:
    """``name`` in lower case.  Raises PeerFault 400."""
    if not name or name.translate(None, TOKEN):
        # Folding (§5.2), a space before the colon (§5.1), a line without colon or with a bare CR or LF (§2.2).
        raise PeerFault(400, "a field line that does not start with a name and a colon (RFC 9112 §5)")
    if b"_" in name:
        raise PeerFault(400, "a field name with _, which CGI cannot tell from - (RFC 3875 §4.1.18)")
    return name.lower()


def add_field(fields: "dict[bytes, bytes]", name: bytes, value: bytes) -> None:
    """Add one field line to ``fields``; a second one of the same name becomes a list, where that is allowed."""
    if value.translate(None, VALUE):
        raise PeerFault(400, "a control character in a field value (RFC 9110 §5.5)")
    if name in fields:
        if name in SINGLE:
            raise PeerFault(400, f"two {name.decode()} fields (RFC 9110 §5.3)")
        value = fields[name] + b", " + value
    fields[name] = value


def parse_credentials(data: bytearray, start: int, end: int) -> "tuple[int, int]":
    """Where the value of Authorization lies, without the white space round it.  Nothing of it is copied."""
    while start < end and data[start] in b" \t":
        start += 1
    while start < end and data[end - 1] in b" \t":
        end -= 1
    for position in range(start, end):
        if data[position] < 32 or data[position] > 126:
            raise PeerFault(400, "credentials that are not visible ASCII (RFC 9110 §11.4)")
    if start == end:
        raise PeerFault(400, "an Authorization field without a value (RFC 9110 §11.6.2)")
    return start, end


def content_length(fields: "dict[bytes, bytes]", minor: int, limits: Limits) -> int:
    """The length of the content behind the head, or CHUNKED (RFC 9112 §6.3), after refusing every ambiguous way of
    saying so."""
    coding = fields.get(CODING)
    length = fields.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise PeerFault(400, "Transfer-Encoding together with Content-Length (RFC 9112 §6.1)")
        if minor == 0:
            raise PeerFault(400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)")
        if coding.lower() != b"chunked":
            raise PeerFault(501, "a transfer coding other than chunked (RFC 9112 §6.1)")
        return CHUNKED
    if length is None:
        return 0
    if not length or length.translate(None, b"0123456789"):
        raise PeerFault(400, "a Content-Length that is no number (RFC 9112 §6.3)")
    if len(length) > 18 or int(length) > limits.content_bytes:
        raise too_much_content(limits)
    return int(length)


def too_much_content(limits: Limits) -> PeerFault:
    """413, however the length became known."""
    return PeerFault(413, f"more than {limits.content_bytes} bytes of content (RFC 9110 §15.5.14)")
