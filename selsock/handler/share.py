# SPDX-License-Identifier: Apache-2.0
"""share: what a vhost with ``limits`` may take of this machine, at once and on each connection.

Loaded for such a vhost alone.  Umask and resource limits are set below the line (``serve/restrain``).
"""

from selsock.cores import posix
from selsock.errors import Limited, LimitFault
from selsock.handler.kernel import ANSWER_BYTES, exchange
from selsock.model import Vhost

SLOTS = "/run/selsock/slots"
CGROUPS = "/sys/fs/cgroup"
OWN_CGROUP = "/proc/self/cgroup"


def hold(vhost: Vhost) -> None:
    """Keep this connection within the limits of ``vhost``.  Raises Limited (503) when it has all connections that it may
    have, and LimitFault."""
    limits = vhost.limits
    try:
        if "connections" in limits and not take_slot(limits["slots"], limits["connections"]):
            raise Limited(f"5 all {limits['connections']} connections of {vhost.name} are taken", 503)
        if wanted := {name: most for name, most in limits.items() if name.endswith(".max")}:
            enter_cgroup(wanted)
    except OSError as error:
        raise LimitFault(f"limits of {vhost.name}: {error}") from None


def take_slot(first: int, count: int) -> bool:
    """Lock one byte of ``count`` from ``first`` on; False when all are locked.  Raises OSError.

    A lock of this kind is the process's (fcntl_locking(2)): no child has it, and it ends with the process, whatever ends
    that.  The descriptor stays open on purpose, since closing it would end the lock; a tenant's child closes its own.
    """
    file = posix.open(SLOTS, posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW)
    own = posix.getpid()  # where to begin: most find a free one at once
    for step in range(count):
        posix.lseek(file, first + (own + step) % count, 0)
        try:
            posix.lockf(file, posix.F_TLOCK, 1)
            return True
        except BlockingIOError:
            continue
    return False


def enter_cgroup(limits: "dict[str, int]") -> None:
    """Move this process into a child of its unit's cgroup that has ``limits``, by the names of its files.  Raises OSError.

    The unit has Delegate=.  A cgroup that gives controllers to its children may have no processes itself ("no internal
    process constraint", Documentation/admin-guide/cgroup-v2.rst), so the move comes first.
    """
    own = CGROUPS + exchange(OWN_CGROUP, b"", ANSWER_BYTES).decode().partition("0::")[2].rstrip("\n")
    posix.mkdir(f"{own}/vhost")
    exchange(f"{own}/vhost/cgroup.procs", b"0", 0)
    exchange(f"{own}/cgroup.subtree_control", b"+memory +pids", 0)
    for name, most in limits.items():
        exchange(f"{own}/vhost/{name}", b"%d" % most, 0)
