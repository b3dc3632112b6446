# SPDX-License-Identifier: Apache-2.0
"""journal: one datagram per record, in journald's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).

The socket is opened by whoever writes, because journald takes ``_SELINUX_CONTEXT`` from it: a record of selsock_t is a
decision, a record of a tenant's domain is its claim about the outcome.
"""

from selsock.cores import socket, struct
from selsock.errors import AdoptFault

SOCKET_PATH = "/run/systemd/journal/socket"
ERROR, WARNING, NOTICE = 3, 4, 5  # syslog(3); selsock@.service has LogLevelMax=notice
SEND_SECONDS = 10.0


class Journal:
    """The way to journald, opened at the first record and after each ``close``."""

    __slots__ = ("path", "socket")

    def __init__(self, path: str = SOCKET_PATH) -> None:
        self.path = path
        self.socket: socket.socket | None = None

    def record(self, priority: int, message: str, **fields: str) -> None:
        """Write one record; the names of ``fields`` get the prefix ``SELSOCK_``.

        Raises AdoptFault when journald does not take it: what cannot be accounted for is not served.
        """
        lines = [encode("MESSAGE", message), encode("PRIORITY", str(priority)), encode("SYSLOG_IDENTIFIER", "selsock")]
        lines += [encode(f"SELSOCK_{name.upper()}", value) for name, value in fields.items()]
        way = self.socket or self.open()
        try:
            way.sendall(b"".join(lines))
        except OSError as error:
            raise AdoptFault(f"{self.path}: {error}") from None

    def open(self) -> "socket.socket":
        """Open the socket anew, and return it.  Raises AdoptFault when nobody listens: then nothing may be served."""
        self.close()
        try:
            self.socket = way = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            way.settimeout(SEND_SECONDS)
            way.connect(self.path)
        except OSError as error:
            raise AdoptFault(f"{self.path}: {error}") from None
        return way

    def close(self) -> None:
        """Close the socket, so that the next record comes from the domain that this process is in by then."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def encode(name: str, text: str) -> bytes:
    """One field; a value with a line feed goes in the form with a length, and can so never start a second field."""
    value = text.encode("utf-8", "backslashreplace")
    if b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"
