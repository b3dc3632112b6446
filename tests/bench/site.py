# SPDX-License-Identifier: Apache-2.0
"""Rows 3 to 6 and 10: selsock itself, in each way to serve, with and without a password, over TCP and a UNIX socket."""

from base64 import b64encode
from dataclasses import replace

from tests.bench.floors import PAGE
from tests.bench.rows import Address, Group, Held, Row, Shipped, of_unit

UNIX = "/run/selsock/bench.sock"
# Limits that would slow the clients down are lifted; they are what tests/systemd/test_connections.py is for.
VHOST_YAML = f"""selinux: optional
listen:
  - 80
  - {{unix: {UNIX}, mode: "0666", peer: {{user: root, type: unconfined_t}}}}
limits: {{requests: 1000000, connections: 1000, connections_per_second: 100000, connections_per_source: 0}}
domains: {{public: {{python: true, execute: true}}}}
vhosts:
  a.example:
    root: /srv/vhosts/a
    domain: public
    range: s0
    auth: {{basic: {{realm: A, file: /etc/selsock/a.htpasswd}}}}
    content: {{/cgi: {{access: execute}}}}
    contexts: [{{any: true}}]
    locations:
      /app: {{wsgi: {{application: "hello:application", python: [/code]}}}}
      /held: {{wsgi: {{application: "held:application", python: [/code]}}}}
      /cgi: {{cgi: {{directory: /cgi}}}}
  kept.example:
    root: /srv/vhosts/kept
    domain: public
    range: s0
    auth: {{basic: {{realm: A, file: /etc/selsock/a.htpasswd, remember: 3600}}}}
    contexts: [{{any: true}}]
  many.example:
    root: /srv/vhosts/many
    domain: public
    range: s0
    auth: {{basic: {{realm: A, file: /etc/selsock/many.htpasswd}}}}
    contexts: [{{any: true}}]
"""
WSGI = b"""def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\\n"]
"""
# The same, but that it is still there when its memory is looked at.
HELD = WSGI.replace(b"return [", b"yield ").replace(b"]\n", b"\n    __import__('time').sleep(1)\n")
CGI = b"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"
# The length that a script tells is not relied on.
CHUNKED = b"6\r\nhello\n\r\n0\r\n\r\n"
PASSWORD = "password"
# As htpasswd(1) wrote them, of that password: -s, -B -C 5, -B -C 10.
SHA = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="
BCRYPT5 = "$2y$05$E75EYYqPm1ywZPyEMIiSLOKPp5EmkDwdtiB/nUir9Yk7cHlPsTQi2"
BCRYPT10 = "$2y$10$G3A8prlrPkgvZYPEKamB6OmOtmI/1zPzkF2ddbXwHrIehJicPqZ3S"
HTPASSWD = f"sha:{SHA}\nbcrypt5:{BCRYPT5}\nbcrypt10:{BCRYPT10}\n".encode()
MANY = "".join(f"user{number}:{BCRYPT10}\n" for number in range(99999)) + f"sha:{SHA}\n"
FILES = {
    "/srv/vhosts/kept/index.html": (PAGE, 0o644),
    "/srv/vhosts/many/index.html": (PAGE, 0o644),
    "/etc/selsock/many.htpasswd": (MANY.encode(), 0o644),
    "/srv/vhosts/a/index.html": (PAGE, 0o644),
    "/srv/vhosts/a/code/hello.py": (WSGI, 0o644),
    "/srv/vhosts/a/code/held.py": (HELD, 0o644),
    "/srv/vhosts/a/cgi/hello.sh": (CGI, 0o755),
    "/etc/selsock/a.htpasswd": (HTPASSWD, 0o644),
}


def request(path: str = "/", user: str = "", close: bool = True, host: str = "a.example") -> bytes:
    """A request of HTTP/1.1, by default for the front page."""
    fields = f"Host: {host}\r\n"
    fields += f"Authorization: Basic {b64encode(f'{user}:{PASSWORD}'.encode()).decode()}\r\n" if user else ""
    fields += "Connection: close\r\n" if close else ""
    return f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode()


def own(
    group: int,
    name: str,
    path: str = "/",
    user: str = "",
    address: Address = 80,
    ending: bytes = PAGE,
    host: str = "a.example",
) -> Row:
    """A row of selsock's own.  What the service that checks passwords takes is in its time, and not in its CPU time."""
    cgroups = of_unit("selsock")
    held = Held(request(path, user, close=False, host=host), address, cgroups.instance)
    return Row(group, name, address, request(path, user, host=host), ending, cgroups, held=held)


def static(shipped: Shipped) -> Group:
    """Row 3."""
    return Group((own(3, "selsock, static, anonymous"),), {})


def basic(shipped: Shipped) -> Group:
    """Row 4."""
    rows = (
        own(4, "selsock, static, Basic with {SHA}", user="sha"),
        own(4, "selsock, static, Basic with bcrypt, cost 5", user="bcrypt5"),
        own(4, "selsock, static, Basic with bcrypt, cost 10", user="bcrypt10"),
        own(4, "selsock, static, Basic with bcrypt, cost 10, remembered", user="bcrypt10", host="kept.example"),
        own(4, "selsock, static, Basic with {SHA}, the last of 100,000 users", user="sha", host="many.example"),
    )
    return Group(rows, {})


def wsgi(shipped: Shipped) -> Group:
    """Row 5."""
    row = own(5, "selsock, WSGI, three lines", "/app")
    held = Held(request("/held", close=False), 80, row.cgroups.instance)
    return Group((replace(row, held=held),), {})


def cgi(shipped: Shipped) -> Group:
    """Row 6."""
    return Group((own(6, "selsock, CGI, /bin/sh", "/cgi/hello.sh", ending=CHUNKED),), {})


def listeners(shipped: Shipped) -> Group:
    """Row 10; the base is row 3 again, as both rows are to be in one group."""
    tcp = "selsock, static, over TCP"
    rows = (own(10, tcp), own(10, "selsock, static, over a UNIX socket", address=UNIX))
    return Group(tuple(replace(row, base=tcp) for row in rows), {})
