# SPDX-License-Identifier: Apache-2.0
"""A visitor never notices the wall: signing in and changing vhost on a kept connection, with curl and with Chromium.

And what the kernel refuses a visitor is a plain 403 to him, with the AVC that says why.
"""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.machines.vm import VirtualMachine
from tests.site import LINKS, PASSWORDS, SECRET
from tests.visitor import curl, curls

ALICE = f"alice:{PASSWORDS['alice']}"
BOB = f"bob:{PASSWORDS['bob']}"
CAROL = f"carol:{PASSWORDS['carol']}"


def type_and_level(context: str) -> str:
    return context.split(":", 2)[2]


@pytest.mark.parametrize(
    ("url", "user", "status", "text"),
    [
        ("http://alpha.example/", "", 200, "Welcome to alpha"),
        ("http://alpha.example/", ALICE, 200, "Welcome to alpha"),
        ("http://alpha.example/", BOB, 200, "Welcome to alpha"),
        ("http://alpha.example/staff/plans.html", ALICE, 200, SECRET),
        ("http://alpha.example/staff/plans.html", "", 401, "401 Unauthorized"),
        ("http://alpha.example/staff/plans.html", "alice:wrong", 401, "401 Unauthorized"),
        ("http://alpha.example/staff/plans.html", "nobody:alice-reads-1", 401, "401 Unauthorized"),
        ("http://alpha.example/staff", ALICE, 301, "301 Moved"),
        ("http://alpha.example/nothing", "", 404, "404 Not Found"),
        ("http://alpha.example/.htaccess", "", 404, "404 Not Found"),
        ("http://beta.example/shop/", CAROL, 200, "Carol's shop"),
        ("http://beta.example/shop/", ALICE, 401, "401 Unauthorized"),
        ("http://beta.example/", "", 200, "Welcome to beta"),
        ("http://www.example/", "", 200, "Welcome to www"),
    ],
)
def test_visits(vm: VirtualMachine, url: str, user: str, status: int, text: str) -> None:
    """Who gets what, with all three kinds of hash."""
    answer = curl(vm.http_port(80), url, user)
    assert (answer.status, text in answer.content) == (status, True), answer


@pytest.mark.parametrize(
    ("path", "options", "status", "text"),
    [
        ("/pub/", (), 200, '<a href="a.txt">a.txt</a>'),
        ("/pub/a.txt", (), 200, "plain"),
        ("/pub/a.txt", ("--compressed",), 200, "plain"),
        ("/pub/a.txt", ("--range", "1-2"), 206, "la"),
        ("/pub/a.txt", ("--range", "9-"), 416, "416"),
        ("/pub/a.txt", ("--header", "If-None-Match: *"), 304, ""),
        ("/pub/a.txt", ("--request", "OPTIONS"), 204, ""),
    ],
)
def test_static_files_need_nothing_but_their_domain(
    vm: VirtualMachine, path: str, options: tuple[str, ...], status: int, text: str
) -> None:
    """Listings, ranges, conditions and what lies beside a file: no denial at all (see ``conftest``)."""
    answer = curl(vm.http_port(80), f"http://code.example{path}", options=options)
    assert (answer.status, text in answer.content) == (status, True), answer


@pytest.mark.provokes("bob, in the staff's directory")
def test_the_kernel_refuses_by_type(vm: VirtualMachine) -> None:
    """The rules let bob knock at /staff with the rights of the public; the kernel says no, and which types."""
    mark = vm.mark()
    answer = curl(vm.http_port(80), "http://alpha.example/staff/plans.html", BOB)
    assert (answer.status, SECRET in answer.content) == (403, False)
    (record,) = vm.avcs(mark, "selsock_staff_content_t")
    assert (record["tclass"], record["permissions"]) == ("dir", "search")
    assert type_and_level(record["scontext"]).startswith("selsock_public_t:")


@pytest.fixture
def links(vm: VirtualMachine) -> Iterator[None]:
    """The hard links of ``tests.site.LINKS``."""
    vm.ssh("; ".join(f"ln -f {target} {name}" for name, target in LINKS.items()))
    yield
    vm.ssh("rm " + " ".join(LINKS))


@pytest.mark.provokes("the links")
@pytest.mark.parametrize(
    ("url", "user", "domain"),
    [
        ("http://beta.example/stolen.html", "", "selsock_public_t"),
        ("http://beta.example/shop/stolen.html", CAROL, "selsock_shop_t"),
        ("http://alpha.example/borrowed.html", "", "selsock_public_t"),
    ],
    ids=["by category", "by type", "by the other's category"],
)
def test_a_hard_link_does_not_cross(vm: VirtualMachine, links: None, url: str, user: str, domain: str) -> None:
    """A customer's name for another's inode: the label is on the inode."""
    mark = vm.mark()
    assert curl(vm.http_port(80), url, user).status == 403
    (record,) = vm.avcs(mark, "selsock_public_content_t")
    assert record["tclass"] == "file"
    assert record["scontext"].split(":")[2] == domain
    assert record["scontext"].split(":", 3)[3] != record["tcontext"].split(":", 3)[3]


@pytest.mark.provokes("the file without categories")
def test_content_without_categories_is_refused(vm: VirtualMachine) -> None:
    """A file made after the apply has its maker's level, s0, which every category dominates; it waits for its label.

    The other tenant gets at it by a hard link; neither he nor its own vhost reads it before restorecon.
    """
    name = "/srv/vhosts/alpha/late.html"
    vm.ssh(f"echo '<p>late</p>' >{name}; ln {name} /srv/vhosts/beta/late.html")
    try:
        assert vm.ssh(f"stat -c %C {name}").stdout.split(":", 3)[2:] == ["selsock_public_content_t", "s0\n"]
        mark = vm.mark()
        for host in ("alpha.example", "beta.example"):
            assert curl(vm.http_port(80), f"http://{host}/late.html").status == 403
        denied = [(record["tclass"], record["tcontext"]) for record in vm.avcs(mark, "selsock_")]
        assert denied == [("file", "unconfined_u:object_r:selsock_public_content_t:s0")] * 2
        vm.ssh(f"rm /srv/vhosts/beta/late.html; restorecon -F {name}")
        assert curl(vm.http_port(80), "http://alpha.example/late.html").status == 200
    finally:
        vm.ssh(f"rm -f {name} /srv/vhosts/beta/late.html")


def test_curl_signs_in_and_out_on_a_kept_connection(vm: VirtualMachine) -> None:
    """Anonymous, alice, anonymous, bob, alice: every answer is right, though contexts change under one connection."""
    home, staff = "http://alpha.example/", "http://alpha.example/staff/"
    steps = [(home, ""), (home, ""), (staff, ALICE), (staff, ALICE), (home, ""), (home, BOB), (staff, ALICE)]
    answers = curls(vm.http_port(80), steps)
    assert [answer.status for answer in answers] == [200] * 7
    assert ["staff" in answer.content for answer in answers] == [url == staff for url, _ in steps]


def test_curl_changes_vhost_on_a_kept_connection(vm: VirtualMachine) -> None:
    """One host for curl, so one connection; three vhosts by Host alone."""
    port = vm.http_port(80)
    command = ["curl", "--silent", "--show-error", "--max-time", "60"]
    for place, host in enumerate(("alpha.example", "alpha.example", "beta.example", "mailed.example", "alpha.example")):
        command += ["--next"] * bool(place) + ["--silent", "--show-error", "-H", f"Host: {host}"]
        command += [
            "--write-out",
            "%{http_code} %{num_connects}\n",
            "--output",
            "/dev/null",
            f"http://127.0.0.1:{port}/",
        ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["200 1", "200 0", "200 1", "200 1", "200 1"]


def test_curl_posts_across_contexts(vm: VirtualMachine) -> None:
    """A request with content whose connection ends without a byte is sent again as well, though it is not idempotent:
    the connection was a kept one, and nothing had come back (RFC 9110 §9.2.2 lets a client that knows so)."""
    home, staff = "http://alpha.example/", "http://alpha.example/staff/"
    command = ["curl", "--connect-to", f"::127.0.0.1:{vm.http_port(80)}"]
    for place, (url, user) in enumerate([(home, ""), (staff, ALICE), (home, ""), (staff, ALICE)]):
        command += ["--next", "--connect-to", f"::127.0.0.1:{vm.http_port(80)}"] * bool(place)
        command += ["--silent", "--show-error", "--max-time", "60", "--data", "a=b" * 1000, "--output", "/dev/null"]
        command += ["--write-out", "%{http_code} %{num_connects}\n", *(["--user", user] if user else []), url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # 405: a static file has no use for it; what counts is that each request got its answer.
    assert done.stdout.splitlines() == ["405 1"] * 4


def test_same_context_keeps_the_connection(vm: VirtualMachine) -> None:
    """Three requests of alice, one instance: the first record of its kind, and one pid."""
    mark = vm.mark()
    staff = "http://alpha.example/staff/"
    curls(vm.http_port(80), [(staff, ALICE)] * 3)
    assert len(vm.journal("SELSOCK_EVENT=decision", since=mark)) == 1
    outcomes = vm.journal("SELSOCK_EVENT=outcome", since=mark)
    assert [outcome["SELSOCK_STATUS"] for outcome in outcomes] == ["200"] * 3
    assert len({outcome["_PID"] for outcome in outcomes}) == 1


def test_another_context_closes_before_the_first_byte(vm: VirtualMachine) -> None:
    """On the wire: an answer, then a request that belongs elsewhere, then the end of the stream and nothing else."""
    with socket.create_connection(("127.0.0.1", vm.http_port(80)), 30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: alpha.example\r\n\r\n")
        answer = b""
        while not answer.endswith(b"</p>\n"):
            answer += connection.recv(65536)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: beta.example\r\n\r\n")
        assert connection.recv(65536) == b""


PAGE = """<!doctype html><title>steps</title><pre id=out></pre><script>
const out = document.getElementById("out");
const basic = {headers: {Authorization: "Basic " + btoa("%s")}};
async function step(name, url, options) {
  try { const r = await fetch(url, options); out.textContent += name + "=" + (r.type === "opaque" ? "opaque" : r.status) + " "; }
  catch (e) { out.textContent += name + "=FAILED:" + e + " "; }
}
(async () => {
  await step("anonymous", "/index.html"); await step("again", "/index.html?2");
  await step("signed-in", "/staff/", basic); await step("signed-in-again", "/staff/?2", basic);
  await step("out", "/index.html?3"); await step("in", "/staff/?3", basic);
  await step("vhost", "http://beta.example/", {mode: "no-cors"});
  await step("back", "/index.html?4");
  await step("post", "/index.html?5", {method: "POST", body: "a=b"});
  await step("post-in", "/staff/?5", {method: "POST", body: "a=b", ...basic});
  await step("post-out", "/index.html?6", {method: "POST", body: "a=b"});
  out.textContent += "done";
})();
</script>"""


@contextmanager
def chromium(vm: VirtualMachine, url: str) -> Iterator[str]:
    """The document that headless Chromium has of ``url`` when its scripts are done."""
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        command += ["--disable-dev-shm-usage", f"--user-data-dir={profile}", "--timeout=60000"]
        command += [f"--host-resolver-rules=MAP *.example 127.0.0.1:{vm.http_port(80)}, MAP * ~NOTFOUND"]
        command += ["--virtual-time-budget=120000", "--dump-dom", url]
        yield subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout


def test_chromium_notices_nothing(vm: VirtualMachine) -> None:
    """Anonymous, signed in, out, in, another vhost and back, from one page: no request fails."""
    vm.put("/srv/vhosts/alpha/steps.html", (PAGE % ALICE).encode())
    try:
        with chromium(vm, "http://alpha.example/steps.html") as document:
            expected = (
                "anonymous=200 again=200 signed-in=200 signed-in-again=200 out=200 in=200 vhost=opaque back=200 "
                "post=405 post-in=405 post-out=405 done"
            )
            assert f">{expected}<" in document, document
    finally:
        vm.ssh("rm /srv/vhosts/alpha/steps.html")


def test_chromium_signs_in_after_the_challenge(vm: VirtualMachine) -> None:
    """A page that answers 401 first, with the credentials of the address bar."""
    with chromium(vm, f"http://{ALICE}@alpha.example/staff/plans.html") as document:
        assert SECRET in document
