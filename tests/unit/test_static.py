# SPDX-License-Identifier: Apache-2.0
"""static: exactly the regular files beneath the root, by their own names; everything else is not there."""

import mimetypes
import os
import socket
import subprocess
import sys
from pathlib import Path

import h11
import pytest

from selsock.errors import PeerGone
from selsock.handler.adopt import Client
from selsock.handler.confine import Confined
from selsock.handler.head import HeadBuffer, read_head
from selsock.handler.identify import Credentials
from selsock.handler.serve import media, static
from selsock.model import Limits, Location, Vhost
from selsock.names import AbsolutePath, HostName
from tests.unit.fakes import connect, patience

SECRET = b"out of reach"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A document root, and beside it a file that nobody may see."""
    root = tmp_path / "root"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "index.html").write_bytes(b"<p>index</p>")
    (root / "sub" / "index.html").write_bytes(b"<p>sub</p>")
    (root / "a.txt").write_bytes(b"text")
    (root / "none").write_bytes(b"")
    (tmp_path / "secret.txt").write_bytes(SECRET)
    return root


def confined(root: Path) -> Confined:
    """A Confined for ``root``: the tests' own, made without confining anything."""
    vhost = Vhost((HostName.parse("dog.example"),), AbsolutePath.parse(str(root)), None, (Location((), (), None),))
    return Confined("test", vhost, Credentials())


class Reply:
    """What came back: status, fields, content, whether the message was whole, and the outcome that was recorded."""

    def __init__(self, raw: bytes, method: str, outcome: static.Outcome | None) -> None:
        self.raw, self.outcome, self.content, self.whole = raw, outcome, b"", False
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "dog.example")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(raw)
        response = connection.next_event()
        assert isinstance(response, h11.Response)
        self.status = response.status_code
        self.fields = {name.decode(): value.decode() for name, value in response.headers}
        while isinstance(event := connection.next_event(), h11.Data):
            self.content += event.data
        self.whole = isinstance(event, h11.EndOfMessage)
        assert b"" == connection.trailing_data[0]


def ask(root: Path, target: str, method: str = "GET", close: bool = False) -> Reply:
    """The reply to one request for ``target``."""
    peer, client = connect()
    peer.sendall(f"{method} {target} HTTP/1.1\r\nHost: dog.example\r\n\r\n".encode())
    head = read_head(client, HeadBuffer(16384), Limits(), 5.0)
    outcome = static.serve(confined(root), head, client, close)
    client.socket.close()
    raw = b"".join(iter(lambda: peer.recv(65536), b""))
    peer.close()
    return Reply(raw, method, outcome)


# ---- what is there


@pytest.mark.parametrize(
    ("target", "content", "kind"),
    [
        ("/", b"<p>index</p>", "text/html; charset=utf-8"),
        ("/index.html", b"<p>index</p>", "text/html; charset=utf-8"),
        ("/sub/", b"<p>sub</p>", "text/html; charset=utf-8"),
        ("/a.txt", b"text", "text/plain; charset=utf-8"),
        ("/%61.txt", b"text", "text/plain; charset=utf-8"),
        ("/a.txt?query=ignored", b"text", "text/plain; charset=utf-8"),
        ("http://dog.example/a.txt", b"text", "text/plain; charset=utf-8"),
        ("/none", b"", "application/octet-stream"),
    ],
)
def test_file_is_sent_with_its_length_and_type(root: Path, target: str, content: bytes, kind: str) -> None:
    """And the outcome says so."""
    reply = ask(root, target)
    assert (200, content, kind) == (reply.status, reply.content, reply.fields["content-type"])
    assert str(len(content)) == reply.fields["content-length"]
    assert reply.outcome is not None
    assert (200, len(content), "") == (reply.outcome.status, reply.outcome.content, reply.outcome.reason)


@pytest.mark.parametrize("target", ["/a.txt", "/", "/nothing", "/sub"])
def test_head_is_get_without_content(root: Path, target: str) -> None:
    """RFC 9110 §9.3.2: the same status and fields."""
    head, get = ask(root, target, "HEAD"), ask(root, target)
    assert (b"", get.status) == (head.content, head.status)
    assert get.fields | {"date": ""} == head.fields | {"date": ""}
    assert head.raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("target", ["/a.txt", "/nothing"])
def test_other_methods_are_405_with_allow(root: Path, method: str, target: str) -> None:
    """RFC 9110 §15.5.6; and nothing of the file."""
    reply = ask(root, target, method)
    assert (405, "GET, HEAD") == (reply.status, reply.fields["allow"])
    assert b"text" not in reply.content


def test_options_for_the_server_and_connect_are_405(root: Path) -> None:
    """They have no path; nothing is opened for them."""
    assert 405 == ask(root, "*", "OPTIONS").status
    peer, client = connect()
    peer.sendall(b"CONNECT dog.example:443 HTTP/1.1\r\nHost: dog.example\r\n\r\n")
    head = read_head(client, HeadBuffer(16384), Limits(), 5.0)
    assert 405 == static.serve(confined(root), head, client, True).status
    peer.close()


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/sub", "/sub/"),
        ("/sub?a=b", "/sub/"),
        ("/%73ub", "/%73ub/"),
        ("/sub/empty", "/sub/empty/"),
        ("http://dog.example/sub", "http://dog.example/sub/"),
    ],
)
def test_directory_is_redirected_to_its_slash(root: Path, target: str, location: str) -> None:
    """So that relative links in its index resolve; the spelling stays the client's, so it can hold no line break."""
    reply = ask(root, target)
    assert (301, location) == (reply.status, reply.fields["location"])


def test_close_is_announced(root: Path) -> None:
    """RFC 9112 §9.6, on files and pages alike; and only when it is true."""
    for target in ("/a.txt", "/nothing", "/sub"):
        assert "close" == ask(root, target, close=True).fields["connection"]
        assert "connection" not in ask(root, target).fields


# ---- what is not there


@pytest.mark.parametrize(
    "target",
    ["/nothing", "/sub/nothing", "/sub/empty/", "/a.txt/", "/a.txt/b", "/nothing/", "/index.html/index.html", "/A.TXT"],
)
def test_nothing_is_404(root: Path, target: str) -> None:
    """No listing of a directory without an index; no path through a file; no other case."""
    assert (404, b"404 Not Found\n") == (ask(root, target).status, ask(root, target).content)


@pytest.mark.parametrize(
    "target", ["/.git/config", "/.htpasswd", "/sub/.env", "/.a/", "/%2egit/config", "/.well-known2"]
)
def test_dot_files_are_404_although_they_exist(root: Path, target: str) -> None:
    """Version control and editors leave what nobody means to publish."""
    path = root / target[1:].replace("%2e", ".")
    if target.endswith("/"):
        path /= "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SECRET)
    assert 404 == ask(root, target).status


def test_well_known_is_served_at_the_top_alone(root: Path) -> None:
    """RFC 8615: what ACME needs; a dot-file below it is one all the same."""
    for folder in (root / ".well-known", root / "sub" / ".well-known"):
        folder.mkdir()
        (folder / "x").write_bytes(b"token")
        (folder / ".x").write_bytes(SECRET)
    assert (200, b"token") == (ask(root, "/.well-known/x").status, ask(root, "/.well-known/x").content)
    assert 404 == ask(root, "/.well-known/.x").status
    assert 404 == ask(root, "/sub/.well-known/x").status


@pytest.mark.parametrize("to", ["../secret.txt", "a.txt", "/etc/passwd", "loop"])
def test_link_in_the_last_place_is_404(root: Path, to: str) -> None:
    """Wherever it leads, inward or outward."""
    (root / "loop").symlink_to(to)
    assert 404 == ask(root, "/loop").status


@pytest.mark.parametrize("to", ["..", "sub", "/"])
def test_link_on_the_way_is_404(root: Path, to: str) -> None:
    """A directory behind a link is not entered."""
    (root / "link").symlink_to(to)
    for target in ("/link/secret.txt", "/link/index.html", "/link/", "/link"):
        assert 404 == ask(root, target).status


def test_link_as_the_root_is_404(tmp_path: Path, root: Path) -> None:
    """The root is the administrator's word; a link there could be a tenant's."""
    (tmp_path / "www").symlink_to(root)
    assert 404 == ask(tmp_path / "www", "/a.txt").status


def test_dot_dot_leads_nowhere_even_if_it_came_this_far(root: Path) -> None:
    """The head refuses it (tests/wire); the walk itself would hide it, as a dot-file."""
    assert static.hidden("..", 0)
    assert static.hidden("..", 1)
    assert static.hidden(".", 0)


def test_fifo_is_404_at_once(root: Path) -> None:
    """A tenant's trap: opening it would wait for a writer."""
    os.mkfifo(root / "fifo")
    with patience():
        assert 404 == ask(root, "/fifo").status


def test_socket_is_404(root: Path) -> None:
    """It can not be opened at all."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
        assert 404 == ask(root, "/s").status


def test_device_is_404(root: Path) -> None:
    """/dev itself as a root: there are devices in it without being root."""
    assert 404 == ask(Path("/dev"), "/null").status
    assert 404 == ask(Path("/dev"), "/zero").status


def test_directory_as_index_is_404(root: Path) -> None:
    """It is no file, and redirecting it would never end."""
    (root / "odd" / "index.html").mkdir(parents=True)
    assert 404 == ask(root, "/odd/").status


def test_name_longer_than_the_kernel_takes_is_404(root: Path) -> None:
    """ENAMETOOLONG, of a segment and of a path."""
    assert 404 == ask(root, "/" + "a" * 300).status
    assert 404 == ask(root, "/" + "a/" * 3000).status


def test_missing_root_is_404(tmp_path: Path) -> None:
    """A vhost whose directory was removed."""
    assert 404 == ask(tmp_path / "gone", "/").status


def test_name_is_utf_8_whatever_the_locale(root: Path) -> None:
    """systemd passes on the locale of the system; under ISO 8859-1 or none, a name must not become a defect."""
    (root / "w\u00fcff.txt").write_bytes(b"text")
    script = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from selsock.handler.serve.static import open_beneath\n"
        "assert 'utf-8' != sys.getfilesystemencoding()\n"
        "open_beneath(sys.argv[2], ('w\\xfcff.txt',))\n"
    )
    command = [sys.executable, "-X", "utf8=0", "-c", script, str(Path(__file__).parents[2]), str(root)]
    subprocess.run(command, check=True, env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"})


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/nothing", "No such file or directory"),
        ("/sub/empty/", "No such file or directory"),
        ("/a.txt/b", "Not a directory"),
        ("/.git", "a dot-file"),
        ("/sub/.env", "a dot-file"),
        ("/fifo", "not a regular file"),
        ("/odd/", "not a regular file"),
        ("/link", "Too many levels of symbolic links"),
        ("/link/a.txt", "Not a directory"),
        ("/" + "a" * 300, "File name too long"),
        ("/sub", ""),
    ],
)
def test_outcome_says_why_and_the_answer_does_not(root: Path, target: str, reason: str) -> None:
    """What is a link, a dot-file or absent is one and the same 404 to the visitor; the journal tells them apart."""
    os.mkfifo(root / "fifo")
    (root / "odd" / "index.html").mkdir(parents=True)
    (root / "link").symlink_to("sub")
    reply = ask(root, target)
    assert reply.outcome is not None
    assert (reply.status, 0, reason) == (reply.outcome.status, reply.outcome.content, reply.outcome.reason)
    assert reply.content == (b"404 Not Found\n" if reason else b"301 Moved Permanently\n")


@pytest.mark.parametrize("target", ["/closed.txt", "/closed/a.txt", "/closed/"])
def test_what_the_kernel_denies_is_403(root: Path, target: str) -> None:
    """Here by mode, in the machine by SELinux; in a process that is not root."""
    (root / "closed.txt").touch(mode=0)
    (root / "closed").mkdir(mode=0)
    for folder in (root, *root.parents[:3]):
        os.chmod(folder, 0o755)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            denied = ask(root, target)
            reason = denied.outcome.reason if denied.outcome else ""
            wanted = (200, 403, "Permission denied")
            status = 0 if (ask(root, "/a.txt").status, denied.status, reason) == wanted else 2
        finally:
            os._exit(status)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    (root / "closed").chmod(0o755)


@pytest.mark.parametrize(
    ("number", "status"),
    [(1, 403), (13, 403), (2, 404), (20, 404), (36, 404), (40, 404), (5, 500), (23, 500), (24, 500)],
)
def test_errors_of_the_machine_are_500(root: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int) -> None:
    """EIO, ENFILE and EMFILE are no 404, which a cache may keep; the journal has the reason."""

    def refuse(root: str, names: tuple[str, ...]) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(static, "open_beneath", refuse)
    reply = ask(root, "/a.txt")
    assert reply.outcome is not None
    assert (status, os.strerror(number)) == (reply.status, reply.outcome.reason)


@pytest.mark.parametrize("target", ["/a.txt", "/", "/sub/", "/nothing", "/sub", "/sub/nothing/x", "/a.txt/x"])
def test_no_descriptor_is_left_open(root: Path, target: str) -> None:
    """A kept connection would run out of them."""
    before = os.listdir("/proc/self/fd")
    ask(root, target)
    assert before == os.listdir("/proc/self/fd")


# ---- while it is sent


class Meddling(Client):
    """A Client that cuts ``path`` to ``size`` once the head has left, as a tenant's ftp client may."""

    __slots__ = ("path", "size")
    path: Path
    size: int

    def write(self, data: bytes) -> None:
        """Write, then cut."""
        super().write(data)
        os.truncate(self.path, self.size)


@pytest.mark.parametrize("size", [0, 3])
def test_file_cut_while_it_is_sent_cuts_the_connection(root: Path, size: int) -> None:
    """RFC 9112 §8: the length can not be kept; nothing else may be put in its place, no second response above all."""
    peer, client = connect()
    peer.sendall(b"GET /a.txt HTTP/1.1\r\nHost: dog.example\r\n\r\n")
    meddling = Meddling(client.socket, client.address)
    meddling.path, meddling.size = root / "a.txt", size
    head = read_head(meddling, HeadBuffer(16384), Limits(), 5.0)
    with pytest.raises(PeerGone, match=f"the file ended after {size} of 4 bytes"):
        static.serve(confined(root), head, meddling, False)
    client.socket.close()
    reply = b"".join(iter(lambda: peer.recv(65536), b""))
    assert reply.partition(b"\r\n\r\n")[2] == b"text"[:size]
    assert meddling.answered
    peer.close()


def test_file_that_grows_is_sent_as_long_as_announced(root: Path) -> None:
    """What is appended belongs to the next request."""
    peer, client = connect()
    peer.sendall(b"GET /a.txt HTTP/1.1\r\nHost: dog.example\r\n\r\n")
    meddling = Meddling(client.socket, client.address)
    meddling.path, meddling.size = root / "a.txt", 100
    static.serve(confined(root), read_head(meddling, HeadBuffer(16384), Limits(), 5.0), meddling, False)
    client.socket.close()
    assert b"".join(iter(lambda: peer.recv(65536), b"")).endswith(b"\r\n\r\ntext")
    peer.close()


# ---- types


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.HTML", "text/html; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("html", media.UNKNOWN),
        ("a.", media.UNKNOWN),
        ("a.unknown", media.UNKNOWN),
        ("a.html.bak", media.UNKNOWN),
    ],
)
def test_type_is_that_of_the_last_extension(name: str, kind: str) -> None:
    """In any case of letters; nothing is guessed from content."""
    assert kind == media.media_type(name)


def test_types_are_those_of_the_standard_library_where_it_has_them() -> None:
    """But for the charset, and for what the library says otherwise than IANA, which stands here."""
    iana = {"js", "mjs", "opus", "wav", "xml"}
    library = mimetypes.MimeTypes(())
    for extension, kind in media.TYPES.items():
        guess = library.types_map[True].get(f".{extension}")
        assert guess in (None, kind.partition(";")[0]) or extension in iana, (extension, guess, kind)


def test_types_hold_neither_line_break_nor_other_charset() -> None:
    """They go into a field as they are."""
    for kind in media.TYPES.values():
        assert kind.isascii()
        assert kind.isprintable()
        assert kind.partition("; ")[2] in ("", "charset=utf-8")
