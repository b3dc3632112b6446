# SPDX-License-Identifier: Apache-2.0
"""run_as: which account a vhost is served as, and that the process has become it and nothing else."""

import os
import pwd
from pathlib import Path

import pytest

from selsock.context import Context
from selsock.errors import Challenge, ConfineFault, PeerFault
from selsock.handler import confine
from selsock.handler.account import find
from selsock.model import Location, Vhost
from selsock.names import AbsolutePath, HostName, Realm, UserName

SYSTEMS = "is an account of the system's, or in root's group"


def vhost(*run_as: int, basic: bool = True) -> Vhost:
    """One with these numbers."""
    realm = Realm("A") if basic else None
    location = Location((), (), Context.parse("a_t:s0"))
    return Vhost((HostName("dog.example"),), AbsolutePath("/srv"), realm, (location,), run_as=run_as)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with dog, and some that nobody may become."""
    known = {"dog": (1501, 1501), "root": (0, 0), "daemon": (1, 1), "nobody": (65534, 65534), "staff": (1502, 0)}

    def getpwnam(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", *known[name], "", "/", "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    groups = {"dog": [1501, 2000, 100, 2000], "wheel": [1503, 0]}
    monkeypatch.setattr("posix.getgrouplist", lambda name, gid: groups.get(name, [gid]))


def test_numbers_of_the_table_are_the_account() -> None:
    """Nobody is looked up; groups are sorted, each once, as the kernel tells them."""
    assert find(vhost(1000, 1501, 1501, 2000, 1501, 100), None) == (1501, 1501, 100, 1501, 2000)


@pytest.mark.parametrize(
    "numbers",
    [
        (1000, 0, 1501, 1501),
        (1000, 999, 1501, 1501),
        (0, 0, 1501, 1501),
        (-5, -1, 1501, 1501),
        (1000, -1, 1501, 1501),
        (1000, 65534, 1501, 1501),
        (1000, 1501, 0, 1501),
        (1000, 1501, -1, 1501),
        (1000, 1501, 1501, 1501, 0),
        (1000, 1501, 1501, -1),
    ],
)
def test_accounts_of_the_system_are_refused_again(numbers: tuple[int, ...]) -> None:
    """Whatever the table says: -1 would leave an id as it is."""
    with pytest.raises(PeerFault, match=SYSTEMS) as caught:
        find(vhost(*numbers), None)
    assert caught.value.status == 403


@pytest.mark.usefixtures("accounts")
def test_who_has_signed_in_has_his_own_account() -> None:
    assert find(vhost(1000), UserName("dog")) == (1501, 1501, 100, 1501, 2000)


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("user", ["root", "daemon", "nobody", "staff"])
def test_who_has_signed_in_as_the_system_is_refused(user: str) -> None:
    with pytest.raises(PeerFault, match=SYSTEMS):
        find(vhost(1000), UserName(user))


@pytest.mark.usefixtures("accounts")
def test_who_has_no_account_is_refused() -> None:
    with pytest.raises(PeerFault, match="run_as: authenticated, and nobody here is called ghost") as caught:
        find(vhost(1000), UserName("ghost"))
    assert (caught.value.status, type(caught.value)) == (403, PeerFault)


@pytest.mark.usefixtures("accounts")
def test_who_has_not_signed_in_is_asked_to() -> None:
    """Or refused, where a proxy had to say who he is."""
    with pytest.raises(Challenge, match="nobody has signed in"):
        find(vhost(1000), None)
    with pytest.raises(PeerFault, match="nobody here is called nothing") as caught:
        find(vhost(1000, basic=False), None)
    assert caught.value.status == 403


# ---- confine


def status(**changes: str) -> str:
    """/proc/self/status of a process that has become uid 1501."""
    lines = dict.fromkeys(("CapInh", "CapBnd"), "00000000000000c0")
    lines |= dict.fromkeys(("CapPrm", "CapEff", "CapAmb"), "0000000000000000")
    lines |= {"Threads": "1", "NoNewPrivs": "1", "Uid": "1501\t1501\t1501\t1501", "Gid": "1501\t1501\t1501\t1501"}
    lines |= {"Groups": "100 1501 2000 ", **changes}
    return "".join(f"{name}:\t{value}\n" for name, value in lines.items())


class Posix:
    """In place of ``posix``, as confine sees it: the test's own status, and the calls that were made."""

    def __init__(self, file: Path, refuses: str = "") -> None:
        self.file, self.refuses = file, refuses
        self.calls: list[tuple[object, ...]] = []

    def open(self, path: str, flags: int) -> int:
        """The test's own file."""
        return os.open(self.file, flags)

    def __getattr__(self, name: str) -> object:
        """What changes ids is noted, or refused; the rest is real."""

        def call(*arguments: object) -> None:
            self.calls.append((name, *arguments))
            if name == self.refuses:
                raise PermissionError(1, "Operation not permitted")

        return call if name.startswith("set") else getattr(os, name)


ACCOUNT = (1501, 1501, 100, 1501, 2000)


def test_ids_are_changed_by_way_of_a_real_uid_of_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the kernel clears what is permitted; the effective uid is never 0."""
    monkeypatch.setattr(confine, "posix", posix := Posix(tmp_path))
    confine.become(*ACCOUNT)
    assert posix.calls == [
        ("setgroups", (100, 1501, 2000)),
        ("setresgid", 1501, 1501, 1501),
        ("setresuid", 0, -1, -1),
        ("setresuid", 1501, 1501, 1501),
    ]


@pytest.mark.parametrize("call", ["setgroups", "setresgid", "setresuid"])
def test_a_change_that_is_refused_serves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(confine, "posix", Posix(tmp_path, call))
    with pytest.raises(ConfineFault, match="becoming uid 1501, gid 1501: Operation not permitted"):
        confine.become(*ACCOUNT)


def checked(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """check_status of a process whose status is ``text``."""
    (folder / "status").write_text(text)
    monkeypatch.setattr(confine, "posix", Posix(folder / "status"))
    confine.check_status(confine.required_of(*ACCOUNT))


def test_the_account_is_what_the_kernel_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked(tmp_path, monkeypatch, status())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Uid", "0\t1501\t1501\t1501"),
        ("Uid", "1501\t1501\t0\t1501"),
        ("Uid", "1501\t1501\t1501\t999"),
        ("Gid", "1501\t1501\t999\t1501"),
        ("Groups", "100 1501 "),
        ("Groups", "27 100 1501 2000 "),
        ("CapPrm", "00000000000000c0"),
        ("CapEff", "00000000000000c0"),
        ("CapAmb", "0000000000000080"),
        ("CapInh", "00000000000000c1"),
        ("CapBnd", "000001ffffffffff"),
        ("NoNewPrivs", "0"),
    ],
)
def test_anything_else_serves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ConfineFault) as caught:
        checked(tmp_path, monkeypatch, status(**{name: value}))
    assert caught.value.reason.startswith(f"{name} is {value}, not ")


def test_groups_are_told_as_the_kernel_does() -> None:
    """Each with a space behind it; of this process, in a child that has some."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([100, 7, 2000])
            os.write(tell, Path("/proc/self/status").read_bytes() + f"own {sorted(os.getgroups())}\n".encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(pid, 0)
    with os.fdopen(told) as file:
        *lines, own = file.read().splitlines()
    (line,) = (line for line in lines if line.startswith("Groups:\t"))
    groups = [int(word) for word in own.strip("own []").split(", ") if word]
    assert line.removeprefix("Groups:\t") == confine.required_of(1, 1, *groups)["Groups"]
