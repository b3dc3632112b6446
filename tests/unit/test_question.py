# SPDX-License-Identifier: Apache-2.0
"""The service's answers, as its child comes to them: who, in which groups, remembered or not, limited or not."""

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock.context import Context
from selsock.identify import ask, htpasswd, question
from selsock.identify.answer import Limited, Person, Refused, Unable, packet
from selsock.identify.htgroup import groups_of
from selsock.identify.memory import REMEMBERED, SOURCES, Memory, source_of
from selsock.identify.provider import Provider
from selsock.identify.question import Question, answer
from selsock.model import Location, Rule, Vhost
from selsock.names import AbsolutePath, HostName, UserName
from tests.unit.fakes import compile_table

SECRET = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"
OTHER = "{SHA}0JQeaNqPOBUf+Gph/Fn3xc+fyqI="  # of "other"
DOG = UserName.parse("dog")


class World:
    """A table with vhosts of several kinds, a memory, and what was reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.users = folder / "htpasswd"
        self.users.write_text(f"dog:{SECRET}\nw\u00fcff:{SECRET}\nhare:plain\n")
        (folder / "htgroup").write_text("# groups\npack: dog cat\n\nall:wolf dog w\u00fcff\ndogs: doggy\n")
        file = str(self.users)
        providers = {
            "dog.example": Provider("file", file),
            "groups.example": Provider("file", file, groups=str(folder / "htgroup")),
            "kept.example": Provider("file", file, remember=60),
            "too.example": Provider("file", file, remember=60),
            "pam.example": Provider("pam"),
            "sql.example": Provider("sqlite", "/x", "SELECT :user"),
            "proxy.example": Provider("proxy", groups=str(folder / "htgroup")),
        }
        limits = {"failures": 3, "failures_window": 60}
        rule = Rule(Context.parse("selsock_dogs_t:s0:c1"), "vhost.yaml:1", frozenset({DOG}), clearance="meet")
        location = Location((), (rule,), Context.parse("selsock_cats_t:s0:c2"))
        names = [HostName(name) for name in (*providers, "cleared.example")]
        vhosts = [
            Vhost(
                (name,), AbsolutePath("/x"), None, (location if name == "cleared.example" else Location((), (), None),)
            )
            for name in names
        ]
        providers["cleared.example"] = Provider("file", file)
        self.table = str(compile_table(folder, vhosts, limits, providers=providers))
        self.memory = Memory()
        self.reports: list[str] = []

    def ask(self, name: str, password: str, vhost: str = "dog.example", address: str = "192.0.2.1") -> Person:
        """Ask, and let the memory learn what is reported, as the service's parent does."""
        value = b"Basic " + base64.b64encode(f"{name}:{password}".encode())
        return self.put(Question.parse(f"basic\t{vhost}\t{address}\n".encode() + value))

    def put(self, given: Question) -> Person:
        """The same, of any question."""
        return answer(given, self.table, self.memory, self.learn)

    def learn(self, report: str) -> None:
        """As ``Service.remember``."""
        self.reports.append(report)
        kind, what, seconds = report.split()
        if kind == "failed":
            self.memory.failed(what, int(seconds))
        else:
            self.memory.was_right(bytes.fromhex(what), int(seconds))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One for each test."""
    return World(tmp_path)


# ---- who


def test_user_is_cleared_below_the_levels_of_rules_that_say_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this vhost, and of no other level than that of such a rule."""
    monkeypatch.setattr(question, "cleared", lambda user, ceilings: ((f"{user}", ",".join(ceilings)),))
    assert Person(DOG, cleared=(("dog", "s0:c1"),)) == world.ask("dog", "secret", "cleared.example")
    assert Person(DOG, cleared=(("dog", ""),)) == world.ask("dog", "secret")


def test_vhost_that_the_table_does_not_have_is_not_answered_for(world: World, tmp_path: Path) -> None:
    """A record of who knows its users is not enough."""
    world.table = str(compile_table(tmp_path, [], providers={"dog.example": Provider("pam")}))
    with pytest.raises(Unable, match="it does not say who knows the users of dog.example"):
        world.ask("dog", "secret")


def test_a_user_with_groups(world: World) -> None:
    """Those of the file, sorted; not of a group whose member's name only begins so."""
    assert Person(DOG, ("all", "pack")) == world.ask("dog", "secret", "groups.example")
    assert Person(DOG) == world.ask("dog", "secret")
    assert [] == world.reports


def test_a_name_is_put_into_normal_form_c(world: World) -> None:
    """A visitor's keyboard may write it in another (RFC 8265 §3.4)."""
    assert Person(UserName.parse("w\u00fcff"), ("all",)) == world.ask("wu\u0308ff", "secret", "groups.example")


@pytest.mark.parametrize(
    "name", ["user@example.org", "first.last", "a b", "x" * 255, "\u00fc" * 127, "DOG", "d*g", "../dog"]
)
def test_names_are_data(world: World, name: str) -> None:
    """Letters of any kind, found by the whole name alone."""
    with pytest.raises(Refused) as caught:
        world.ask(name, "secret")
    assert f"wrong password or unknown user {name}" == str(caught.value)
    world.memory = Memory()
    world.users.write_text(f"{name}:{SECRET}\n")
    assert Person(UserName.parse(name)) == world.ask(name, "secret")


def test_vouched_users_have_groups_and_need_no_password(world: World) -> None:
    """Where the table says that a proxy speaks for them, and nowhere else."""
    asked = Question("vouched", "proxy.example", "192.0.2.1", b"dog")
    assert Person(DOG, ("all", "pack")) == world.put(asked)
    for kind, vhost in (("vouched", "dog.example"), ("basic", "proxy.example")):
        with pytest.raises(Unable, match=f"^{vhost} is not asked about so$"):
            world.put(Question(kind, vhost, "192.0.2.1", b"dog"))


@pytest.mark.parametrize("data", [b"", b"basic\ta\tb", b"basic\ta\n", b"other\ta\tb\n", b"basic\ta\tb\tc\n", b"\n"])
def test_what_is_no_question(data: bytes) -> None:
    """Whoever asks so is not the handler."""
    with pytest.raises(Unable, match="^a question that is none$"):
        Question.parse(data)


@pytest.mark.parametrize("address", [b"", b"Local", b"192.0.2.1 ", b"a" * 4096, b"\xff", b"::1/64"])
def test_question_about_an_address_that_is_none(address: bytes) -> None:
    """It would be kept for each failure; and be told to the parent, whose words have a blank between them."""
    with pytest.raises(Unable, match="^a question about an address that is none$"):
        Question.parse(b"basic\tdog.example\t" + address + b"\nBasic x")


def test_a_report_is_short(world: World) -> None:
    """However long the scope of an address is: a pipe is read in pieces, and a second one would be a report of its own."""
    question = Question.parse(b"basic\tdog.example\tfe80::1%" + b"a failed b c" * 4096 + b"\nBasic x")
    with pytest.raises(Refused):
        world.put(question)
    assert ["failed fe80::/64 60"] == world.reports


@pytest.mark.parametrize("secret", [b"\xff", b"d:g", b"", b"d\ng", b"x" * 256])
def test_vouched_name_that_is_none(world: World, secret: bytes) -> None:
    """Refused, whoever vouches."""
    with pytest.raises(Refused):
        world.put(Question("vouched", "proxy.example", "192.0.2.1", secret))


def test_what_the_table_does_not_know(world: World) -> None:
    """503."""
    with pytest.raises(Unable, match="it does not say who knows the users of cat.example$"):
        world.ask("dog", "secret", "cat.example")
    os.unlink(world.table)
    with pytest.raises(Unable, match="No such file or directory"):
        world.ask("dog", "secret")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pack dog\n", "htgroup:1: expected GROUP: USER USER"),
        ("a: dog\n: dog\n", "htgroup:2: expected GROUP: USER USER"),
        ("a b: dog\n", "htgroup:1: expected GROUP: USER USER"),
        ("a: d\udcffg\n", "htgroup:1: not UTF-8"),
    ],
)
def test_group_file_that_cannot_answer(tmp_path: Path, text: str, reason: str) -> None:
    """One bad line, and nobody is in a group by chance."""
    path = tmp_path / "htgroup"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Unable) as caught:
        groups_of(str(path), "dog")
    assert f"{tmp_path}/{reason}" == str(caught.value)


# ---- how often


def test_too_many_failures_end_all_checks(world: World) -> None:
    """The right password too, from that address alone, also in the name of others and at other vhosts."""
    for number in range(3):
        with pytest.raises(Refused):
            world.ask(f"nobody{number}", "guess")
    for vhost in ("dog.example", "kept.example"):
        with pytest.raises(Limited) as caught:
            world.ask("dog", "secret", vhost)
        assert 0 < caught.value.seconds <= 60
    assert Person(DOG) == world.ask("dog", "secret", address="192.0.2.2")
    assert ["failed 192.0.2.1 60"] * 3 == world.reports


@pytest.mark.parametrize("value", [b"Bearer x", b"Basic !", b"Basic", b"Basic ZG9n"])
def test_what_is_no_password_is_a_failure_too(world: World, value: bytes) -> None:
    """Otherwise it would be the way to ask whether one is limited."""
    with pytest.raises(Refused):
        world.put(Question("basic", "dog.example", "192.0.2.1", value))
    assert ["failed 192.0.2.1 60"] == world.reports


def test_failures_end_with_their_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with the first of them."""
    memory, now = Memory(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(3):
        memory.failed("a", 60)
        now[0] += 10
    assert 31 == memory.wait("a", 3, 60)
    assert 0 == memory.wait("a", 4, 60)
    assert 0 == memory.wait("b", 3, 60)
    now[0] = 1060.0
    assert 0 == memory.wait("a", 3, 60)
    memory.failed("a", 60)
    assert (1, 1060.0) == memory.failures["a"]


def test_memory_is_bounded() -> None:
    """Whoever has many addresses makes it forget the oldest, and does not fill it."""
    memory = Memory()
    for number in range(SOURCES + 2):
        memory.failed(str(number), 60)
    assert (SOURCES, "2") == (len(memory.failures), next(iter(memory.failures)))
    for number in range(REMEMBERED + 2):
        memory.was_right(number.to_bytes(4, "big"), 60)
    assert REMEMBERED == len(memory.right)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_whom_failures_are_counted_for(address: str, source: str) -> None:
    """A client has a /64 of IPv6."""
    assert source == source_of(address)


# ---- what is remembered


def test_a_right_password_is_not_checked_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the vhost says so; its mark is no password."""
    checked: list[str] = []
    real = htpasswd.matches

    def matches(password: bytes, stored: str, place: str) -> bool:
        checked.append(stored)
        return real(password, stored, place)

    monkeypatch.setattr(question, "matches", matches)
    for _ in range(3):
        assert Person(DOG) == world.ask("dog", "secret", "kept.example")
    assert [SECRET] == checked
    assert 1 == len(world.reports)
    assert b"secret" not in bytes.fromhex(world.reports[0].split()[1])
    for _ in range(2):
        assert Person(DOG) == world.ask("dog", "secret")
    assert 3 == len(checked)
    assert Person(DOG) == world.ask("dog", "secret", "too.example")
    assert 4 == len(checked)


def test_a_changed_hash_ends_it_at_once(world: World) -> None:
    """Another password, another hash of the same, no user any more."""
    world.ask("dog", "secret", "kept.example")
    world.users.write_text(f"dog:{OTHER}\n")
    with pytest.raises(Refused):
        world.ask("dog", "secret", "kept.example")
    world.users.write_text("")
    with pytest.raises(Refused):
        world.ask("dog", "secret", "kept.example")


def test_a_wrong_password_is_not_remembered(world: World) -> None:
    """Nor is a right one for another user of the same hash."""
    world.users.write_text(f"dog:{SECRET}\ncat:{SECRET}\n")
    world.ask("dog", "secret", "kept.example")
    with pytest.raises(Refused):
        world.ask("dog", "wrong", "kept.example")
    world.ask("cat", "secret", "kept.example")
    assert ["right", "failed", "right"] == [report.split()[0] for report in world.reports]
    assert 2 == len(world.memory.right)


def test_it_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And with the service: another has another secret."""
    memory, now = Memory(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    mark = memory.mark(b"v", b"u", b"h", b"p")
    memory.was_right(mark, 60)
    now[0] = 1059.0
    assert memory.knows(mark)
    now[0] = 1060.0
    assert not memory.knows(mark)
    assert mark != Memory().mark(b"v", b"u", b"h", b"p")
    assert memory.mark(b"v", b"uh", b"", b"p") != memory.mark(b"v", b"u", b"h", b"p")


def test_a_hash_that_takes_too_long_is_no_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right or wrong: it would be late, and tell that there is such a user."""
    now = iter([0.0, 2.0] * 3)
    monkeypatch.setattr(time, "process_time", lambda: next(now))
    for password in ("secret", "wrong"):
        with pytest.raises(Unable, match=r"more than half of failure_seconds \(3\)$"):
            world.ask("dog", password)
    with pytest.raises(Refused):
        world.ask("cat", "wrong")


# ---- the services behind


class Backend:
    """A service behind, which answers each question with the next of ``answers``."""

    def __init__(self, path: Path) -> None:
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(str(path))
        self.listening.listen()
        self.questions: list[bytes] = []
        self.answers: list[bytes] = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        """Until the socket is closed."""
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                self.questions.append(connection.recv(65536))
                if said := self.answers.pop(0):
                    connection.sendall(said)


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """In place of both."""
    backend = Backend(tmp_path / "backend")
    monkeypatch.setattr(question, "PAM", str(tmp_path / "backend"))
    monkeypatch.setattr(question, "SQL", str(tmp_path / "backend"))
    yield backend
    backend.listening.shutdown(socket.SHUT_RDWR)
    backend.listening.close()


def test_pam_is_asked_with_name_and_password(world: World, backend: Backend) -> None:
    """And tells the groups."""
    backend.answers = [b"granted dog\ngroup pack\ngroup all\n"]
    assert Person(DOG, ("all", "pack")) == world.ask("dog", "a:b", "pam.example")
    assert [b"dog\0a:b"] == backend.questions


def test_database_is_asked_with_vhost_and_name(world: World, backend: Backend) -> None:
    """The password stays here."""
    backend.answers = [
        f"row\nhash {SECRET}\ncontext kennel:s0:c1\ngroup pack\n".encode(),
        f"row\nhash {SECRET}\n".encode(),
    ]
    assert Person(DOG, ("pack",), "selsock_kennel_t:s0:c1") == world.ask("dog", "secret", "sql.example")
    assert Person(DOG) == world.ask("dog", "secret", "sql.example")
    assert [b"sql.example\0dog"] * 2 == backend.questions


@pytest.mark.parametrize("said", [b"none\n", f"row\nhash {OTHER}\n".encode(), b"row\nhash !x\n"])
def test_database_that_says_no(world: World, backend: Backend, said: bytes) -> None:
    """No such user, another hash, a locked one: the same words."""
    backend.answers = [said]
    with pytest.raises(Refused, match="^wrong password or unknown user dog$"):
        world.ask("dog", "secret", "sql.example")


def test_pam_that_says_no(world: World, backend: Backend) -> None:
    """With its own reason, for the journal."""
    backend.answers = [b"refused User account has expired\n"]
    with pytest.raises(Refused, match="^User account has expired$"):
        world.ask("dog", "secret", "pam.example")
    assert ["failed 192.0.2.1 60"] == world.reports


@pytest.mark.parametrize("vhost", ["pam.example", "sql.example"])
@pytest.mark.parametrize(
    "said",
    [
        *(
            b"",
            b"granted\n",
            b"granted cat\n",
            b"granted dog",
            b"granted dog\nhash x\n",
            b"row\n",
            b"row",
            b"none\nhash x\n",
        ),
        *(
            b"row\nhash a\nhash b\n",
            b"row\nhash a\ncontext b\ncontext c\n",
            b"row\nhash a\nuser cat\n",
            b"unable it is down\n",
        ),
        *(b"limited 5 x\n", b"\xff\n", b"\n"),
    ],
)
def test_answer_that_is_none_is_503(world: World, backend: Backend, vhost: str, said: bytes) -> None:
    """Neither yes nor no, and no failure of the visitor's."""
    backend.answers = [said]
    with pytest.raises(Unable):
        world.ask("dog", "secret", vhost)
    assert [] == world.reports


@pytest.mark.parametrize("vhost", ["pam.example", "sql.example"])
def test_service_behind_that_is_not_there_is_503(world: World, monkeypatch: pytest.MonkeyPatch, vhost: str) -> None:
    """With its path in the reason."""
    for name in ("PAM", "SQL"):
        monkeypatch.setattr(question, name, f"{world.folder}/none")
    with pytest.raises(Unable, match=f"^{world.folder}/none: .*No such file or directory$"):
        world.ask("dog", "secret", vhost)
    assert (ask.PAM, ask.SQL) == ("/run/selsock/pam", "/run/selsock/sql")


# ---- packets


@pytest.mark.parametrize(
    ("outcome", "data"),
    [
        (Person(DOG), b"granted dog\n"),
        (
            Person(DOG, ("a", "b"), "x:s0", (("s0:c1", "s0:c1"),)),
            b"granted dog\ngroup a\ngroup b\ncontext x:s0\ncleared s0:c1 s0:c1\n",
        ),
        (Refused("no\ngranted dog"), b"refused no\\ngranted dog\n"),
        (Unable("a\x85b"), b"unable a\\x85b\n"),
        (Limited(7), b"limited 7 too many wrong passwords from this address; again in 7 s\n"),
        (Person(DOG, tuple(f"{number:0100}" for number in range(700))), b"unable an answer of more than 65536 bytes\n"),
    ],
)
def test_packets(outcome: Person | Refused | Limited | Unable, data: bytes) -> None:
    """A reason never becomes a second line."""
    assert data == packet(outcome)
