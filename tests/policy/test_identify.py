# SPDX-License-Identifier: Apache-2.0
"""What an auditor would ask of the domain that knows who a visitor is, and of who may read files of users."""

import pytest

from tests.policy.conftest import Query
from tests.policy.test_assertions import HANDLERS, TENANTS, rules
from tests.policy.test_pam import who

SERVING = (*sorted(TENANTS), *sorted(HANDLERS))
OURS = {*SERVING, "selsock_identify_t", "selsock_pam_t", "selsock_sql_t"}


def test_the_handler_alone_may_ask(query: Query) -> None:
    """No tenant, no proxy, no login; and the socket's node is written to by nobody else of ours."""
    assert who(query, "selsock_identify_t", "unix_stream_socket", "connectto") == HANDLERS
    writing = who(query, "selsock_identify_runtime_t", "sock_file", "write")
    assert writing & {*OURS, "httpd_t", "user_t", "guest_t"} == HANDLERS


def test_files_of_users_are_read_by_those_that_check_them(query: Query) -> None:
    """Not by who serves visitors: a broken parser finds no hash."""
    for permission in ("read", "open"):
        readers = who(query, "selsock_passwd_t", "file", permission) & OURS
        assert readers == {"selsock_identify_t", "selsock_sql_t"}, permission
    assert who(query, "selsock_passwd_t", "file", "write") & OURS == set()


def test_the_handler_starts_no_program(query: Query) -> None:
    """It enters a tenant's domain, or ends.  To fork is what every domain may."""
    for handler in HANDLERS:
        own = {(target, word) for _, target, _, word in rules(query, handler, tclass="process")}
        assert {word for target, word in own if target in (handler, "self")} == {"fork", "setcurrent", "sigchld"}
        others = {word for target, word in own if target not in (handler, "self")}
        assert others - {"sigchld", "signull"} == {"dyntransition"}  # which every domain may, to init


def test_nobody_of_ours_touches_it(query: Query) -> None:
    """It is asked, and nothing else: not traced, signalled or read."""
    for source in TENANTS:
        assert rules(query, source, "selsock_identify_t") == set(), source
    asking = {(tclass, word) for _, _, tclass, word in rules(query, "selsock_t", "selsock_identify_t")}
    assert asking == {("unix_stream_socket", "connectto")}


@pytest.mark.parametrize(
    "way", ["transition", "dyntransition", "ptrace", "setcurrent", "setexec", "execmem", "execstack"]
)
def test_it_becomes_nothing_else(query: Query, way: str) -> None:
    """It forks, and that is all."""
    assert {
        target for _, target, _, word in rules(query, "selsock_identify_t", tclass="process") if word == way
    } == set()


def test_it_has_no_capability_and_no_network(query: Query) -> None:
    """A password that it is asked about goes nowhere but to PAM."""
    own = rules(query, "selsock_identify_t", "selsock_identify_t")
    assert {tclass for _, _, tclass, _ in own if tclass.startswith("capability")} == set()
    sockets = {tclass for _, _, tclass, word in own if word == "create" and tclass.endswith("socket")}
    assert sockets == {"unix_dgram_socket", "unix_stream_socket"}
    asked = {
        target
        for _, target, _, word in rules(query, "selsock_identify_t", tclass="unix_stream_socket")
        if word == "connectto"
    }
    assert {target for target in asked if target.startswith("selsock_")} == {"selsock_pam_t", "selsock_sql_t"}
