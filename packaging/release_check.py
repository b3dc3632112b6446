# SPDX-License-Identifier: Apache-2.0
"""make release-check: what a release of this checkout needs, and whether it is so.

Each line is ``ok`` or ``MISSING`` and what is to be done; the exit status is 1 when anything is missing.  What no
program can look up here (that ``make check`` is green on this commit, and who signs) is listed as ``by hand``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

BY_HAND = (
    "make check is green on this commit, and CI says so, too",
    "git tag --sign v{version}, then make rpm, and sign the packages with rpmsign",
)


def git(root: Path, *arguments: str) -> str:
    """What git says in ``root``; "" when it fails."""
    done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def needs(root: Path) -> Iterator[tuple[bool, str]]:
    """What a release of the checkout ``root`` needs: whether it is so, and what it is."""
    version = version_of(root)
    yield bool(version), "selsock/__init__.py has a version X.Y.Z"
    yield (
        bool(re.search(rf"\A# Changelog\n[^#]*## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n", changelog(root))),
        f'CHANGELOG.md begins with "## {version} (YYYY-MM-DD)", and has no "## Unreleased" above it',
    )
    tagged, head = (
        git(root, "rev-parse", "--verify", "--quiet", f"v{version}^{{commit}}"),
        git(root, "rev-parse", "HEAD"),
    )
    yield tagged in ("", head), f"the tag v{version} is free, or is this commit"
    yield bool(head) and not git(root, "status", "--porcelain"), "everything is committed"
    spec = (root / "packaging/rpm/selsock.spec").read_text()
    yield bool(re.search(r"^URL: +https://", spec, re.MULTILINE)), "packaging/rpm/selsock.spec has the project's URL"
    packages = [root / "build/rpm" / f"selsock-{version}-1.{kind}.rpm" for kind in ("src", "noarch")]
    fresh = all(package.exists() and package.stat().st_mtime >= newest(root) for package in packages)
    yield fresh, "make rpm has built the packages after the last change"


def version_of(root: Path) -> str:
    """The version, "" when it is not X.Y.Z."""
    text = (root / "selsock/__init__.py").read_text()
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', text, re.MULTILINE)
    return found[1] if found else ""


def changelog(root: Path) -> str:
    """The text of CHANGELOG.md."""
    return (root / "CHANGELOG.md").read_text()


def newest(root: Path) -> float:
    """When the last change to a file of the checkout was made, in seconds since the epoch."""
    names = git(root, "ls-files", "-z").split("\0")
    return max(((root / name).stat().st_mtime for name in names if name and (root / name).exists()), default=0.0)


def main() -> int:
    """Print the list; return the exit status."""
    root = Path(__file__).parents[1]
    found = list(needs(root))
    for done, what in found:
        print(f"{'ok' if done else 'MISSING':<8} {what}")
    for what in BY_HAND:
        print(f"{'by hand':<8} {what.format(version=version_of(root))}")
    return 0 if all(done for done, _ in found) else 1


if __name__ == "__main__":
    sys.exit(main())
