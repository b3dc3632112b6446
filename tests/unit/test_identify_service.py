# SPDX-License-Identifier: Apache-2.0
"""The service that knows who a visitor is outlives whatever is said to it by who took over a handler."""

import socket
from pathlib import Path

import pytest

from tests.unit.fakes import identifying
from tests.unit.test_question import World

START = b"basic\tdog.example\t"
RIGHT = START + b"192.0.2.1\nBasic ZG9nOnNlY3JldA=="  # dog:secret
NONE = b"unable a question that is none\n"
NO_ADDRESS = b"unable a question about an address that is none\n"
REFUSED = "refused credentials that are no base64 of UTF-8 (RFC 7617 §2)\n".encode()


def said(folder: Path, packet: bytes) -> bytes:
    """What the service answers to ``packet``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(30)
        connection.connect(str(folder / "identify"))
        connection.send(packet)
        return connection.recv(65536)


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        (b"", NONE),
        (b"\0" * 65536, NONE),
        (START + b"\n" + b"x" * 65536, NO_ADDRESS),
        (START + b"a" * 4089 + b"failed x y".ljust(4096) + b"\nBasic x", NO_ADDRESS),
        (START + b"a" * 4089 + b"right zz 1".ljust(4096) + b"\nBasic x", NO_ADDRESS),
        (START + b"\xff" * 4096 + b"\nBasic x", NO_ADDRESS),
        (START + b"fe80::1%" + b"\xff" * 4096 + b"\nBasic x", REFUSED),
    ],
    ids=["empty", "zeros", "longest", "failed", "right", "no UTF-8", "scope"],
)
def test_hostile_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packet: bytes, answer: bytes) -> None:
    """Each has its answer, and the next question its own, from the same process."""
    World(tmp_path)
    with identifying(tmp_path, monkeypatch):
        assert answer == said(tmp_path, packet)
        assert b"granted dog\n" == said(tmp_path, RIGHT)
        assert b"granted dog\n" == said(tmp_path, RIGHT)  # by then the first one's report, and its end, have been heard


def test_who_asks_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left to answer to: a child ends, and more than may be at once find one."""
    World(tmp_path)
    with identifying(tmp_path, monkeypatch):
        for _ in range(40):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                connection.connect(str(tmp_path / "identify"))
        assert b"granted dog\n" == said(tmp_path, RIGHT)
