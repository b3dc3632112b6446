# SPDX-License-Identifier: Apache-2.0
"""document: what a script says at the head of its output (RFC 3875 §6): fields, an empty line, and then the content."""

from selsock.handler.serve.gateway import response_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from selsock.handler.serve.reply import Fields

MOST_BYTES = 65536
MOST_LINES = 100
OWN = (b"status", b"location", b"content-type")  # RFC 3875 §6.3: each at most once, one of them at least


class DocumentHead:
    """The output up to the empty line, as it comes."""

    __slots__ = ("data", "lines", "start")

    def __init__(self) -> None:
        self.data: Final = bytearray()
        self.lines: Final[list[bytes]] = []
        self.start = 0  # of the line that has no end yet

    def take(self, data: bytes) -> bytes | None:
        """More output.  Once the head is complete, return what follows it, else None.  Raises ValueError."""
        self.data.extend(data)
        while (end := self.data.find(b"\n", self.start)) >= 0:
            line = bytes(memoryview(self.data)[self.start : end]).removesuffix(b"\r")
            self.start = end + 1
            if self.start > MOST_BYTES:
                break
            if not line:
                return bytes(memoryview(self.data)[self.start :])
            self.lines.append(line)
            if len(self.lines) > MOST_LINES:
                raise ValueError(f"more than {MOST_LINES} lines before the content")
        if self.start > MOST_BYTES or len(self.data) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes before the content")
        return None


class Document:
    """A response as the script means it.  ``typed``: it may have content; ``local`` is the path of a local redirect, or
    None."""

    __slots__ = ("fields", "length", "local", "status", "typed")

    def __init__(self, lines: "list[bytes]") -> None:
        """Raises ValueError with what is wrong."""
        own: dict[bytes, bytes] = {}
        pairs: list[tuple[bytes, bytes]] = []
        for line in lines:
            name, colon, value = line.partition(b":")
            lower = name.lower()
            if not colon:
                raise ValueError(f"a line that is no field: {line[:40]!r}")
            if lower in OWN:
                if lower in own:
                    raise ValueError(f"two {name.decode()} fields (RFC 3875 §6.3)")
                own[lower] = value.strip(b" \t")
            if lower != b"status":
                pairs.append((name, value))
        if not own:
            raise ValueError("neither Content-Type nor Location nor Status (RFC 3875 §6.2)")
        self.fields: Fields
        self.fields, self.length = response_fields(pairs)
        self.typed: Final = bool(own.get(b"content-type"))
        self.status: Final = status_of(own)
        self.local: Final = local_of(own)
        if self.local is not None and len(lines) > 1:
            raise ValueError("other fields beside a Location that is a path, and no Status (RFC 3875 §6.2.2)")


def status_of(own: "dict[bytes, bytes]") -> int:
    """The status, given or implied (RFC 3875 §6.2.3, §6.3.3).  Raises ValueError."""
    text = own.get(b"status", b"302" if b"location" in own else b"200")
    code, _, _ = text.partition(b" ")
    if len(code) != 3 or code.translate(None, b"0123456789") or not 200 <= int(code) <= 599:
        raise ValueError(f"a status that is not 200 to 599: {text[:40]!r}")
    return int(code)


def local_of(own: "dict[bytes, bytes]") -> str | None:
    """The path in a Location that stands for itself: the client never sees it (RFC 3875 §6.2.2)."""
    location = own.get(b"location", b"")
    return location.decode("latin-1") if location.startswith(b"/") and b"status" not in own else None
