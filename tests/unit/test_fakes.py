# SPDX-License-Identifier: Apache-2.0
"""The fakes are held to what they stand for: a fake that drifts from its original proves nothing."""

import inspect
import os
import signal
import socket
from pathlib import Path

import pytest

from selsock.cdb import Reader
from selsock.handler.kernel import Kernel
from selsock.handler.table import OpenTable
from tests.unit import fakes
from tests.unit.fakes import FakeJournal, FakeKernel, compile_table, connect, parse_record, patience


def test_fake_kernel_has_exactly_the_interface_of_the_kernel() -> None:
    """Every public method of Kernel is overridden, with the same parameters, and none is added."""
    wanted = {name: inspect.signature(value) for name, value in vars(Kernel).items() if inspect.isfunction(value)}
    faked = {name: inspect.signature(value) for name, value in vars(FakeKernel).items() if inspect.isfunction(value)}
    del wanted["__init__"], faked["__init__"]
    assert wanted == faked


def test_fake_kernel_records_calls_in_order() -> None:
    """What was asked, and with which context, in the order of asking."""
    kernel = FakeKernel()
    kernel.watch()
    kernel.setcon("a:b:c_t:s0")
    assert "a:b:c_t:s0" == kernel.getcon()
    assert [("watch",), ("setcon", "a:b:c_t:s0"), ("getcon",)] == kernel.calls


def test_fake_kernel_that_refuses_stays_where_it_is() -> None:
    """setcon raises, and the context is the old one."""
    kernel = FakeKernel(refuses=PermissionError(13, "Permission denied"))
    before = kernel.getcon()
    with pytest.raises(PermissionError):
        kernel.setcon("a:b:c_t:s0")
    assert before == kernel.getcon()


def test_fake_journal_collects_what_is_sent(tmp_path: Path) -> None:
    """Each datagram is one record."""
    with FakeJournal(tmp_path) as journal:
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.connect(journal.path)
        sender.send(b"MESSAGE=one\nSELSOCK_EVENT=a\n")
        sender.send(b"MESSAGE\n\x03\0\0\0\0\0\0\0t\nw\nSELSOCK_EVENT=b\n")
        sender.close()
        wanted = [{"MESSAGE": "one", "SELSOCK_EVENT": "a"}, {"MESSAGE": "t\nw", "SELSOCK_EVENT": "b"}]
        assert wanted == journal.records()
        assert ["a", "b"] == journal.events()


@pytest.mark.parametrize(
    "datagram",
    [
        b"MESSAGE=one",
        b"MESSAGE=one\nMESSAGE=two\n",
        b"MESSAGE\n\x03\0\0\0\0\0\0\0ab\n",
        b"MESSAGE\n\x01\0\0\0\0\0\0\0ab\n",
        b"MESSAGE\nabc\n",
        b"_SELINUX_CONTEXT=x\n",
        b"message=x\n",
        b"=x\n",
    ],
)
def test_fake_journal_refuses_what_journald_would_not_take(datagram: bytes) -> None:
    """Malformed, repeated and trusted (``_``) fields are errors here, so that no test passes by them."""
    with pytest.raises(ValueError):
        parse_record(datagram)


def test_patience_ends_what_would_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And leaves no alarm behind."""
    monkeypatch.setattr(fakes, "PATIENCE", 0.05)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RuntimeError), patience():
        os.open(tmp_path / "fifo", os.O_RDONLY)
    assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_REAL)


def test_connect_joins_two_ends() -> None:
    """What the peer sends is what the Client reads, and the other way round."""
    peer, client = connect("192.0.2.7")
    peer.sendall(b"ping")
    data = bytearray(8)
    assert 4 == client.read_into(memoryview(data), client.deadline)
    client.write(b"pong")
    assert (b"ping", b"pong", "192.0.2.7") == (bytes(data[:4]), peer.recv(8), client.address)
    peer.close()
    client.socket.close()


def test_compiled_table_is_one_that_the_handler_opens(tmp_path: Path) -> None:
    """Limits that are not given have their defaults."""
    path = compile_table(tmp_path, [], {"fields": 7})
    assert b"generation\tg1\n" in (Reader(str(path)).get(b"table") or b"")
    settings = OpenTable(str(path)).settings
    assert ("g1", True, 7, 16384) == (
        settings.generation,
        settings.required,
        settings.limits.fields,
        settings.limits.head_bytes,
    )
