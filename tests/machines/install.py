# SPDX-License-Identifier: Apache-2.0
"""Put selsock, its policy and its generated configuration into a root tree, and make the tree fit for a test.

Every function changes the tree that it is given: an overlay, never a tree of the cache.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.machines.commands import CHECKOUT, run
from tests.machines.trees import run_in

Files = Mapping[str, tuple[bytes, int]]  # absolute path in the machine: content, mode; owned by root
BASE_POLICY = "/usr/share/selinux/packages/selsock.pp"
# Not selsock.cil: semodule names a module after its file, and the base module would be overridden by it.
GENERATED_POLICY = "/var/lib/selsock/selsock_tenants.cil"
_PACKAGE = "/usr/lib/python3/dist-packages/selsock"


def write_files(tree: Path, files: Files) -> None:
    """Write files into the tree, making directories (mode 755) as needed."""
    for name, (content, mode) in files.items():
        path = tree / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)


def mask(tree: Path, units: Sequence[str]) -> None:
    """Mask systemd units."""
    for unit in units:
        path = tree / "etc/systemd/system" / unit
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")


def install_selsock(tree: Path) -> None:
    """Install this checkout as an operator would, with byte code for the tree's own Python."""
    run(["make", "--no-print-directory", "install", f"DESTDIR={tree}"], cwd=CHECKOUT)
    # unchecked: a source file that is never looked at cannot be stale, and costs no stat() per connection.
    compiled = ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", _PACKAGE]
    run_in(tree, compiled)


def build_base_policy(tree: Path) -> None:
    """Build policy/selsock.{te,if,fc} with the tree's selinux-policy-dev and leave the package at BASE_POLICY."""
    build = tree / "var/tmp/selsock-policy"
    build.mkdir()
    for suffix in ("te", "if", "fc"):
        shutil.copy(CHECKOUT / f"policy/selsock.{suffix}", build)
    script = "cd /var/tmp/selsock-policy && make -f /usr/share/selinux/devel/Makefile selsock.pp && "
    script += f"install -D -m644 selsock.pp {BASE_POLICY}"
    run_in(tree, ["sh", "-c", script])
    shutil.rmtree(build)


def stage(tree: Path, vhost_yaml: str, files: Files) -> None:
    """Write vhost.yaml and files, run selsock-generate, and copy what it staged over the tree; enable the socket.

    The policy is staged only; image.py loads it.
    """
    write_files(tree, {**files, "/etc/selsock/vhost.yaml": (vhost_yaml.encode(), 0o644)})
    run_in(tree, ["selsock-generate", "--output", "/stage", "/etc/selsock/vhost.yaml"])
    # tar, because cp would give the mode of the staged directories to /, /etc and /var.
    copy = "tar -C /stage -c . | tar -C / -x --preserve-permissions --no-overwrite-dir && rm -r /stage"
    run_in(tree, ["bash", "-o", "pipefail", "-c", copy])
    run_in(tree, ["systemd-sysusers"])
    run_in(tree, ["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/selsock.conf"])
    run_in(tree, ["systemctl", "enable", "selsock.socket"])
