# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of SELinux: the one edge to libselinux, and the one thing that unit tests replace.

Sources: security_getenforce(3), security_check_context(3), security_compute_av_flags(3), setcon(3), proc_pid_attr(5).
"""

from selsock.cores import posix, selinux_core
from selsock.errors import PolicyFault

OWN_TYPE = "selsock_t"
STATUS = "/sys/fs/selinux/status"
STATUS_BYTES = 20  # struct selinux_kernel_status (security/selinux/include/security.h): five 32-bit numbers
PERMISSIVE_FLAG = 1  # SELINUX_AVD_FLAGS_PERMISSIVE of <selinux/selinux.h>


class Kernel:
    """SELinux as the running kernel has it.  Every failing call raises OSError."""

    __slots__ = ("core", "missing", "status", "status_file")

    def __init__(self) -> None:
        self.missing = ""
        self.status = b""
        try:
            self.core = selinux_core()
        except ImportError as error:
            self.missing = str(error)

    def mode(self) -> str:
        """``enforcing``, ``permissive`` or ``disabled``; anything else says why libselinux's binding is of no use."""
        if self.missing:
            return f"out of reach ({self.missing})"
        if self.core.is_selinux_enabled() != 1:
            return "disabled"
        return "enforcing" if self.core.security_getenforce() == 1 else "permissive"

    def watch(self) -> None:
        """Remember the status page, or remember it anew: it counts every change of mode and every load of a policy.

        Its descriptor is the one thing of SELinux that stays open below the line, where nothing of it can be opened.
        """
        if not self.status:
            self.status_file = posix.open(STATUS, posix.O_RDONLY | posix.O_CLOEXEC)
        self.status = posix.pread(self.status_file, STATUS_BYTES, 0)

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
            return bool(self.core.security_check_context_raw(context) == 0)
        except OSError:
            return False

    def is_permissive(self, context: str) -> bool:
        """Whether the domain of ``context`` is permissive: the flag stands in every access vector computed for it."""
        vector = self.core.new_av_decision()
        process = self.core.string_to_security_class("process")
        self.core.security_compute_av_flags_raw(context, context, process, 0, vector)
        return bool(self.core.av_decision_flags_get(vector) & PERMISSIVE_FLAG)

    def setcon(self, context: str) -> None:
        """Enter ``context``."""
        self.core.setcon_raw(context)

    def getcon(self) -> str:
        """The context of this process, in the kernel's own words.

        Not getcon_raw(3): after a setcon of its own, libselinux answers from a copy of what it wrote, and asks nobody.
        """
        file = posix.open("/proc/thread-self/attr/current", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            return posix.read(file, 4096).decode().rstrip("\0\n")
        finally:
            posix.close(file)


def check(kernel: Kernel, generation: str, required: bool) -> bool:
    """Whether the kernel confines, and by the policy that belongs to the table of ``generation``.

    False only where SELinux is not ``required`` and does not enforce.  Raises PolicyFault otherwise.
    """
    try:
        mode = kernel.mode()
        if mode == "enforcing":
            kernel.watch()
            mode = kernel.mode()  # again: what is watched from now on is what was found
    except OSError as error:
        raise PolicyFault(f"SELinux does not tell its mode: {error.strerror}") from None
    if mode != "enforcing":
        if required:
            raise PolicyFault(f"SELinux is {mode}, and vhost.yaml requires it")
        return False
    try:
        own = kernel.getcon()
    except OSError as error:
        raise PolicyFault(f"the kernel does not tell our context: {error.strerror}") from None
    if own.split(":")[2:3] != [OWN_TYPE]:
        raise PolicyFault(f"running as {own}, not {OWN_TYPE}: restorecon the program, and restart the socket")
    if not is_of(kernel, generation):
        raise PolicyFault(f"the loaded policy is not of the table's generation {generation}: run selsock-generate")
    return True


def is_of(kernel: Kernel, generation: str) -> bool:
    """Whether the loaded policy is of ``generation``."""
    return kernel.knows(f"system_u:object_r:selsock_generation_{generation}:s0")
