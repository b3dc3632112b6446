# SPDX-License-Identifier: Apache-2.0
"""Row 9: what each directive of the unit costs, tried on the Python floor.

The unit without any is the base; "all" is the shipped one; "all, but …" is that with one thing exchanged.
"""

from collections.abc import Iterator

from tests.bench.floors import PAGE, PROGRAM, REQUEST
from tests.bench.rows import Group, Row, Shipped, of_unit
from tests.bench.units import changed, hardening, listener, started, without_comments

BASE = "no hardening at all"
FIRST_PORT = 9000
# What an instance that serves a file needs, and about as much again.
ALLOWED = (
    "access arch_prctl brk clone clone3 close close_range connect dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait"
    " epoll_wait execve exit exit_group faccessat faccessat2 fcntl flock fork fstat fsync ftruncate futex getcwd getdents64"
    " getegid geteuid getgid getgroups getpeername getpgrp getpid getppid getrandom getrlimit getsockname getsockopt gettid"
    " getuid ioctl kill lseek lstat madvise mkdir mmap mprotect mremap munmap newfstatat open openat pidfd_open pipe2 poll"
    " ppoll prctl pread64 prlimit64 pwrite64 read readlink readlinkat recvfrom recvmsg rename restart_syscall rseq"
    " rt_sigaction rt_sigprocmask rt_sigreturn select sendfile sendmsg sendto set_robust_list set_tid_address setsid"
    " setsockopt shutdown sigaltstack socket socketpair stat statx sysinfo umask uname unlink wait4 waitid write"
)
# Exchanged in the shipped unit: directives and their values, none to leave one out.  What was tried and kept, or not.
LEVERS: dict[str, dict[str, list[str]]] = {
    "SystemCallFilter=@system-service": {"SystemCallFilter": ["@system-service", "~@privileged @resources"]},
    "96 calls allowed": {"SystemCallFilter": [ALLOWED]},
    "no SystemCallFilter": {"SystemCallFilter": [], "SystemCallErrorNumber": []},
    "no SystemCallArchitectures": {"SystemCallArchitectures": []},
    "DefaultDependencies=yes": {"DefaultDependencies": ["yes"]},
    "no Conflicts, no Before": {"Conflicts": [], "Before": []},
    "no LogLevelMax": {"LogLevelMax": []},
    "no LogRateLimit": {"LogRateLimitIntervalSec": [], "LogRateLimitBurst": []},
    "StandardError=null": {"StandardError": ["null"]},
    "ProtectSystem=strict": {"ProtectSystem": ["strict"]},
    "PrivateTmp=yes": {"PrivateTmp": ["yes"]},
    "IPAddressDeny=any": {"IPAddressDeny": ["any"], "IPAddressAllow": ["localhost"]},
    "PrivateDevices=yes": {"PrivateDevices": ["yes"]},
    "LC_ALL=C": {"Environment": ["LC_ALL=C"]},
    "LD_BIND_NOW=1": {"Environment": ["LD_BIND_NOW=1"]},
    "malloc in huge pages": {"Environment": ["GLIBC_TUNABLES=glibc.malloc.hugetlb=1"]},
    "malloc with one arena": {"Environment": ["MALLOC_ARENA_MAX=1"]},
    "MemoryAccounting=no": {"MemoryAccounting": ["no"]},
    "TasksAccounting=no": {"TasksAccounting": ["no"]},
}


def hardened(shipped: Shipped) -> Group:
    """The base, each directive alone, all, and the levers: each a unit of its own."""
    rows = []
    files: dict[str, tuple[bytes, int]] = {}
    for number, (name, service) in enumerate(variants(shipped.service)):
        unit, port = f"bench{number}", FIRST_PORT + number
        files |= listener(shipped, unit, port, changed(service, {"ExecStart": [PROGRAM]}))
        rows.append(Row(9, name, port, REQUEST, PAGE, of_unit(unit), base=BASE))
    return Group(tuple(rows), files, setup=started(*(f"bench{number}" for number in range(len(rows)))))


def variants(service: str) -> Iterator[tuple[str, str]]:
    """The text of each unit, by the name of its row."""
    found = hardening(service)
    bare: dict[str, list[str]] = {key: [] for key in found}
    yield BASE, changed(service, bare)
    for key, values in found.items():
        yield f"{key}={shown if len(shown := ' '.join(values)) < 20 else '…'}", changed(service, bare | {key: values})
    yield "all, as shipped", service
    for name, values_by_key in LEVERS.items():
        yield f"all, but {name}", changed(service, values_by_key)
    yield "all, but no comments", without_comments(service)
