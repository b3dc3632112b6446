# SPDX-License-Identifier: Apache-2.0
"""wsgi: whole connections to applications that run in a child, well-behaved ones and others.

Each application is a file; the instance is a process of its own, with SELinux alone replaced.
"""

import ast
import posix
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selsock import errors
from selsock.context import Context
from selsock.handler import confine
from selsock.handler.serve import wsgi
from selsock.model import Location, Vhost
from selsock.names import AbsolutePath, HostName
from tests.unit.fakes import DrainedJournal, FakeJournal, FakeKernel, Instance, compile_table, wait_until

PUBLIC = Context.parse("selsock_public_t:s0")
START = 'start_response("200 OK", [("Content-Type", "text/plain")])'
Visit = Callable[..., Instance]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[FakeJournal]:
    """Of this test."""
    with DrainedJournal(tmp_path) as journal:
        yield journal


@pytest.fixture
def visit(tmp_path: Path, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch) -> Visit:
    """visit(code, limits={}): a connection to a vhost whose /app is the application of ``code``, beside a static file."""
    monkeypatch.setattr(confine, "REQUIRED_STATUS", {})
    root = tmp_path / "root"
    (root / "code").mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "a.txt").write_text("static a")

    def connect(code: str, limits: dict[str, int] | None = None) -> Instance:
        (root / "code" / "site_app.py").write_text(textwrap.dedent(code))
        named = {"module": "site_app", "callable": "application", "python": str(root / "code"), "env": "SETTING=on"}
        options = tuple(named.items())
        app = Location(("app",), (), PUBLIC, "wsgi", options)
        names = (HostName.parse("dog.example"),)
        temporary = AbsolutePath(str(root / "tmp"))
        vhost = Vhost(names, AbsolutePath(str(root)), None, (app, Location((), (), PUBLIC)), temporary)
        return Instance(compile_table(tmp_path, [vhost], limits), journal, FakeKernel())

    return connect


def request(target: str = "/app", method: str = "GET", rest: str = "", content: bytes = b"") -> bytes:
    """One request."""
    length = f"Content-Length: {len(content)}\r\n" if content else ""
    return f"{method} {target} HTTP/1.1\r\nHost: dog.example\r\n{rest}{length}\r\n".encode() + content


CLOSE = "Connection: close\r\n"


def gone(pid: int) -> bool:
    """Whether the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def simple(body: str) -> str:
    """An application of some statements."""
    return "def application(environ, start_response):\n" + textwrap.indent(textwrap.dedent(body), "    ")


def ask(instance: Instance, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and what follows the head, of all that comes until the connection ends."""
    with instance:
        instance.send(data)
        answer = instance.receive()
    head, _, content = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return int(status.split(" ")[1]), dict(line.lower().split(": ", 1) for line in lines), content


def unchunked(data: bytes) -> bytes:
    """The content in ``data``, strictly.  Raises ValueError unless the last chunk ends it."""
    content = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        content, end, data = content + data[:length], data[length : length + 2], data[length + 2 :]
        if end != b"\r\n":
            raise ValueError("a chunk without end")
        if not length:
            if data:
                raise ValueError("more behind the last chunk")
            return content
    raise ValueError("no last chunk")


# ---- as it should be


def test_one_block_has_its_length(visit: Visit) -> None:
    """PEP 3333: an iterable of one block needs no chunks."""
    status, fields, content = ask(visit(simple(f"{START}\nreturn [b'hello']")), request(rest=CLOSE))
    assert (200, "5", b"hello") == (status, fields["content-length"], content)
    assert "transfer-encoding" not in fields


def test_several_blocks_are_chunks(visit: Visit) -> None:
    """In HTTP/1.1; each block as it comes, the empty ones left out."""
    status, fields, content = ask(visit(simple(f"{START}\nreturn [b'a', b'', b'bc']")), request(rest=CLOSE))
    assert (200, "chunked", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") == (status, fields["transfer-encoding"], content)


def test_http_1_0_has_no_chunks(visit: Visit) -> None:
    """The end of the connection is the end of the content."""
    data = b"GET /app HTTP/1.0\r\nHost: dog.example\r\n\r\n"
    status, fields, content = ask(visit(simple(f"{START}\nreturn [b'a', b'bc']")), data)
    assert (200, "close", b"abc") == (status, fields["connection"], content)


def test_head_has_no_content(visit: Visit) -> None:
    """The application may give some; nothing of it is sent."""
    status, fields, content = ask(visit(simple(f"{START}\nreturn [b'hello']")), request(method="HEAD", rest=CLOSE))
    assert (200, "5", b"") == (status, fields["content-length"], content)


def test_write_and_iterable(visit: Visit) -> None:
    """PEP 3333: what write() was given comes first."""
    status, _, content = ask(
        visit(simple(f"write = {START}\nwrite(b'a')\nwrite(b'b')\nreturn [b'c']")), request(rest=CLOSE)
    )
    assert (200, b"abc") == (status, unchunked(content))


def test_close_is_called(visit: Visit, journal: FakeJournal) -> None:
    """Also when the iteration failed."""
    code = """
        class Result:
            def __init__(self, environ): self.environ = environ
            def __iter__(self):
                yield b"a"
                if "fail" in self.environ["QUERY_STRING"]: raise KeyError("x")
            def close(self): print("closed", file=self.environ["wsgi.errors"])
        def application(environ, start_response):
            start_response("200 OK", [])
            return Result(environ)
    """
    for target in ("/app", "/app?fail"):
        ask(visit(code), request(target, rest=CLOSE))
    told = [record["MESSAGE"] for record in journal.records() if record["SELSOCK_EVENT"] == "stderr"]
    assert 2 == told.count("dog.example: closed")
    assert "dog.example: KeyError: 'x'" in told


def test_exc_info_replaces_a_head_that_was_not_sent(visit: Visit) -> None:
    """PEP 3333, on error handling."""
    code = """
        import sys
        def application(environ, start_response):
            start_response("200 OK", [("X", "first")])
            try:
                raise KeyError("x")
            except KeyError:
                start_response("503 Service Unavailable", [("X", "second")], sys.exc_info())
            return [b"sorry"]
    """
    status, fields, content = ask(visit(code), request(rest=CLOSE))
    assert (503, "second", b"sorry") == (status, fields["x"], content)


ENVIRON = """
    import json
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({name: value if isinstance(value, (str, int, tuple)) else "?" for name, value in environ.items()}).encode()]
"""


def test_environ_is_made_of_the_request_alone(visit: Visit) -> None:
    """RFC 3875 §4.1 and PEP 3333; text is latin-1 that stands for bytes."""
    import json

    rest = (
        "X-Test: a\r\nX-Test: b\r\nCookie: c=d\r\nProxy: evil\r\nContent-Type: a/b\r\nAuthorization: Basic ZG9nOmE=\r\n"
    )
    _, _, content = ask(visit(ENVIRON), request("/app/%C3%BC/b%20c/?q=%20", "POST", rest + CLOSE, b"12345"))
    found = json.loads(content)
    assert {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "selsock",
        "SERVER_NAME": "dog.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "POST",
        "REQUEST_SCHEME": "http",
        "REQUEST_URI": "/app/%C3%BC/b%20c/?q=%20",
        "SCRIPT_NAME": "/app",
        "PATH_INFO": "/\xc3\xbc/b c/",
        "QUERY_STRING": "q=%20",
        "DOCUMENT_ROOT": found["DOCUMENT_ROOT"],
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "5",
        "HTTP_HOST": "dog.example",
        "HTTP_X_TEST": "a, b",
        "HTTP_COOKIE": "c=d",
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.input": "?",
        "wsgi.input_terminated": True,
        "wsgi.errors": "?",
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": "?",
    } == found


@pytest.mark.parametrize(("target", "rest"), [("/app", ""), ("/app/", "/"), ("/app/a", "/a"), ("/app/a/", "/a/")])
def test_path_info_is_what_follows_the_location(visit: Visit, target: str, rest: str) -> None:
    """Empty, or from a slash on."""
    code = simple(f"{START}\nreturn [(environ['SCRIPT_NAME'] + '|' + environ['PATH_INFO']).encode()]")
    assert f"/app|{rest}".encode() == ask(visit(code), request(target, rest=CLOSE))[2]


def test_child_has_an_environment_of_its_own(visit: Visit) -> None:
    """Nothing of systemd's or ours, for a program that it starts as well."""
    code = """
        import os, subprocess
        def application(environ, start_response):
            start_response("200 OK", [])
            return [repr(sorted(os.environ.items())).encode() + b"|" + subprocess.check_output(["/usr/bin/env"])]
    """
    own, _, other = ask(visit(code), request(rest=CLOSE))[2].partition(b"|")
    names = re.findall(r"\('(\w+)'", own.decode())
    assert ["LANG", "PATH", "SETTING", "TMPDIR"] == names
    started = {line.partition(b"=")[0] for line in other.splitlines()}
    # posix.environ is what this process was started with, as it is for an instance.
    assert {name.encode() for name in names} == started & {*posix.environ, *(name.encode() for name in names)}


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 1000000])
@pytest.mark.parametrize("chunked", [False, True])
def test_content_is_streamed_in(visit: Visit, size: int, chunked: bool) -> None:
    """By length and by chunks, whose length is told as well; wsgi.input ends where the content does."""
    code = """
        import hashlib
        def application(environ, start_response):
            start_response("200 OK", [])
            data = environ["wsgi.input"].read()
            told = environ.get("CONTENT_LENGTH", "-"), environ.get("wsgi.input_terminated", False)
            return [f"{len(data)} {hashlib.sha256(data).hexdigest()} {told}".encode()]
    """
    import hashlib

    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    wanted = f"{size} {hashlib.sha256(data).hexdigest()} "
    if chunked:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (data[:1000], data[1000:]) if part)
        sent = request(method="POST", rest=CLOSE + "Transfer-Encoding: chunked\r\n") + chunks + b"0\r\n\r\n"
        wanted += f"('{size}', True)"
    else:
        sent = request(method="POST", rest=CLOSE, content=data)
        wanted += f"('{size if size else '-'}', True)"
    assert wanted.encode() == ask(visit(code), sent)[2]


@pytest.mark.parametrize(("size", "status"), [(9, 200), (10, 200), (11, 413)])
def test_chunks_up_to_content_bytes_are_collected(visit: Visit, size: int, status: int) -> None:
    """The application is told of the request when its content has come; what is too much for us it never sees."""
    sent = request(method="POST", rest=CLOSE + "Transfer-Encoding: chunked\r\n")
    sent += b"1\r\na\r\n%x\r\n%b\r\n0\r\n\r\n" % (size - 1, bytes(size - 1))
    code = simple(f"{START}\nreturn [environ['CONTENT_LENGTH'].encode()]")
    answer = ask(visit(code, {"content_bytes": 10}), sent)
    assert (status, status == 413 or answer[2] == str(size).encode()) == (answer[0], True)


def test_lines_of_content(visit: Visit) -> None:
    """readline, readlines and iteration."""
    code = simple(
        f"{START}\nread = environ['wsgi.input']\nreturn [repr([read.readline(), read.readline(2), list(read)]).encode()]"
    )
    content = ask(visit(code), request(method="POST", rest=CLOSE, content=b"a\nbcd\ne\nf"))[2]
    assert b"[b'a\\n', b'bc', [b'd\\n', b'e\\n', b'f']]" == content


def test_content_that_is_not_read_is_not_the_next_request(visit: Visit) -> None:
    """What the application leaves is dropped, and the connection goes on behind it."""
    with visit(simple(f"{START}\nreturn [b'hello']")) as instance:
        instance.send(request(method="POST", content=request("/a.txt")) + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    assert [b"200", b"200"] == re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert answer.endswith(b"static a")


def test_application_is_imported_once_and_keeps_its_state(visit: Visit) -> None:
    """For the connection; static content between its requests does not end it."""
    with visit("count = 0\n" + simple(f"global count\ncount += 1\n{START}\nreturn [str(count).encode()]")) as instance:
        found = []
        for target in ("/app", "/a.txt", "/app", "/app"):
            instance.send(request(target))
            found.append(instance.receive_one().rpartition(b"\r\n")[2])
    assert [b"1", b"static a", b"2", b"3"] == found


def test_file_wrapper_sends_a_file(visit: Visit, tmp_path: Path) -> None:
    """From where the file stands, with its length, by the parent."""
    (tmp_path / "big").write_bytes(bytes(3_000_000) + b"end")
    code = simple(f"""
        {START}
        file = open({str(tmp_path / "big")!r}, "rb")
        file.seek(1000)
        return environ["wsgi.file_wrapper"](file, 4096)
    """)
    status, fields, content = ask(visit(code), request(rest=CLOSE))
    assert (200, "2999003", bytes(2_999_000) + b"end") == (status, fields["content-length"], content)


def test_file_wrapper_takes_what_is_no_file(visit: Visit) -> None:
    """Block by block, as an iterable."""
    code = simple(f"import io\n{START}\nreturn environ['wsgi.file_wrapper'](io.BytesIO(b'abcde'), 2)")
    assert b"abcde" == unchunked(ask(visit(code), request(rest=CLOSE))[2])


def test_wsgiref_validate_is_content(visit: Visit) -> None:
    """The standard library's own check of both sides."""
    code = """
        from wsgiref.validate import validator
        @validator
        def application(environ, start_response):
            data = environ["wsgi.input"].read(5)
            environ["wsgi.errors"].write("fine\\n")
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
            return [data]
    """
    status, _, content = ask(visit(code), request("/app?a=b", "POST", CLOSE + "Content-Type: a/b\r\n", b"12345"))
    assert (200, b"12345") == (status, content)


# ---- what it gets wrong: 500, or a cut connection, and never a second response


def failing(instance: Instance, journal: FakeJournal, data: bytes = b"") -> tuple[bytes, str]:
    """All that is sent for an application that fails, and the recorded reason; a request behind it is not answered."""
    with instance:
        instance.send(data or request() + request("/a.txt"))
        answer = instance.receive()
        assert errors.EXIT_SERVED == instance.wait()
    assert 1 == answer.count(b"HTTP/1.1 ")
    assert b"static a" not in answer
    outcomes = [record for record in journal.records() if record["SELSOCK_EVENT"] == "outcome"]
    assert 1 == len(outcomes)
    return answer, outcomes[0]["SELSOCK_REASON"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise KeyError('x')", "the application failed"),
        ("raise SystemExit(0)", "the application failed"),
        ("raise KeyboardInterrupt", "the application failed"),
        ("return [b'x']", "the application failed"),
        ("return None", "the application failed"),
        ("return []", "the application failed"),
        ("start_response('200 OK', [])\nstart_response('200 OK', [])", "the application failed"),
        ("import os\nos._exit(0)", "the application: the other end is gone"),
        ("import os\nos.kill(os.getpid(), 9)", "the application: the other end is gone"),
        (
            "start_response('200 OK', [('A', 'b\\r\\nC: d')])\nreturn [b'x']",
            "the application: a control character in the field A",
        ),
        (
            "start_response('200 OK', [('A b', 'c')])\nreturn [b'x']",
            "the application: a field name that is no token: b'A b'",
        ),
        ("start_response('200 OK', [('A', 'b\\0c')])\nreturn [b'x']", "the application failed"),
        (
            "start_response('100 Continue', [])\nreturn [b'x']",
            "the application: a status that is not 200 to 599: b'100'",
        ),
        ("start_response('OK', [])\nreturn [b'x']", "the application: a status that is not 200 to 599: b'OK'"),
        (
            "start_response('200 OK', [('Transfer-Encoding', 'chunked')])\nreturn [b'x']",
            "the application: the field Transfer-Encoding, which frames the message or concerns the connection",
        ),
        (
            "start_response('200 OK', [('Content-Length', '1'), ('content-length', '1')])\nreturn [b'x']",
            "the application: a Content-Length that is no single number: b'1'",
        ),
        (
            "start_response('200 OK', [('Content-Length', '-1')])\nreturn [b'x']",
            "the application: a Content-Length that is no single number: b'-1'",
        ),
    ],
)
def test_failure_before_the_first_byte_is_500(visit: Visit, journal: FakeJournal, body: str, reason: str) -> None:
    """Ours, without a word of the application's."""
    answer, told = failing(visit(simple(body)), journal)
    assert (b"HTTP/1.1 500 Internal Server Error", reason) == (answer.partition(b"\r\n")[0], told)
    assert b"\r\nConnection: close" in answer
    assert answer.endswith(b"500 Internal Server Error\n")


def test_application_that_can_not_be_imported_is_500(visit: Visit, journal: FakeJournal) -> None:
    """And the journal has the traceback."""
    answer, told = failing(visit("import no_such_module\n"), journal)
    assert (True, "the application failed") == (answer.startswith(b"HTTP/1.1 500 "), told)
    lines = [record["MESSAGE"] for record in journal.records() if record["SELSOCK_EVENT"] == "stderr"]
    assert "dog.example: ModuleNotFoundError: No module named 'no_such_module'" in lines


@pytest.mark.parametrize(
    ("body", "content", "reason"),
    [
        ("write = start_response('200 OK', [])\nwrite(b'a')\nraise KeyError", b"1\r\na\r\n", "the application failed"),
        (
            "import os\nwrite = start_response('200 OK', [])\nwrite(b'a')\nos.kill(os.getpid(), 9)",
            b"1\r\na\r\n",
            "the application: the other end is gone",
        ),
        (
            "start_response('200 OK', [('Content-Length', '5')])\nreturn [b'abc']",
            b"abc",
            "2 bytes less than announced",
        ),
        (
            "start_response('200 OK', [('Content-Length', '2')])\nreturn [b'abc', b'HTTP/1.1 200 OK\\r\\n\\r\\n']",
            b"ab",
            "more content than announced",
        ),
        (
            "start_response('200 OK', [('Content-Length', '2')])\nimport sys\nreturn environ['wsgi.file_wrapper'](open(__file__, 'rb'))",
            b"de",
            "",
        ),
    ],
)
def test_failure_after_the_first_byte_cuts(
    visit: Visit, journal: FakeJournal, body: str, content: bytes, reason: str
) -> None:
    """What was announced is not completed, or no more than that is sent; then the connection ends."""
    if not reason:  # the one that is no failure: a file wrapper under a shorter length (PEP 3333)
        assert content == ask(visit(simple(body)), request(rest=CLOSE))[2]
        return
    answer, told = failing(visit(simple(body)), journal)
    assert (content, reason) == (answer.partition(b"\r\n\r\n")[2], told)


def test_http_1_0_notices_a_cut(visit: Visit) -> None:
    """Without length or chunks a plain close would pass for the end: the connection is reset."""
    with visit(simple("write = start_response('200 OK', [])\nwrite(b'a')\nraise KeyError")) as instance:
        instance.send(b"GET /app HTTP/1.0\r\nHost: dog.example\r\n\r\n")
        answer = b""
        # A socketpair knows no reset: what is seen here is the end; tests/systemd has the TCP connection.
        answer = instance.receive()
    assert answer.endswith(b"\r\n\r\na")


def test_slow_application_is_504(visit: Visit, journal: FakeJournal) -> None:
    """request_seconds; it is ended, with all that it started."""
    answer, told = failing(visit(simple("import time\ntime.sleep(60)"), {"request_seconds": 2}), journal)
    assert (b"HTTP/1.1 504 Gateway Timeout", "the application did not answer in time") == (
        answer.partition(b"\r\n")[0],
        told,
    )


# ---- what it tries


def test_writing_to_every_descriptor_changes_nothing(visit: Visit) -> None:
    """0, 1 and 2 lead nowhere, and of the others it has its own channel alone, which takes frames."""
    code = """
        import os
        def application(environ, start_response):
            start_response("200 OK", [])
            found = []
            for fd in range(256):
                try: found.append(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0])
                except OSError: pass
            return [repr(found).encode()]
    """
    content = ask(visit(code), request(rest=CLOSE))[2]
    found = ast.literal_eval(content.decode())
    assert (3, "socket") == (len(found) - 1, found[-1])  # the tests' process has other things than null on 0, 1 and 2


def test_raw_bytes_on_the_channel_are_500(visit: Visit, journal: FakeJournal) -> None:
    """A whole response, written to each descriptor that there is."""
    code = simple("""
        import os
        for fd in range(256):
            try: os.write(fd, b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nbad")
            except OSError: pass
        start_response("200 OK", [])
        return [b"x"]
    """)
    answer, told = failing(visit(code), journal)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert re.fullmatch(r"the application: a frame of \d+ bytes", told)


@pytest.mark.parametrize(
    "frame",
    [
        "b'D\\0\\0\\0\\1x'",
        "b'E\\0\\0\\0\\0'",
        "b'F\\0\\0\\0\\0'",
        "b'Z\\0\\0\\0\\0'",
        "b'H\\0\\0\\0\\x03200' * 2",
        "b'R\\0\\0\\0\\0' * 99",
    ],
)
def test_frames_out_of_turn_are_500_or_a_whole_response(visit: Visit, journal: FakeJournal, frame: str) -> None:
    """A frame that is well formed and has no place, before the application says anything."""
    code = simple(f"""
        import os, stat
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, {frame})
            except OSError: pass
        start_response("200 OK", [])
        return [b"x"]
    """)
    with visit(code) as instance:
        instance.send(request() + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert statuses in ([b"500"], [b"200", b"200"])


def test_replacing_our_functions_bends_nothing(visit: Visit) -> None:
    """They are the child's copies."""
    code = """
        import sys
        def application(environ, start_response):
            for name, module in list(sys.modules.items()):
                if name.startswith("selsock"):
                    for attribute in list(vars(module)):
                        if callable(getattr(module, attribute)) and attribute not in ("Broken",):
                            setattr(module, attribute, lambda *a, **k: b"HTTP/1.1 200 OK\\r\\n\\r\\nbent")
            start_response("200 OK", [])
            return [b"x"]
    """
    with visit(code) as instance:
        instance.send(request() + request("/a.txt", rest=CLOSE))
        answer = instance.receive()
    assert b"bent" not in answer
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) in ([b"200", b"200"], [b"500"])


def test_killing_the_parent_cuts(visit: Visit) -> None:
    """Nothing is sent; what is left of it ends with the unit (tests/systemd)."""
    with visit(
        simple(
            "import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(1)\nstart_response('200 OK', [])\nreturn [b'x']"
        )
    ) as instance:
        instance.send(request())
        assert b"" == instance.receive()
        assert -9 == instance.wait()


def test_flood_is_bounded_by_the_length(visit: Visit, journal: FakeJournal) -> None:
    """A thousand times what was announced."""
    body = "start_response('200 OK', [('Content-Length', '3')])\nreturn (b'x' * 65536 for _ in range(1000))"
    answer, told = failing(visit(simple(body)), journal)
    assert (b"xxx", "more content than announced") == (answer.partition(b"\r\n\r\n")[2], told)


def test_complaints_are_bounded(visit: Visit, journal: FakeJournal) -> None:
    """A hundred lines a request, a thousand bytes each, and no control character."""
    body = f"{START}\nfor n in range(10000): print('x' * 5000, '\\x1b[31m', file=environ['wsgi.errors'])\nreturn [b'x']"
    status, _, _ = ask(visit(simple(body)), request(rest=CLOSE))
    lines = [record["MESSAGE"] for record in journal.records() if record["SELSOCK_EVENT"] == "stderr"]
    assert (200, 100, "dog.example: more is left out") == (status, len(lines), lines[-1])
    assert max(map(len, lines)) <= 1000 + len("dog.example: ")


def test_child_ends_with_the_connection(visit: Visit) -> None:
    """The channel ends, and so does it; one that would not is ended by systemd (tests/systemd)."""
    with visit(simple(f"import os\n{START}\nreturn [str(os.getpid()).encode()]")) as instance:
        instance.send(request(rest=CLOSE))
        pid = int(instance.receive().rpartition(b"\r\n")[2])
        instance.wait()
    wait_until(lambda: gone(pid))


def test_file_under_a_status_without_content_is_not_sent(visit: Visit, tmp_path: Path, journal: FakeJournal) -> None:
    """RFC 9110 §15.3.6: 205 has none, so what a file wrapper gave would be taken for the next response."""
    (tmp_path / "root" / "forged").write_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    code = simple("""
        start_response("205 Reset Content", [])
        return environ["wsgi.file_wrapper"](open(environ["DOCUMENT_ROOT"] + "/forged", "rb"))
    """)
    answer, told = failing(visit(code), journal)
    assert (b"HTTP/1.1 205 ", b"", "more content than announced") == (
        answer[:13],
        answer.partition(b"\r\n\r\n")[2],
        told,
    )


@pytest.mark.parametrize("frame", ["E", "C"])
def test_descriptor_with_the_last_frame_is_not_kept(visit: Visit, journal: FakeJournal, frame: str) -> None:
    """Nor is the connection: each of its requests would leave one more open."""
    code = f"""
        from selsock.handler.serve.channel import Channel
        send = Channel.send
        def say(self, kind, data=b"", descriptor=None):
            send(self, b"{frame}" if kind == b"E" else kind, data, 1 if kind == b"E" else descriptor)
        Channel.send = say
        def application(environ, start_response):
            {START}
            return [b"x"]
    """
    answer, told = failing(visit(code), journal)
    assert (b"x", "the application: a descriptor that has no place here") == (
        answer.partition(b"\r\n\r\n")[2],
        told,
    )


def test_no_process_is_500(visit: Visit, journal: FakeJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """TasksMax= may be used up by what another application of the connection has left running: no defect of ours."""

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(posix, name)

        def fork(self) -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(wsgi, "posix", Full())
    answer, told = failing(visit(simple("pass")), journal)
    assert (
        b"HTTP/1.1 500 Internal Server Error",
        "no process for the application: Resource temporarily unavailable",
    ) == (
        answer.partition(b"\r\n")[0],
        told,
    )
