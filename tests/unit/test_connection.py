# SPDX-License-Identifier: Apache-2.0
"""A whole connection in a process of its own, over a real table and a real socket, with SELinux alone replaced.

Each test says what the client sees, how the process ends, and what the journal has.
"""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock import errors
from selsock.context import Context
from selsock.generate.cdb_writer import compose
from selsock.generate.records import table_record, vhost_record
from selsock.handler import __main__ as top
from selsock.handler import confine, connection
from selsock.handler.access import Access
from selsock.handler.confine import Confined
from selsock.handler.journal import Journal
from selsock.handler.serve import static
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.reply import Outcome
from selsock.identify.provider import Provider
from selsock.model import Limits, Location, Rule, Table, Vhost
from selsock.names import AbsolutePath, HostName, Network, Realm, UserName
from tests.unit.fakes import SELSOCK, FakeJournal, FakeKernel, Instance, compile_table, identifying, wait_until
from tests.unit.test_confine import Reloaded

SECRET = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"
PUBLIC, DOG, CAT, ADMIN = (Context.parse(f"selsock_{name}_t:s0") for name in ("public", "dog", "cat", "admin"))
TARGET = "system_u:system_r:selsock_public_t:s0"
BASIC = {user: base64.b64encode(f"{user}:secret".encode()).decode() for user in ("dog", "cat", "hare", "mouse", "mole")}


class World:
    """Two vhosts on one table: ``dog.example`` (also ``www.dog.example``), with users, and ``cat.example``, without."""

    def __init__(self, folder: Path, journal: FakeJournal) -> None:
        self.folder, self.journal = folder, journal
        self.kernel = FakeKernel()
        for name in ("dog", "cat"):
            (folder / name / "staff").mkdir(parents=True)
            (folder / name / "a.txt").write_text(f"{name}'s a")
            (folder / name / "b.txt").write_text(f"{name}'s b")
            (folder / name / "staff" / "s.txt").write_text(f"{name}'s staff")
        users = folder / "htpasswd"
        users.write_text(f"dog:{SECRET}\ncat:{SECRET}\nmouse:{SECRET}\nhare:plain\nmole:!{SECRET}\n")
        self.providers = {"dog.example": Provider("file", str(users))}
        auth = Realm.parse("kennel")
        self.vhosts = [
            self.vhost("dog", ["dog.example", "www.dog.example"], auth),
            self.vhost("cat", ["cat.example"], None),
        ]
        self.recompile({"idle_seconds": 5})

    def vhost(self, name: str, names: list[str], auth: Realm | None) -> Vhost:
        """A vhost with anonymous visitors, users of two kinds, an address, and a location for staff alone."""

        def user(context: Context, name: str) -> Rule:
            return Rule(context, f"vhost.yaml:{name}", frozenset([UserName.parse(name)]))

        away = Rule(ADMIN, "vhost.yaml:away", networks=(Network.parse("10.0.0.0/8"),))
        anonymous = Rule(PUBLIC, "vhost.yaml:anonymous", anonymous=True)
        staff = Location(("staff",), (user(DOG, "dog"), user(CAT, "cat")), None)
        rest = Location((), (away, anonymous, user(DOG, "dog"), user(PUBLIC, "mouse")), None)
        root = AbsolutePath.parse(str(self.folder / name))
        return Vhost(tuple(map(HostName.parse, names)), root, auth, (staff, rest))

    def visit(self, address: str = "192.0.2.1", serve: object = None) -> Instance:
        """A connection from ``address``."""
        given = {"serve": serve} if serve is not None else {}
        return Instance(self.table, self.journal, self.kernel, address, **given)  # type: ignore[arg-type]

    def recompile(self, limits: dict[str, int] | None = None, required: bool = True, generation: str = "g1") -> None:
        """Another table of the same vhosts."""
        limits = {"failure_seconds": 1, "failures": 1000} | (limits or {})
        self.table = compile_table(self.folder, self.vhosts, limits, required, generation, providers=self.providers)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One for each test.  What the unit takes away from a process (test_confine) is not required of the tests' own."""
    monkeypatch.setattr(confine, "REQUIRED_STATUS", {})
    with identifying(tmp_path, monkeypatch), FakeJournal(tmp_path) as journal:
        yield World(tmp_path, journal)


def request(
    target: str = "/a.txt", host: str = "dog.example", user: str = "", method: str = "GET", rest: str = ""
) -> bytes:
    """One request; ``user`` signs in."""
    lines = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{rest}"
    lines += f"Authorization: Basic {BASIC[user]}\r\n" if user else ""
    return lines.encode() + b"\r\n"


CLOSE = "Connection: close\r\n"
ROOT = str(Path(__file__).parents[2])
START = "from selsock.handler.__main__ import main; main()"  # as packaging/serve.in does


def status_of(answer: bytes) -> int:
    """The status of a response."""
    return int(answer.split(b" ", 2)[1])


def content_of(answer: bytes) -> bytes:
    """What follows its head."""
    return answer.partition(b"\r\n\r\n")[2]


def alone(world: World, data: bytes, address: str = "192.0.2.1", serve: object = None) -> tuple[bytes, int]:
    """All that comes back on a connection that sends ``data`` and reads on, and the exit status."""
    with world.visit(address, serve) as instance:
        instance.send(data)
        answer = instance.receive()
        return answer, instance.wait()


# ---- one request


def test_file_is_served_in_the_context_of_its_rule(world: World) -> None:
    """The kernel is asked in order, the decision is recorded before anything is served, the outcome after it."""
    with world.visit() as instance:
        instance.send(request(rest=CLOSE))
        answer = instance.receive()
        assert (200, b"dog's a") == (status_of(answer), content_of(answer))
        assert errors.EXIT_SERVED == instance.wait()
        assert [
            ("watch",),
            ("getcon",),
            ("knows", "system_u:object_r:selsock_generation_g1:s0"),
            ("getcon",),
            ("is_permissive", TARGET),
            ("unchanged",),
            ("knows", "system_u:object_r:selsock_generation_g1:s0"),
            ("setcon", TARGET),
            ("getcon",),
            ("unchanged",),
        ] == instance.calls
    decision, outcome = world.journal.records()
    assert {
        "MESSAGE": "192.0.2.1 dog.example -: selsock_public_t:s0 by vhost.yaml:anonymous",
        "PRIORITY": "5",
        "SYSLOG_IDENTIFIER": "selsock",
        "SELSOCK_EVENT": "decision",
        "SELSOCK_ADDRESS": "192.0.2.1",
        "SELSOCK_VHOST": "dog.example",
        "SELSOCK_USER": "",
        "SELSOCK_RULE": "vhost.yaml:anonymous",
        "SELSOCK_CONTEXT": "selsock_public_t:s0",
    } == decision
    message = outcome.pop("MESSAGE")
    assert re.fullmatch(
        r'192\.0\.2\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /a.txt HTTP/1.1" 200 7 "-" "-"',
        message,
    )
    times = {name: outcome.pop(name) for name in list(outcome) if name.endswith("_USEC")}
    phases = ("TABLE", "HEAD", "IDENTIFY", "LABEL", "CONFINE", "SERVE")
    assert {f"SELSOCK_{phase}_USEC" for phase in phases} == set(times)
    assert all(spent.isdigit() for spent in times.values())
    assert {
        "PRIORITY": "5",
        "SYSLOG_IDENTIFIER": "selsock",
        "SELSOCK_EVENT": "outcome",
        "SELSOCK_ADDRESS": "192.0.2.1",
        "SELSOCK_VHOST": "dog.example",
        "SELSOCK_USER": "",
        "SELSOCK_CONTEXT": "selsock_public_t:s0",
        "SELSOCK_METHOD": "GET",
        "SELSOCK_TARGET": "/a.txt",
        "SELSOCK_STATUS": "200",
        "SELSOCK_CONTENT_BYTES": "7",
        "SELSOCK_REASON": "",
    } == outcome


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/none", "404", "No such file or directory"),
        ("/.git", "404", "a dot-file"),
        ("/fifo", "404", "not a regular file"),
        ("/staff", "301", ""),
    ],
)
def test_outcome_says_why_it_is_not_the_file(world: World, target: str, status: str, reason: str) -> None:
    """For the journal, in a field; the visitor learns the status alone."""
    os.mkfifo(world.folder / "dog" / "fifo")
    if target == "/staff":
        world.vhosts = [Vhost(world.vhosts[0].names, world.vhosts[0].root, None, (Location((), (), PUBLIC),))]
        world.recompile()
    answer, _ = alone(world, request(target, rest=CLOSE))
    outcome = world.journal.records()[-1]
    sent = str(len(content_of(answer)))
    fields = ("SELSOCK_TARGET", "SELSOCK_STATUS", "SELSOCK_CONTENT_BYTES", "SELSOCK_REASON")
    assert (target, status, sent, reason) == tuple(outcome[name] for name in fields)
    assert not reason or reason.encode() not in answer


@pytest.mark.parametrize(
    ("host", "user", "target", "address", "context"),
    [
        ("dog.example", "dog", "/a.txt", "192.0.2.1", DOG),
        ("www.dog.example", "dog", "/a.txt", "192.0.2.1", DOG),
        ("DOG.example:8080", "dog", "/a.txt", "192.0.2.1", DOG),
        ("dog.example", "mouse", "/a.txt", "192.0.2.1", PUBLIC),
        ("dog.example", "cat", "/staff/s.txt", "192.0.2.1", CAT),
        ("dog.example", "dog", "/staff/s.txt", "10.1.2.3", DOG),
        ("dog.example", "dog", "/a.txt", "10.1.2.3", ADMIN),
        ("cat.example", "", "/a.txt", "10.1.2.3", ADMIN),
        ("cat.example", "", "/a.txt", "local", PUBLIC),
        ("cat.example", "dog", "/a.txt", "192.0.2.1", PUBLIC),
    ],
)
def test_context_follows_vhost_location_user_and_address(
    world: World, host: str, user: str, target: str, address: str, context: Context
) -> None:
    """As the rules say; credentials for a vhost without authentication mean nothing."""
    with world.visit(address) as instance:
        instance.send(request(target, host, user, rest=CLOSE))
        assert 200 == status_of(instance.receive())
        instance.wait()
        assert ("setcon", f"system_u:system_r:{context}") in instance.calls
    assert str(context) == world.journal.records()[0]["SELSOCK_CONTEXT"]


def test_head_has_no_content_through_the_whole_way(world: World) -> None:
    """Served, and refused."""
    for host, status in (("dog.example", 200), ("nobody.example", 421)):
        answer, _ = alone(world, request(host=host, method="HEAD", rest=CLOSE))
        assert (status, b"") == (status_of(answer), content_of(answer))


def test_time_zone_is_read_above_the_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """libc opens /etc/localtime at the first date that it makes; in the tenant's domain that would be denied."""

    def http_date(seconds: float) -> str:
        world.kernel.calls.append(("http_date",))
        return ""

    monkeypatch.setattr(connection, "http_date", http_date)
    with world.visit() as instance:
        instance.send(request(rest=CLOSE))
        instance.receive()
        instance.wait()
        calls = [call[0] for call in instance.calls]
    assert calls.index("http_date") < calls.index("setcon")


# ---- refusals: nothing is entered, nothing is served


def refused(world: World, data: bytes, address: str = "192.0.2.1") -> tuple[int, str]:
    """The status and recorded reason of a refusal, after which nothing else can have happened."""
    with world.visit(address) as instance:
        instance.send(data)
        answer = instance.receive()
        assert (errors.EXIT_REFUSED, 1) == (instance.wait(), answer.count(b"\r\nDate: "))
        assert "setcon" not in [call[0] for call in instance.calls]
    (record,) = world.journal.records()
    assert ("refusal", str(status_of(answer)), "5") == tuple(
        record[name] for name in ("SELSOCK_EVENT", "SELSOCK_STATUS", "PRIORITY")
    )
    assert b"\r\nConnection: close\r\n" in answer
    return status_of(answer), record["SELSOCK_REASON"]


@pytest.mark.parametrize(
    "host", ["nobody.example", "ww.dog.example", "og.example", "a.dog.example", "192.0.2.1", "[::1]"]
)
def test_unknown_host_is_421_and_never_the_first_vhost(world: World, host: str) -> None:
    """RFC 9110 §15.5.20."""
    assert (421, f"no vhost answers to {host} (RFC 9110 §15.5.20)") == refused(world, request(host=host))


def apart(world: World, vhosts: tuple[Vhost, ...], *listeners: str) -> None:
    """A table of ``vhosts``, with ``listeners`` for those with run_as."""
    records = [(b"table", table_record(Table("g1", True, Limits({"failure_seconds": 1}), (), listeners)))]
    records += [(f"host {name}".encode(), vhost_record(vhost)) for vhost in vhosts for name in vhost.names]
    world.table.write_bytes(compose(records))


def owned(world: World, *run_as: int) -> Vhost:
    """dog.example without users, as this account."""
    public = Location((), (Rule(PUBLIC, "vhost.yaml:1", any=True),), None)
    root = AbsolutePath.parse(str(world.folder / "dog"))
    return Vhost((HostName.parse("dog.example"),), root, None, (public,), run_as=run_as)


@pytest.mark.parametrize(
    ("host", "listeners", "domain", "kind"),
    [("dog", ("8080",), "selsock_t", "with"), ("cat", ("80", "8080"), "selsock_run_as_t", "without")],
)
def test_vhost_with_run_as_is_served_by_its_listeners_alone(
    world: World, host: str, listeners: tuple[str, ...], domain: str, kind: str
) -> None:
    """And they serve no other.  Peers of these tests have come by port 80."""
    apart(world, (owned(world, 1000, 1501, 1501, 1501), world.vhosts[1]), *listeners)
    world.kernel.context = SELSOCK.replace("selsock_t", domain)
    words = f"{host}.example is served on listeners {kind} run_as alone (RFC 9110 §15.5.20)"
    assert (421, words) == refused(world, request(host=f"{host}.example"))


def test_listener_of_one_kind_needs_the_domain_of_that_kind(world: World) -> None:
    """Here it is selsock_t, without the right to change its user."""
    apart(world, (owned(world, 1000, 1501, 1501, 1501),), "80")
    status, exit_status, reason = failed(world)
    assert (503, errors.EXIT_POLICY) == (status, exit_status)
    assert reason == f"running as {SELSOCK}, not selsock_run_as_t: restorecon it, and restart the socket"


def test_account_of_the_system_is_refused_before_anything_is_given_up(world: World) -> None:
    """Though the table has it: nothing was decided, and no context entered."""
    apart(world, (owned(world, 1000, 0, 0, 0),), "80")
    world.kernel.context = SELSOCK.replace("selsock_t", "selsock_run_as_t")
    assert (403, "uid 0, gid 0 is an account of the system's, or in root's group") == refused(world, request())
    assert "decision" not in world.journal.events()


def test_vhost_that_has_all_its_connections_is_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Retry-After, as the peer's misfortune: no failed unit.  Before anybody looks at a password."""
    slots = world.folder / "slots"
    slots.touch()
    monkeypatch.setattr("selsock.handler.share.SLOTS", str(slots))
    limits = {"connections": 1, "slots": 5}
    dog = world.vhosts[0]
    world.vhosts[0] = Vhost(dog.names, dog.root, dog.basic, dog.locations, limits=limits)
    world.recompile({"idle_seconds": 5})
    with world.visit() as first:
        first.send(request())
        assert 200 == status_of(first.receive_one())
        answer, status = alone(world, request(user="hare"))
        assert (503, errors.EXIT_REFUSED) == (status_of(answer), status)
        assert b"\r\nRetry-After: 5\r\n" in answer
        assert 200 == status_of(alone(world, request(host="cat.example", rest=CLOSE))[0])
    assert 200 == status_of(alone(world, request(rest=CLOSE))[0])


def test_no_host_at_all_is_421(world: World) -> None:
    """HTTP/1.0 may leave it out."""
    wanted = (421, "no vhost answers to a request without a host (RFC 9110 §15.5.20)")
    assert wanted == refused(world, b"GET / HTTP/1.0\r\n\r\n")


def test_no_rule_is_403(world: World) -> None:
    """For a user whom no rule names, and on a vhost that knows no users."""
    wanted = (403, "no rule matches, and no default_context is for this visitor")
    assert wanted == refused(world, request("/staff/s.txt", user="mouse"))


def test_no_rule_without_authentication_is_403(world: World) -> None:
    """There is nothing to ask for."""
    wanted = (403, "no rule matches, and no default_context is for this visitor")
    assert wanted == refused(world, request("/staff/s.txt", "cat.example"))


def test_anonymous_visitor_where_users_may_is_401(world: World) -> None:
    """With the realm."""
    answer, _ = alone(world, request("/staff/s.txt"))
    assert b'\r\nWWW-Authenticate: Basic realm="kennel", charset="UTF-8"\r\n' in answer
    assert (401, "no rule admits an anonymous visitor here") == (
        status_of(answer),
        world.journal.records()[0]["SELSOCK_REASON"],
    )


def test_wrong_password_is_401_even_where_anonymous_visitors_may(world: World) -> None:
    """Whoever says who he is must be it."""
    data = request().replace(b"\r\n\r\n", b"\r\nAuthorization: Basic ZG9nOndyb25n\r\n\r\n")
    assert (401, "wrong password or unknown user dog") == refused(world, data)


def test_locked_account_is_401(world: World) -> None:
    """The administrator meant it; nothing of the machine is to be mended."""
    assert (401, "wrong password or unknown user mole") == refused(world, request(user="mole"))


def test_malformed_head_is_refused_by_the_head(world: World) -> None:
    """Its reasons are in tests/wire; here it goes the whole way."""
    wanted = (400, "HTTP/1.1 without Host (RFC 9112 §3.2)")
    assert wanted == refused(world, b"GET / HTTP/1.1\r\n\r\n")


def test_host_in_the_journal_can_not_forge_a_record(world: World) -> None:
    """What a peer puts into a refusal is visible ASCII, in one field."""
    wanted = (421, "no vhost answers to x.example (RFC 9110 §15.5.20)")
    assert wanted == refused(world, request(host="x.example\r\nX: \x85SELSOCK_EVENT=decision"))


# ---- the peer leaves


def test_silent_peer_ends_with_gone(world: World) -> None:
    """Not a byte is sent."""
    with world.visit() as instance:
        instance.peer.shutdown(1)
        assert (b"", errors.EXIT_GONE) == (instance.receive(), instance.wait())
    (record,) = world.journal.records()
    wanted = ("gone", "0", "closed without a request")
    assert wanted == tuple(record[name] for name in ("SELSOCK_EVENT", "SELSOCK_STATUS", "SELSOCK_REASON"))


def test_peer_that_takes_no_answer_ends_with_gone(world: World) -> None:
    """The file does not fit into the socket, and the connection's deadline passes."""
    (world.folder / "dog" / "big").write_bytes(bytes(8_000_000))
    world.recompile({"connection_seconds": 1})

    def impatient(confined: Confined, exchange: Exchange) -> Outcome:
        exchange.reply.client.deadline -= 0.8
        return static.serve(confined, exchange)

    with world.visit(serve=impatient) as instance:
        instance.send(request("/big"))
        assert b"HTTP/1.1 200 OK" == instance.peer.recv(15)
        wait_until(lambda: "gone" in world.journal.events())
        assert errors.EXIT_GONE == instance.wait()
    assert "writing to the peer: deadline" == world.journal.records()[-1]["SELSOCK_REASON"]


# ---- kept connections


def test_connection_is_kept_within_one_context(world: World) -> None:
    """Three requests, one decision, one setcon; the other name of the same vhost is the same vhost."""
    with world.visit() as instance:
        for target, host in (("/a.txt", "dog.example"), ("/b.txt", "dog.example"), ("/a.txt", "www.dog.example")):
            instance.send(request(target, host))
            answer = instance.receive_one()
            assert (200, False) == (status_of(answer), b"Connection" in answer)
        instance.send(request(rest=CLOSE))
        assert b"Connection: close" in instance.receive()
        assert errors.EXIT_SERVED == instance.wait()
        assert 1 == [call[0] for call in instance.calls].count("setcon")
    assert ["decision", *["outcome"] * 4] == world.journal.events()


def test_connection_is_kept_for_the_same_credentials(world: World) -> None:
    """They are recognised, not checked again: the password file may be gone by then."""
    with world.visit() as instance:
        instance.send(request(user="dog"))
        assert 200 == status_of(instance.receive_one())
        (world.folder / "htpasswd").unlink()
        instance.send(request("/b.txt", user="dog"))
        assert b"dog's b" == content_of(instance.receive_one())


SIGNED_OUT, SIGNED_IN = "", "dog"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(request(), request(host="cat.example"), id="other vhost"),
        pytest.param(request(), request(host="nobody.example"), id="unknown vhost"),
        pytest.param(request(), b"GET /a.txt HTTP/1.0\r\n\r\n", id="no vhost"),
        pytest.param(request(), request(user="dog"), id="signing in"),
        pytest.param(request(), request(user="mouse"), id="signing in, for the same context"),
        pytest.param(request(user="dog"), request(), id="signing out"),
        pytest.param(request(user="mouse"), request("/b.txt"), id="signing out, for the same context"),
        pytest.param(request(user="dog"), request(user="mouse"), id="other user"),
        pytest.param(request(user="dog"), request(user="cat"), id="other user without a rule"),
        pytest.param(request(), request("/staff/s.txt"), id="401"),
        pytest.param(request(user="mouse"), request("/staff/s.txt", user="mouse"), id="403"),
        pytest.param(request("/a.txt", "cat.example"), request("/staff/s.txt", "cat.example"), id="403 without users"),
    ],
)
def test_request_that_belongs_elsewhere_closes_without_a_byte(world: World, first: bytes, second: bytes) -> None:
    """The client asks again on a connection of its own (RFC 9112 §9.3.1); no refusal may be made up down here."""
    with world.visit() as instance:
        instance.send(first)
        assert 200 == status_of(instance.receive_one())
        instance.send(second)
        assert (b"", errors.EXIT_SERVED) == (instance.receive(), instance.wait())
        assert 1 == [call[0] for call in instance.calls].count("setcon")
    assert ["decision", "outcome", "closed"] == world.journal.events()
    assert world.journal.records()[-1]["SELSOCK_LISTENER"] != ""


# ---- maps


MAPPED = {"/m dog": b":s0", "/m mouse": b"selsock_dog_t:", "/n dog": b"selsock_public_t:s0", "/n mouse": b":s0:c1"}


def with_maps(world: World, maps: dict[str, bytes]) -> None:
    """dog.example asks map ``/m``, then ``/n`` and a rule for cat below ``/n``."""

    def asks(name: str) -> Rule:
        return Rule(PUBLIC, f"vhost.yaml:{name}", map=name)

    vhost = world.vhosts[0]
    below = Location(("n",), (asks("/n"), Rule(CAT, "vhost.yaml:cat", frozenset([UserName("cat")]))), None)
    world.vhosts[0] = Vhost(vhost.names, vhost.root, vhost.basic, (below, Location((), (asks("/m"),), None)))
    (world.folder / "dog" / "n").mkdir()
    (world.folder / "dog" / "n" / "n.txt").write_text("dog's n")
    world.table = compile_table(world.folder, world.vhosts, maps=maps, providers=world.providers)


@pytest.mark.parametrize(
    ("user", "target", "status", "context"),
    [
        ("dog", "/a.txt", 200, str(PUBLIC)),
        ("mouse", "/a.txt", 200, str(DOG)),
        ("mouse", "/n/n.txt", 200, f"{PUBLIC}:c1"),
        ("cat", "/n/n.txt", 200, str(CAT)),
        ("cat", "/a.txt", 403, ""),
        ("", "/a.txt", 401, ""),
    ],
)
def test_map_gives_its_users_their_contexts(world: World, user: str, target: str, status: int, context: str) -> None:
    """What a record leaves out is the rule's; whom a map does not name, the next rule is asked for; else nobody."""
    with_maps(world, MAPPED)
    answer, _ = alone(world, request(target, user=user, rest=CLOSE))
    assert status == status_of(answer)
    decisions = [record for record in world.journal.records() if record["SELSOCK_EVENT"] == "decision"]
    rule = "vhost.yaml:cat" if user == "cat" else f"/{target[1]}" if target[1] == "n" else "/m"
    expected = [(user, context, rule)] if context else []
    assert expected == [
        tuple(record[f"SELSOCK_{name}"] for name in ("USER", "CONTEXT", "RULE")) for record in decisions
    ]


def test_no_name_stands_for_who_is_anonymous(world: World) -> None:
    """Whatever the map has: a visitor who has not signed in is asked to."""
    with_maps(world, {"/m None": b":", "/m ": b":", "/m __anonymous__": b":", "/m *": b":"})
    assert 401 == status_of(alone(world, request(rest=CLOSE))[0])
    assert 403 == status_of(alone(world, request(user="dog", rest=CLOSE))[0])


def test_maps_of_all_locations_are_known_on_a_kept_connection(world: World) -> None:
    """The table is closed by then: dog gets the same context from both maps, mouse gets another."""
    with_maps(world, MAPPED)
    with world.visit() as instance:
        for target, content in (("/a.txt", b"dog's a"), ("/n/n.txt", b"dog's n"), ("/b.txt", b"dog's b")):
            instance.send(request(target, user="dog"))
            assert content == content_of(instance.receive_one())
    with world.visit() as instance:
        instance.send(request(user="mouse"))
        assert 200 == status_of(instance.receive_one())
        instance.send(request("/n/n.txt", user="mouse"))
        assert (b"", errors.EXIT_SERVED) == (instance.receive(), instance.wait())


@pytest.mark.parametrize("record", [b"selsock_dog:s0", b"selsock_dog_t:s0-s1", b"\xff:", b"selsock_dog_t:s0\n"])
def test_map_record_that_contradicts_itself(world: World, record: bytes) -> None:
    """It alone is out of service."""
    with_maps(world, {"/m dog": record, "/m mouse": b":"})
    status, exit_status, reason = failed(world, request(user="dog"))
    assert (503, errors.EXIT_TABLE) == (status, exit_status)
    assert reason.startswith(f"{world.table}: map /m dog: ")
    assert 200 == status_of(alone(world, request(user="mouse", rest=CLOSE))[0])


def test_change_of_mode_or_policy_ends_a_kept_connection_without_a_byte(world: World) -> None:
    """setenforce 0, or another policy: what was asked above the line is asked again, on a new connection."""
    world.kernel = FakeKernel(stable=3)
    with world.visit() as instance:
        for _ in range(2):
            instance.send(request())
            assert 200 == status_of(instance.receive_one())
        instance.send(request("/b.txt"))
        assert (b"", errors.EXIT_SERVED) == (instance.receive(), instance.wait())
    assert ["decision", "outcome", "outcome"] == world.journal.events()


def test_wrong_password_on_a_kept_connection_closes_without_a_byte(world: World) -> None:
    """It can not be checked below the line: the password file is out of reach there, and so it should be."""
    with world.visit() as instance:
        instance.send(request(user="dog"))
        instance.receive_one()
        instance.send(request().replace(b"\r\n\r\n", b"\r\nAuthorization: Basic ZG9nOndyb25n\r\n\r\n"))
        assert b"" == instance.receive()


def test_credentials_are_not_asked_of_a_vhost_without_users(world: World) -> None:
    """Any may come and go there; they mean nothing."""
    with world.visit() as instance:
        for user in ("", "dog", "mouse", ""):
            instance.send(request(host="cat.example", user=user))
            assert 200 == status_of(instance.receive_one())


def test_number_of_requests_is_limited(world: World) -> None:
    """The last answer says so."""
    world.recompile({"requests": 2})
    with world.visit() as instance:
        instance.send(request())
        assert b"Connection" not in instance.receive_one()
        instance.send(request())
        assert b"\r\nConnection: close\r\n" in instance.receive()
        assert errors.EXIT_SERVED == instance.wait()


def test_idle_connection_ends_in_silence(world: World) -> None:
    """No 408 for a browser to show: it asked nothing."""
    world.recompile({"idle_seconds": 0})
    with world.visit() as instance:
        instance.send(request())
        assert 200 == status_of(instance.receive_one())
        assert (b"", errors.EXIT_SERVED) == (instance.receive(), instance.wait())


def test_malformed_second_request_is_400(world: World) -> None:
    """It is refused, from below the line, and recorded as that domain's claim."""
    with world.visit() as instance:
        instance.send(request())
        instance.receive_one()
        instance.send(b"GET / HTTP/1.1\r\n\r\n")
        answer = instance.receive()
        assert (400, errors.EXIT_REFUSED) == (status_of(answer), instance.wait())
    assert ["decision", "outcome", "refusal"] == world.journal.events()


def test_refusal_after_head_has_its_content(world: World) -> None:
    """What was HEAD is the request before."""
    with world.visit() as instance:
        instance.send(request(method="HEAD"))
        while not instance.peer.recv(65536).endswith(b"\r\n\r\n"):
            pass
        instance.send(b"GET / HTTP/1.1\r\n\r\n")
        assert content_of(instance.receive()).startswith(b"400 Bad Request: HTTP/1.1 without Host")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request(rest=CLOSE) + request("/b.txt"), id="close"),
        pytest.param(b"GET /a.txt HTTP/1.0\r\nHost: dog.example\r\n\r\n", id="HTTP/1.0"),
    ],
)
def test_one_answer_and_the_end(world: World, data: bytes) -> None:
    """What follows the last request is not read, let alone taken for another."""
    answer, status = alone(world, data)
    assert (1, errors.EXIT_SERVED) == (answer.count(b"HTTP/1.1 "), status)
    assert b"\r\nConnection: close\r\n" in answer
    assert b"dog's b" not in answer


def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    """RFC 9112 §9.3.2: content and the next request lie behind one another in what has been received."""
    posted = request(method="POST", rest="Content-Length: 5\r\n") + b"GET /"
    chunked = request(method="POST", rest="Transfer-Encoding: chunked\r\n") + b"5\r\nGET /\r\n0\r\n\r\n"
    answer, status = alone(world, request() + posted + chunked + request("/b.txt", rest=CLOSE))
    assert [b"200", b"405", b"405", b"200"] == re.findall(rb"HTTP/1.1 (\d+) ", answer)
    assert (answer.endswith(b"dog's b"), status) == (True, errors.EXIT_SERVED)


def test_record_can_not_be_forged_by_a_field(world: World) -> None:
    """Quotes, backslashes, and what is not printable stand escaped in the Combined Log Format."""
    rest = 'User-Agent: a" 200 1 "x\\\tb\x85c\r\nReferer: http://ü/\r\n'
    alone(world, request(rest=CLOSE + rest))
    message = world.journal.records()[-1]["MESSAGE"]
    assert message.endswith(r' 200 7 "http://ü/" "a\x22 200 1 \x22x\x5c\x09b\x85c"')


@pytest.mark.parametrize(
    ("user", "target", "rest", "status"),
    [
        ("dog", "/a.txt", b"User-Agent: " + b"\xff" * 60000, "200"),
        ("dog", "/staff/s.txt", b"Referer: " + b"\xff" * 60000, "200"),
        ("", "/staff/s.txt", b"User-Agent: " + b"\xff" * 60000, "401"),
        ("dog", "/a.txt?" + "\\" * 60000, b"A: b", "200"),
    ],
)
def test_no_field_is_so_long_that_there_is_no_record(
    world: World, user: str, target: str, rest: bytes, status: str
) -> None:
    """Escapes make the text longer; a record is one datagram, and without it there would be no answer either."""
    world.recompile({"head_bytes": 65536, "request_line_bytes": 65536})
    data = request(target, user=user, rest=CLOSE)[:-2] + rest + b"\r\n\r\n"
    assert status == str(status_of(alone(world, data)[0]))
    assert status == world.journal.records()[-1]["SELSOCK_STATUS"]


def test_peer_may_half_close_after_its_request(world: World) -> None:
    """As `nc -N` does: the answer is not lost."""
    with world.visit() as instance:
        instance.send(request())
        instance.peer.shutdown(1)
        assert b"dog's a" == content_of(instance.receive())
        assert errors.EXIT_SERVED == instance.wait()


# ---- our faults: 5xx without a reason, the journal has it, and nothing is served


def failed(world: World, data: bytes = request(), serve: object = None) -> tuple[int, int, str]:
    """HTTP status, exit status and recorded reason of an instance that fails by a fault of ours."""
    answer, status = alone(world, data, serve=serve)
    record = world.journal.records()[-1]
    assert ("fault", "3", str(status_of(answer))) == tuple(
        record[name] for name in ("SELSOCK_EVENT", "PRIORITY", "SELSOCK_STATUS")
    )
    assert b"dog's" not in answer
    assert 3 == len(content_of(answer).splitlines()[0].split(b" ", 2))
    return status_of(answer), status, record["SELSOCK_REASON"]


def test_missing_table(world: World) -> None:
    """Exit 20."""
    world.table = world.folder / "none"
    wanted = f"{world.table}: No such file or directory"
    assert (503, errors.EXIT_TABLE, wanted) == failed(world)


@pytest.mark.parametrize("length", [0, 1, 2047, 2048, -1, -8])
def test_table_cut_short(world: World, length: int) -> None:
    """Wherever it was cut."""
    world.table.write_bytes(world.table.read_bytes()[:length])
    status, exit_status, reason = failed(world)
    assert (503, errors.EXIT_TABLE) == (status, exit_status)
    assert reason.startswith(f"{world.table}: ")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"format\t5", b"format\t4", "table: of another format than 5"),
        (b"selinux\trequired", b"selinux\trequireD", "table: incomplete"),
        (b"selinux\trequired", b"selinuX\trequired", "table: incomplete"),
        (b"fields\t100", b"fieldS\t100", "table: incomplete"),
        (b"generation\tg1", b"generatioN\tg1", "table: incomplete"),
        (b"table", b"tablE", "of another format: it has no record 'table'"),
    ],
)
def test_table_of_another_format(world: World, old: bytes, new: bytes, reason: str) -> None:
    """Whole as a cdb, and not ours."""
    data = world.table.read_bytes()
    assert old in data
    world.table.write_bytes(data.replace(old, new, 1))
    assert (503, errors.EXIT_TABLE, f"{world.table}: {reason}") == failed(world)


def test_vhost_that_contradicts_itself(world: World) -> None:
    """The record of one vhost is broken; it alone is out of service."""
    data = world.table.read_bytes()
    world.table.write_bytes(data.replace(b"names\tcat", b"nameS\tcat"))
    status, exit_status, reason = failed(world, request(host="cat.example"))
    assert (503, errors.EXIT_TABLE) == (status, exit_status)
    assert reason.startswith(f"{world.table}: host cat.example: ")
    assert 200 == status_of(alone(world, request(rest=CLOSE))[0])


@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_selinux_that_does_not_enforce(world: World, mode: str) -> None:
    """Exit 21, before a byte is read from the client."""
    world.kernel = FakeKernel(mode=mode)
    wanted = (503, errors.EXIT_POLICY, f"SELinux is {mode}, and vhost.yaml requires it")
    assert wanted == failed(world)


def test_process_outside_its_own_domain(world: World) -> None:
    """The program lost its label, and init started it in a domain of another module."""
    world.kernel.context = "system_u:system_r:initrc_t:s0"
    wanted = "running as system_u:system_r:initrc_t:s0, not selsock_t: restorecon it, and restart the socket"
    assert (503, errors.EXIT_POLICY, wanted) == failed(world)
    assert ["fault"] == world.journal.events()


def test_policy_of_another_generation(world: World) -> None:
    """The table was replaced, the policy not."""
    world.recompile(generation="g2")
    wanted = "the loaded policy is not of the table's generation g2: run selsock-generate"
    assert (503, errors.EXIT_POLICY, wanted) == failed(world)


def test_permissive_domain(world: World) -> None:
    """semanage permissive -a selsock_public_t."""
    world.kernel = FakeKernel(permissive=True)
    wanted = (503, errors.EXIT_POLICY, f"the domain of {TARGET} is permissive: it would confine nothing")
    assert wanted == failed(world)
    assert ["decision", "fault"] == world.journal.events()


def test_policy_loaded_while_the_head_is_read_costs_no_request(world: World) -> None:
    """Somebody else's RPM: the new policy is looked at as the old one was, and it is served and kept."""
    world.kernel = Reloaded(["knows"])
    with world.visit() as instance:
        for _ in range(2):
            instance.send(request())
            assert 200 == status_of(instance.receive_one())
        assert errors.EXIT_SERVED == instance.wait()
        names = [call[0] for call in instance.calls]
    check, approve, enter = (
        ["watch", "getcon", "knows"],
        ["getcon", "is_permissive", "unchanged"],
        "setcon",
    )
    assert [*check, *approve, *check, *approve, "knows", enter, "getcon", "unchanged", "unchanged"] == names
    assert ["decision", "outcome", "outcome"] == world.journal.events()


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ({"mode": "permissive"}, "SELinux is permissive, and vhost.yaml requires it"),
        ({"generation": "g2"}, "the loaded policy is not of the table's generation g1: run selsock-generate"),
        ({"permissive": True}, f"the domain of {TARGET} is permissive: it would confine nothing"),
    ],
)
def test_change_for_the_worse_while_the_head_is_read(world: World, then: dict[str, object], reason: str) -> None:
    """Exit 21, with the reason that a new connection would get."""
    world.kernel = Reloaded(["knows"], **then)
    assert (503, errors.EXIT_POLICY, reason) == failed(world)
    assert ["decision", "fault"] == world.journal.events()


@pytest.mark.parametrize("moments", [["knows"] * 9, ["setcon"]])
def test_change_that_can_not_be_judged(world: World, moments: list[str]) -> None:
    """One after the other, or at the very line: exit 21, and nothing is served."""
    world.kernel = Reloaded(moments)
    wanted = "SELinux's mode or policy has changed since the connection began"
    assert (503, errors.EXIT_POLICY, wanted) == failed(world)


def test_refused_setcon(world: World) -> None:
    """Exit 22."""
    world.kernel = FakeKernel(refuses=PermissionError(13, "Permission denied"))
    wanted = (500, errors.EXIT_CONFINE, "entering selsock_public_t:s0: [Errno 13] Permission denied")
    assert wanted == failed(world)


def test_getcon_that_differs(world: World) -> None:
    """Exit 22, and the 500 is all that leaves."""
    world.kernel = FakeKernel(reports="system_u:system_r:selsock_t:s0")
    wanted = f"asked for {TARGET}, but the kernel reports system_u:system_r:selsock_t:s0"
    assert (500, errors.EXIT_CONFINE, wanted) == failed(world)


def test_process_with_privileges(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own process has not given up what the unit takes away."""
    monkeypatch.setattr(confine, "REQUIRED_STATUS", {"NoNewPrivs": "1"})
    wanted = "NoNewPrivs is 0, not 1: was this started by selsock@.service?"
    assert (500, errors.EXIT_CONFINE, wanted) == failed(world)


def test_password_file_that_can_not_answer(world: World) -> None:
    """Exit 23."""
    unknown = "a hash of a format other than $2y$, $5$, $6$, $apr1$, {SHA} and DES"
    wanted = f"{world.folder}/identify: {world.folder}/htpasswd: {unknown}"
    assert (503, errors.EXIT_IDENTITY, wanted) == failed(world, request(user="hare"))


def test_journal_out_of_reach_serves_nobody(world: World) -> None:
    """Exit 24, without an answer: there would be no account of it."""
    world.journal.socket.close()
    answer, status = alone(world, request())
    assert (b"", errors.EXIT_ADOPT) == (answer, status)


def test_journal_out_of_reach_hides_no_refusal_either(world: World) -> None:
    """The same where the peer is at fault, and where we are."""
    world.journal.socket.close()
    assert (b"", errors.EXIT_ADOPT) == alone(world, b"x\r\n\r\n")
    world.table.unlink()
    with world.visit() as instance:
        assert errors.EXIT_ADOPT == instance.wait()


def test_defect_is_500_and_exit_70(world: World) -> None:
    """Its type, place and text are in the journal, on one line of one field."""

    def broken(confined: Confined, exchange: Exchange) -> Outcome:
        raise KeyError("forged\nSELSOCK_EVENT=decision")

    status, exit_status, reason = failed(world, serve=broken)
    assert (500, errors.EXIT_BUG) == (status, exit_status)
    assert reason.startswith("a defect of selsock: KeyError at ")
    assert reason.partition(": ")[2].split(":")[0].endswith("test_connection.py")
    assert ["decision", "fault"] == world.journal.events()


@pytest.mark.parametrize("fault", [KeyError("x"), errors.OwnFault("x"), errors.PeerFault(400, "x"), MemoryError()])
def test_nothing_is_sent_after_an_answer_that_has_begun(world: World, fault: Exception) -> None:
    """Whatever goes wrong then: the connection is cut, and the client sees that it is."""

    def halfway(confined: Confined, exchange: Exchange) -> Outcome:
        exchange.reply.client.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        raise fault

    answer, status = alone(world, request(), serve=halfway)
    assert b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf" == answer
    assert getattr(fault, "exit_status", errors.EXIT_BUG) == status


def test_second_request_may_be_answered_although_the_first_was(world: World) -> None:
    """``answered`` is of one request: a defect in the second still gets its 500."""
    seen = []

    def breaks_later(confined: Confined, exchange: Exchange) -> Outcome:
        seen.append(exchange)
        if len(seen) > 1:
            raise KeyError("x")
        return static.serve(confined, exchange)

    with world.visit(serve=breaks_later) as instance:
        instance.send(request())
        assert 200 == status_of(instance.receive_one())
        instance.send(request())
        assert (500, errors.EXIT_BUG) == (status_of(instance.receive()), instance.wait())


# ---- selinux: optional


@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_optional_says_so_on_every_connection(world: World, mode: str) -> None:
    """A warning, ahead of the decision; the kernel is neither told nor asked anything more."""
    world.recompile(required=False)
    world.kernel = FakeKernel(mode=mode)
    with world.visit() as instance:
        instance.send(request(rest=CLOSE))
        assert (200, errors.EXIT_SERVED) == (status_of(instance.receive()), instance.wait())
        assert [("watch",)] == instance.calls
    first = world.journal.records()[0]
    assert ("4", "unconfined", "serving UNCONFINED, as selinux: optional allows") == (
        first["PRIORITY"],
        first["SELSOCK_EVENT"],
        first["MESSAGE"],
    )


def test_optional_confines_where_it_can(world: World) -> None:
    """Optional does not mean off."""
    world.recompile(required=False)
    with world.visit() as instance:
        instance.send(request(rest=CLOSE))
        assert 200 == status_of(instance.receive())
        instance.wait()
        assert ("setcon", TARGET) in instance.calls
    assert ["decision", "outcome"] == world.journal.events()


def test_optional_begun_under_enforcement_is_not_served_without(world: World) -> None:
    """setenforce 0 while the head is read: nobody has said UNCONFINED in the journal."""
    world.recompile(required=False)
    world.kernel = Reloaded(["knows"], mode="permissive")
    wanted = "SELinux's mode or policy has changed since the connection began"
    assert (503, errors.EXIT_POLICY, wanted) == failed(world)
    assert ["decision", "fault"] == world.journal.events()


# ---- the top itself


def test_journal_and_stderr_out_of_reach_is_still_exit_24() -> None:
    """Where journald is gone, so is the stream of the unit's stderr: writing there fails as well, and must not matter."""
    pid = os.fork()
    if pid == 0:
        try:
            os.close(2)
            top.report(Journal("/none/journal"), Access("-"), errors.PeerFault(400, "x"), 400)
        finally:
            os._exit(99)
    assert errors.EXIT_ADOPT == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_started_by_hand_is_exit_24() -> None:
    """No LISTEN_FDS, no service; where there is a journal, it has the reason, else stderr."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({ROOT!r}); {START}"]
    assert errors.EXIT_ADOPT == subprocess.run(command, check=False, env={}, stderr=subprocess.DEVNULL).returncode
