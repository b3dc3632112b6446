# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of SELinux: the one edge to it, and the one thing that unit tests replace.

Sources: security/selinux/selinuxfs.c and security/selinux/include/security.h of Linux, proc_pid_attr(5); libselinux puts
the same questions, but to load it takes longer than to have them answered (docs/adr/0007).
"""

from selsock.cores import posix, sys
from selsock.errors import PolicyFault

# Of a process that serves vhosts without run_as, and of one that serves those with it.
OWN_TYPES = ("selsock_t", "selsock_run_as_t")
CURRENT = "/proc/thread-self/attr/current"
ACCESS = "/sys/fs/selinux/access"
CONTEXT = "/sys/fs/selinux/context"
PROCESS = "/sys/fs/selinux/class/process/index"
STATUS = "/sys/fs/selinux/status"
STATUS_BYTES = 20  # struct selinux_kernel_status: version, sequence, enforcing, policyload, deny_unknown, 32 bits each
ONE = (1).to_bytes(4, sys.byteorder)
ANSWER_BYTES = 4096  # what selinuxfs and /proc/PID/attr answer is at most a page
PERMISSIVE_FLAG = 1  # AVD_FLAGS_PERMISSIVE
INVALID = 22  # EINVAL of errno(3)


class Kernel:
    """SELinux as the running kernel has it.  Every failing call raises OSError, every answer that is none ValueError."""

    __slots__ = ("status", "status_file")

    def __init__(self) -> None:
        self.status = b""

    def watch(self) -> str:
        """Remember the status page, or remember it anew, and return its mode: enforcing, permissive or disabled.

        The page counts every change of mode and every load of a policy.  One that is read while the kernel writes may be
        half old and half new; but then it is none that the kernel ever leaves there, and ``unchanged`` will say so.

        Its descriptor is the one thing of SELinux that stays open below the line, where nothing of it can be opened.
        """
        try:
            if not self.status:
                self.status_file = posix.open(STATUS, posix.O_RDONLY | posix.O_CLOEXEC)
        except FileNotFoundError:
            return "disabled"
        self.status = posix.pread(self.status_file, STATUS_BYTES, 0)
        if self.status[:4] != ONE or len(self.status) != STATUS_BYTES:
            raise ValueError(f"{STATUS} is not of version 1")
        return "enforcing" if self.status[8:12] == ONE else "permissive"

    def unchanged(self) -> bool:
        """Whether mode and policy are those that ``watch`` saw last; True where nothing is watched.

        A policy that no longer lets this process read the page is another one.
        """
        try:
            return not self.status or posix.pread(self.status_file, STATUS_BYTES, 0) == self.status
        except OSError:
            return False

    def knows(self, context: str) -> bool:
        """Whether ``context`` is valid under the loaded policy."""
        try:
            exchange(CONTEXT, context.encode() + b"\0", 0)
        except OSError as error:
            if error.errno != INVALID:
                raise
            return False
        return True

    def is_permissive(self, context: str) -> bool:
        """Whether the domain of ``context`` is permissive: the flag stands in every access vector computed for it."""
        process = int(exchange(PROCESS, b"", ANSWER_BYTES))
        vector = exchange(ACCESS, f"{context} {context} {process} 0".encode(), ANSWER_BYTES)
        _allowed, _decided, _auditallow, _auditdeny, _seqno, flags = vector.split()
        return bool(int(flags, 16) & PERMISSIVE_FLAG)

    def setcon(self, context: str) -> None:
        """Enter ``context``."""
        exchange(CURRENT, context.encode() + b"\0", 0)

    def getcon(self) -> str:
        """The context of this process, in the kernel's own words."""
        return exchange(CURRENT, b"", ANSWER_BYTES).decode().rstrip("\0\n")


def exchange(path: str, message: bytes, size: int) -> bytes:
    """Write ``message``, if there is any, to the file ``path``; return what it says then, in ``size`` bytes at most.

    Raises OSError, also where less than the whole message is taken.
    """
    file = posix.open(path, (posix.O_RDWR if message else posix.O_RDONLY) | posix.O_CLOEXEC)
    try:
        if message and posix.write(file, message) != len(message):
            raise OSError(f"{path} took a part of what was written")
        return posix.read(file, size) if size else b""
    finally:
        posix.close(file)


def check(kernel: Kernel, generation: str, required: bool, apart: bool) -> bool:
    """Whether the kernel confines, and by the policy that belongs to the table of ``generation``; ``apart`` says that this
    process may change its user, and has a domain of its own.

    False only where SELinux is not ``required`` and does not enforce.  Raises PolicyFault otherwise.
    """
    try:
        mode = kernel.watch()
        if mode != "enforcing":
            if required:
                raise PolicyFault(f"SELinux is {mode}, and vhost.yaml requires it")
            return False
        own = kernel.getcon()
        if own.split(":")[2:3] != [OWN_TYPES[apart]]:
            raise PolicyFault(f"running as {own}, not {OWN_TYPES[apart]}: restorecon it, and restart the socket")
        if not is_of(kernel, generation):
            raise PolicyFault(f"the loaded policy is not of the table's generation {generation}: run selsock-generate")
    except (OSError, ValueError) as error:
        raise PolicyFault(f"SELinux does not answer: {error}") from None
    return True


def is_of(kernel: Kernel, generation: str) -> bool:
    """Whether the loaded policy is of ``generation``."""
    return kernel.knows(f"system_u:object_r:selsock_generation_{generation}:s0")
