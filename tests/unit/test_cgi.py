# SPDX-License-Identifier: Apache-2.0
"""cgi: whole connections to real scripts, well-behaved ones and others.

The instance is a process of its own, with SELinux alone replaced.
"""

import hashlib
import json
import os
import re
import signal
import stat
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selsock import errors
from selsock.context import Context
from selsock.handler import confine
from selsock.handler.serve import child
from selsock.model import Location, Rule, Vhost
from selsock.names import AbsolutePath, HostName, Network
from tests.unit.fakes import DrainedJournal, FakeJournal, FakeKernel, Instance, compile_table, wait_until
from tests.unit.test_wsgi import gone, unchunked

PUBLIC = Context.parse("selsock_public_t:s0")
STAFF = Context.parse("selsock_staff_t:s0")
CLOSE = "Connection: close\r\n"
TYPED = "printf 'Content-Type: text/plain\\n\\n'\n"
Visit = Callable[..., Instance]


class Site:
    """A vhost on disk: /cgi-bin runs programs, /blog runs *.run by an interpreter, /one is one program, / is static."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        for name in ("cgi-bin", "blog", "tmp", "htdocs"):
            (self.root / name).mkdir(parents=True)
        (self.root / "htdocs" / "a.txt").write_text("static a")
        self.extra: tuple[tuple[str, str], ...] = ()

    def write(self, path: str, text: str, mode: int = 0o755) -> Path:
        """A file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def shell(self, text: str, path: str = "cgi-bin/x") -> Path:
        """A script for sh."""
        return self.write(path, "#!/bin/sh\n" + textwrap.dedent(text))

    def python(self, text: str, path: str = "cgi-bin/x") -> Path:
        """A script for python, without buffers between it and the pipe."""
        return self.write(path, "#!/usr/bin/python3 -uISB\nimport os, sys, time, signal\n" + textwrap.dedent(text))

    def vhost(self) -> Vhost:
        """As a value."""

        def place(name: str) -> tuple[str, str]:
            return "directory", str(self.root / name)

        interpreter = self.folder / "interpreter"
        interpreter.write_text('#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"\necho "run $*"\ncat "$1"\nenv\n')
        interpreter.chmod(0o755)
        blog = (("interpreter", str(interpreter)), ("suffix", ".run"), place("blog"), ("index", "index.run"))
        one = self.write("lib/one", "#!/bin/sh\n" + TYPED + 'echo "$SCRIPT_NAME|$PATH_INFO|$PATH_TRANSLATED|$PWD"\n')
        staff = Rule(STAFF, "t:1", networks=(Network.parse("0.0.0.0/0"),))
        locations = (
            Location(("cgi-bin",), (), PUBLIC, "cgi", (place("cgi-bin"), ("env", "SETTING=on"), *self.extra)),
            Location(("blog",), (), PUBLIC, "cgi", (*blog, ("index", "index.txt"), ("env", "SETTING=on"))),
            Location(("one",), (), PUBLIC, "cgi", (("program", str(one)),)),
            Location(("staff",), (staff,), None, "static", (place("htdocs"),)),
            Location((), (), PUBLIC, "static", (place("htdocs"), ("index", "index.html"))),
        )
        names = (HostName.parse("dog.example"),)
        return Vhost(names, AbsolutePath(str(self.root)), None, locations, AbsolutePath(str(self.root / "tmp")))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[FakeJournal]:
    """Of this test."""
    with DrainedJournal(tmp_path) as journal:
        yield journal


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Of this test."""
    monkeypatch.setattr(confine, "REQUIRED_STATUS", {})
    return Site(tmp_path)


@pytest.fixture
def visit(site: Site, tmp_path: Path, journal: FakeJournal) -> Visit:
    """visit(limits={}): a connection to the site."""

    def connect(limits: dict[str, int] | None = None) -> Instance:
        return Instance(compile_table(tmp_path, [site.vhost()], limits), journal, FakeKernel())

    return connect


def request(target: str = "/cgi-bin/x", method: str = "GET", rest: str = "", content: bytes = b"") -> bytes:
    """One request."""
    length = f"Content-Length: {len(content)}\r\n" if content else ""
    return f"{method} {target} HTTP/1.1\r\nHost: dog.example\r\n{rest}{length}\r\n".encode() + content


def parse(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and content of one response that ends with the connection."""
    head, _, content = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), fields, unchunked(content) if "transfer-encoding" in fields else content


def ask(instance: Instance, data: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """The answer to one request, with which the connection ends."""
    with instance:
        instance.send(data or request(rest=CLOSE))
        return parse(instance.receive())


def outcome(journal: FakeJournal) -> tuple[str, str]:
    """Status and reason of the one outcome that was recorded."""
    wait_until(lambda: "outcome" in journal.events())
    (record,) = [record for record in journal.records() if record["SELSOCK_EVENT"] == "outcome"]
    return record["SELSOCK_STATUS"], record["SELSOCK_REASON"]


def complaints(journal: FakeJournal) -> list[str]:
    """What scripts said on standard error."""
    return [record["MESSAGE"] for record in journal.records() if record["SELSOCK_EVENT"] == "stderr"]


# ---- which script


def test_directory_runs_what_lies_in_it(site: Site, visit: Visit) -> None:
    """The first segment that is a file names the script, also in a folder; PATH_INFO is the rest."""
    told = TYPED + 'printf "%s" "$SCRIPT_NAME|$PATH_INFO|$PATH_TRANSLATED|$PWD|$SCRIPT_FILENAME|$#"\n'
    site.shell(told)
    site.shell(told, "cgi-bin/sub/y.sh")
    at = site.root
    for target, wanted in {
        "/cgi-bin/x": f"/cgi-bin/x|||{at}/cgi-bin|{at}/cgi-bin/x|0",
        "/cgi-bin/x/": f"/cgi-bin/x|/|{at}/htdocs/|{at}/cgi-bin|{at}/cgi-bin/x|0",
        "/cgi-bin/x/a%20b/c?d+e": f"/cgi-bin/x|/a b/c|{at}/htdocs/a b/c|{at}/cgi-bin|{at}/cgi-bin/x|0",
        "/cgi-bin/x/blog/c": f"/cgi-bin/x|/blog/c|{at}/blog/c|{at}/cgi-bin|{at}/cgi-bin/x|0",
        "/cgi-bin/x/one/c": f"/cgi-bin/x|/one/c||{at}/cgi-bin|{at}/cgi-bin/x|0",
        "/cgi-bin/x/.git": f"/cgi-bin/x|/.git|{at}/htdocs/.git|{at}/cgi-bin|{at}/cgi-bin/x|0",
        "/cgi-bin/sub/y.sh/z": f"/cgi-bin/sub/y.sh|/z|{at}/htdocs/z|{at}/cgi-bin/sub|{at}/cgi-bin/sub/y.sh|0",
    }.items():
        assert (200, wanted.encode()) == ask(visit(), request(target, rest=CLOSE))[::2]


def test_program_answers_for_the_whole_location(site: Site, visit: Visit) -> None:
    """Wherever it lies; PATH_INFO is all that follows the prefix."""
    at = site.root
    assert f"/one|||{at}/lib\n".encode() == ask(visit(), request("/one", rest=CLOSE))[2]
    assert f"/one|/a/.b|{at}/htdocs/a/.b|{at}/lib\n".encode() == ask(visit(), request("/one/a/.b", rest=CLOSE))[2]


def test_interpreter_runs_files_of_its_suffix(site: Site, visit: Visit) -> None:
    """With the file's name as its argument, and what php-cgi needs in its environment."""
    site.write("blog/sub/page.run", "the source\n", 0o644)
    content = ask(visit(), request("/blog/sub/page.run/a/b?-s", rest=CLOSE))[2].decode()
    first, source, *lines = content.splitlines()
    file = f"{site.root}/blog/sub/page.run"
    assert (f"run {file}", "the source") == (first, source)
    assert {
        *(f"SCRIPT_FILENAME={file}", "SCRIPT_NAME=/blog/sub/page.run", "PATH_INFO=/a/b", "REDIRECT_STATUS=200"),
        *(f"DOCUMENT_ROOT={site.root}/htdocs", "REQUEST_URI=/blog/sub/page.run/a/b?-s", "QUERY_STRING=-s"),
        *(f"PWD={site.root}/blog/sub", "SETTING=on"),
    } <= set(lines)


def test_interpreter_leaves_other_files_to_static(site: Site, visit: Visit) -> None:
    """With all that static content can do; a directory without its slash is redirected, its query kept."""
    site.write("blog/sub/a.css", "css", 0o644)
    status, fields, content = ask(visit(), request("/blog/sub/a.css", rest=CLOSE))
    assert (200, "text/css", b"css") == (status, fields["content-type"].partition(";")[0], content)
    status, fields, _ = ask(visit(), request("/blog/sub?q", rest=CLOSE))
    assert (301, "/blog/sub/") == (status, fields["location"].partition("?")[0])
    assert 405 == ask(visit(), request("/blog/sub/a.css", "DELETE", CLOSE))[0]
    assert 404 == ask(visit(), request("/blog/none.css", rest=CLOSE))[0]


def test_index_of_the_suffix_is_run(site: Site, visit: Visit) -> None:
    """By any method, under its own name; another index is a static file; without any, there is nothing."""
    site.write("blog/index.run", "source\n", 0o644)
    site.write("blog/index.txt", "plain", 0o644)
    site.write("blog/text/index.txt", "plain", 0o644)
    (site.root / "blog" / "empty").mkdir()
    status, _, content = ask(visit(), request("/blog/", "POST", CLOSE))
    assert (200, True) == (status, content.startswith(f"run {site.root}/blog/index.run\n".encode()))
    assert b"\nSCRIPT_NAME=/blog/index.run\n" in content
    assert b"\nPATH_INFO=\n" in content
    assert (200, b"plain") == ask(visit(), request("/blog/text/", rest=CLOSE))[::2]
    assert 404 == ask(visit(), request("/blog/empty/", rest=CLOSE))[0]


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/cgi-bin", 404, "No such file or directory"),
        ("/cgi-bin/", 404, "No such file or directory"),
        ("/cgi-bin/sub", 404, "No such file or directory"),
        ("/cgi-bin/sub/", 404, "No such file or directory"),
        ("/cgi-bin/none", 404, "No such file or directory"),
        ("/cgi-bin/link", 404, "No such file or directory"),
        ("/cgi-bin/linked/x", 404, "No such file or directory"),
        ("/cgi-bin/fifo", 404, "No such file or directory"),
        ("/cgi-bin/.hidden", 404, "a dot-file"),
        ("/cgi-bin/.dir/x", 404, "a dot-file"),
        ("/cgi-bin/nph-x", 403, "a script that would write the whole response (RFC 3875 §5)"),
        ("/cgi-bin/plain", 403, "{root}/cgi-bin/plain could not be run: Permission denied"),
        (
            "/cgi-bin/lost",
            500,
            "{root}/cgi-bin/lost could not be run: No such file or directory (it, or the interpreter in its first line)",
        ),
        ("/cgi-bin/bare", 500, "{root}/cgi-bin/bare could not be run: Exec format error"),
        ("/blog/x.RUN", 404, "not exactly .run"),
        ("/blog/none.run", 404, "No such file or directory"),
        ("/blog/dir.run", 404, "No such file or directory"),
        ("/blog/dir.run/", 404, "No such file or directory"),
        ("/blog/dir.run/a.txt", 404, "No such file or directory"),
        ("/blog/link.run", 404, "No such file or directory"),
        ("/blog/a.txt/x.run", 404, "a path through a file"),
        ("/blog/.x.run", 404, "a dot-file"),
        ("/blog/.run", 404, "a dot-file"),
        ("/blog/.dir/", 404, "a dot-file"),
        ("/blog/.dir/a.txt", 404, "a dot-file"),
    ],
)
def test_what_is_no_script_is_not_run_or_shown(
    site: Site, visit: Visit, journal: FakeJournal, target: str, status: int, reason: str
) -> None:
    """And the journal says why."""
    for name in ("cgi-bin/x", "cgi-bin/nph-x", "cgi-bin/.hidden", "cgi-bin/.dir/x", "cgi-bin/sub/y", "outside/x"):
        site.shell(TYPED, name)
    for name in ("blog/x.RUN", "blog/dir.run/a.txt", "blog/a.txt", "blog/.x.run", "blog/.run", "blog/.dir/a.txt"):
        site.write(name, "source", 0o644)
    site.write("cgi-bin/plain", "#!/bin/sh\n", 0o644)
    site.write("cgi-bin/lost", "#!/no/such/interpreter\n")
    site.write("cgi-bin/bare", "no program")
    (site.root / "cgi-bin/link").symlink_to("x")
    (site.root / "cgi-bin/linked").symlink_to("../outside")
    (site.root / "blog/link.run").symlink_to("a.txt")
    os.mkfifo(site.root / "cgi-bin/fifo")
    answer = ask(visit(), request(target, rest=CLOSE))
    assert (status, b"source" in answer[2]) == (answer[0], False)
    assert (str(status), reason.format(root=site.root)) == outcome(journal)


def test_missing_program_is_500(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """The configuration's fault, not the visitor's."""
    with visit() as instance:
        (site.root / "lib/one").unlink()
        instance.send(request("/one", rest=CLOSE))
        assert instance.receive().startswith(b"HTTP/1.1 500 ")
    assert (
        "500",
        f"{site.root}/lib/one could not be run: No such file or directory (it, or the interpreter in its first line)",
    ) == outcome(journal)


# ---- what it gets


def test_environment_is_made_of_the_request_alone(site: Site, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3875 §4.1: exactly this, and nothing of ours or of systemd's."""
    monkeypatch.setenv("LISTEN_FDS", "1")
    site.python("print('Content-Type: application/json\\n')\nimport json\nprint(json.dumps(dict(os.environ)))")
    rest = (
        "X-Test: a\r\nX-Test: b\r\nCookie: c=d\r\nProxy: evil\r\nContent-Type: a/b\r\nAuthorization: Basic ZG9nOmE=\r\n"
        "X.Y: odd\r\nX'`id`: odd\r\nExpect: 100-continue\r\nTE: trailers\r\n"
    )
    answer = ask(visit(), request("/cgi-bin/x/%C3%BC/b%20c/?q=%20", "POST", rest + CLOSE, b"12345"))
    found = json.loads(answer[2])
    found.pop("LC_CTYPE", None)  # Python's own
    assert {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "selsock",
        "SERVER_NAME": "dog.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "POST",
        "REQUEST_SCHEME": "http",
        "REQUEST_URI": "/cgi-bin/x/%C3%BC/b%20c/?q=%20",
        "SCRIPT_NAME": "/cgi-bin/x",
        "SCRIPT_FILENAME": f"{site.root}/cgi-bin/x",
        "PATH_INFO": "/ü/b c/",
        "PATH_TRANSLATED": f"{site.root}/htdocs/ü/b c/",
        "QUERY_STRING": "q=%20",
        "DOCUMENT_ROOT": f"{site.root}/htdocs",
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "5",
        "HTTP_HOST": "dog.example",
        "HTTP_X_TEST": "a, b",
        "HTTP_COOKIE": "c=d",
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TMPDIR": f"{site.root}/tmp",
        "SETTING": "on",
    } == found


def test_script_has_three_descriptors_and_default_signals(site: Site, visit: Visit) -> None:
    """In a session of its own."""
    site.python("""
        fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd))
        kinds = [os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in (0, 1, 2)]
        print("Content-Type: text/plain\\n")
        print(fds, kinds, os.getsid(0) == os.getpid() == os.getpgrp())
    """)
    site.shell(TYPED + "grep -E 'SigIgn|SigBlk' /proc/self/status", "cgi-bin/y")
    assert b"[0, 1, 2] ['pipe', 'pipe', 'pipe'] True\n" == ask(visit())[2]
    found = ask(visit(), request("/cgi-bin/y", rest=CLOSE))[2].decode()
    blocked, ignored = (int(mask, 16) for mask in re.findall(r"\t(\w+)", found))
    # Others may be ignored since before the tests began, as SIGINT is for what a shell runs in the background.
    assert (0, 0) == (blocked, ignored & sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ)))


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 1000000])
@pytest.mark.parametrize("chunked", [False, True])
def test_content_reaches_standard_input(site: Site, visit: Visit, size: int, chunked: bool) -> None:
    """To its last byte, and CONTENT_LENGTH is right, also for content that came in chunks."""
    site.python("""
        import hashlib
        data = sys.stdin.buffer.read()
        print("Content-Type: text/plain\\n")
        print(len(data), hashlib.sha256(data).hexdigest(), os.environ.get("CONTENT_LENGTH", "-"), end="")
    """)
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    if chunked:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (data[:1000], data[1000:]) if part)
        sent = request(method="POST", rest=CLOSE + "Transfer-Encoding: chunked\r\n") + chunks + b"0\r\n\r\n"
    else:
        sent = request(method="POST", rest=CLOSE, content=data)
    length = size if size or chunked else "-"
    assert f"{size} {hashlib.sha256(data).hexdigest()} {length}".encode() == ask(visit(), sent)[2]


def test_continue_is_sent_for_a_script_that_runs_and_for_no_other(site: Site, visit: Visit) -> None:
    """RFC 9110 §10.1.1: the client waits for it before it sends its content."""
    site.shell(TYPED + "cat")
    with visit() as instance:
        instance.send(request(method="POST", rest=CLOSE + "Expect: 100-continue\r\nContent-Length: 3\r\n"))
        interim = instance.peer.recv(100)
        instance.send(b"abc")
        answer = parse(instance.receive())
    assert (b"HTTP/1.1 100 Continue\r\n\r\n", 200, b"abc") == (interim, answer[0], answer[2])
    with visit() as instance:
        instance.send(request("/cgi-bin/none", "POST", "Expect: 100-continue\r\nContent-Length: 3\r\n"))
        assert instance.receive().startswith(b"HTTP/1.1 404 ")


def test_content_that_is_not_read_is_not_the_next_request(site: Site, visit: Visit) -> None:
    """What the script leaves is dropped, and the connection goes on behind it."""
    site.shell("printf 'Content-Type: text/plain\\nContent-Length: 2\\n\\nab'")
    with visit() as instance:
        instance.send(request(method="POST", content=request("/a.txt")) + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    assert [b"200", b"200"] == re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert answer.endswith(b"static a")


def test_too_much_content_in_chunks_is_413_and_nothing_is_run(site: Site, visit: Visit) -> None:
    """content_bytes: at the limit and one beyond."""
    mark = site.root / "tmp" / "ran"
    site.shell(f"touch {mark}\n{TYPED}wc -c")
    for size, status in ((11, 413), (10, 200)):
        assert not mark.exists()
        sent = request(method="POST", rest=CLOSE + "Transfer-Encoding: chunked\r\n")
        answer = ask(visit({"content_bytes": 10}), sent + b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size)))
        assert status == answer[0]
    assert (b"10\n", True) == (answer[2], mark.exists())


# ---- what it answers


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_end_in_lf_or_crlf(site: Site, visit: Visit, end: str) -> None:
    """RFC 3875 §6.2.  Names keep their case, Date is ours, the phrase is not the script's."""
    site.python(f"""
        lines = ["Status: 404 <b>Nothing</b>", "Content-Type:  text/html ", "X-A: 1", "X-A: 2", "Date: never", "", "gone"]
        sys.stdout.buffer.write({end!r}.join(lines).encode())
    """)
    with visit() as instance:
        instance.send(request(rest=CLOSE))
        answer = instance.receive()
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\nDate: ")
    assert b"\r\nContent-Type: text/html\r\nX-A: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked\r\n" in answer
    assert (1, b"gone") == (answer.count(b"Date:"), parse(answer)[2])


def test_length_is_the_scripts_where_it_gives_one(site: Site, visit: Visit) -> None:
    """Then the content is no chunks."""
    site.shell("printf 'Content-Length: 3\\nContent-Type: text/plain\\n\\nabc'")
    status, fields, content = ask(visit())
    assert (200, "3", b"abc", False) == (status, fields["content-length"], content, "transfer-encoding" in fields)


def test_response_without_content_has_length_0(site: Site, visit: Visit) -> None:
    """It needs no Content-Type (RFC 3875 §6.3.1)."""
    site.shell("printf 'Status: 403\\n\\n'")
    status, fields, content = ask(visit())
    assert (403, "0", b"") == (status, fields["content-length"], content)


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_content_has_none(site: Site, visit: Visit, status: int) -> None:
    """Whatever the script writes (RFC 9110 §6.4.1)."""
    site.shell(f"printf 'Status: {status} x\\nContent-Type: a/b\\n\\nabc'")
    with visit() as instance:
        instance.send(request() + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    first, _, second = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")


def test_head_runs_the_script_and_drops_its_content(site: Site, visit: Visit) -> None:
    """REQUEST_METHOD says so (RFC 3875 §4.3.3)."""
    site.shell('printf "Content-Type: text/plain\\nX-Method: $REQUEST_METHOD\\n\\nabc"')
    with visit() as instance:
        instance.send(request(method="HEAD") + request("/a.txt", rest=CLOSE))
        first, _, second = instance.receive().partition(b"\r\n\r\n")
    assert b"X-Method: HEAD" in first
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")


def test_http_1_0_has_no_chunks(site: Site, visit: Visit) -> None:
    """The end of the connection is the end of the content."""
    site.shell(TYPED + "echo $SERVER_PROTOCOL")
    status, fields, content = ask(visit(), b"GET /cgi-bin/x HTTP/1.0\r\nHost: dog.example\r\n\r\n")
    assert (200, "close", b"HTTP/1.0\n") == (status, fields["connection"], content)


def test_output_comes_as_it_is_written(site: Site, visit: Visit) -> None:
    """Not when the script has ended."""
    site.shell(TYPED + "echo first; read line; echo second $line")
    with visit() as instance:
        instance.send(request(method="POST", rest=CLOSE + "Content-Length: 3\r\n"))
        first = b""
        while b"first" not in first:
            first += instance.peer.recv(1000)
        instance.send(b"go\n")
        assert b"first\nsecond go\n" == parse(first + instance.receive())[2]


@pytest.mark.parametrize(
    ("head", "status", "location"),
    [
        ("Location: https://cat.example/a?b#c", 302, "https://cat.example/a?b#c"),
        ("Location: other", 302, "other"),
        ("Location: /a.txt\\nStatus: 301 x", 301, "/a.txt"),
        ("Status: 303\\nLocation: //cat.example/", 303, "//cat.example/"),
        ("Location: /a.txt\\nStatus: 201", 201, "/a.txt"),
    ],
)
def test_client_redirect_is_the_clients(site: Site, visit: Visit, head: str, status: int, location: str) -> None:
    """RFC 3875 §6.2.3 and §6.2.4: 302, unless a Status says otherwise."""
    site.shell(f"printf '{head}\\n\\n'")
    found = ask(visit())
    assert (status, location) == (found[0], found[1]["location"])


def test_local_redirect_is_ours(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """RFC 3875 §6.2.2: the answer is what GET would have got there; what the client sent is not the next script's."""
    site.shell("printf 'Location: /cgi-bin/y/p?q\\n\\n'; sleep 60")
    told = "$REQUEST_METHOD|$PATH_INFO|$QUERY_STRING|$REQUEST_URI|$CONTENT_LENGTH|$CONTENT_TYPE|$HTTP_COOKIE"
    site.shell(TYPED + f'echo "{told}"; cat', "cgi-bin/y")
    rest = "Content-Type: a/b\r\nCookie: c=d\r\n"
    with visit() as instance:
        instance.send(request(method="POST", rest=rest, content=b"abc") + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    assert [b"200", b"200"] == re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert b"GET|/p|q|/cgi-bin/y/p?q|||c=d\n" in answer
    targets = [record["SELSOCK_TARGET"] for record in journal.records() if record["SELSOCK_EVENT"] == "outcome"]
    assert ["/cgi-bin/x", "/a.txt"] == targets


def test_local_redirect_may_lead_to_any_kind_of_content(site: Site, visit: Visit) -> None:
    """A static file, to GET and to HEAD."""
    site.shell("printf 'Location: /a.txt\\n\\n'")
    assert (200, b"static a") == ask(visit())[::2]
    status, fields, content = ask(visit(), request(method="HEAD", rest=CLOSE))
    assert (200, "8", b"") == (status, fields["content-length"], content)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/staff/a.txt", "the script: a local redirect into another context"),
        ("//cat.example/", "the script: in Location, an empty or dot segment in the path (RFC 3986 §3.3)"),
        ("/../../etc/passwd", "the script: in Location, an empty or dot segment in the path (RFC 3986 §3.3)"),
        ("/a.txt#b", "the script: in Location, a path with a character that has to be escaped (RFC 3986 §3.3)"),
        ("/a b", "the script: in Location, a target that is not visible ASCII (RFC 9112 §3.2)"),
        ("/cgi-bin/x", "the script: more than 10 local redirects"),
        (
            "/a.txt\\nX: y",
            "the script: other fields beside a Location that is a path, and no Status (RFC 3875 §6.2.2)",
        ),
    ],
)
def test_local_redirect_elsewhere_is_500(
    site: Site, visit: Visit, journal: FakeJournal, target: str, reason: str
) -> None:
    """Nothing is served that the context which was entered is not for."""
    site.shell(f"printf 'Location: {target}\\n\\n'")
    assert 500 == ask(visit())[0]
    assert ("500", reason) == outcome(journal)


@pytest.mark.parametrize(("count", "status"), [(9, 200), (10, 200), (11, 500)])
def test_ten_local_redirects_are_followed(site: Site, visit: Visit, count: int, status: int) -> None:
    """And not one more."""
    site.shell(
        f"n=${{PATH_INFO#/}}; [ ${{n:-0}} = {count} ] && {{ {TYPED} exit; }}\n"
        'printf "Location: /cgi-bin/x/$((${n:-0} + 1))\\n\\n"'
    )
    assert status == ask(visit())[0]


# ---- what it gets wrong: 500, or a cut connection, and never a second response


def failing(instance: Instance, journal: FakeJournal, data: bytes = b"") -> tuple[bytes, str]:
    """All that is sent for a script that fails, and the recorded reason; a request behind it is not answered."""
    with instance:
        instance.send(data or request() + request("/a.txt"))
        answer = instance.receive()
        assert errors.EXIT_SERVED == instance.wait()
    assert (1, False) == (answer.count(b"HTTP/1.1 "), b"static a" in answer)
    return answer, outcome(journal)[1]


HEAD_LIMIT = "the script: more than 65536 bytes before the content"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "the script: no response, or not all of its head"),
        ("print('Content-Type: text/plain')", "the script: no response, or not all of its head"),
        ("sys.exit(3)", "the script ended with status 3"),
        ("os.kill(os.getpid(), 9)", "the script was ended by signal 9"),
        ("os.kill(os.getpid(), 15)", "the script was ended by signal 15"),
        ("os.close(1)", "the script: no response, or not all of its head"),
        ("print('\\nhello')", "the script: neither Content-Type nor Location nor Status (RFC 3875 §6.2)"),
        ("print('X: y\\n\\nhello')", "the script: neither Content-Type nor Location nor Status (RFC 3875 §6.2)"),
        ("print('Status: 200\\n\\nhello')", "the script: content without Content-Type (RFC 3875 §6.3.1)"),
        ("print('Content-Type:\\n\\nhello')", "the script: content without Content-Type (RFC 3875 §6.3.1)"),
        ("print('hello\\n\\nhello')", "the script: a line that is no field: b'hello'"),
        ("print('HTTP/1.1 200 OK\\nContent-Type: a/b\\n')", "the script: a line that is no field: b'HTTP/1.1 200 OK'"),
        ("print('Content-Type: a/b\\n c/d\\n')", "the script: a line that is no field: b' c/d'"),
        ("print('Status: 200\\nContent-Type : a/b\\n')", "the script: a field name that is no token: b'Content-Type '"),
        ("print('Content-Type: a/b\\nA: b\\rC: d\\n')", "the script: a control character in the field A"),
        ("print('Content-Type: a/b\\nA: b\\0\\n')", "the script: a control character in the field A"),
        ("print('Content-Type: a/b\\ncontent-type: c/d\\n')", "the script: two content-type fields (RFC 3875 §6.3)"),
        ("print('Status: 200\\nStatus: 200\\n')", "the script: two Status fields (RFC 3875 §6.3)"),
        ("print('Location: a\\nLocation: b\\n')", "the script: two Location fields (RFC 3875 §6.3)"),
        ("print('Status: 100\\n')", "the script: a status that is not 200 to 599: b'100'"),
        ("print('Status: 600\\n')", "the script: a status that is not 200 to 599: b'600'"),
        ("print('Status: OK\\n')", "the script: a status that is not 200 to 599: b'OK'"),
        ("print('Status:\\n')", "the script: a status that is not 200 to 599: b''"),
        ("print('Status: 2000\\n')", "the script: a status that is not 200 to 599: b'2000'"),
        (
            "print('Content-Type: a/b\\nTransfer-Encoding: chunked\\n\\n0\\n')",
            "the script: the field Transfer-Encoding, which frames the message or concerns the connection",
        ),
        (
            "print('Content-Type: a/b\\nConnection: keep-alive\\n')",
            "the script: the field Connection, which frames the message or concerns the connection",
        ),
        (
            "print('Content-Type: a/b\\nContent-Length: 1\\nContent-Length: 1\\n\\nx')",
            "the script: a Content-Length that is no single number: b'1'",
        ),
        (
            "print('Content-Type: a/b\\nContent-Length: -1\\n\\nx')",
            "the script: a Content-Length that is no single number: b'-1'",
        ),
        (
            "sys.stdout.write('Status: 200\\n' + 'A: b\\n' * 100 + '\\n')",
            "the script: more than 100 lines before the content",
        ),
        ("sys.stdout.write('Status: 200\\nA: ' + 'a' * 65520 + '\\n\\n')", HEAD_LIMIT),
        ("sys.stdout.write('A' * 1000000)", HEAD_LIMIT),
        ("while True: sys.stdout.write('A' * 1000000)", HEAD_LIMIT),
        ("while True: sys.stdout.write('A: b\\n')", "the script: more than 100 lines before the content"),
    ],
)
def test_failure_before_the_first_byte_is_500(
    site: Site, visit: Visit, journal: FakeJournal, code: str, reason: str
) -> None:
    """Ours, without a word of the script's."""
    site.python(code)
    answer, told = failing(visit(), journal)
    assert (b"HTTP/1.1 500 Internal Server Error", reason) == (answer.partition(b"\r\n")[0], told)
    assert b"\r\nConnection: close" in answer
    assert answer.endswith(b"500 Internal Server Error\n")


@pytest.mark.parametrize(
    "code",
    [
        "sys.stdout.write('Content-Type: a/b\\n' + 'A: b\\n' * 99 + '\\nx')",
        "sys.stdout.write('Content-Type: a/b\\nA: ' + 'a' * (65536 - 23) + '\\n\\nx')",
    ],
)
def test_head_at_its_limits_is_taken(site: Site, visit: Visit, code: str) -> None:
    """100 lines; 64 KiB with the empty line."""
    site.python(code)
    assert (200, b"x") == ask(visit())[::2]


@pytest.mark.parametrize(
    ("code", "content", "reason"),
    [
        (
            "os.write(1, b'Content-Type: a/b\\n\\na')\nos.kill(os.getpid(), 9)",
            b"1\r\na\r\n",
            "the script was ended by signal 9",
        ),
        (
            "os.write(1, b'Content-Type: a/b\\nContent-Length: 5\\n\\nabc')",
            b"abc",
            "2 bytes less than announced",
        ),
        (
            "os.write(1, b'Content-Type: a/b\\nContent-Length: 2\\n\\nabcHTTP/1.1 200 OK\\r\\n\\r\\n')",
            b"ab",
            "more content than announced",
        ),
        (
            "os.write(1, b'Content-Type: a/b\\nContent-Length: 2\\n\\n')\nwhile True: os.write(1, b'a' * 65536)",
            b"aa",
            "more content than announced",
        ),
    ],
)
def test_failure_after_the_first_byte_cuts(
    site: Site, visit: Visit, journal: FakeJournal, code: str, content: bytes, reason: str
) -> None:
    """What was announced is not completed, or no more than that is sent; then the connection ends."""
    site.python(code)
    answer, told = failing(visit(), journal)
    assert (content, reason) == (answer.partition(b"\r\n\r\n")[2], told)


def test_exit_status_alone_is_no_failure(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """php-cgi ends with 255 behind a whole page; the journal has it."""
    site.shell(TYPED + "echo page; exit 255")
    assert (200, b"page\n") == ask(visit())[::2]
    assert ("200", "the script ended with status 255") == outcome(journal)


def test_slow_script_is_504(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """request_seconds; it is ended, with all that it started."""
    site.shell(f"sleep 60 & echo $! > {site.root}/tmp/pid; sleep 60")
    answer, told = failing(visit({"request_seconds": 2}), journal)
    assert (b"HTTP/1.1 504 Gateway Timeout", "the script did not answer in time") == (
        answer.partition(b"\r\n")[0],
        told,
    )
    wait_until(lambda: gone(int((site.root / "tmp/pid").read_text())))


@pytest.mark.parametrize(("method", "end"), [("GET", b"a"), ("HEAD", b"\r\n\r\n")])
def test_flood_ends_in_time(site: Site, visit: Visit, journal: FakeJournal, method: str, end: bytes) -> None:
    """Output without end: request_seconds, then the connection is cut, without a last chunk."""
    wait = "time.sleep(0.01)" if method == "GET" else "pass"  # what HEAD drops, no client has to hold
    site.python(f"os.write(1, b'Content-Type: a/b\\n\\n')\nwhile True: os.write(1, b'a' * 9999); {wait}")
    with visit({"request_seconds": 2}) as instance:
        instance.send(request(method=method))
        answer = instance.receive().removesuffix(b"\r\n") if method == "GET" else instance.receive()
    assert ("200", "the script did not answer in time") == outcome(journal)
    assert answer.endswith(end)


# ---- no direction waits for another


ECHO = """
    os.write(1, b"Content-Type: a/b\\n\\n")
    while data := os.read(0, 65536): os.write(1, data)
"""


def test_much_goes_in_and_out_at_once(site: Site, visit: Visit) -> None:
    """A client that sends all before it reads anything, and a script that answers while it reads."""
    site.python(ECHO)
    data = bytes(range(256)) * 4096
    assert (200, data) == ask(visit(), request(method="POST", rest=CLOSE, content=data))[::2]


def test_much_goes_in_while_much_comes_out(site: Site, visit: Visit) -> None:
    """A script that writes a megabyte before it reads the megabyte that it was sent, and says as much on stderr."""
    site.python("""
        os.write(1, b"Content-Type: a/b\\n\\n")
        for _ in range(16): os.write(1, b"a" * 65536); os.write(2, b"b" * 65536)
        os.write(1, str(len(sys.stdin.buffer.read())).encode())
    """)
    answer = ask(visit(), request(method="POST", rest=CLOSE, content=bytes(1 << 20)))
    assert (200, b"a" * (1 << 20) + b"1048576") == answer[::2]


def test_script_that_never_reads_answers(site: Site, visit: Visit) -> None:
    """At once, though the client is still sending."""
    site.shell("printf 'Content-Type: a/b\\nContent-Length: 1\\n\\nx'; exec sleep 0.2")
    with visit() as instance:
        sender = threading.Thread(target=send_all, args=(instance, request(method="POST", content=bytes(1 << 20))))
        sender.start()
        answer = parse(instance.receive_one())
        sender.join()
    assert (200, b"x") == answer[::2]


def send_all(instance: Instance, data: bytes) -> None:
    """Send, as far as the other side takes it."""
    try:
        instance.send(data)
    except OSError:
        pass  # it has closed


def test_script_that_closes_its_input_answers(site: Site, visit: Visit) -> None:
    """What nobody reads is dropped."""
    site.python("os.close(0)\ntime.sleep(0.1)\nos.write(1, b'Content-Type: a/b\\n\\nx')")
    with visit() as instance:
        instance.send(request(method="POST", content=bytes(200000)) + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_client_that_reads_slowly_gets_all(site: Site, visit: Visit) -> None:
    """The script waits for it."""
    site.python("os.write(1, b'Content-Type: a/b\\n\\n')\nfor n in range(1000): os.write(1, b'%04d' % n * 1000)")
    with visit() as instance:
        instance.send(request(rest=CLOSE))
        parts = []
        while part := instance.peer.recv(100000):
            parts.append(part)
            time.sleep(0.001)
    assert b"".join(b"%04d" % n * 1000 for n in range(1000)) == parse(b"".join(parts))[2]


def test_client_that_does_not_send_is_408(
    site: Site, visit: Visit, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the client that is waited for, so it has no longer than bytes_per_second allow; the script is ended."""
    monkeypatch.setattr("selsock.handler.adopt.GRACE_SECONDS", 0.3)
    site.shell(f"echo $$ > {site.root}/tmp/pid; cat > /dev/null\n" + TYPED)
    with visit() as instance:
        instance.send(request(method="POST", rest="Content-Length: 5\r\n") + b"abc")
        answer = instance.receive()
        assert errors.EXIT_REFUSED == instance.wait()
    assert answer.startswith(b"HTTP/1.1 408 ")
    wait_until(lambda: gone(int((site.root / "tmp/pid").read_text())))


def test_client_that_does_not_read_is_given_up(
    site: Site, visit: Visit, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the script with it."""
    monkeypatch.setattr("selsock.handler.adopt.GRACE_SECONDS", 0.3)
    site.python(f"""
        open("{site.root}/tmp/pid", "w").write(str(os.getpid()))
        os.write(1, b"Content-Type: a/b\\n\\n")
        while True: os.write(1, b"a" * 65536)
    """)
    with visit({"bytes_per_second": 1 << 30}) as instance:
        instance.send(request())
        wait_until(lambda: "gone" in journal.events())
    assert errors.EXIT_GONE == instance.wait()
    wait_until(lambda: gone(int((site.root / "tmp/pid").read_text())))


def test_client_that_leaves_ends_the_script(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """While it says nothing."""
    site.shell(f"echo $$ > {site.root}/tmp/pid; sleep 60")
    file = site.root / "tmp/pid"
    with visit() as instance:
        instance.send(request())
        wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
        instance.peer.close()
        wait_until(lambda: gone(int(file.read_text())))
    assert errors.EXIT_GONE == instance.wait()
    reasons = [record["SELSOCK_REASON"] for record in journal.records() if record["SELSOCK_EVENT"] == "gone"]
    assert ["the peer left before the script had answered"] == reasons


# ---- what it leaves behind


def test_grandchild_that_keeps_the_output_does_not_hold_it(site: Site, visit: Visit) -> None:
    """The script's end is the end of the response, and of what it has started in its session."""
    site.shell(f"sleep 60 & echo $! > {site.root}/tmp/pid\n{TYPED}echo page")
    assert (200, b"page\n") == ask(visit())[::2]
    wait_until(lambda: gone(int((site.root / "tmp/pid").read_text())))


def test_grandchild_that_left_the_session_does_not_hold_it(site: Site, visit: Visit) -> None:
    """Nor does one that goes on writing; it ends with the unit (tests/systemd)."""
    site.python("""
        parent = os.getpid()
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.write(1, b"Content-Type: a/b\\n\\npage")
            open(os.environ["TMPDIR"] + "/pid", "w").write(str(os.getpid()))
            while os.getppid() == parent: time.sleep(0.001)
            while True: os.write(1, b"x" * 65536); os.write(2, b"x\\n")
        while not os.path.exists(os.environ["TMPDIR"] + "/pid"): time.sleep(0.01)
    """)
    status, _, content = ask(visit())
    assert (200, True) == (status, content.startswith(b"page"))
    wait_until(lambda: gone(int((site.root / "tmp/pid").read_text())))  # SIGPIPE


def test_script_that_closes_its_output_and_runs_on_is_ended(site: Site, visit: Visit) -> None:
    """The response is complete; a moment later the connection goes on."""
    site.shell(f"echo $$ > {site.root}/tmp/pid\n{TYPED}echo page; exec >&-; sleep 60")
    with visit() as instance:
        instance.send(request() + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    assert [b"200", b"200"] == re.findall(rb"HTTP/1.1 (\d+)", answer)
    wait_until(lambda: gone(int((site.root / "tmp/pid").read_text())))


def test_killing_the_parent_cuts(site: Site, visit: Visit) -> None:
    """Nothing is sent; what is left of it ends with the unit (tests/systemd)."""
    site.shell("kill -9 $PPID; sleep 0.1\n" + TYPED)
    with visit() as instance:
        instance.send(request())
        assert b"" == instance.receive()
        assert -9 == instance.wait()


def test_nothing_of_one_script_reaches_another(site: Site, visit: Visit) -> None:
    """A hundred requests on one connection: no descriptor and no process is left over."""
    site.shell(
        "printf 'Content-Type: text/plain\\nContent-Length: 8\\n\\n'\n"
        "cat > /dev/null; printf '%4d%4d' $(ls /proc/$PPID/fd | wc -l) $(cat /proc/$PPID/task/*/children | wc -w)"
    )
    with visit() as instance:
        found = set()
        for _ in range(100):
            instance.send(request())
            found.add(instance.receive_one().rpartition(b"\r\n")[2])
    assert 1 == len(found)


# ---- standard error


def test_complaints_go_to_the_journal(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """A record for each line, also for the last without its end, with the vhost's name."""
    site.shell("echo one >&2\n" + TYPED + "printf 'two\\nthr\\033ee' >&2")
    assert 200 == ask(visit())[0]
    assert ["dog.example: one", "dog.example: two", "dog.example: thr\\x1bee"] == complaints(journal)
    vhosts = {record["SELSOCK_VHOST"] for record in journal.records() if record["SELSOCK_EVENT"] == "stderr"}
    assert {"dog.example"} == vhosts


def test_complaints_are_bounded(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """A hundred lines a request, a thousand bytes each; a flood of them holds nothing up."""
    site.python("for _ in range(10000): os.write(2, b'x' * 5000 + b'\\n')\nos.write(1, b'Content-Type: a/b\\n\\nx')")
    assert (200, b"x") == ask(visit())[::2]
    lines = complaints(journal)
    assert (100, "dog.example: more is left out") == (len(lines), lines[-1])
    assert max(map(len, lines)) <= 1000 + len("dog.example: ")


def test_closed_standard_error_holds_nothing_up(site: Site, visit: Visit) -> None:
    """Nor is it waited for in a circle."""
    site.shell("exec 2>&-; sleep 0.2\n" + TYPED + "echo x")
    with visit() as instance:
        instance.send(request(rest=CLOSE))
        assert (200, b"x\n") == parse(instance.receive())[::2]
        spent = sum(map(int, Path(f"/proc/{instance.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    assert spent < 0.15 * os.sysconf("SC_CLK_TCK")


# ---- another domain


def test_context_of_the_domain_option_has_our_user_role_and_level() -> None:
    """Where SELinux does not enforce, there is none to ask for."""

    class Given:
        domain: str | None = "selsock_app_t"
        context = "system_u:system_r:selsock_public_t:s0:c1,c2"

    given = Given()
    assert "system_u:system_r:selsock_app_t:s0:c1,c2" == child.wanted_context(given, given)  # type: ignore[arg-type]
    given.domain = None
    assert child.wanted_context(given, given) is None  # type: ignore[arg-type]
    given.domain, given.context = "selsock_app_t", "unconfined (selinux: optional)"
    assert child.wanted_context(given, given) is None  # type: ignore[arg-type]


def test_domain_that_cannot_be_entered_runs_nothing(site: Site, visit: Visit, journal: FakeJournal) -> None:
    """The kernel refuses the context in attr/exec (tests/vm has one that takes it)."""
    site.extra = (("domain", "selsock_app_t"),)
    site.shell(f"touch {site.root}/tmp/ran\n{TYPED}")
    assert ask(visit())[0] in (403, 500)
    assert outcome(journal)[1].startswith(f"{site.root}/cgi-bin/x could not be run: ")
    assert not (site.root / "tmp/ran").exists()


@pytest.mark.parametrize("reported", ["system_u:system_r:selsock_public_t:s0", "system_u:system_r:other_t:s0"])
def test_script_in_another_context_is_ended(
    site: Site, visit: Visit, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch, reported: str
) -> None:
    """Whoever relies on a transition verifies it; until the moment is over, the old context may still be reported."""
    monkeypatch.setattr(child, "TRANSITION_SECONDS", 0.1)
    monkeypatch.setattr(child, "context_of", lambda pid: reported)
    wanted = "system_u:system_r:selsock_app_t:s0"
    monkeypatch.setattr(child, "become", become_without_transition)
    site.extra = (("domain", "selsock_app_t"),)
    site.shell(f"echo $$ > {site.root}/tmp/pid; sleep 60")
    assert 500 == ask(visit())[0]
    assert ("500", f"the script was to run as {wanted}, but the kernel reports {reported}") == outcome(journal)
    file = site.root / "tmp/pid"
    assert not file.exists() or not file.read_text() or gone(int(file.read_text()))


BECOME = child.become


def become_without_transition(*arguments: object) -> None:
    """As where the policy knows no transition: execve goes on in the caller's domain."""
    confined, script, environ, _, streams, tell = arguments
    BECOME(confined, script, environ, None, streams, tell)  # type: ignore[arg-type]


def test_transition_is_waited_for(site: Site, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel closes descriptors a moment before the new context holds."""
    old, new = "system_u:system_r:selsock_public_t:s0", "system_u:system_r:selsock_app_t:s0"
    told = iter([old, old, old])
    monkeypatch.setattr(child, "context_of", lambda pid: next(told, new))
    monkeypatch.setattr(child, "become", become_without_transition)
    site.extra = (("domain", "selsock_app_t"),)
    site.shell(TYPED + "echo fine")
    assert (200, b"fine\n") == ask(visit())[::2]


def test_context_of_a_process_is_the_kernels_word() -> None:
    """Or why there is none."""
    assert child.context_of(2**22) == "No such file or directory"
    assert child.context_of(os.getpid())  # without SELinux: "Invalid argument", or another module's


def test_files_of_the_site_are_what_the_tests_think(site: Site) -> None:
    """A script is executable, a page is not."""
    assert site.shell("").stat().st_mode & stat.S_IXUSR
    assert not site.write("a", "", 0o644).stat().st_mode & stat.S_IXUSR
