# SPDX-License-Identifier: Apache-2.0
"""What is measured: rows, and the groups that bring them along with what the machine has to have for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.machines.install import Files

Address = int | str  # a port of 127.0.0.1, or the path of a UNIX socket


@dataclass(frozen=True)
class Cgroups:
    """Whose CPU time counts, as paths below the machine's /sys/fs/cgroup."""

    instance: str  # of the process that answers; its memory counts, too
    accept: str = "-"  # of the child that PID 1 forks to accept a connection over TCP; "-": there is none


@dataclass(frozen=True)
class Held:
    """A request after which the process stays until the client closes, so that its memory can be looked at."""

    request: bytes
    address: Address
    cgroup: str


@dataclass(frozen=True)
class Row:
    """One way to answer a request, with a connection for each."""

    group: int  # the number that it has in the table and for --only
    name: str
    address: Address
    request: bytes
    ending: bytes  # of every right answer, whose status is 200
    cgroups: Cgroups
    base: str = "Python floor"  # the name of the row that the ratios refer to; its own for a base
    held: Held | None = None  # None: its memory is not looked at
    to_answer: bool = False  # the clock stops with the end of the answer, rather than with that of the stream


@dataclass(frozen=True)
class Stream:
    """A request again and again over one connection, or once for a large file: what counts is how much gets through."""

    group: int
    name: str
    port: int
    request: bytes
    content: int  # bytes of content in each answer, whose status is 200
    cgroup: str  # of the processes that answer, for their memory
    base: str  # the name of the row that the ratio refers to
    prelude: bytes = b""  # a request over the same connection before the clock starts; none: connecting is timed, too


@dataclass(frozen=True)
class Shipped:
    """The units as selsock-generate wrote them for the bench's vhost.yaml."""

    socket: str
    service: str


@dataclass(frozen=True)
class Group:
    """Rows, and what they need."""

    rows: tuple[Row, ...]
    files: Files
    staging: str = ""  # shell, run in the tree before it starts
    setup: str = ""  # shell, run in the machine, where systemd runs
    streams: tuple[Stream, ...] = ()


Groups = Mapping[int, Callable[[Shipped], Group]]


def of_unit(name: str) -> Cgroups:
    """The control groups of NAME.socket and of the instances of NAME@.service; no "-" in NAME, which systemd escapes."""
    return Cgroups(f"system.slice/system-{name}.slice", f"system.slice/{name}.socket")


def wanted(row: Row | Stream, words: list[str]) -> bool:
    """Whether --only names the row: by its group, "9", or by that and the beginning of its name, "9 Restrict"."""
    parts = [word.partition(" ") for word in words]
    return not parts or any(number == str(row.group) and row.name.startswith(name) for number, _, name in parts)
