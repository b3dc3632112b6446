# SPDX-License-Identifier: Apache-2.0
"""make release-check: each need, met and not met, in a small repository of its own."""

import os
import runpy
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# A program of the packaging, not a module of selsock.
PROGRAM = Path(__file__).parents[2] / "packaging/release_check.py"
needs: Callable[[Path], Iterator[tuple[bool, str]]] = runpy.run_path(str(PROGRAM))["needs"]
GOOD = {
    "selsock/__init__.py": '__version__ = "1.2.3"\n',
    "CHANGELOG.md": "# Changelog\n\nNewest first.\n\n## 1.2.3 (2026-12-24)\n\n### Added\n- All.\n",
    "packaging/rpm/selsock.spec": "Name: selsock\nURL:            https://selsock.example/\n",
}
EVERYTHING = [True] * 6


def git(root: Path, *arguments: str) -> None:
    """Run git in ``root``."""
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, "-C", root, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that is ready for its release."""
    for name, text in GOOD.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1000, 1000))
    git(tmp_path, "init")
    (tmp_path / ".gitignore").write_text("/build/\n")
    os.utime(tmp_path / ".gitignore", (1000, 1000))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "all")
    (tmp_path / "build/rpm").mkdir(parents=True)
    for kind in ("src", "noarch"):
        (tmp_path / f"build/rpm/selsock-1.2.3-1.{kind}.rpm").touch()
    return tmp_path


def met(root: Path) -> list[bool]:
    """Which needs are met: version, changelog, tag, commit, URL, packages."""
    return [done for done, _ in needs(root)]


def test_ready(repository: Path) -> None:
    assert met(repository) == EVERYTHING
    git(repository, "tag", "v1.2.3")
    assert met(repository) == EVERYTHING


@pytest.mark.parametrize(
    ("missing", "name", "change"),
    [
        ([0, 1], "selsock/__init__.py", lambda text: text.replace("1.2.3", "1.3")),
        ([1], "CHANGELOG.md", lambda text: text.replace("## 1.2.3", "## Unreleased\n\n## 1.2.3")),
        ([1], "CHANGELOG.md", lambda text: text.replace(" (2026-12-24)", "")),
        ([1], "CHANGELOG.md", lambda text: text.replace("1.2.3", "1.2.2")),
        ([4], "packaging/rpm/selsock.spec", lambda text: text.replace("https", "http")),
    ],
)
def test_what_is_missing_is_told(repository: Path, missing: list[int], name: str, change: Callable[[str], str]) -> None:
    """A changed file is not committed either, and is newer than the packages."""
    path = repository / name
    path.write_text(change(path.read_text()))
    os.utime(path, (2**33, 2**33))
    expected = [number not in (*missing, 3, 5) for number in range(6)]
    assert met(repository) == expected


def test_a_tag_of_another_commit(repository: Path) -> None:
    git(repository, "tag", "v1.2.3")
    git(repository, "commit", "--allow-empty", "-m", "later")
    assert met(repository) == [True, True, False, True, True, True]


def test_packages_of_another_version(repository: Path) -> None:
    (repository / "build/rpm/selsock-1.2.3-1.noarch.rpm").rename(repository / "build/rpm/selsock-1.2.2-1.noarch.rpm")
    assert met(repository) == [True, True, True, True, True, False]
