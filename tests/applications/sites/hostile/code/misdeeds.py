# SPDX-License-Identifier: Apache-2.0
"""What hostile code tries, whoever started it."""

import gc
import os
import signal
import socket
import sys
import time
from types import ModuleType

# What the client must never take for a response.
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


def write_everywhere() -> None:
    """Write to every descriptor there is, and to every socket that the interpreter knows."""
    for number in range(256):
        try:
            os.set_blocking(number, False)
            os.write(number, FORGED)
        except OSError:
            pass
    for found in gc.get_objects():
        if isinstance(found, socket.socket) or type(found).__module__ == "_socket":
            try:
                found.send(FORGED)
            except (OSError, AttributeError):
                pass


def replace_functions() -> None:
    """Put a forger in the place of each of selsock's functions and classes, and of those by which bytes go out."""
    write = os.write

    def forge(*values: object, **named: object) -> bytes:
        return FORGED

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "selsock" and isinstance(module, ModuleType):
            for attribute, value in list(vars(module).items()):
                if callable(value):
                    setattr(module, attribute, forge)
    posix = sys.modules["posix"]
    posix.write = lambda number, data: write(number, FORGED) and len(data)


def stay() -> None:
    """Leave a process behind that nothing but SIGKILL ends, with all that it has inherited."""
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        try:
            os.setsid()
        finally:
            time.sleep(600)
            os._exit(0)


def kill_parent() -> None:
    """Kill whoever started this, with time for what it has to say before, and for it to happen."""
    time.sleep(0.2)
    try:
        os.kill(os.getppid(), signal.SIGKILL)
    except OSError:
        pass
    time.sleep(0.5)


def die() -> None:
    """End without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def descriptors() -> bytes:
    """Every descriptor beside 0, 1, 2 and the one that looks: what it leads to, and the family if it is a socket."""
    found = []
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            kind = os.readlink(f"/proc/self/fd/{number}").partition(":")[0]
        except OSError:
            continue
        if kind == "socket":
            with socket.socket(fileno=os.dup(number)) as there:
                kind = there.family.name
        if number > 2:
            found.append(kind)
    return " ".join(found).encode()
