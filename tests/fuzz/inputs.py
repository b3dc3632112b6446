# SPDX-License-Identifier: Apache-2.0
"""What a connection is fed with: messages of ``tests/wire`` and composed ones, several of them, and then bent."""

from __future__ import annotations

from pathlib import Path
from random import Random

WIRE = Path(__file__).parents[1] / "wire"
LARGEST = 2000  # bytes of a message of the corpus: what is larger tests limits, and says nothing more here

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH", b"PROPFIND", b"CONNECT")
TARGETS = (b"/", b"/a?b", b"/%41", b"/a/", b"http://dog.example/a", b"/a;b=%3b", b"*", b"/a?{|}^`[]", b"//", b"?")
VERSIONS = (b"1.1",) * 6 + (b"1.0",)
NAMES = (
    *(b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade", b"TE", b"Trailer", b"Host", b"X"),
    *(b"Authorization", b"Content-Type", b"Keep-Alive", b"Proxy-Connection", b"Cookie", b"X_A", b"content-length"),
)
VALUES = (
    *(
        b"",
        b"0",
        b"3",
        b"003",
        b"3,3",
        b"3, 3",
        b"+3",
        b"0x3",
        b"chunked",
        b"Chunked",
        b"chunked;",
        b"chunked, chunked",
    ),
    *(b"gzip, chunked", b"identity", b"close", b"keep-alive", b"upgrade", b"websocket", b"trailers", b"100-continue"),
    *(b"Basic ZG9nOmE=", b"\xfc\x80", b'"a, b"', b"a\tb", b"close, x", b"18446744073709551619"),
)
SEPARATORS = (b":", b": ", b": ", b": ", b":\t", b":  \t", b" :", b"\t:", b"")
ENDS = (b"\r\n",) * 12 + (b" \r\n", b"\t\r\n", b"\t \r\n", b"\x0b\r\n", b"\n", b"\r", b"\r\r\n", b"\r\n ")
CONTENTS = (
    *(b"", b"a", b"hello", b"\r\n", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: dog.example\r\n\r\n"),
    *(b"\n", b"\r", b"5\r\nhello\r\n", bytes(range(256)), b"\r\n\r\n", b"a" * 70),
)
SIZES = (b"%x",) * 8 + (b"%X", b"0%x", b"000%x", b"%x ", b"0x%x", b"+%x", b" %x", b"%d", b"%x_", b"\t%x")
EXTENSIONS = (b"",) * 8 + (
    *(
        b";a",
        b";a=b",
        b';a="b"',
        b';a="b;c"',
        b';a="\\""',
        b';a="\\\\"',
        b';a=""',
        b";",
        b";a=",
        b"; a",
        b" ;a",
        b";a ;b",
    ),
    *(b';a="\r\n"', b';a="\n"', b";a=b;c", b';a="b', b";a\n", b";\xfc", b';a="\xfc"', b';a="b"c', b";a==b", b';a="\t"'),
)
TRAILERS = (b"",) * 8 + (
    *(b"X: a\r\n", b"X:\r\n", b"X: a\r\nY: b\r\n", b"Content-Length: 3\r\n", b"X : a\r\n", b"X\r\n", b" X: a\r\n"),
    *(b"X: a\n", b"\n", b"\r", b"X: \xfc\r\n", b"X_A: a\r\n", b"X: a\r\n b\r\n", b"Transfer-Encoding: chunked\r\n"),
)
# What bends a message, rather than any byte: a mutation that only changes a letter tells nothing.
PIECES = (
    *(bytes([octet]) for octet in (0, 8, 9, 10, 11, 12, 13, 27, 32, 34, 35, 37, 44, 46, 47, 58, 59, 61, 92, 127, 160)),
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n ",
        b"\n\n",
        b"\r\r\n",
        b"\n\r",
        b"0",
        b"5",
        b"9",
        b"a",
        b"F",
        b" HTTP/1.1",
        b" HTTP/1.0",
    ),
    *(b"Content-Length: 3\r\n", b"Content-Length: 03\r\n", b"Content-Length:\t3 \r\n", b"Content-Length", b"chunked"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: Chunked\r\n", b"Transfer-Encoding: chunked\r\n ,x"),
    *(b"transfer-encoding:chunked \r\n", b"Transfer-Encoding", b"Host: cat.example\r\n", b"Expect: 100-continue\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n"),
    *(b"http://cat.example", b"HEAD", b"CONNECT", b"PRI * HTTP/2.0\r\n\r\n", b"0\r\n\r\n", b"0\r\n", b"5\r\nhello\r\n"),
    *(b'"', b';a="', b";a=b", b"Trailer: X\r\n", b"X: a\r\n", b"\x00\x00", b"ffffffffffffffff", b"00000000000000005"),
)


def corpus() -> list[bytes]:
    """The messages of ``tests/wire``; those that are accepted three times, since from there the way to others is short."""
    paths = [*sorted((WIRE / "accept").glob("*.http")) * 3, *sorted((WIRE / "refuse").glob("*.http"))]
    return [path.read_bytes() for path in paths if path.stat().st_size < LARGEST]


class Inputs:
    """Inputs without end, the same ones for the same ``seed``."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.corpus = corpus()

    def next(self) -> bytes:
        """The next one: one to four messages, bent in up to three places."""
        data = b"".join(
            self.composed() if self.random.random() < 0.6 else self.random.choice(self.corpus)
            for _ in range(self.random.choice((1, 1, 2, 3, 4)))
        )
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            data = self.bent(data)
        return data

    def composed(self) -> bytes:
        """One message, each of its parts plausible, in combinations that nobody wrote down."""
        choice, random = self.random.choice, self.random.random
        content = choice(CONTENTS)
        lines = [b"Host: dog.example\r\n"]
        chunked = random() < 0.5
        if random() < 0.8:
            name, value = (b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"%d" % len(content))
            plain = random() < 0.7
            lines.append(name + (b": " if plain else choice(SEPARATORS)) + value + (b"\r\n" if plain else choice(ENDS)))
        for _ in range(choice((0, 0, 0, 1, 1, 2))):
            lines.append(choice(NAMES) + choice(SEPARATORS) + choice(VALUES) + choice(ENDS))
        self.random.shuffle(lines)
        method = choice(METHODS) if random() < 0.3 else b"POST"
        target = choice(TARGETS) if random() < 0.3 else b"/"
        head = method + b" " + target + b" HTTP/" + choice(VERSIONS) + b"\r\n" + b"".join(lines) + b"\r\n"
        return head + (self.chunks(content) if chunked else content)

    def chunks(self, content: bytes) -> bytes:
        """``content`` in one to four chunks."""
        cuts = sorted(self.random.randrange(len(content) + 1) for _ in range(self.random.choice((0, 1, 3))))
        parts = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        found = [self.size(len(part)) + b"\r\n" + part + b"\r\n" for part in parts if part]
        return b"".join(found) + self.size(0) + b"\r\n" + self.random.choice(TRAILERS) + b"\r\n"

    def size(self, count: int) -> bytes:
        """A chunk's first line, without its end."""
        bent = self.random.random() < 0.2
        return (self.random.choice(SIZES) % count if bent else b"%x" % count) + (
            self.random.choice(EXTENSIONS) if self.random.random() < 0.3 else b""
        )

    def bent(self, data: bytes) -> bytes:
        """``data`` with one change: of structure, by a piece, or of bytes."""
        random = self.random
        place = random.randrange(len(data) + 1)
        length = random.choice((0, 0, 1, 1, 2, 4, random.randrange(40)))
        kind = random.randrange(9)
        if kind <= 2:  # a piece, put in or over what is there
            return data[:place] + random.choice(PIECES) + data[place + length :]
        line = data.rfind(b"\n", 0, place) + 1
        if kind == 3:  # a piece before a line
            return data[:line] + random.choice(PIECES) + data[line:]
        if kind == 4:  # a line twice, or gone
            end = data.find(b"\n", line) + 1 or len(data)
            return data[:end] + data[line:] if random.random() < 0.5 else data[:line] + data[end:]
        if kind == 5:  # another byte
            return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]
        if kind == 6:  # a span is gone, or is there again
            return data[:place] + data[place + random.choice((length, -length)) :] if place >= length else data
        if kind == 7:
            return self.other_number(data, place)
        return data[:place] + random.randbytes(random.randrange(1, 20)) + data[place + length :]  # noise

    def other_number(self, data: bytes, place: int) -> bytes:
        """``data`` with the next digit behind ``place`` one up or down: a length that is off by one."""
        while place < len(data) and not 48 <= data[place] <= 57:
            place += 1
        return (
            data[:place] + b"%d" % ((data[place] - 48 + self.random.choice((1, 9))) % 10) + data[place + 1 :]
            if place < len(data)
            else data
        )
