# SPDX-License-Identifier: Apache-2.0
"""make bench: what a connection costs, beside the bare interpreter answering a constant in the same unit.

One run on a native systemd 257, without SELinux; the rows take turns, so that a noisy machine is noisy for all of them.
A connection is timed from connect to the end of the stream, by one client in the machine's own network.
"""

import argparse
import json

from tests.machines.commands import to_stderr
from tests.machines.install import install_selsock, stage
from tests.machines.native import NativeMachine
from tests.machines.trees import overlay, tree

VHOST_YAML = """selinux: optional
limits: {connections_per_second: 100000, connections_per_source: 0}
domains: {public: {python: true, execute: true}}
vhosts:
  a.example:
    root: /srv/vhosts/a
    domain: public
    range: s0
    auth: {basic: {realm: A, file: /etc/selsock/a.htpasswd}}
    contexts: [{any: true}]
    locations:
      /app: {wsgi: {application: "hello:application", python: [/code]}}
      /cgi: {cgi: {directory: /cgi}}
"""
FLOOR = b"""#!/usr/bin/python3 -ISB
import posix
posix.read(3, 16384)
posix.write(3, b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\nhello\\n")
posix._exit(0)
"""
WSGI = b"""def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello\\n"]
"""
CGI = b"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n"
# The shipped units in all but program and port.
START = """set -e
cd /etc/systemd/system
sed 's,^ExecStart=.*,ExecStart=/usr/libexec/selsock/floor,' selsock@.service >floor@.service
sed 's,^ListenStream=.*,ListenStream=8001,' selsock.socket >floor.socket
sed '/^LogRateLimit/d' floor@.service >unlimited@.service
sed 's,^ListenStream=.*,ListenStream=8002,' selsock.socket >unlimited.socket
systemctl daemon-reload
systemctl start floor.socket unlimited.socket
"""
CLIENT = """
import json, socket, sys, time
rows, rounds = json.loads(sys.argv[1]), int(sys.argv[2])
times = {name: [] for name, _, _ in rows}
for turn in range(rounds + 5):
    for name, port, request in rows:
        start = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request.encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
        if turn >= 5:
            times[name].append(time.perf_counter() - start)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello\\n"), answer
        time.sleep(0.03)
print(json.dumps(times))
"""
REQUEST = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{}\r\n"
# Content without length would come in chunks.
OLD = "GET {} HTTP/1.0\r\nHost: a.example\r\n\r\n"
SIGNED_IN = REQUEST.format("Authorization: Basic YWxpY2U6cGFzc3dvcmQ=\r\n")
ROWS = (
    ("python3 -ISB, a constant", 8001, REQUEST.format("")),
    ("the same without LogRateLimit*=", 8002, REQUEST.format("")),
    ("selsock, static, anonymous", 80, REQUEST.format("")),
    ("selsock, static, Basic with {SHA}", 80, SIGNED_IN),
    ("selsock, WSGI, three lines", 80, OLD.format("/app")),
    ("selsock, CGI, /bin/sh", 80, OLD.format("/cgi/hello.sh")),
)


def main() -> None:
    """Measure and print one line per row."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    files = {
        "/srv/vhosts/a/index.html": (b"hello\n", 0o644),
        "/srv/vhosts/a/code/hello.py": (WSGI, 0o644),
        "/srv/vhosts/a/cgi/hello.sh": (CGI, 0o755),
        "/etc/selsock/a.htpasswd": (b"alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0o644),
        "/usr/libexec/selsock/floor": (FLOOR, 0o755),
    }
    with overlay(tree("trixie")) as root:
        install_selsock(root)
        stage(root, VHOST_YAML, files)
        with NativeMachine(root, "bench") as machine:
            machine.run(["sh", "-c", START])
            to_stderr(f"{rounds} rounds of {len(ROWS)} rows")
            words = ["python3", "-c", CLIENT, json.dumps(ROWS), str(rounds)]
            times = json.loads(machine.run(words, timeout=600).stdout)
    floor = quantile(times[ROWS[0][0]], 0.5)
    print(f"{'a connection, one client':<36}{'median ms':>10}{'p90 ms':>8}{'ratio':>7}")
    for name, _, _ in ROWS:
        median = quantile(times[name], 0.5)
        print(f"{name:<36}{median * 1000:>10.1f}{quantile(times[name], 0.9) * 1000:>8.1f}{median / floor:>7.2f}")


def quantile(values: list[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie."""
    return sorted(values)[int(len(values) * share)]


if __name__ == "__main__":
    main()
