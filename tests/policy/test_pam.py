# SPDX-License-Identifier: Apache-2.0
"""What an auditor would ask of the domain that asks PAM."""

import pytest

from tests.policy.conftest import Query
from tests.policy.test_assertions import TENANTS, members, parse, rules


def who(query: Query, target: str, tclass: str, permission: str) -> set[str]:
    """The types that have ``permission`` on ``target``, but for those that are exempt from everything."""
    sources = {source for source, *_ in parse(query("sesearch", "-A", "-t", target, "-c", tclass, "-p", permission))}
    found = set().union(*(members(query, name) if not name.endswith("_t") else {name} for name in sources))
    return found - members(query, "unconfined_domain_type")


def test_one_domain_may_ask(query: Query) -> None:
    """The one that knows who it is: neither who serves visitors, nor a tenant."""
    assert who(query, "selsock_pam_t", "unix_stream_socket", "connectto") == {"selsock_identify_t"}
    writing = who(query, "selsock_pam_runtime_t", "sock_file", "write")
    assert "selsock_identify_t" in writing
    assert writing & {*TENANTS, "selsock_t", "httpd_t", "user_t", "guest_t"} == set()


@pytest.mark.parametrize("permission", ["transition", "dyntransition"])
def test_it_is_entered_by_systemd_alone(query: Query, permission: str) -> None:
    """Which Debian's policy exempts from everything."""
    assert who(query, "selsock_pam_t", "process", permission) == set()


def test_nobody_of_ours_touches_it(query: Query) -> None:
    """It is not traced, signalled or read by whoever serves visitors, or by a tenant."""
    for source in (*TENANTS, "selsock_t"):
        assert rules(query, source, "selsock_pam_t") == set(), source


def test_it_becomes_its_helper_and_nothing_else(query: Query) -> None:
    """unix_chkpwd, in the domain that the distribution has for it; no memory that is both written and executed."""
    own = {(target, word) for _, target, _, word in rules(query, "selsock_pam_t", tclass="process")}
    ways = "transition dyntransition ptrace setcurrent setexec execmem execstack execheap setrlimit"
    assert {(target, word) for target, word in own if word in ways.split()} == {("chkpwd_t", "transition")}


def test_it_reads_no_secret_and_writes_no_file(query: Query) -> None:
    """Hashes are its helper's; but for what pam_faillock counts, its own /proc, and what every service of init has."""
    for secret in ("shadow_t", "selsock_passwd_t", "selsock_table_t", "etc_runtime_t"):
        assert {rule for rule in rules(query, "selsock_pam_t", secret) if rule[2] == "file"} == set(), secret
    written = {target for _, target, _, _ in rules(query, "selsock_pam_t", "", "file", "write append create unlink")}
    assert written == {"selsock_pam_t", "faillog_t", "init_tmpfs_t"}
    executed = {target for _, target, _, _ in rules(query, "selsock_pam_t", "", "file", "execute_no_trans")}
    assert executed == set()


def test_it_has_one_capability_and_no_network(query: Query) -> None:
    """To leave records; the other one of its unit, by which /etc/shadow is read, is its helper's."""
    own = rules(query, "selsock_pam_t", "selsock_pam_t")
    assert {word for _, _, tclass, word in own if tclass.startswith("capability")} == {"audit_write"}
    sockets = {tclass for _, _, tclass, word in own if word == "create" and tclass.endswith("socket")}
    assert sockets == {"netlink_audit_socket", "unix_dgram_socket", "unix_stream_socket"}
