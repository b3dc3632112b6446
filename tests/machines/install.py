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
# Not selsock.cil: semodule names a module after its file, and the base module would be overridden by it.
GENERATED_POLICY = "/var/lib/selsock/selsock_tenants.cil"
_CODE = "/usr/lib/selsock"


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
    """Install this checkout as an operator without rpm would, with byte code for the tree's own Python."""
    # On the host, since a tree has no make; so what it would compile is for another Python.
    run(["make", "--no-print-directory", "install-selsock", f"DESTDIR={tree}", "COMPILE=:"], cwd=CHECKOUT)
    run_in(tree, ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", _CODE])
    (release,) = (tree / _CODE.lstrip("/")).iterdir()
    for name in ("freeze.py", "frozen.py"):
        shutil.copy(CHECKOUT / "packaging" / name, tree / "root")
    run_in(tree, ["python3", "-Xno_debug_ranges", "/root/freeze.py", f"{_CODE}/{release.name}"])
    run_in(tree, ["rm", "/root/freeze.py", "/root/frozen.py"])


def stage(tree: Path, vhost_yaml: str, files: Files) -> None:
    """Write vhost.yaml and files, run selsock-generate, and copy what it staged over the tree; enable the socket.

    The policy is staged only; image.py loads it.
    """
    write_files(tree, {**files, "/etc/selsock/vhost.yaml": (vhost_yaml.encode(), 0o644)})
    run_in(tree, ["selsock-generate", "--output", "/stage", "/etc/selsock/vhost.yaml"])
    # tar, because cp would give the mode of the staged directories to /, /etc and /var.
    copy = "tar -C /stage -c . | tar -C / -x --preserve-permissions --no-overwrite-dir && rm -r /stage"
    run_in(tree, ["bash", "-o", "pipefail", "-c", copy])
    run_in(tree, ["systemd-sysusers", "selsock.conf"])
    run_in(tree, ["systemd-tmpfiles", "--create", "selsock.conf"])
    run_in(tree, ["systemctl", "enable", "selsock.socket"])
