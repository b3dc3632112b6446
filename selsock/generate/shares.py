# SPDX-License-Identifier: Apache-2.0
"""``limits`` of a vhost: what it may take of this machine, each at most what ``limits`` of the whole gives.

``Vhost.limits`` of the table has them by the names of whoever sets them: files of a cgroup, constants of resource(3).
"""

from __future__ import annotations

import hashlib

from selsock.generate.machine import HIGHEST, Size, SystemLimits
from selsock.generate.source import Mapping, Scalar, mapping, scalar
from selsock.generate.unix import Mode
from selsock.names import HostName

SHARES = ("connections", "memory", "tasks", "umask", "rlimits")
MEMORY, TASKS = "memory.max", "pids.max"
CGROUP = (MEMORY, TASKS)
LEAST_MEMORY = Size("16M")  # with less, not even a file is served
# getrlimit(2), and the least that lets this process serve a file.  Those of the first are numbers, those of the second
# amounts of memory.
COUNTED = {"cpu": 1, "nofile": 64, "nproc": 1, "sigpending": 0}
MEASURED = {"as": Size("64M"), "core": None, "data": Size("32M"), "fsize": None, "stack": Size("128K")}
# A vhost's bytes in the file of slots begin where its name says, so that another vhost's coming or going does not move
# them: 40 bits of a hash, behind which there is room for this many.
SLOTS = 1 << 22


class Umask(Mode):
    """A umask, in octal."""

    __slots__ = ()
    expected = "a umask in four octal digits, such as 0027"


def parse_shares(name: HostName, given: Mapping, system: SystemLimits) -> dict[str, int]:
    """What ``limits`` of the vhost ``name`` says, and what ``system`` gives to each vhost.  Raises BadSource."""
    node = given.get("limits")
    limits = Mapping(given.place) if node is None else mapping(node)
    limits.only(SHARES)
    found: dict[str, int] = {}
    connections = limits.get("connections")
    most = system.connections_per_vhost
    if connections is not None:
        most = scalar(connections).number(1, min(system.connections, SLOTS))
    if most:
        found |= {"connections": most, "slots": first_slot(name)}
    if (memory := limits.get("memory")) is not None:
        found[MEMORY] = amount(scalar(memory), LEAST_MEMORY, system.memory)
    if (tasks := limits.get("tasks")) is not None:
        found[TASKS] = scalar(tasks).number(1, system.tasks)
    if (umask := limits.get("umask")) is not None:
        found["umask"] = int(scalar(umask).name(Umask), 8)
    if (rlimits := limits.get("rlimits")) is not None:
        found |= parse_rlimits(mapping(rlimits))
    return found


def first_slot(name: HostName) -> int:
    """Where the bytes begin that stand for the connections of vhost ``name``."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big") * SLOTS


def amount(given: Scalar, least: Size | None, most: Size | None = None) -> int:
    """An amount of memory in bytes, which is 0 only without a ``least``.  Raises BadSource."""
    if least is None and given.text == "0":
        return 0
    size = given.name(Size)
    if (least is not None and size.bytes < least.bytes) or (most is not None and size.bytes > most.bytes):
        given.refuse(f"at least {least}" + (f", and at most {most}, which limits gives" if most else ""))
    return size.bytes


def parse_rlimits(given: Mapping) -> dict[str, int]:
    """Resource limits, soft and hard at once.  Raises BadSource."""
    given.only((*COUNTED, *MEASURED))
    found = {}
    for name, node in given.values.items():
        value = scalar(node)
        most = amount(value, MEASURED[name]) if name in MEASURED else value.number(COUNTED[name], HIGHEST)
        found[f"RLIMIT_{name.upper()}"] = most
    return found
