# SPDX-License-Identifier: Apache-2.0
"""A tenant's WSGI application that attempts what the query says, and tells what the kernel said: ``/?open=PATH``.

What ``probe.py`` asks of selsock's own process below the line, this asks of code that a tenant really runs.
"""

import ctypes
import errno
import hashlib
import json
import os
import re
import socket
import subprocess
import tempfile
import urllib.parse
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH = 16
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD, SYS_PROCESS_VM_READV = 434, 438, 310  # of x86-64


def call(number: int, *arguments: object) -> int:
    """A system call, as C makes it: each argument in all of its 64 bits."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = LIBC.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def do_context(_: str) -> object:
    with open("/proc/self/attr/current") as attribute:
        return attribute.read().rstrip("\0")


def do_open(path: str) -> object:
    with open(path.replace("PARENT", str(os.getppid())), "rb", buffering=0) as file:
        return file.read(64).decode("latin-1")


def do_create(path: str) -> object:
    with open(path, "x") as file:
        file.write("mine")
    with open(path) as file:
        return file.read()


def do_temporary(_: str) -> object:
    with tempfile.NamedTemporaryFile("x", delete=False) as file:
        file.write("mine")
    return file.name


def do_list(path: str) -> object:
    return sorted(os.listdir(path.replace("PARENT", str(os.getppid()))))


def do_status(_: str) -> object:
    with open("/proc/self/status") as status, open("/proc/self/cgroup") as cgroup:
        found = dict(line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line)
        return {**found, "cgroup": cgroup.read().strip()}


def do_fds(_: str) -> object:
    names = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            names[name] = re.sub(r"\d+", "N", os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            names[name] = "the directory itself"
    return names


def do_ptrace(_: str) -> object:
    if LIBC.ptrace(PTRACE_ATTACH, os.getppid(), 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "")
    return "attached"


def do_getfd(number: str) -> object:
    return call(SYS_PIDFD_GETFD, call(SYS_PIDFD_OPEN, os.getppid(), 0), int(number), 0)


def do_readv(_: str) -> object:
    buffer = ctypes.create_string_buffer(64)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 64)
    remote = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 64)
    return call(SYS_PROCESS_VM_READV, os.getppid(), ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0)


def do_setcon(context: str) -> object:
    with open("/proc/thread-self/attr/current", "w") as attribute:
        attribute.write(context)
    return "entered"


def do_setexec(context: str) -> object:
    with open("/proc/thread-self/attr/exec", "w") as attribute:
        attribute.write(context)
    return "set"


def do_execute(path: str) -> object:
    return subprocess.run([path], capture_output=True, check=False).returncode


def do_kill(number: str) -> object:
    os.kill(os.getppid(), int(number))
    return "sent"


def do_connect(address: str) -> object:
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.connect((host, int(port)))
    return "connected"


def do_talk(path: str) -> object:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
    return "connected"


def do_listen(port: str) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", int(port)))
        listener.listen()
    return "listening"


def do_forge(message: str) -> object:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.connect("/run/systemd/journal/socket")
        journal.send(f"MESSAGE={message}\nPRIORITY=5\nSELSOCK_EVENT=decision\nSELSOCK_USER=root\n".encode())
    return "sent"


def do_grow(size: str) -> object:
    return len(bytearray(int(size)))


def do_scan(wanted: str) -> object:
    """Count a secret in this process's memory, given as LENGTH:FIRST4HEX:SHA256, so that asking does not plant it."""
    length, prefix, digest = wanted.split(":")
    first = bytes.fromhex(prefix)
    found = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if line.split()[1].startswith("r"):
                try:
                    memory.seek(start)
                    data = memory.read(end - start) or b""
                except (OSError, ValueError, OverflowError):
                    continue
                at = data.find(first)
                while at >= 0:
                    found += hashlib.sha256(data[at : at + int(length)]).hexdigest() == digest
                    at = data.find(first, at + 1)
                del data
    return found


ACTIONS = {name.removeprefix("do_"): function for name, function in globals().items() if name.startswith("do_")}


def application(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
    """PEP 3333."""
    ((name, value),) = urllib.parse.parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    try:
        answer = {"result": ACTIONS[name](value)}
    except OSError as error:
        answer = {"error": errno.errorcode.get(error.errno or 0, str(error))}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
