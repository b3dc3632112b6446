# SPDX-License-Identifier: Apache-2.0
"""systemd's own opinion of the units that are generated, on both versions."""

import subprocess
from pathlib import Path

import pytest

from tests.machines.commands import CHECKOUT
from tests.machines.install import install_selsock
from tests.machines.trees import overlay, run_in, tree
from tests.unit.test_golden import CASES, GOLDEN

UNITS = "etc/systemd/system"
# What systemd 252 does not know, and the template says so; nothing else may be unknown to it.
UNKNOWN = {"bookworm": {"PollLimitBurst", "PollLimitIntervalSec"}, "trixie": set[str]()}
# Those that are packaged as they are.
STATIC = sorted(path.name for path in (CHECKOUT / "units").glob("selsock-*") if path.suffix != ".j2")
# systemd's own measure of what a service could still do, from 0 to 10; it does not know of SELinux.  Mount namespaces
# would get it below 2, and cost several milliseconds per connection.
EXPOSURE = 30  # tenths


def analyze(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze.  Through a shell: as PID 1, which run_in makes of a command, it would log to /dev/kmsg."""
    return run_in(machine, ["sh", "-c", 'systemd-analyze "$@"; exit $?', "sh", *arguments], check=False)


@pytest.fixture(scope="session")
def root(suite: str) -> Path:
    """The tree of a suite, not to be written to."""
    return tree(suite)


@pytest.mark.parametrize("case", CASES)
def test_systemd_finds_nothing_wrong(suite: str, root: Path, case: str) -> None:
    with overlay(root) as machine:
        install_selsock(machine)
        for unit in (GOLDEN / case / "expected" / UNITS).iterdir():
            (machine / UNITS / unit.name).write_bytes(unit.read_bytes())
        units = ["selsock.socket", "selsock@.service", "system-selsock.slice", *STATIC]
        done = analyze(machine, "verify", "--man=no", *units)
    lines = [line for line in done.stderr.splitlines() if "selsock" in line]
    unknown = {key for key in UNKNOWN[suite] for line in lines if f"Unknown key '{key}' in section [Socket]" in line}
    others = [
        line for line in lines if not any(f"Unknown key '{key}' in section [Socket]" in line for key in UNKNOWN[suite])
    ]
    assert others == []
    assert unknown == UNKNOWN[suite]
    assert done.returncode == 0, done.stderr


def test_the_control_a_unit_with_a_mistake_is_found(suite: str, root: Path) -> None:
    """Otherwise the test above could pass because nothing was looked at."""
    with overlay(root) as machine:
        install_selsock(machine)
        for unit in (GOLDEN / "minimal" / "expected" / UNITS).iterdir():
            text = unit.read_text().replace("NoNewPrivileges=", "NoNewPrivilege=")
            (machine / UNITS / unit.name).write_text(text)
        done = analyze(machine, "verify", "--man=no", "selsock@.service")
    assert "Unknown key 'NoNewPrivilege' in section [Service]" in done.stderr


def test_exposure(suite: str, root: Path) -> None:
    with overlay(root) as machine:
        install_selsock(machine)
        for unit in (GOLDEN / "minimal" / "expected" / UNITS).iterdir():
            (machine / UNITS / unit.name).write_bytes(unit.read_bytes())
        done = analyze(machine, "security", "--offline=true", f"--threshold={EXPOSURE}", "selsock@.service")
    assert done.returncode == 0, done.stdout


def test_sysusers_and_tmpfiles_are_understood(root: Path) -> None:
    """And give the handler a user that owns nothing, and a directory that it can only read."""
    with overlay(root) as machine:
        install_selsock(machine)
        run_in(machine, ["systemd-sysusers", "selsock.conf"])
        run_in(machine, ["systemd-tmpfiles", "--create", "selsock.conf"])
        user = run_in(machine, ["getent", "passwd", "selsock"]).stdout.strip().split(":")
        state = run_in(machine, ["stat", "-c", "%U %G %a", "/var/lib/selsock"]).stdout.strip()
    assert user[5:] == ["/", "/usr/sbin/nologin"]
    assert state == "root selsock 750"
