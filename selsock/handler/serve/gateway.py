# SPDX-License-Identifier: Apache-2.0
"""gateway: what WSGI and CGI share.  A request as meta-variables, an application's fields as ours, the start of a child.

Nothing that an application says reaches the client as it is: names and values are checked, framing is ours.
"""

from selsock.cores import posix
from selsock.handler.confine import Confined
from selsock.handler.head import TOKEN, VALUE
from selsock.handler.journal import NOTICE, Journal
from selsock.handler.serve.exchange import Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from selsock.handler.serve.reply import Fields

# Of a request: what concerns the connection or us alone, and Proxy, which as HTTP_PROXY would send an application's own
# requests to an address of the visitor's choice (https://httpoxy.org).  Authorization is in no head's fields.
NOT_PASSED_ON = (
    *(b"proxy", b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive", b"te", b"trailer"),
    *(b"transfer-encoding", b"upgrade", b"expect", b"content-length", b"content-type"),
)
VARIABLE = b"abcdefghijklmnopqrstuvwxyz0123456789-"
# Of a response: what frames the message, or concerns the connection (RFC 9110 §7.6.1, RFC 9112 §6).
OURS = (
    *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer"),
    *(b"transfer-encoding", b"upgrade"),
)
MOST_FIELDS = 200
MOST_BYTES = 65536
MOST_LINES = 100  # of stderr, for one request
LINE_BYTES = 1000
SIGKILL = 9  # signal(7)
LAST_DESCRIPTOR = posix.sysconf("SC_OPEN_MAX")


def environment(confined: Confined, exchange: Exchange, script: "tuple[str, ...]", rest: str) -> "dict[str, bytes]":
    """The meta-variables of RFC 3875 §4.1, made from nothing but the request.

    ``script`` are the decoded segments of the path that name the application; ``rest`` is what follows them, empty or
    from a slash on.
    """
    head = exchange.head
    found = {
        "GATEWAY_INTERFACE": b"CGI/1.1",
        "SERVER_SOFTWARE": b"selsock",
        "SERVER_NAME": head.host.encode(),
        "SERVER_PORT": b"443" if exchange.scheme == "https" else str(exchange.port).encode(),
        "SERVER_PROTOCOL": f"HTTP/1.{head.minor}".encode(),
        "REQUEST_METHOD": head.method.encode(),
        "REQUEST_SCHEME": exchange.scheme.encode(),
        "REQUEST_URI": head.target.raw.encode(),
        "SCRIPT_NAME": "".join(f"/{segment}" for segment in script).encode(),
        "PATH_INFO": rest.encode(),
        "QUERY_STRING": head.target.query,
        "DOCUMENT_ROOT": confined.vhost.root.encode(),
        "REMOTE_ADDR": exchange.address.encode(),
    }
    if exchange.scheme == "https":
        found["HTTPS"] = b"on"
    if exchange.user is not None:
        found["REMOTE_USER"] = exchange.user.encode()
        if confined.vhost.basic is not None:
            found["AUTH_TYPE"] = b"Basic"
    if b"content-type" in head.fields:
        found["CONTENT_TYPE"] = head.fields[b"content-type"]
    if b"content-length" in head.fields:
        found["CONTENT_LENGTH"] = str(head.content).encode()
    for name, value in head.fields.items():
        # A name with other characters stands for no variable (RFC 3875 §4.1.18 knows of "-" alone).
        if name not in NOT_PASSED_ON and not name.translate(None, VARIABLE):
            found["HTTP_" + name.decode().upper().replace("-", "_")] = value
    return found


def rest_of(exchange: Exchange, count: int) -> str:
    """The path behind its first ``count`` segments, as PATH_INFO has it: empty, or from a slash on."""
    target = exchange.head.target
    return "".join(f"/{segment}" for segment in target.segments[count:]) + ("/" if target.directory else "")


def response_fields(pairs: "list[tuple[bytes, bytes]]") -> "tuple[Fields, int | None]":
    """An application's fields as they may be sent, and the length that they announce, None for none.

    Date is left out, since ours stands there.  Raises ValueError with what is wrong: nothing of it is sent then.
    """
    fields: Fields = []
    length = None
    if len(pairs) > MOST_FIELDS or sum(len(name) + len(value) for name, value in pairs) > MOST_BYTES:
        raise ValueError(f"more than {MOST_FIELDS} fields, or than {MOST_BYTES} bytes of them")
    for name, value in pairs:
        lower, value = name.lower(), value.strip(b" \t")
        if not name or name.translate(None, TOKEN):
            raise ValueError(f"a field name that is no token: {name[:40]!r}")
        if value.translate(None, VALUE):
            raise ValueError(f"a control character in the field {name.decode()}")
        if lower in OURS:
            raise ValueError(f"the field {name.decode()}, which frames the message or concerns the connection")
        if lower == b"content-length":
            if length is not None or not value or value.translate(None, b"0123456789") or len(value) > 18:
                raise ValueError(f"a Content-Length that is no single number: {value[:40]!r}")
            length = int(value)
        elif lower != b"date":
            fields.append((name.decode(), value.decode("latin-1")))
    return fields, length


def become_tenant(confined: Confined, keep: int, environ: "dict[str, bytes]") -> None:
    """What a forked child does before it runs a tenant's code.

    Credentials are overwritten; a session of its own, so that it and its children can be ended together; no descriptor
    but 0, 1, 2 and ``keep``; ``environ`` is all of the environment.
    """
    confined.buffer.wipe()
    posix.setsid()
    posix.closerange(3, keep)
    posix.closerange(keep + 1, LAST_DESCRIPTOR)
    for name in list(posix.environ):
        posix.unsetenv(name)
    posix.environ.clear()
    posix.environ.update({variable.encode(): value for variable, value in environ.items()})
    for name, value in posix.environ.items():
        posix.putenv(name, value)


def end_session(pid: int) -> int:
    """End the child ``pid`` and its session, if they have not ended by themselves, and reap it; its wait status."""
    try:
        posix.killpg(pid, SIGKILL)
    except OSError:
        posix.kill(pid, SIGKILL)  # it has no session yet
    return posix.waitpid(pid, 0)[1]


def process_environment(confined: Confined, exchange: Exchange) -> "dict[str, bytes]":
    """The environment that every program of a tenant's has: PATH, LANG, TMPDIR, and what its location adds."""
    found = {"PATH": b"/usr/bin:/bin", "LANG": b"C.UTF-8"}
    if confined.vhost.temporary is not None:
        found["TMPDIR"] = confined.vhost.temporary.encode()
    for option, text in exchange.location.options:
        if option == "env":
            variable, _, setting = text.partition("=")
            found[variable] = setting.encode()
    return found


class Complaints:
    """What an application writes to its standard error: a record for each line, as many as one request may cause."""

    __slots__ = ("journal", "left", "rest", "vhost")

    def __init__(self, journal: Journal, vhost: str) -> None:
        self.journal: Final = journal
        self.vhost: Final = vhost
        self.left = MOST_LINES
        self.rest = b""

    def take(self, data: bytes) -> None:
        """More of it.  Raises AdoptFault when journald does not take it."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > LINE_BYTES:
            lines.append(self.rest)
            self.rest = b""
        for line in lines:
            self.write(line)

    def end(self) -> None:
        """The last line, which may have no end."""
        if self.rest:
            self.write(self.rest)
        self.rest = b""

    def write(self, line: bytes) -> None:
        """One line, as one record; the last that may be written says so."""
        if not self.left:
            return
        self.left -= 1
        text = line[:LINE_BYTES].decode("utf-8", "backslashreplace") if self.left else "more is left out"
        shown = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
        self.journal.record(NOTICE, f"{self.vhost}: {shown}", event="stderr", vhost=self.vhost)
