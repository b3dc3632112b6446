# SPDX-License-Identifier: Apache-2.0
"""For whom a connection speaks: every header of ``tests/wire/proxy``, who may send one, and the field that stands for it.

``NAME.proxy`` is what the proxy sends before it half-closes, NAME the section of proxy-protocol.txt that it is about.
``NAME.expect`` is the refusal, status and reason, or, under ``accept``, the visitor's address and the port that he
connected to, "local" for none; there the request line that follows stays for whoever reads the head.
"""

import hashlib
import io
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock import errors
from selsock.errors import PeerFault, PeerGone
from selsock.handler import proxy
from selsock.handler.adopt import Client
from selsock.handler.head import HeadBuffer, read_head
from selsock.handler.proxy import arrive, certified, check_peer, is_own, parse_header, read_header
from selsock.handler.table import OpenTable
from selsock.identify.provider import Provider
from selsock.model import Limits, Listener, Vhost
from tests.unit.fakes import FakeKernel, Instance, compile_table, connect, connect_to
from tests.unit.test_connection import World, content_of, request, status_of, world
from tests.unit.test_head import Portions, sizes_of

__all__ = ["world"]

WIRE = Path(__file__).parent.parent / "wire/proxy"
ACCEPT = sorted((WIRE / "accept").glob("*.proxy"))
REFUSE = sorted((WIRE / "refuse").glob("*.proxy"))
FEEDS = ("whole", "halves", "bytes")
NEXT = b"GET / HTTP/1.1\r\n"
TCP4 = b"PROXY TCP4 10.9.8.7 192.0.2.10 51234 443\r\n"
UID = os.getuid()


def read(data: bytes, feed: str = "whole") -> tuple[str, bytes]:
    """Send ``data``, half-close, and read a header; return what it says, in the words of ``.expect``, and the rest."""
    buffer = HeadBuffer(16384)
    peer, client = connect()
    try:
        peer.sendall(data)
        peer.shutdown(1)
        source = parse_header(read_header(Portions(client, sizes_of(feed, data)), buffer, 10.0))
        left = bytes(buffer.data[buffer.start : buffer.filled])
        return "{} {}".format(*source) if source is not None else "local", left
    finally:
        peer.close()
        client.socket.close()


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("path", ACCEPT, ids=lambda path: path.stem)
def test_header_is_read_as(path: Path, feed: str) -> None:
    """And what follows it is not touched."""
    said, left = read(path.read_bytes(), feed)
    assert path.with_suffix(".expect").read_text() == f"{said}\n"
    assert NEXT.startswith(left)
    assert left == NEXT or feed == "bytes" or (feed == "halves" and len(left) < len(NEXT))


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("path", REFUSE, ids=lambda path: path.stem)
def test_header_is_refused_with_this_reason(path: Path, feed: str) -> None:
    """A refusal names its own section."""
    with pytest.raises(PeerFault) as caught:
        read(path.read_bytes(), feed)
    assert path.with_suffix(".expect").read_text() == f"{caught.value.status} {caught.value.reason}\n"


def test_corpus_is_whole() -> None:
    """Each header has a sidecar and each sidecar a header."""
    for folder, cases, least in (("accept", ACCEPT, 15), ("refuse", REFUSE, 60)):
        assert least <= len(cases)
        assert {path.stem for path in cases} == {path.stem for path in (WIRE / folder).glob("*.expect")}


@pytest.mark.parametrize("length", [535, 536, 537])
def test_version_2_is_bounded(length: int) -> None:
    """536 bytes are what every path carries in one segment."""
    body = socket.inet_aton("10.9.8.7") + socket.inet_aton("192.0.2.10") + struct.pack(">HH", 51234, 443)
    header = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", length - 16) + body).ljust(length, b"\0")
    if length <= 536:
        assert ("10.9.8.7 443", NEXT) == read(header + NEXT)
    else:
        with pytest.raises(PeerFault, match=r"more than 536 bytes"):
            read(header + NEXT)


@pytest.mark.parametrize(("length", "reason"), [(106, "§2.1"), (107, "§2.1"), (108, r"§2\)")])
def test_version_1_is_bounded(length: int, reason: str) -> None:
    """No line of more than 107 bytes is looked at; one of 107 is, and refused for what it says."""
    line = b"PROXY UNKNOWN ".ljust(length - 2, b"f") + b"\r\n"
    with pytest.raises(PeerFault, match=reason):
        read(line + NEXT)


@pytest.mark.parametrize("data", [b"", TCP4[:20]])
def test_time_is_bounded(data: bytes) -> None:
    """A silent peer is left without a word, one that began is told so."""
    peer, client = connect()
    with peer:
        peer.sendall(data)
        with pytest.raises(PeerFault) as caught:
            read_header(client, HeadBuffer(16384), 0.05)
        assert (408 if data else 0) == caught.value.status
        assert isinstance(caught.value, PeerGone) is (not data)


def test_peer_that_says_nothing_at_all_is_gone() -> None:
    """As a health check that only connects."""
    with pytest.raises(PeerGone, match="closed without a request"):
        read(b"")


def copies(first: bytes, length: int, digest: str) -> int:
    """How often the text of that ``length``, beginning and SHA-256 lies in what this process may write to."""
    found = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            span, modes, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if not modes.startswith("rw"):
                continue
            memory.seek(start)
            data = memory.read(end - start)
            at = data.find(first)
            while at >= 0:
                found += hashlib.sha256(data[at : at + length]).hexdigest() == digest
                at = data.find(first, at + 1)
    return found


@pytest.mark.parametrize("header", [TCP4, (WIRE / "accept/2.2-tcp4.proxy").read_bytes()[: -len(NEXT)]])
def test_no_copy_is_made_of_the_credentials_behind_a_header(header: bytes) -> None:
    """They come in one segment with it; what is wiped in the buffer is nowhere else, and what is not wiped is found."""
    peer, client = connect()
    told, tell = os.pipe()
    hashes, ask = os.pipe()
    pid = os.fork()
    if pid == 0:  # a process that has never seen the secrets
        try:
            peer.close()
            wanted = os.read(hashes, 1024).decode().split()
            buffer = HeadBuffer(16384)
            read_header(client, buffer, 10.0)
            head = read_head(client, buffer, Limits(), 10.0)
            buffer.wipe_span(*head.credentials)
            buffer.wipe()
            counts = [copies(text[:8].encode(), 64, text[8:]) for text in wanted]
            os.write(tell, f"{counts[0] > 0} {counts[1]}".encode())
        finally:
            os._exit(0)
    os.close(tell)
    client.socket.close()
    kept, secret = (os.urandom(32).hex() for _ in range(2))
    os.write(ask, " ".join(text[:8] + hashlib.sha256(text.encode()).hexdigest() for text in (kept, secret)).encode())
    with peer:
        fields = f"Host: a.example\r\nCookie: {'a' * 3000}\r\nAuthorization: {secret}\r\n"
        peer.sendall(header + f"GET /?{kept} HTTP/1.1\r\n{fields}\r\n".encode())
        assert b"True 0" == os.read(told, 1024)
    os.waitpid(pid, 0)
    for end in (told, hashes, ask):
        os.close(end)


@pytest.mark.parametrize("data", [TCP4, (WIRE / "accept/2.2-tcp4.proxy").read_bytes()[: -len(NEXT)]])
def test_elsewhere_a_header_is_no_request(data: bytes) -> None:
    """On a listener that is not marked for it."""
    peer, client = connect()
    with peer:
        peer.sendall(data + NEXT + b"Host: a.example\r\n\r\n")
        with pytest.raises(PeerFault) as caught:
            read_head(client, HeadBuffer(16384), Limits(), 10.0)
        assert 400 == caught.value.status


# ---- who may speak


def record(
    kind: str = "protocol", field: str = "", scheme: str = "https", uid: str = "", *more: str, login: str = ""
) -> bytes:
    """A record as the generator writes it."""
    return "\t".join((kind, field, login, scheme, uid, *more)).encode()


TRUSTED = record("protocol", "", "http", "", "", "127.0.0.0/8")  # which the generator refuses


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    """A listener on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def refused(client: Client, listener: Listener, enforce: bool = False) -> str:
    """The reason for 403, "" for none."""
    try:
        check_peer(client, listener, enforce)
    except PeerFault as fault:
        assert 403 == fault.status
        return fault.reason
    return ""


@pytest.mark.parametrize(
    ("network", "own", "trusted"),
    [
        ("127.0.0.0/8", False, True),
        ("127.0.0.1/32", False, True),
        ("127.0.0.1/32", True, False),
        ("127.0.0.2/32", False, False),
        ("::/0", False, False),
    ],
)
def test_tcp_peer_is_one_of_the_proxies(
    tcp: socket.socket, network: str, own: bool, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no address of this machine's, whatever the configuration says."""
    monkeypatch.setattr(proxy, "is_own", lambda address: own)
    peer, client = connect_to(tcp)
    with peer:
        reason = refused(client, Listener(record("protocol", "", "http", "", "", network)))
    assert ("" if trusted else "127.0.0.1 is not another machine that this listener trusts") == reason


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("192.0.2.7", False),
        ("2001:db8::7", False),
        ("fe80::7", True),  # EINVAL without an interface: it can not be known
        ("no address", True),
    ],
)
def test_addresses_of_this_machine(address: str, own: bool) -> None:
    """By what the kernel lets us bind; what it can not say is taken for own, and so not trusted."""
    assert own is is_own(address)


def unix(uid: int, type: str = "haproxy_t") -> Listener:
    """A listener on a UNIX socket."""
    return Listener(record("", "", "http", str(uid), type))


def test_unix_peer_is_the_user(tmp_path: Path) -> None:
    """SO_PEERCRED, as the kernel noted it at connect(2)."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        peer, client = connect_to(listener)
        with peer:
            assert "" == refused(client, unix(UID))
            assert f"the peer is user {UID}, not {UID + 1}" == refused(client, unix(UID + 1))
            assert "local" == client.address


class Peer:
    """A socket whose peer is of a context."""

    def __init__(self, context: bytes) -> None:
        self.context = context

    def getsockopt(self, level: int, name: int, length: int) -> bytes:
        """As the kernel with SELinux answers."""
        if name == proxy.SO_PEERCRED:
            return struct.pack("iII", 1, UID, 0)
        assert (socket.SOL_SOCKET, socket.SO_PEERSEC if hasattr(socket, "SO_PEERSEC") else 31) == (level, name)
        return self.context


@pytest.mark.parametrize(
    ("context", "trusted"),
    [
        (b"system_u:system_r:haproxy_t:s0\0", True),
        (b"system_u:system_r:haproxy_t:s0", True),
        (b"system_u:system_r:haproxy_t:s0-s0:c0.c1023\0", False),
        (b"system_u:system_r:haproxy_t:s0:c1\0", False),
        (b"system_u:system_r:haproxy_t\0", False),
        (b"system_u:system_r:haproxy_tt:s0\0", False),
        (b"haproxy_t:system_r:public_t:s0\0", False),
        (b"system_u:system_r:public_t:haproxy_t\0", False),
        (b"kernel\0", False),
        (b"", False),
    ],
)
def test_unix_peer_is_of_the_type(context: bytes, trusted: bool) -> None:
    """SO_PEERSEC, where the kernel enforces; the user alone would be whoever runs as him.

    And at s0: the kernel gives the accepted socket the level of who connected, and no tenant could write to another.
    """
    client: Any = Peer(context)
    client.socket = client
    shown = context.decode().rstrip("\0")
    assert ("" if trusted else f"the peer is {shown}, not haproxy_t:s0") == refused(client, unix(UID), enforce=True)
    assert "" == refused(client, unix(UID), enforce=False)


# ---- the record


def test_record_is_read() -> None:
    """Each field, and nothing but."""
    listener = Listener(record("client", "x-real-ip", "https", "", "", "192.0.2.0/24", "2001:db8::1/128"))
    assert ("client", b"x-real-ip", "https") == (listener.kind, listener.field, listener.scheme)
    assert (-1, "", ("192.0.2.0/24", "2001:db8::1/128")) == (listener.uid, listener.type, listener.networks)
    assert (0, "haproxy_t", ()) == (unix(0).uid, unix(0).type, unix(0).networks)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        record("protocol", "", "http", ""),
        record("protocol", "", "http", "", ""),
        record("protocol", "", "http", "0", "haproxy_t", "192.0.2.1/32"),
        record("protocols", "", "http", "", "", "192.0.2.1/32"),
        record("protocol", "x-real-ip", "http", "", "", "192.0.2.1/32"),
        record("client", "", "http", "", "", "192.0.2.1/32"),
        record("protocol", "", "ftp", "", "", "192.0.2.1/32"),
        record("protocol", "", "", "", "", "192.0.2.1/32"),
        record("protocol", "", "http", "", "", "192.0.2.1/32", ""),
        record("protocol", "", "http", "", "", "proxy"),
        record("protocol", "", "http", "root", "haproxy_t"),
        record("protocol", "", "http", "0", "haproxy"),
        record("protocol", "", "http", "0", ""),
        b"\xff\t\t\t\t",
    ],
)
def test_what_is_no_record(bad: bytes) -> None:
    """ValueError, and nothing else."""
    with pytest.raises(ValueError):
        Listener(bad)


# ---- what the connection makes of it


def arrived(table: Path, listener: socket.socket, data: bytes = b"") -> Client:
    """The client once it has arrived by ``listener`` and sent ``data``."""
    peer, client = connect_to(listener)
    with peer:
        peer.sendall(data)
        found = OpenTable(str(table)).look(f"listener {client.listener}", Listener)
        if found is not None:
            arrive(client, HeadBuffer(16384), found, Limits(), enforce=False)
    client.socket.close()
    return client


def test_listener_is_found_by_its_port(tcp: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the local address; another port's record means nothing."""
    monkeypatch.setattr(proxy, "is_own", lambda address: False)
    port = tcp.getsockname()[1]
    table = compile_table(tmp_path, [], listeners={str(port): TRUSTED})
    client = arrived(table, tcp, TCP4)
    assert ("10.9.8.7", 443, "http", b"") == (client.address, client.port, client.scheme, client.field)
    table = compile_table(tmp_path, [], listeners={str(port + 1): TRUSTED})
    assert "127.0.0.1" == arrived(table, tcp, TCP4).address


def test_local_leaves_the_address_as_it_is(tcp: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A health check is the proxy's own."""
    monkeypatch.setattr(proxy, "is_own", lambda address: False)
    listeners = {str(tcp.getsockname()[1]): TRUSTED.replace(b"http", b"https")}
    client = arrived(compile_table(tmp_path, [], listeners=listeners), tcp, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")
    assert ("127.0.0.1", 443, "https") == (client.address, client.port, client.scheme)


def test_loopback_is_not_trusted(tcp: socket.socket, tmp_path: Path) -> None:
    """Even if the table said so: before a byte is read."""
    table = compile_table(tmp_path, [], listeners={str(tcp.getsockname()[1]): TRUSTED})
    with pytest.raises(PeerFault, match=r"127\.0\.0\.1 is not another machine"):
        arrived(table, tcp, TCP4)


# ---- who the visitor is


def tlv(kind: int, value: bytes) -> bytes:
    """One TLV (proxy-protocol.txt §2.2)."""
    return bytes([kind]) + struct.pack(">H", len(value)) + value


def tls(client: int, verify: int, *inner: bytes) -> bytes:
    """PP2_TYPE_SSL."""
    return tlv(0x20, bytes([client]) + struct.pack(">I", verify) + b"".join(inner))


def version_2(*tlvs: bytes, family: int = 0x11, command: int = 0x21) -> bytes:
    """A header with ``tlvs`` behind its addresses."""
    addresses = {0x11: bytes([10, 9, 8, 7, 192, 0, 2, 10]), 0x21: bytes(32), 0: b""}[family] + bytes(4)
    body = addresses + b"".join(tlvs)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) + struct.pack(">H", len(body)) + body


DOG = tlv(0x22, b"dog")


@pytest.mark.parametrize(
    ("header", "user"),
    [
        (version_2(tls(7, 0, DOG)), b"dog"),
        (version_2(tls(7, 0, DOG), family=0x21), b"dog"),
        (version_2(tls(3, 0, DOG)), b"dog"),
        (version_2(tls(5, 0, DOG)), b"dog"),
        (version_2(tlv(1, b"h2"), tls(7, 0, tlv(0x21, b"TLSv1.3"), DOG, tlv(0x23, b"x")), tlv(4, b"")), b"dog"),
        (version_2(tls(7, 0, tlv(0x22, "w\u00fcff".encode()))), "w\u00fcff".encode()),
        # None was sent; it was not verified; it has no name; nothing is said of TLS; the proxy speaks for itself.
        (version_2(tls(1, 0, DOG)), b""),
        (version_2(tls(0, 0, DOG)), b""),
        (version_2(tls(6, 0, DOG)), b""),
        (version_2(tls(7, 1, DOG)), b""),
        (version_2(tls(7, 2**31, DOG)), b""),
        (version_2(tls(7, 0)), b""),
        (version_2(tls(7, 0, tlv(0x22, b""))), b""),
        (version_2(tlv(1, b"h2")), b""),
        (version_2(tlv(0x22, b"dog")), b""),
        (version_2(), b""),
        (version_2(tls(7, 0, DOG), command=0x20), b""),
    ],
)
def test_certificate_that_was_verified_tells_a_name(header: bytes, user: bytes) -> None:
    """And no other does."""
    assert user == certified(header)


SHORT, TWICE = "more than one TLV about TLS, or one that is too short", "more than one common name"
BEYOND = "a TLV that is longer than what it is in"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (version_2(tls(7, 0, DOG), tls(7, 0, DOG)), SHORT),
        (version_2(tls(7, 0, DOG), tls(0, 1)), SHORT),
        (version_2(tlv(0x20, b"\7\0\0\0")), SHORT),
        (version_2(tls(7, 0, DOG, tlv(0x22, b"cat"))), TWICE),
        (version_2(tls(7, 1, DOG, tlv(0x22, b"cat"))), TWICE),
        (version_2(tls(7, 0, DOG[:-1])), BEYOND),
        (version_2(tls(1, 1, DOG[:-1])), BEYOND),
        (version_2(tls(7, 0, DOG) + b"\0"), BEYOND),
        (version_2(tls(7, 0, DOG) + b"\0\0"), BEYOND),
        (version_2(tlv(1, b"h2")[:-1]), BEYOND),
        (version_2(b"\x20\xff\xff"), BEYOND),
    ],
)
def test_tlvs_that_say_two_things_are_refused(header: bytes, reason: str) -> None:
    """400, where the listener asks for the certificate."""
    with pytest.raises(PeerFault, match=f"^{reason}") as caught:
        certified(header)
    assert 400 == caught.value.status


def read_independently(data: bytes) -> list[tuple[int, bytes]]:
    """TLVs by another way: over a stream."""
    stream, found = io.BytesIO(data), []
    while head := stream.read(3):
        kind, length = struct.unpack(">BH", head)
        value = stream.read(length)
        if len(value) < length:
            raise ValueError
        found.append((kind, value))
    return found


@given(st.one_of(st.binary(max_size=40), st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=9)), max_size=5)))
def test_tlvs_are_read_as_by_another_reader(data: bytes | list[tuple[int, bytes]]) -> None:
    """Any bytes, and any list of them."""
    given_bytes = data if isinstance(data, bytes) else b"".join(tlv(kind, value) for kind, value in data)
    try:
        expected = read_independently(given_bytes)
    except (ValueError, struct.error):
        with pytest.raises(PeerFault):
            proxy.tlvs(given_bytes)
    else:
        assert expected == proxy.tlvs(given_bytes)
        assert isinstance(data, bytes) or data == expected


def proxied(world: World) -> None:
    """Let dog.example take the word of a proxy."""
    dog, cat = world.vhosts
    world.vhosts = [Vhost(dog.names, dog.root, None, dog.locations, proxied=True), cat]
    (world.folder / "htgroup").write_text("pack: dog\n")
    world.providers = {"dog.example": Provider("proxy", groups=str(world.folder / "htgroup"))}


def users(world: World) -> list[tuple[str, str]]:
    """User and context of each decision."""
    records = [record for record in world.journal.records() if record["SELSOCK_EVENT"] == "decision"]
    return [(record["SELSOCK_USER"], record["SELSOCK_CONTEXT"]) for record in records]


LOGIN = "x-remote-user"


def test_certificates_name_decides(world: World) -> None:
    """From the header to the decision."""
    proxied(world)
    with Site(world, "protocol", "", ":certificate").visit() as instance:
        instance.send(version_2(tls(7, 0, DOG)) + request("/staff/s.txt", rest="Connection: close\r\n"))
        assert (200, b"dog's staff") == (status_of(answer := instance.receive()), content_of(answer))
    # A field means nothing here, whatever it says.
    with Site(world, "protocol", "", ":certificate").visit() as instance:
        instance.send(version_2(tls(1, 0)) + request("/staff/s.txt", rest="X-Remote-User: dog\r\n"))
        assert 403 == status_of(instance.receive())
    assert [("dog", "selsock_dog_t:s0")] == users(world)


@pytest.mark.parametrize("line", ["X-Remote-User: dog\r\n", "x-remote-user:\tdog \r\n"])
def test_fields_name_decides(world: World, line: str) -> None:
    """In any case of letters; the same user again on a kept connection, any other on a new one."""
    proxied(world)
    with Site(world, "", "", LOGIN).visit() as instance:
        instance.send(request("/staff/s.txt", rest=line))
        assert b"dog's staff" == content_of(instance.receive_one())
        instance.send(request("/staff/s.txt", rest=line))
        assert b"dog's staff" == content_of(instance.receive_one())
        instance.send(request("/staff/s.txt", rest=line.replace("dog", "cat")))
        assert b"" == instance.receive()
    assert [("dog", "selsock_dog_t:s0")] == users(world)


@pytest.mark.parametrize("second", ["", "X-Remote-User: cat\r\n", "X-Remote-User:\r\n", "X-Remote-User: a,b\r\n"])
def test_another_name_ends_a_kept_connection(world: World, second: str) -> None:
    """Without a byte, also where it is nobody, and where the context would be the same."""
    proxied(world)
    with Site(world, "", "", LOGIN).visit() as instance:
        instance.send(request(rest="X-Remote-User: dog\r\n"))
        assert 200 == status_of(instance.receive_one())
        instance.send(request(rest=second))
        assert b"" == instance.receive()


@pytest.mark.parametrize("line", ["", "X-Remote-User:\r\n", "X-Remote-User: \r\n"])
def test_no_name_is_nobody(world: World, line: str) -> None:
    """Anonymous where that is admitted, and 403, not 401, where it is not: there is nothing to sign in with."""
    proxied(world)
    for target, status in (("/a.txt", 200), ("/staff/s.txt", 403)):
        with Site(world, "", "", LOGIN).visit() as instance:
            instance.send(request(target, user="dog", rest=line + "Connection: close\r\n"))
            answer = instance.receive()
            assert (status, False) == (status_of(answer), b"WWW-Authenticate" in answer)
    assert [("", "selsock_public_t:s0")] == users(world)


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        ("X-Remote-User: cat\r\nX-Remote-User: dog\r\n", 400, "more than one name"),
        ("X-Remote-User: cat, dog\r\n", 400, "more than one name"),
        ("X-Remote-User: d:g\r\n", 403, "expected a user name"),
        ("X-Remote-User: " + "x" * 256 + "\r\n", 403, "expected a user name"),
        ("X-Remote-User: d\xf6g\r\n", 403, "a name that is no UTF-8"),
    ],
)
def test_what_is_no_name_is_refused(world: World, lines: str, status: int, reason: str) -> None:
    """A list may begin with what the visitor wrote himself."""
    proxied(world)
    with Site(world, "", "", LOGIN).visit() as instance:
        data = request().replace(b"\r\n\r\n", b"\r\n" + lines.encode("latin-1") + b"\r\n")
        instance.send(data)
        answer = instance.receive()
    assert (status, True) == (status_of(answer), reason.encode() in content_of(answer))
    assert [] == users(world)


def test_a_vhost_that_takes_nobodys_word_ignores_it(world: World) -> None:
    """dog.example signs in by password, cat.example not at all."""
    for host, target, status in (("dog.example", "/staff/s.txt", 401), ("cat.example", "/a.txt", 200)):
        with Site(world, "", "", LOGIN).visit() as instance:
            instance.send(request(target, host, rest="X-Remote-User: dog\r\nConnection: close\r\n"))
            assert status == status_of(instance.receive())
    assert [("", "selsock_public_t:s0")] == users(world)


@pytest.mark.parametrize("name", ["X-Remote-User", "x-remote-user", "X-REMOTE-USER"])
def test_fields_for_proxies_are_taken_out_of_every_request(
    world: World, tmp_path: Path, name: str, tcp: socket.socket
) -> None:
    """On another listener they mean nothing, and no application sees them; a name with _ is refused everywhere."""
    proxied(world)
    seen: list[dict[bytes, bytes]] = []
    site = Site(world, "", "", LOGIN)
    table = OpenTable(str(site.table))
    peer, client = connect_to(tcp)
    with peer:
        client.hidden = table.settings.fields
        for spelling in (name, name.replace("-", "_")):
            peer.sendall(f"GET / HTTP/1.1\r\nHost: a\r\n{spelling}: dog\r\nX-Other: y\r\n\r\n".encode())
            if "_" in spelling:
                with pytest.raises(PeerFault, match="a field name with _"):
                    read_head(client, HeadBuffer(16384), Limits(), 5)
            else:
                head = read_head(client, HeadBuffer(16384), Limits(), 5)
                seen.append(head.fields)
                assert {b"x-remote-user": b"dog"} == head.told
    assert [{b"host": b"a", b"x-other": b"y"}] == seen
    client.socket.close()


class Site:
    """The vhosts of test_connection behind a UNIX socket on which a proxy speaks."""

    def __init__(self, world: World, kind: str, field: str, login: str = "") -> None:
        self.world = world
        path = world.folder / "http.sock"
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        said = {str(path): record(kind, field, "http", str(UID), "haproxy_t", login=login)}
        given = {"idle_seconds": 5, "failure_seconds": 1}
        self.table = compile_table(
            world.folder, world.vhosts, given, required=False, listeners=said, providers=world.providers
        )

    def visit(self) -> Instance:
        """A connection of the proxy; not enforcing, since the tests' kernel tells no type."""
        return Instance(self.table, self.world.journal, FakeKernel(mode="disabled"), listener=self.listener)


def decisions(world: World) -> list[tuple[str, str]]:
    """Address and rule of each decision."""
    records = [record for record in world.journal.records() if record["SELSOCK_EVENT"] == "decision"]
    return [(record["SELSOCK_ADDRESS"], record["SELSOCK_RULE"]) for record in records]


def test_rules_see_the_address_of_the_header(world: World) -> None:
    """10.0.0.0/8 has a rule of its own."""
    with Site(world, "protocol", "").visit() as instance:
        instance.send(TCP4 + request(rest="Connection: close\r\n"))
        assert 200 == status_of(instance.receive())
        assert errors.EXIT_SERVED == instance.wait()
    assert [("10.9.8.7", "vhost.yaml:away")] == decisions(world)


def test_marked_listener_needs_the_header(world: World) -> None:
    """400, and the section."""
    with Site(world, "protocol", "").visit() as instance:
        instance.send(request())
        answer = instance.receive()
        assert (400, True) == (status_of(answer), b"proxy-protocol.txt \xc2\xa72" in content_of(answer))
    assert [] == decisions(world)


FIELD = "X-Real-IP"


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ("X-Real-IP: 10.9.8.7\r\n", "10.9.8.7"),
        ("x-real-ip:10.9.8.7\r\n", "10.9.8.7"),
        ("X-Real-IP: 192.0.2.1, 10.9.8.7\r\n", "10.9.8.7"),
        ("X-Real-IP: nonsense\r\nX-Real-IP: 10.9.8.7\r\n", "10.9.8.7"),  # as HAProxy's forwardfor adds its own
        ("X-Real-IP: ::ffff:10.9.8.7\r\n", "10.9.8.7"),
        ("X-Real-IP: 2001:DB8::7\r\n", "2001:db8::7"),
    ],
)
def test_last_address_of_the_field_is_the_visitors(world: World, lines: str, address: str) -> None:
    """What stands before it came from the visitor himself."""
    with Site(world, "client", "x-real-ip").visit() as instance:
        instance.send(request(rest=f"{lines}Connection: close\r\n"))
        assert 200 == status_of(instance.receive())
    assert [(address, f"vhost.yaml:{'away' if address == '10.9.8.7' else 'anonymous'}")] == decisions(world)


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "X-Real-IP:\r\n",
        "X-Real-IP: 10.9.8.7,\r\n",
        "X-Real-IP: 10.9.8.7:443\r\n",
        "X-Real-IP: [2001:db8::7]\r\n",
        'X-Real-IP: "10.9.8.7"\r\n',
        "X-Real-IP: 10.9.8.7 192.0.2.1\r\n",
        "X-Real-IP: unknown\r\n",
        "X-Real-IP: 10.9.8.7\r\nX-Real-IP:\r\n",
        "X-Forwarded-For: 10.9.8.7\r\n",
    ],
)
def test_field_without_an_address_is_refused(world: World, lines: str) -> None:
    """Otherwise the visitor would be taken for the proxy."""
    with Site(world, "client", "x-real-ip").visit() as instance:
        instance.send(request(rest=lines))
        answer = instance.receive()
        assert (400, True) == (status_of(answer), b"no address where a proxy has to say" in content_of(answer))
    assert [] == decisions(world)


def test_connection_is_one_visitors(world: World) -> None:
    """The same address is served again; another one, or none, ends the connection without a byte."""
    for second in ("X-Real-IP: 192.0.2.8\r\n", ""):
        with Site(world, "client", "x-real-ip").visit() as instance:
            for _ in range(2):
                instance.send(request(rest="X-Real-IP: 192.0.2.7\r\n"))
                assert 200 == status_of(instance.receive_one())
            instance.send(request(rest=second))
            assert b"" == instance.receive()
            assert errors.EXIT_SERVED == instance.wait()
        (world.folder / "http.sock").unlink()
    assert [("192.0.2.7", "vhost.yaml:anonymous")] * 2 == decisions(world)


def test_elsewhere_the_field_means_nothing(world: World) -> None:
    """Whoever connects directly is where he is."""
    with world.visit("192.0.2.1") as instance:
        instance.send(request(rest="X-Real-IP: 10.9.8.7\r\nX-Forwarded-For: 10.9.8.7\r\nConnection: close\r\n"))
        assert 200 == status_of(instance.receive())
    assert [("192.0.2.1", "vhost.yaml:anonymous")] == decisions(world)
