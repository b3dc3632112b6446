# SPDX-License-Identifier: Apache-2.0
"""selsockctl explain: what it says, and that the handler does just that, on ten thousand configurations and requests."""

import json
import pwd
import random
import secrets
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selsock.context import Context
from selsock.ctl import __main__ as program
from selsock.ctl.explain import Asked, Explanation, explain
from selsock.ctl.transition import Transition, transition
from selsock.errors import OwnFault, PeerFault
from selsock.generate import conflicts
from selsock.generate.compiled import compile_table
from selsock.generate.configuration import configure
from selsock.generate.maps import Maps
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load
from selsock.handler import connection
from selsock.handler import identify as identify_module
from selsock.handler.access import Access
from selsock.handler.adopt import Client
from selsock.handler.table import OpenTable
from selsock.identify.clearance import cleared
from tests.unit.fakes import FakeKernel

CONFIGURATIONS, REQUESTS = 200, 50
USERS = ("alice", "bob", "carol", "Jürgen Groß", "dave@example.org")
GROUPS = ("staff", "editors", "pack")
NETWORKS = ("10.0.0.0/8", "192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "0.0.0.0/0")
ADDRESSES = ("10.1.2.3", "192.0.2.1", "192.0.2.7", "198.51.100.1", "2001:db8::1", "2001:db9::1")
METHODS = ("GET", "HEAD", "POST", "PUT", "PROPFIND")
PATHS = (
    "/",
    "/staff",
    "/staff/",
    "/staff/x",
    "/staffx",
    "/st%61ff/x",
    "/a/b",
    "/a/b/c?q=/staff",
    "/A",
    "/%2e",
    "/a//b",
)
MAP = "/etc/selsock/users.map"
MAP_DATA = "alice staff:s0:c3\nbob *\nJürgen public:s0\n__anonymous__ public:s0:c8\n"
STARRED = MAP_DATA + "* staff:s0:c9\n"
CLEARANCES = ("s0", "s0-s0:c0.c1023", "s0-s0:c5", "s0:c5-s0:c5,c6")
CONTEXTS = ("staff", "public:s0:c1", "{range: s0:c2}", "my_t:s0:c4", "{domain: staff, range: 's0:c5,c6'}", "public")


class Draw(random.Random):
    """Random configurations and requests."""

    def some(self, values: tuple[str, ...]) -> str:
        """A list of one value at least, in YAML."""
        chosen = self.sample(values, self.randint(1, min(3, len(values))))
        return "[" + ", ".join(f'"{value}"' for value in chosen) + "]"

    def rule(self, signs_in: bool) -> str:
        """An entry of ``contexts:``, most of which are good."""
        if self.random() < 0.08:
            return "{any: true" + self.context(False) + "}"
        parts, names = [], False
        if signs_in and self.random() < 0.15:
            return "{map: " + MAP + (f", method: {self.some(METHODS)}" if self.random() < 0.5 else "") + "}"
        if signs_in and self.random() < 0.6:
            names = True
            kind = self.choice(("user", "user", "group", "signed_in", "assigned"))
            values = {"user": self.some(USERS), "group": self.some(GROUPS)}
            parts.append(f"{kind}: {values.get(kind, 'true')}")
        elif self.random() < 0.4:
            parts.append("anonymous: true")
        if self.random() < 0.4:
            parts.append(f"address: {self.some(NETWORKS)}")
        if self.random() < 0.3 or not parts:
            parts.append(f"method: {self.some(METHODS)}")
        return "{" + ", ".join(parts) + self.context(names) + "}"

    def context(self, names_users: bool) -> str:
        """What the rule yields, or nothing."""
        if names_users and self.random() < 0.2:
            return ", context: {range: clearance}"
        return f", context: {self.choice(CONTEXTS)}" if self.random() < 0.8 else ""

    def rules(self, signs_in: bool) -> str:
        """A list of them; now and then an empty one."""
        return "[" + ", ".join(self.rule(signs_in) for _ in range(self.choice((0, 1, 2, 3, 5)))) + "]"

    def configuration(self) -> str:
        """A source.  What the generator refuses is drawn again."""
        lines = ["domains: {public: {}, staff: {}}", "listen: [{address: 80, remote_user: X-User, from: 192.0.2.9}]"]
        if self.random() < 0.5:
            lines.append("default_context: public:s0")
        if self.random() < 0.5:
            lines.append(f"contexts: {self.rules(False)}")
        lines.append("vhosts:")
        for name in ("a.example", "b.example"):
            auth = self.choice(("", "file", "sql", "proxy"))
            lines += [f"  {name}:", f"    root: /srv/{name[0]}", "    domain: public"]
            lines.append(f"    range: {self.choice(('auto', 's0:c5,c6', 's0:c5'))}")
            lines.append(f"    aliases: [www.{name}]")
            if auth:
                lines.append(f"    auth: {AUTH[auth]}")
            if self.random() < 0.8:
                lines.append(f"    contexts: {self.rules(bool(auth))}")
            places = self.sample(("/", "/staff", "/a", "/a/b"), self.randint(0, 3))
            if places:
                lines.append("    locations:")
            for place in places:
                body = [f"contexts: {self.rules(bool(auth))}"] if self.random() < 0.7 else []
                body += [f"domain: {self.choice(('public', 'staff'))}"] if self.random() < 0.3 else []
                body += ["range: s0:c7"] if self.random() < 0.3 else []
                lines.append(f"      {place}: {{{', '.join(body)}}}")
        return "\n".join(lines) + "\n"

    def request(self) -> Asked:
        """A visitor and his request."""
        user = self.choice(("", "", *USERS, "nobody"))
        return Asked(
            host=self.choice(
                ("a.example", "a.example", "www.a.example", "b.example", "B.example:8080", "c.example", "x_y")
            ),
            user=user,
            groups=tuple(self.sample(GROUPS, self.randint(0, 2))),
            address=self.choice(ADDRESSES),
            path=self.choice(PATHS),
            method=self.choice(METHODS),
            assigned=self.choice(("", "staff:s0:c3", "*", "my_t", "*:s0:c2")) if user else "",
            clearance=self.choice(CLEARANCES),
        )


AUTH = {
    "file": "{basic: {realm: x, file: /etc/selsock/x.htpasswd, groups: /etc/selsock/x.htgroup}}",
    "sql": "{basic: {realm: x, sql: {sqlite: /etc/selsock/x.sqlite, query: 'SELECT :user'}}}",
    "proxy": "{proxy: {groups: /etc/selsock/x.htgroup}}",
}


def table_of(folder: Path, text: str, maps: str = MAP_DATA) -> OpenTable:
    """The table that ``text`` becomes.  Raises BadSource."""
    found = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger(), Maps({MAP: maps.encode()}))
    conflicts.check(found)
    (folder / "table.cdb").write_bytes(compile_table(found, "g1"))
    return OpenTable(str(folder / "table.cdb"))


class Confined(Exception):  # no error: where the handler would go on
    """The handler has decided, and would enter the context now."""


class Recorder:
    """In place of the journal: the decision."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def record(self, priority: int, message: str, **fields: str) -> None:
        """Keep what the handler says of its decision."""
        if fields.get("event") == "decision":
            self.fields = fields


def handled(folder: Path, table: OpenTable, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """What ``handle()`` decides: context and rule, or status and reason.  The service grants whoever asks."""

    def ask(question: bytes, secret: bytes | memoryview) -> tuple[str, str, list[str]]:
        vhost = table.vhost(question.split(b"\t")[1].decode(), False)
        ceilings = {str(rule.context.level) for place in vhost.locations for rule in place.rules if rule.clearance}
        monkeypatch.setattr("selsock.identify.clearance.login", login)
        lines = [f"group {group}" for group in asked.groups or ()]
        lines += [f"context {record(asked.assigned)}"] if asked.assigned else []
        lines += [f"cleared {ceiling} {level}" for ceiling, level in cleared(asked.user, ceilings)]
        return "granted", asked.user, lines

    def login(user: str) -> Any:
        return ends(asked.clearance)

    def stop(*_: object) -> None:
        raise Confined

    from selsock.identify.assigned import record
    from selsock.mls.levels import ends

    def opened(path: str) -> OpenTable:
        tables.append(OpenTable(path))
        return tables[-1]

    tables: list[OpenTable] = []
    monkeypatch.setattr(connection, "OpenTable", opened)
    monkeypatch.setattr(identify_module, "ask", ask)
    monkeypatch.setattr(connection, "confine", stop)
    journal = Recorder()
    peer, own = socket.socketpair()
    with peer:
        field = "Authorization: Basic eDp5\r\n" if asked.user else ""
        peer.sendall(f"{asked.method} {asked.path} HTTP/1.1\r\nHost: {asked.host}\r\n{field}\r\n".encode())
        client = Client(own, asked.address)
        client.user = asked.user.encode()
        client.listener = "elsewhere"  # where nobody has to say who he is; his name is known as if he had
        try:
            connection.handle(client, Access(asked.address), str(folder / "table.cdb"), FakeKernel(), journal)  # type: ignore[arg-type]
        except Confined:
            found: tuple[Any, ...] = (journal.fields["context"], journal.fields["rule"])
        except (PeerFault, OwnFault) as fault:
            found = (fault.status, fault.reason)
    own.close()
    for given in tables:  # which the process would have closed by its end
        given.close()
    return found


def summed(found: Explanation) -> tuple[Any, ...]:
    """An explanation as ``handled`` puts it."""
    if found.context is not None:
        return str(found.context), found.rule
    return found.status, found.reason.removesuffix(": signing in may help")


def agreed(folder: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch, configurations: int) -> Counter[str]:
    """Compare so many configurations; return how often what was decided."""
    seen: Counter[str] = Counter()
    done = 0
    while done < configurations:
        text = draw.configuration()
        try:
            table = table_of(folder, text, draw.choice((MAP_DATA, STARRED)))
        except BadSource:
            seen["refused by the generator"] += 1
            continue
        done += 1
        for _ in range(REQUESTS):
            asked = draw.request()
            said = summed(explain(table, asked))
            assert handled(folder, table, asked, monkeypatch) == said, f"{asked}\n{text}"
            seen[said[0].split(":")[0] if isinstance(said[0], str) else str(said[0])] += 1
        table.close()
    return seen


def test_explain_and_the_handler_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them known, half drawn anew; and each way to be answered is among them many times."""
    monkeypatch.setattr("selsock.handler.identify.time", _Clock())
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")
    seen = agreed(tmp_path, Draw(1), monkeypatch, CONFIGURATIONS // 2)
    seen += agreed(tmp_path, Draw(seed), monkeypatch, CONFIGURATIONS // 2)
    decided = sum(count for what, count in seen.items() if what != "refused by the generator")
    assert decided == CONFIGURATIONS * REQUESTS == 10000
    for what in ("selsock_public_t", "selsock_staff_t", "my_t", "400", "401", "403", "421"):
        assert seen[what] > 50, seen


class _Clock:
    """No moment to wait for."""

    def monotonic(self) -> float:
        """The same always."""
        return 0.0


# ---- what it says

SOURCE = """domains: {public: {}, staff: {}}
vhosts:
  a.example:
    root: /srv/a
    domain: public
    range: s0:c5,c6
    auth: {basic: {realm: x, file: /etc/selsock/x.htpasswd}}
    contexts:
      - {user: alice, address: 10.0.0.0/8, context: staff}
      - {signed_in: true, method: [GET, HEAD]}
      - {anonymous: true, method: PUT}
    locations:
      /level: {contexts: [{user: alice, context: {range: clearance}}]}
"""


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A file with it."""
    path = tmp_path / "vhost.yaml"
    path.write_text(SOURCE)
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit status, output, errors."""
    try:
        status = program.main(list(argv))
    except SystemExit as end:
        status = int(str(end.code))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(autouse=True)
def off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without SELinux, whatever this one has."""
    monkeypatch.setattr(program, "Kernel", lambda: FakeKernel(mode="disabled"))


def test_a_decision_in_words(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Rule by rule, with its line, and what is not asked any more."""
    status, said, errors = run(capsys, "explain", source, "--host", "a.example", "--user", "alice", "--clearance", "s0")
    assert (status, errors) == (0, "")
    assert said == (
        "request   GET / of a.example, from 192.0.2.1\n"
        "vhost     a.example, location /\n"
        "user      alice\n"
        "note      that he is alice was said, not shown: his password is not checked\n"
        "rule      vhost.yaml:9: user alice: yes, address 10.0.0.0/8: no\n"
        "rule      vhost.yaml:10: signed_in: yes, method GET, HEAD: yes → it decides\n"
        "rule      vhost.yaml:11: not asked\n"
        "context   selsock_public_t:s0:c5,c6, by vhost.yaml:10\n"
        "entering  not asked: SELinux is disabled here\n"
    )


def test_a_refusal_in_words(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """401, and exit status 1."""
    status, said, _ = run(capsys, "explain", source, "--host", "a.example:80", "--path", "/x?y")
    assert status == 1
    assert said == (
        "request   GET /x?y of a.example:80, from 192.0.2.1\n"
        "vhost     a.example, location /\n"
        "user      nobody: he has not signed in\n"
        "rule      vhost.yaml:9: user alice: no, address 10.0.0.0/8: no\n"
        "rule      vhost.yaml:10: signed_in: no, method GET, HEAD: yes\n"
        "rule      vhost.yaml:11: method PUT: no, anonymous: yes\n"
        "answer    401: no rule admits an anonymous visitor here: signing in may help\n"
    )


def test_the_same_as_json(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With all keys, always."""
    argv = (
        "--host",
        "a.example",
        "--user",
        "alice",
        "--address",
        "10.1.1.1",
        "--group",
        "g",
        "--json",
        "--clearance",
        "s0",
    )
    status, said, _ = run(capsys, "explain", source, *argv)
    found = json.loads(said)
    assert status == 0
    assert found.pop("notes") == ["that he is alice was said, not shown: his password is not checked"]
    assert found == {
        "host": "a.example",
        "path": "/",
        "method": "GET",
        "address": "10.1.1.1",
        "vhost": "a.example",
        "location": "/",
        "user": "alice",
        "groups": ["g"],
        "rules": [
            {"source": "vhost.yaml:9", "conditions": {"user alice": True, "address 10.0.0.0/8": True}, "holds": True},
            {"source": "vhost.yaml:10", "conditions": {}, "holds": None},
            {"source": "vhost.yaml:11", "conditions": {}, "holds": None},
        ],
        "context": "selsock_staff_t:s0:c5,c6",
        "rule": "vhost.yaml:9",
        "status": None,
        "reason": None,
        "transition": {"allowed": None, "reason": "SELinux is disabled here"},
    }
    status, said, _ = run(capsys, "explain", source, "--host", "b.example", "--json")
    refused = json.loads(said)
    assert (status, refused["status"], refused["vhost"], refused["transition"]) == (1, 421, None, None)
    assert refused.keys() == {*found, "notes"}


@pytest.mark.parametrize(
    ("clearance", "context"),
    [("s0-s0:c5", "selsock_public_t:s0:c5"), ("s0:c5,c6", "selsock_public_t:s0:c5,c6"), ("s0", "")],
)
def test_clearance_that_was_said(source: str, capsys: pytest.CaptureFixture[str], clearance: str, context: str) -> None:
    """The level that he gets, or 403."""
    argv = ("--host", "a.example", "--path", "/level", "--user", "alice", "--clearance", clearance, "--json")
    status, said, _ = run(capsys, "explain", source, *argv)
    found = json.loads(said)
    assert (status, found["context"]) == ((0, context) if context else (1, None))
    assert bool(context) or "clearance does not reach s0:c5,c6: nothing in common" in found["reason"]


def test_clearance_that_nobody_knows(
    source: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, as the handler would answer here, and what helps."""

    def missing() -> None:
        raise ImportError("no libselinux")

    monkeypatch.setattr("selsock.identify.clearance.binding", missing)
    status, said, _ = run(capsys, "explain", source, "--host", "a.example", "--user", "alice")
    assert status == 1
    assert said.endswith("answer    503: the SELinux login of alice: no libselinux; --clearance says it here\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--host", "a.example", "--method", "FETCH"), "selsockctl: a method that is not known here: FETCH"),
        (("--host", "a.example", "--address", "nowhere"), "selsockctl: expected an address, not 'nowhere'"),
        (("--host", "a.example", "--user", "a:b"), "selsockctl: expected a user name without colon"),
        (
            ("--host", "a.example", "--user", "alice", "--clearance", "s0-"),
            "selsockctl: expected a range LOW-HIGH, not 's0-'",
        ),
        ((), "selsockctl explain: the following arguments are required: --host"),
    ],
)
def test_bad_command_lines(
    source: str, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], message: str
) -> None:
    """Exit status 2, in one line."""
    status, said, errors = run(capsys, "explain", source, *argv)
    assert (status, said) == (2, "")
    assert errors.startswith(message)
    assert errors.count("\n") == 1


def test_bad_configuration_is_named_where_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As by selsock-generate."""
    path = tmp_path / "vhost.yaml"
    path.write_text("domain: {}\n")
    status, _, errors = run(capsys, "explain", str(path), "--host", "a")
    assert status == 2
    assert errors == f"{path}:1:1: domain: expected a known key, the nearest being 'domains', not 'domain'\n"
    status, _, errors = run(capsys, "explain", str(tmp_path / "none"), "--host", "a")
    assert (status, errors) == (3, f"selsockctl: {tmp_path}/none: No such file or directory\n")


# ---- the kernel

CONTEXT = Context.parse("selsock_public_t:s0:c1")


@pytest.mark.parametrize(
    ("kernel", "allowed", "entered"),
    [
        (FakeKernel(mode="disabled"), True, Transition(None, "SELinux is disabled here")),
        (
            FakeKernel(mode="permissive"),
            True,
            Transition(False, "SELinux is permissive, and vhost.yaml requires it"),
        ),
        (FakeKernel(), False, Transition(False, "selsock_t may not enter it by the loaded policy")),
        (FakeKernel(permissive=True), True, Transition(False, "the domain selsock_public_t is permissive")),
    ],
)
def test_what_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, kernel: FakeKernel, allowed: bool, entered: Transition
) -> None:
    """What would keep the handler from entering the context."""
    monkeypatch.setattr(kernel, "knows", lambda context: True, raising=False)
    monkeypatch.setattr("selsock.ctl.transition.is_allowed", lambda target: allowed)
    assert entered == transition(kernel, CONTEXT, "g1", True)


def test_a_context_or_generation_that_the_policy_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its name."""
    kernel = FakeKernel()
    known: Callable[[str], bool] = lambda context: "generation" in context  # two of a kind
    monkeypatch.setattr(kernel, "knows", known, raising=False)
    monkeypatch.setattr("selsock.ctl.transition.is_allowed", lambda target: True)
    wanted = "the loaded policy knows no context system_u:system_r:selsock_public_t:s0:c1"
    assert Transition(False, wanted) == transition(kernel, CONTEXT, "g1", True)
    monkeypatch.setattr(kernel, "knows", lambda context: "generation" not in context, raising=False)
    wanted = "the loaded policy is not of this configuration's generation g1"
    assert Transition(False, wanted) == transition(kernel, CONTEXT, "g1", True)


AS_DOG = """listen: [80, {address: 8080, run_as: true}]
domains: {public: {}}
default_context: public:s0
vhosts:
  a.example:
    root: /srv/a
    run_as: authenticated
    auth: {basic: {realm: A, file: /etc/selsock/a.htpasswd}}
    contexts: [{any: true}]
"""


def test_account_is_told_and_refused_as_the_handler_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up on this machine; the listener is taken to be the right one."""
    table = table_of(tmp_path, AS_DOG, MAP_DATA)

    def getpwnam(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", *{"dog": (1501, 1501), "root": (0, 0)}[name], "", "/", "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr("posix.getgrouplist", lambda name, gid: [gid, 2000])
    found = explain(table, Asked("a.example", "dog", groups=()))
    said = "served as uid 1501, gid 1501, groups 1501 2000, on listeners with run_as alone"
    assert (str(found.context), found.notes[-1]) == ("selsock_public_t:s0", said)
    for user, status, reason in (
        ("root", 403, "uid 0, gid 0 is an account of the system's, or in root's group"),
        ("ghost", 403, "run_as: authenticated, and nobody here is called ghost"),
        ("", 401, "run_as: authenticated, and nobody has signed in: signing in may help"),
    ):
        found = explain(table, Asked("a.example", user, groups=()))
        assert (found.status, found.reason) == (status, reason)
