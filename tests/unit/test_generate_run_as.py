# SPDX-License-Identifier: Apache-2.0
"""``run_as`` and ``limits`` of a vhost: what they become, and the line that each mistake is answered with."""

import grp
import os
import pwd
from itertools import pairwise
from pathlib import Path

import pytest

from selsock.generate import conflicts, run_as, shares
from selsock.generate.compiled import compile_table
from selsock.generate.configuration import Configuration, configure
from selsock.generate.plan import RUN_AS, Plan, plan
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load
from selsock.names import HostName
from tests.unit.fakes import GENERATION

LISTEN = "listen: [80, {address: 8080, run_as: true}]\n"
AROUND = "domains: {public: {}}\ndefault_context: public:s0\n"
AUTH = "    auth: {basic: {realm: R, pam: true}}\n"
ACCOUNTS = {"dog": (1501, 1501), "root": (0, 0), "daemon": (1, 1), "nobody": (65534, 65534), "old": (999, 999)}
GROUPS = {"dog": [1501, 2000, 100], "wheel": [1503, 0]}


@pytest.fixture(autouse=True)
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with these users; the file that says from which uid on they are no system's."""
    known = ACCOUNTS | {"wheel": (1503, 1503), "staff": (1504, 0)}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "x", *known[name], "", "/", "/bin/sh")))
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 7, [])))
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: GROUPS.get(name, [gid]))
    file = tmp_path / "login.defs"
    file.write_text("# UID_MIN 5\nUID_MAX 60000\nUID_MIN\t\t 1000\n")
    monkeypatch.setattr(run_as, "LOGIN_DEFS", file)
    return file


def configured(vhost: str, top: str = LISTEN) -> Configuration:
    """The configuration with one vhost that says ``vhost``.  Raises BadSource."""
    text = f"{top}{AROUND}vhosts:\n  a.example:\n    root: /srv/a\n{vhost}"
    found = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger())
    conflicts.check(found)
    return found


def planned(configuration: Configuration) -> Plan:
    """Its plan."""
    return plan(configuration, Ledger(), "/etc/selsock/vhost.yaml.ranges", b"")


def refused(vhost: str, top: str = LISTEN) -> str:
    """What the mistake is answered with, behind its place."""
    with pytest.raises(BadSource) as caught:
        configured(vhost, top)
    return str(caught.value).partition(": ")[2]


# ---- run_as


def test_an_account_is_numbers() -> None:
    """The lowest uid, uid, gid, and all groups, sorted."""
    (site,) = configured("    run_as: dog\n").sites
    assert site.run_as == run_as.RunAs("dog", (1000, 1501, 1501, 100, 1501, 2000))
    assert site.vhost.run_as == site.run_as.numbers


def test_whoever_has_signed_in_is_known_later() -> None:
    (site,) = configured(f"    run_as: authenticated\n{AUTH}").sites
    assert site.run_as == run_as.RunAs("authenticated", (1000,))


def test_without_the_key_there_is_none() -> None:
    (site,) = configured("").sites
    assert (site.run_as, site.vhost.run_as) == (None, ())


@pytest.mark.parametrize(
    ("text", "lowest"),
    [
        ("", 1000),
        ("UID_MIN 500\n", 500),
        ("UID_MIN 500\nUID_MIN 2000\n", 2000),
        ("UID_MIN x\n", 1000),
        ("UID_MIN 0\n", 1),
    ],
)
def test_lowest_uid_is_that_of_login_defs(accounts: Path, text: str, lowest: int) -> None:
    """login.defs(5); never root's."""
    accounts.write_text(text)
    assert run_as.lowest_uid() == lowest
    accounts.unlink()
    assert run_as.lowest_uid() == 1000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("root", "a user from uid 1000 on, who is not nobody, not 'root'"),
        ("daemon", "a user from uid 1000 on, who is not nobody, not 'daemon'"),
        ("old", "a user from uid 1000 on, who is not nobody, not 'old'"),
        ("nobody", "a user from uid 1000 on, who is not nobody, not 'nobody'"),
        ("staff", "a user who is not in group root, not 'staff'"),
        ("wheel", "a user who is not in group root, not 'wheel'"),
        ("ghost", "a user or group that this machine has, not 'ghost'"),
        ("1501", "the name of a user or group, not '1501'"),
        ("[dog]", "a single value, not a list"),
        ("authenticated", "the name of a user where there is no auth, not 'authenticated'"),
    ],
)
def test_accounts_that_nobody_is_served_as(name: str, expected: str) -> None:
    assert refused(f"    run_as: {name}\n") == f"vhosts.a.example.run_as: expected {expected}"


def test_a_vhost_with_run_as_needs_a_listener_for_it() -> None:
    expected = "expected a listener with run_as: true, since this vhost has run_as, not none"
    assert refused("    run_as: dog\n", "listen: [80]\n") == f"vhosts.a.example.run_as: {expected}"


@pytest.mark.parametrize(
    ("listen", "answer"),
    [
        ("[{address: 80, run_as: true}]", "listen: expected a listener without run_as at least, not a list"),
        ("[80, {address: 8080, run_as: yes}]", "listen[1].run_as: expected true, not 'yes'"),
        (
            '["192.0.2.1:80", {address: "192.0.2.2:80", run_as: true}]',
            "listen[1].address: expected another port than 192.0.2.1:80, since one of them has run_as, not '192.0.2.2:80'",
        ),
    ],
)
def test_listeners_that_can_not_be(listen: str, answer: str) -> None:
    assert refused("    run_as: dog\n", f"listen: {listen}\n") == answer


def test_a_unix_socket_for_each_kind() -> None:
    """Owner and mode are the unit's."""
    peer = "peer: {user: 7, type: haproxy_t}"
    two = f"listen: [80, {{unix: /run/selsock/a, {peer}}}, {{unix: /run/selsock/b, {peer}, run_as: true}}"
    plans = planned(configured("    run_as: dog\n", f"{two}]\n"))
    texts = {artifact.path: artifact.data.decode() for artifact in plans.artifacts if artifact.path.endswith("socket")}
    assert "ListenStream=80\nListenStream=/run/selsock/a\n" in texts["etc/systemd/system/selsock.socket"]
    assert "[Socket]\nListenStream=/run/selsock/b\n#" in texts[f"{RUN_AS}.socket"]
    assert "one UNIX socket at most, and one with run_as" in refused(
        "", f"{two}, {{unix: /run/selsock/c, {peer}, run_as: true}}]\n"
    )


def test_units_are_there_only_when_needed_and_one_alone_has_capabilities() -> None:
    """Of all that is rendered."""
    paths = {artifact.path for artifact in planned(configured("", "listen: [80]\n")).artifacts}
    assert not any(path.startswith(RUN_AS) for path in paths)
    with_it = planned(configured("    run_as: dog\n")).artifacts
    units = {artifact.path: artifact.data.decode() for artifact in with_it if artifact.path.endswith(".service")}
    given = {
        path: [line for line in text.splitlines() if line.startswith(CAPABILITIES)] for path, text in units.items()
    }
    both = ["AmbientCapabilities=CAP_SETGID CAP_SETUID", "CapabilityBoundingSet=CAP_SETGID CAP_SETUID"]
    none = ["AmbientCapabilities=", "CapabilityBoundingSet="]
    assert given == {f"{RUN_AS}@.service": both, "etc/systemd/system/selsock@.service": none}
    shipped = [path.read_text() for path in (Path(__file__).parents[2] / "units").glob("*.service")]
    assert not any("SETUID" in text or "SETGID" in text for text in shipped)


CAPABILITIES = ("AmbientCapabilities=", "CapabilityBoundingSet=")


def test_the_table_names_the_listeners() -> None:
    table = compile_table(configured("    run_as: dog\n"), GENERATION)
    assert b"\nrun_as\t8080\n" in table


# ---- limits


def limits_of(text: str, top: str = "") -> dict[str, int]:
    """``limits`` of a vhost, as the table has them."""
    (site,) = configured(f"    limits: {text}\n" if text else "", top).sites
    return site.vhost.limits


SLOTS = shares.first_slot(HostName("a.example"))


@pytest.mark.parametrize(
    ("text", "top", "found"),
    [
        ("", "", {}),
        ("{}", "", {}),
        ("{connections: 5}", "", {"connections": 5, "slots": SLOTS}),
        ("", "limits: {connections_per_vhost: 7}\n", {"connections": 7, "slots": SLOTS}),
        ("{connections: 9}", "limits: {connections_per_vhost: 7}\n", {"connections": 9, "slots": SLOTS}),
        ("{memory: 32M, tasks: 4}", "", {"memory.max": 32 << 20, "pids.max": 4}),
        ('{umask: "0027"}', "", {"umask": 0o27}),
        (
            "{rlimits: {nofile: 64, cpu: 1, nproc: 2, sigpending: 0, as: 1G, core: 0, data: 64M, fsize: 4K, stack: 8M}}",
            "",
            {"RLIMIT_NOFILE": 64, "RLIMIT_CPU": 1, "RLIMIT_NPROC": 2, "RLIMIT_SIGPENDING": 0, "RLIMIT_AS": 1 << 30}
            | {"RLIMIT_CORE": 0, "RLIMIT_DATA": 64 << 20, "RLIMIT_FSIZE": 4096, "RLIMIT_STACK": 8 << 20},
        ),
    ],
)
def test_limits_are_named_as_who_sets_them_has_them(text: str, top: str, found: dict[str, int]) -> None:
    assert limits_of(text, top) == found


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{connection: 5}", "connection: expected a known key, the nearest being 'connections', not 'connection'"),
        ("{connections: 0}", "connections: expected a number from 1 to 64, not '0'"),
        ("{connections: 65}", "connections: expected a number from 1 to 64, not '65'"),
        ("{memory: 65M}", "memory: expected at least 16M, and at most 64M, which limits gives, not '65M'"),
        ("{memory: 1G}", "memory: expected at least 16M, and at most 64M, which limits gives, not '1G'"),
        ("{memory: 8M}", "memory: expected at least 16M, and at most 64M, which limits gives, not '8M'"),
        ("{memory: 33554432}", "memory: expected an amount of memory such as 64M, not '33554432'"),
        ("{memory: 0}", "memory: expected an amount of memory such as 64M, not '0'"),
        ("{tasks: 17}", "tasks: expected a number from 1 to 16, not '17'"),
        ("{umask: 27}", "umask: expected a umask in four octal digits, such as 0027, not '27'"),
        ('{umask: "1027"}', "umask: expected a umask in four octal digits, such as 0027, not '1027'"),
        ('{umask: "0028"}', "umask: expected a umask in four octal digits, such as 0027, not '0028'"),
        ("{rlimits: {files: 5}}", "rlimits.files: expected a known key, the nearest being 'nofile', not 'files'"),
        ("{rlimits: {nofile: 63}}", "rlimits.nofile: expected a number from 64 to 2147483647, not '63'"),
        ("{rlimits: {nofile: unlimited}}", "rlimits.nofile: expected a number from 64 to 2147483647, not 'unlimited'"),
        ("{rlimits: {as: 32M}}", "rlimits.as: expected at least 64M, not '32M'"),
        ("{rlimits: {as: 0}}", "rlimits.as: expected an amount of memory such as 64M, not '0'"),
        ("{rlimits: {core: -1}}", "rlimits.core: expected an amount of memory such as 64M, not '-1'"),
        ("[5]", None),
    ],
)
def test_limits_that_can_not_be(text: str, answer: str | None) -> None:
    found = refused(f"    limits: {text}\n", "")
    assert found == (
        f"vhosts.a.example.limits.{answer}"
        if answer
        else "vhosts.a.example.limits: expected a mapping, {} when it is empty, not a list"
    )


def test_the_default_fits_into_the_whole() -> None:
    answer = refused("", "limits: {connections: 10, connections_per_vhost: 11}\n")
    assert (
        answer
        == "limits.connections_per_vhost: expected connections_per_vhost (11) to be at most connections (10), not '11'"
    )


def test_places_of_vhosts_are_apart_and_stay() -> None:
    """Each has room for all that it may have; another vhost's coming moves none."""
    found = sorted(shares.first_slot(HostName(f"v{number}.example")) for number in range(2000))
    assert min(after - before for before, after in pairwise(found)) >= shares.SLOTS
    assert found[-1] + shares.SLOTS < 2**63


@pytest.mark.parametrize(
    ("limits", "delegated"), [("{memory: 32M}", True), ("{tasks: 4}", True), ("{connections: 4}", False)]
)
def test_cgroups_are_delegated_only_where_one_is_needed(limits: str, delegated: bool) -> None:
    """It costs every connection of the unit."""
    unit = planned(configured(f"    limits: {limits}\n", "")).artifact("etc/systemd/system/selsock@.service").data
    assert (b"\nDelegate=memory pids\n" in unit) == delegated
