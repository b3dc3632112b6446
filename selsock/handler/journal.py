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
    """The way to journald, opened at the first record and after ``close``."""

    __slots__ = ("path", "socket")

    def __init__(self, path: str = SOCKET_PATH) -> None:
        self.path = path
        self.socket: socket.socket | None = None

    def record(self, priority: int, message: str, **fields: str) -> None:
        """Write one record; the names of ``fields`` get the prefix ``SELSOCK_``.

        Raises AdoptFault when journald does not take it: what cannot be accounted for is not served.
        """
        pairs = [("MESSAGE", message), ("PRIORITY", str(priority)), ("SYSLOG_IDENTIFIER", "selsock")]
        pairs += [(f"SELSOCK_{name.upper()}", value) for name, value in fields.items()]
        try:
            (self.socket or self.connect()).sendall(encode(pairs))
        except OSError as error:
            raise AdoptFault(f"{self.path}: {error}") from None

    def connect(self) -> "socket.socket":
        """Find out who listens now, and return the socket.  Raises AdoptFault when nobody does: then nothing may be
        served."""
        try:
            if self.socket is None:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self.socket.settimeout(SEND_SECONDS)
            self.socket.connect(self.path)
        except OSError as error:
            raise AdoptFault(f"{self.path}: {error}") from None
        return self.socket

    def close(self) -> None:
        """Close the socket, so that the next record comes from the domain that this process is in by then."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def encode(pairs: "list[tuple[str, str]]") -> bytes:
    """Fields; a value with a line feed goes in the form with a length, and can so never start a second field."""
    record = "".join([f"{name}={text}\n" for name, text in pairs])
    if record.count("\n") == len(pairs):
        return record.encode("utf-8", "backslashreplace")
    values = [(name.encode(), text.encode("utf-8", "backslashreplace")) for name, text in pairs]
    return b"".join([b"%b\n%b%b\n" % (name, struct.pack("<Q", len(value)), value) for name, value in values])
