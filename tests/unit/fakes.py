# SPDX-License-Identifier: Apache-2.0
"""What stands in for systemd, journald and SELinux in the unit tier, each at the edge of the code that is ours.

Example: a whole instance, in a process of its own as in real life, with the test as its client:

    with FakeJournal(tmp_path) as journal, Instance(table, journal, FakeKernel()) as instance:
        instance.send(b"GET / HTTP/1.1\\r\\nHost: dog.example\\r\\nConnection: close\\r\\n\\r\\n")
        answer = instance.receive()
        assert 0 == instance.wait()
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pytest

from selsock import cores
from selsock.generate.cdb_writer import compose
from selsock.generate.records import table_record, vhost_record
from selsock.handler import __main__ as top
from selsock.handler.adopt import Client, plain_address
from selsock.handler.journal import Journal
from selsock.handler.kernel import Kernel
from selsock.identify.provider import Provider
from selsock.identify.service import Service
from selsock.model import CERTIFICATE, Limits, Table, Vhost

if TYPE_CHECKING:
    from selsock.handler.serve.dispatch import Serve

SELSOCK = "system_u:system_r:selsock_t:s0"
GENERATION = "g1"
PATIENCE = 10.0  # no test waits for it; it only ends one that would hang


class FakeKernel(Kernel):
    """A kernel with SELinux as a test wants it.  ``calls`` has each call of the interface with its argument."""

    def __init__(
        self,
        mode: str = "enforcing",
        generation: str = GENERATION,
        permissive: bool = False,
        refuses: OSError | None = None,
        reports: str | None = None,
        stable: int = 1000,
    ) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.context = SELSOCK
        self.mode = mode
        self.generation = generation
        self.permissive = permissive
        self.refuses = refuses
        self.reports = reports
        self.stable = stable

    def watch(self) -> str:
        """The mode given to the constructor; from here on, changes count."""
        self.calls.append(("watch",))
        return self.mode

    def unchanged(self) -> bool:
        """True as often as ``stable`` was given to the constructor, and False from then on."""
        self.calls.append(("unchanged",))
        self.stable -= 1
        return self.stable >= 0

    def knows(self, context: str) -> bool:
        """Whether ``context`` is the one that stands for the generation given to the constructor."""
        self.calls.append(("knows", context))
        return context == f"system_u:object_r:selsock_generation_{self.generation}:s0"

    def is_permissive(self, context: str) -> bool:
        """As given to the constructor, whatever the context."""
        self.calls.append(("is_permissive", context))
        return self.permissive

    def setcon(self, context: str) -> None:
        """Enter ``context``, or raise ``refuses``; where ``reports`` is given, getcon will tell that instead."""
        self.calls.append(("setcon", context))
        if self.refuses is not None:
            raise self.refuses
        self.context = self.reports or context

    def getcon(self) -> str:
        """The context entered last."""
        self.calls.append(("getcon",))
        return self.context


class FakeJournal:
    """journald's end of its native protocol: a real datagram socket that collects records."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "journal")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.seen: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def journal(self) -> Journal:
        """A handler's way to this journal."""
        return Journal(self.path)

    def records(self) -> list[dict[str, str]]:
        """Every record so far, oldest first."""
        while True:
            try:
                self.seen.append(parse_record(self.socket.recv(1 << 20)))
            except BlockingIOError:
                return self.seen

    def events(self) -> list[str]:
        """The events of the records so far."""
        return [record["SELSOCK_EVENT"] for record in self.records()]


class DrainedJournal(FakeJournal):
    """A FakeJournal that takes any number of records, as journald does; the kernel queues ten of them for one that waits."""

    def __enter__(self) -> Self:
        self.kept: list[bytes] = []
        self.ended = threading.Event()
        self.taking = threading.Lock()
        self.thread = threading.Thread(target=self.drain, daemon=True)
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.thread.join()
        super().__exit__(kind, error, trace)

    def drain(self) -> None:
        """Take what comes until the end."""
        while not self.ended.is_set():
            if select.select([self.socket], [], [], 0.02)[0]:
                self.take()

    def take(self) -> None:
        """Take what there is."""
        with self.taking:
            while select.select([self.socket], [], [], 0)[0]:
                self.kept.append(self.socket.recv(1 << 20))

    def records(self) -> list[dict[str, str]]:
        """Every record so far, oldest first."""
        self.take()  # what was sent before this call is there after it
        self.seen += [parse_record(self.kept.pop(0)) for _ in range(len(self.kept))]
        return self.seen


def parse_record(datagram: bytes) -> dict[str, str]:
    """One datagram of https://systemd.io/JOURNAL_NATIVE_PROTOCOL, strictly.  Raises ValueError."""
    found: dict[str, str] = {}
    while datagram:
        line, newline, datagram = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not newline:
            raise ValueError(f"no newline ends {line!r}")
        if not equals:
            if len(datagram) < 8:
                raise ValueError(f"no length follows {line!r}")
            (length,) = struct.unpack("<Q", datagram[:8])
            value, end, datagram = datagram[8 : 8 + length], datagram[8 + length : 9 + length], datagram[9 + length :]
            if len(value) != length or end != b"\n":
                raise ValueError(f"{name!r} is not of the length that it states")
        key = name.decode("ascii")
        if key in found or not key or key.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") or key[0] == "_":
            raise ValueError(f"the field {key!r} is forged, repeated or malformed")
        found[key] = value.decode()
    return found


def connect(address: str = "192.0.2.1") -> tuple[socket.socket, Client]:
    """The peer's end of a connection, and the handler's, as if it had come from ``address``."""
    peer, own = cores.socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    end = socket.socket(fileno=peer.detach())
    end.settimeout(PATIENCE)
    return end, Client(own, address)


def connect_to(listener: socket.socket) -> tuple[socket.socket, Client]:
    """The same through ``listener``: what the kernel says of either end is true."""
    end = socket.socket(listener.family, socket.SOCK_STREAM)
    end.settimeout(PATIENCE)
    end.connect(listener.getsockname())
    own = listener.accept()[0]
    connection = cores.socket.socket(fileno=own.detach())
    return end, Client(connection, plain_address(connection.getpeername()), connection.getsockname())


def compile_table(
    folder: Path,
    vhosts: Iterable[Vhost],
    limits: dict[str, int] | None = None,
    required: bool = True,
    generation: str = GENERATION,
    listeners: dict[str, bytes] | None = None,
    maps: dict[str, bytes] | None = None,
    providers: dict[str, Provider] | None = None,
) -> Path:
    """A table as selsock-generate compiles it: one record for the settings, one for each name of each vhost, one for
    each of ``listeners``, one for each ``FILE USER`` of ``maps``, and one for each vhost of ``providers``."""
    told = {name for record in (listeners or {}).values() for name in record.split(b"\t")[1:3]} - {b"", CERTIFICATE}
    records = [(b"table", table_record(Table(generation, required, Limits(limits), tuple(sorted(told)))))]
    records += [(b"host " + name.encode(), vhost_record(vhost)) for vhost in vhosts for name in vhost.names]
    records += [(b"listener " + name.encode(), record) for name, record in (listeners or {}).items()]
    records += [(b"map " + name.encode(), record) for name, record in (maps or {}).items()]
    records += [(b"identity " + name.encode(), given.record()) for name, given in (providers or {}).items()]
    path = folder / "table.cdb"
    path.write_bytes(compose(records))
    return path


@contextlib.contextmanager
def identifying(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "table.cdb") -> Iterator[None]:
    """The real service, forked, which answers by the table ``name`` in ``folder``, for handlers started meanwhile."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(folder / "identify"))
        listening.listen()
        monkeypatch.setattr("selsock.handler.identify.SERVICE", str(folder / "identify"))
        pid = os.fork()
        if pid == 0:
            try:
                Service(listening, str(folder / name)).run()
            finally:
                os._exit(1)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Instance:
    """One instance of the handler, forked, with the test as its client.

    The child runs ``__main__.run`` and ``Client.linger``, as ``__main__.main`` does once a connection is adopted.
    """

    def __init__(
        self,
        table: Path,
        journal: FakeJournal,
        kernel: FakeKernel,
        address: str = "192.0.2.1",
        serve: "Serve | None" = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.peer, client = connect_to(listener) if listener is not None else connect(address)
        report, child_report = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.peer.close()
            run_and_exit(client, table, journal, kernel, serve, child_report)
        client.socket.close()
        os.close(child_report)
        self.report = report
        self.status: int | None = None
        self.calls: list[tuple[str, ...]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.peer.close()
        self.wait()

    def send(self, data: bytes) -> None:
        """Send as the client."""
        self.peer.sendall(data)

    def receive(self) -> bytes:
        """Everything that the handler sends until it closes."""
        parts = []
        while part := self.peer.recv(65536):
            parts.append(part)
        return b"".join(parts)

    def receive_one(self) -> bytes:
        """One response of a kept connection, framed by its Content-Length; b"" if the connection ended instead."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.peer.recv(1)
            if not part:
                return data
            data += part
        length = int(data.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while length:
            part = self.peer.recv(length)
            if not part:
                return data  # cut short
            length -= len(part)
            data += part
        return data

    def wait(self) -> int:
        """The exit status; ``calls`` are those of the kernel from then on."""
        if self.status is None:
            self.peer.close()
            with os.fdopen(self.report, "rb") as report:
                text = report.read()
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.calls = [tuple(call) for call in json.loads(text)] if text else []
        return self.status


def run_and_exit(
    client: Client,
    table: Path,
    journal: FakeJournal,
    kernel: FakeKernel,
    serve: "Serve | None",
    report: int,
) -> None:
    """The whole life of an ``Instance``'s child."""
    status = 99  # what no instance documents: the harness itself failed
    try:
        cores.sys.argv = ["serve", str(table)]
        vars(top)["Kernel"] = lambda: kernel  # the edge to SELinux, replaced in this child alone
        status = top.run(client, journal.journal(), serve)
        client.linger()
        os.write(report, json.dumps(kernel.calls).encode())
    finally:
        os._exit(status)


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Turn a call that would block for ever into a RuntimeError; an OSError might be taken for an answer."""

    def ring(number: int, frame: object) -> None:
        raise RuntimeError("blocked")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as ``condition`` holds.  Raises TimeoutError instead of hanging."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        time.sleep(0.005)
