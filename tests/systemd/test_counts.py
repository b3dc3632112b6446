# SPDX-License-Identifier: Apache-2.0
"""What one request does, counted: whatever opens another file or makes another system call is a decision.

``counts`` has a file for each suite, and in it a list for each process of each scenario.  That of "bare" has the files
which an interpreter opens that ends at once; that of "static" has what a request for a file does beyond it, those of
other handlers what each does beyond "static", and those of their children all that they do.  "kept" is what a second
request on a connection adds to the first.  Modules are seen as files here; those that are built into the interpreter
stand in ``tests/unit/modules.txt``.

After a change that is meant to change them: ``python -m tests.systemd.test_counts`` writes the files again, and
``git diff`` shows what it means.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.machines.commands import Report, to_stderr
from tests.machines.evidence import reporter
from tests.machines.install import install_selsock, stage
from tests.machines.tracing import CODE, Counts, trace
from tests.machines.trees import SUITES, overlay, tree

Record = dict[str, Counts]  # by the name of the process
RECORDS = Path(__file__).parent / "counts"
VHOST_YAML = """selinux: optional
domains: {public: {python: true, execute: true}}
default_context: public:s0
vhosts:
  static.example:
    root: /srv/vhosts/static
    contexts: [{any: true}]
  basic.example:
    root: /srv/vhosts/basic
    auth: {basic: {realm: A, file: /etc/selsock/a.htpasswd}}
    contexts: [{any: true}]
  wsgi.example:
    root: /srv/vhosts/wsgi
    contexts: [{any: true}]
    locations: {/: {wsgi: {application: "hello:application", python: [/code]}}}
  cgi.example:
    root: /srv/vhosts/cgi
    contexts: [{any: true}]
    locations: {/: {cgi: {directory: /cgi}}}
"""
WSGI = b"""def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\\n"]
"""
# Ends at once; with an argument, it opens a file before.
BARE = b"""#!/usr/bin/python3 -ISB
import posix
import sys
for name in sys.argv[1:]:
    posix.open(name, posix.O_RDONLY)
posix._exit(0)
"""
FILES = {
    "/srv/vhosts/static/index.html": (b"hello\n", 0o644),
    "/srv/vhosts/basic/index.html": (b"hello\n", 0o644),
    "/srv/vhosts/wsgi/code/hello.py": (WSGI, 0o644),
    "/srv/vhosts/cgi/cgi/hello.sh": (
        b"#!/bin/sh\nprintf 'Content-Type: text/plain\\nContent-Length: 6\\n\\nhello\\n'\n",
        0o755,
    ),
    "/etc/selsock/a.htpasswd": (b"alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0o644),  # "password"
    "/usr/libexec/selsock/bare": (BARE, 0o755),
}
SERVE = "/usr/libexec/selsock/serve /var/lib/selsock/table.cdb"
BARE_PROGRAM = "/usr/libexec/selsock/bare"
GET = "GET / HTTP/1.1\r\nHost: {}.example\r\n{}\r\n"
CLOSE = "Connection: close\r\n"
BASIC = f"Authorization: Basic YWxpY2U6cGFzc3dvcmQ=\r\n{CLOSE}"
SCENARIOS = {  # the requests of a connection, and the status of each
    "static": ([GET.format("static", CLOSE)], 200),
    "basic": ([GET.format("basic", BASIC)], 200),
    "304": ([GET.format("static", f"If-None-Match: *\r\n{CLOSE}")], 304),
    "wsgi": ([GET.format("wsgi", CLOSE)], 200),
    "cgi": ([GET.format("cgi", CLOSE).replace("/", "/hello.sh", 1)], 200),
    "one": ([GET.format("static", "")], 200),
    "two": ([GET.format("static", "")] * 2, 200),
}
STEP = 16384  # of code: a line more or less is no decision
# Forty runs on each suite differed in this alone.
CHANCE = {
    "cgi": "call poll",  # whether the ends of a script's output, errors and life come one by one or together
}
ADVICE = """
What is counted more often costs every connection.  If that is meant, or if it has become less:
python -m tests.systemd.test_counts
"""


def measure(suite: str, report: Report) -> tuple[Record, Counts]:
    """The record of ``suite`` as it is now; and what a program that opens a file does beyond the bare one."""
    with overlay(tree(suite, report)) as root:
        install_selsock(root)
        stage(root, VHOST_YAML, FILES)
        (bare,), (more,) = trace(root, BARE_PROGRAM, []), trace(root, f"{BARE_PROGRAM} /etc/passwd", [])
        traces = {
            name: trace(root, SERVE, [request.encode() for request in requests], status)
            for name, (requests, status) in SCENARIOS.items()
        }
    ((one,), (two,), (static,)) = (traces.pop(name) for name in ("one", "two", "static"))
    # Not its system calls, which differ by the kernel of whoever measures.
    record = {"bare": Counter({key: times for key, times in bare.items() if not key.startswith("call ")})}
    record |= {"static": beyond(static, bare), "kept": beyond(two, one)}
    for name, (own, *children) in traces.items():
        record[name] = beyond(own, static)
        record |= {f"{name}, child {number}": child for number, child in enumerate(children, 1)}
    return {name: tidied(name, counts) for name, counts in record.items()}, tidied("more", beyond(more, bare))


def beyond(counts: Counts, base: Counts) -> Counts:
    """What is in ``counts`` beyond ``base``; negative where it is less."""
    return Counter({key: counts[key] - base[key] for key in counts.keys() | base.keys()})


def tidied(name: str, counts: Counts) -> Counts:
    """``counts`` of the process ``name`` as they are recorded: without chance, and code in steps."""
    tidy = Counter({key: times for key, times in counts.items() if times and key != CHANCE.get(name)})
    if CODE in tidy:
        tidy[CODE] = -(-tidy[CODE] // STEP) * STEP
    return tidy


def text_of(record: Record) -> str:
    """The file that keeps ``record``."""
    return "\n".join(
        "".join((f"[{name}]\n", *(f"{key}: {counts[key]}\n" for key in sorted(counts))))
        for name, counts in record.items()
    )


def recorded(suite: str) -> Record:
    """The record of ``suite`` in the repository."""
    record: Record = {}
    for part in (RECORDS / f"{suite}.txt").read_text().split("\n\n"):
        name, *lines = part.splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines)
        record[name[1:-1]] = Counter({key: int(times) for key, times in pairs})
    return record


def changes(expected: Record, actual: Record) -> list[str]:
    """What is not as ``expected``: a line for each file or call, with its counts."""
    none: Counts = Counter()
    return [
        f"[{name}] {key}: {expected.get(name, none)[key]}, now {actual.get(name, none)[key]}"
        for name in sorted(expected.keys() | actual.keys())
        for key in sorted(beyond(actual.get(name, none), expected.get(name, none)))
        if actual.get(name, none)[key] != expected.get(name, none)[key]
    ]


@pytest.fixture(scope="module")
def measured(suite: str, pytestconfig: pytest.Config) -> tuple[Record, Counts]:
    """What ``measure`` says, once for all tests of a suite."""
    return measure(suite, reporter(pytestconfig))


def test_one_more_file_is_noticed(measured: tuple[Record, Counts]) -> None:
    """A count is exact: nothing but the one call and its file is there beyond the bare interpreter."""
    assert measured[1] == Counter({"call openat": 1, "open /etc/passwd": 1})


@pytest.mark.parametrize("name", ["bare", "kept", *(name for name in SCENARIOS if name not in ("one", "two"))])
def test_a_request_does_what_is_recorded(measured: tuple[Record, Counts], suite: str, name: str) -> None:
    """Neither more nor less, in any of its processes."""
    expected, actual = (
        {process: counts for process, counts in record.items() if process.partition(",")[0] == name}
        for record in (recorded(suite), measured[0])
    )
    assert expected, f"nothing is recorded of {name}"
    found = changes(expected, actual)
    assert found == [], "\n".join((*found, ADVICE))


if __name__ == "__main__":
    for of in SUITES:
        (RECORDS / f"{of}.txt").write_text(text_of(measure(of, to_stderr)[0]))
