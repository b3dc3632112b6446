# SPDX-License-Identifier: Apache-2.0
"""Files through a real systemd, asked for by curl(1): resumed, revalidated, compressed, listed.

There is no SELinux in this tier, so ``selinux: optional`` stands in vhost.yaml.
"""

import gzip
import hashlib
from collections.abc import Iterator

import pytest

from tests.machines.native import NativeMachine
from tests.systemd.conftest import Boot

VHOST_YAML = """selinux: optional
limits: {connections_per_second: 1000, connections_per_source: 0}
domains: {public: {}}
default_context: public:s0
vhosts:
  a.example:
    root: /srv/vhosts/a
    contexts: [{any: true}]
    locations:
      /: {static: {directory: /htdocs}}
      /files: {static: {directory: /files, index: [], listing: true}}
      /coded: {static: {directory: /coded, precompressed: true}}
"""
ISO = bytes(number * 7 % 251 for number in range(1_000_000)) * 3
# Frames that hold their content as it is: RFC 8878 §3.1.1 (Zstandard), RFC 7932 §9.2 (Brotli, for five bytes).
ZSTD = b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00" + b"zstd\n"
BROTLI = b"\x0b\x02\x80" + b"brot\n" + b"\x03"
FILES = {
    "/srv/vhosts/a/htdocs/index.html": (b"<p>hello\n", 0o644),
    "/srv/vhosts/a/htdocs/big.iso": (ISO, 0o644),
    "/srv/vhosts/a/files/a & b.txt": (b"a and b\n", 0o644),
    "/srv/vhosts/a/files/sub/c.txt": (b"c\n", 0o644),
    "/srv/vhosts/a/files/.hidden": (b"hidden\n", 0o644),
    "/srv/vhosts/a/coded/a.txt": (b"plain\n", 0o644),
    "/srv/vhosts/a/coded/a.txt.br": (BROTLI, 0o644),
    "/srv/vhosts/a/coded/a.txt.zst": (ZSTD, 0o644),
    "/srv/vhosts/a/coded/a.txt.gz": (gzip.compress(b"gzip\n"), 0o644),
}
CURL = ["curl", "--silent", "--show-error", "--max-time", "20", "--connect-to", "a.example::127.0.0.1:80"]
SITE = "http://a.example"


@pytest.fixture(scope="module")
def machine(boot: Boot) -> Iterator[NativeMachine]:
    """selsock without SELinux, whose files are all from 2001."""
    with boot(VHOST_YAML, FILES) as machine:
        machine.run(["find", "/srv/vhosts/a", "-type", "f", "-exec", "touch", "-d", "2001-09-09 UTC", "{}", "+"])
        yield machine


def curl(machine: NativeMachine, *arguments: str) -> str:
    """What curl prints."""
    return machine.run([*CURL, *arguments]).stdout


def test_interrupted_download_is_resumed(machine: NativeMachine) -> None:
    """curl -C -: only what is missing is sent."""
    machine.run(["sh", "-c", "head -c 1234567 /srv/vhosts/a/htdocs/big.iso >/tmp/big.iso"])
    told = curl(machine, "-C", "-", "-o", "/tmp/big.iso", "-w", "%{http_code} %{size_download}", f"{SITE}/big.iso")
    assert told == f"206 {len(ISO) - 1234567}"
    assert machine.run(["sha256sum", "/tmp/big.iso"]).stdout.split()[0] == hashlib.sha256(ISO).hexdigest()


@pytest.mark.parametrize(
    ("parts", "code", "length"),
    [("0-99", 206, 100), ("-100", 206, 100), ("3000000-", 416, 26), ("9-0", 200, 3_000_000)],
)
def test_range_is_sent_ignored_or_refused(machine: NativeMachine, parts: str, code: int, length: int) -> None:
    """206, 200 and 416."""
    told = curl(
        machine,
        "-H",
        f"Range: bytes={parts}",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_download}",
        f"{SITE}/big.iso",
    )
    assert told == f"{code} {length}"


def test_several_ranges_are_one_answer(machine: NativeMachine) -> None:
    """multipart/byteranges, on a connection that goes on."""
    told = curl(machine, "-r", "3-4,0-1", f"{SITE}/", f"{SITE}/")
    boundary, *lines = told.split("\r\n")
    part = ["Content-Type: text/html; charset=utf-8", "Content-Range: bytes 3-4/9", "", "he"]
    assert lines[:4] == part
    assert lines[4] == boundary
    assert lines[6:9] == ["Content-Range: bytes 0-1/9", "", "<p"]
    assert told.count("Content-Range: bytes 3-4/9") == 2


def status(machine: NativeMachine, *arguments: str) -> str:
    """The status line that was received; what curl gives as http_code may be a 304 of its own making."""
    return curl(machine, "-o", "/dev/null", "-D", "-", *arguments).partition("\r\n")[0]


def test_file_is_not_sent_again(machine: NativeMachine) -> None:
    """By date (curl --time-cond, either way) and by entity tag."""
    whole, same, other = "HTTP/1.1 200 OK", "HTTP/1.1 304 Not Modified", "HTTP/1.1 412 Precondition Failed"
    assert status(machine, "-z", "20010909 00:00:00 GMT", f"{SITE}/big.iso") == same
    assert status(machine, "-z", "20010908 23:59:59 GMT", f"{SITE}/") == whole
    assert status(machine, "-z", "-20010909 00:00:00 GMT", f"{SITE}/") == whole
    assert status(machine, "-z", "-20010908 23:59:59 GMT", f"{SITE}/") == other
    assert status(machine, "--etag-save", "/tmp/etag", f"{SITE}/") == whole
    assert status(machine, "--etag-compare", "/tmp/etag", f"{SITE}/") == same
    machine.run(["sh", "-c", "echo '<p>hullo' >/srv/vhosts/a/htdocs/index.html"])
    try:
        assert status(machine, "--etag-compare", "/tmp/etag", f"{SITE}/") == whole
    finally:
        machine.run(["sh", "-c", "echo '<p>hello' >/srv/vhosts/a/htdocs/index.html"])


@pytest.mark.parametrize(
    ("accept", "content"),
    [
        ("br", "brot\n"),
        ("zstd", "zstd\n"),
        ("gzip", "gzip\n"),
        ("gzip;q=0.5, zstd;q=0.7, br;q=0", "zstd\n"),
        ("deflate", "plain\n"),
    ],
)
def test_compressed_file_is_one_that_curl_reads(machine: NativeMachine, accept: str, content: str) -> None:
    """Each coding in turn; the content tells which it was."""
    assert curl(machine, "--compressed", "-H", f"Accept-Encoding: {accept}", f"{SITE}/coded/a.txt") == content


def test_compressed_file_is_what_curl_likes_by_itself(machine: NativeMachine) -> None:
    """Its own list has all of them with one weight, so ours decides; without, it gets the plain one."""
    told = curl(machine, "--compressed", "-D", "-", f"{SITE}/coded/a.txt").split("\r\n")
    assert "Content-Encoding: br" in told
    assert "Vary: Accept-Encoding" in told
    assert "Content-Type: text/plain; charset=utf-8" in told
    assert told[-1] == "brot\n"
    assert curl(machine, f"{SITE}/coded/a.txt") == "plain\n"


def test_listing_leads_to_its_files(machine: NativeMachine) -> None:
    """The links are followed as they stand in the page."""
    page = curl(machine, f"{SITE}/files/")
    assert '<li><a href="a%20%26%20b.txt">a &amp; b.txt</a>\n<li><a href="sub/">sub/</a>\n</ul>' in page
    assert "hidden" not in page
    assert curl(machine, f"{SITE}/files/a%20%26%20b.txt") == "a and b\n"
    assert '<a href="../">' in curl(machine, "-L", f"{SITE}/files/sub?by=name")
    assert (
        curl(machine, "-o", "/dev/null", "-w", "%{redirect_url}", f"{SITE}/files?by=name") == f"{SITE}/files/?by=name"
    )


def test_methods_are_told(machine: NativeMachine) -> None:
    """OPTIONS; and a method that files have not, with content, leaves the connection usable."""
    assert "\r\nAllow: GET, HEAD, OPTIONS\r\n" in curl(machine, "-X", "OPTIONS", "-i", f"{SITE}/")
    told = curl(
        machine, "-d", "content", "-o", "/dev/null", "-w", "%{http_code} %{num_connects} ", f"{SITE}/", f"{SITE}/"
    )
    assert told.startswith("405 1 ")
    code = ["-o", "/dev/null", "-w", "%{http_code} %{num_connects} "]
    assert curl(machine, "-d", "content", *code, f"{SITE}/", "--next", *CURL[1:], *code, f"{SITE}/") == "405 1 200 0 "


def test_file_that_is_cut_while_it_is_sent_cuts_the_answer(machine: NativeMachine) -> None:
    """Nothing else is put in the place of what is missing, and the journal says why."""
    path, size = "/srv/vhosts/a/htdocs/cut.bin", 100_000_000
    machine.run(["truncate", "-s", str(size), path])
    after = machine.cursor()
    with machine.connect(80, timeout=30) as connection:
        connection.sendall(b"GET /cut.bin HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        head, _, content = connection.recv(1000).partition(b"\r\n\r\n")
        assert f"Content-Length: {size}\r\n".encode() in head
        machine.run(["truncate", "-s", "1000", path])
        count = len(content)
        while part := connection.recv(1 << 20):
            assert not part.strip(b"\0")
            count += len(part)
    assert 1000 <= count < size
    machine.run(["rm", path])
    (record,) = machine.journal("SELSOCK_EVENT=gone", after=after)
    assert record["SELSOCK_REASON"] == f"the file ended {size - count} bytes early"
