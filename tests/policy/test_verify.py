# SPDX-License-Identifier: Apache-2.0
"""selsockctl verify on the linked policy: nothing is wrong with it, and what is made wrong on purpose is found."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.machines.install import GENERATED_POLICY
from tests.machines.trees import run_in
from tests.policy.conftest import CASES, Query

SOURCE = "/etc/selsock/vhost.yaml"
# A rule alone opens nothing where categories stand between as well: between two types at s0 it does.
HOLE = "(allow selsock_shop_t selsock_public_content_t (dir (read)))\n"
# Where one tenant might leave something for another, and who might become one.
PLACES = "(allow selsock_shop_t tmp_t (file (append write)))\n(allow crond_t selsock_shop_t (process (transition)))\n"
HELD = "(typeattributeset mcs_constrained_type (selsock_tenant_domain))\n"
KILLING = "allow selsock_public_t selsock_public_t:process { fork setrlimit sigchld sigkill };"


def verified(root: Path, policy: str) -> tuple[int, dict[str, Any]]:
    """The exit status for the policy in the file ``policy``, and what is told as JSON."""
    done = run_in(root, ["selsockctl", "verify", "--json", "--policy", policy, SOURCE], check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_logins_reach_their_own_content_alone(logins: tuple[Path, Query]) -> None:
    """Sessions are contexts of their customer's, whose content they have to edit, and nobody else's."""
    root, _ = logins
    for name in ("vhost.yaml", "expected/etc/selsock/vhost.yaml.ranges"):
        (root / "root" / Path(name).name).write_bytes((CASES / "logins" / name).read_bytes())
    policy = f"/{path_of(root).relative_to(root)}"
    done = run_in(root, ["selsockctl", "verify", "--json", "--policy", policy, "/root/vhost.yaml"], check=False)
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert (done.returncode, found["proved"]) == (0, True)
    # No code of dog's runs: it is he who writes.
    (own,) = [cell for cell in found["own"] if cell["source"] == "dog.example"]
    assert {kind for kind, given in own["kinds"].items() if given} >= {"read", "write"}
    assert "execute" not in {kind for kind, given in own["kinds"].items() if given}


def path_of(root: Path) -> Path:
    """The policy that is linked in ``root``."""
    (policy,) = (root / "etc/selinux/default/policy").glob("policy.*")
    return policy


@pytest.fixture(scope="module")
def variants(linked: Path) -> dict[str, str]:
    """Policies beside the one that is linked, which is left as it is: with a rule more, and without what makes categories
    count."""
    own = path_of(linked).read_bytes()
    work = linked / "var/tmp"
    (work / "hole.cil").write_text(HOLE)
    (work / "places.cil").write_text(PLACES)
    tenants = (linked / GENERATED_POLICY.lstrip("/")).read_text()
    assert HELD in tenants
    (work / "unheld").mkdir()
    (work / "unheld/selsock_tenants.cil").write_text(tenants.replace(HELD, ""))
    load = ["semodule", "-n", "-X", "400"]
    made = {
        "hole": ["-i", "/var/tmp/hole.cil"],
        "places": ["-r", "hole", "-i", "/var/tmp/places.cil"],
        "unheld": ["-r", "places", "-i", "/var/tmp/unheld/selsock_tenants.cil"],
    }
    for name, words in made.items():
        run_in(linked, [*load, *words])
        shutil.copy(path_of(linked), work / f"{name}.policy")
    run_in(linked, [*load, "-i", GENERATED_POLICY])
    assert path_of(linked).read_bytes() == own
    return {name: f"/var/tmp/{name}.policy" for name in made}


def test_nothing_is_wrong(linked: Path) -> None:
    """The site of all tests, on Debian's policy: each tenant has what it was promised, and no more."""
    status, found = verified(linked, f"/{path_of(linked).relative_to(linked)}")
    assert found["faults"] == []
    assert (status, found["proved"]) == (0, True)
    assert [note for note in found["notes"] if " may become " in note] == []
    kinds = {
        (cell["source"], cell["target"], kind)
        for cell in found["cells"]
        for kind, given in cell["kinds"].items()
        if given
    }
    # Content without categories, in a domain that others have, too: the names of its files can be read.
    assert {(kind, target) for _, target, kind in kinds} == {("read", "refused.example")}
    own = {
        kind
        for cell in found["own"]
        if cell["source"] == "code.example"
        for kind, given in cell["kinds"].items()
        if given
    }
    assert {"read", "write", "execute"} <= own


def test_who_outside_may_write_is_named(linked: Path) -> None:
    """By rule and by boolean; no tenant is among them, and no service that a visitor reaches."""
    _, found = verified(linked, f"/{path_of(linked).relative_to(linked)}")
    always = {name for writers in found["writers"] for name in writers["always"]}
    sometimes = {name for writers in found["writers"] for name in writers["sometimes"]}
    assert {"unconfined_t", "init_t", "sysadm_t"} <= always
    assert {"smbd_t", "ftpd_t", "nfsd_t"} <= sometimes
    assert not {name for name in always | sometimes if name.startswith("selsock_")}
    assert not {"httpd_t", "guest_t", "user_t", "sshd_t"} & (always | sometimes)


def test_a_rule_that_opens_a_tenant_is_found(linked: Path, variants: dict[str, str]) -> None:
    """With its text, and where no category keeps the two apart."""
    status, found = verified(linked, variants["hole"])
    assert status == 1
    # Its own content of another domain at its level, and the other's, which has none.
    assert [fault["problem"].partition(" (")[0] for fault in found["faults"]] == [
        "beta.example may read refused.example's /srv/vhosts/refused",
        "beta.example may read its own /srv/vhosts/beta",
    ]
    for fault in found["faults"]:
        assert fault["rules"] == ["allow selsock_shop_t selsock_public_content_t:dir { read search };"]


def test_a_place_where_others_may_look_is_found(linked: Path, variants: dict[str, str]) -> None:
    """With the rule; and whoever may become a tenant's process is named, which is nobody's fault."""
    status, found = verified(linked, variants["places"])
    assert status == 1
    assert found["faults"] == [
        {
            "problem": "selsock_shop_t may write what is tmp_t, where others may look",
            "rules": ["allow selsock_shop_t tmp_t:file { append write };"],
        }
    ]
    note = "crond_t may become selsock_shop_t: allow crond_t selsock_shop_t:process transition;"
    assert [line for line in found["notes"] if " may become " in line] == [note]


def test_domains_that_categories_do_not_hold_are_found(linked: Path, variants: dict[str, str]) -> None:
    """Without mcs_constrained_type tenants of one domain end each other's processes, and list each other's directories."""
    status, found = verified(linked, variants["unheld"])
    assert status == 1
    problems = [fault["problem"] for fault in found["faults"]]
    for kind in ("signal", "read"):
        assert [line for line in problems if line.startswith(f"alpha.example may {kind} beta.example's ")], kind
    assert KILLING in {rule for fault in found["faults"] for rule in fault["rules"]}
