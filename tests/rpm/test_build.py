# SPDX-License-Identifier: Apache-2.0
"""Building: the same bytes every time, nothing for rpmlint, and macros.compat no larger than it has to be."""

import hashlib
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.machines.commands import CHECKOUT, run
from tests.machines.packages import Packages, build, dist
from tests.machines.trees import SUITES, overlay, run_in, tree

RPM = CHECKOUT / "packaging/rpm"
SPEC = (RPM / "selsock.spec").read_text()
COMPAT = (RPM / "macros.compat").read_text()
# name, parameters or none, body up to a line that does not end in a backslash
MACRO = re.compile(r'^%(\w+)(\("?[^)]*\))?[ \t]*((?:.*\\\n)*.*)$', re.MULTILINE)


def digests(found: Packages, names: tuple[str, ...]) -> dict[str, str]:
    """The SHA-256 of packages."""
    return {name: hashlib.sha256(found.path(name).read_bytes()).hexdigest() for name in names}


def test_two_builds_give_the_same_bytes(built: Packages, tmp_path: Path) -> None:
    """Source package included; one with %check, which runs the unit tests on the tree's Python, and one without."""
    dist()
    with_tests = build(tmp_path / "with", tests=True)
    without = build(tmp_path / "without", tests=False)
    everything = ("selsock", "selsock-selinux", "src")
    assert digests(with_tests, everything) == digests(without, everything)
    assert digests(with_tests, everything[:2]) == digests(built, everything[:2]), (
        "what the VM installs is another build"
    )


@pytest.fixture(scope="module")
def lint(built: Packages) -> Iterator[Callable[[str], list[str]]]:
    """lint(configuration): what rpmlint says of the packages and the spec."""
    with overlay(tree("trixie-build")) as root:
        work = root / "var/tmp/lint"
        work.mkdir()
        for file in (*map(built.path, ("selsock", "selsock-selinux", "src")), CHECKOUT / "build/rpm/selsock.spec"):
            shutil.copy(file, work)
        shutil.copy(RPM / "macros.compat", root / "root/.rpmmacros")

        def said(configuration: str) -> list[str]:
            (work / "rpmlint.toml").write_text(configuration)
            script = "cd /var/tmp/lint && rpmlint --config rpmlint.toml *.rpm selsock.spec"
            lines = run_in(root, ["sh", "-c", script], check=False).stdout.splitlines()
            assert any("3 packages and 1 specfiles checked" in line for line in lines), lines
            return [line for line in lines if re.search(r": [WE]: ", line)]

        yield said


def test_rpmlint_is_silent(lint: Callable[[str], list[str]]) -> None:
    """Of the packages and the spec, but for what rpmlint.toml gives a reason for."""
    assert lint((RPM / "rpmlint.toml").read_text()) == []


def test_each_exception_for_rpmlint_is_needed(lint: Callable[[str], list[str]]) -> None:
    """A filter that filters nothing would hide what comes later."""
    configuration = tomllib.loads((RPM / "rpmlint.toml").read_text())
    lines = lint('ValidLicenses = ["Apache-2.0"]\nCompressExtension = "gz"\n')
    assert [entry for entry in configuration["Filters"] if not any(re.search(entry, line) for line in lines)] == []


def macros() -> dict[str, str]:
    """What macros.compat defines: names and bodies."""
    found = {name: body for name, _, body in MACRO.findall(COMPAT)}
    assert len(found) == len(re.findall(r"^%\w", COMPAT, re.MULTILINE))
    return found


def evaluate(suite: str, expression: str, *options: str) -> str:
    """``expression`` as the rpm of a tree expands it."""
    with overlay(tree(suite)) as root:
        shutil.copy(RPM / "macros.compat", root / "var/tmp")
        return run_in(root, ["rpm", *options, "--eval", expression]).stdout


def test_macros_compat_defines_what_is_missing_and_nothing_else() -> None:
    """Each macro is used, and each is missing in a Debian's rpm; where one has it, it has the same."""
    names = macros()
    used = SPEC + "".join(names.values())
    assert [name for name in names if not re.search(rf"%{{?[?!]*{name}\b", used)] == []
    asked = "".join(f"{name}=%{{?{name}:%{{{name}}}}}%{{!?{name}:missing}}\n" for name in names)
    found = {
        suite: dict(line.split("=", 1) for line in evaluate(suite, asked).splitlines() if "=" in line)
        for suite in SUITES
    }
    assert [name for name in names if all(found[suite][name] != "missing" for suite in SUITES)] == []
    have = {(name, value) for suite in SUITES for name, value in found[suite].items() if value != "missing"}
    ours = evaluate("trixie", asked, "--load", "/var/tmp/macros.compat")
    assert [(name, value) for name, value in have if f"{name}={value}\n" not in ours] == []


@pytest.mark.parametrize("suite", SUITES)
def test_the_spec_is_understood(suite: str) -> None:
    """By rpm 4.18 and 4.20 with macros.compat: nothing is left unexpanded, and the scriptlets are for a plain sh."""
    with overlay(tree(suite)) as root:
        shutil.copy(RPM / "macros.compat", root / "var/tmp")
        shutil.copy(RPM / "selsock.spec", root / "var/tmp")
        # Only the tree that packages are built for has what this asks dpkg for.
        define = ["--define", "_selinux_policy_version 1"] if suite == "bookworm" else []
        done = run_in(
            root, ["rpmspec", "--load", "/var/tmp/macros.compat", *define, "--parse", "/var/tmp/selsock.spec"]
        )
    assert done.stderr == ""
    assert (
        re.findall(r"(?<!%)%\{?[a-z_]*(?:systemd|selinux|python|pyproject|auto(?:release|changelog))\w*", done.stdout)
        == []
    )
    assert "&>" not in done.stdout, "in Debian's sh that would run a command in the background"


def test_the_version_stands_in_one_place() -> None:
    """The spec has none of its own, and is given the package's."""
    dist()
    (version,) = re.findall(r'^__version__ = "(.+)"$', (CHECKOUT / "selsock/__init__.py").read_text(), re.MULTILINE)
    assert re.findall(r"^Version: +(.*)$", SPEC, re.MULTILINE) == ["0"]
    assert re.findall(r"^Version: +(.*)$", (CHECKOUT / "build/rpm/selsock.spec").read_text(), re.MULTILINE) == [version]
    shipped = run(["make", "--silent", "--no-print-directory", "shipped"], cwd=CHECKOUT).stdout.split("\0")
    code = [name for name in shipped if name and not name.endswith(".md")]
    assert [name for name in code if version in (CHECKOUT / name).read_text()] == ["selsock/__init__.py"]
