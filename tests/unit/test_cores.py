# SPDX-License-Identifier: Apache-2.0
"""Each C core is its public name: the same objects, so that Python's documentation of the name holds for the core."""

import base64
import hashlib
import hmac
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import types

import pytest

from selsock import cores, password_cores


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


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", b"dog:w\xc3\xbcff", bytes(range(256))])
def test_base64_by_binascii_is_base64(data: bytes) -> None:
    """Both directions, and strict_mode is base64.b64decode(validate=True)."""
    text = base64.b64encode(data)
    assert data == password_cores.binascii.a2b_base64(text, strict_mode=True)
    assert text == password_cores.binascii.b2a_base64(data, newline=False)


@pytest.mark.parametrize("text", [b"====", b"a", b"YQ", b"YQ=", b"YQ==\n", b"Y Q==", b"YQ==YQ==", b"Y-Q=", b"=YQ=="])
def test_strict_base64_refuses_what_validate_refuses(text: bytes) -> None:
    """No spelling is decoded that base64.b64decode(validate=True) refuses."""
    with pytest.raises(ValueError):
        password_cores.binascii.a2b_base64(text, strict_mode=True)


def test_select_and_time_are_the_public_modules() -> None:
    """These two, and sys, are C modules under their public names already."""
    assert (select, time, sys) == (cores.select, cores.time, cores.sys)


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256))])
@pytest.mark.parametrize("name", ["md5", "sha1"])
def test_digest_is_hashlib(name: str, data: bytes) -> None:
    """Both hashes of old htpasswd formats."""
    assert hashlib.new(name, data, usedforsecurity=False).digest() == password_cores.digest(name, data)


@pytest.mark.parametrize("name", ["md5", "sha1"])
def test_digest_without_the_built_in_module_is_openssls(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red Hat's Python has neither _md5 nor _sha1."""
    monkeypatch.setitem(sys.modules, f"_{name}", None)
    assert hashlib.new(name, b"abc", usedforsecurity=False).digest() == password_cores.digest(name, b"abc")


def test_crypt_core_is_what_crypt_uses() -> None:
    """crypt.crypt and the core give the same hash."""
    script = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "try: import crypt\nexcept ImportError: import crypt_r as crypt\n"
        "from selsock.password_cores import crypt_core\n"
        "salt = '$6$saltsalt$'\n"
        "assert crypt.crypt('w\\xfcff', salt) == crypt_core().crypt('w\\xfcff', salt)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_crypt_core_falls_back_to_crypt_r(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 has no _crypt; python3-crypt-r brings _crypt_r."""
    other = types.ModuleType("_crypt_r")
    monkeypatch.setitem(sys.modules, "_crypt", None)
    monkeypatch.setitem(sys.modules, "_crypt_r", other)
    assert other is password_cores.crypt_core()


def test_crypt_core_missing_altogether_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing answers for passwords; the error says what to install, here and in selsock-generate."""
    monkeypatch.setitem(sys.modules, "_crypt", None)
    monkeypatch.setitem(sys.modules, "_crypt_r", None)
    with pytest.raises(ImportError, match="^Python has no crypt: install python3-crypt-r$"):
        password_cores.crypt_core()
