# SPDX-License-Identifier: Apache-2.0
"""access: what is known of the request at hand, and the one record that tells what became of it.

MESSAGE is the Combined Log Format (https://httpd.apache.org/docs/2.4/logs.html#combined), everything else a field.
"""

from selsock.cores import Final, time
from selsock.handler.head import RequestHead
from selsock.handler.journal import Journal

MOST = 8192  # letters of a value: escaped, the longest would not fit into the one datagram that a record is


class Access:
    """A request, filled in as phase after phase learns of it; ``times`` has the microseconds that each phase took."""

    __slots__ = ("address", "context", "head", "since", "times", "user", "vhost")

    def __init__(self, address: str) -> None:
        self.address = address
        self.head: RequestHead | None = None
        self.vhost = self.user = self.context = ""
        self.times: Final[dict[str, int]] = {}
        self.since = time.monotonic()

    def done(self, phase: str) -> None:
        """The phase of this name has just ended."""
        now = time.monotonic()
        self.times[phase] = int((now - self.since) * 1e6)
        self.since = now

    def record(self, journal: Journal, priority: int, event: str, status: int, content: int, reason: str) -> None:
        """One record for the request; ``content`` bytes were sent under ``status``, 0 for none.

        Raises AdoptFault when journald does not take it.
        """
        head = self.head
        line = f"{head.method} {head.target.raw} HTTP/1.{head.minor}" if head is not None else "-"
        referer, agent = ((head.fields if head else {}).get(name, b"-") for name in (b"referer", b"user-agent"))
        when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        client = f"{self.address} - {printable(self.user or '-')} [{when}]"
        message = f'{client} "{printable(line)}" {status or "-"} {content or "-"} "{plain(referer)}" "{plain(agent)}"'
        fields = {name: getattr(self, name) for name in ("address", "vhost", "user", "context")}
        fields |= (
            {"method": head.method, "target": head.target.raw} if head is not None else {"method": "", "target": ""}
        )
        fields |= {"status": str(status), "content_bytes": str(content), "reason": reason}
        fields |= {f"{phase}_usec": str(spent) for phase, spent in self.times.items()}
        journal.record(priority, f"{message} {reason}".rstrip(), event=event, **fields)


def plain(value: bytes) -> str:
    """A field value as it may stand between quotes."""
    return printable(value.decode("utf-8", "backslashreplace"))


def printable(text: str) -> str:
    r"""``text`` with quotes, backslashes and all that is not printable as ``\xHH`` and the like: no value can end its
    quotes or its line.  Cut short behind ``MOST`` of them."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text[:MOST]
    shown = "".join(letter if letter.isprintable() and letter not in '"\\' else escape(ord(letter)) for letter in text)
    return shown[:MOST]


def escape(code: int) -> str:
    r"""``\x0a`` or ``\u2028``."""
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
