# SPDX-License-Identifier: Apache-2.0
"""selsockctl verify where the kernel enforces: the policy that is loaded, a process that tries, and the page in a browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machines.commands import run
from tests.machines.vm import VirtualMachine
from tests.vm.conftest import loaded

pytestmark = pytest.mark.provokes  # what is refused to the probe
FILE = "/srv/vhosts/beta/index.html"
PAGE = "/tmp/verify.html"
READ = "system_u:system_r:selsock_code_t:s0:c0,c5 could read /srv/vhosts/mapped/index.html"
ASKED = (
    "system_u:system_r:selsock_code_t:s0:c0,c5 could ask by signal 0 for system_u:system_r:selsock_public_t:s0:c0,c1"
)


@pytest.fixture(scope="module", autouse=True)
def _writable(vm: VirtualMachine) -> Iterator[None]:
    """A file that ordinary permissions let everybody write."""
    vm.ssh(f"chmod 666 {FILE}")
    yield
    vm.ssh(f"chmod 644 {FILE}")


def verified(vm: VirtualMachine) -> tuple[int, dict[str, Any]]:
    """The exit status, and what is told as JSON."""
    done = vm.ssh(f"selsockctl verify --json --html {PAGE}", check=False, timeout=600)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


@pytest.fixture(scope="module")
def holes(vm: VirtualMachine) -> tuple[int, dict[str, Any], str]:
    """The same, and the page, of a policy that lets one tenant read another's content, and ask for a third's processes."""
    with loaded(vm, "tests_holes"):
        status, found = verified(vm)
    return status, found, vm.ssh(f"cat {PAGE}").stdout


def test_tenants_can_not_reach_each_other(vm: VirtualMachine) -> None:
    """As promised, by the policy and by trial; each tenant was seen to read its own, and files were refused to others."""
    before = vm.ssh("ls /var/lib/selsock").stdout
    mark = vm.mark()
    status, found = verified(vm)
    assert found["faults"] == []
    assert (status, found["proved"]) == (0, True)
    probe = found["probe"]
    assert probe["contexts"] > 10
    assert probe["allowed"] > 20
    assert probe["refused"] > 500
    # Those that have no file that ordinary permissions let anybody read.
    assert [note for note in found["notes"] if "of its own" in note] == []
    assert vm.ssh("ls /var/lib/selsock").stdout == before
    tried = [
        one for one in vm.avcs(mark, "selsock_code_t") if one["scontext"].startswith("system_u:system_r:selsock_code_t")
    ]
    words = {word for one in tried for word in one["permissions"].split()}
    assert {"setcurrent", "signull", "ptrace", "search"} <= words


def test_holes_are_named_by_policy_and_by_trial(holes: tuple[int, dict[str, Any], str]) -> None:
    """Each with the rule that makes it, and as something that was done."""
    status, found, _ = holes
    assert status == 1
    problems = [fault["problem"] for fault in found["faults"]]
    rules = {rule for fault in found["faults"] for rule in fault["rules"]}
    assert "allow selsock_code_t selsock_reader_content_t:file { getattr open read };" in rules
    assert "allow selsock_code_t selsock_public_t:process signull;" in rules
    assert [line for line in problems if line.startswith("code.example may read mapped.example's /srv/vhosts/mapped")]
    assert f"{READ}, which vhost.yaml does not promise" in problems
    assert f"{ASKED}, which vhost.yaml does not promise" in problems
    assert not [line for line in problems if "which the policy does not allow" in line]


def test_browser_shows_the_matrix(holes: tuple[int, dict[str, Any], str], tmp_path: Path) -> None:
    """A row and a column for each class, where each letter leads to a part of the page; nothing is loaded for it."""
    page = tmp_path / "page.html"
    page.write_text(holes[2])
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    document = run(
        [*command, f"--user-data-dir={tmp_path}/profile", "--dump-dom", f"file://{page}"], timeout=120
    ).stdout
    rows = re.findall(r"<tr>.*?</tr>", document, re.DOTALL)
    assert len(rows) > 8
    assert {len(re.findall(r"<t[hd]>", row)) for row in rows} == {len(rows) + 1}
    wrong = re.findall(r'<a href="#([^"]+)" class="wrong" title="(\w+): wrong">', document)
    assert {kind for _, kind in wrong} == {"read", "signal"}
    anchors = re.findall(r'href="([^"]*)"', document)
    assert [link for link in anchors if link[0] != "#" or f'id="{link[1:]}"' not in document] == []
    assert re.findall(r"<(?:script|link|img|iframe|object|embed)\b|\b(?:src|srcset)=|url\(|@import", document) == []
    (number,) = [anchor for anchor, kind in wrong if kind == "signal" and f'id="{anchor}"' in document][:1]
    section = document.partition(f'id="{number}"')[2].partition("</section>")[0]
    assert "allow selsock_code_t selsock_public_t:process signull;" in section


def test_nothing_is_proved_where_nothing_is_denied(vm: VirtualMachine) -> None:
    """Permissive: the machine stands in the way."""
    vm.ssh("setenforce 0")
    try:
        done = vm.ssh("selsockctl verify", check=False)
    finally:
        vm.ssh("setenforce 1")
    assert done.returncode == 3
    assert done.stderr == "selsockctl: SELinux is permissive: nothing is denied here, whatever the policy says\n"
