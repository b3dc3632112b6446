# SPDX-License-Identifier: Apache-2.0
"""What each opt-in of a domain lets it do, asked of the golden configuration with every key; and that it is no more.

Its tenants: without an opt-in; app (python), which starts CGI programs in cgi (execute); both (python and execute).
"""

from pathlib import Path

import pytest

from tests.policy.conftest import Query
from tests.policy.test_assertions import Rule, members, parse, rules

PLAIN = ("public", "shop", "staff", "unused")
NAMES = (*PLAIN, "app", "both", "cgi")
READS = {"staff": ("public", "shop"), "app": ("public",)}
# Directories of others' content on the way to one's own.
WAYS = {
    *[("app", "staff_content"), ("both", "app_content"), ("cgi", "app_content")],
    *[("public", "staff_content"), ("shop", "public_content")],
}
SERVED = {("dir", word) for word in ["getattr", "open", "read", "search"]}
SERVED |= {("file", word) for word in ["getattr", "open", "read"]}
USED = {("file", word) for word in ["ioctl", "lock", "map"]}
LINKS = {("lnk_file", word) for word in ("getattr", "read")}
WRITTEN = {
    ("dir", word) for word in ["add_name", "create", "remove_name", "rename", "reparent", "rmdir", "setattr", "write"]
}
WRITTEN |= {("file", word) for word in ["append", "create", "link", "rename", "setattr", "unlink", "write"]}
CONNECTIONS = {
    "app": {"ldap_port_t", "memcache_port_t", "mysqld_port_t", "postgresql_port_t", "redis_port_t"},
    "cgi": {"http_port_t", "smtp_port_t"},
}
# Every domain of Debian's may write these; /dev/null and its like.
DEVICES = {"devtty_t", "null_device_t", "zero_device_t"}


@pytest.fixture
def ask(full: tuple[Path, Query]) -> Query:
    """The policy alone."""
    return full[1]


def of(name: str) -> str:
    """The type of a domain or of its content."""
    return f"selsock_{name}_t"


def granted(ask: Query, name: str, permissions: str) -> set[Rule]:
    """The rules that give the tenant ``name`` any of ``permissions`` in any class."""
    return rules(ask, of(name), permissions=permissions)


def targets(found: set[Rule], *classes: str) -> set[str]:
    """The targets of the rules for ``classes``."""
    return {target for _, target, tclass, _ in found if tclass in classes}


def expected_content(reader: str, owner: str, access: str) -> set[tuple[str, str]]:
    """What ``reader`` may do with the content of ``owner``."""
    runs = reader not in PLAIN
    if reader == owner:
        found = set(SERVED)
        if access == "content" and runs:
            found |= USED | LINKS | {("file", "execute")}
        if access in ("rw", "tmp") and runs:
            found |= USED | LINKS | WRITTEN
        if access == "script" and reader in ("both", "cgi"):
            found |= USED | LINKS | {("file", "execute"), ("file", "execute_no_trans")}
        if access == "script" and reader == "cgi":
            found |= {("file", "entrypoint")}
        return found
    if owner in READS.get(reader, ()) and access in ("content", "rw"):
        return SERVED | (USED if runs else set())
    if (reader, owner, access) == ("app", "cgi", "script"):
        return SERVED | {("file", "execute"), ("file", "map")}
    return {("dir", "search")} if (reader, f"{owner}_{access}") in WAYS else set()


def test_content_is_used_as_its_access_says(ask: Query) -> None:
    """Each domain with each type of content: all rights, and no other."""
    for reader in NAMES:
        for owner in NAMES:
            for access in ("content", "rw", "script", *["tmp"] * (owner not in PLAIN)):
                found = {rule[2:] for rule in rules(ask, of(reader), of(f"{owner}_{access}"))}
                assert found == expected_content(reader, owner, access), (reader, owner, access)


def test_temporary_files_lie_where_nobody_sees_whose(ask: Query) -> None:
    """The way there is open to those whose code runs, for others it is not even that."""
    for name in NAMES:
        found = {rule[2:] for rule in rules(ask, of(name), "selsock_cache_t")}
        assert found == (set() if name in PLAIN else {("dir", "getattr"), ("dir", "search")}), name
    for stranger in ("guest_t", "httpd_t", "user_t", "selsock_t", "selsock_identify_t", "selsock_pam_t"):
        for name in ("selsock_cache_t", of("app_tmp"), of("cgi_tmp"), of("both_tmp")):
            theirs = {rule for rule in rules(ask, stranger, name) if rule[2] in ("file", "dir")}
            assert {rule for rule in theirs if rule[3] not in ("getattr", "search")} == set()


def test_nothing_is_written_but_content_that_is_to_be(ask: Query) -> None:
    """Of all files and directories of the machine; besides that the devices of every domain, and its own /proc."""
    making = "add_name append create link mounton relabelfrom relabelto remove_name rename reparent rmdir setattr unlink write"
    for name in NAMES:
        own = {of(name)} | ({of(f"{name}_rw"), of(f"{name}_tmp")} if name not in PLAIN else set())
        found = granted(ask, name, making)
        assert targets(found, "file", "dir") == own, name
        assert targets(found, "lnk_file") == set(), name
        assert targets(found, "chr_file") == DEVICES, name
        assert targets(found, "blk_file") == set(), name


def test_nothing_that_can_be_written_is_executed(ask: Query) -> None:
    """Not even mapped as a shared object."""
    for name in NAMES:
        written = targets(granted(ask, name, "append create write"), "file")
        executed = targets(granted(ask, name, "entrypoint execmod execute execute_no_trans"), "file")
        assert written & executed == set(), name


def test_programs_are_run_with_execute_alone(ask: Query) -> None:
    """Without a transition: those of the system's two types that need none, and scripts of the domain's own."""
    for name in NAMES:
        programs = {"bin_t", "shell_exec_t", of(f"{name}_script")} if name in ("both", "cgi") else set()
        assert targets(granted(ask, name, "execute_no_trans"), "file") == programs, name


def test_the_only_way_out_is_the_one_that_was_asked_for(ask: Query) -> None:
    """app starts programs in cgi, by exec and never by setcon, and sees where they are; cgi names its own domain."""
    for name in NAMES:
        leaving = {rule[1:] for rule in granted(ask, name, "dyntransition transition nnp_transition nosuid_transition")}
        started = {("process", "transition"), ("process2", "nnp_transition"), ("process2", "nosuid_transition")}
        assert leaving == ({(of("cgi"), *pair) for pair in started} if name == "app" else set()), name
        setting = {rule[1:] for rule in granted(ask, name, "setexec")}
        assert setting == ({(of(name), "process", "setexec")} if name in ("app", "cgi") else set()), name
        seen = targets(rules(ask, of(name), tclass="file", permissions="read"), "file") & {of(other) for other in NAMES}
        assert seen == {of(name)} | ({of("cgi")} if name == "app" else set()), name


def test_a_program_begins_where_its_domain_allows(ask: Query) -> None:
    """At a script of its own, or at a program of the system, since git's is one; in no other domain at anything."""
    for name in NAMES:
        begins = {"bin_t", "shell_exec_t", of("cgi_script")} if name == "cgi" else set()
        assert targets(granted(ask, name, "entrypoint"), "file") == begins, name


def test_processes_are_left_alone(ask: Query) -> None:
    """Signals go to processes of the domain's own, and from who started a program to that; none can be asked whether a
    process is there, none traced, and nobody has executable memory or contexts of his own making."""
    never = "execheap execmem execstack getcap ptrace setcap setcurrent setfscreate setkeycreate setsockcreate signull"
    for name in NAMES:
        assert granted(ask, name, never) == set(), name
        own = {"fork", "setrlimit", "sigchld", "sigkill"} | ({"getsched"} if name not in PLAIN else set())
        own |= {"getpgid", "setpgid", "signal"} if name in ("both", "cgi") else set()
        own |= {"getattr", "setexec"} if name in ("app", "cgi") else set()
        assert {rule[3] for rule in rules(ask, of(name), of(name), "process")} == own, name
        others = {rule[1:] for rule in rules(ask, of(name), tclass="process") if "selsock" in rule[1]}
        words = ("getattr", "noatsecure", "rlimitinh", "sigkill", "siginh", "transition")
        expected = {(of("cgi"), "process", word) for word in words} if name == "app" else set()
        expected |= {(of("app"), "process", "sigchld")} if name == "cgi" else set()
        assert {rule for rule in others if rule[0] != of(name)} == expected, name


def test_connections_go_where_network_says(ask: Query) -> None:
    """By port; the names of servers are asked of the DNS.  Nobody listens."""
    for name in NAMES:
        ports = CONNECTIONS.get(name, set())
        connecting = targets(granted(ask, name, "name_connect"), "tcp_socket")
        assert connecting == (ports | {"dns_port_t"} if ports else set()), name
        assert granted(ask, name, "name_bind node_bind") == set(), name
        own = {rule[2] for rule in rules(ask, of(name), of(name)) if rule[2].endswith("socket")}
        inet = {"tcp_socket", "udp_socket"} if ports else set()
        assert own == {"unix_dgram_socket", "unix_stream_socket"} | inet, name
        assert granted(ask, name, "accept bind listen") == {
            # Of every domain's; a constraint denies it to tenants.
            (of(name), of(name), "unix_stream_socket", word)
            for word in ("accept", "bind", "listen")
        }, name


def test_unix_sockets_of_servers(ask: Query) -> None:
    """Two databases; besides them mcstransd's, which every domain may ask, and journald's."""
    for name in NAMES:
        databases = {"mysqld_t", "postgresql_t"} if name == "app" else set()
        assert targets(granted(ask, name, "connectto"), "unix_stream_socket") == databases | {"setrans_t"}, name
        assert targets(granted(ask, name, "sendto"), "unix_dgram_socket") == {"syslogd_t"}, name


def test_nothing_in_shared_places(ask: Query) -> None:
    """/tmp, /dev/shm, D-Bus, keyrings, cgroups and System V's and POSIX's queues belong to nobody here."""
    classes = {
        "bpf",
        "capability",
        "capability2",
        "dbus",
        "io_uring",
        "key",
        "msg",
        "msgq",
        "perf_event",
        "sem",
        "service",
    }
    for name in NAMES:
        found = rules(ask, of(name))
        assert {rule for rule in found if rule[2] in classes | {"shm", "system", "user_namespace"}} == set(), name
        places = {rule for rule in found if rule[1] in ("cgroup_t", "system_dbusd_runtime_t", "tmp_t", "tmpfs_t")}
        # The sockets of a database may lie in a directory of its own in /tmp.
        way = {(word,) for word in ("getattr", "open", "search")} if name == "app" else set()
        assert {rule[3:] for rule in places} == way, (name, places)


def test_opt_ins_are_what_the_configuration_says(ask: Query) -> None:
    """Members of each attribute."""
    assert members(ask, "selsock_python_domain") == {of("app"), of("both")}
    assert members(ask, "selsock_execute_domain") == {of("both"), of("cgi")}
    assert members(ask, "selsock_network_domain") == {of("app"), of("cgi")}
    assert members(ask, "selsock_starting_domain") == {of("app")}
    assert members(ask, "selsock_started_domain") == {of("cgi")}


def test_nobody_else_enters_a_domain_by_exec(ask: Query) -> None:
    """Of all types that are not exempt from everything."""
    exempt = members(ask, "unconfined_domain_type")
    for name in NAMES:
        found = parse(ask("sesearch", "-A", "-t", of(name), "-c", "process", "-p", "transition"))
        sources = {source for source, *_ in found}
        expanded = set().union(*(members(ask, word) if not word.endswith("_t") else {word} for word in sources))
        assert expanded - exempt == ({of("app")} if name == "cgi" else set()), name
