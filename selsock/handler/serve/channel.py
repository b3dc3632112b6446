# SPDX-License-Identifier: Apache-2.0
"""channel: frames between the confined parent, which holds the client's socket, and the child that runs an application.

A frame is a letter, a length (32 bits, big-endian) and that many bytes.  The child asks and tells, the parent answers:
so neither ever waits for the other to take what it has not asked for, and whatever the child writes, it is a frame that
the parent checks, or the end of the conversation.
"""

from selsock.cores import posix, socket, struct, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

HEADER = struct.Struct(">cI")
MOST = 1 << 20  # bytes of a frame
# From the parent.
REQUEST, CONTENT, LOST = b"Q", b"B", b"X"
# From the child: more content, please; status and fields; content; a file's content; the end; a failure; an error line.
READ, HEAD, DATA, FILE, END, FAILED, COMPLAINT = b"R", b"H", b"D", b"F", b"E", b"C", b"L"
DESCRIPTOR = struct.Struct("i")


class Broken(Exception):
    """The other end is gone, or does not keep to the protocol; nothing more is to be expected of it."""


class Channel:
    """One end of a socketpair.  ``deadline`` (monotonic seconds, None for none) bounds every call."""

    __slots__ = ("deadline", "socket")

    def __init__(self, end: "socket.socket") -> None:
        self.socket: Final = end
        self.deadline: float | None = None

    def send(self, kind: bytes, data: bytes = b"", descriptor: int | None = None) -> None:
        """Send a frame, with an open ``descriptor`` if given (SCM_RIGHTS, unix(7)).  Raises Broken, TimeoutError."""
        try:
            self.limit()
            rights = []
            if descriptor is not None:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, DESCRIPTOR.pack(descriptor))]
            frame = HEADER.pack(kind, len(data)) + data
            sent = self.socket.sendmsg([frame], rights)
            if sent < len(frame):
                self.limit()
                self.socket.sendall(memoryview(frame)[sent:])
        except TimeoutError:
            raise
        except OSError as error:
            raise Broken(f"writing: {error.strerror}") from None

    def receive(self) -> "tuple[bytes, bytes, int | None]":
        """The next frame: its letter, its bytes, and a descriptor that came with it, which is then the caller's.

        Raises Broken at the end of the stream or where no frame of ours can begin, TimeoutError.
        """
        descriptor = None
        header = b""
        while len(header) < HEADER.size:
            part, found = self.part(HEADER.size - len(header))
            header += part
            if found is not None and descriptor is not None:
                posix.close(descriptor)
            descriptor = descriptor if found is None else found
        kind, length = HEADER.unpack(header)
        try:
            if length > MOST:
                raise Broken(f"a frame of {length} bytes")
            return kind, self.bytes(length), descriptor
        except (Broken, TimeoutError):
            if descriptor is not None:
                posix.close(descriptor)
            raise

    def part(self, size: int) -> "tuple[bytes, int | None]":
        """1 to ``size`` bytes, and the descriptor that came with them."""
        try:
            self.limit()
            data, ancillary, _, _ = self.socket.recvmsg(size, socket.CMSG_LEN(DESCRIPTOR.size), socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            raise
        except OSError as error:
            raise Broken(f"reading: {error.strerror}") from None
        found = None
        for level, kind, rights in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS) and len(rights) >= DESCRIPTOR.size:
                (found,) = DESCRIPTOR.unpack(rights[: DESCRIPTOR.size])
        if not data:
            if found is not None:
                posix.close(found)
            raise Broken("the other end is gone")
        return data, found

    def bytes(self, length: int) -> bytes:
        """Exactly ``length`` bytes."""
        parts: list[bytes] = []
        while length:
            data, found = self.part(min(length, 65536))
            if found is not None:
                posix.close(found)  # only a header may carry one
            parts.append(data)
            length -= len(data)
        return b"".join(parts)

    def limit(self) -> None:
        """Give the socket what is left until the deadline.  Raises TimeoutError when nothing is."""
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("deadline")
            self.socket.settimeout(left)
