# SPDX-License-Identifier: Apache-2.0
"""static: exactly the regular files beneath the location's directory, by their own names; everything else is not there."""

import mimetypes
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selsock.errors import PeerFault, PeerGone, TableFault
from selsock.handler.adopt import Client
from selsock.handler.serve import media, representation, static
from selsock.handler.serve.representation import SMALL
from tests.unit.fakes import connect, patience
from tests.unit.static_site import OLD, Answer, answer_to, ask, put, site

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
    answer = ask(root, target)
    assert (200, content, kind) == (answer.status, answer.content, answer.fields["content-type"])
    assert str(len(content)) == answer.fields["content-length"]
    assert (200, len(content), "") == (answer.outcome.status, answer.outcome.content, answer.outcome.reason)


@pytest.mark.parametrize("target", ["/a.txt", "/", "/nothing", "/sub"])
def test_head_is_get_without_content(root: Path, target: str) -> None:
    """RFC 9110 §9.3.2: the same status and fields."""
    head, get = ask(root, target, "HEAD"), ask(root, target)
    assert (b"", get.status) == (head.content, head.status)
    assert get.fields | {"date": ""} == head.fields | {"date": ""}
    assert head.raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "MKCOL", "LOCK"])
@pytest.mark.parametrize("target", ["/a.txt", "/nothing", "/"])
def test_other_methods_are_405_with_allow(root: Path, method: str, target: str) -> None:
    """RFC 9110 §15.5.6; and nothing of the file."""
    answer = ask(root, target, method)
    assert (405, "GET, HEAD, OPTIONS", "") == (answer.status, answer.fields["allow"], answer.outcome.reason)
    assert b"text" not in answer.content


@pytest.mark.parametrize("target", ["*", "/a.txt", "/nothing", "/.git", "/"])
def test_options_tells_the_methods(root: Path, target: str) -> None:
    """RFC 9110 §9.3.7; whether the file is there is not what it asks, so it does not learn that."""
    answer = ask(root, target, "OPTIONS")
    assert (204, "GET, HEAD, OPTIONS", b"", 204) == (
        *(answer.status, answer.fields["allow"], answer.content),
        answer.outcome.status,
    )
    assert "content-length" not in answer.fields


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/sub", "/sub/"),
        ("/sub?a=b", "/sub/?a=b"),
        ("/sub?", "/sub/?"),
        ("/sub?a=/x?y", "/sub/?a=/x?y"),
        ("/%73ub", "/%73ub/"),
        ("/sub/empty", "/sub/empty/"),
        ("http://dog.example/sub", "http://dog.example/sub/"),
    ],
)
def test_directory_is_redirected_to_its_slash(root: Path, target: str, location: str) -> None:
    """So that relative links in its index resolve; the spelling stays the client's, so it can hold no line break."""
    answer = ask(root, target)
    assert (301, location) == (answer.status, answer.fields["location"])


@pytest.mark.parametrize("target", ["//evil.example/sub", "/%2Fevil.example/sub", "/\\evil.example/sub", "///sub"])
def test_redirect_never_leads_to_another_host(root: Path, target: str) -> None:
    """A Location of ``//evil.example/`` would; such a target is refused before anything is opened."""
    (root / "evil.example" / "sub").mkdir(parents=True)
    with pytest.raises(PeerFault, match="RFC 3986"):
        ask(root, target)


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
    answer = ask(root, target)
    found = (answer.outcome.status, answer.outcome.content, answer.outcome.reason)
    assert (answer.status, len(answer.content), reason) == found
    assert answer.content == (b"404 Not Found\n" if reason else b"301 Moved Permanently\n")


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
            wanted = (200, 403, "Permission denied")
            status = 0 if (ask(root, "/a.txt").status, denied.status, denied.outcome.reason) == wanted else 2
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
    answer = ask(root, "/a.txt")
    assert (status, os.strerror(number)) == (answer.status, answer.outcome.reason)


def test_file_that_can_not_be_read_is_500_and_no_defect(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small one is read before its head is sent: no 200 is followed by a cut, and the machine's fault is called that."""
    opened = static.open_beneath

    def unreadable(root: str, names: tuple[str, ...]) -> int:
        file = opened(root, names)
        os.close(file)
        return os.open(f"{root}/{names[-1]}", os.O_WRONLY)

    monkeypatch.setattr(static, "open_beneath", unreadable)
    answer = ask(root, "/a.txt")
    assert (500, "reading the file: Bad file descriptor") == (answer.status, answer.outcome.reason)


ALL = {"directory": "ROOT", "index": ["index.html", "x"], "listing": "yes", "precompressed": "yes"}


@pytest.mark.parametrize("options", [None, ALL])
@pytest.mark.parametrize(
    "target",
    [
        *(
            "/a.txt",
            "/",
            "/sub/",
            "/nothing",
            "/nothing/",
            "/sub",
            "/sub/nothing/x",
            "/a.txt/x",
            "/sub/empty/",
            "/fifo",
        ),
        *("/fresh.txt", "/stale.txt", "/odd.txt"),
    ],
)
def test_no_descriptor_is_left_open(root: Path, target: str, options: dict[str, str] | None) -> None:
    """A kept connection would run out of them."""
    os.mkfifo(root / "fifo")
    os.mkfifo(put(root / "odd.txt", b"x").with_suffix(".txt.br"))
    put(root / "fresh.txt", b"x")
    put(root / "fresh.txt.br", b"x")
    put(root / "stale.txt", b"x", age=0)
    put(root / "stale.txt.br", b"x")
    options = options and options | {"directory": str(root)}
    before = os.listdir("/proc/self/fd")
    for fields in ({}, {"If-Match": "x"}, {"If-None-Match": "*"}, {"Range": "bytes=9-"}, {"Range": "bytes=0-0,2-3"}):
        ask(root, target, fields={"Accept-Encoding": "br", **fields}, options=options)
    assert before == os.listdir("/proc/self/fd")


# ---- where it is, as the options of the location say


def test_location_without_options_is_the_path_of_its_prefix(root: Path) -> None:
    """As it was before locations had options."""
    assert b"<p>sub</p>" == ask(root, "/sub/", prefix="/sub").content
    assert (301, "/sub/") == ((answer := ask(root, "/sub", prefix="/sub")).status, answer.fields["location"])


@pytest.mark.parametrize("place", ["", "/sub", "/sub/empty"])
@pytest.mark.parametrize("prefix", ["", "/files", "/files/more"])
def test_directory_takes_the_place_of_the_prefix(root: Path, place: str, prefix: str) -> None:
    """What follows the prefix is walked from there; the prefix itself is no directory of the root."""
    put(Path(f"{root}{place}/x/b.txt"), b"there")
    options = {"directory": f"{root}{place}", "index": "b.txt"}
    answers = [ask(root, prefix + target, prefix=prefix, options=options) for target in ("/x/b.txt", "/x/", "/x")]
    assert [(200, b"there"), (200, b"there"), (301, b"301 Moved Permanently\n")] == [
        (answer.status, answer.content) for answer in answers
    ]
    assert f"{prefix}/x/" == answers[2].fields["location"]
    if prefix:
        answer = ask(root, f"{prefix}?a", prefix=prefix, options=options)
        assert (301, f"{prefix}/?a") == (answer.status, answer.fields["location"])
        assert 404 == ask(root, f"{prefix}/files/x/b.txt", prefix=prefix, options=options).status
        assert 404 == ask(root, f"{prefix}x/b.txt", prefix=prefix, options=options).status


@pytest.mark.parametrize("link", ["www", "www/in"])
def test_link_between_root_and_directory_leads_nowhere(root: Path, tmp_path: Path, link: str) -> None:
    """A tenant may write there; what the administrator named is a directory, or it is not there."""
    put(tmp_path / "elsewhere" / "in" / "b.txt", SECRET)
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(tmp_path / "elsewhere" / link.removeprefix("www").lstrip("/"))
    for target in ("/b.txt", "/", "/in/b.txt"):
        answer = ask(root, target, options={"directory": f"{root}/www/in", "index": "b.txt", "listing": "yes"})
        assert (404, b"404 Not Found\n") == (answer.status, answer.content)


@pytest.mark.parametrize("directory", ["BESIDE", "PARENT", "/", "ROOTx"])
def test_directory_that_is_not_beneath_the_root_is_a_fault_of_the_table(root: Path, directory: str) -> None:
    """selsock-generate writes no such table; the walk from the root could not get there."""
    named = {"BESIDE": root.parent / "secret.txt", "PARENT": root.parent, "ROOTx": f"{root}x"}
    path = str(named.get(directory, directory))
    with pytest.raises(TableFault, match=f"^the directory {path} of / is not beneath {root}$"):
        ask(root, "/a.txt", options={"directory": path})


@pytest.mark.parametrize(
    ("index", "there", "content"),
    [
        (["a", "b"], ["a", "b"], b"a"),
        (["a", "b"], ["b"], b"b"),
        (["b", "a"], ["a", "b"], b"b"),
        (["a", "b"], [], None),
        (["a"], ["index.html"], None),
        ([], ["index.html"], None),
    ],
)
def test_index_is_the_first_that_there_is(
    root: Path, index: list[str], there: list[str], content: bytes | None
) -> None:
    """In the order of the option; index.html is none unless it is named."""
    for name in there:
        put(root / "x" / name, name.encode())
    (root / "x").mkdir(exist_ok=True)
    answer = ask(root, "/x/", options={"directory": str(root), "index": index})
    wanted = (404, b"404 Not Found\n") if content is None else (200, content)
    assert wanted == (answer.status, answer.content)
    assert ("" if content else "No such file or directory") == answer.outcome.reason


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("index.html")])
def test_index_that_is_no_file_is_not_passed_over(root: Path, make: Callable[[Path], None]) -> None:
    """Whoever put it there is told that it does not work, rather than shown something else."""
    make(root / "a")
    with patience():
        answer = ask(root, "/", options={"directory": str(root), "index": ["a", "index.html"], "listing": "yes"})
    assert (404, b"404 Not Found\n") == (answer.status, answer.content)


# ---- what lies beside it in a content coding


@pytest.fixture
def coded(root: Path) -> Path:
    """A document root where a.txt and index.html are there in every coding, of the same age."""
    for name in ("a.txt", "index.html"):
        put(root / name, b"plain")
        for suffix, coding in ((".br", b"br"), (".zst", b"zstd"), (".gz", b"gzip")):
            put(root / (name + suffix), coding)
    return root


def ask_coded(root: Path, accept: str | None, target: str = "/a.txt", **fields: str) -> Answer:
    """The answer of a location with precompressed files."""
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    if accept is not None:
        given["Accept-Encoding"] = accept
    options = {"directory": str(root), "index": "index.html", "precompressed": "yes"}
    return ask(root, target, fields=given, options=options)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip, br;q=0.5", "gzip"),
        ("br;q=0", None),
        ("deflate", None),
        ("gzip;;", None),
    ],
)
@pytest.mark.parametrize("target", ["/a.txt", "/"])
def test_coded_file_is_sent_to_who_takes_it(coded: Path, accept: str | None, coding: str | None, target: str) -> None:
    """With the type of the plain one; caches are told that it depends, with whichever."""
    answer = ask_coded(coded, accept, target)
    kind = "text/plain; charset=utf-8" if target == "/a.txt" else "text/html; charset=utf-8"
    assert (200, (coding or "plain").encode(), coding) == (
        *(answer.status, answer.content),
        answer.fields.get("content-encoding"),
    )
    assert ("Accept-Encoding", kind) == (answer.fields["vary"], answer.fields["content-type"])


def test_codings_have_tags_of_their_own(coded: Path) -> None:
    """RFC 9110 §8.8.3.3."""
    tags = {ask_coded(coded, accept).fields["etag"] for accept in ("identity", "gzip", "br", "zstd")}
    assert 4 == len(tags)


def test_nothing_depends_on_accept_encoding_where_precompressed_is_off(coded: Path) -> None:
    """Neither by option nor without options."""
    for options in (None, {"directory": str(coded)}):
        answer = ask(coded, "/a.txt", fields={"Accept-Encoding": "gzip"}, options=options)
        assert b"plain" == answer.content
        assert not {"vary", "content-encoding"} & answer.fields.keys()


def test_what_precedes_the_coded_file_varies_too(coded: Path) -> None:
    """304, 412 and 416: with the other coding, they might not be."""
    tag = ask_coded(coded, "gzip").fields["etag"]
    for status, fields in ((304, {"If_None_Match": tag}), (412, {"If_Match": '"x"'}), (416, {"Range": "bytes=9-"})):
        answer = ask_coded(coded, "gzip", **fields)
        assert (status, "Accept-Encoding") == (answer.status, answer.fields["vary"])
    assert 200 == ask_coded(coded, "br", If_None_Match=tag).status


@pytest.mark.parametrize(("older", "content"), [(0, b"gzip"), (0.9, b"gzip"), (1, b"plain"), (100, b"plain")])
def test_coded_file_that_is_older_is_passed_over(coded: Path, older: float, content: bytes) -> None:
    """It is not what the plain one is by now; but gzip(1) gives it the same time, on some file systems cut to seconds."""
    when = int((OLD + 0.9 - older) * 10**9)
    os.utime(coded / "a.txt", ns=(when, int((OLD + 0.9) * 10**9)))
    os.utime(coded / "a.txt.gz", ns=(when, when))
    assert content == ask_coded(coded, "gzip").content


@pytest.mark.parametrize("make", ["link", "fifo", "directory", "absent"])
def test_coded_file_that_is_no_file_is_passed_over(coded: Path, make: str) -> None:
    """The plain one is sent, at once."""
    path = coded / "a.txt.gz"
    path.unlink()
    if make == "link":
        path.symlink_to("a.txt.br")
    elif make == "fifo":
        os.mkfifo(path)
    elif make == "directory":
        path.mkdir()
    with patience():
        assert (200, b"plain") == ((answer := ask_coded(coded, "gzip")).status, answer.content)
        assert b"br" == ask_coded(coded, "gzip, br;q=0.1").content


def test_coded_file_alone_is_not_there(coded: Path) -> None:
    """It stands beside another; by its own name it is a file like any."""
    (coded / "a.txt").unlink()
    assert 404 == ask_coded(coded, "gzip").status
    answer = ask_coded(coded, "gzip", "/a.txt.gz")
    assert (b"gzip", "application/gzip") == (answer.content, answer.fields["content-type"])
    assert "content-encoding" not in answer.fields


def test_one_range_of_a_coded_file_is_of_its_coded_bytes(coded: Path) -> None:
    """RFC 9110 §14.1.2; several are not sent, since nobody could tell what Content-Encoding speaks of."""
    answer = ask_coded(coded, "gzip", Range="bytes=1-2")
    assert (206, b"zi", "gzip", "bytes 1-2/4") == (
        *(answer.status, answer.content),
        *(answer.fields["content-encoding"], answer.fields["content-range"]),
    )
    answer = ask_coded(coded, "gzip", Range="bytes=0-0, 2-2")
    assert (200, b"gzip", "gzip") == (answer.status, answer.content, answer.fields["content-encoding"])
    assert 206 == ask_coded(coded, "identity", Range="bytes=0-0, 2-2").status


# ---- while it is sent


class Meddling(Client):
    """A Client that cuts ``path`` to ``size`` once the head has left, as a tenant's ftp client may."""

    __slots__ = ("path", "size")
    path: Path
    size: int

    def write(self, data: "bytes | memoryview") -> None:
        """Write, then cut."""
        super().write(data)
        os.truncate(self.path, self.size)


def meddle(root: Path, size: int, fields: str = "") -> tuple[bytes, Exception | None]:
    """What a peer gets of /a.txt when it is cut, or grows, to ``size`` behind the head; and what is raised."""
    peer, client = connect()
    peer.sendall(f"GET /a.txt HTTP/1.1\r\nHost: dog.example\r\n{fields}\r\n".encode())
    meddling = Meddling(client.socket, client.address)
    meddling.path, meddling.size = root / "a.txt", size
    raised = None
    try:
        answer_to(site(root), meddling)
    except PeerGone as gone:
        raised = gone
    assert meddling.answered
    client.socket.close()
    reply = b"".join(iter(lambda: peer.recv(65536), b""))
    peer.close()
    return reply.partition(b"\r\n\r\n")[2], raised


@pytest.mark.parametrize("size", [0, 3])
def test_file_cut_while_it_is_sent_cuts_the_connection(root: Path, size: int) -> None:
    """RFC 9112 §8: the length can not be kept; nothing else may be put in its place, no second response above all."""
    put(root / "a.txt", b"text" + bytes(SMALL - 3))
    content, raised = meddle(root, size)
    assert (b"text"[:size], f"the file ended {SMALL + 1 - size} bytes early") == (content, str(raised))


@pytest.mark.parametrize("size", [0, 3])
def test_small_file_cut_before_it_is_read_cuts_the_connection(
    root: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves with its head, in one segment, and is looked at before that."""
    wrapped = representation.check_preconditions

    def cut(*arguments: Any) -> Any:
        os.truncate(root / "a.txt", size)
        return wrapped(*arguments)

    monkeypatch.setattr(representation, "check_preconditions", cut)
    content, raised = meddle(root, size)
    assert (b"text"[:size], f"the file ended {4 - size} bytes early") == (content, str(raised))


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL])
def test_file_of_any_size_is_whole(root: Path, size: int) -> None:
    """On either side of what leaves with the head."""
    put(root / "a.txt", bytes(index % 251 for index in range(size)))
    answer = ask(root, "/a.txt")
    assert (200, str(size)) == (answer.status, answer.fields["content-length"])
    assert bytes(index % 251 for index in range(size)) == answer.content
    assert size == answer.outcome.content


@pytest.mark.parametrize(("size", "content"), [(1, b""), (2, b"x")])
def test_file_cut_while_a_range_is_sent_cuts_the_connection(root: Path, size: int, content: bytes) -> None:
    """The same for a part: of bytes 2 and 3, the first is at most there."""
    found, raised = meddle(root, size + 1, "Range: bytes=2-3\r\n")
    assert (content, f"the file ended {2 - len(content)} bytes early") == (found, str(raised))


def test_file_cut_between_parts_cuts_the_connection(root: Path) -> None:
    """The first part is whole, of the second there is its head."""
    found, raised = meddle(root, 1, "Range: bytes=0-0, 2-3\r\n")
    assert "the file ended 2 bytes early" == str(raised)
    assert b"\r\n\r\nt\r\n--" in found
    assert found.endswith(b"\r\nContent-Range: bytes 2-3/4\r\n\r\n")


def test_file_that_grows_is_sent_as_long_as_announced(root: Path) -> None:
    """What is appended belongs to the next request."""
    assert (b"text", None) == meddle(root, 100)
    assert (b"xt", None) == meddle(put(root / "a.txt", b"text").parent, 100, "Range: bytes=2-\r\n")


def test_file_that_is_replaced_is_one_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By rename(2), at the worst moment: length, validators and bytes are those of the one that was opened."""
    before = ask(root, "/a.txt")
    wrapped = static.open_beneath

    def replaced(root: str, names: tuple[str, ...]) -> int:
        file = wrapped(root, names)
        put(Path(root, "new"), b"another and longer text", age=10)
        Path(root, "new").rename(Path(root, "a.txt"))
        return file

    monkeypatch.setattr(static, "open_beneath", replaced)
    answer = ask(root, "/a.txt")
    assert before.fields | {"date": ""} == answer.fields | {"date": ""}
    assert (b"text", True) == (answer.content, answer.whole)
    monkeypatch.undo()
    assert b"another and longer text" == ask(root, "/a.txt").content


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
    """But for the charset, for what the library says otherwise than IANA, and for program text, which is to be read."""
    iana = {"js", "mjs", "opus", "rdf", "rst", "rtf", "srt", "vcf", "wav", "xml", "xsl", "py"}
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
