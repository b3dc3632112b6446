# SPDX-License-Identifier: Apache-2.0
"""Waiting for connections that are starting: which they are, when each has had what it needs, and when it is enough."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from selsock.generate.drain import PATIENCE, domain, drain, emptied, end, inside, starting

BEFORE, TENANT = "system_u:system_r:selsock_t:s0", "system_u:system_r:selsock_public_t:s0:c0,c1"
AS = "/usr/bin/python3\0-ISB\0/usr/libexec/selsock/serve-as\0/var/lib/selsock/table.cdb\0"
SERVE = "/usr/bin/python3\0-ISB\0/usr/libexec/selsock/serve\0/var/lib/selsock/table.cdb\0"


class Proc:
    """A /proc, a clock that goes on only by sleeping, and what happens at which second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 100.0
        self.events: list[tuple[float, Callable[[], object]]] = []
        self.said: list[str] = []
        for name in ("self", "sys", "meminfo"):
            (path / name).mkdir()

    def process(self, pid: int, context: str | None = BEFORE, command: str = SERVE, start: int = 4711) -> None:
        """A process, new or in place of what had its number."""
        place = self.path / str(pid)
        (place / "attr").mkdir(parents=True, exist_ok=True)
        (place / "cmdline").write_text(command)
        # A name may hold parentheses and spaces.
        (place / "stat").write_text(f"{pid} (a) S (b) S 1 {' '.join('0' * 17)} {start} 0 0\n")
        (place / "attr/current").unlink(missing_ok=True)
        if context is not None:
            (place / "attr/current").write_text(context)

    def end(self, pid: int) -> None:
        """The process ends."""
        for name in ("cmdline", "stat", "attr/current"):
            (self.path / str(pid) / name).unlink(missing_ok=True)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds > 0
        self.now = round(self.now + seconds, 3)
        for when, event in self.events:
            if when <= self.now - 100:
                event()

    def drain(self) -> float:
        """Wait, and tell how many seconds that took."""
        drain(starting(self.path), self.said.append, self.path, lambda: self.now, self.sleep)
        return round(self.now - 100, 1)

    def emptied(self, *domains: str) -> tuple[bool, float]:
        """Wait until nobody is inside, and tell whether that came, and how many seconds it took."""
        before = starting(self.path)
        done = emptied(domains, before, self.said.append, self.path, lambda: self.now, self.sleep)
        return done, round(self.now - 100, 1)


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """A machine without a process."""
    return Proc(tmp_path)


def test_nothing_is_starting(proc: Proc) -> None:
    """No wait."""
    assert (proc.drain(), proc.said) == (0, [])


@pytest.mark.parametrize(
    ("context", "command"),
    [
        (TENANT, SERVE),
        ("system_u:system_r:init_t:s0\0", SERVE),
        (BEFORE, "/usr/bin/python3\0-ISB\0/usr/libexec/selsock/serve.old\0"),
        (BEFORE, "/usr/bin/python3 /usr/libexec/selsock/serve"),
        (BEFORE, ""),  # one that has ended and was not waited for
    ],
)
def test_what_is_not_starting(proc: Proc, context: str, command: str) -> None:
    """Past the line, or another program."""
    proc.process(7, context, command)
    assert starting(proc.path) == frozenset()


@pytest.mark.parametrize("context", [BEFORE, BEFORE + "\0\n", "", "unconfined\n", None])
def test_what_is_starting(proc: Proc, context: str | None) -> None:
    """Also where SELinux tells nothing, or another module answers in its place."""
    proc.process(7, context)
    assert starting(proc.path) == {("7", "4711")}


def test_a_process_that_ends(proc: Proc) -> None:
    proc.process(7)
    proc.events = [(2, lambda: proc.end(7))]
    assert (proc.drain(), proc.said) == (2, [])


def test_a_process_that_enters_its_tenants_domain(proc: Proc) -> None:
    """It has loaded all that it will load."""
    proc.process(7)
    proc.events = [(3, lambda: proc.process(7, TENANT))]
    assert (proc.drain(), proc.said) == (3, [])


def test_a_number_that_is_used_again(proc: Proc) -> None:
    """By a connection that started with what is installed now."""
    proc.process(7)
    proc.events = [(1, lambda: proc.process(7, start=4712))]
    assert (proc.drain(), proc.said) == (1, [])


def test_a_process_that_started_later_is_not_waited_for(proc: Proc) -> None:
    proc.process(7)
    proc.events = [(1, lambda: proc.process(8)), (2, lambda: proc.end(7))]
    assert (proc.drain(), proc.said) == (2, [])


def test_all_are_waited_for(proc: Proc) -> None:
    for pid in (7, 8):
        proc.process(pid)
    proc.events = [(1, lambda: proc.end(7)), (4, lambda: proc.end(8))]
    assert (proc.drain(), proc.said) == (4, [])


def test_patience_ends_with_a_warning(proc: Proc) -> None:
    """One line, with how many are left."""
    for pid in (7, 8, 9):
        proc.process(pid)
    proc.events = [(5, lambda: proc.end(8))]
    assert PATIENCE <= proc.drain() < PATIENCE + 1
    assert proc.said == ["warning: 2 connections are still starting with what was installed before, and may fail"]
    proc.end(9)
    proc.said.clear()
    proc.drain()
    assert proc.said == ["warning: 1 connection is still starting with what was installed before, and may fail"]


def test_the_real_proc_is_understood() -> None:
    """A process that looks like an instance is found while it runs, and not after; unless SELinux tells its domain."""
    command = [sys.executable, "-c", "input()", "/usr/libexec/selsock/serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        place = Path(f"/proc/{process.pid}")
        while b"input()" not in (place / "cmdline").read_bytes():
            pass  # between fork and exec
        expected = [str(process.pid)] if domain(place) == "" else []
        assert [pid for pid, _ in starting() if pid == place.name] == expected
    assert [pid for pid, _ in starting() if pid == place.name] == []


def test_nobody_is_inside(proc: Proc) -> None:
    proc.process(7, TENANT, "cat\0")
    assert inside(["selsock_other_t"], proc.path) == 0
    assert inside([], proc.path) == 0
    assert proc.emptied("selsock_other_t") == (True, 0.0)
    assert proc.said == []


def test_whoever_is_inside_is_waited_for_whatever_he_runs(proc: Proc) -> None:
    proc.process(7, TENANT, "cat\0")
    proc.events = [(3, lambda: proc.end(7))]
    assert inside(["selsock_public_t"], proc.path) == 1
    assert proc.emptied("selsock_public_t") == (True, 3.0)
    assert proc.said == ["waiting: 1 process is still in what is no longer used"]


def test_who_is_about_to_enter_is_waited_for(proc: Proc) -> None:
    """He has the old table open, and goes inside before he ends."""
    proc.process(7)
    proc.events = [(2, lambda: proc.process(7, TENANT)), (4, lambda: proc.end(7))]
    assert proc.emptied("selsock_public_t") == (True, 4.0)


def test_who_stays_inside_ends_the_patience(proc: Proc) -> None:
    for pid in (7, 8):
        proc.process(pid, TENANT)
    done, seconds = proc.emptied("selsock_public_t")
    assert (done, PATIENCE <= seconds < PATIENCE + 1) == (False, True)
    assert proc.said[-1] == "2 processes are still in what is no longer used"


def test_only_those_inside_are_ended(proc: Proc) -> None:
    """By the number of a real process, and the domain that a /proc of ours says."""
    with subprocess.Popen(["sleep", "1000"]) as inner, subprocess.Popen(["sleep", "1000"]) as outer:
        proc.process(inner.pid, TENANT)
        proc.process(outer.pid, "system_u:system_r:cron_t:s0")
        try:
            assert end([], proc.path) == 0
            assert end(["selsock_public_t"], proc.path) == 1
            assert inner.wait() == -signal.SIGKILL
            assert outer.poll() is None
            assert end(["selsock_public_t"], proc.path) == 0, "one that has ended is passed over"
        finally:
            outer.kill()


def test_those_that_may_change_their_user_are_waited_for(proc: Proc) -> None:
    """By their own program, in their own domain, until they are in a tenant's."""
    proc.process(7, BEFORE.replace("selsock_t", "selsock_run_as_t"), AS)
    proc.events.append((0.4, lambda: proc.process(7, TENANT, AS)))
    assert (proc.drain(), proc.said) == (0.4, [])
