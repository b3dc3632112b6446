# SPDX-License-Identifier: Apache-2.0
"""journal: one datagram per record; whatever a value holds, it is one value; no journal, no service."""

import os
import socket
from pathlib import Path

import pytest

from selsock.errors import AdoptFault
from selsock.handler import journal as module
from selsock.handler.journal import NOTICE, Journal
from tests.unit.fakes import FakeJournal

HOSTILE = [
    "two\nlines",
    "\n",
    "a\n",
    "\nSELSOCK_EVENT=decision",
    "x\nSELSOCK_EVENT=decision\nSELSOCK_USER=root\n",
    "x\n_SELINUX_CONTEXT=selsock_t",
    "SELSOCK_EVENT\n\x08\0\0\0\0\0\0\0decision\n",
    "=",
    "\0",
    "\r",
    "\x1b[2J",
    "w\u00fcff \u2028 \x85",
    "",
]


def test_record_has_message_priority_identifier_and_prefixed_fields(tmp_path: Path) -> None:
    """The names by which `journalctl SELSOCK_EVENT=decision` finds it."""
    with FakeJournal(tmp_path) as fake:
        fake.journal().record(NOTICE, "hello", event="decision", user="dog")
        wanted = {
            "MESSAGE": "hello",
            "PRIORITY": "5",
            "SYSLOG_IDENTIFIER": "selsock",
            "SELSOCK_EVENT": "decision",
            "SELSOCK_USER": "dog",
        }
        assert [wanted] == fake.records()


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_can_forge_a_field(tmp_path: Path, text: str) -> None:
    """In the message and in a field: it comes out as it went in, and nothing else does."""
    with FakeJournal(tmp_path) as fake:
        fake.journal().record(NOTICE, text, event="outcome", target=text)
        (record,) = fake.records()
        assert (text, "outcome", text) == (record["MESSAGE"], record["SELSOCK_EVENT"], record["SELSOCK_TARGET"])
        assert 5 == len(record)


def test_value_that_is_no_unicode_is_shown_escaped(tmp_path: Path) -> None:
    """A lone surrogate comes from a file name in an OSError, at most; it must not end in a traceback."""
    with FakeJournal(tmp_path) as fake:
        fake.journal().record(NOTICE, "a\udcffb", event="fault")
        assert "a\\udcffb" == fake.records()[0]["MESSAGE"]


def test_records_share_a_socket_until_it_is_closed(tmp_path: Path) -> None:
    """After close the next record comes from a new socket, and so with the label of the domain of that time."""
    with FakeJournal(tmp_path) as fake:
        journal = fake.journal()
        journal.record(NOTICE, "one", event="a")
        first = journal.socket
        journal.record(NOTICE, "two", event="b")
        assert first is journal.socket
        assert first is not None
        journal.close()
        assert -1 == first.fileno()
        journal.record(NOTICE, "three", event="c")
        assert journal.socket is not first
        assert ["a", "b", "c"] == fake.events()
        journal.close()
        journal.close()


def test_connect_finds_who_listens_now_and_is_a_fault_where_nobody_does(tmp_path: Path) -> None:
    """Asked before anything is served: what could not be accounted for afterwards is not served at all."""
    with FakeJournal(tmp_path) as fake:
        journal = fake.journal()
        first = journal.connect()
    os.unlink(fake.path)
    with FakeJournal(tmp_path) as another:
        assert first is journal.connect()
        journal.record(NOTICE, "x", event="a")
        assert ["a"] == another.events()
    with pytest.raises(AdoptFault, match="Connection refused"):
        journal.connect()
    journal.close()


def test_socket_is_not_inherited(tmp_path: Path) -> None:
    """CLOEXEC from its birth."""
    with FakeJournal(tmp_path) as fake:
        journal = fake.journal()
        journal.record(NOTICE, "x", event="a")
        assert journal.socket is not None
        assert not os.get_inheritable(journal.socket.fileno())
        journal.close()


def test_journal_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    """What can not be accounted for is not served."""
    with pytest.raises(AdoptFault, match="none: .*No such file or directory"):
        Journal(str(tmp_path / "none")).record(NOTICE, "x", event="a")


def test_journal_that_nobody_reads_is_a_fault(tmp_path: Path) -> None:
    """The socket's file is there, journald is not."""
    with FakeJournal(tmp_path) as fake:
        path = fake.path
    with pytest.raises(AdoptFault, match="Connection refused"):
        Journal(path).record(NOTICE, "x", event="a")


def test_journal_that_is_full_is_waited_for_and_then_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journald that hangs holds a connection for SEND_SECONDS and no longer."""
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)
    with FakeJournal(tmp_path) as fake:
        flood = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        flood.connect(fake.path)
        flood.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                flood.send(b"MESSAGE=x\nSELSOCK_EVENT=x\n")
        with pytest.raises(AdoptFault, match="timed out"):
            fake.journal().record(NOTICE, "x", event="a")
        flood.close()


def test_record_larger_than_a_datagram_is_a_fault(tmp_path: Path) -> None:
    """It is never cut short in silence; no limit of a head lets a peer come near it."""
    with FakeJournal(tmp_path) as fake, pytest.raises(AdoptFault, match="Message too long"):
        fake.journal().record(NOTICE, "x" * 1_000_000, event="a")


def test_journal_recovers(tmp_path: Path) -> None:
    """A record that failed does not spoil the next, after close."""
    journal = Journal(str(tmp_path / "journal"))
    with pytest.raises(AdoptFault):
        journal.record(NOTICE, "x", event="a")
    journal.close()
    with FakeJournal(tmp_path) as fake:
        journal.record(NOTICE, "x", event="b")
        assert ["b"] == fake.events()
