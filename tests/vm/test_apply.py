# SPDX-License-Identifier: Apache-2.0
"""selsock-generate vhost.yaml, as root, on the enforcing machine: a new vhost in a new domain, served at once."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def visits(vm: VirtualMachine) -> Iterator[list[str]]:
    """Within the block somebody asks for alpha.example again and again; the list has the statuses afterwards."""
    ask = "curl -s -o /dev/null -w '%{http_code}\\n' -H 'Host: alpha.example' http://localhost/"
    vm.ssh(f"rm -f /run/enough; (while ! [ -e /run/enough ]; do {ask}; done >/root/visits 2>&1 </dev/null &)")
    statuses: list[str] = []
    yield statuses
    vm.ssh("touch /run/enough; sleep 5")
    statuses += vm.ssh("cat /root/visits").stdout.split()


@pytest.mark.provokes("the link that is tried")
def test_apply_adds_a_vhost_and_takes_it_away(vm: VirtualMachine) -> None:
    """Policy, labels, table and units; the others go on, and notice nothing; who is inside what goes keeps his domain until
    he leaves, and a run that was killed at its last step is completed by the next; the pair of the vhost that went is
    never given again."""
    vm.put("/srv/vhosts/new/index.html", page("brand new")[0])
    vm.ssh("ln /srv/vhosts/alpha/index.html /srv/vhosts/new/stolen.html; ln -s /etc/shadow /srv/vhosts/new/shadow")
    mark = vm.mark()
    patient = machine_yaml().replace("limits: {failures", "limits: {idle_seconds: 250, failures", 1)
    assert patient != machine_yaml()
    try:
        with visits(vm) as statuses:
            said = generate(vm, patient.replace("domains:\n", "domains:\n  fresh: {}\n", 1) + NEW)
        assert len(statuses) > 5
        assert set(statuses) == {"200"}
        assert "loading policy module selsock_tenants" in said
        assert "stolen.html" in said, "a file with a second name is reported, not relabelled"
        assert curl(vm.http_port(80), "http://new.example/").content == page("brand new")[0].decode()
        assert curl(vm.http_port(80), "http://new.example/stolen.html").status == 403
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
        inside = http.client.HTTPConnection("127.0.0.1", vm.http_port(80))
        inside.request("GET", "/", headers={"Host": "new.example"})
        assert inside.getresponse().read() == page("brand new")[0]
    finally:
        vm.ssh("rm -r /srv/vhosts/new")
        with visits(vm) as statuses:
            said = killed(vm, machine_yaml(), "wrote /var/lib/selsock/table.cdb")
    assert set(statuses) == {"200"}
    assert "not looked at: " in said, "what has its labels is left alone"
    assert "selsock_fresh_t is no longer used, and stays until no process is in it" in said
    assert "unlabeled_t" not in domains(vm)
    inside.close()
    assert curl(vm.http_port(80), "http://new.example/").status == 421
    generate(vm, machine_yaml())
    assert not domains(vm) & {"selsock_fresh_t", "unlabeled_t"}
    assert "selsock_retired" not in vm.ssh("semodule -lfull").stdout
    assert vm.ssh(f"cat {YAML}.ranges").stdout == ledger
    assert curl(vm.http_port(80), "http://alpha.example/").status == 200


def killed(vm: VirtualMachine, yaml: str, line: str) -> str:
    """Apply ``yaml``, and kill that when it says ``line``; return what it said."""
    vm.put(YAML, yaml.encode())
    vm.ssh(f"selsock-generate {YAML} >/root/said 2>&1 </dev/null & echo $! >/root/pid")
    vm.ssh(f"until grep -q '^{line}' /root/said; do sleep 0.5; done; kill -KILL $(cat /root/pid)", timeout=600)
    vm.ssh("while pgrep -x semodule; do sleep 1; done", timeout=300)  # what it has started by then goes on
    return vm.ssh("cat /root/said").stdout


def domains(vm: VirtualMachine) -> set[str]:
    """The types of all processes."""
    return {line.split(":")[2] for line in vm.ssh("ps -eo label=").stdout.splitlines() if line.count(":") > 2}


def test_a_bad_configuration_changes_nothing(vm: VirtualMachine) -> None:
    """Exit 2, one line, and what served goes on serving."""
    bad, _, rest = machine_yaml().partition("range: auto")
    vm.put("/root/bad.yaml", f"{bad}rnage: auto{rest}".encode())
    done = vm.ssh("selsock-generate /root/bad.yaml", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"/root/bad.yaml:{len(bad.splitlines())}:5: vhosts.alpha.example.rnage: ")
    assert done.stderr.count("\n") == 1
    assert curl(vm.http_port(80), "http://alpha.example/").status == 200
