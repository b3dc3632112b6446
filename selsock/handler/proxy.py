# SPDX-License-Identifier: Apache-2.0
"""proxy: for whom a connection speaks, where ``vhost.yaml`` says that a proxy connects.

The header comes from https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt; § is a section of it.  It is read on
listeners marked for it only, there it must be, and only from who was named.  Everywhere else it is no HTTP request.
"""

from selsock.cores import socket, struct, time
from selsock.errors import PeerFault
from selsock.handler.adopt import Client, plain_address
from selsock.handler.head import HeadBuffer, RequestHead, more
from selsock.model import CERTIFICATE, Limits, Listener

SO_PEERCRED, SO_PEERSEC = 17, 31  # <asm-generic/socket.h>
EADDRNOTAVAIL = 99
VERSION_1 = b"PROXY "
VERSION_2 = b"\r\n\r\n\0\r\nQUIT\n"
VERSION_1_BYTES = 107  # §2.1, with CRLF
VERSION_2_BYTES = 536  # §2: what every path carries in one segment
LOCAL, PROXY = 0x20, 0x21  # version and command, §2.2
SSL, COMMON_NAME = 0x20, 0x22  # a TLV and one inside it, §2.2.6
TLS, SENT = 0x01, 0x06  # PP2_CLIENT_SSL; PP2_CLIENT_CERT_CONN or PP2_CLIENT_CERT_SESS, that a certificate was sent
FAMILIES = {b"TCP4": socket.AF_INET, b"TCP6": socket.AF_INET6, 0x11: socket.AF_INET, 0x21: socket.AF_INET6}


def arrive(client: Client, buffer: HeadBuffer, listener: Listener, limits: Limits, enforce: bool) -> None:
    """Find out for whom ``client``, who has come by ``listener``, speaks.

    Raises PeerFault 400, 403 or 408; PeerGone when nothing came.
    """
    check_peer(client, listener, enforce)
    client.scheme, client.field = listener.scheme, listener.field
    client.port = 443 if client.scheme == "https" else 80
    if listener.kind == "protocol":
        header = read_header(client, buffer, limits.first_byte_seconds)
        client.address, client.port = parse_header(header) or (client.address, client.port)
        if listener.login == CERTIFICATE and header.startswith(VERSION_2):
            client.user = certified(header)
    if listener.login != CERTIFICATE:
        client.login = listener.login


def check_peer(client: Client, listener: Listener, enforce: bool) -> None:
    """Refuse (403) whoever is not the proxy of ``listener``: a login of this machine, or another one."""
    if listener.networks:
        trusted = any(network.contains(client.address) for network in listener.networks)
        if not trusted or is_own(client.address):
            raise PeerFault(403, f"{client.address} is not another machine that this listener trusts")
        return
    _, uid, _ = struct.unpack("iII", client.socket.getsockopt(socket.SOL_SOCKET, SO_PEERCRED, 12))
    if uid != listener.uid:
        raise PeerFault(403, f"the peer is user {uid}, not {listener.uid}")
    if enforce:
        context = client.socket.getsockopt(socket.SOL_SOCKET, SO_PEERSEC, 1024).decode().rstrip("\0")
        # At s0 as selsock_t is: the accepted socket takes its level from who connects, and tenants are to use it.
        if context.split(":", 2)[2:] != [f"{listener.type}:s0"]:
            raise PeerFault(403, f"the peer is {context}, not {listener.type}:s0")


def is_own(address: str) -> bool:
    """Whether ``address`` is, or may be, one of this machine, so that any login could speak from it: only such an
    address can be bound (ip(7))."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        socket.socket(family, socket.SOCK_DGRAM).bind((address, 0))
    except OSError as error:
        return error.errno != EADDRNOTAVAIL
    return True


def read_header(client: Client, buffer: HeadBuffer, seconds: float) -> bytes:
    """Read the header and return it; what is behind it stays in ``buffer``.  Raises PeerFault 400 or 408, PeerGone."""
    deadline = time.monotonic() + seconds
    while not (end := header_end(buffer.data, buffer.filled)):
        more(client, buffer, deadline)
    buffer.start = end
    return bytes(buffer.data[:end])


def parse_header(header: bytes) -> "tuple[str, int] | None":
    """Returns and raises as the two parsers below."""
    return parse_v2(header) if header.startswith(VERSION_2) else parse_v1(header)


def header_end(data: bytearray, filled: int) -> int:
    """Where the header ends that ``data[:filled]`` begins with, 0 as long as that is open.  Raises PeerFault 400.

    Only the first bytes are copied: behind the header there may be a head, and credentials in it.
    """
    start = bytes(memoryview(data)[: min(filled, 16)])
    if VERSION_2.startswith(start[:12]):
        end = 16 + int.from_bytes(start[14:], "big")
        if end > VERSION_2_BYTES:
            raise PeerFault(400, f"a PROXY header of more than {VERSION_2_BYTES} bytes (proxy-protocol.txt §2)")
        return end if filled >= end else 0
    end = data.find(b"\r\n", 0, min(filled, VERSION_1_BYTES)) + 2
    if not VERSION_1.startswith(start[:6]) or (end < 2 and filled >= VERSION_1_BYTES):
        raise PeerFault(400, "no PROXY header, though this listener is for proxies (proxy-protocol.txt §2)")
    return end if end >= 2 else 0


def parse_v1(header: bytes) -> "tuple[str, int]":
    """The visitor's address, and the port that he connected to.  Raises PeerFault 400.

    UNKNOWN is refused: nobody would know by whose rules to serve.
    """
    _, kind, *parts = header[:-2].split(b" ")
    if kind not in (b"TCP4", b"TCP6") or len(parts) != 4:
        raise PeerFault(400, "expected TCP4 or TCP6, two addresses and two ports (proxy-protocol.txt §2.1)")
    source, _ = (read_address(part, FAMILIES[kind]) for part in parts[:2])
    for port in parts[2:]:
        if not port.isdigit() or b"%d" % int(port) != port or int(port) > 65535:
            raise PeerFault(400, "a port that is no number up to 65535 (proxy-protocol.txt §2.1)")
    return source, int(parts[3])


def parse_v2(header: bytes) -> "tuple[str, int] | None":
    """As ``parse_v1``; None for LOCAL: the proxy speaks for itself, as in a health check."""
    command, kind = header[12:14]
    if command == LOCAL:
        return None
    family = FAMILIES.get(kind)
    size = 16 if family == socket.AF_INET6 else 4
    if command != PROXY or family is None or len(header) < 16 + 2 * size + 4:
        raise PeerFault(400, "expected LOCAL, or PROXY with addresses of TCP (proxy-protocol.txt §2.2)")
    address = plain_address((socket.inet_ntop(family, header[16 : 16 + size]),))
    return address, int.from_bytes(header[18 + 2 * size : 20 + 2 * size], "big")


def certified(header: bytes) -> bytes:
    """The common name of the certificate that the visitor has shown and the proxy has verified, as the TLVs of a header of
    version 2 tell; empty without one, and for LOCAL.  Raises PeerFault 400."""
    if header[12] == LOCAL:
        return b""
    told = [value for kind, value in tlvs(header[16 + (36 if header[13] == 0x21 else 12) :]) if kind == SSL]
    if len(told) > 1 or any(len(value) < 5 for value in told):
        raise PeerFault(400, "more than one TLV about TLS, or one that is too short (proxy-protocol.txt §2.2.6)")
    names = [name for value in told for kind, name in tlvs(value[5:]) if kind == COMMON_NAME]
    if len(names) > 1:
        raise PeerFault(400, "more than one common name (proxy-protocol.txt §2.2.6)")
    # The verdict is 0 for a certificate that is good, and means nothing where none was sent.
    return names[0] if names and told[0][0] & TLS and told[0][0] & SENT and not any(told[0][1:5]) else b""


def tlvs(data: bytes) -> "list[tuple[int, bytes]]":
    """Type and value of each TLV in ``data``.  Raises PeerFault 400."""
    found = []
    while data:
        end = 3 + int.from_bytes(data[1:3], "big")
        if len(data) < end:
            raise PeerFault(400, "a TLV that is longer than what it is in (proxy-protocol.txt §2.2)")
        found.append((data[0], data[3:end]))
        data = data[end:]
    return found


def read_address(text: bytes, family: int) -> str:
    """``text`` as the rules know addresses.  Raises PeerFault 400."""
    try:
        return plain_address((socket.inet_ntop(family, socket.inet_pton(family, text.decode("ascii"))),))
    except (OSError, ValueError):
        raise PeerFault(400, "no address where a proxy has to say its visitor's") from None


def visitor(client: Client, head: RequestHead) -> "tuple[str, bytes]":
    """The address of whom ``head`` is from, and the name that a proxy has for him, by the fields that tell them.

    Of addresses the last one counts, which is what the proxy wrote.  A list of names is one that the proxy has added its
    own to.  Raises PeerFault 400.
    """
    address, user = client.address, client.user
    if client.field:
        last = head.told.get(client.field, b"").rpartition(b",")[2].strip(b" \t")
        address = read_address(last, socket.AF_INET6 if b":" in last else socket.AF_INET)
    if client.login:
        user = head.told.get(client.login, b"")
        if b"," in user:
            raise PeerFault(400, "more than one name where a proxy has to say who its visitor is")
    return address, user
