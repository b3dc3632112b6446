# SPDX-License-Identifier: Apache-2.0
"""listing: what a request could get in a directory, each name escaped for where it stands; and only where it is wanted."""

import os
import socket
import subprocess
import sys
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from selsock.handler.serve import listing
from tests.unit.static_site import Answer, ask, put

NASTY = [
    *(
        "<script>alert(1)<!--",
        '"><img src=x>',
        "'",
        "&amp;",
        "a&b",
        "a b",
        " a",
        "a%2Fb",
        "%",
        "a?b",
        "a#b",
        "a;b",
    ),
    *(
        "javascript:alert(1)",
        "http:",
        "C:",
        "-",
        "~",
        "a+b",
        "\\",
        "a\\b",
        "w\u00fcff",
        "\u202egpj",
        "\U0001f600",
        "\u2028",
    ),
    *("a=b", "[x]", "{x}", "^", "`", "|", "*", "a:b", "@", "$", "!"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A document root with a directory without index."""
    for name in ("b.txt", "a.txt", "Z.txt", "c/x"):
        put(tmp_path / "root" / "d" / name, name.encode())
    return tmp_path / "root"


def list_at(root: Path, target: str, prefix: str = "", **options: str) -> Answer:
    """The answer of a location with listing."""
    return ask(root, target, prefix=prefix, options={"directory": str(root), "listing": "yes", **options})


class Page(HTMLParser):
    """The links of a page, each with its text; its title; and every element."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.title = self.within = ""
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(answer.content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it; a link is opened."""
        self.elements.append((tag, attrs))
        self.within = tag
        if tag == "a":
            ((name, href),) = attrs
            assert ("href", True) == (name, bool(href))
            self.links.append((str(href), ""))

    def handle_endtag(self, tag: str) -> None:
        """Nothing is open."""
        self.within = ""

    def handle_data(self, data: str) -> None:
        """Text belongs to what is open."""
        if self.within == "a":
            self.links[-1] = (self.links[-1][0], self.links[-1][1] + data)
        if self.within == "title":
            self.title += data


def test_directory_is_listed_in_order(root: Path) -> None:
    """Directories with their slash; by code point, whatever the locale; in UTF-8, and it says so."""
    answer = list_at(root, "/d/")
    assert (200, "text/html; charset=utf-8", True) == (
        *(answer.status, answer.fields["content-type"]),
        answer.whole,
    )
    page = Page(answer)
    assert [(name, name) for name in ("../", "Z.txt", "a.txt", "b.txt", "c/")] == page.links
    assert "/d/" == page.title
    assert (200, len(answer.content), "") == (answer.outcome.status, answer.outcome.content, answer.outcome.reason)


def test_listing_is_off_unless_it_is_on(root: Path) -> None:
    """404, as if the directory had nothing in it."""
    for options in (None, {"directory": str(root)}, {"directory": str(root), "listing": "no"}):
        answer = ask(root, "/d/", options=options)
        assert (404, "No such file or directory") == (answer.status, answer.outcome.reason)


def test_index_goes_before_the_listing(root: Path) -> None:
    """And a directory without slash is still redirected."""
    assert b"a.txt" == list_at(root, "/d/", index="a.txt").content
    assert 301 == list_at(root, "/d").status


@pytest.mark.parametrize("target", ["/nothing/", "/d/a.txt/", "/d/link/", "/.git/", "/d/.x/"])
def test_what_is_no_directory_is_404(root: Path, target: str) -> None:
    """Absent, a file, a link, hidden."""
    (root / "d" / "link").symlink_to("c")
    (root / ".git").mkdir()
    (root / "d" / ".x").mkdir()
    for index in ({}, {"index": "index.html"}):
        assert 404 == list_at(root, target, **index).status


def test_head_has_the_length_of_the_listing(root: Path) -> None:
    """RFC 9110 §9.3.2."""
    options = {"directory": str(root), "listing": "yes"}
    head, get = ask(root, "/d/", "HEAD", options=options), ask(root, "/d/", options=options)
    assert (b"", get.fields | {"date": ""}) == (head.content, head.fields | {"date": ""})


def test_listing_has_no_validators(root: Path) -> None:
    """It changes with each of its entries; so If-Match holds for a star alone, and no date counts."""
    options = {"directory": str(root), "listing": "yes"}
    assert not {"etag", "last-modified", "accept-ranges"} & list_at(root, "/d/").fields.keys()
    date = "Tue, 19 Jan 2038 03:14:07 GMT"
    for fields, status in (
        ({"If-Match": '"a"'}, 412),
        ({"If-Match": "*"}, 200),
        ({"If-None-Match": '"a"'}, 200),
        ({"If-None-Match": "*"}, 304),
        ({"If-Modified-Since": date}, 200),
        ({"If-Unmodified-Since": date}, 200),
        ({"Range": "bytes=0-0"}, 200),
    ):
        assert status == ask(root, "/d/", fields=fields, options=options).status


# ---- the way up


@pytest.mark.parametrize(
    ("prefix", "target", "up"),
    [
        ("", "/", False),
        ("", "/d/", True),
        ("/p", "/p/", False),
        ("/p", "/p/d/", True),
        ("/p/q", "/p/q/", False),
        ("/p/q", "/p/q/d/c/", True),
    ],
)
def test_way_up_ends_at_the_top_of_the_location(root: Path, prefix: str, target: str, up: bool) -> None:
    """What is above it is another location's."""
    page = Page(list_at(root, target, prefix))
    assert up == (("../", "../") in page.links)
    assert target == page.title


# ---- names


def test_names_are_escaped_for_where_they_stand(root: Path) -> None:
    """As text they read as they are; as links they lead to the file, on this host, below this directory."""
    for name in NASTY:
        put(root / "d" / "n" / name, name.encode())
    page = Page(list_at(root, "/d/n/"))
    assert sorted(NASTY) == [text for _, text in page.links[1:]]
    assert {"a", "h1", "li", "title", "ul"} == {tag for tag, _ in page.elements}
    for href, text in page.links[1:]:
        whole = urlsplit(urljoin("http://dog.example/d/n/", href))
        assert ("http", "dog.example", "", "") == (whole.scheme, whole.netloc, whole.query, whole.fragment)
        answer = list_at(root, whole.path)
        assert (200, text.encode()) == (answer.status, answer.content)


def test_names_of_directories_are_escaped_alike(root: Path) -> None:
    """Also in the title of their own listing."""
    for name in NASTY:
        (root / "d" / "n" / name).mkdir(parents=True)
    page = Page(list_at(root, "/d/n/"))
    assert sorted(f"{name}/" for name in NASTY) == [text for _, text in page.links[1:]]
    for href, text in page.links[1:]:
        inner = Page(list_at(root, f"/d/n/{href}"))
        assert (f"/d/n/{text}", {"a", "h1", "li", "title", "ul"}) == (inner.title, {tag for tag, _ in inner.elements})


@given(name=some.text(some.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_name_is_a_link_to_its_file_or_left_out(root: Path, name: str) -> None:
    """Left out are dot-files, and names that no path may hold."""
    path = root / "any" / name
    if len(name.encode()) > 255 or name in (".", ".."):
        return
    put(path, name.encode())
    links = Page(list_at(root, "/any/")).links[1:]
    path.unlink()
    put(path, name.encode())
    if name.startswith(".") or any(letter < " " or letter == "\x7f" for letter in name):
        assert [] == links
    else:
        ((href, text),) = links
        assert name == text
        assert name.encode() == list_at(root, f"/any/{href}").content
    path.unlink()


@pytest.mark.parametrize(
    "name", [b"\xff", b"w\xfcff.txt", b"\xed\xa0\x80", b"a\nb", b"a\tb", b"\x7f", b"\x01", b".git", b".x"]
)
def test_names_that_can_not_be_asked_for_are_left_out(root: Path, name: bytes) -> None:
    """Not UTF-8, with a control character, or hidden; the others are listed."""
    Path(os.fsdecode(os.fsencode(root / "d") + b"/" + name)).touch()
    assert ["../", "Z.txt", "a.txt", "b.txt", "c/"] == [text for _, text in Page(list_at(root, "/d/")).links]


def test_only_what_could_be_got_is_listed(root: Path) -> None:
    """No links, wherever they lead; no FIFO, no socket."""
    (root / "d" / "file-link").symlink_to("a.txt")
    (root / "d" / "directory-link").symlink_to("c")
    (root / "d" / "dangling").symlink_to("nothing")
    os.mkfifo(root / "d" / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "d" / "s"))
        assert ["../", "Z.txt", "a.txt", "b.txt", "c/"] == [text for _, text in Page(list_at(root, "/d/")).links]


def test_names_are_utf_8_whatever_the_locale(root: Path) -> None:
    """systemd passes on the locale of the system; the names on disk are the same bytes."""
    put(root / "d" / "w\u00fcff", b"")
    (root / os.fsdecode(b"d/\xff")).touch()
    script = (
        "import sys, posix; sys.path.append(sys.argv[1])\n"
        "from selsock.handler.serve.listing import list_directory\n"
        "assert 'utf-8' != sys.getfilesystemencoding()\n"
        "page = list_directory(posix.open(sys.argv[2], posix.O_RDONLY), '/d/', False)\n"
        "sys.stdout.buffer.write(page)\n"
    )
    checkout = str(Path(__file__).parents[2])
    command = [sys.executable, "-X", "utf8=0", "-c", script, checkout, str(root / "d")]
    environment = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    assert '<li><a href="w%C3%BCff">w\u00fcff</a>' in done.stdout.decode()
    assert list_at(root, "/d/").content == done.stdout


@pytest.mark.parametrize(("entries", "more"), [(9, False), (10, False), (11, True)])
def test_number_of_entries_is_limited(root: Path, monkeypatch: pytest.MonkeyPatch, entries: int, more: bool) -> None:
    """Of those that are looked at; the page says that there is more."""
    monkeypatch.setattr(listing, "MOST", 10)
    for number in range(entries):
        put(root / "many" / f"{number}", b"")
    answer = list_at(root, "/many/")
    assert min(10, entries) == len(Page(answer).links) - 1
    assert more == (b"There is more" in answer.content)


def test_directory_that_can_not_be_read_is_403(root: Path) -> None:
    """Here by mode, in the machine by SELinux; in a process that is not root."""
    (root / "d").chmod(0o711)
    for folder in (root, *root.parents[:3]):
        os.chmod(folder, 0o755)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            denied = list_at(root, "/d/")
            wanted = (403, "Permission denied", 200)
            status = 0 if (denied.status, denied.outcome.reason, list_at(root, "/").status) == wanted else 2
        finally:
            os._exit(status)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    (root / "d").chmod(0o755)


def test_longest_page_fits_into_the_memory_of_an_instance(tmp_path: Path) -> None:
    """Names as long as they may be, of letters that are escaped, and a wide one; MemoryMax= is 64M, Python has 11 of it."""
    for number in range(listing.MOST - 1):
        (tmp_path / (f"{number:05}" + '"' * 250)).touch()
    (tmp_path / "\U0001f600").touch()
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    tracemalloc.start()
    try:
        page = listing.list_directory(directory, "/d/", False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        os.close(directory)
    assert listing.MOST + 1 == page.count(b"<li>")
    assert peak < 40_000_000
