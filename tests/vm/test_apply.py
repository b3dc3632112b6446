# SPDX-License-Identifier: Apache-2.0
"""selsock-generate vhost.yaml, as root, on the enforcing machine: a new vhost in a new domain, served at once."""

import pytest

from tests.machines.vm import VirtualMachine
from tests.site import machine_yaml, page
from tests.visitor import curl

NEW = """
  new.example:
    root: /srv/vhosts/new
    domain: fresh
    range: auto
    contexts:
      - {any: true}
"""
YAML = "/etc/selsock/vhost.yaml"


def generate(vm: VirtualMachine, yaml: str) -> str:
    """Write ``yaml``, apply it, return what the generator said."""
    vm.put(YAML, yaml.encode())
    return vm.ssh(f"selsock-generate {YAML} 2>&1", timeout=600).stdout


@pytest.mark.provokes("the link that is tried")
def test_apply_adds_a_vhost_and_takes_it_away(vm: VirtualMachine) -> None:
    """Policy, labels, table and units; the others go on; the pair of the vhost that went is never given again."""
    vm.put("/srv/vhosts/new/index.html", page("brand new")[0])
    vm.ssh("ln /srv/vhosts/alpha/index.html /srv/vhosts/new/stolen.html; ln -s /etc/shadow /srv/vhosts/new/shadow")
    mark = vm.mark()
    try:
        said = generate(vm, machine_yaml().replace("domains:\n", "domains:\n  fresh: {}\n", 1) + NEW)
        assert "loading policy module selsock_tenants" in said
        assert "stolen.html" in said, "a file with a second name is reported, not relabelled"
        assert curl(vm.http_port(80), "http://new.example/").content == page("brand new")[0].decode()
        assert curl(vm.http_port(80), "http://new.example/stolen.html").status == 403
        assert curl(vm.http_port(80), "http://alpha.example/").status == 200
        labels = vm.ssh("stat -c %C /srv/vhosts/new/index.html /srv/vhosts/alpha/index.html /etc/shadow").stdout.split()
        assert [label.split(":")[2] for label in labels] == [
            "selsock_fresh_content_t",
            "selsock_public_content_t",
            "shadow_t",
        ]
        (record,) = vm.journal("SELSOCK_EVENT=apply", since=mark)
        assert f"generation {record['SELSOCK_GENERATION']}" in said
        assert vm.ssh(f"selsock-generate --diff {YAML}").stdout == ""
        ledger = vm.ssh(f"cat {YAML}.ranges").stdout
        assert "\nnew.example " in ledger
    finally:
        vm.ssh("rm -r /srv/vhosts/new")
        generate(vm, machine_yaml())
    assert vm.ssh(f"cat {YAML}.ranges").stdout == ledger
    assert curl(vm.http_port(80), "http://new.example/").status == 421
    assert curl(vm.http_port(80), "http://alpha.example/").status == 200


def test_a_bad_configuration_changes_nothing(vm: VirtualMachine) -> None:
    """Exit 2, one line, and what served goes on serving."""
    bad, _, rest = machine_yaml().partition("range: auto")
    vm.put("/root/bad.yaml", f"{bad}rnage: auto{rest}".encode())
    done = vm.ssh("selsock-generate /root/bad.yaml", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"/root/bad.yaml:{len(bad.splitlines())}:5: vhosts.alpha.example.rnage: ")
    assert done.stderr.count("\n") == 1
    assert curl(vm.http_port(80), "http://alpha.example/").status == 200
