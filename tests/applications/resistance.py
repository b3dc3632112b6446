# SPDX-License-Identifier: Apache-2.0
"""Hostile applications: whatever they do, a strict client sees nothing but their own answer, or none.

Tests that a module of any tier imports, beside a fixture ``served``.  Two requests are sent at once on one connection,
for the misdeed and for a harmless answer, and the whole stream is read by ``wire``.
"""

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.applications.visits import Served
from tests.applications.wire import Response, responses

SITES = Path(__file__).parent / "sites/hostile"
# The first answer to each misdeed: status and content, None where it is cut short; or no answer at all.
Expected = tuple[int, bytes | None] | None
Answers = dict[str, Expected]
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"  # as misdeeds.py has it
FINE, CUT, REFUSED = (200, b"ok\n"), (200, None), (500, b"500 Internal Server Error\n")
WSGI: Answers = {
    "plain": FINE,
    "split-value": REFUSED,
    "split-response": REFUSED,
    "bare-cr": REFUSED,
    "bare-lf": REFUSED,
    "nul": REFUSED,
    "wide": REFUSED,
    "split-name": REFUSED,
    "colon-name": REFUSED,
    "space-name": REFUSED,
    "empty-name": REFUSED,
    "split-status": (200, b"x"),  # of a status, nothing but the number is sent
    "no-status": REFUSED,
    "status-99": REFUSED,
    "status-1000": REFUSED,
    "status-100": REFUSED,
    "status-101": REFUSED,
    "coding": REFUSED,
    "hop-by-hop": REFUSED,
    "two-lengths": REFUSED,
    "no-length": REFUSED,
    "negative-length": REFUSED,
    "too-short": (200, b"ok"),
    "too-short-late": (200, b"ok"),
    "too-long": CUT,
    "content-204": (204, b""),
    "content-304": (304, b""),
    "text": REFUSED,
    "number": REFUSED,
    "everywhere": REFUSED,
    "everywhere-late": CUT,
    "replaces": REFUSED,
    "kills-parent": None,
    "kills-parent-late": CUT,
    "raises": REFUSED,
    "raises-late": CUT,
    "dies": REFUSED,
    "dies-late": CUT,
    "big-head": REFUSED,
    "silent": REFUSED,
    "start-twice": REFUSED,
    "leaves": REFUSED,
}
CGI: Answers = {
    "plain": FINE,
    "nothing": REFUSED,
    "no-head": REFUSED,
    "no-end": REFUSED,
    "response": REFUSED,
    "bare-cr": REFUSED,
    "nul": REFUSED,
    "folded": REFUSED,
    "space-name": REFUSED,
    "empty-name": REFUSED,
    "no-status": REFUSED,
    "status-99": REFUSED,
    "status-1000": REFUSED,
    "status-100": REFUSED,
    "status-101": REFUSED,
    "two-statuses": REFUSED,
    "coding": REFUSED,
    "hop-by-hop": REFUSED,
    "two-lengths": REFUSED,
    "no-length": REFUSED,
    "negative-length": REFUSED,
    "too-short": (200, b"ok"),
    "too-long": CUT,
    "untyped-content": REFUSED,
    "content-204": (204, b""),
    "content-304": (304, b""),
    "big-head": REFUSED,
    "endless-line": REFUSED,
    "everywhere": REFUSED,
    "everywhere-late": (200, b"first\n" + FORGED),  # standard output is its content
    "kills-parent": None,
    "kills-parent-late": CUT,
    "raises": REFUSED,
    "raises-late": (200, b"first\n"),  # RFC 3875 gives its exit status no meaning; the journal has it
    "dies": REFUSED,
    "dies-late": CUT,
}
BOTH = [("wsgi", name) for name in WSGI] + [("cgi", name) for name in CGI]


def get(flavour: str, name: str, close: bool = False) -> bytes:
    """A request for a misdeed; ``close`` where it is the last."""
    target = {"wsgi": f"/wsgi/{name}", "cgi": f"/cgi/hostile/{name}"}[flavour]
    last = "Connection: close\r\n" if close else ""
    return f"GET {target} HTTP/1.1\r\nHost: hostile.example\r\n{last}\r\n".encode()


def converse(served: Served, request: bytes) -> bytes:
    """Send all of ``request`` while reading; return what comes until the end of the stream, however that ends."""
    stream = bytearray()
    with served.connect() as connection:
        sender = threading.Thread(target=send, args=(connection, request))
        sender.start()
        try:
            while part := connection.recv(65536):
                stream += part
        except ConnectionResetError:
            pass  # an end, too
        sender.join()
    return bytes(stream)


def send(connection: socket.socket, request: bytes) -> None:
    """Send as much as is taken."""
    try:
        connection.sendall(request)
    except OSError:
        pass  # whoever does not read it has closed


def wait_until_gone(served: Served) -> None:
    """Wait until no instance is left, and no process of the user that serves."""
    alive = "systemctl list-units --all --plain --no-legend 'selsock@*'; pgrep -a -u selsock"
    deadline = time.monotonic() + 60
    while left := served.run(["sh", "-c", alive], check=False).stdout:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def check(stream: bytes, expected: Expected) -> list[Response]:
    """The responses in ``stream``, the first as expected, the second, if any, untouched; nothing is forged."""
    got = responses(stream)
    first = [(response.status, response.content if response.whole else None) for response in got[:1]]
    assert first == ([] if expected is None else [expected])
    assert len(got) < 3
    assert not any("set-cookie" in response.fields or response.content == b"forged" for response in got), got
    for response in got[1:]:
        assert got[0].whole
        assert (response.status, response.content, response.whole) == (200, b"ok\n", True)
    return got


def commit(served: Served, flavour: str, name: str) -> None:
    """One misdeed, and what comes of it."""
    stream = converse(served, get(flavour, name) + get(flavour, "plain", close=True))
    check(stream, {"wsgi": WSGI, "cgi": CGI}[flavour][name])


def test_every_misdeed_is_expected() -> None:
    """The lists above name all that the sites do, but for those with a test of their own."""
    own = {"floods", "stays", "descriptors"}
    for answers, program in ((WSGI, "code/hostile.py"), (CGI, "cgi-bin/hostile")):
        text = (SITES / program).read_text()
        named = {line.split('"')[1] for line in text.splitlines() if line.startswith('    "') and '": ' in line}
        assert named == set(answers) | own


@pytest.mark.parametrize(("flavour", "name"), BOTH, ids=["-".join(pair) for pair in BOTH])
def test_no_misdeed_bends_a_response(served: Served, flavour: str, name: str) -> None:
    """At most one answer to it, well-formed; behind it the next answer, untouched, or the end."""
    commit(served, flavour, name)


@pytest.mark.parametrize("flavour", ["wsgi", "cgi"])
def test_an_application_has_no_way_to_the_client(served: Served, flavour: str) -> None:
    """Its descriptors: none that is TCP, the journal's, or a file of ours."""
    (answer,) = responses(converse(served, get(flavour, "descriptors", close=True)))
    assert set(answer.content.split()) <= {b"AF_UNIX", b"pipe"}, answer


@pytest.mark.parametrize("flavour", ["wsgi", "cgi"])
def test_nothing_outlives_the_connection(served: Served, flavour: str) -> None:
    """A process is left behind that ignores SIGTERM: the answer is whole, the stream ends, and it is gone."""
    check(converse(served, get(flavour, "stays", close=True)), FINE)
    wait_until_gone(served)


@pytest.mark.parametrize("flavour", ["wsgi", "cgi"])
def test_content_that_is_not_read_disturbs_nobody(served: Served, flavour: str) -> None:
    """The answer comes although 4 MB are unread, and they are not taken for a request."""
    content = get(flavour, "raises") * 60_000
    request = get(flavour, "plain").replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(content), 1)
    request = request.replace(b"GET", b"POST", 1)
    check(converse(served, request + content + get(flavour, "plain", close=True)), FINE)


@pytest.mark.parametrize("flavour", ["wsgi", "cgi"])
def test_a_flood_ends_with_the_client(served: Served, flavour: str) -> None:
    """The client leaves in the midst of it."""
    with served.connect() as connection:
        connection.sendall(get(flavour, "floods"))
        for _ in range(100):
            assert connection.recv(65536)
    wait_until_gone(served)


def flood_without_reading(served: Served) -> None:
    """One client for each flavour that asks for a flood, stays, and reads nothing; both are over, in the end."""
    with served.connect() as first, served.connect() as second:
        first.sendall(get("wsgi", "floods"))
        second.sendall(get("cgi", "floods"))
        time.sleep(1)
        wait_until_gone(served)


def test_the_site_is_as_before(served: Served) -> None:
    """After all that: a page, no failed unit."""
    request = b"GET /index.html HTTP/1.1\r\nHost: hostile.example\r\nConnection: close\r\n\r\n"
    (answer,) = responses(converse(served, request))
    assert (answer.status, b"undisturbed" in answer.content) == (200, True)
    wait_until_gone(served)
    assert served.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == ""
