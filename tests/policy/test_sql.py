# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what a database has, and where the service that asks it may go."""

from tests.policy.conftest import Query
from tests.policy.test_assertions import TENANTS, members, parse, rules

SERVICE, SOCKET = "selsock_sql_t", "selsock_sql_runtime_t"


def sources(query: Query, target: str, tclass: str, permission: str) -> set[str]:
    """The types that may, without those that may do everything."""
    found = {rule[0] for rule in parse(query("sesearch", "-A", "-t", target, "-c", tclass, "-p", permission))}
    types = set().union(*({name} if name.endswith("_t") else members(query, name) for name in found))
    return types - members(query, "unconfined_domain_type")


def test_one_domain_asks(query: Query) -> None:
    """The one that knows who it is; systemd is unconfined where Debian's policy has it so."""
    assert "selsock_identify_t" in sources(query, SERVICE, "unix_stream_socket", "connectto")
    asking = sources(query, SERVICE, "unix_stream_socket", "connectto") & sources(query, SOCKET, "sock_file", "write")
    assert {name for name in asking if name.startswith("selsock_")} == {"selsock_identify_t"}
    assert not asking & {"user_t", "guest_t", "httpd_t", "sshd_t"}


def test_a_tenant_does_not_know_it(query: Query) -> None:
    """No rule of any class, on the process, its files of /proc, or its socket."""
    for tenant in TENANTS:
        for target in (SERVICE, SOCKET, "selsock_sql_exec_t"):
            assert {rule for rule in rules(query, tenant, target) if rule[2] != "fd"} == set(), (tenant, target)


def test_it_runs_nothing_and_goes_nowhere(query: Query) -> None:
    """No exec, no other domain, no memory that is written and executed; fork is what the kernel asks about a thread, too."""
    words = "dyntransition transition ptrace setcurrent setexec execmem execstack"
    assert rules(query, SERVICE, "", "process", words) == set()
    assert rules(query, SERVICE, "", "file", "execute_no_trans") == set()


def test_where_it_may_go(query: Query) -> None:
    """To PostgreSQL, and to ask for the addresses of hosts."""
    ports = {target for _, target, _, _ in rules(query, SERVICE, "", "tcp_socket", "name_connect")}
    assert ports == {"dns_port_t", "postgresql_port_t"}
    assert rules(query, SERVICE, "", "tcp_socket", "name_bind listen accept") == set()


def test_what_it_reads_and_does_not_write(query: Query) -> None:
    """The table, and files of users; of those neither content nor name is changed."""
    for target in ("selsock_passwd_t", "selsock_table_t"):
        words = {(tclass, word) for _, _, tclass, word in rules(query, SERVICE, target)}
        assert {("file", "open"), ("file", "read"), ("dir", "search")} <= words
        assert {word for _, word in words} <= {"getattr", "ioctl", "lock", "open", "read", "search"}
    assert rules(query, SERVICE, "shadow_t") == set()
