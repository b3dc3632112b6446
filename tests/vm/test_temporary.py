# SPDX-License-Identifier: Apache-2.0
"""The directory for temporary files that applying makes for a vhost: his code writes there, and no other's looks in.

code.example and lodger.example run in the same domain, so what is between them is the categories; tooled.example's
scripts run in another.
"""

import json
from typing import Any

import pytest

from tests.machines.vm import VirtualMachine
from tests.visitor import curl
from tests.vm.test_confinement import level_of, only, type_of

PLACE = "/var/cache/selsock/lodger.example"


def attempt(vm: VirtualMachine, host: str, query: str) -> Any:
    """What the application of ``host`` says of ``query``."""
    answer = curl(vm.http_port(80), f"http://{host}/app?{query}")
    assert answer.status == 200, answer
    return json.loads(answer.content)


@pytest.fixture(scope="module")
def written(vm: VirtualMachine) -> str:
    """A file that the application of lodger.example has made by tempfile, after the configuration was applied."""
    said = vm.ssh("selsock-generate /etc/selsock/vhost.yaml").stdout
    assert "loaded policy module" not in said, "what is applied is what is in the machine"
    name = attempt(vm, "lodger.example", "temporary=")["result"]
    assert name.rpartition("/")[0] == PLACE
    return str(name)


def test_code_has_its_temporary_files_in_a_directory_of_its_own(vm: VirtualMachine, written: str) -> None:
    """Of a type of its own, at the level of the vhost; the user is the handler's."""
    level = level_of(attempt(vm, "lodger.example", "context=")["result"])
    lines = vm.ssh(f"stat -c '%U %G %a %C' /var/cache/selsock {PLACE} {written}").stdout.splitlines()
    assert [line.rsplit(" ", 1)[0] for line in lines] == ["root root 711", "selsock selsock 700", "selsock selsock 600"]
    labels = [line.rsplit(" ", 1)[1] for line in lines]
    assert [type_of(label) for label in labels] == ["selsock_cache_t", "selsock_code_tmp_t", "selsock_code_tmp_t"]
    assert [level_of(label) for label in labels] == ["s0", level, level]
    assert attempt(vm, "lodger.example", f"open={written}") == {"result": "mine"}


@pytest.mark.provokes("the denials are what the test looks for")
@pytest.mark.parametrize(
    ("query", "error", "permission", "target"),
    [
        ("open={written}", "EACCES", "search", "selsock_code_tmp_t"),
        (f"create={PLACE}/planted", "EACCES", "search", "selsock_code_tmp_t"),
        (f"list={PLACE}", "EACCES", "read", "selsock_code_tmp_t"),
        ("list=/var/cache/selsock", "EACCES", "read", "selsock_cache_t"),
    ],
)
def test_code_of_another_vhost_finds_nothing_there(
    vm: VirtualMachine, written: str, query: str, error: str, permission: str, target: str
) -> None:
    """Of the same domain and the same user: the kernel refuses it by the category, and the parent by its type."""
    vm.ssh("chmod 755 /var/cache/selsock")  # so that it is not the mode
    mark = vm.mark()
    try:
        assert attempt(vm, "code.example", query.format(written=written)) == {"error": error}
    finally:
        vm.ssh("chmod 711 /var/cache/selsock")
    record = only(vm, mark, "dir", permission)
    assert (type_of(record["scontext"]), type_of(record["tcontext"])) == ("selsock_code_t", target)
