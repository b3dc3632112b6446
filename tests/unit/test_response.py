# SPDX-License-Identifier: Apache-2.0
"""response: the bytes that leave, read back by h11; a refusal says what the peer did, and of our faults nothing."""

import ast
import email.utils
from pathlib import Path

import h11
import pytest

from selsock import errors, handler
from selsock.errors import Challenge, ConfineFault, OwnFault, PeerFault, PolicyFault
from selsock.handler.response import REASONS, compose_head, http_date, refuse
from selsock.handler.serve.reply import PHRASES
from selsock.handler.serve.static import STATUS_OF
from tests.unit.fakes import connect


def answer(fault: PeerFault | OwnFault, head_only: bool = False) -> tuple[h11.Response, str]:
    """What a peer that asked with GET, or HEAD, reads when it is refused for ``fault``; the connection ends behind it."""
    peer, client = connect()
    client.head_only = head_only
    refuse(client, fault)
    client.socket.close()
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="HEAD" if head_only else "GET", target="/", headers=[("Host", "dog.example")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(peer.recv(65536))
    assert b"" == peer.recv(1)
    peer.close()
    response, text = connection.next_event(), b""
    assert isinstance(response, h11.Response)
    while isinstance(event := connection.next_event(), h11.Data):
        text += event.data
    assert isinstance(event, h11.EndOfMessage)
    return response, text.decode()


def test_peers_own_fault_is_explained() -> None:
    """Status, reason and the end of the connection."""
    response, text = answer(PeerFault(400, "expected ü (RFC 9112 §3)"))
    fields = dict(response.headers)
    assert (400, b"Bad Request", b"close") == (response.status_code, response.reason, fields[b"connection"])
    assert "400 Bad Request: expected ü (RFC 9112 §3)\n" == text
    assert b"text/plain; charset=utf-8" == fields[b"content-type"]


@pytest.mark.parametrize("fault", [PolicyFault("SELinux is off"), ConfineFault("denied"), OwnFault("x")])
def test_of_our_fault_the_peer_learns_the_status_alone(fault: OwnFault) -> None:
    """The reason is for the journal."""
    response, text = answer(fault)
    assert fault.status == response.status_code
    assert f"{fault.status} {REASONS[fault.status]}\n" == text


def test_challenge_names_the_realm_and_nothing_else() -> None:
    """Whether the user or the password was wrong stays here (RFC 7617 §4)."""
    response, text = answer(Challenge("dog's kennel", "wrong password or unknown user dog"))
    fields = dict(response.headers)
    assert b'Basic realm="dog\'s kennel", charset="UTF-8"' == fields[b"www-authenticate"]
    assert "401 Unauthorized\n" == text


@pytest.mark.parametrize("fault", [PeerFault(403, "x"), Challenge("r", "x"), OwnFault("x")])
def test_answer_to_head_has_no_content_but_its_length(fault: PeerFault | OwnFault) -> None:
    """RFC 9110 §9.3.2."""
    response, text = answer(fault, head_only=True)
    assert ("", True) == (text, int(dict(response.headers)[b"content-length"]) > 0)


def test_second_answer_is_never_begun() -> None:
    """It would be taken for the answer to another request."""
    peer, client = connect()
    client.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfou")
    refuse(client, OwnFault("x"))
    client.socket.close()
    assert b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfou" == peer.recv(65536)
    assert b"" == peer.recv(1)
    peer.close()


def statuses(*functions: str) -> set[int]:
    """Every status in a call of one of ``functions``, or of a method of that name, in the handler."""
    found: set[int] = set()
    for path in Path(handler.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in functions:
                numbers = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                found |= {number for number in numbers if isinstance(number, int) and 99 < number < 600}
    return found


def test_every_status_that_a_connection_is_refused_with_has_a_phrase() -> None:
    """A status without one would end in a KeyError where a peer is to be refused."""
    given = {fault.status for fault in vars(errors).values() if isinstance(fault, type) and hasattr(fault, "status")}
    given |= statuses("PeerFault")
    assert {400, 403, 408, 413, 421, 500, 503} <= given
    assert given <= REASONS.keys()


def test_every_status_that_content_is_answered_with_has_a_phrase() -> None:
    """In the pages of serve/, and in the responses that it begins."""
    given = statuses("page", "fail", "begin") | set(STATUS_OF.values())
    assert {200, 204, 206, 301, 304, 403, 404, 405, 412, 416, 500} <= given
    assert given <= PHRASES.keys()


@pytest.mark.parametrize("seconds", [0, 1, 951782400, 1709164800, 1_000_000_000, 1_735_689_599, 4_102_444_800])
def test_date_is_that_of_the_standard_library(seconds: int) -> None:
    """IMF-fixdate, whatever the locale."""
    assert email.utils.formatdate(seconds, usegmt=True) == http_date(seconds)


def test_head_of_a_kept_connection_does_not_say_close() -> None:
    """HTTP/1.1 keeps by default."""
    assert b"Connection" not in compose_head(200, "OK", [("Content-Length", "0")], False)
    assert compose_head(200, "OK", [], True).endswith(b"\r\nConnection: close\r\n\r\n")


def test_head_has_its_fields_in_order() -> None:
    """Two of one name stay two, as Set-Cookie needs it (RFC 9110 §5.3)."""
    head = compose_head(200, "", [("Set-Cookie", "a"), ("X", "\xfc"), ("Set-Cookie", "b")], False)
    first, _, rest = head.partition(b"\r\n")
    assert b"HTTP/1.1 200 " == first
    assert b"\r\nSet-Cookie: a\r\nX: \xfc\r\nSet-Cookie: b\r\n\r\n" == rest[rest.index(b"\r\n") :]
