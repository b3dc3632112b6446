# SPDX-License-Identifier: Apache-2.0
"""Bootable, labelled ext4 images of the trixie tree, kept in the cache by what they are made of.

Everything slow about SELinux is done here, natively in a chroot: the packages are installed, the policy is linked and
loaded into the store (2 seconds, where the emulated machine needs 30), and every file is labelled from the result.
"""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.machines.commands import Report, cache, run, to_stderr
from tests.machines.install import GENERATED_POLICY, Files, mask, stage, write_files
from tests.machines.packages import Packages, install, packages
from tests.machines.slim import slim
from tests.machines.trees import FILE_CONTEXTS, locked, overlay, run_in, tree

POLICY = "/etc/selinux/default/policy"  # the directory of what the kernel loads
VARIANTS = "/root/policies"
_KEPT = 3  # images, each some 400 MB
_UNITS = ("auditd.service", "ssh.service", "systemd-networkd.service")
# What a test machine does not need and would have to emulate.
_UNWANTED = [
    *(
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "dpkg-db-backup.timer",
        "fstrim.timer",
        "e2scrub_all.timer",
    ),
    *("e2scrub_reap.service", "man-db.timer", "systemd-tmpfiles-clean.timer", "remote-fs.target"),
    *("getty.target", "getty@tty1.service", "serial-getty@ttyS0.service", "getty-static.service"),
    *("systemd-logind.service", "systemd-networkd-wait-online.service", "systemd-pstore.service"),
    *("ldconfig.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service"),
    *("systemd-update-done.service", "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount"),
    *("sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount"),
    *(
        "sys-fs-fuse-connections.mount",
        "systemd-random-seed.service",
        "systemd-networkd-persistent-storage.service",
    ),
    *(
        "sshd-keygen.service",
        "systemd-network-generator.service",
        "systemd-tpm2-setup.service",
        "systemd-tpm2-setup-early.service",
    ),
]
_NETWORK = (
    b"[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
)
# Nothing may be lost or held back, however many records a test provokes.
_AUDITD = b"""log_file = /var/log/audit/audit.log
log_format = RAW
flush = INCREMENTAL
freq = 1
max_log_file_action = IGNORE
space_left = 2
admin_space_left = 1
q_depth = 20000
"""
_SETTINGS: Files = {
    "/etc/hostname": (b"selsock-vm\n", 0o644),
    "/etc/fstab": (b"", 0o644),  # the kernel mounts / as we want it; an entry would wait for udev
    "/etc/selinux/config": (b"SELINUX=enforcing\nSELINUXTYPE=default\n", 0o644),
    "/etc/systemd/network/10-eth0.network": (_NETWORK, 0o644),
    "/etc/systemd/journald.conf.d/test.conf": (
        b"[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n",
        0o644,
    ),
    "/etc/audit/auditd.conf": (_AUDITD, 0o640),
    "/etc/audit/rules.d/audit.rules": (b"-D\n-b 8192\n-r 0\n-f 1\n--backlog_wait_time 60000\n", 0o640),
    "/etc/.updated": (b"", 0o644),
    "/var/.updated": (b"", 0o644),
}


@dataclass(frozen=True)
class Recipe:
    """What goes into an image; equal recipes and an unchanged checkout give the same image from the cache."""

    vhost_yaml: str | None = None  # None: a machine without selsock; empty: with the packages alone
    files: Files = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)  # more policy: module name to CIL text
    variants: Mapping[str, str] = field(default_factory=dict)  # the policy with one module more, beside it, in VARIANTS
    dontaudit: bool = False  # True keeps the policy's dontaudit rules, which hide denials
    slim: bool = False  # a policy of fewer modules, where it is to be rebuilt often
    base: str = "trixie"  # the tree
    layers: tuple[Path, ...] = ()  # over the tree; each name tells what is in it
    script: str = ""  # run in the tree by sh at the end, before everything is labelled


@dataclass(frozen=True)
class Image:
    """A directory of the cache: root.img, vmlinuz, initrd, and key, the ssh key of root."""

    directory: Path


def build(recipe: Recipe, report: Report = to_stderr) -> Image:
    """The image of a recipe, made if it is not in the cache."""
    base = tree(recipe.base, report)
    images = cache() / "images"
    images.mkdir(exist_ok=True)
    shipped = packages(report) if recipe.vhost_yaml is not None else None
    directory = images / _key(base, recipe, shipped)
    with locked(images / "lock"):
        if not directory.exists():
            _build(base, recipe, shipped, directory, report)
        os.utime(directory)
        _remove_old(images)
    return Image(directory)


def _build(base: Path, recipe: Recipe, shipped: Packages | None, directory: Path, report: Report) -> None:
    building = Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-", dir=directory.parent))
    try:
        with overlay(base, *recipe.layers) as root:
            _fill(root, recipe, shipped, building, report)
            report("writing the image")
            _write(root, building)
        building.rename(directory)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    report("the image is ready")


def _key(base: Path, recipe: Recipe, shipped: Packages | None) -> str:
    name = shipped.directory.name if shipped else ""
    digest = hashlib.sha256(repr((base.name, recipe, name)).encode())
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.is_file():
            digest.update(repr((path.name, path.read_bytes())).encode())
    return digest.hexdigest()[:16]


def _fill(root: Path, recipe: Recipe, shipped: Packages | None, directory: Path, report: Report) -> None:
    """Install and configure everything in root."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / "key"])
    write_files(root, _SETTINGS)
    write_files(root, {"/etc/machine-id": (f"{uuid.uuid4().hex}\n".encode(), 0o444)})
    write_files(root, {"/root/.ssh/authorized_keys": ((directory / "key.pub").read_bytes(), 0o600)})
    (root / "root/.ssh").chmod(0o700)
    mask(root, _UNWANTED)
    run_in(root, ["systemctl", "enable", *_UNITS])
    modules: list[str] = []
    if recipe.vhost_yaml is None or shipped is None:
        write_files(root, recipe.files)
    else:
        report("installing the packages")
        install(root, shipped.paths())
        write_files(root, recipe.files)
        if recipe.vhost_yaml:
            report("running selsock-generate")
            stage(root, recipe.vhost_yaml, recipe.files)
            modules += ["-i", GENERATED_POLICY]
    for name, text in recipe.modules.items():
        modules += ["-i", _module(root, name, text)]
    run_in(root, ["sh", "-euc", recipe.script])
    report("loading the policy and labelling the files")
    _load_and_label(root, modules, recipe)


def _module(root: Path, name: str, text: str) -> str:
    """Write a policy module where semodule may read it."""
    path = f"/var/tmp/{name}.cil"
    write_files(root, {path: (text.encode(), 0o600)})
    return path


def _load_and_label(root: Path, modules: list[str], recipe: Recipe) -> None:
    """One transaction for all modules, since every transaction links the whole policy; then all labels from it."""
    if recipe.slim:
        slim(root)
    load = ["semodule", "-n", *([] if recipe.dontaudit else ["-D"]), "-X", "400"]
    for name, text in recipe.variants.items():
        run_in(root, [*load, *modules, "-i", _module(root, name, text)])
        (policy,) = (root / POLICY.lstrip("/")).iterdir()
        write_files(root, {f"{VARIANTS}/{name}": (policy.read_bytes(), 0o600)})
        modules = ["-r", name]  # with the next transaction; the others stay
    run_in(root, [*load, *(modules or ["-B"])])
    # Without mounts: what is mounted would be labelled, too.
    run_in(root, ["setfiles", "-F", "-T0", FILE_CONTEXTS, "/"], mounts=False)


def _write(root: Path, directory: Path) -> None:
    boot = root / "boot"
    shutil.copy(next(boot.glob("vmlinuz-*")), directory / "vmlinuz")
    shutil.copy(next(boot.glob("initrd.img-*")), directory / "initrd")
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, directory / "root.img", "2G"])


def _remove_old(images: Path) -> None:
    """Keep the images used last; a machine that runs from an older one still has its file open."""
    finished = [path for path in images.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for path in sorted(finished, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(path)
    for path in images.glob(".*-*"):  # left by a run that was killed
        if not Path("/proc", path.name[1:].partition("-")[0]).exists():
            shutil.rmtree(path)
