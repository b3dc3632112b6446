# SPDX-License-Identifier: Apache-2.0
"""What visitors do on the sites: tests that a module of any tier imports, beside a fixture ``served``.

Every request goes over the machine's network to selsock; no framework's own test client is used.
"""

import hashlib
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import pytest

from tests.applications.browser import Answer, Browser, multipart
from tests.applications.build import USER
from tests.site import PASSWORDS

NAME, PASSWORD = USER
BIG = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(100_000))  # 3.2 MB that do not compress
BIG_DIGEST = hashlib.sha256(BIG).hexdigest()


class Served(Protocol):
    """A machine that serves the sites; ``address`` is where its visitors come from."""

    address: str

    def connect(self) -> socket.socket:
        """A connection to its port 80."""
        ...

    def run(
        self, argv: Sequence[str], *, check: bool = True, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root."""
        ...

    def said(self, deed: Callable[[], object], vhost: str) -> list[str]:
        """What ``vhost``'s programs wrote to standard error during ``deed``, as the journal has it."""
        ...


def pieces(content: bytes) -> Iterator[bytes]:
    """Unequal parts, each of which becomes a chunk."""
    place, size = 0, 1
    while place < len(content):
        yield content[place : place + size]
        place, size = place + size, size * 3 % 100_003


def found(pattern: str, answer: Answer) -> str:
    """What the group of ``pattern`` matches in a page."""
    match = re.search(pattern, answer.text, re.DOTALL)
    assert match, (answer.status, answer.text[-3000:])
    return match[1]


# Flask


def test_flask_keeps_a_session(served: Served) -> None:
    """Sign in, write, read: a signed cookie, redirects, a file that only the next process reads."""
    with Browser(served.connect, "flask.example") as alice, Browser(served.connect, "flask.example") as stranger:
        assert stranger.post("/write", {"text": "nothing"}).status == 403
        answer = alice.post("/sign-in", {"name": "Alice <b>"})
        assert (answer.status, answer.fields["Location"]) == (303, "/")
        assert "HttpOnly" in answer.fields["Set-Cookie"]
        assert alice.post("/write", {"text": "Grüße & Küsse"}).status == 303
        page = stranger.get("/")
        assert "<p>nobody</p>" in page.text
        assert "<li>Alice &lt;b&gt;: Grüße &amp; Küsse</li>" in page.text
        assert "<p>Alice &lt;b&gt;</p>" in alice.get("/").text


def test_flask_is_imported_once_for_a_connection(served: Served) -> None:
    """Three requests, one process; and what Flask makes of the server's environ."""
    with Browser(served.connect, "flask.example") as browser:
        visits = [browser.get("/visit?a=%C3%BC&b") for _ in range(3)]
        assert browser.connections == 1
    assert len({visit.text for visit in visits}) == 1
    assert [found(f'"{name}": ?([^,}}\n]+)', visits[0]) for name in ("address", "url", "user", "wrapper")] == [
        *(f'"{served.address}"', '"http://flask.example/visit?a=\\u00fc&b"'),
        *("null", "true"),
    ]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_flask_reads_content(served: Served, chunked: bool) -> None:
    """3.2 MB, announced or in chunks (wsgi.input_terminated), as bare content and as a file of a form."""
    form, kind = multipart({"x": "y"}, {"file": ("big.bin", BIG)})
    with Browser(served.connect, "flask.example") as browser:
        bare = browser.request("POST", "/digest", pieces(BIG) if chunked else BIG)
        assert (bare.status, f'"sha256":"{BIG_DIGEST}"' in bare.text.replace(" ", "")) == (200, True), bare
        filed = browser.request("POST", "/upload", pieces(form) if chunked else form, {"Content-Type": kind})
        assert (filed.status, f'"sha256":"{BIG_DIGEST}"' in filed.text.replace(" ", "")) == (200, True), filed


def test_flask_streams(served: Served) -> None:
    """A generator becomes chunks; HEAD has none of them, and the connection goes on."""
    with Browser(served.connect, "flask.example") as browser:
        answer = browser.get("/stream/5000")
        assert answer.content == b"".join(b"line %d\n" % number for number in range(5000))
        assert (answer.fields["Transfer-Encoding"], answer.fields["Content-Length"]) == ("chunked", None)
        head = browser.request("HEAD", "/stream/5000")
        assert (head.status, head.content) == (200, b"")
        assert browser.get("/stream/1").content == b"line 0\n"
        assert browser.connections == 1


def test_flask_sends_a_file(served: Served) -> None:
    """wsgi.file_wrapper: whole, by condition, and a range."""
    with Browser(served.connect, "flask.example") as browser:
        whole = browser.get("/source")
        assert (whole.status, int(whole.fields["Content-Length"])) == (200, len(whole.content))
        assert browser.get("/source", {"If-None-Match": whole.fields["ETag"]}).status == 304
        part = browser.get("/source", {"Range": "bytes=10-29"})
        assert (part.status, part.content) == (206, whole.content[10:30])
        assert browser.connections == 1


def test_flask_fails_and_goes_on(served: Served) -> None:
    """Its own error page, a trace in the journal, and the same process answers the next request."""
    with Browser(served.connect, "flask.example") as browser:
        said = served.said(lambda: browser.get("/fails"), "flask.example")
        assert "LookupError: told to fail" in "\n".join(said)
        assert (browser.get("/fails").status, browser.get("/").status, browser.connections) == (500, 200, 1)


# Django


def sign_in(browser: Browser) -> None:
    """Enter the admin: the form's token and the cookie's have to match (CSRF)."""
    page = browser.get("/admin/login/?next=/admin/")
    token = found(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    form = {"username": NAME, "password": PASSWORD, "next": "/admin/", "csrfmiddlewaretoken": token}
    answer = browser.post("/admin/login/", form)
    assert (answer.status, answer.fields["Location"]) == (302, "/admin/")


def test_django_keeps_strangers_out(served: Served) -> None:
    """No session: to the form.  A wrong password: the form again.  No token: 403."""
    with Browser(served.connect, "django.example") as browser:
        answer = browser.get("/admin/shop/thing/")
        assert (answer.status, answer.fields["Location"]) == (302, "/admin/login/?next=/admin/shop/thing/")
        page = browser.get("/admin/login/")
        token = found(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        form = {"username": NAME, "password": "wrong", "csrfmiddlewaretoken": token}
        assert "Please enter the correct username and password" in browser.post("/admin/login/", form).text
        assert browser.post("/admin/login/", {"username": NAME, "password": PASSWORD}).status == 403


def test_django_admin_changes_a_model(served: Served) -> None:
    """Sign in, add a thing with a file of 3.2 MB (which goes through TMPDIR), change it, see it, delete it."""
    with Browser(served.connect, "django.example") as browser:
        sign_in(browser)
        page = browser.get("/admin/shop/thing/add/")
        form = {
            "name": "Lamp",
            "price": "7",
            "csrfmiddlewaretoken": found(r'"csrfmiddlewaretoken" value="([^"]+)"', page),
        }
        content, kind = multipart(form, {"manual": ("manual.bin", BIG)})
        answer = browser.request("POST", "/admin/shop/thing/add/", content, {"Content-Type": kind})
        assert (answer.status, answer.fields["Location"]) == (302, "/admin/shop/thing/"), answer.text
        listing = browser.get("/admin/shop/thing/")
        assert "was added successfully" in listing.text
        change = found(r'href="(/admin/shop/thing/[0-9]+/change/)[^"]*">Lamp for 7<', listing)
        page = browser.get(change)
        manual = found(r'href="(/media/manuals/[^"]+)"', page)
        assert hashlib.sha256(browser.get(manual).content).hexdigest() == BIG_DIGEST
        form = {
            "name": "Lamp",
            "price": "9",
            "csrfmiddlewaretoken": found(r'"csrfmiddlewaretoken" value="([^"]+)"', page),
        }
        assert browser.post(change, form).status == 302
        with Browser(served.connect, "django.example") as stranger:
            assert stranger.get("/").text == "Lamp for 9\n"
        page = browser.get(change.replace("change", "delete"))
        form = {"post": "yes", "csrfmiddlewaretoken": found(r'"csrfmiddlewaretoken" value="([^"]+)"', page)}
        assert browser.post(change.replace("change", "delete"), form).status == 302
        assert browser.get("/").text == ""


def test_django_static_is_ours(served: Served) -> None:
    """What the login page refers to was put there by collectstatic, and is served without Django."""
    with Browser(served.connect, "django.example") as browser:
        page = browser.get("/admin/login/")
        sheets = re.findall(r'<link rel="stylesheet" href="(/static/[^"]+)"', page.text)
        assert len(sheets) >= 2, page.text
        for sheet in sheets:
            answer = browser.get(sheet)
            assert (answer.status, answer.fields["Content-Type"].partition(";")[0]) == (200, "text/css")
            assert answer.content == served.run(["cat", f"/srv/vhosts/django{sheet}"]).stdout.encode()
        assert browser.get("/static/../data/shop.sqlite3").status in (400, 404)


# Bottle


def test_bottle_rest(served: Served) -> None:
    """PUT, GET, ranges, DELETE below a prefix; a signed cookie counts the visits."""
    with Browser(served.connect, "bottle.example") as browser:
        assert "Notes are at" in browser.get("/").text
        first = browser.get("/notes/")
        assert found('"notes": ?(.*?), "times": ?1, "script": ?"/notes/?"', first) == "[]"
        assert browser.request("PUT", "/notes/milk", b"buy milk").status == 201
        assert browser.request("PUT", "/notes/milk", b"buy more milk").status == 204
        assert browser.get("/notes/milk", {"Range": "bytes=4-7"}).content == b"more"
        assert '"times": 2' in browser.get("/notes/").text
        assert browser.request("PUT", "/notes/UPPER", b"x").status == 400
        assert browser.request("DELETE", "/notes/milk").status == 204
        assert browser.get("/notes/milk").status == 404


def test_content_in_chunks_reaches_bottle(served: Served) -> None:
    """PEP 3333 knows no content without CONTENT_LENGTH, nor does Bottle: so it is told."""
    with Browser(served.connect, "bottle.example") as browser:
        assert browser.request("PUT", "/notes/kept", pieces(b"abc")).status == 201
        assert browser.get("/notes/kept").content == b"abc"
        assert browser.request("DELETE", "/notes/kept").status == 204


# wsgidav


def dav(served: Served, *commands: str) -> str:
    """What cadaver says to commands; it signs in by .netrc."""
    script = 'printf \'machine dav.example login %s password %s\\n\' "$1" "$2" >$HOME/.netrc; '
    script += "cd /tmp; exec cadaver http://dav.example/dav/"
    done = served.run(["env", "HOME=/root", "sh", "-euc", script, "dav", *USER], input="\n".join([*commands, "quit\n"]))
    return done.stdout + done.stderr


def test_dav_needs_a_user(served: Served) -> None:
    """401 without, by us; the application never runs."""
    with Browser(served.connect, "dav.example") as browser:
        answer = browser.request("PROPFIND", "/dav/", None, {"Depth": "1"})
        assert (answer.status, answer.fields["WWW-Authenticate"].partition(" ")[0]) == (401, "Basic")


def test_dav_by_cadaver(served: Served) -> None:
    """A real client: MKCOL, PUT, PROPFIND, COPY, MOVE, GET, LOCK, UNLOCK, DELETE; each on a process of its own or not."""
    served.run(["sh", "-c", "head -c 300000 /dev/urandom >/tmp/picture.bin"])
    said = dav(
        served,
        *("mkcol box", "put picture.bin box/one.bin", "copy box/one.bin box/two.bin", "move box/two.bin box/three.bin"),
        *("ls box", "get box/three.bin /tmp/back.bin", "delete box/one.bin", "ls box"),
    )
    succeeded = re.findall(r"(Creating|Uploading|Copying|Moving|Downloading|Deleting) .*? succeeded", said, re.DOTALL)
    assert sorted(succeeded) == ["Copying", "Creating", "Deleting", "Downloading", "Moving", "Uploading"], said
    first, second = said.split("Listing collection")[1:]
    assert [re.findall(r"(\w+\.bin) +300000", listing) for listing in (first, second)] == [
        *(["one.bin", "three.bin"], ["three.bin"]),
    ]
    served.run(["cmp", "/tmp/picture.bin", "/tmp/back.bin"])
    assert "succeeded" in dav(served, "rmcol box")


def test_dav_locks_outlive_the_connection(served: Served) -> None:
    """LOCK by cadaver, which leaves; a stranger's PUT is 423 from another process; UNLOCK, and it is 204."""
    with Browser(served.connect, "dav.example", USER) as browser:
        assert browser.request("PUT", "/dav/plan.txt", b"first").status == 201
        lock = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
        locked = browser.request("LOCK", "/dav/plan.txt", lock.encode(), {"Depth": "0", "Timeout": "Second-600"})
        assert locked.status == 200, locked
        browser.close()
        assert browser.request("PUT", "/dav/plan.txt", b"second").status == 423
        browser.close()
        token = {"Lock-Token": locked.fields["Lock-Token"]}
        assert browser.request("UNLOCK", "/dav/plan.txt", None, token).status == 204
        browser.close()
        assert browser.request("PUT", "/dav/plan.txt", b"third").status == 204
        assert browser.get("/dav/plan.txt").content == b"third"
        assert browser.request("DELETE", "/dav/plan.txt").status == 204


def test_dav_knows_the_user(served: Served) -> None:
    """REMOTE_USER reaches it: it names the owner of nothing, but shows him on its page."""
    with Browser(served.connect, "dav.example", USER) as browser:
        assert NAME in browser.get("/dav/").text


# DokuWiki by php-cgi


def wiki_token(answer: Answer) -> str:
    """DokuWiki's own token against forged requests."""
    return found(r'name="sectok" value="([0-9a-f]*)"', answer)


def test_dokuwiki_edits_a_page(served: Served) -> None:
    """Sign in, create a page, and a stranger reads it, rendered; without signing in, nobody writes."""
    with Browser(served.connect, "wiki.example") as bob, Browser(served.connect, "wiki.example") as stranger:
        assert stranger.get("/doku.php?id=tests:hello").status == 404
        page = bob.get("/doku.php?id=tests:hello&do=login")
        form = {"sectok": wiki_token(page), "id": "tests:hello", "do": "login", "u": "bob", "p": PASSWORDS["bob"]}
        assert bob.post("/doku.php?id=tests:hello", form).status in (200, 302)
        assert any(name.startswith("DW") for name in bob.cookies), bob.cookies
        page = bob.get("/doku.php?id=tests:hello&do=edit")
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        form |= {"wikitext": "====== Hello ======\n\nThis is **bold**.\n", "summary": "new", "do[save]": "1"}
        answer = bob.post("/doku.php?id=tests:hello", form)
        assert answer.status == 302, answer.text
        page = stranger.get("/doku.php?id=tests:hello")
        assert (page.status, "This is <strong>bold</strong>" in page.text) == (200, True), page.text
        login = stranger.get("/doku.php?id=tests:other&do=login")
        form = {"id": "tests:other", "wikitext": "forged", "do[save]": "1", "sectok": wiki_token(login)}
        stranger.post("/doku.php?id=tests:other", form)
        assert stranger.get("/doku.php?id=tests:other").status == 404


def test_dokuwiki_static_and_dynamic_lie_together(served: Served) -> None:
    """A picture beside the programs is a file; the index is run; a style sheet is made by PHP."""
    with Browser(served.connect, "wiki.example") as browser:
        picture = "/lib/images/license/badge/cc-by.png"
        answer = browser.get(picture)
        assert (answer.status, answer.fields["Content-Type"], answer.content[:4]) == (200, "image/png", b"\x89PNG")
        assert browser.get("/").status in (200, 302)
        answer = browser.get("/lib/exe/css.php?t=dokuwiki")
        assert (answer.status, answer.fields["Content-Type"].partition(";")[0]) == (200, "text/css")
        assert b"<?php" not in answer.content
        assert browser.get("/nothing.php").status == 404


# git http-backend


def git(served: Served, script: str) -> str:
    """Run git's own client in /tmp/git of the machine; $1 is the address with credentials, $2 without."""
    start = "set -eu; export HOME=/root GIT_TERMINAL_PROMPT=0; mkdir -p /tmp/git; cd /tmp/git; "
    start += "git config --global user.name T; git config --global user.email t@git.example; "
    credentials = f"http://{NAME}:{PASSWORD}@git.example/git/play.git"
    done = served.run(["sh", "-c", start + script, "git", credentials, "http://git.example/git/play.git"], check=False)
    return f"{done.stdout}{done.stderr}status {done.returncode}"


def test_git_needs_a_user(served: Served) -> None:
    """No credentials, no repository."""
    assert "Authentication failed" in git(served, 'git -c credential.helper= clone "$2" none </dev/null') or (
        "could not read Username" in git(served, 'git clone "$2" none')
    )


def test_git_clones_and_pushes(served: Served) -> None:
    """Small, by Content-Length; 3 MB, by chunks, since http.postBuffer is 1 MiB; and a clone has them all."""
    assert git(
        served,
        """git clone --quiet "$1" work 2>&1; cd work; git checkout --quiet -B main; echo one >one; git add one
        git commit --quiet -m one; git push --quiet origin main
        head -c 3000000 /dev/urandom >two; git add two; git commit --quiet -m two
        GIT_CURL_VERBOSE=1 git push origin main 2>../trace
        grep -qi 'transfer-encoding: chunked' ../trace
        git clone --quiet "$1" ../copy; cmp two ../copy/two; git -C ../copy log --format=%s""",
    ).splitlines()[-3:] == ["two", "one", "status 0"]
    log = served.run(["git", "-c", "safe.directory=*", "-C", "/srv/vhosts/git/repositories/play.git", "fsck", "--full"])
    assert log.returncode == 0
    served.run(["rm", "-rf", "/tmp/git"])


# A shell, Perl


def test_cgi_environment_is_made_from_nothing(served: Served) -> None:
    """RFC 3875 §4.1, and no more; ``Proxy`` is no HTTP_PROXY."""
    fields = {"Proxy": "http://evil.example/", "X-Own": "1", "Content-Type": "text/plain", "Accept-Encoding": "x"}
    with Browser(served.connect, "cgi.example") as browser:
        answer = browser.request("POST", "/cgi-bin/report.sh/a%20b/c?d=%20e", b"four", fields)
        assert answer.status == 200, answer
        given = dict(line.split("=", 1) for line in answer.text.splitlines())
    assert given.pop("PWD") == "/srv/vhosts/cgi/cgi-bin"  # the shell's own
    assert given == {
        "CONTENT_LENGTH": "4",
        "CONTENT_TYPE": "text/plain",
        "DOCUMENT_ROOT": "/srv/vhosts/cgi/htdocs",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "GUESTBOOK": "/srv/vhosts/cgi/data/guests",
        "HTTP_ACCEPT_ENCODING": "x",
        "HTTP_HOST": "cgi.example",
        "HTTP_X_OWN": "1",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "PATH_INFO": "/a b/c",
        "PATH_TRANSLATED": "/srv/vhosts/cgi/htdocs/a b/c",
        "QUERY_STRING": "d=%20e",
        "REMOTE_ADDR": served.address,
        "REQUEST_METHOD": "POST",
        "REQUEST_SCHEME": "http",
        "REQUEST_URI": "/cgi-bin/report.sh/a%20b/c?d=%20e",
        "SCRIPT_FILENAME": "/srv/vhosts/cgi/cgi-bin/report.sh",
        "SCRIPT_NAME": "/cgi-bin/report.sh",
        "SERVER_NAME": "cgi.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "selsock",
        "TMPDIR": "/srv/vhosts/cgi/tmp",
        "arguments": "0",
        "content": "4",
    }


def test_cgi_is_told_the_length_of_chunks(served: Served) -> None:
    """RFC 3875 §4.1.2: 3.2 MB in chunks have a CONTENT_LENGTH."""
    with Browser(served.connect, "cgi.example") as browser:
        answer = browser.request("POST", "/cgi-bin/report.sh", pieces(BIG))
    assert (found(r"CONTENT_LENGTH=(\d+)", answer), found(r"\bcontent=(\d+)", answer)) == (str(len(BIG)), str(len(BIG)))


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/missing", 404, "no such thing\n"),
        ("/local", 200, "static beside scripts"),
        ("/away", 302, ""),
    ],
)
def test_cgi_answers(served: Served, path: str, status: int, text: str) -> None:
    """Status, a local redirect, a client redirect (RFC 3875 §6.2)."""
    with Browser(served.connect, "cgi.example") as browser:
        answer = browser.get(f"/cgi-bin/report.sh{path}")
        assert (answer.status, text in answer.text) == (status, True), answer


def test_cgi_programs_survive_what_the_filter_refuses(served: Served) -> None:
    """System calls of the superuser's fail with EPERM: nice(1) goes on without, chown(1) says so."""
    with Browser(served.connect, "cgi.example") as browser:
        assert browser.get("/cgi-bin/report.sh/refused").text == "nice=0\nchown=1\n"


def test_cgi_stderr_is_in_the_journal(served: Served) -> None:
    """With the vhost's name."""
    with Browser(served.connect, "cgi.example") as browser:
        said = served.said(lambda: browser.get("/cgi-bin/report.sh/warns"), "cgi.example")
    assert said == ["cgi.example: the shell warns"]


def test_perl_guest_book(served: Served) -> None:
    """CGI.pm: a form with a file, a redirect with a cookie, and the list."""
    content, kind = multipart({"name": "Zoë"}, {"photo": ("photo.bin", BIG)})
    with Browser(served.connect, "cgi.example") as browser:
        assert browser.get("/cgi-bin/guestbook.pl").text == "welcome stranger\n"
        answer = browser.request("POST", "/cgi-bin/guestbook.pl", content, {"Content-Type": kind})
        assert (answer.status, answer.fields["Location"]) == (303, "/cgi-bin/guestbook.pl")
        assert browser.get("/cgi-bin/guestbook.pl").text == f"welcome Zoë\nZoë, {len(BIG)} bytes\n"
