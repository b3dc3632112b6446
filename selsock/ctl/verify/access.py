# SPDX-License-Identifier: Apache-2.0
"""What one may do to another, in seven kinds, each made of permissions of the kernel's classes.

Source: SELinux Notebook, "Object Classes and Permissions"; security/selinux/include/classmap.h.
"""

from __future__ import annotations

KINDS = ("read", "write", "execute", "transition", "signal", "ptrace", "ipc")

FILES = frozenset(("file", "dir", "lnk_file", "chr_file", "blk_file", "anon_inode"))
# Not reparent: of a directory that moves, rename is asked as well, and of both directories around it what they have to let.
# Neither getattr nor search nor open: a name's existence is not hidden, and what was opened is read or written.
READ = frozenset(("read",))
WRITE = frozenset(
    ("add_name", "append", "create", "link", "mounton", "quotaon", "relabelfrom", "relabelto", "remove_name")
    + ("rename", "rmdir", "setattr", "swapon", "unlink", "write")
)
EXECUTE = frozenset(("entrypoint", "execmod", "execute", "execute_no_trans"))
TRANSITION = frozenset(("dyntransition", "transition"))
SIGNAL = frozenset(("sigchld", "sigkill", "signal", "signull", "sigstop"))
# Looking into a process, or steering it.
PTRACE = frozenset(
    ("getattr", "getcap", "getpgid", "getrlimit", "getsched", "getsession", "ptrace", "setcap", "setpgid")
    + ("setrlimit", "setsched", "share")
)
IPC = frozenset(
    ("binder", "dbus", "fd", "fifo_file", "io_uring", "ipc", "key")
    + ("memfd_file", "msg", "msgq", "sem", "shm", "sock_file")
)


def kind_of(tclass: str, permission: str) -> str | None:
    """The kind that ``permission`` of class ``tclass`` is of; None for one that crosses nothing by itself."""
    if tclass == "process":
        given = (("transition", TRANSITION), ("signal", SIGNAL), ("ptrace", PTRACE))
    elif tclass in FILES:
        given = (("read", READ), ("write", WRITE), ("execute", EXECUTE))
    else:
        between = tclass in IPC or tclass.endswith("_socket")
        return "ipc" if between and permission not in ("getattr", "search", "open") else None
    return next((kind for kind, permissions in given if permission in permissions), None)
