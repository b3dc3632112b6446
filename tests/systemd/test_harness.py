# SPDX-License-Identifier: Apache-2.0
"""The native machine itself: what the other tests of this tier take for granted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.machines.commands import CHECKOUT, CommandFailed, run
from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot

VERSIONS = {"bookworm": "systemd 252", "trixie": "systemd 257"}
ECHO = {
    "/etc/systemd/system/echo.socket": (b"[Socket]\nListenStream=7007\nAccept=yes\n", 0o644),
    "/etc/systemd/system/echo@.service": (
        b"[Service]\nExecStart=/bin/cat\nStandardInput=socket\nStandardError=journal\n",
        0o644,
    ),
}


def children(pid: int) -> list[int]:
    """The children of a process with one thread."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def traces() -> set[str]:
    """What machines of this process have on this host: mounts, children, and control groups.

    A group can be removed only when no process is left in it.
    """
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    groups = run(["find", "/sys/fs/cgroup", "-type", "d", "-name", f"selsock-{os.getpid()}-*"]).stdout.splitlines()
    return {mount for mount in mounts if f"/{os.getpid()}-" in mount} | set(groups) | {*map(str, children(os.getpid()))}


def test_systemd_of_the_suite_is_running(bare_machine: NativeMachine, suite: str) -> None:
    """systemd is PID 1, of the version that the suite stands for, and no unit failed."""
    assert bare_machine.run(["systemctl", "--version"]).stdout.startswith(VERSIONS[suite])
    assert bare_machine.run(["cat", "/proc/1/comm"]).stdout == "systemd\n"
    assert bare_machine.run(["systemctl", "is-system-running"]).stdout == "running\n"


def test_a_failing_command_tells_what_it_wrote(bare_machine: NativeMachine) -> None:
    """The error of run() holds standard error, and check=False gives the status instead."""
    with pytest.raises(CommandFailed, match="no-such-file"):
        bare_machine.run(["cat", "/no-such-file"])
    assert bare_machine.run(["sh", "-c", "exit 7"], check=False).returncode == 7
    assert bare_machine.run(["cat"], input="typed").stdout == "typed"


def test_a_socket_unit_accepts_connections_made_inside(boot: Boot) -> None:
    """connect() reaches the machine's own loopback, which the host's does not."""
    with boot(files=ECHO) as machine:
        machine.run(["systemctl", "start", "echo.socket"])
        with machine.connect(7007) as connection:
            connection.sendall(b"hello")
            assert connection.recv(10) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            machine.connect(7008)


def test_the_journal_is_read_since_a_cursor(bare_machine: NativeMachine) -> None:
    """A match finds what was logged after the cursor, and not what was logged before."""
    bare_machine.run(["logger", "-t", "harness", "before"])
    cursor = bare_machine.cursor()
    assert bare_machine.journal("SYSLOG_IDENTIFIER=harness", after=cursor) == []
    bare_machine.run(["logger", "-t", "harness", "after"])
    entries = bare_machine.journal("SYSLOG_IDENTIFIER=harness", after=cursor)
    assert [entry["MESSAGE"] for entry in entries] == ["after"]


def test_the_journal_holds_what_systemd_says(bare_machine: NativeMachine) -> None:
    """Messages of PID 1 about a unit are in the journal: tests look for failed instances there."""
    cursor = bare_machine.cursor()
    bare_machine.run(["systemd-run", "--unit=doomed", "--wait", "false"], check=False)
    messages = [entry["MESSAGE"] for entry in bare_machine.journal("--unit=doomed", after=cursor)]
    assert "doomed.service: Failed with result 'exit-code'." in messages
    bare_machine.run(["systemctl", "reset-failed"])


def test_the_host_is_out_of_reach(bare_machine: NativeMachine) -> None:
    """A machine cannot change the host's sysctls, load modules or see its disks."""
    # The value that it has: should the wall be missing, the test must do no harm.
    script = "value=$(cat /proc/sys/vm/swappiness); echo $value >/proc/sys/vm/swappiness"
    assert "Read-only" in bare_machine.run(["sh", "-c", script], check=False).stderr
    assert bare_machine.run(["ls", "/sys/fs/cgroup/init.scope/cgroup.procs"]).stdout
    assert bare_machine.run(["sh", "-c", "ls /dev/vd* /dev/sd* /dev/kmsg"], check=False).stdout == ""


def test_nothing_is_left_after_the_with_block(boot: Boot) -> None:
    """No mount, control group or process remains, also when the block ends with an error."""
    before = traces()
    with pytest.raises(ZeroDivisionError), boot() as machine:
        machine.run(["systemd-run", "sleep", "1000"])
        assert traces() > before
        raise ZeroDivisionError
    assert traces() == before


def test_nothing_runs_on_when_the_tests_are_killed(boot: Boot, suite: str) -> None:
    """SIGKILL of the process that owns a machine ends the machine, and the next run removes the remains."""
    script = (
        "import sys, time; from tests.machines.trees import *; from tests.machines.native import *\n"
        f"with overlay(tree('{suite}')) as root, NativeMachine(root, 'killed') as machine:\n"
        "    print(machine.root, flush=True); time.sleep(1000)"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    root = Path(owner.stdout.readline().strip())
    (outside,) = children(owner.pid)
    (systemd,) = children(outside)
    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{systemd}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{systemd}").exists()
    with boot():
        assert not root.parent.exists()
        assert not run(["find", "/sys/fs/cgroup", "-type", "d", "-name", f"selsock-{owner.pid}-*"]).stdout
