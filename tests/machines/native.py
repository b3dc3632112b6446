# SPDX-License-Identifier: Apache-2.0
"""NativeMachine: the systemd of a Debian tree as PID 1 in namespaces, at native speed, without SELinux.

It has no network but its own loopback, nothing of the host's devices, and it ends with us, whatever ends us: its PID 1
is killed by the kernel when this process dies. Memory and task limits hold only where the host gives controllers to
cgroup v2; nothing here relies on them.
"""

import ctypes
import os
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.machines import journal, logs
from tests.machines.commands import PATH, UNTIL_DEATH, run
from tests.machines.install import mask, write_files

_CLONE_NEWNET = 0x40000000
# Audit is the host's alone; nobody logs in; nothing may start by the clock while a test measures.
_UNWANTED = (
    *(
        "audit-rules.service",
        "auditd.service",
        "ssh.service",
        "systemd-logind.service",
        "console-getty.service",
    ),
    *("systemd-udevd.service", "ldconfig.service", "systemd-journal-catalog-update.service"),
    *(
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "dpkg-db-backup.timer",
        "fstrim.timer",
        "e2scrub_all.timer",
    ),
    *("systemd-tmpfiles-clean.timer", "selinux-autorelabel-mark.service"),
)
JOURNALD = b"[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n"


class NativeMachine:
    """A running machine, as a context manager: it is up inside the with block, and gone without a trace after it."""

    def __init__(self, root: Path, name: str) -> None:
        """root is an overlay that nothing else uses; name is that of the log directory."""
        self.root, self.name = root, name
        self._group = _cgroup_root() / f"selsock-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._pid = 0

    def __enter__(self) -> Self:
        _remove_orphans()
        self._logs = logs.emptied_directory(self.name)
        write_files(self.root, {"/etc/systemd/journald.conf.d/test.conf": (JOURNALD, 0o644)})
        write_files(self.root, {"/etc/machine-id": (f"{uuid.uuid4().hex}\n".encode(), 0o444)})
        mask(self.root, _UNWANTED)
        self._group.mkdir()
        try:
            self._start()
            self.wait_until_running()
        except BaseException:
            self.save_logs()
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or logs.wanted:
            self.save_logs()
        self._end()

    def _start(self) -> None:
        command = [
            *UNTIL_DEATH,
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--uts",
            "--ipc",
            "--net",
            "--kill-child",
        ]
        command += ["bash", str(Path(__file__).with_suffix(".sh")), str(self._group), str(self.root)]
        terminal, console = os.openpty()  # systemd writes to /dev/console only if that is a terminal
        threading.Thread(target=_copy, args=(terminal, self._logs / "console.log"), daemon=True).start()
        try:
            self._process = subprocess.Popen(command, stdin=console, stdout=console, stderr=console, env={"PATH": PATH})
        finally:
            os.close(console)

    def wait_until_running(self, timeout: float = 60) -> None:
        """Wait for systemd to report "running"; anything else, such as a failed unit, raises."""
        deadline = time.monotonic() + timeout
        state = ""
        while not state or state == "offline":
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start; see {self._logs}/console.log")
            time.sleep(0.05)
            if self._find_systemd():
                state = self.run(["systemctl", "is-system-running", "--wait"], check=False).stdout.strip()
        if state != "running":
            raise RuntimeError(f"{self.name} is {state}:\n{self.run(['systemctl', '--failed', '--no-pager']).stdout}")

    def _find_systemd(self) -> bool:
        """Find PID 1, the only child of unshare; false while it is still the shell that makes the mounts."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            pid = children.read_text().strip()
            self._pid = int(pid) if pid and Path(f"/proc/{pid}/comm").read_text() == "systemd\n" else 0
        except OSError:
            self._pid = 0
        return self._pid != 0

    def run(
        self, argv: Sequence[str], *, check: bool = True, input: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run argv in the machine as root; raises CommandFailed unless check is false, and 137 is the timeout's status."""
        enter = ["nsenter", "-t", str(self._pid), "-m", "-u", "-i", "-n", "-p", "-C"]
        # timeout(1) inside: killing nsenter from here would leave its child running in the machine.
        limit = ["timeout", "--signal=KILL", str(timeout)]
        return run([*enter, *limit, *argv], check=check, input=input, timeout=timeout + 10)

    def connect(self, port: int, host: str = "127.0.0.1", timeout: float = 10, source: str = "") -> socket.socket:
        """A TCP connection made inside the machine; host may be ::1 or another 127.x.y.z, source an address it has."""
        found: list[socket.socket | OSError] = []

        def enter() -> None:
            # setns() moves one thread alone, and a socket stays in the namespace that it was made in.
            try:
                self._enter_network()
                found.append(socket.create_connection((host, port), timeout, (source, 0) if source else None))
            except OSError as error:
                found.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if isinstance(found[0], OSError):
            raise found[0]
        return found[0]

    def _enter_network(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{self._pid}/ns/net") as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def link(self, other: "NativeMachine", address: str, others: str) -> None:
        """A cable to another machine: this one is ``address`` on it, that one ``others`` (IPv4, without length)."""
        name = f"to{others.replace('.', '-')}"[-15:]
        back = f"to{address.replace('.', '-')}"[-15:]
        ends = [name, "netns", str(self._pid), "type", "veth", "peer", "name", back, "netns", str(other._pid)]
        run(["ip", "link", "add", *ends])
        for machine, interface, own, peer in ((self, name, address, others), (other, back, others, address)):
            machine.run(["ip", "address", "add", own, "peer", peer, "dev", interface])
            machine.run(["ip", "link", "set", interface, "up"])

    def journal(self, *matches: str, after: str | None = None) -> list[journal.Entry]:
        """The entries that match (as for journalctl: "_SYSTEMD_UNIT=x", "--unit=x*"), after a cursor() if given."""
        self.run(["journalctl", "--sync"])
        return journal.parse(self.run(journal.command(matches, after)).stdout, after)

    def cursor(self) -> str:
        """A mark in the journal: journal(after=cursor) gives only what was logged since."""
        return self.journal("--lines=1")[0]["__CURSOR"]

    def save_logs(self) -> None:
        """Keep the journal beside the console's log."""
        if self._pid:
            done = self.run(["journalctl", "--no-pager", "--all", "--output=short-precise"], check=False)
            (self._logs / "journal.log").write_text(done.stdout + done.stderr, errors="surrogateescape")

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        _remove_cgroup(self._group, patience=10)


def _copy(terminal: int, log: Path) -> None:
    with log.open("wb", buffering=0) as file:
        try:
            while chunk := os.read(terminal, 65536):
                file.write(chunk)
        except OSError:
            pass  # EIO: the last process that had the terminal open is gone
    os.close(terminal)


def _cgroup_root() -> Path:
    """Where cgroup v2 is mounted: /sys/fs/cgroup, or below it on a hybrid host."""
    return Path(run(["findmnt", "-n", "-t", "cgroup2", "-o", "TARGET"]).stdout.splitlines()[0])


def _remove_orphans() -> None:
    """Remove the groups of runs that were killed with SIGKILL; the name holds the owner's pid."""
    for group in _cgroup_root().glob("selsock-*-*"):
        if not Path("/proc", group.name.split("-")[1]).exists():
            _remove_cgroup(group, patience=1)


def _remove_cgroup(group: Path, patience: float) -> None:
    """Remove a group and those in it as soon as the last process in them has ended."""
    deadline = time.monotonic() + patience
    while "populated 1" in (group / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    for directory, _, _ in os.walk(group, topdown=False):
        os.rmdir(directory)
