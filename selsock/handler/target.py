# SPDX-License-Identifier: Apache-2.0
"""target: the request target and the host, in the one reading that rules, log and file system share.

One treatment for every doubtful path: refused with 400.  Escapes are decoded once; ``%2F``, NUL, other controls, empty
and dot segments, and bytes that are not UTF-8 have no meaning here.
"""

from selsock.cores import Final, socket
from selsock.errors import PeerFault
from selsock.names import HostName

HEXADECIMAL = b"0123456789abcdefABCDEF"
# pchar of RFC 3986 §3.3 without "%", and "/".
PATH = b"/:@!$&'()*+,;=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# The URL Standard's query percent-encode set leaves these as they are, and browsers send them so.  Nothing here
# interprets a query.
QUERY = PATH + b"?[]{}|\\^`"


class Target:
    """``raw`` as it was sent (visible ASCII), the decoded ``segments`` of its path, its ``authority`` if absolute.

    The path ends in "/" when ``directory`` is set; then no empty segment stands for it.
    """

    __slots__ = ("authority", "directory", "query", "raw", "segments")

    def __init__(
        self, raw: str, segments: "tuple[str, ...]", directory: bool, query: bytes, authority: bytes | None
    ) -> None:
        self.raw: Final = raw
        self.segments: Final = segments
        self.directory: Final = directory
        self.query: Final = query
        self.authority: Final = authority


def parse_target(method: bytes, raw: bytes) -> Target:
    """The forms of RFC 9112 §3.2 but for that of CONNECT, a method unknown here.  Raises PeerFault 400."""
    if not raw or min(raw) < 33 or max(raw) > 126:
        raise PeerFault(400, "a target that is not visible ASCII (RFC 9112 §3.2)")
    if raw == b"*":
        if method != b"OPTIONS":
            raise PeerFault(400, "a target that does not belong to its method (RFC 9112 §3.2.4)")
        return Target(raw.decode(), (), False, b"", None)
    authority = None
    rest = raw
    if not raw.startswith(b"/"):
        if raw[:7].lower() != b"http://":
            raise PeerFault(400, "a target that is neither origin-form nor absolute-form (RFC 9112 §3.2)")
        authority, slash, rest = raw[7:].partition(b"/")
        rest = slash + rest or b"/"
    path, mark, query = rest.partition(b"?")
    if query.translate(None, QUERY + b"%") or not well_escaped(query):
        raise PeerFault(400, "a query with a character that has to be escaped (RFC 3986 §3.4)")
    segments, directory = parse_path(path)
    return Target(raw.decode(), segments, directory, mark and query, authority)


def parse_path(path: bytes) -> "tuple[tuple[str, ...], bool]":
    """The decoded segments of an absolute path, and whether it ends in a slash.  Raises PeerFault 400."""
    if path.translate(None, PATH + b"%") or not well_escaped(path):
        raise PeerFault(400, "a path with a character that has to be escaped (RFC 3986 §3.3)")
    segments: list[str] = []
    parts = path[1:].split(b"/")
    directory = parts[-1] == b""
    for part in parts[:-1] if directory else parts:
        octets = unescape(part) if b"%" in part else part
        if octets in (b"", b".", b".."):
            raise PeerFault(400, "an empty or dot segment in the path (RFC 3986 §3.3)")
        if b"/" in octets or min(octets) < 32 or 127 in octets:
            raise PeerFault(400, "an escaped slash or control character in the path (RFC 3986 §7.3)")
        try:
            segments.append(octets.decode())
        except UnicodeDecodeError:
            raise PeerFault(400, "escapes in the path that are not UTF-8 (RFC 3986 §2.5)") from None
    return tuple(segments), directory


def well_escaped(text: bytes) -> bool:
    """Whether each ``%`` is followed by two hexadecimal digits (RFC 3986 §2.1)."""
    return all(len(part) >= 2 and not part[:2].translate(None, HEXADECIMAL) for part in text.split(b"%")[1:])


def unescape(text: bytes) -> bytes:
    """Decode each ``%XX`` once.  ``text`` is well escaped."""
    first, *parts = text.split(b"%")
    return first + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in parts)


def parse_host(field: bytes | None, target: Target, minor: int) -> str:
    """The host that the request is for, in lower case and without port; "" when HTTP/1.0 names none.

    RFC 9112 §3.2: HTTP/1.1 without Host is 400.  §3.2.2 lets an absolute target override Host; a client that says two
    different things is refused instead.
    """
    if field is None and minor == 1:
        raise PeerFault(400, "HTTP/1.1 without Host (RFC 9112 §3.2)")
    host = host_of(field) if field is not None else ""
    if target.authority is not None:
        if field is not None and host_of(target.authority) != host:
            raise PeerFault(400, "Host contradicts the absolute target (RFC 9112 §3.2.2)")
        host = host_of(target.authority)
    return host


def host_of(authority: bytes) -> str:
    """The host in ``uri-host [":" port]`` (RFC 9110 §7.2).  Raises PeerFault 400; userinfo is refused with the rest."""
    host, colon, port = authority.rpartition(b":")
    if not colon or port.endswith(b"]"):
        host, port = authority, b""
    try:
        text = host.decode("ascii").lower()  # of all Unicode, lower() would make a "k" of the Kelvin sign
        if text.startswith("["):
            socket.inet_pton(socket.AF_INET6, text[1:-1])
    except (OSError, ValueError):
        text = ""
    if port.translate(None, b"0123456789") or len(port) > 5 or not HostName.accepts(text):
        raise PeerFault(400, "a host that is no host name or address with a port (RFC 9110 §7.2)")
    return text
