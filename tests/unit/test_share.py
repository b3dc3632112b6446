# SPDX-License-Identifier: Apache-2.0
"""What a vhost may take: places that are locked, a cgroup that is entered, limits that are lowered."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selsock.context import Context
from selsock.errors import Limited, LimitFault
from selsock.handler import share
from selsock.handler.confine import Confined
from selsock.handler.head import HeadBuffer
from selsock.handler.serve.restrain import restrain
from selsock.model import Location, Vhost
from selsock.names import AbsolutePath, HostName

FIRST = 7 << 22


def vhost(limits: dict[str, int]) -> Vhost:
    """One with these limits."""
    location = Location((), (), Context.parse("a_t:s0"))
    return Vhost((HostName("dog.example"),), AbsolutePath("/srv"), None, (location,), limits=limits)


@pytest.fixture
def slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty file of slots."""
    file = tmp_path / "slots"
    file.touch()
    monkeypatch.setattr(share, "SLOTS", str(file))
    return file


@contextlib.contextmanager
def process(deed: Callable[[], object]) -> Iterator[tuple[int, str]]:
    """A process that has done ``deed`` and stays: its pid, and what it was told."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            try:
                deed()
                os.write(tell, b"done")
            except (Limited, LimitFault) as fault:
                os.write(tell, fault.reason.encode())
            signal.pause()
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told, "rb", 0) as file:
        try:
            yield pid, file.read(1000).decode()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def held(limits: dict[str, int]) -> str:
    """What a process of its own is told that wants a place, and goes."""
    with process(lambda: share.hold(vhost(limits))) as (_, said):
        return said


TWO = {"connections": 2, "slots": FIRST}
FULL = "all 2 connections of dog.example are taken"


def test_one_too_many_is_told_when_to_come_again(slots: Path) -> None:
    """And is taken in when another one has been killed."""
    with process(lambda: share.hold(vhost(TWO))) as (_, one):
        with process(lambda: share.hold(vhost(TWO))) as (_, two):
            assert [one, two, held(TWO)] == ["done", "done", FULL]
            with pytest.raises(Limited) as caught:
                share.hold(vhost(TWO))
            assert (caught.value.status, caught.value.seconds) == (503, "5")
        assert held(TWO) == "done"


def test_others_have_places_of_their_own(slots: Path) -> None:
    one = {"connections": 1, "slots": FIRST}
    beside = {"connections": 1, "slots": FIRST + 1}
    with process(lambda: share.hold(vhost(one))) as (_, said):
        assert [said, held(one), held(beside)] == ["done", "all 1 connections of dog.example are taken", "done"]


def test_a_child_that_outlives_its_parent_holds_no_place(slots: Path) -> None:
    """It even has the descriptor, which a tenant's child closes."""
    told, tell = os.pipe()

    def hold_and_fork() -> None:
        share.hold(vhost({"connections": 1, "slots": FIRST}))
        child = os.fork()
        if child == 0:
            signal.pause()
        os.write(tell, child.to_bytes(4, "big"))

    with process(hold_and_fork) as (_, said):
        child = int.from_bytes(os.read(told, 4), "big")
        assert said == "done"
        assert held({"connections": 1, "slots": FIRST}) != "done"
    try:
        os.kill(child, 0)
        assert any(os.readlink(f"/proc/{child}/fd/{name}") == str(slots) for name in os.listdir(f"/proc/{child}/fd"))
        assert held({"connections": 1, "slots": FIRST}) == "done"
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(told)
        os.close(tell)


def test_without_a_limit_nothing_is_opened() -> None:
    """There is no file here."""
    share.hold(vhost({"umask": 0o22, "RLIMIT_NOFILE": 100}))


def test_a_missing_file_of_slots_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 for all, and the journal says why."""
    monkeypatch.setattr(share, "SLOTS", "/nowhere/slots")
    with pytest.raises(LimitFault, match="limits of dog.example: .*/nowhere/slots") as caught:
        share.hold(vhost(TWO))
    assert (caught.value.status, caught.value.exit_status) == (503, 25)


# ---- cgroups; tests/vm has the kernel's


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in place of the unit's cgroup, and a file of /proc that names it."""
    own = tmp_path / "system.slice/selsock@1.service"
    own.mkdir(parents=True)
    (own / "cgroup.subtree_control").touch()
    (tmp_path / "cgroup").write_text("1:name=systemd:/x\n0::/system.slice/selsock@1.service\n")
    monkeypatch.setattr(share, "CGROUPS", str(tmp_path))
    monkeypatch.setattr(share, "OWN_CGROUP", str(tmp_path / "cgroup"))
    return own


def test_a_cgroup_is_made_entered_and_limited(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order: one that has processes can not give controllers to its children."""
    done: list[tuple[str, bytes]] = []

    def exchange(path: str, message: bytes, size: int) -> bytes:
        if not message:
            return Path(path).read_bytes()
        done.append((str(Path(path).relative_to(group)), message))
        return b""

    monkeypatch.setattr(share, "exchange", exchange)
    share.hold(vhost({"memory.max": 67108864, "pids.max": 8}))
    assert (group / "vhost").is_dir()
    assert done == [
        ("vhost/cgroup.procs", b"0"),
        ("cgroup.subtree_control", b"+memory +pids"),
        ("vhost/memory.max", b"67108864"),
        ("vhost/pids.max", b"8"),
    ]


def test_a_cgroup_that_can_not_be_made_is_ours(group: Path) -> None:
    """The files of a cgroup are not there, as where the unit has no Delegate=."""
    with pytest.raises(LimitFault, match=r"limits of dog.example: .*cgroup\.procs"):
        share.hold(vhost({"pids.max": 8}))


# ---- below the line


def test_limits_are_lowered_and_never_raised() -> None:
    """Hard and soft at once; one that is lower already stays."""
    limits = {"umask": 0o27, "RLIMIT_NOFILE": 100, "RLIMIT_CORE": 1 << 30, "connections": 3}
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 4096))
            restrain(Confined("c", vhost(limits), HeadBuffer(16)))
            found = (resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE), os.umask(0))
            os.write(tell, repr(found).encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(pid, 0)
    with os.fdopen(told) as file:
        assert file.read() == repr(((100, 100), (4096, 4096), 0o27))


def test_a_limit_that_is_refused_serves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def setrlimit(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    with pytest.raises(LimitFault, match="RLIMIT_NOFILE of dog.example: Operation not permitted"):
        restrain(Confined("c", vhost({"RLIMIT_NOFILE": 100}), HeadBuffer(16)))


@pytest.mark.parametrize(
    ("limits", "loaded"), [({"connections": 1, "slots": 0, "umask": 0o27}, False), ({"RLIMIT_CPU": 1}, True)]
)
def test_a_file_is_loaded_above_the_line_and_only_for_rlimits(limits: dict[str, int], loaded: bool) -> None:
    """In an interpreter that has not loaded it; and there ``restrain`` finds it."""
    root = str(Path(__file__).parents[2])
    script = f"import sys; sys.path.append({root!r}); from selsock.handler.serve.dispatch import Handlers\n"
    script += f"Handlers('static', {limits!r}); print('resource' in sys.modules)"
    done = subprocess.run(["/usr/bin/python3", "-ISBc", script], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == f"{loaded}\n"
