# SPDX-License-Identifier: Apache-2.0
"""ranges: the parts of a file that a request asks for (RFC 9110 §14), and how several of them are sent (§14.6).

Range may be ignored at any time (§14.2), and is where it is malformed, of another unit, asks for more than ``MOST``
parts, or for the same byte twice: so no byte of a file is sent more than once.  What remains is sent as it was asked
for, in that order and not coalesced (§15.3.7.2 leaves that open).
"""

MOST = 16
DIGITS = b"0123456789"
LONGEST = 100  # digits of a number: enough for any overflow that a client may think of, and read in no time


def parse_ranges(value: bytes, size: int, most: int = MOST) -> "list[tuple[int, int]] | None":
    """Offset and length of each part of a file of ``size`` bytes; [] if there is none of them (416); None to send all.

    Parts that begin behind the end of the file are left out, as long as there are others (§14.1.1).
    """
    unit, _, text = value.partition(b"=")
    elements = [element for part in text.split(b",") if (element := part.strip(b" \t"))]
    if unit.lower() != b"bytes" or not 0 < len(elements) <= most:
        return None
    found: list[tuple[int, int]] = []
    for element in elements:
        part = parse_range(element, size)
        if part is None:
            return None
        if part[1]:
            found.append(part)
    end = 0
    for offset, length in sorted(found):
        if offset < end:
            return None
        end = offset + length
    return found


def parse_range(element: bytes, size: int) -> "tuple[int, int] | None":
    """Offset and length of one part (§14.1.2), of length 0 if it is behind the end; None to ignore Range.

    The last bytes of an empty file are all of it, but Content-Range can not say so.
    """
    first, dash, last = element.partition(b"-")
    if not dash or (first + last).translate(None, DIGITS) or max(len(first), len(last)) > LONGEST:
        return None
    if not first:
        if not last or (not size and int(last)):
            return None
        length = min(int(last), size)
        return size - length, length
    offset = int(first)
    if last and int(last) < offset:
        return None
    end = min(int(last) + 1, size) if last else size
    return offset, max(0, end - offset)


def content_range(offset: int, length: int, size: int) -> str:
    """The value of Content-Range (§14.4)."""
    return f"bytes {offset}-{offset + length - 1}/{size}"


def part_heads(parts: "list[tuple[int, int]]", size: int, kind: str, boundary: str) -> "list[bytes]":
    """What stands before each of ``parts`` of a file of media type ``kind``, and behind the last one (RFC 2046 §5.1)."""
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {content_range(offset, length, size)}\r\n\r\n"
        for offset, length in parts
    ]
    heads.append(f"\r\n--{boundary}--\r\n")
    heads[0] = heads[0].removeprefix("\r\n")
    return [head.encode() for head in heads]
