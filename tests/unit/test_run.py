# SPDX-License-Identifier: Apache-2.0
"""run: what a script does to its own pipes and place, as whole connections; SELinux alone is replaced."""

import os
import posix
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selsock import errors
from selsock.context import Context
from selsock.handler import confine
from selsock.handler.serve import child, run
from selsock.model import Location, Vhost
from selsock.names import AbsolutePath, HostName
from tests.unit.fakes import DrainedJournal, FakeJournal, FakeKernel, Instance, compile_table

PUBLIC = Context.parse("selsock_public_t:s0")
Ask = Callable[[str, str], bytes]


class Stolen:
    """posix, but that each first look into a pipe comes too late: a process of the script's was faster."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def __getattr__(self, name: str) -> object:
        return getattr(posix, name)

    def read(self, file: int, size: int) -> bytes:
        """As read(2) on a pipe that another process has emptied, and then as on any."""
        if file not in self.seen:
            self.seen.add(file)
            raise BlockingIOError
        return posix.read(file, size)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[FakeJournal]:
    """Of this test."""
    with DrainedJournal(tmp_path) as journal:
        yield journal


@pytest.fixture
def ask(tmp_path: Path, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """ask(code, target): the answer of an instance that runs what is below ROOT/cgi-bin, ``code`` as x; its exit status
    is that of a connection that was served."""
    monkeypatch.setattr(confine, "REQUIRED_STATUS", {})
    root = tmp_path / "root"
    (root / "cgi-bin").mkdir(parents=True)

    def answer(code: str, target: str = "/cgi-bin/x") -> bytes:
        if code:
            script = root / "cgi-bin" / "x"
            script.write_text("#!/usr/bin/python3 -uISB\nimport os\n" + code)
            script.chmod(0o755)
        place = (("directory", str(root / "cgi-bin")),)
        locations = (Location(("cgi-bin",), (), PUBLIC, "cgi", place), Location((), (), PUBLIC))
        vhost = Vhost((HostName.parse("dog.example"),), AbsolutePath(str(root)), None, locations)
        with Instance(compile_table(tmp_path, [vhost]), journal, FakeKernel()) as instance:
            instance.send(f"GET {target} HTTP/1.1\r\nHost: dog.example\r\nConnection: close\r\n\r\n".encode())
            said = instance.receive()
            assert errors.EXIT_SERVED == instance.wait()
        return said

    return answer


def outcome(journal: FakeJournal) -> tuple[str, str]:
    """Status and reason, as they are recorded."""
    (found,) = (record for record in journal.records() if record["SELSOCK_EVENT"] == "outcome")
    return found["SELSOCK_STATUS"], found["SELSOCK_REASON"]


def test_pipe_that_the_script_reads_itself_is_waited_for_again(
    ask: Ask, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens /proc/self/fd/1 and 2.  That poll(2) saw something is no promise then, and its absence no end."""
    monkeypatch.setattr(run, "posix", Stolen())
    code = """
    import time
    os.write(2, b"complaint")
    time.sleep(0.1)
    os.write(1, b"Content-Type: a/b\\nContent-Length: 2\\n\\nok")
    """
    answer = ask(textwrap.dedent(code), "/cgi-bin/x")
    assert (b"ok", ("200", "")) == (answer.partition(b"\r\n\r\n")[2], outcome(journal))
    assert "dog.example: complaint" in [record["MESSAGE"] for record in journal.records()]


def test_304_says_nothing_of_a_length(ask: Ask, journal: FakeJournal) -> None:
    """RFC 9110 §8.6: it would be that of the content of 200, and a cache would believe it."""
    answer = ask("os.write(1, b'Status: 304 Not Modified\\n\\n')", "/cgi-bin/x")
    assert (b"HTTP/1.1 304 Not Modified", False) == (answer.partition(b"\r\n")[0], b"Content-Length" in answer)


@pytest.mark.parametrize("target", ["/cgi-bin", "/cgi-bin/", "/cgi-bin/x"])
def test_directory_that_is_a_file_is_no_script(ask: Ask, journal: FakeJournal, tmp_path: Path, target: str) -> None:
    """Its name is nobody's; it is not run under the name of another."""
    directory = tmp_path / "root/cgi-bin"
    directory.rmdir()
    directory.write_text("#!/bin/sh\nprintf 'Content-Type: a/b\\n\\nran'\n")
    directory.chmod(0o755)
    assert b"HTTP/1.1 404 Not Found" == ask("", target).partition(b"\r\n")[0]
    assert ("404", "no directory of scripts, but a file") == outcome(journal)


def test_no_process_is_500_and_leaves_nothing_open(
    ask: Ask, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TasksMax= may be used up, by what earlier scripts have left running; a connection has a hundred requests."""

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(posix, name)

        def fork(self) -> int:
            raise BlockingIOError(11, f"{len(os.listdir('/proc/self/fd'))} open")

    monkeypatch.setattr(child, "posix", Full())
    twice = "/cgi-bin/x HTTP/1.1\r\nHost: dog.example\r\n\r\nGET /cgi-bin/x"
    answer = ask("pass", twice)
    reasons = [record["SELSOCK_REASON"] for record in journal.records() if record["SELSOCK_EVENT"] == "outcome"]
    assert (2, 2, 1) == (answer.count(b"HTTP/1.1 500 "), len(reasons), len(set(reasons)))
    assert "no process for " in reasons[0]
