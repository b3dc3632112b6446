# SPDX-License-Identifier: Apache-2.0
"""The client: runs in the machine that is measured, by itself, on the standard library alone.

Usage: client.py <PLAN >RESULTS, both JSON.  A plan has the arguments of measure().  What is told of a row: "seconds" and
"cpu" of each connection of the rounds, "rates" by the number of clients, and "kib" of memory.  It may not cost much
itself: a client is one process that connects, sends, and reads to the end.
"""

import json
import os
import random
import socket
import sys
import time
from typing import Any

CGROUPS = "/sys/fs/cgroup"
# After a connection, until systemd has put the instance away; it does so within a few milliseconds.
SETTLE = 0.04
CLIENTS = (1, 8)

Row = dict[str, Any]
Spent = tuple[int, ...]


def main() -> None:
    """Measure as the plan says."""
    json.dump(measure(**json.load(sys.stdin)), sys.stdout)


def measure(rows: list[Row], rounds: int, slices: int, seconds: float, warm_up: int = 3) -> dict[str, dict[str, Any]]:
    """All rows in turn: connections one by one in each round, then ``slices`` times ``seconds`` of as many as go.

    Of the first ``warm_up`` rounds nothing is told.  Returns what was found by the row's name.
    """
    found: dict[str, dict[str, Any]] = {row["name"]: {"seconds": [], "cpu": [], "rates": {}, "kib": []} for row in rows}
    order = random.Random(0)
    for turn in range(warm_up + rounds):
        for row in order.sample(rows, len(rows)):
            before = spent(row)
            took = connection(row)
            time.sleep(row["settle"])
            if turn >= warm_up:
                found[row["name"]]["seconds"].append(took)
                found[row["name"]]["cpu"].append([b - a for a, b in zip(before, spent(row), strict=True)])
    for _ in range(slices):
        for row in order.sample(rows, len(rows)):
            for clients in CLIENTS:
                rate = flood(row, clients, seconds)
                found[row["name"]]["rates"].setdefault(str(clients), []).append(rate)
                time.sleep(3 * row["settle"])
            if row["held"]:
                found[row["name"]]["kib"].append(memory(row))
    return found


def dial(address: int | str) -> socket.socket:
    """A connection to a port of 127.0.0.1, or to a UNIX socket."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    dialled = socket.socket(family, socket.SOCK_STREAM)
    dialled.settimeout(60)
    dialled.connect(address if isinstance(address, str) else ("127.0.0.1", address))
    return dialled


def connection(row: Row) -> float:
    """Seconds from connect to the end of the stream, or of the answer; ValueError unless it is the one expected."""
    ending = row["ending"].encode("latin-1")
    start = time.perf_counter()
    with dial(row["address"]) as dialled:
        dialled.sendall(row["request"].encode("latin-1"))
        answer = b""
        while part := dialled.recv(65536):
            answer += part
            if row["to_answer"] and answer.endswith(ending):
                break
    took = time.perf_counter() - start
    if answer[9:12] != b"200" or not answer.endswith(ending):
        raise ValueError(f"{row['name']}: {answer!r}")
    return took


def spent(row: Row) -> Spent:
    """Microseconds of CPU time so far: of PID 1, of the child that accepts, of instances, and of the whole machine."""
    return tuple(usage(f"{CGROUPS}/{group}/cpu.stat") for group in ("init.scope", row["accept"], row["instance"], ""))


def usage(path: str) -> int:
    """usage_usec of a control group; 0 where there is none yet."""
    try:
        with open(path) as file:
            return int(file.readline().split()[1])
    except FileNotFoundError:
        return 0


def flood(row: Row, clients: int, seconds: float) -> tuple[int, float]:
    """Connections by several clients at once, each of which begins none after ``seconds``: how many, and in what time.

    Raises ValueError when one got a wrong answer.
    """
    ready, go = os.pipe()
    results, result = os.pipe()
    for _ in range(clients):
        if os.fork() == 0:
            try:
                os.close(go)
                os.read(ready, 1)
                os.write(result, repeat(row, seconds))
            finally:
                os._exit(0)
    os.close(ready)
    os.close(result)
    start = time.perf_counter()
    os.close(go)
    told = b""
    while part := os.read(results, 65536):
        told += part
    took = time.perf_counter() - start
    os.close(results)
    for _ in range(clients):
        os.wait()
    counts = told.split()
    if len(counts) != clients or not all(count.isdigit() for count in counts):
        raise ValueError(f"{row['name']}, {clients} clients: {told!r}")
    return sum(map(int, counts)), took


def repeat(row: Row, seconds: float) -> bytes:
    """One connection after another: how many, or what was wrong, as a word."""
    deadline = time.perf_counter() + seconds
    count = 0
    try:
        while time.perf_counter() < deadline:
            connection(row)
            count += 1
    except (OSError, ValueError) as error:
        return b" ".join([b"-", repr(error).encode()])
    return b"%d " % count


def memory(row: Row) -> int:
    """KiB that the largest process of an instance took at most, while it waits for its client (proc(5), VmHWM)."""
    with dial(row["held"]["address"]) as dialled:
        dialled.sendall(row["held"]["request"].encode("latin-1"))
        answer = dialled.recv(4096)
        if answer[9:12] != b"200":
            raise ValueError(f"{row['name']}, held: {answer!r}")
        time.sleep(3 * row["settle"])  # its answer may not be all that it does
        pids = processes(f"{CGROUPS}/{row['held']['cgroup']}")
        peak = max(resident(pid) for pid in pids)
    time.sleep(3 * row["settle"])
    return peak


def processes(group: str) -> list[str]:
    """The pids in a control group and those below it."""
    found = []
    for directory, _, _ in os.walk(group):
        with open(f"{directory}/cgroup.procs") as file:
            found += file.read().split()
    return found


def resident(pid: str) -> int:
    """VmHWM of a process, in KiB."""
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    main()
