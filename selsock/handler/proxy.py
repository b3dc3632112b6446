# SPDX-License-Identifier: Apache-2.0
"""proxy: for whom a connection speaks, where ``vhost.yaml`` says that a proxy connects.

The header comes from https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt; § is a section of it.  It is read on
listeners marked for it only, there it must be, and only from who was named.  Everywhere else it is no HTTP request.
"""

from selsock.cores import socket, struct, time
from selsock.errors import PeerFault
from selsock.handler.adopt import Client, plain_address
from selsock.handler.head import HeadBuffer, RequestHead, more
from selsock.model import Limits, Listener

SO_PEERCRED, SO_PEERSEC = 17, 31  # <asm-generic/socket.h>
EADDRNOTAVAIL = 99
VERSION_1 = b"PROXY "
VERSION_2 = b"\r\n\r\n\0\r\nQUIT\n"
VERSION_1_BYTES = 107  # §2.1, with CRLF
VERSION_2_BYTES = 536  # §2: what every path carries in one segment
LOCAL, PROXY = 0x20, 0x21  # version and command, §2.2
FAMILIES = {b"TCP4": socket.AF_INET, b"TCP6": socket.AF_INET6, 0x11: socket.AF_INET, 0x21: socket.AF_INET6}


def arrive(client: Client, buffer: HeadBuffer, listener: Listener, limits: Limits, enforce: bool) -> None:
    """Find out for whom ``client``, who has come by ``listener``, speaks.

    Raises PeerFault 400, 403 or 408; PeerGone when nothing came.
    """
    check_peer(client, listener, enforce)
    client.scheme, client.field = listener.scheme, listener.field
    client.port = 443 if client.scheme == "https" else 80
    if listener.kind == "protocol":
        source = read_header(client, buffer, limits.first_byte_seconds)
        client.address, client.port = source or (client.address, client.port)


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


def read_header(client: Client, buffer: HeadBuffer, seconds: float) -> "tuple[str, int] | None":
    """Read the header; what is behind it stays in ``buffer``.  Returns and raises as the two parsers below."""
    deadline = time.monotonic() + seconds
    while not (end := header_end(buffer.data, buffer.filled)):
        more(client, buffer, deadline)
    buffer.start = end
    header = bytes(buffer.data[:end])
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
    """As ``parse_v1``; None for LOCAL: the proxy speaks for itself, as in a health check.  TLVs are not looked at."""
    command, kind = header[12:14]
    if command == LOCAL:
        return None
    family = FAMILIES.get(kind)
    size = 16 if family == socket.AF_INET6 else 4
    if command != PROXY or family is None or len(header) < 16 + 2 * size + 4:
        raise PeerFault(400, "expected LOCAL, or PROXY with addresses of TCP (proxy-protocol.txt §2.2)")
    address = plain_address((socket.inet_ntop(family, header[16 : 16 + size]),))
    return address, int.from_bytes(header[18 + 2 * size : 20 + 2 * size], "big")


def read_address(text: bytes, family: int) -> str:
    """``text`` as the rules know addresses.  Raises PeerFault 400."""
    try:
        return plain_address((socket.inet_ntop(family, socket.inet_pton(family, text.decode("ascii"))),))
    except (OSError, ValueError):
        raise PeerFault(400, "no address where a proxy has to say its visitor's") from None


def visitor(client: Client, head: RequestHead) -> str:
    """The address of whom ``head`` is from, where a field tells it: the last one in it, which is what the proxy wrote.

    Raises PeerFault 400.
    """
    last = head.fields.get(client.field, b"").rpartition(b",")[2].strip(b" \t")
    return read_address(last, socket.AF_INET6 if b":" in last else socket.AF_INET)
