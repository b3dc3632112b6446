# SPDX-License-Identifier: Apache-2.0
"""Count what one instance of the handler does, by strace(1) of the host, in an overlay of a tree.

The program runs as selsock@.service starts it, without systemd: as user selsock without rights, its connection on
descriptor 3, and what takes its records in the place of journald, and grants alice in that of the service that knows who
it is.  There is no SELinux.
"""

import contextlib
import ipaddress
import os
import re
import select
import socket
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.machines.commands import PATH

Counts = Counter[str]  # "call openat", "open /etc/passwd" or "open /etc/passwd ENOENT", "bytes of code": how often
CODE, DATA = "bytes of code", "bytes of other files"  # code: what is compiled already, and the program
COMPILED = re.compile(r"\.pyc$|/handler\.cpython-\d+$")
JOURNAL = "run/systemd/journal/socket"
IDENTIFY = "run/selsock/identify"
UNIT = "etc/systemd/system/selsock@.service"
PORT = 8321
PATIENCE = 60.0  # no run waits for it; it only ends one that would hang
# $0: the directory of the sockets that stand for journald's and for the identity service's.  The working directory becomes /.
ENTER = f"""mount --make-rprivate /; mount -t proc proc proc; mount --rbind /dev dev
mount --bind "$0/journal" {JOURNAL}; mount --bind "$0/identify" {IDENTIFY}
exec chroot . "$@"
"""
# $0: the program and its arguments, $1: the environment that its unit gives it; the connection is standard input.
START = """exec setpriv --reuid=selsock --regid=selsock --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    env -i PATH=/usr/bin LISTEN_FDS=1 LISTEN_PID=$$ $1 $0 3<&0 </dev/null >/dev/null"""
CALL = re.compile(r"(\w+)\((.*)\) += (\?|-?\d+|0x[0-9a-f]+)(?: (E[A-Z0-9_]+))?")
# Of openat: the directory that it begins at, and the name.
OPENED = re.compile(r'(?:\S+<(.*?)>, )?"(.*?)"')
CHILD = re.compile(r"(?:clone3?|v?fork)\(.* = (\d+)")


def trace(root: Path, program: str, requests: Sequence[bytes], status: int = 200) -> list[Counts]:
    """Run ``program`` of the overlay ``root`` for one connection on which ``requests`` are sent, each after the answer to
    the one before; return the counts of its process and of those that it forked, in that order.

    A process is counted from its start to its end or to the program that it becomes.  Raises AssertionError with what it
    wrote and recorded when it does not answer each request with ``status``.
    """
    with (
        tempfile.TemporaryDirectory(prefix="selsock-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as identify,
    ):
        for listening, name in ((journal, "journal"), (identify, "identify")):
            listening.bind(f"{folder}/{name}")
            os.chmod(f"{folder}/{name}", 0o666)
        identify.listen()
        identify.settimeout(PATIENCE)  # whoever asks does so at once
        threading.Thread(target=grant, args=(identify,), daemon=True).start()
        with socket.create_server((own_address(), PORT)) as listener:
            client = socket.create_connection(listener.getsockname(), PATIENCE)
            own = listener.accept()[0]
        with client, own:
            strace = ["strace", "-ff", "-y", "-s", "0", "-o", f"{folder}/trace"]
            command = [*strace, *beside(root, folder, program)]
            environment = {"PATH": PATH}
            with subprocess.Popen(
                command, stdin=own.fileno(), stderr=subprocess.PIPE, cwd=root, env=environment
            ) as process:
                own.close()
                answers = converse(client, requests)
                errors = process.communicate(timeout=PATIENCE)[1].decode()
        if not all(answer.startswith(b"HTTP/1.1 %d " % status) for answer in answers):
            raise AssertionError(f"{program}: {answers}\n{errors}{records(journal)}")
        return read_traces(Path(folder), program, str(root.resolve()))


def grant(identify: socket.socket) -> None:
    """Grant whoever asks."""
    with contextlib.suppress(OSError), identify.accept()[0] as connection:  # it is closed when nobody has asked
        connection.recv(1 << 16)
        connection.sendall(b"granted alice\n")


def records(journal: socket.socket) -> str:
    """The records that have been sent to ``journal``."""
    found = b""
    while select.select([journal], [], [], 0)[0]:
        found += journal.recv(1 << 16) + b"\n"
    return found.decode()


def beside(root: Path, folder: str, program: str) -> list[str]:
    """The command that starts ``program`` in ``root``, which is the working directory, with the sockets of ``folder`` there."""
    for name in (JOURNAL, IDENTIFY):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    environment = " ".join(re.findall("^Environment=(.*)$", (root / UNIT).read_text(), re.MULTILINE))
    # No pid namespace: there the program would be PID 1, and its end would kill its children wherever they are.
    return ["unshare", "--mount", "sh", "-euc", ENTER, folder, "sh", "-c", START, program, environment]


def own_address() -> str:
    """An address of the loopback that no other run listens at.  The table is searched for the port: it is a fixed one."""
    return str(ipaddress.IPv4Address("127.0.0.0") + os.getpid())


def converse(client: socket.socket, requests: Sequence[bytes]) -> list[bytes]:
    """Send ``requests``, the next when the answer to the last is whole; return the answers."""
    answers = []
    with client.makefile("rb") as stream:
        for request in requests:
            client.sendall(request)
            head = b"".join(iter(stream.readline, b"\r\n"))
            length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
            answers.append(head + stream.read(int(length[1]) if length else 0))
        client.shutdown(socket.SHUT_WR)
        stream.read()  # until the handler has shut it down, too: what it does then is the same each time
    return answers


def read_traces(folder: Path, program: str, root: str) -> list[Counts]:
    """The counts of what strace wrote into ``folder`` of ``program`` and of its children."""
    traces = {path.suffix[1:]: path.read_text().replace(root, "") for path in folder.glob("trace.*")}
    start = f'execve("{program.split()[0]}"'
    (first,) = (text[text.index(start) :] for text in traces.values() if f"\n{start}" in text)
    texts = [first]
    for text in texts:  # it grows by the children of each
        texts += [traces[pid] for pid in CHILD.findall(text)]
    return [count(text.splitlines(), program.split()[0]) for text in texts]


def count(lines: Sequence[str], program: str) -> Counts:
    """The counts of one process of ``program``, of whose trace these are the lines."""
    counts: Counts = Counter()
    for place, line in enumerate(lines):
        found = CALL.match(line)
        if found is None:
            continue  # a signal, or the end
        name, arguments, result, error = found.groups()
        # What a signal broke off is done again, under its own name or, where it takes up a wait, under this.
        if error in ("ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND") or name == "restart_syscall":
            continue
        counts[f"call {name}"] += 1
        if name in ("open", "openat"):
            counts[opened(arguments, error or "", program)] += 1
        if name in ("read", "pread64") and not error and (path := re.match(r"\d+<(/(?!proc/).*?)>", arguments)):
            counts[CODE if COMPILED.search(path[1]) or path[1] == program else DATA] += int(result)
        if name == "execve" and place and not error:
            break
    return counts


def opened(arguments: str, error: str, program: str) -> str:
    """The entry of ``Counts`` for an open with these arguments by a process of ``program``."""
    found = OPENED.match(arguments)
    assert found is not None, arguments
    directory, name = found.groups()
    path = re.sub("^/usr/lib/selsock/[^/]+", "/usr/lib/selsock/RELEASE", os.path.join(directory or "", name))
    return f"open {'PROGRAM' if path == program else path} {error}".rstrip()
