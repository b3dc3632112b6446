# SPDX-License-Identifier: Apache-2.0
"""``listen``: where connections come in, and which of them a proxy speaks on, whose word on its visitors is taken.

An entry is an address, or a mapping that says more.  Loopback is never trusted: any login could speak from there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace

from selsock.generate.machine import SystemLimits
from selsock.generate.rules import parse_network
from selsock.generate.source import Mapping, Node, is_true, mapping, one_or_more, scalar, sequence
from selsock.generate.unix import Owner, Peer, parse_owner, parse_path, parse_peer
from selsock.model import CERTIFICATE
from selsock.names import DIGITS, LOWER, AbsolutePath, Name, Network

# Ports that Fedora's policy and refpolicy alike let a web server bind (http_port_t, http_cache_port_t).
WEB_PORTS = (80, 443, 8008, 8080, 8443)
# From these no proxy speaks; also where they are written as IPv6, though parse_network refuses that form.
LOOPBACK = tuple(ipaddress.ip_network(text) for text in ("127.0.0.0/8", "::1/128", "::ffff:127.0.0.0/104"))
# Fields that mean something of their own; Forwarded (RFC 7239) is no list of addresses.
OTHER_FIELDS = (
    *("authorization", "connection", "content-length", "content-type", "cookie", "expect", "forwarded", "host"),
    *("proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
)
# What an entry of either form may say.
BOTH = ("proxy", "client", "scheme", "remote_user", "certificate", "run_as")


class Listen(Name):
    """A value of ListenStream=: a port, or an address with a port."""

    __slots__ = ()
    expected = "PORT, ADDRESS:PORT or [IPV6]:PORT"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Addresses in canonical form alone, without scope, so that the same one is never written twice."""
        host, colon, port = text.rpartition(":")
        if (
            len(port) > 5
            or not port.isascii()
            or not port.isdigit()
            or str(int(port)) != port
            or not 0 < int(port) < 65536
        ):
            return False
        return not colon or canonical(host) == host

    @property
    def port(self) -> int:
        """The port alone."""
        return int(self.rpartition(":")[2])

    @property
    def host(self) -> str:
        """The address, ``[::]`` where there is none: systemd then binds IPv6 and IPv4 at once."""
        return self.rpartition(":")[0] or "[::]"

    def clashes(self, other: Listen) -> bool:
        """Whether the kernel refuses to listen on both (EADDRINUSE), which would take the whole socket unit down."""
        if self.port != other.port:
            return False
        hosts = {self.host, other.host}
        both_old = not any(host.startswith("[") for host in hosts)
        return len(hosts) == 1 or "[::]" in hosts or ("0.0.0.0" in hosts and both_old)


def canonical(host: str) -> str | None:
    """The one spelling of an IPv4 address or a bracketed IPv6 address; None for anything else."""
    try:
        if host.startswith("[") and host.endswith("]") and "%" not in host:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None


class FieldName(Name):
    """A field by which a proxy names its visitor (RFC 9110 §5.1), in lower case; no underscore, as in any request."""

    __slots__ = ()
    expected = "the name of a field that is the proxy's to write, such as X-Real-IP or X-Remote-User"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Letters, digits and hyphens, and none of ``OTHER_FIELDS``."""
        known = text.lower()
        return 0 < len(known) <= 64 and not known.strip(LOWER + DIGITS + "-") and known not in OTHER_FIELDS


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An entry of ``listen``.

    ``stream`` is what ListenStream= takes.  ``proxy`` says that the PROXY protocol is spoken there, ``client`` names
    the field that tells the visitor's address instead; ``remote_user`` names the field that tells who he is, and
    ``certificate`` says that the protocol's header does.  All are believed of ``networks`` or ``peer`` alone.  ``run_as``
    says that vhosts with that key are served there, and no others.
    """

    stream: Listen | AbsolutePath
    proxy: bool = False
    client: str = ""
    remote_user: str = ""
    certificate: bool = False
    scheme: str = "http"
    networks: tuple[Network, ...] = ()
    peer: Peer | None = None
    owner: Owner | None = None
    run_as: bool = False

    @property
    def name(self) -> str:
        """The port or path by which the handler finds it."""
        return str(self.stream.port) if isinstance(self.stream, Listen) else self.stream

    @property
    def marked(self) -> bool:
        """Whether the handler has to know of it."""
        return bool(self.networks or self.peer)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields by which its proxy names visitors, in lower case."""
        return tuple(name for name in (self.client, self.remote_user) if name)

    def record(self) -> bytes:
        """The record of the table, as ``Listener`` of selsock/model.py reads it."""
        kind = "protocol" if self.proxy else "client" if self.client else ""
        peer = (str(self.peer.uid), self.peer.type) if self.peer else ("", "")
        login = CERTIFICATE.decode() if self.certificate else self.remote_user
        return "\t".join((kind, self.client, login, self.scheme, *peer, *self.networks)).encode()


def parse_listen(node: Node | None) -> tuple[Endpoint, ...]:
    """The list under ``listen``, ``[80]`` when it is missing.  Raises BadSource."""
    if node is None:
        return (Endpoint(Listen("80")),)
    items = sequence(node)
    if not items:
        node.refuse("an address at least")
    found: list[Endpoint] = []
    for item in items:
        entry = parse_entry(item)
        for other in found:
            check_beside(entry, other, item)
        found.append(entry)
    if all(entry.run_as for entry in found):
        node.refuse("a listener without run_as at least")
    return tuple(found)


def check_beside(entry: Endpoint, other: Endpoint, node: Node) -> None:
    """Refuse what can not be listened on beside ``other``.  Raises BadSource."""
    if isinstance(entry.stream, Listen) and isinstance(other.stream, Listen):
        if entry.stream.clashes(other.stream):
            stream(node).refuse(f"an address that can be listened on beside {other.stream}")
        if entry.stream.port == other.stream.port and (entry.marked or other.marked):
            # The handler knows them apart by the port alone.
            stream(node).refuse(f"another port than {other.stream}, since a proxy speaks on one of them")
        if entry.stream.port == other.stream.port and entry.run_as != other.run_as:
            stream(node).refuse(f"another port than {other.stream}, since one of them has run_as")
    elif entry.peer and other.peer and entry.run_as == other.run_as:
        # SocketMode=, SocketUser= and SocketGroup= are the whole unit's.
        stream(node).refuse("one UNIX socket at most, and one with run_as")


def stream(node: Node) -> Node:
    """Where an entry says what to listen on."""
    return (
        next(iter(node.values[key] for key in ("address", "unix") if key in node.values))
        if isinstance(node, Mapping)
        else node
    )


def parse_entry(node: Node) -> Endpoint:
    """One entry.  Raises BadSource."""
    if not isinstance(node, Mapping):
        return Endpoint(scalar(node).name(Listen))
    unix = "unix" in node.values
    node.only(("unix", "mode", "user", "group", "peer", *BOTH) if unix else ("address", "from", *BOTH))
    if unix:
        entry = Endpoint(parse_path(scalar(node.require("unix"))), peer=parse_peer(node), owner=parse_owner(node))
    else:
        entry = Endpoint(scalar(node.require("address")).name(Listen))
    proxy, client, scheme, remote_user, certificate, run_as = (node.get(name) for name in BOTH)
    if proxy is not None and scalar(proxy).text != "protocol":
        proxy.refuse("protocol")
    if client is not None and proxy is not None:
        node.keys["client"].refuse("one of proxy and client, not both")
    if scheme is not None and scalar(scheme).text not in ("http", "https"):
        scheme.refuse("http or https")
    if certificate is not None and proxy is None:
        node.keys["certificate"].refuse("proxy beside certificate: the header of the PROXY protocol has it")
    if certificate is not None and remote_user is not None:
        node.keys["certificate"].refuse("one of remote_user and certificate, not both")
    speaks = proxy is not None or client is not None or remote_user is not None
    for name in ("scheme", "from"):
        if name in node.values and not unix and not speaks:
            node.keys[name].refuse(f"proxy, client or remote_user beside {name}")
    return replace(
        entry,
        proxy=proxy is not None,
        client=scalar(client).name(FieldName).lower() if client is not None else "",
        remote_user=scalar(remote_user).name(FieldName).lower() if remote_user is not None else "",
        certificate=certificate is not None and is_true(node, "certificate"),
        run_as=run_as is not None and is_true(node, "run_as"),
        scheme=scalar(scheme).text if scheme is not None else "http",
        networks=parse_from(node.require("from")) if speaks and not unix else (),
    )


def parse_from(node: Node) -> tuple[Network, ...]:
    """The addresses of the proxies of a listener, none of them loopback's.  Raises BadSource."""
    found = []
    for item in one_or_more(node):
        found.append(parse_network(item))
        network = ipaddress.ip_network(found[-1])
        if any(network.version == other.version and network.overlaps(other) for other in LOOPBACK):
            item.refuse("addresses of proxies on other machines, loopback not among them")
    return tuple(found)


def limited(system: SystemLimits, listen: Iterable[Endpoint], limits: Node | None) -> SystemLimits:
    """``system``, without a limit for each peer where that would be one for each proxy, unless it was asked for."""
    given = limits is not None and "connections_per_source" in mapping(limits).values
    if given or not any(entry.marked for entry in listen):
        return system
    return replace(system, connections_per_source=0)


def unusual_ports(listen: Iterable[Endpoint]) -> list[int]:
    """The ports that the policy does not let a web server bind without ``semanage port``."""
    ports = {entry.stream.port for entry in listen if isinstance(entry.stream, Listen)}
    return sorted(ports - set(WEB_PORTS))
