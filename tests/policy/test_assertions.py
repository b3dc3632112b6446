# SPDX-License-Identifier: Apache-2.0
"""What an auditor would ask of the linked policy.  That it links with neverallow rules checked is the fixture's claim."""

import re

from tests.policy.conftest import Query

# Where a connection begins: on listeners without run_as, and on those with it.
HANDLERS = {"selsock_t", "selsock_run_as_t"}
PLAIN = {"selsock_public_t", "selsock_staff_t", "selsock_shop_t"}  # without an opt-in; test_opt_ins has the others
TENANTS = PLAIN | {"selsock_code_t"}
CONTENT = {tenant.removesuffix("t") + "content_t" for tenant in TENANTS}
ALL_CONTENT = CONTENT | {name.replace("content", access) for name in CONTENT for access in ("rw", "script")}
ALL_CONTENT |= {"selsock_code_tmp_t"}


def members(query: Query, attribute: str) -> set[str]:
    """The types of an attribute."""
    return {line for line in query("seinfo", "-x", "-a", attribute) if re.fullmatch(r"\w+_t", line)}


Rule = tuple[str, str, str, str]


def parse(lines: list[str]) -> set[Rule]:
    """(source, target, class, permission) of the allow rules that sesearch prints, attributes as they stand."""
    found: set[Rule] = set()
    for line in lines:
        match = re.match(r"allow (\S+) (\S+):(\S+) (?:\{ ([^}]*) \}|(\S+));", line)
        assert match, line
        found.update((match[1], match[2], match[3], word) for word in (match[4] or match[5]).split())
    return found


def names_of(query: Query, target: str) -> set[str]:
    """What a rule may call the type ``target``: by its name, or by one of its attributes."""
    (line,) = (line for line in query("seinfo", "-x", "-t", target) if line.startswith("type "))
    return set(re.findall(r"\w+", line)[1:])


def rules(query: Query, source: str, target: str = "", tclass: str = "", permissions: str = "") -> set[Rule]:
    """The rules for ``source``; with ``target``, those that hold for it, by its name or by an attribute.

    One search for each source, since every one reads the whole policy.
    """
    names = names_of(query, target) if target else set()
    return {
        rule
        for rule in parse(query("sesearch", "-A", "-s", source))
        if (not target or rule[1] in names)
        and tclass in ("", rule[2])
        and (not permissions or rule[3] in permissions.split())
    }


def test_tenants_are_exactly_the_declared_domains(query: Query) -> None:
    """And each is constrained by its categories."""
    assert members(query, "selsock_tenant_domain") == TENANTS
    assert TENANTS <= members(query, "mcs_constrained_type")
    assert HANDLERS & members(query, "mcs_constrained_type") == set()


def test_only_selsock_may_change_its_context(query: Query) -> None:
    """No tenant has setcurrent, whatever the target."""
    for handler in HANDLERS:
        assert {rule[1] for rule in rules(query, handler, "", "process", "setcurrent")} <= {handler, "self"}
        assert rules(query, handler, "", "process", "setcurrent")
    for tenant in TENANTS:
        assert rules(query, tenant, "", "process", "setcurrent") == set()


def test_only_selsock_may_enter_a_tenant(query: Query) -> None:
    """Of all types that are not exempt from everything: by setcon, by exec, or by being born there."""
    unconfined = members(query, "unconfined_domain_type")
    for tenant in TENANTS:
        for permission in ("dyntransition", "transition"):
            found = parse(query("sesearch", "-A", "-t", tenant, "-c", "process", "-p", permission))
            sources = {source for source, *_ in found}
            expanded = set().union(*(members(query, name) if not name.endswith("_t") else {name} for name in sources))
            entering = HANDLERS if permission == "dyntransition" else set()
            assert expanded - unconfined == entering, (tenant, permission, expanded)


def test_a_tenant_leaves_for_nowhere(query: Query) -> None:
    """No dyntransition or transition out, not even to itself."""
    ways_out = "dyntransition transition ptrace setcurrent setexec setfscreate setsockcreate execmem"
    for tenant in TENANTS:
        assert rules(query, tenant, "", "process", ways_out) == set(), tenant


def test_selsock_reads_no_content(query: Query) -> None:
    """No domain of the handler's has a rule on any type of content."""
    for content in ALL_CONTENT:
        for handler in HANDLERS:
            assert rules(query, handler, content) == set()


def test_what_may_change_its_user_may_else_what_the_other_may(query: Query) -> None:
    """The two domains of the handler, rule by rule; one has two capabilities, and reads who the accounts are."""
    plain, changing = (
        {("own" if target == handler else target, *rest) for _, target, *rest in rules(query, handler)}
        for handler in ("selsock_t", "selsock_run_as_t")
    )
    assert {target for target, *_ in plain - changing} <= {"selsock_exec_t"}  # each begins with its own program
    changing = {rule for rule in changing if rule[0] != "selsock_run_as_exec_t"}
    more = {(target, tclass) for target, tclass, _ in changing - plain}
    assert ("own", "capability") in more
    assert {word for target, tclass, word in changing - plain if tclass.startswith("cap")} == {"setgid", "setuid"}
    assert {tclass for _, tclass in more} <= {
        "capability",
        "file",
        "dir",
        "lnk_file",
        "sock_file",
        "unix_stream_socket",
    }
    assert {word for _, tclass, word in changing - plain if tclass == "file"} <= {
        "getattr",
        "ioctl",
        "lock",
        "open",
        "read",
    }


def test_nobody_else_of_ours_has_a_capability(query: Query) -> None:
    """But the one that asks PAM, which reads /etc/shadow through its helper and writes to the audit log.

    net_bind_service comes with the right to the port, which systemd binds; no unit gives it.
    """
    for source in (*TENANTS, "selsock_t", "selsock_identify_t", "selsock_sql_t"):
        words = {rule[3] for rule in rules(query, source) if rule[2].startswith("cap")}
        assert words == ({"net_bind_service"} if source == "selsock_t" else set()), source


def test_places_and_cgroups_are_the_handlers(query: Query) -> None:
    """A tenant frees no place, and leaves no cgroup."""
    for tenant in TENANTS:
        assert rules(query, tenant, "selsock_slots_t") == set()
        assert {rule for rule in rules(query, tenant, "cgroup_t") if rule[3] in ("open", "write", "create")} == set()
    for handler in HANDLERS:
        granted = {word for _, _, tclass, word in rules(query, handler, "selsock_slots_t") if tclass == "file"}
        assert granted == {"lock", "open", "read", "write"}


def test_a_tenant_reads_its_content_and_what_it_is_said_to_read(query: Query) -> None:
    """All file and dir rules on content, tenant by tenant; none writes, for no code of theirs runs."""
    own = {
        tenant: {tenant.removesuffix("t") + f"{access}_t" for access in ("content", "rw", "script")} for tenant in PLAIN
    }
    own["selsock_staff_t"] |= {"selsock_public_content_t", "selsock_public_rw_t"}
    for tenant in PLAIN:
        for content in ALL_CONTENT:
            found = {(tclass, permission) for _, _, tclass, permission in rules(query, tenant, content)}
            expected = {("file", word) for word in ("getattr", "open", "read")}
            expected |= {("dir", word) for word in ("getattr", "open", "read", "search")}
            if content not in own[tenant]:
                way = (tenant, content) == ("selsock_shop_t", "selsock_public_content_t")
                expected = {("dir", "search")} if way else set()
            assert found == expected, (tenant, content)


def test_a_tenant_reaches_nothing_above_the_line(query: Query) -> None:
    """Table, passwords, shadow, selsock_t's own processes and files of /proc."""
    for tenant in TENANTS:
        for target in ("selsock_table_t", "selsock_passwd_t", "shadow_t"):
            assert {rule for rule in rules(query, tenant, target) if rule[2] != "dir"} == set(), target
        # Not open: the status page comes with the process.
        assert {rule[2:] for rule in rules(query, tenant, "security_t") if rule[2] != "dir"} == {("file", "read")}
        of_both = [{rule[2:] for rule in rules(query, tenant, handler)} for handler in sorted(HANDLERS)]
        on_selsock = of_both[0]
        assert of_both[1] == on_selsock
        words = ("getattr", "getopt", "read", "setopt", "shutdown", "write")
        connection = {(name, word) for name in ("tcp_socket", "unix_stream_socket") for word in words}
        assert on_selsock == connection | {("fd", "use")}


def test_a_tenant_writes_no_file_and_executes_none(query: Query) -> None:
    """But for the devices that every domain has, its own /proc, and the sockets of journald and mcstransd."""
    for tenant in PLAIN:
        for permissions in ("write append create", "execute_no_trans"):
            files = {target for _, target, _, _ in rules(query, tenant, "", "file", permissions)}
            # Debian's policy gives every domain its own files of /proc.
            assert files == ({tenant} if "write" in permissions else set()), tenant


def test_a_tenant_opens_no_connection_of_its_own(query: Query) -> None:
    """No TCP, UDP or raw socket of its own label."""
    for tenant in TENANTS:
        found = {tclass for _, _, tclass, _ in rules(query, tenant, tenant)}
        assert {name for name in found if name.endswith("socket")} == {"unix_dgram_socket", "unix_stream_socket"}


def test_nobody_else_of_note_reads_or_writes_content(query: Query) -> None:
    """Neither other tenants, nor guests, nor Apache."""
    for content in ALL_CONTENT:
        for stranger in ("guest_t", "httpd_t", "user_t", "sshd_t"):
            granted = {rule for rule in rules(query, stranger, content) if rule[2] == "file"}
            assert granted == set(), (stranger, content, granted)


def test_content_is_read_at_its_own_level(query: Query) -> None:
    """A file that lacks the categories of its vhost is nobody's; the constraint stands beside Debian's own."""
    assert members(query, "selsock_exact_content") == ALL_CONTENT
    constraints = [line for line in query("seinfo", "--constrain", "file") if "selsock_exact_content" in line]
    (constraint,) = constraints
    assert constraint == (
        "mlsconstrain file { append open read write } "
        "(t1 != selsock_tenant_domain or ( t2 != selsock_exact_content ) or ( l1 == l2 ));"
    )
