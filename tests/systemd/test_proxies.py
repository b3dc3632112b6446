# SPDX-License-Identifier: Apache-2.0
"""Real proxies before real machines: HAProxy and nginx of Debian, configured by the snippets of docs/proxies.md.

Four machines with a network of their own: one with the proxies, 192.0.2.10, on which the visitors live too, and three
with selsock, 192.0.2.1 to 192.0.2.3, which have the same ``vhost.yaml``.
"""

import base64
import contextlib
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machines.commands import CHECKOUT
from tests.machines.install import write_files
from tests.machines.journal import Entry
from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot

PAGE = (CHECKOUT / "docs/proxies.md").read_text()
PROXY, VISITOR, OTHER = "192.0.2.10", "198.51.100.7", "198.51.100.8"
USERS = {"alice": "secret", "bob": "secret"}
SECRET = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"


def snippets(language: str) -> str:
    """The blocks of the page in ``language``, one after the other."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, language
    return "\n".join(found)


VHOST_YAML = f"""selinux: optional
{snippets("yaml")}  - 80
  - {{unix: /run/selsock/http.sock, mode: "0666", peer: {{user: daemon, type: haproxy_t}}, scheme: https}}
limits: {{connections_per_second: 1000, idle_seconds: 60}}
domains: {{public: {{python: true}}, staff: {{}}, programs: {{python: true}}}}
default_context: public:s0
vhosts:
  a.example:
    root: /srv/vhosts/a
    auth: {{basic: {{realm: A, file: /etc/selsock/a.htpasswd}}}}
    contexts: [{{user: [alice, bob], context: staff}}, {{address: {OTHER}, context: staff}}, {{any: true}}]
  b.example: {{root: /srv/vhosts/b}}
  c.example: {{root: /srv/vhosts/c}}
  d.example:
    root: /srv/vhosts/d
    auth: {{proxy: {{groups: /etc/selsock/d.htgroup}}}}
    contexts: [{{group: pack, context: "programs:s0:c1"}}, {{user: [carol, wüff], context: "programs:s0:c2"}}]
    locations: {{/: {{wsgi: {{application: "seen:application", python: [/code]}}}}}}
  e.example:
    root: /srv/vhosts/d
    contexts: [{{any: true, context: "programs:s0:c3"}}]
    locations: {{/: {{wsgi: {{application: "seen:application", python: [/code]}}}}}}
"""
# What an application sees of the visitor.
SEEN = b"""def application(environ, start_response):
    names = sorted(name for name in environ if name.startswith("HTTP_X") or name in ("REMOTE_USER", "AUTH_TYPE"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(f"{name}={environ[name]}" for name in names).encode("latin-1") + b"\\n"]
"""
FILES = {
    **{f"/srv/vhosts/{name}/index.html": (f"<p>{name}\n".encode(), 0o644) for name in "abc"},
    "/srv/vhosts/d/code/seen.py": (SEEN, 0o644),
    "/etc/selsock/d.htgroup": (b"pack: dog cat\n", 0o644),
    "/etc/selsock/a.htpasswd": ("".join(f"{user}:{SECRET}\n" for user in USERS).encode(), 0o644),
}
NGINX = "include /etc/nginx/modules-enabled/*.conf;\nuser www-data;\nevents {}\n"
# A single thread: each has idle connections of its own, so with more of them reuse would be a matter of chance.
FIRST = "global\n    nbthread 1\n"
# The same backend with version 1 of the protocol; HAProxy's checks send it, too.  And one that closes each time.
MORE = f"""
frontend closing
    bind {PROXY}:446 ssl crt /etc/haproxy/site.pem alpn h2,http/1.1
    default_backend closing
backend closing
    option http-server-close
    server one 192.0.2.1:8080 send-proxy-v2

frontend version-1
    bind {PROXY}:445 ssl crt /etc/haproxy/site.pem
    default_backend version-1
backend version-1
    option httpchk
    http-check send meth HEAD uri / ver HTTP/1.1 hdr Host b.example hdr Connection close
    server one 192.0.2.1:8080 send-proxy check check-send-proxy inter 1s
"""
MAKE_CERTIFICATES = """
cd /etc/haproxy
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Tests -keyout ca.key -out ca.pem \\
    -addext basicConstraints=critical,CA:TRUE
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a.example -keyout site.key -out site.csr
printf 'subjectAltName=DNS:a.example,DNS:b.example,DNS:c.example\\n' >names
openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out site.crt
cat site.crt site.key >site.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Visitors -keyout visitors.key \\
    -out visitors.pem -addext basicConstraints=critical,CA:TRUE
for name in dog stranger wüff; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8 -subj /CN=$name -keyout $name.key -out $name.csr
    openssl x509 -req -in $name.csr -CA visitors.pem -CAkey visitors.key -CAcreateserial -days 2 -out $name.crt
done
openssl x509 -req -in dog.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out other.crt
openssl x509 -req -in dog.csr -CA visitors.pem -CAkey visitors.key -CAcreateserial -days 0 -out expired.crt
"""


@dataclass(frozen=True)
class Farm:
    """The machine with the proxies, and those behind it."""

    front: NativeMachine
    machines: tuple[NativeMachine, ...]
    authority: str

    def curl(self, url: str, *options: str, address: str = VISITOR) -> str:
        """What curl writes; the visitor comes from ``address``, and knows the authority of the proxies' certificate."""
        command = ["curl", "--silent", "--show-error", "--cacert", "/etc/haproxy/ca.pem", "--interface", address]
        command += ["--connect-to", f"::{PROXY}:", *options, url]
        return self.front.run(command).stdout

    def control(self, command: str) -> str:
        """What HAProxy's socket answers."""
        script = f"echo '{command}' | socat stdio /run/haproxy/admin.sock"
        return self.front.run(["sh", "-ec", script]).stdout

    def status(self, server: str) -> tuple[str, str]:
        """State and last check of a server of HAProxy's, as ``selsock/one``."""
        lines = [line.split(",") for line in self.control("show stat").lstrip("# ").splitlines() if line]
        (row,) = [dict(zip(lines[0], line, strict=False)) for line in lines[1:] if "/".join(line[:2]) == server]
        return row["status"], row["check_status"].removeprefix("* ")  # the sign of a check that is on its way

    def wait_for(self, server: str, status: str) -> None:
        """Wait until HAProxy thinks so of a server."""
        for _ in range(200):
            if self.status(server)[0].startswith(status):
                return
            time.sleep(0.1)
        raise AssertionError(f"{server} is {self.status(server)}, not {status}")

    @contextlib.contextmanager
    def visit(self, port: int = 443) -> Iterator["Visit"]:
        """A visitor's connection over TLS, HTTP/1.1."""
        context = ssl.create_default_context(cadata=self.authority)
        with (
            self.front.connect(port, PROXY, 60, VISITOR) as plain,
            context.wrap_socket(plain, server_hostname="a.example") as tls,
        ):
            yield Visit(tls)


class Visit:
    """A connection that is kept."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self.tls = tls

    def get(self, user: str = "", host: str = "a.example", method: str = "GET") -> int:
        """The status of one request; its content is read."""
        text = f"{method} / HTTP/1.1\r\nHost: {host}\r\n"
        if user:
            text += f"Authorization: Basic {base64.b64encode(f'{user}:{USERS[user]}'.encode()).decode()}\r\n"
        self.tls.sendall(f"{text}\r\n".encode())
        file = self.tls.makefile("rb")
        status = int(file.readline().split()[1])
        length = 0
        while (line := file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        assert len(file.read(length)) == length
        return status


@pytest.fixture(scope="module")
def farm(boot: Boot) -> Iterator[Farm]:
    """All machines are up, and HAProxy has found all servers to be up."""
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(boot(purpose="proxy"))
        machines = tuple(stack.enter_context(boot(VHOST_YAML, FILES, number=str(number))) for number in (1, 2, 3))
        for number, machine in enumerate(machines, 1):
            front.link(machine, PROXY, f"192.0.2.{number}")
        for address in (VISITOR, OTHER):
            front.run(["ip", "address", "add", address, "dev", "lo"])
        front.run(["sh", "-ec", MAKE_CERTIFICATES])
        configuration = {
            "/etc/haproxy/haproxy.cfg": ((FIRST + snippets("haproxy") + MORE).encode(), 0o644),
            "/etc/nginx/nginx.conf": ((NGINX + snippets("nginx")).encode(), 0o644),
        }
        write_files(front.root, configuration)
        front.run(["systemctl", "restart", "haproxy.service", "nginx.service"])
        farm = Farm(front, machines, Path(front.root, "etc/haproxy/ca.pem").read_text())
        for server in ("selsock/one", "selsock/two", "selsock/three", "version-1/one"):
            farm.wait_for(server, "UP")
        yield farm


def records(machine: NativeMachine, event: str, after: str) -> list[Entry]:
    """The records of requests that are no health check."""
    found = machine.journal(f"SELSOCK_EVENT={event}", after=after)
    return [entry for entry in found if entry["SELSOCK_ADDRESS"] != PROXY]


def cursors(farm: Farm) -> list[str]:
    """A mark in the journal of each machine."""
    return [machine.cursor() for machine in farm.machines]


def since(farm: Farm, marks: list[str], event: str = "decision") -> list[Entry]:
    """The records of all machines."""
    return [
        entry for machine, mark in zip(farm.machines, marks, strict=True) for entry in records(machine, event, mark)
    ]


@pytest.mark.parametrize("version", ["2", "1.1"])
def test_haproxy_ends_tls_for_three_vhosts(farm: Farm, version: str) -> None:
    """HTTP/2 in front, the PROXY protocol behind: the address is the visitor's, the certificate's authority ours."""
    marks = cursors(farm)
    for name in "abc":
        answer = farm.curl(
            f"https://{name}.example/", f"--http{version}", "--write-out", "%{http_version} %{http_code}"
        )
        assert answer == f"<p>{name}\n{version} 200"
    found = Counter((entry["SELSOCK_VHOST"], entry["SELSOCK_ADDRESS"]) for entry in since(farm, marks))
    assert found == {(f"{name}.example", VISITOR): 1 for name in "abc"}


@pytest.mark.parametrize(
    ("url", "listener"),
    [
        ("https://a.example/", "HAProxy, version 2"),
        ("https://a.example:444/", "HAProxy, field"),
        ("https://a.example:445/", "HAProxy, version 1"),
        ("https://a.example:8443/", "nginx, version 1"),
        ("https://a.example:9443/", "nginx, field"),
    ],
)
def test_rules_see_the_visitors_address(farm: Farm, url: str, listener: str) -> None:
    """By each way there is; and what a visitor himself says of his address changes nothing."""
    marks = cursors(farm)
    lie = ["--header", f"X-Real-IP: {OTHER}", "--header", f"X-Forwarded-For: {OTHER}"]
    assert farm.curl(url, *lie) == farm.curl(url, address=OTHER) == "<p>a\n"
    found = {(entry["SELSOCK_ADDRESS"], entry["SELSOCK_CONTEXT"]) for entry in since(farm, marks)}
    assert found == {(VISITOR, "selsock_public_t:s0"), (OTHER, "selsock_staff_t:s0")}


def shown(name: str, key: str = "") -> list[str]:
    """curl's options for a client certificate."""
    return ["--cert", f"/etc/haproxy/{name}.crt", "--key", f"/etc/haproxy/{key or name}.key"]


LIE = ["--header", "X-Remote-User: carol", "--header", "X-Real-IP: 192.0.2.99"]


@pytest.mark.parametrize(
    ("certificate", "user", "context"),
    [
        (shown("dog"), "dog", "selsock_programs_t:s0:c1"),
        (shown("wüff"), "wüff", "selsock_programs_t:s0:c2"),
        (shown("stranger"), "stranger", "selsock_public_t:s0"),  # whom no rule names
    ],
)
def test_certificate_says_who_the_visitor_is(farm: Farm, certificate: list[str], user: str, context: str) -> None:
    """By its common name; and what he writes himself changes nothing, and reaches no application."""
    marks = cursors(farm)
    answer = farm.curl("https://d.example:447/", "--insecure", *certificate, *LIE)
    assert answer == f"REMOTE_USER={user}\n"
    (entry,) = since(farm, marks)
    found = (entry["SELSOCK_USER"], entry["SELSOCK_CONTEXT"], entry["SELSOCK_ADDRESS"])
    assert found == (user, context, VISITOR)


@pytest.mark.parametrize(
    "certificate",
    [[], shown("other", "dog"), shown("expired", "dog")],
    ids=["none", "of another authority", "expired"],
)
def test_certificate_that_is_none_admits_nobody(farm: Farm, certificate: list[str]) -> None:
    """403: nobody is signed in."""
    marks = cursors(farm)
    options = ["--insecure", "--output", "/dev/null", "--write-out", "%{http_code}"]
    assert farm.curl("https://d.example:447/", *options, *certificate, *LIE) == "403"
    (entry,) = since(farm, marks, "refusal")
    assert entry.get("SELSOCK_USER", "") == ""


def test_field_says_who_the_visitor_is(farm: Farm) -> None:
    """Whom the proxy has let in; on connections that it shares among all."""
    marks = cursors(farm)
    for _ in range(2):
        answer = farm.curl("https://d.example:448/", "--insecure", "--user", "carol:secret", *LIE)
        assert answer == "REMOTE_USER=carol\n"
    found = {
        (entry["SELSOCK_USER"], entry["SELSOCK_CONTEXT"], entry["SELSOCK_ADDRESS"]) for entry in since(farm, marks)
    }
    assert found == {("carol", "selsock_programs_t:s0:c2", VISITOR)}


@pytest.mark.parametrize("spelling", ["X-Remote-User", "x-remote-user", "X-REMOTE-USER"])
def test_field_means_nothing_elsewhere(farm: Farm, spelling: str) -> None:
    """Straight to a port where no proxy speaks, and through a proxy that is not asked who: nobody, and no application sees it."""
    machine = farm.machines[0]
    head = f"GET / HTTP/1.1\r\nHost: {{}}.example\r\n{spelling}: dog\r\nConnection: close\r\n\r\n"
    for host, expected in (("d", b"HTTP/1.1 403 "), ("e", b"HTTP/1.1 200 ")):
        with machine.connect(80, timeout=30) as connection:
            connection.sendall(head.format(host).encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(expected)
        assert b"dog" not in answer
    assert farm.curl("https://e.example/", "--insecure", "--header", f"{spelling}: dog") == "\n"
    refused = ["--output", "/dev/null", "--write-out", "%{http_code}"]
    assert farm.curl("https://d.example/", "--insecure", "--header", f"{spelling}: dog", *refused) == "403"


def test_health_checks_come_from_the_proxy(farm: Farm) -> None:
    """Version 2 says LOCAL; both versions are answered with 200, and nothing is refused."""
    mark = farm.machines[0].cursor()
    checks: list[Entry] = []
    for _ in range(100):
        time.sleep(0.2)
        checks = farm.machines[0].journal("SYSLOG_IDENTIFIER=selsock", after=mark)
        if {"a.example", "b.example"} <= {entry["SELSOCK_VHOST"] for entry in checks if "SELSOCK_STATUS" in entry}:
            break
    assert farm.status("selsock/one") == ("UP", "L7OK")
    assert farm.status("version-1/one") == ("UP", "L7OK")
    assert {entry["SELSOCK_EVENT"] for entry in checks}.isdisjoint({"refusal", "fault"})
    decisions = [entry for entry in checks if entry["SELSOCK_EVENT"] == "decision"]
    assert {(entry["SELSOCK_ADDRESS"], entry["SELSOCK_VHOST"]) for entry in decisions} == {
        (PROXY, "a.example"),
        (PROXY, "b.example"),
    }


@pytest.mark.parametrize(
    ("port", "data", "reason"),
    [
        (8080, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "no PROXY header"),
        (8080, b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n", "expected TCP4 or TCP6"),
        (8008, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "no address where a proxy has to say"),
        (
            80,
            b"PROXY TCP4 198.51.100.8 192.0.2.1 1 443\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "expected method, target",
        ),
    ],
)
def test_header_is_needed_where_it_is_marked_and_nowhere_else(farm: Farm, port: int, data: bytes, reason: str) -> None:
    """400 in each case."""
    machine = farm.machines[0]
    mark = machine.cursor()
    with farm.front.connect(port, "192.0.2.1") as connection:
        connection.sendall(data)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    (entry,) = machine.journal("SELSOCK_EVENT=refusal", after=mark)
    assert reason in entry["SELSOCK_REASON"]


def talk(machine: NativeMachine, host: str, source: str = "") -> str:
    """What a login of the machine gets who sends a header to one of its own addresses."""
    script = f"""
import socket
connection = socket.create_connection(("{host}", 8080), 10, ("{source}", 0) if "{source}" else None)
connection.sendall(b"PROXY TCP4 {OTHER} 192.0.2.1 1 443\\r\\nGET / HTTP/1.0\\r\\nHost: a.example\\r\\n\\r\\n")
print(connection.recv(65536).decode())
"""
    return machine.run(["python3", "-c", script]).stdout


def test_no_login_of_the_machine_itself_is_trusted(farm: Farm) -> None:
    """From loopback, from its address, and from a second one that lies among those that are trusted.

    The control: the same bytes from the proxy are answered.
    """
    machine = farm.machines[0]
    machine.run(["ip", "address", "add", PROXY, "dev", "lo"])
    try:
        for host, source, shown in (
            ("127.0.0.1", "", "127.0.0.1"),
            ("192.0.2.1", "", "192.0.2.1"),
            ("192.0.2.1", "127.0.0.1", "127.0.0.1"),
            ("192.0.2.1", PROXY, PROXY),
        ):
            answer = talk(machine, host, source)
            assert f"403 Forbidden: {shown} is not another machine that this listener trusts" in answer
    finally:
        machine.run(["ip", "address", "delete", f"{PROXY}/32", "dev", "lo"])
    farm.wait_for("selsock/one", "UP")
    assert talk_from_front(farm).startswith(b"HTTP/1.1 200 ")


def talk_from_front(farm: Farm) -> bytes:
    """The same from the machine of the proxies."""
    with farm.front.connect(8080, "192.0.2.1") as connection:
        header = f"PROXY TCP4 {OTHER} 192.0.2.1 1 443\r\nGET / HTTP/1.0\r\nHost: a.example\r\n\r\n"
        connection.sendall(header.encode())
        return connection.recv(65536)


def test_unix_socket_is_for_its_user(farm: Farm) -> None:
    """The kernel says who has connected; the mode of the socket would let anybody."""
    machine = farm.machines[0]
    state = machine.run(["stat", "-c", "%U %G %a %F", "/run/selsock", "/run/selsock/http.sock"]).stdout.splitlines()
    assert state == ["root root 755 directory", "root root 666 socket"]
    command = ["curl", "--silent", "--unix-socket", "/run/selsock/http.sock", "http://a.example/"]
    daemon = machine.run(["id", "-u", "daemon"]).stdout.strip()
    assert machine.run(["setpriv", "--reuid", daemon, "--clear-groups", "--", *command]).stdout == "<p>a\n"
    assert machine.run(command).stdout == f"403 Forbidden: the peer is user 0, not {daemon}\n"


def pids(entries: list[Entry]) -> dict[str, set[str]]:
    """The users that each process has served."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        found.setdefault(entry["_PID"], set()).add(entry["SELSOCK_USER"])
    return found


def test_users_on_a_reused_connection_share_no_process(farm: Farm) -> None:
    """http-reuse always: HAProxy sends whoever comes over the connection that is there; selsock ends it in time.

    The control: requests of one user, on two connections of his, do share a process.
    """
    marks = cursors(farm)
    with farm.visit(444) as one, farm.visit(444) as two:
        assert [one.get("alice"), two.get("alice"), one.get("alice")] == [200] * 3
        assert len(pids(since(farm, marks, "outcome"))) == 1
        assert [one.get("bob"), two.get("alice"), one.get("bob"), two.get("alice"), one.get(), two.get("bob")] == [
            200
        ] * 6
    served = pids(since(farm, marks, "outcome"))
    assert [len(users) for users in served.values()] == [1] * len(served)
    assert Counter(user for users in served.values() for user in users) == {"alice": 3, "bob": 3, "": 1}
    assert pids(since(farm, marks)) == served


def test_never_reusing_gives_each_visitor_a_connection(farm: Farm) -> None:
    """http-reuse never: two connections of the same user are two processes, each kept for its visitor.

    A visitor who goes elsewhere on his own connection is asked again by HAProxy (retry-on empty-response), unseen.
    """
    farm.control("set server selsock/two state drain")
    farm.control("set server selsock/three state drain")
    try:
        marks = cursors(farm)
        with farm.visit() as one, farm.visit() as two:
            assert [one.get("alice"), two.get("alice"), one.get("alice"), two.get("alice")] == [200] * 4
            assert sorted(Counter(e["_PID"] for e in since(farm, marks, "outcome")).values()) == [2, 2]
            assert [one.get("bob"), one.get(), one.get("", "b.example"), one.get("alice")] == [200] * 4
        served = pids(since(farm, marks, "outcome"))
        assert [len(users) for users in served.values()] == [1] * len(served)
    finally:
        farm.control("set server selsock/two state ready")
        farm.control("set server selsock/three state ready")


@pytest.mark.parametrize(
    ("port", "version", "connects"),
    [(443, "1.1", [1, 1]), (443, "2", [1, 1]), (446, "1.1", [1, 0]), (446, "2", [1, 0])],
)
def test_what_changes_something_is_asked_again_by_the_client(
    farm: Farm, port: int, version: str, connects: list[int]
) -> None:
    """A POST as somebody else, on the connection of a GET: HAProxy does not send it twice, but ends the visitor's
    connection as selsock has ended its own, and a real client asks again on a new one.

    With http-server-close each request has a connection to selsock, and the visitor's stays.
    """
    url = f"https://a.example:{port}/"
    options = ["--silent", "--show-error", "--cacert", "/etc/haproxy/ca.pem", "--connect-to", f"::{PROXY}:"]
    options += [
        f"--http{version}",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_version} %{http_code} %{num_connects}\n",
    ]
    get = [*options, "--user", "alice:secret", url]
    post = [*options, "--user", "bob:secret", "--data", "x", url]
    lines = farm.front.run(["curl", *get, "--next", *post]).stdout.splitlines()
    assert lines == [f"{version} 200 {connects[0]}", f"{version} 405 {connects[1]}"]


def test_nginx_opens_a_connection_for_each(farm: Farm) -> None:
    """stream: one for each connection of a visitor; http, without keepalive upstream: one for each request."""
    for port, processes in ((8443, [2, 2]), (9443, [1, 1, 1, 1])):
        marks = cursors(farm)
        with farm.visit(port) as one, farm.visit(port) as two:
            assert [one.get("alice"), two.get("bob"), one.get("alice"), two.get("bob")] == [200] * 4
        outcomes = since(farm, marks, "outcome")
        assert sorted(Counter(entry["_PID"] for entry in outcomes).values()) == processes
        assert all(len(users) == 1 for users in pids(outcomes).values())


def load(farm: Farm, visits: int, statuses: list[int]) -> None:
    """So many visits, one after the other; 0 stands for one that got no answer."""
    for _ in range(visits):
        try:
            with farm.visit() as visit:
                statuses.append(visit.get("", "b.example"))
        except OSError:
            statuses.append(0)


def shares(farm: Farm, marks: list[str], machines: int = 3) -> list[int]:
    """How many requests each machine has served."""
    pairs = zip(farm.machines[:machines], marks, strict=False)
    return [len(records(machine, "outcome", mark)) for machine, mark in pairs]


def test_load_is_balanced_and_a_machine_is_drained(farm: Farm) -> None:
    """roundrobin: a third each; "drain" gets no new connection, but goes on with what it has, until it is "ready"."""
    marks = cursors(farm)
    statuses: list[int] = []
    load(farm, 30, statuses)
    served = shares(farm, marks)
    assert (statuses, sum(served)) == ([200] * 30, 30)
    assert max(served) - min(served) <= 4, served
    farm.control("set server selsock/two state drain")
    try:
        marks = cursors(farm)
        load(farm, 20, statuses := [])
        served = shares(farm, marks)
        assert (statuses, sum(served), served[1]) == ([200] * 20, 20, 0)
    finally:
        farm.control("set server selsock/two state ready")
    marks = cursors(farm)
    load(farm, 6, statuses := [])
    assert statuses == [200] * 6
    assert shares(farm, marks)[1] > 0


def test_a_machine_is_lost_under_load(farm: Farm) -> None:
    """It is gone from one moment to the next; 240 visits, four at a time, and none fails.  The last test: it stays gone.

    redispatch and retry-on: what could not connect, or got no answer within "timeout server", goes to another machine.
    """
    statuses: list[int] = []
    threads = [threading.Thread(target=load, args=(farm, 60, statuses)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(statuses) < 60:
        time.sleep(0.02)
    farm.machines[2].run(["systemctl", "kill", "--signal=KILL", "selsock@*"], check=False)
    farm.machines[2].run(["ip", "link", "set", "to192-0-2-10", "down"])
    for thread in threads:
        thread.join()
    assert Counter(statuses) == {200: 240}
    farm.wait_for("selsock/three", "DOWN")
    marks = cursors(farm)
    load(farm, 10, statuses := [])
    served = shares(farm, marks)
    assert (statuses, sum(served), served[2]) == ([200] * 10, 10, 0)
