# SPDX-License-Identifier: Apache-2.0
"""What a strict client makes of a stream of bytes: whole responses, and what is left over.

Read by RFC 9112 without mercy, since http.client forgives much.
"""

import re
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\t \x21-\x7e]*)")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e\x80-\xff]?[\t \x21-\x7e\x80-\xff]*?)[ \t]*")


@dataclass(frozen=True)
class Response:
    """One response; ``whole`` is false where the stream ended before its content did."""

    status: int
    fields: dict[str, str]
    content: bytes
    whole: bool


def responses(stream: bytes) -> list[Response]:
    """All responses in ``stream``, to GET requests, up to its end.  Raises ValueError for what is no response."""
    found = []
    while stream:
        head, end, rest = stream.partition(b"\r\n\r\n")
        if not end:
            raise ValueError(f"not a response, nor its beginning: {stream[:200]!r}")
        status, fields = parse_head(head)
        content, whole, stream = parse_content(status, fields, rest)
        found.append(Response(status, fields, content, whole))
    return found


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and fields (RFC 9112 §4, §5); no field but Set-Cookie may be there twice."""
    status_line, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(status_line)
    if status is None:
        raise ValueError(f"status line {status_line!r}")
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            raise ValueError(f"field line {line!r}")
        name = field[1].decode().lower()
        if name in fields and name != "set-cookie":
            raise ValueError(f"{name} twice")
        fields[name] = field[2].decode("latin-1")
    return int(status[1]), fields


def parse_content(status: int, fields: dict[str, str], rest: bytes) -> tuple[bytes, bool, bytes]:
    """The content (RFC 9112 §6.3), whether it is whole, and what comes behind it."""
    if status < 200 or status in (204, 304):
        return b"", True, rest
    if "transfer-encoding" in fields:
        if fields["transfer-encoding"] != "chunked" or "content-length" in fields:
            raise ValueError(f"Transfer-Encoding {fields['transfer-encoding']}, or with Content-Length")
        return parse_chunks(rest)
    if "content-length" in fields:
        if not re.fullmatch("[0-9]+", fields["content-length"]):
            raise ValueError(f"Content-Length {fields['content-length']!r}")
        length = int(fields["content-length"])
        return rest[:length], len(rest) >= length, rest[length:]
    raise ValueError("neither length nor chunks: nobody could tell the end of the content from a cut")


def parse_chunks(rest: bytes) -> tuple[bytes, bool, bytes]:
    """Chunked content (RFC 9112 §7.1), no extensions, no trailers."""
    content = b""
    while True:
        line, end, behind = rest.partition(b"\r\n")
        if not end:
            if re.fullmatch(rb"[0-9a-fA-F]*\r?", line):
                return content, False, b""
            raise ValueError(f"chunk {line[:100]!r}")
        if not re.fullmatch(rb"[0-9a-fA-F]+", line):
            raise ValueError(f"chunk {line[:100]!r}")
        size = int(line, 16)
        data, mark, rest = behind[:size], behind[size : size + 2], behind[size + 2 :]
        if len(mark) < 2:
            return content + data, False, b""
        if mark != b"\r\n":
            raise ValueError(f"behind a chunk: {mark!r}")
        if size == 0:
            return content, True, rest
        content += data
