# SPDX-License-Identifier: Apache-2.0
"""A hostile WSGI application: the path says what it does."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import misdeeds

Start = Callable[..., Callable[[bytes], object]]
OCTETS = "application/octet-stream"
# Status, fields and content of an answer that breaks PEP 3333, RFC 9110 or RFC 9112.
WRONG: dict[str, tuple[str, list[tuple[str, str]], list[bytes]]] = {
    "split-value": ("200 OK", [("X", "a\r\nSet-Cookie: forged=1")], [b"x"]),
    "split-response": ("200 OK", [("X", "a\r\nContent-Length: 0\r\n\r\n" + misdeeds.FORGED.decode())], [b"x"]),
    "bare-cr": ("200 OK", [("X", "a\rSet-Cookie: forged=1")], [b"x"]),
    "bare-lf": ("200 OK", [("X", "a\nSet-Cookie: forged=1")], [b"x"]),
    "nul": ("200 OK", [("X", "a\0b")], [b"x"]),
    "wide": ("200 OK", [("X", "\u20ac")], [b"x"]),
    "split-name": ("200 OK", [("X: a\r\nSet-Cookie", "forged=1")], [b"x"]),
    "colon-name": ("200 OK", [("X:", "a")], [b"x"]),
    "space-name": ("200 OK", [("X ", "a")], [b"x"]),
    "empty-name": ("200 OK", [("", "a")], [b"x"]),
    "split-status": ("200 OK\r\nSet-Cookie: forged=1", [], [b"x"]),
    "no-status": ("fine", [], [b"x"]),
    "status-99": ("99 Low", [], [b"x"]),
    "status-1000": ("1000 High", [], [b"x"]),
    "status-100": ("100 Continue", [], [b"x"]),
    "status-101": ("101 Switching Protocols", [("Upgrade", "x")], [b"x"]),
    "coding": ("200 OK", [("Transfer-Encoding", "chunked")], [b"0\r\n\r\n", misdeeds.FORGED]),
    "hop-by-hop": ("200 OK", [("Connection", "keep-alive")], [b"x"]),
    "two-lengths": ("200 OK", [("Content-Length", "1"), ("Content-Length", "2")], [b"x"]),
    "no-length": ("200 OK", [("Content-Length", "+1")], [b"x"]),
    "negative-length": ("200 OK", [("Content-Length", "-1")], [b"x"]),
    "too-short": ("200 OK", [("Content-Length", "2")], [b"ok" + misdeeds.FORGED]),
    "too-short-late": ("200 OK", [("Content-Length", "2")], [b"ok", misdeeds.FORGED]),
    "too-long": ("200 OK", [("Content-Length", "2000")], [b"ok"]),
    "content-204": ("204 No Content", [], [misdeeds.FORGED]),
    "content-304": ("304 Not Modified", [], [misdeeds.FORGED]),
    "text": ("200 OK", [], ["text"]),
    "number": ("200 OK", [], [7]),
}


def application(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """PEP 3333, more or less."""
    name = environ["PATH_INFO"].removeprefix("/")
    if name in WRONG:
        status, fields, content = WRONG[name]
        start_response(status, [("Content-Type", OCTETS), *fields])
        return content
    return DEEDS[name](environ, start_response)


def plain(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """The well-behaved one."""
    start_response("200 OK", [("Content-Type", OCTETS), ("Content-Length", "3")])
    return [b"ok\n"]


def descriptors(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """What the application holds."""
    start_response("200 OK", [("Content-Type", OCTETS)])
    return [misdeeds.descriptors()]


def after(deed: Callable[[], None]) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """First ``deed``, then an answer as if nothing were."""

    def act(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        deed()
        return plain(environ, start_response)

    return act


def late(deed: Callable[[], None]) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """The beginning of an answer, and then ``deed``."""

    def act(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", OCTETS)])
        yield b"first\n"
        deed()

    return act


def fail() -> None:
    """Raise."""
    raise LookupError("told to fail")


def flood(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
    """Never end."""
    start_response("200 OK", [("Content-Type", OCTETS)])
    while True:
        yield bytes(65536)


def big_head(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """More fields than anybody wants."""
    start_response("200 OK", [("Content-Type", OCTETS), *((f"X-{number}", "x" * 1000) for number in range(20000))])
    return [b"x"]


def silent(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """No start_response at all."""
    return [b"x"]


def start_twice(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """start_response again without exc_info."""
    start_response("200 OK", [("Content-Type", OCTETS)])
    start_response("200 OK", [("Content-Type", OCTETS)])
    return [b"x"]


def leave(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """sys.exit, which is no Exception."""
    raise SystemExit(0)


DEEDS: dict[str, Callable[[dict[str, Any], Start], Iterable[bytes]]] = {
    "plain": plain,
    "descriptors": descriptors,
    "everywhere": after(misdeeds.write_everywhere),
    "everywhere-late": late(misdeeds.write_everywhere),
    "replaces": after(misdeeds.replace_functions),
    "stays": after(misdeeds.stay),
    "kills-parent": after(misdeeds.kill_parent),
    "kills-parent-late": late(misdeeds.kill_parent),
    "raises": after(fail),
    "raises-late": late(fail),
    "dies": after(misdeeds.die),
    "dies-late": late(misdeeds.die),
    "floods": flood,
    "big-head": big_head,
    "silent": silent,
    "start-twice": start_twice,
    "leaves": leave,
}
