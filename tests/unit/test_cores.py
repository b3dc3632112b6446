# SPDX-License-Identifier: Apache-2.0
"""Each C core is its public name: the same objects, so that Python's documentation of the name holds for the core."""

import hmac
import os
import select
import signal
import socket
import struct
import sys
import time

import pytest

from selsock import cores


@pytest.mark.parametrize(
    "name",
    ["open", "read", "close", "fork", "waitpid", "kill", "fstat", "pread", "sendfile", "dup2", "set_inheritable"],
)
def test_posix_is_os(name: str) -> None:
    """Every function of os that the handler calls is the one of posix."""
    assert getattr(os, name) is getattr(cores.posix, name)


@pytest.mark.parametrize("name", ["O_RDONLY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "O_DIRECTORY"])
def test_flags_of_posix_are_those_of_os(name: str) -> None:
    """Every flag that the handler passes has the value that os documents."""
    assert getattr(os, name) == getattr(cores.posix, name)


def test_socket_core_is_the_base_of_socket() -> None:
    """socket.socket only adds Python methods to _socket.socket; functions and constants are the same."""
    assert issubclass(socket.socket, cores.socket.socket)
    assert socket.inet_pton is cores.socket.inet_pton
    for name in (
        "AF_UNIX",
        "AF_INET",
        "AF_INET6",
        "SOCK_STREAM",
        "SOCK_DGRAM",
        "SOL_SOCKET",
        "SO_ACCEPTCONN",
        "SHUT_WR",
    ):
        assert getattr(socket, name) == getattr(cores.socket, name), name


def test_struct_core_is_struct() -> None:
    """pack, unpack and iter_unpack."""
    assert (struct.pack, struct.unpack, struct.iter_unpack) == (
        cores.struct.pack,
        cores.struct.unpack,
        cores.struct.iter_unpack,
    )


def test_signal_core_is_signal() -> None:
    """signal.signal only turns its numbers into enumerations."""
    before = signal.getsignal(signal.SIGUSR2)
    cores.signal.signal(signal.SIGUSR2, cores.signal.SIG_IGN)
    assert signal.SIG_IGN == signal.signal(signal.SIGUSR2, before)
    for name in ("SIGPIPE", "SIGXFSZ", "SIG_DFL"):
        assert getattr(signal, name) == getattr(cores.signal, name), name


def test_compare_digest_is_hmac_compare_digest() -> None:
    """hmac takes OpenSSL's where there is one; both answer alike, for each kind of buffer that is compared here."""
    for left, right in ((b"a", b"a"), (b"a", b"b"), (b"", b"a"), (b"a", b"aa"), (b"", b"")):
        wanted = hmac.compare_digest(left, right)
        assert wanted == cores.compare_digest(left, right)
        assert wanted == cores.compare_digest(memoryview(left), bytearray(right))


def test_select_and_time_are_the_public_modules() -> None:
    """These two, and sys, are C modules under their public names already."""
    assert (select, time, sys) == (cores.select, cores.time, cores.sys)
