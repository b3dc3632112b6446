# SPDX-License-Identifier: Apache-2.0
"""What an auditor would ask of the domains that sessions of logins run in."""

import re
from pathlib import Path

import pytest

from tests.policy.conftest import Query
from tests.policy.test_assertions import Rule, members, parse, rules

# Each with the domains whose content it edits.
SESSIONS = {"web": ("web",), "app": ("app",), "app__web": ("app", "web")}
# A domain that runs code has a type for temporary files, too.
ACCESSES = {"web": ("content", "rw", "script"), "app": ("content", "rw", "script", "tmp")}
CONTENT = {f"selsock_{domain}_{access}_t" for domain, accesses in ACCESSES.items() for access in accesses}
# Where a directory of one domain lies below that of another.
WAYS = {("web", "selsock_app_content_t"), ("app", "selsock_web_content_t")}
EDITED = (
    {
        ("dir", word)
        for word in ("add_name", "create", "getattr", "open", "read", "remove_name", "rename", "reparent", "rmdir")
    }
    | {("dir", word) for word in ("search", "setattr", "write")}
    | {
        ("file", word)
        for word in ("append", "create", "getattr", "ioctl", "link", "lock", "map", "open", "read", "rename")
    }
    | {("file", word) for word in ("setattr", "unlink", "write")}
    | {("lnk_file", word) for word in ("create", "getattr", "link", "read", "rename", "setattr", "unlink")}
)


@pytest.fixture
def ask(logins: tuple[Path, Query]) -> Query:
    """The policy of the golden configuration with logins."""
    return logins[1]


def of(name: str) -> str:
    """A session's domain."""
    return f"selsock_{name}_login_t"


def own(name: str) -> set[str]:
    """The content that a session edits."""
    return {f"selsock_{domain}_{access}_t" for domain in SESSIONS[name] for access in ACCESSES[domain]}


def objects(ask: Query) -> set[str]:
    """What sessions have to do with at their own level alone, by the names that rules have for it."""
    return {
        *members(ask, "selsock_login_object"),
        "selsock_login_domain",
        *(f"selsock_{name}_login_content" for name in SESSIONS),
    }


def called(ask: Query, target: str) -> set[str]:
    """What a rule may call ``target``; of all types at once, for each question reads the whole policy."""
    line = next((line for line in ask("seinfo", "-x", "-t") if re.match(rf"type {target}\b", line)), "")
    return set(re.findall(r"\w+", line)[1:])


def on(ask: Query, name: str, target: str) -> set[Rule]:
    """The rules of a session for ``target``, by its name or by an attribute."""
    return {rule for rule in rules(ask, of(name)) if rule[1] in called(ask, target)}


def granted(ask: Query, name: str, permissions: str, *classes: str) -> set[str]:
    """On whose behalf ``name`` has one of ``permissions``: types, those of attributes of ours among them."""
    found = {rule[1] for rule in rules(ask, of(name), permissions=permissions) if not classes or rule[2] in classes}
    return set().union(*({target} if target.endswith("_t") else members(ask, target) for target in found))


def test_sessions_are_constrained(ask: Query) -> None:
    """By their categories; and they are nothing else: neither tenants, nor users of the distribution's."""
    sessions = set(map(of, SESSIONS))
    assert members(ask, "selsock_login_domain") == sessions
    for name in SESSIONS:
        attributes = called(ask, of(name)) - {of(name)}
        assert {"domain", "mcs_constrained_type", "process_user_target", "selsock_login_domain"} <= attributes
        assert (
            attributes & {"selsock_tenant_domain", "userdomain", "unpriv_userdomain", "privfd", "set_curr_context"}
            == set()
        )


def test_content_of_its_domains_is_edited_and_no_other(ask: Query) -> None:
    """All types of it, with all rights that editing takes, and none to execute or to label."""
    for name in SESSIONS:
        for content in CONTENT:
            found = {rule[2:] for rule in on(ask, name, content)}
            expected = EDITED if content in own(name) else {("dir", "search")} if (name, content) in WAYS else set()
            assert found == expected, (name, content)


def test_nothing_else_is_written(ask: Query) -> None:
    """Of files and directories: besides content, its own /proc."""
    making = "add_name append create link mounton relabelfrom relabelto remove_name rename reparent rmdir setattr unlink write"
    for name in SESSIONS:
        assert granted(ask, name, making, "file", "dir", "lnk_file") == own(name) | {of(name)}, name
        assert granted(ask, name, making, "fifo_file", "sock_file", "blk_file") - {of(name)} == {
            "setrans_runtime_t",
            "sshd_t",
        }
        devices = {"devtty_t", "null_device_t", "zero_device_t", "selsock_login_devpts_t"}
        assert granted(ask, name, making, "chr_file") == devices, name


def test_nothing_that_can_be_written_is_executed(ask: Query) -> None:
    """Programs are the system's, in its own domain; a session begins at a shell."""
    for name in SESSIONS:
        assert granted(ask, name, "execute_no_trans") == {"bin_t", "lib_t", "shell_exec_t"}, name
        executed = granted(ask, name, "entrypoint execmod execute execute_no_trans", "file")
        assert executed & granted(ask, name, "append create write", "file") == set(), name
        assert granted(ask, name, "entrypoint") == {"shell_exec_t"}, name


def test_there_is_no_way_out(ask: Query) -> None:
    """To no other domain, by exec or otherwise; no tracing, no memory to execute, no context of its own making."""
    never = (
        "dyntransition execheap execmem execstack nnp_transition noatsecure nosuid_transition ptrace setcap setcurrent"
    )
    never += " setexec setfscreate setkeycreate setsockcreate transition"
    for name in SESSIONS:
        assert rules(ask, of(name), permissions=never) == set(), name
        assert ask("sesearch", "--type_trans", "-s", of(name), "-c", "process") == [], name


def test_processes_of_others_are_left_alone(ask: Query) -> None:
    """Signals go to its own; those that ended a child of theirs are told so."""
    words = {
        "fork",
        "getpgid",
        "getsched",
        "getsession",
        "setpgid",
        "sigchld",
        "sigkill",
        "signal",
        "signull",
        "sigstop",
    }
    for name in SESSIONS:
        found = rules(ask, of(name), tclass="process")
        assert {rule[3] for rule in found if rule[1] == of(name)} == words, name
        assert {rule[3] for rule in found if rule[1] != of(name)} == {"sigchld"}, name


def test_a_session_is_begun_by_sshd_alone(ask: Query) -> None:
    """Of all types that are not exempt from everything; and sshd begins it, and ends it."""
    exempt = members(ask, "unconfined_domain_type")
    for name in SESSIONS:
        for permission in ("transition", "dyntransition"):
            found = parse(ask("sesearch", "-A", "-t", of(name), "-c", "process", "-p", permission))
            sources = {source for source, *_ in found}
            expanded = set().union(*({word} if word.endswith("_t") else members(ask, word) for word in sources))
            assert expanded - exempt == ({"sshd_t"} if permission == "transition" else set()), (name, permission)


def test_no_network_and_nothing_shared(ask: Query) -> None:
    """No socket but one to its own child, no D-Bus, no queue, no key, no capability; no /tmp and no /dev/shm."""
    classes = "bpf capability capability2 dbus io_uring key msg msgq perf_event sem service shm system user_namespace"
    for name in SESSIONS:
        found = rules(ask, of(name))
        assert {rule for rule in found if rule[2] in classes.split()} == set(), name
        assert {rule[2] for rule in found if rule[2].endswith("socket") and rule[1] == of(name)} == {
            "unix_stream_socket"
        }
        assert granted(ask, name, "connectto") == {"setrans_t"}, name
        assert granted(ask, name, "name_bind name_connect node_bind") == set(), name
        for place in (
            "tmp_t",
            "tmpfs_t",
            "cgroup_t",
            "system_dbusd_runtime_t",
            "user_tmp_t",
            "user_home_t",
            "ssh_home_t",
        ):
            assert on(ask, name, place) == set(), (name, place)
        assert {rule[2:] for rule in on(ask, name, "user_home_dir_t")} == {
            ("dir", word) for word in ("getattr", "open", "search")
        }


def test_what_decides_is_out_of_reach(ask: Query) -> None:
    """Table, configuration, policy and its store, passwords; tenants' processes, and selsock's own."""
    secrets = (
        "selsock_table_t selsock_passwd_t selinux_config_t default_context_t file_context_t policy_config_t shadow_t"
    )
    secrets += " semanage_store_t security_t"
    for name in SESSIONS:
        for target in (
            *secrets.split(),
            "selsock_web_t",
            "selsock_app_t",
            "selsock_t",
            "selsock_identify_t",
            "sshd_exec_t",
        ):
            assert on(ask, name, target) == set(), (name, target)


def test_programs_with_rights_of_their_own_are_not_started(ask: Query) -> None:
    """su, sudo, passwd, crontab and their like have types of their own."""
    for program in (
        "su_exec_t",
        "sudo_exec_t",
        "passwd_exec_t",
        "crontab_exec_t",
        "newrole_exec_t",
        "ssh_exec_t",
        "mount_exec_t",
    ):
        for name in SESSIONS:
            assert on(ask, name, program) == set(), (name, program)


@pytest.mark.parametrize("tclass", ["dir", "file", "lnk_file", "chr_file", "process"])
def test_a_session_has_to_do_with_its_own_level_alone(ask: Query, tclass: str) -> None:
    """Whatever it may do with content, processes and terminals, but for passing through a directory, is constrained."""
    lines = [line for line in ask("seinfo", "--constrain") if line.startswith(f"mlsconstrain {tclass} ")]
    (ours,) = (line for line in lines if "selsock_login_domain" in line)
    match = re.fullmatch(r"mlsconstrain \w+ { ([^}]*) } \((.*)\);?", ours)
    assert match, ours
    assert match[2].strip() == "t1 != selsock_login_domain or ( t2 != selsock_login_object ) or ( l1 == l2 )", ours
    assert members(ask, "selsock_login_object") == CONTENT | {*map(of, SESSIONS), "selsock_login_devpts_t"}
    # Search is the way; the rest is for one's own process, or comes with an open file.
    passing = {"fork", "ioctl", "lock", "map", "search"}
    may = {rule[3] for name in SESSIONS for rule in rules(ask, of(name), tclass=tclass) if rule[1] in objects(ask)}
    assert may - passing == set(match[1].split()), tclass


def test_logins_are_mapped(logins: tuple[Path, Query]) -> None:
    """Each to the user of its session, at the level of its vhost; homes get neither type nor level of ours."""
    lines = (logins[0] / "etc/selinux/default/seusers").read_text().split()
    assert {line for line in lines if "selsock_" in line} == {
        "dog:selsock_web_u:s0:c0,c1-s0:c0,c1",
        "cat:selsock_web_u:s0:c0,c2-s0:c0,c2",
        "kitten:selsock_web_u:s0:c0,c2-s0:c0,c2",
        "cow:selsock_app__web_u:s0:c0,c3-s0:c0,c3",
        "calf:selsock_app_u:s0:c0,c3-s0:c0,c3",
    }


def test_a_user_has_one_role_and_the_role_one_type(ask: Query) -> None:
    """Beside object_r, which every user has."""
    for name in SESSIONS:
        (user,) = (line for line in ask("seinfo", "-x", "-u", f"selsock_{name}_u") if line.startswith("user "))
        assert re.search(r"roles (.*?) level", user)
        assert set(re.findall(r"\w+_r\b", user)) - {"object_r"} == {f"selsock_{name}_login_r"}, user
        (role,) = (line for line in ask("seinfo", "-x", "-r", f"selsock_{name}_login_r") if line.startswith("role "))
        assert set(re.findall(r"\w+_t\b", role)) == {of(name)}, role
