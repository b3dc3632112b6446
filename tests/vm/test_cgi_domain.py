# SPDX-License-Identifier: Apache-2.0
"""A CGI program in a domain of its own (*domain* of a location): entered by execve under no_new_privs, or not run."""

import pytest

from tests.machines.vm import VirtualMachine
from tests.visitor import curl
from tests.vm.conftest import loaded
from tests.vm.test_confinement import level_of, only, type_of


def ask(vm: VirtualMachine) -> tuple[int, str]:
    """Status and content of the script's answer."""
    answer = curl(vm.http_port(80), "http://tooled.example/cgi-bin/where")
    return answer.status, answer.content


def test_a_program_runs_in_its_own_domain_at_the_visitors_level(vm: VirtualMachine) -> None:
    """Its parent, which holds the connection, stays where it is."""
    mark = vm.mark()
    status, context = ask(vm)
    assert status == 200
    outcomes = vm.journal("SELSOCK_EVENT=outcome", "SELSOCK_VHOST=tooled.example", since=mark)
    (parent,) = [record["_SELINUX_CONTEXT"] for record in outcomes]
    assert (type_of(context), type_of(parent)) == ("selsock_tools_t", "selsock_front_t")
    assert level_of(context) == level_of(parent) != "s0"
    assert context.split(":")[:2] == parent.split(":")[:2]


@pytest.mark.provokes("the denial is what the test looks for")
def test_a_program_that_cannot_enter_its_domain_is_not_run(vm: VirtualMachine) -> None:
    """execve fails; without attr/exec it would have gone on in the caller's domain."""
    with loaded(vm, "tests_barred"):
        mark = vm.mark()
        assert ask(vm)[0] == 403
        record = only(vm, mark, "process2", "nnp_transition")
        assert (type_of(record["scontext"]), type_of(record["tcontext"])) == ("selsock_front_t", "selsock_tools_t")
        outcomes = vm.journal("SELSOCK_EVENT=outcome", "SELSOCK_VHOST=tooled.example", since=mark)
        reason = "/srv/vhosts/tooled/cgi-bin/where could not be run: Operation not permitted"
        assert [record["SELSOCK_REASON"] for record in outcomes] == [reason]
    assert ask(vm)[0] == 200
