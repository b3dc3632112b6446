# SPDX-License-Identifier: Apache-2.0
"""Debian root trees: built once with mmdebstrap, kept in the cache, and never written to afterwards.

Whoever wants to change a tree works on an overlay() of it. Nothing is ever mounted inside a tree or an overlay as the
host sees it: run_in() mounts in a namespace of its own, so a tree can be copied at any time.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.machines.commands import Report, cache, run, signs_of_life, to_stderr

_BOTH = (
    "systemd systemd-sysv dbus iproute2 python3 python3-selinux python3-systemd python3-jinja2 python3-yaml curl procps"
)
_SELINUX = (
    "udev linux-image-cloud-amd64 selinux-policy-default selinux-policy-dev policycoreutils policycoreutils-python-utils"
    " semodule-utils checkpolicy setools auditd openssh-server acl kmod make python3-crypt-r rpm"
)
# What builds and tests the package, beside what it runs on.
_BUILD = (
    "rpmlint bzip2 scdoc secilc tinycdb apache2-utils openssl pamtester python3-setuptools python3-pytest"
    " python3-hypothesis python3-h11"
)
# A machine with proxies, and with what their visitors use.
_PROXY = "systemd systemd-sysv dbus iproute2 procps curl openssl socat haproxy nginx libnginx-mod-stream"
# What the applications need that the tests serve, and their clients.  php8.4-cgi first: dokuwiki would take Apache.
_APPLICATIONS = "php8.4-cgi php-cgi php-sqlite3 php-mbstring dokuwiki git perl libcgi-pm-perl cadaver"
# A database, and the way to it.
_SQL = "postgresql python3-asyncpg"
# What make bench measures beside selsock.
_BENCH = "python3-crypt-r micro-httpd apache2 libapache2-mpm-itk libapache2-mod-wsgi-py3 nginx-light gunicorn"
PACKAGES = {  # name of a tree, "SUITE" or "SUITE-PURPOSE": what it carries
    "bookworm": f"{_BOTH} rpm".split(),  # systemd 252, Python 3.11, rpm 4.18
    "trixie": f"{_BOTH} {_SELINUX}".split(),  # systemd 257, Python 3.13, rpm 4.20; the tree of the VM, too
    "trixie-build": f"{_BOTH} {_SELINUX} {_BUILD}".split(),
    "trixie-bench": f"{_BOTH} {_BENCH}".split(),
    "bookworm-proxy": _PROXY.split(),
    "trixie-proxy": _PROXY.split(),
    "trixie-applications": f"{_BOTH} {_SELINUX} {_APPLICATIONS}".split(),
    "bookworm-sql": f"{_BOTH} rpm {_SQL}".split(),  # PostgreSQL 15, asyncpg 0.27
    "trixie-sql": f"{_BOTH} {_SELINUX} {_SQL}".split(),  # PostgreSQL 17, asyncpg 0.30
}
# A tree that begins as a copy of another, whose packages it has: those are installed once, the policy among them.
_COPIED = {
    "trixie-build": "trixie",
    "trixie-applications": "trixie",
    "bookworm-sql": "bookworm",
    "trixie-sql": "trixie",
}
SUITES = ("bookworm", "trixie")
_BOOTED = ("trixie", "trixie-applications", "trixie-sql")  # in the VM
# Nobody reads these in a test machine; without them its image is made in half the time.
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
# The initrd loads these alone, and is not compressed: unpacking is slow where the processor is emulated.
_INITRD = {
    "/etc/initramfs-tools/conf.d/selsock.conf": "MODULES=list\nCOMPRESS=cat\nFSTYPE=ext4\nRESUME=none\n",
    "/usr/share/initramfs-tools/modules.d/selsock.conf": "virtio_pci\nvirtio_blk\nvirtio_net\next4\n",
}
FILE_CONTEXTS = "/etc/selinux/default/contexts/files/file_contexts"


def tree(name: str, report: Report = to_stderr) -> Path:
    """The root tree ``name`` of PACKAGES, built when the cache has none made from the same recipe."""
    path = cache() / "trees" / f"{name}-{_key(name)}"
    path.parent.mkdir(exist_ok=True)
    with locked(path.parent / f"{name}.lock"):
        if not path.exists():
            report(f"building the {name} tree with mmdebstrap (about a minute, once)")
            with signs_of_life(f"building the {name} tree", report):
                _build(name, path)
            report(f"the {name} tree is ready")
    return path


def _key(name: str) -> str:
    below = [_key(_COPIED[name])] if name in _COPIED else []
    recipe = repr((name, PACKAGES[name], _LEFT_OUT, _INITRD, _mirror(), *below))
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def _mirror() -> list[str]:
    mirror = os.environ.get("SELSOCK_MIRROR")
    return [mirror] if mirror else []


def _build(name: str, path: Path) -> None:
    """Build beside path and rename, so that a tree in the cache is always whole."""
    building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=path.parent))
    suite = name.partition("-")[0]
    try:
        command = ["mmdebstrap", "--quiet", "--components=main", f"--include={','.join(PACKAGES[name])}"]
        command += [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
        if name in _COPIED:
            copy = f'cp -aT --remove-destination {shlex.quote(str(tree(_COPIED[name])))} "$1"'
            command += ["--variant=custom", f"--setup-hook={copy}"]
        else:
            command += ["--variant=minbase"]
            if suite == "trixie":
                command += [f"--essential-hook={_writes(path, text)}" for path, text in _INITRD.items()]
        run([*command, suite, building / "root", *_mirror()], timeout=1800)
        if name in _BOOTED:
            # Labelled here, so that relabelling an overlay later copies up only what differs.
            run_in(building / "root", ["setfiles", "-F", "-T0", FILE_CONTEXTS, "/"], mounts=False)
        (building / "root").rename(path)
    finally:
        shutil.rmtree(building)


def _writes(name: str, text: str) -> str:
    """A shell line for mmdebstrap that writes a file of the tree."""
    escaped = text.replace("\n", "\\n")
    return f'mkdir -p "$1{os.path.dirname(name)}" && printf \'{escaped}\' >"$1{name}"'


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock against other test runs on the same cache; the kernel lets go of it when we die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def overlay(lower: Path, *layers: Path) -> Iterator[Path]:
    """A writable copy of a tree that costs nothing until it is written to, and is gone afterwards.

    ``layers`` lie over the tree, the first lowest; they are not written to either.
    """
    overlays = cache() / "overlays"
    overlays.mkdir(exist_ok=True)
    _remove_orphans(overlays)
    work = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=overlays))
    try:
        for name in ("upper", "work", "root"):
            (work / name).mkdir()
        below = ":".join(str(layer) for layer in (*reversed(layers), lower))
        options = f"lowerdir={below},upperdir={work}/upper,workdir={work}/work"
        run(["mount", "-t", "overlay", "selsock", "-o", options, work / "root"])
        yield work / "root"
    finally:
        _remove_overlay(work)


def _remove_overlay(work: Path) -> None:
    if os.path.ismount(work / "root"):
        # Lazily: a process that is just being killed may still hold a file of it for a moment.
        run(["umount", "--lazy", work / "root"])
    shutil.rmtree(work, ignore_errors=True)


def _remove_orphans(overlays: Path) -> None:
    """Remove what runs that were killed with SIGKILL left behind; the directory's name begins with the owner's pid."""
    for work in overlays.iterdir():
        if not Path("/proc", work.name.partition("-")[0]).exists():
            _remove_overlay(work)


def run_in(
    root: Path,
    argv: Sequence[str],
    *,
    check: bool = True,
    input: str | None = None,
    timeout: float | None = 600,
    mounts: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run argv with root as its /, by default with /proc, /sys (read-only) and /dev, which only this command sees."""
    script = "set -eu; root=$1; shift; mount --make-rprivate /; "
    if mounts:
        script += (
            'mount -t proc proc "$root/proc"; mount -t sysfs -o ro sysfs "$root/sys"; mount --rbind /dev "$root/dev"; '
        )
    script += 'exec chroot "$root" "$@"'
    # A pid namespace of its own: whatever the command leaves running ends with it.
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return run([*namespaces, "sh", "-c", script, "run_in", root, *argv], check=check, input=input, timeout=timeout)
