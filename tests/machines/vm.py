# SPDX-License-Identifier: Apache-2.0
"""VirtualMachine: a Debian with SELinux enforcing under QEMU, driven over ssh.

Its disk is a throw-away snapshot of the image. It listens on 127.0.0.1 only, on ports of our choice, and it ends with us,
whatever ends us: the kernel kills QEMU and ssh when this process dies.

To look at what one test caused, take mark() before and pass it to avcs() or journal() after. Both first wait until all
that was logged so far has arrived, so that there is no need to sleep, and an empty list means that nothing happened.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.machines import audit, journal, logs
from tests.machines.commands import PATH, UNTIL_DEATH, Report, run, to_stderr
from tests.machines.image import Image

AUDIT_LOG = "/var/log/audit/audit.log"
_KERNEL = (
    "root=/dev/vda rw rootfstype=ext4 fsck.mode=skip console=ttyS0 loglevel=5 net.ifnames=0 audit=1"
    " audit_backlog_limit=8192 panic=-1 mitigations=off random.trust_cpu=on"
)
_ENFORCING = " security=selinux selinux=1 enforcing=1"
# Debian's kernel knows no selinux=0.  This is what it was built with, less those of which security= leaves one.
_WITHOUT = " lsm=landlock,lockdown,yama,loadpin,safesetid,integrity,bpf,ipe"


@dataclass(frozen=True)
class Mark:
    """A moment in the journal and in the audit log."""

    cursor: str
    audit_offset: int


class VirtualMachine:
    """A running machine, as a context manager: it is up inside the with block, and gone without a trace after it."""

    def __init__(
        self,
        image: Image,
        name: str,
        guest_ports: Sequence[int] = (80, 8080),
        report: Report = to_stderr,
        *,
        selinux: bool = True,
        counted: bool = False,
    ) -> None:
        """name is that of the log directory; guest_ports are reached through http_port().

        selinux: False boots a kernel without SELinux, to compare with; everywhere else it enforces.
        counted: an emulated machine's clock counts its instructions, one a nanosecond, whatever else the host does.
        """
        self.image, self.name, self._report = image, name, report
        self._counted = counted
        self._kernel = _KERNEL + (_ENFORCING if selinux else _WITHOUT)
        self._ports = dict(zip((22, *guest_ports), _free_ports(len(guest_ports) + 1), strict=True))
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._logs = logs.emptied_directory(self.name)
        self._directory = Path(tempfile.mkdtemp(prefix="selsock-vm-"))
        try:
            self._report(f"booting {self.name} ({'KVM' if has_kvm() else 'emulated: about half a minute'})")
            self._start_qemu()
            self._start_ssh()
            self._wait_until_running()
            self._report(f"{self.name} is running, ssh on 127.0.0.1:{self._ports[22]}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None or logs.wanted:
            self.save_logs()
        self._end()

    def _start_qemu(self) -> None:
        image = self.image.directory
        forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in self._ports.items())
        command = [
            "qemu-system-x86_64",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-M",
            "q35",
        ]
        if has_kvm():
            command += ["-accel", "kvm", "-cpu", "host"]
        else:
            # The model with the fewest features that Debian may come to need: what follows, AVX and five levels of page
            # tables among it, costs a sixth of the time of whatever starts processes.
            how = ["tcg,thread=single", "-icount", "shift=0"] if self._counted else ["tcg,thread=multi"]
            command += ["-accel", *how, "-cpu", "Nehalem"]
        # Emulated, one processor: where the kernel patches its own code (text_poke), a second one may see half of it.
        command += ["-smp", "2" if has_kvm() else "1", "-m", "2G", "-serial", f"file:{self._logs}/serial.log"]
        command += ["-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd", "-append", self._kernel]
        command += ["-drive", f"file={image}/root.img,if=virtio,format=raw,cache=unsafe,snapshot=on"]
        command += ["-netdev", f"user,id=n,{forwards}", "-device", "virtio-net-pci,netdev=n,romfile="]
        command += ["-device", "virtio-rng-pci"]
        self._qemu = self._spawn(command)

    def _start_ssh(self) -> None:
        """Wait for the guest's sshd, then hold one connection open for all commands to come."""
        deadline = time.monotonic() + 300
        while not _greets(self._ports[22]):
            self._must_live(self._qemu, deadline)
            time.sleep(0.2)
        master = self._spawn([*self._ssh_command(), "-M", "-N", "root@127.0.0.1"])
        while not (self._directory / "ssh").exists():
            self._must_live(master, deadline)
            time.sleep(0.05)

    def _ssh_command(self) -> list[str]:
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "BatchMode=yes",
        ]
        options += [f"ControlPath={self._directory}/ssh", "ConnectTimeout=60", "IdentitiesOnly=yes"]
        command = ["ssh", "-F", "none", "-i", f"{self.image.directory}/key", "-p", str(self._ports[22])]
        return command + [word for option in options for word in ("-o", option)]

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._logs / f"{command[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [*UNTIL_DEATH, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": PATH}
            )
        self._started.append(process)
        return process

    def _must_live(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{self.name} did not start; see {self._logs}")

    def _wait_until_running(self) -> None:
        state = self.ssh("systemctl is-system-running --wait", check=False, timeout=300).stdout.strip()
        if state != "running":
            self.save_logs()
            raise RuntimeError(f"{self.name} is {state}:\n{self.ssh('systemctl --failed --no-pager').stdout}")

    def ssh(
        self,
        command: str | Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script (str) or one command (sequence of words) as root; raises CommandFailed unless check is false."""
        script = command if isinstance(command, str) else shlex.join(command)
        return run([*self._ssh_command(), "root@127.0.0.1", script], check=check, input=input, timeout=timeout)

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file, making its directories, and label all of them as the policy says."""
        name = shlex.quote(path)
        script = f"mkdir -p $(dirname {name}) && cat >{name} && chmod {mode:o} {name} && restorecon -F $(dirname {name}) {name}"
        self.ssh(script, input=content.decode(errors="surrogateescape"))

    def http_port(self, guest_port: int) -> int:
        """The port of 127.0.0.1 on the host that leads to a port of the guest."""
        return self._ports[guest_port]

    def enforce(self, enforcing: bool) -> None:
        """Switch between enforcing and permissive."""
        self.ssh(f"setenforce {int(enforcing)}")

    def mark(self) -> Mark:
        """Now."""
        last = shlex.join(journal.command(["--lines=1"], None))
        said = self.ssh(f"journalctl --sync && {last} && {self._audit_barrier()} && stat -c %s {AUDIT_LOG}").stdout
        entry, size = said.splitlines()
        return Mark(journal.parse(entry, None)[0]["__CURSOR"], int(size))

    def journal(self, *matches: str, since: Mark | None = None) -> list[journal.Entry]:
        """The entries that match (as for journalctl: "_SYSTEMD_UNIT=x", "--unit=x*"), since a mark."""
        after = since.cursor if since else None
        command = shlex.join(journal.command(matches, after))
        return journal.parse(self.ssh(f"journalctl --sync && {command}").stdout, after)

    def avcs(self, since: Mark | None = None, about: str = "") -> list[audit.Record]:
        """The SELinux records (see audit.py for the form) since a mark, or since the boot.

        about: only those with this text in one of the two contexts, such as "selsock_"; our own ssh causes others.
        """
        offset = since.audit_offset if since else 0
        log = self.ssh(f"{self._audit_barrier()} && tail -c +{offset + 1} {AUDIT_LOG}")
        records = audit.parse(log.stdout)
        return [record for record in records if about in record.get("scontext", "") + " " + record.get("tcontext", "")]

    def _audit_barrier(self) -> str:
        """A shell line that ends when everything audited so far is in the log: records arrive there in order."""
        word = f"selsock-mark-{uuid.uuid4().hex}"
        # It sleeps first: where there is one processor, auditd has no other chance to write.
        found = f"sleep 0.02; tail -c 100000 {AUDIT_LOG} | grep -q {word}"
        wait = f"tries=0; until {found}; do [ $((tries += 1)) -lt 500 ] || exit 1; done"
        return f"auditctl -m {word} >/dev/null && {{ {wait}; }}"

    def save_logs(self) -> None:
        """Keep the journal and the audit log beside the log of the serial line."""
        for name, command in (
            ("journal", "journalctl --no-pager --all -o short-precise"),
            ("audit", f"cat {AUDIT_LOG}"),
        ):
            try:
                done = self.ssh(command, check=False, timeout=60)
            except subprocess.TimeoutExpired:
                self._report(f"{self.name} does not answer; its serial log is in {self._logs}")
                return
            (self._logs / f"{name}.log").write_text(done.stdout + done.stderr, errors="surrogateescape")

    def _end(self) -> None:
        for process in reversed(self._started):
            process.kill()
            process.wait()
        shutil.rmtree(self._directory)


def has_kvm() -> bool:
    """/dev/kvm alone is no sign: where the processor offers no virtualisation, it opens, and the guest dies at once."""
    return bool(re.search(r"\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text())) and os.access("/dev/kvm", os.W_OK)


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now; all are held until all are found, so no two are equal."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _greets(port: int) -> bool:
    """Whether an sshd speaks there; QEMU itself accepts connections long before the guest does."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
