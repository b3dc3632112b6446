# SPDX-License-Identifier: Apache-2.0
"""response: status line and field lines to bytes (RFC 9112 §4), and the short page of a refusal."""

from selsock.cores import time
from selsock.errors import Challenge, Limited, OwnFault, PeerFault
from selsock.handler.adopt import Client

# Of the refusals that end a connection; serve/reply.py has those of content.
REASONS = (
    {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 408: "Request Timeout", 413: "Content Too Large"}
    | {414: "URI Too Long", 417: "Expectation Failed", 421: "Misdirected Request", 429: "Too Many Requests"}
    | {431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented"}
    | {503: "Service Unavailable", 505: "HTTP Version Not Supported"}
)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: float) -> str:
    """IMF-fixdate (RFC 9110 §5.6.7) of a time in seconds since the epoch.

    The first call makes libc read the time zone, so one is made above the line.
    """
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    return f"{DAYS[weekday]}, {day:02} {MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def compose_head(status: int, reason: str, fields: "list[tuple[str, str]]", close: bool) -> bytes:
    """Status line and field lines.  ``fields`` have been checked: they hold neither CR nor LF."""
    lines = [f"HTTP/1.1 {status} {reason}", f"Date: {http_date(time.time())}"]
    lines += [f"{name}: {value}" for name, value in fields]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def refuse(client: Client, fault: PeerFault | OwnFault) -> None:
    """Tell the peer, unless an answer has begun: a second one would be taken for the answer to another request.

    The peer's own fault is explained to it; of ours it learns the status alone.  RFC 9110 §9.3.2: not in answer to HEAD.
    """
    if client.answered:
        return
    text = fault.reason if isinstance(fault, PeerFault) and not isinstance(fault, Challenge) else ""
    content = f"{fault.status} {REASONS[fault.status]}{text and ': '}{text}\n".encode()
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))]
    if isinstance(fault, Challenge):
        fields.append(("WWW-Authenticate", f'Basic realm="{fault.realm}", charset="UTF-8"'))
    if isinstance(fault, Limited):
        fields.append(("Retry-After", fault.seconds))
    client.last_words()
    head = compose_head(fault.status, REASONS[fault.status], fields, close=True)
    client.write(head + (b"" if client.head_only else content))
