# SPDX-License-Identifier: Apache-2.0
"""confine: Context to Confined.  One way.  This file is the whole answer to "how are privileges given up?".

Root, capabilities and no_new_privs are already gone: systemd took them before it started us, and that is checked here.
What is left is the domain; and, for a vhost with ``run_as``, user selsock and the two capabilities to leave it.  Order: close
what belongs above the line; become the account; refuse a target that would not confine under the policy in force by now;
enter; ask the kernel where and who we are; only then does a ``Confined`` exist, and without one nothing can be served.
"""

from selsock.context import Context
from selsock.cores import Final, posix
from selsock.errors import ConfineFault, PolicyFault
from selsock.handler.head import HeadBuffer
from selsock.handler.journal import Journal
from selsock.handler.kernel import Kernel, check, is_of
from selsock.handler.table import OpenTable
from selsock.model import Table, Vhost

STDOUT, STDERR = 1, 2
ROUNDS = 3  # each takes far less time than the load of a policy: three changes are no update of somebody else's
CHANGED = "SELinux's mode or policy has changed since the connection began"
NO_CAPABILITY = "0000000000000000"
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
# Threads: with a second one the kernel would refuse setcon(3), or leave that one outside.
REQUIRED_STATUS = {"Threads": "1", "NoNewPrivs": "1"} | dict.fromkeys(CAPABILITIES, NO_CAPABILITY)
# What selsock-run-as@.service leaves: CAP_SETGID and CAP_SETUID, in two sets that this process may not empty.  Neither
# gives anything: under no_new_privs no execve adds to the permitted set (cap_bprm_creds_from_file of
# security/commoncap.c), be it by a file's capabilities or by uid 0, and no tenant's domain may use a capability at all.
LEFT = "00000000000000c0"


class Confined:
    """Proof that this process is in ``context`` for good, to serve ``vhost`` alone.  Made in ``confine`` only.

    ``buffer`` has every credential that this process holds: a child that is to run a tenant's code wipes it before
    anything else.
    """

    __slots__ = ("buffer", "context", "vhost")

    def __init__(self, context: str, vhost: Vhost, buffer: HeadBuffer) -> None:
        self.context: Final = context
        self.vhost: Final = vhost
        self.buffer: Final = buffer


def confine(
    context: Context,
    vhost: Vhost,
    buffer: HeadBuffer,
    table: OpenTable,
    journal: Journal,
    kernel: Kernel,
    enforce: bool,
    account: "tuple[int, ...] | None" = None,
) -> Confined:
    """Enter ``context``, as ``account`` if there is one, and prove both.  ``enforce`` is False only under ``selinux:
    optional`` without enforcement.

    Raises PolicyFault (503) when the target domain is permissive, or when mode or policy has changed and is no longer
    good enough, ConfineFault (500) for anything else.
    """
    table.close()
    # A socket keeps the label of who made it: over this one a tenant could write records that seem to be selsock_t's.
    journal.close()
    posix.dup2(STDOUT, STDERR)
    if account:
        become(*account)
    entered = enter(context, kernel, table.settings, bool(account)) if enforce else "unconfined (selinux: optional)"
    check_status(required_of(*account) if account else REQUIRED_STATUS)
    return Confined(entered, vhost, buffer)


def become(uid: int, gid: int, *groups: int) -> None:
    """Become user ``uid`` with ``gid`` and ``groups``, for good.  Raises ConfineFault.

    When the last user id of 0 becomes another one, the kernel clears the permitted, effective and ambient sets
    (capabilities(7)); between two others it would not.  So the real one, which decides on nothing, is 0 for a moment.
    """
    try:
        posix.setgroups(groups)
        posix.setresgid(gid, gid, gid)
        posix.setresuid(0, -1, -1)
        posix.setresuid(uid, uid, uid)
    except OSError as error:
        raise ConfineFault(f"becoming uid {uid}, gid {gid}: {error.strerror}") from None


def required_of(uid: int, gid: int, *groups: int) -> "dict[str, str]":
    """``REQUIRED_STATUS`` of a process that has become this account: real, effective, saved and file system ids."""
    ids = {"Uid": "\t".join([str(uid)] * 4), "Gid": "\t".join([str(gid)] * 4)}
    ids["Groups"] = "".join([f"{group} " for group in groups])
    return REQUIRED_STATUS | {"CapInh": LEFT, "CapBnd": LEFT} | ids


def enter(context: Context, kernel: Kernel, settings: Table, apart: bool) -> str:
    """setcon to ``context`` with the user and role of this process; return the context as the kernel reports it."""
    try:
        target = approve(context, kernel, settings, apart)
        kernel.setcon(target)
        reached = kernel.getcon()
        if not kernel.unchanged():  # since it was approved; from here nothing can be asked any more
            raise PolicyFault(CHANGED)
    except (OSError, ValueError) as error:
        raise ConfineFault(f"entering {context}: {error}") from None
    if reached != target:
        raise ConfineFault(f"asked for {target}, but the kernel reports {reached}")
    return reached


def approve(context: Context, kernel: Kernel, settings: Table, apart: bool) -> str:
    """The whole context to enter, which the policy in force confines.  Raises PolicyFault, OSError or ValueError.

    A policy may have been loaded while the head was read, and costs no request if it is as good as the one before.  So
    what the kernel answers, be it an error, counts only if nothing has changed by then; else all is asked again.  The
    status page tells of a policy a moment after it is in force, so the generation is asked for last, of the kernel.
    """
    for _ in range(ROUNDS):
        try:
            user, role, *_rest = kernel.getcon().split(":")
            target = f"{user}:{role}:{context}"
            if kernel.is_permissive(target):
                raise PolicyFault(f"the domain of {target} is permissive: it would confine nothing")
            if kernel.unchanged() and is_of(kernel, settings.generation):
                return target
        except (OSError, ValueError, PolicyFault):
            if kernel.unchanged():
                raise
        if not check(kernel, settings.generation, settings.required, apart):
            break  # selinux: optional; but what the journal does not call unconfined is not served so
    raise PolicyFault(CHANGED)


def check_status(required: "dict[str, str]") -> None:
    """Hold /proc/self/status (proc_pid_status(5)) against ``required``.  Raises ConfineFault."""
    try:
        file = posix.open("/proc/self/status", posix.O_RDONLY | posix.O_CLOEXEC)
        text = posix.read(file, 16384).decode("ascii", "replace")
        posix.close(file)
    except OSError as error:
        raise ConfineFault(f"/proc/self/status: {error.strerror}") from None
    found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    for name, expected in required.items():
        if found.get(name) != expected:
            raise ConfineFault(f"{name} is {found.get(name)}, not {expected}: was this started by selsock@.service?")
