#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: Apache-2.0
"""Stands in for hostile tenant code: a content handler that does what the query asks, and tells what the kernel said.

Installed in the test machine alone, as a second program of type selsock_exec_t.  ``/?open=PATH`` and the like; the
answer is JSON.  Everything runs where tenant code would: in a child forked after confinement, its credentials wiped;
``raw=1`` asks for the serving process itself.
"""

import os
import sys

(release,) = os.listdir("/usr/lib/selsock")
sys.path += (f"/usr/lib/selsock/{release}", "/usr/lib/python3/dist-packages")

import errno
import hashlib
import json
import re
import socket
import urllib.parse

from selsock.handler.__main__ import main
from selsock.handler.confine import Confined
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.reply import Outcome


def named(error: OSError) -> str:
    return errno.errorcode[error.errno or 0]


def do_open(path: str) -> str:
    file = os.open(path, os.O_RDONLY)
    return os.read(file, 64).decode("latin-1")


def do_setcon(context: str) -> str:
    with open("/proc/thread-self/attr/current", "w") as attribute:
        attribute.write(context)
    return "entered"


def do_context(_: str) -> str:
    with open("/proc/self/attr/current") as attribute:
        return attribute.read().rstrip("\0")


def do_fds(_: str) -> "dict[str, str]":
    names = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            names[name] = re.sub(r"\d+", "N", os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            names[name] = "the directory itself"
    return names


def do_kill(target: str) -> str:
    pid, number = target.split(":")
    os.kill(int(pid), int(number))
    return "reached"


def do_execute(path: str) -> str:
    os.execv(path, [path])


def do_forge(message: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.connect("/run/systemd/journal/socket")
        fields = {"MESSAGE": message, "PRIORITY": "5", "SELSOCK_EVENT": "decision", "SELSOCK_USER": "root"}
        journal.send("".join(f"{name}={value}\n" for name, value in fields.items()).encode())
    return "sent"


def do_stream(_: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as journal:
        journal.connect("/run/systemd/journal/stdout")
    return "connected"


def do_ask(path: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        connection.send(b"alice\0x")  # no password: one would be found in the memory of this process
        return connection.recv(65536).decode()


def do_claim(name: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claimed:
        claimed.bind("\0" + name)
    return "bound"


def do_scan(wanted: str) -> int:
    """Count a secret in this process's memory, given as LENGTH:FIRST4HEX:SHA256, so that asking does not plant it."""
    length, prefix, digest = wanted.split(":")
    first = bytes.fromhex(prefix)
    found = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            span, modes = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if modes.startswith(("rw", "r-")):
                try:
                    memory.seek(start)
                    data = memory.read(end - start) or b""
                except (OSError, ValueError):
                    continue
                at = data.find(first)
                while at >= 0:
                    found += hashlib.sha256(data[at : at + int(length)]).hexdigest() == digest
                    at = data.find(first, at + 1)
                del data
    return found


def do_wait(seconds: str) -> str:
    import time

    time.sleep(float(seconds))
    return str(os.getppid())


ACTIONS = {name.removeprefix("do_"): function for name, function in globals().items() if name.startswith("do_")}
# Loaded above the line, as everything that serving needs is: what is read after it would be read as the tenant.
json.dumps({"a": [1, "b", None]}, indent=None)
urllib.parse.parse_qsl("a=%20b")


def attempt(query: "dict[str, str]") -> "dict[str, object]":
    name = next(iter(query))
    try:
        return {"result": ACTIONS[name](query[name])}
    except OSError as error:
        return {"error": named(error)}


def serve(confined: Confined, exchange: Exchange) -> Outcome:
    query = dict(urllib.parse.parse_qsl(exchange.head.target.query.decode().removeprefix("?"), keep_blank_values=True))
    if query.pop("raw", ""):
        answer = json.dumps(attempt(query)).encode()
    else:
        answer = in_child(confined, exchange, query)
    exchange.reply.begin(200, [("Content-Type", "application/json")], len(answer), answer)
    return exchange.reply.end()


def in_child(confined: Confined, exchange: Exchange, query: "dict[str, str]") -> bytes:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        confined.buffer.wipe()
        exchange.reply.client.socket.close()
        ours.close()
        theirs.sendall(json.dumps(attempt(query)).encode())
        os._exit(0)
    theirs.close()
    with ours, ours.makefile("rb") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


main(serve)
