# SPDX-License-Identifier: Apache-2.0
"""response: status line and field lines to bytes (RFC 9112 §4), and the short page of a refusal."""

from selsock.cores import time
from selsock.errors import Challenge, OwnFault, PeerFault
from selsock.handler.adopt import Client

REASONS = {
    200: "OK",
    301: "Moved Permanently",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: float) -> str:
    """IMF-fixdate (RFC 9110 §5.6.7) of a time in seconds since the epoch.

    The first call makes libc read the time zone, so one is made above the line.
    """
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    return f"{DAYS[weekday]}, {day:02} {MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def compose_head(status: int, fields: "dict[str, str]", close: bool) -> bytes:
    """Status line and field lines.  ``fields`` are ours alone and hold neither CR nor LF."""
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"Date: {http_date(time.time())}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def send_page(client: Client, status: int, text: str, fields: "dict[str, str]", close: bool) -> None:
    """A whole response with one line of plain text; without the content in answer to HEAD (RFC 9110 §9.3.2)."""
    content = f"{status} {REASONS[status]}{text and ': '}{text}\n".encode()
    own = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(content)), **fields}
    client.write(compose_head(status, own, close) + (b"" if client.head_only else content))


def refuse(client: Client, fault: PeerFault | OwnFault) -> None:
    """Tell the peer, unless an answer has begun: a second one would be taken for the answer to another request.

    The peer's own fault is explained to it; of ours it learns the status alone.
    """
    if client.answered:
        return
    fields = {}
    if isinstance(fault, Challenge):
        fields["WWW-Authenticate"] = f'Basic realm="{fault.realm}", charset="UTF-8"'
    text = fault.reason if isinstance(fault, PeerFault) and not isinstance(fault, Challenge) else ""
    send_page(client, fault.status, text, fields, close=True)
