# SPDX-License-Identifier: Apache-2.0
"""The probe: a child enters each context, and tries to reach the content and the processes of all others.

It is started by ``selsockctl verify`` as a transient service, in selsock_t as a connection is, for that domain alone may enter
those of tenants.  What to try comes in a file, and what came of it goes to the journal, one JSON object a line, from the parent,
which stays in selsock_t: a child, once confined, has nothing but its two sockets.  Nothing is changed: a file that can be opened
for writing is closed again, and no program of a tenant's is run, but mapped as one.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from selsock.handler.kernel import Kernel

YES = "yes"
ANSWER_BYTES = 65536
FDS_BYTES = socket.CMSG_SPACE(4)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17  # ptrace(2)


@dataclass(frozen=True, slots=True)
class Child:
    """A process in a context: the parent's end of its socket, and the end that others send a descriptor to."""

    control: socket.socket
    own: socket.socket
    inbox: socket.socket
    sending: socket.socket


def pair() -> tuple[socket.socket, socket.socket]:
    """A socket pair that keeps messages apart; of selsock_t's, which tenants may use."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def main(argv: list[str]) -> int:
    """Try what the file ``argv[1]`` says; return 0 when all was tried."""
    task = json.loads(Path(argv[1]).read_bytes())
    libc = ctypes.CDLL(None, use_errno=True)
    children = [Child(*pair(), *reversed(pair())) for _ in task["contexts"]]
    pids = [start(number, task, children, libc) for number in range(len(children))]
    for child in children:
        child.own.close()
        child.inbox.close()
        child.sending.close()
    entered = [told(child) for child in children]
    for number, report in enumerate(entered):
        emit({"by": number, **report})
    live = [pid if "error" not in report else 0 for pid, report in zip(pids, entered, strict=True)]
    for number, child in enumerate(children):
        if live[number]:
            child.control.send(json.dumps(live).encode())
            while report := told(child):
                emit({"by": number, **report})
                if "error" in report:
                    break
    emit({"end": True})
    return 0


def told(child: Child) -> dict[str, Any]:
    """The next message of ``child``; empty at its last one."""
    message = child.control.recv(ANSWER_BYTES)
    # Whoever shares its context may kill it: what was not tried is no refusal.
    found: dict[str, Any] = json.loads(message) if message else {"error": "its process ended before all was tried"}
    return found


def emit(report: dict[str, Any]) -> None:
    """A line on stdout, which is the journal."""
    print(json.dumps(report), flush=True)


def start(number: int, task: dict[str, Any], children: list[Child], libc: ctypes.CDLL) -> int:
    """Fork the child ``number``; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    confined(number, task, children, libc)


def confined(number: int, task: dict[str, Any], children: list[Child], libc: ctypes.CDLL) -> NoReturn:
    """Enter the context, try everything, and end when the parent does."""
    own = children[number].own
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    try:
        kernel = Kernel()
        kernel.setcon(task["contexts"][number])
        found = kernel.getcon()
        if found != task["contexts"][number]:
            raise OSError(errno.EACCES, f"the kernel has it in {found}")
        offer(number, children)
        leave(number, children)
        own.send(json.dumps({"context": found}).encode())
        live = json.loads(own.recv(ANSWER_BYTES))
        attempts(number, task, live, children, libc)
    except (OSError, ValueError) as error:
        own.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
    try:
        own.send(b"{}")
        own.recv(1)  # until the parent has ended: others try to reach this process
    finally:
        os._exit(0)


def offer(number: int, children: list[Child]) -> None:
    """Send a pipe of this context to every other child."""
    reading, _ = os.pipe()
    for other, child in enumerate(children):
        if other != number:
            socket.send_fds(child.sending, [number.to_bytes(2, "big")], [reading])


def leave(number: int, children: list[Child]) -> None:
    """Close every socket but this child's own two, so that each ends with its process."""
    for other, child in enumerate(children):
        for end in (
            (child.control, child.sending)
            if other == number
            else (child.control, child.sending, child.own, child.inbox)
        ):
            end.close()


def attempts(number: int, task: dict[str, Any], live: list[int], children: list[Child], libc: ctypes.CDLL) -> None:
    """Everything that is to be tried from the context ``number``, and tell the parent of each."""
    own = children[number].own
    for index, place in enumerate(task["files"]):
        own.send(json.dumps({"files": index, "did": on_files(place["path"], place["sample"])}).encode())
    received = receive(children[number].inbox, sum(1 for pid in live if pid) - 1)
    for other, pid in enumerate(live):
        if pid and other != number:
            did = on_process(pid, task["contexts"][other], libc)
            did["receive"] = received.get(other, "none came")
            own.send(json.dumps({"process": other, "did": did}).encode())
    own.send(json.dumps({"back": True, "did": {"enter": outcome(lambda: entering(task["handler"]))}}).encode())


def outcome(attempt: Callable[[], object]) -> str:
    """``yes``, or the name of the error that ``attempt`` ended with."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return YES


def on_files(path: str, sample: str) -> dict[str, str]:
    """Try the directory ``path``, and the file ``sample`` below it, if there is one."""
    found = {"list": outcome(lambda: listed(path))}
    if sample:
        found["read"] = outcome(lambda: opened(sample, os.O_RDONLY, lambda file: os.read(file, 1)))
        found["write"] = outcome(lambda: opened(sample, os.O_WRONLY, lambda file: None))
        found["map"] = outcome(lambda: opened(sample, os.O_RDONLY, mapped))
    return found


def listed(path: str) -> None:
    """List the directory ``path``.  Raises OSError."""
    opened(path, os.O_RDONLY | os.O_DIRECTORY, os.listdir)


def opened(path: str, flags: int, use: Callable[[int], object]) -> None:
    """Open ``path``, which is no link, and ``use`` it.  Raises OSError."""
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        use(file)
    finally:
        os.close(file)


def mapped(file: int) -> None:
    """Map ``file`` as a program is.  Raises OSError."""
    mmap.mmap(file, 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()


def on_process(pid: int, context: str, libc: ctypes.CDLL) -> dict[str, str]:
    """Try the process ``pid``, which is in ``context``; none of it disturbs one that lets it be done."""
    return {
        "signull": outcome(lambda: os.kill(pid, 0)),
        "sigchld": outcome(lambda: os.kill(pid, signal.SIGCHLD)),
        "status": outcome(lambda: opened(f"/proc/{pid}/status", os.O_RDONLY, lambda file: os.read(file, 1))),
        "memory": outcome(lambda: opened(f"/proc/{pid}/mem", os.O_RDONLY, lambda file: None)),
        "seize": outcome(lambda: seize(pid, libc)),
        "enter": outcome(lambda: entering(context)),
    }


def seize(pid: int, libc: ctypes.CDLL) -> None:
    """Trace ``pid``, and let it go.  Raises OSError."""
    if libc.ptrace(PTRACE_SEIZE, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    libc.ptrace(PTRACE_DETACH, pid, None, None)


def entering(context: str) -> None:
    """Enter ``context``, in a child that ends.  Raises OSError."""
    pid = os.fork()
    if pid == 0:
        try:
            Kernel().setcon(context)
        except OSError as error:
            os._exit(min(error.errno or 255, 255))
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise OSError(code, "setcon")


def receive(inbox: socket.socket, count: int) -> dict[int, str]:
    """Take what ``count`` others have sent: whose descriptor came, and whose was kept back by the kernel."""
    found: dict[int, str] = {}
    inbox.settimeout(5)
    for _ in range(count):
        message, ancillary, flags, _ = inbox.recvmsg(2, FDS_BYTES)
        came = bool(ancillary) and not flags & socket.MSG_CTRUNC
        found[int.from_bytes(message, "big")] = YES if came else "EACCES"
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv))
