# SPDX-License-Identifier: Apache-2.0
"""``listen``: what each form becomes, and each mistake with the line that it is answered with."""

import grp
import os
import pwd
import re
from pathlib import Path

import pytest

from selsock.generate.configuration import Configuration, configure
from selsock.generate.listeners import FieldName
from selsock.generate.ranges import Ledger
from selsock.generate.source import load
from selsock.generate.unix import Account, Mode
from selsock.model import Listener
from tests.unit.test_generate_refusals import A, V, refusal

ROOT = Path(__file__).parents[2]
USER = pwd.getpwuid(os.getuid()).pw_name
PEER = "peer: {user: 0, type: haproxy_t}"


def configured(listen: str, more: str = "") -> Configuration:
    """The configuration with these entries."""
    return configure(load(f"listen: [{listen}]\n{more}{A}{V}".encode(), "vhost.yaml"), "vhost.yaml", Ledger())


@pytest.mark.parametrize(
    ("entry", "name", "record"),
    [
        (
            '{address: "192.0.2.1:80", proxy: protocol, from: 192.0.2.7}',
            "80",
            "protocol|||http|||192.0.2.7/32",
        ),
        (
            '{address: 80, proxy: protocol, scheme: https, from: [192.0.2.0/24, "2001:db8::/32"]}',
            "80",
            "protocol|||https|||192.0.2.0/24|2001:db8::/32",
        ),
        (
            '{address: "[2001:db8::1]:8080", client: X-Forwarded-For, scheme: http, from: 126.0.0.0/8}',
            "8080",
            "client|x-forwarded-for||http|||126.0.0.0/8",
        ),
        (
            f"{{unix: /run/selsock/a.sock, {PEER}}}",
            "/run/selsock/a.sock",
            "|||http|0|haproxy_t",
        ),
        (
            f"{{unix: /run/selsock/a/b, scheme: https, client: x-real-ip, peer: {{user: {USER}, type: p_t}}}}",
            "/run/selsock/a/b",
            f"client|x-real-ip||https|{os.getuid()}|p_t",
        ),
        (
            "{unix: /run/selsock/b, proxy: protocol, peer: {user: 4294967294, type: p_t}}",
            "/run/selsock/b",
            "protocol|||http|4294967294|p_t",
        ),
        (
            "{address: 80, proxy: protocol, certificate: true, from: 192.0.2.7}",
            "80",
            "protocol||:certificate|http|||192.0.2.7/32",
        ),
        (
            "{address: 80, remote_user: X-Remote-User, scheme: https, from: 192.0.2.7}",
            "80",
            "||x-remote-user|https|||192.0.2.7/32",
        ),
        (
            "{address: 80, client: X-Real-IP, remote_user: X-Remote-User, from: 192.0.2.7}",
            "80",
            "client|x-real-ip|x-remote-user|http|||192.0.2.7/32",
        ),
        (
            f"{{unix: /run/selsock/a.sock, remote_user: X-Login, {PEER}}}",
            "/run/selsock/a.sock",
            "||x-login|http|0|haproxy_t",
        ),
    ],
)
def test_entry_becomes_a_record(entry: str, name: str, record: str) -> None:
    """Which the handler reads."""
    (found,) = configured(entry).listen
    assert (name, record.replace("|", "\t").encode(), True) == (found.name, found.record(), found.marked)
    Listener(found.record())


@pytest.mark.parametrize("entry", ["80", '"192.0.2.1:80"', "{address: 80}", '{address: "[::1]:80"}'])
def test_plain_address_has_no_record(entry: str) -> None:
    """Nobody's word is taken there."""
    (found,) = configured(entry).listen
    assert found.marked is False


@pytest.mark.parametrize(
    ("listen", "limits", "number"),
    [
        ("80", "", 16),
        ("80", "limits: {connections: 8}\n", 8),
        ("80, {address: 81, proxy: protocol, from: 192.0.2.7}", "", 0),
        (f"{{unix: /run/selsock/a, {PEER}}}", "limits: {connections: 8}\n", 0),
        ("{address: 81, client: x, from: 192.0.2.7}", "limits: {connections_per_source: 5}\n", 5),
    ],
)
def test_connections_of_a_proxy_are_not_one_peers(listen: str, limits: str, number: int) -> None:
    """With a proxy, the limit for each address would be one for each proxy."""
    assert number == configured(listen, limits).system.connections_per_source


def test_owner_of_a_socket() -> None:
    """By default root, and nobody else; else as given, if this machine knows them."""
    owners = [
        entry.owner
        for more in ("", "mode: '0660', ", f"mode: '0600', user: {USER}, group: root, ")
        for entry in configured(f"{{unix: /run/selsock/a, {more}{PEER}}}").listen
        if entry.owner is not None
    ]
    assert [(owner.mode, owner.user, owner.group) for owner in owners] == [
        ("0600", "root", "root"),
        ("0660", "root", "root"),
        ("0600", USER, "root"),
    ]


FROM = "from: 192.0.2.7"
OTHERS = "addresses of proxies on other machines, loopback not among them"
HEADER = "the name of a field that is the proxy's to write, such as X-Real-IP or X-Remote-User"
PLACE = "a path below /run/selsock/, 107 bytes at most, and none of identify, pam, sql there"
THERE = "a user or group that this machine has"

# entry: (column and key, expected, found)
REFUSED = {
    "{}": ("10: listen[0]", "the key 'address'", "its absence"),
    "{port: 80}": ("11: listen[0].port", "a known key, the nearest being 'proxy'", "'port'"),
    "{address: [80]}": ("20: listen[0].address", "a single value", "a list"),
    "{address: 0}": ("20: listen[0].address", "PORT, ADDRESS:PORT or [IPV6]:PORT", "'0'"),
    "{address: 80, proxy: true, from: 192.0.2.7}": ("31: listen[0].proxy", "protocol", "'true'"),
    "{address: 80, proxy: protocol}": ("10: listen[0]", "the key 'from'", "its absence"),
    "{address: 80, client: X-Real-IP}": ("10: listen[0]", "the key 'from'", "its absence"),
    f"{{address: 80, proxy: protocol, client: x, {FROM}}}": (
        "41: listen[0].client",
        "one of proxy and client, not both",
        "'client'",
    ),
    f"{{address: 80, {FROM}}}": ("24: listen[0].from", "proxy, client or remote_user beside from", "'from'"),
    "{address: 80, scheme: https}": ("24: listen[0].scheme", "proxy, client or remote_user beside scheme", "'scheme'"),
    f"{{address: 80, proxy: protocol, scheme: HTTPS, {FROM}}}": ("49: listen[0].scheme", "http or https", "'HTTPS'"),
    "{address: 80, proxy: protocol, from: []}": ("47: listen[0].from", "a value or a list of them", "an empty list"),
    "{address: 80, proxy: protocol, from: proxy.example}": (
        "47: listen[0].from",
        "an address or a network such as 192.0.2.0/24 or 2001:db8::/32",
        "'proxy.example'",
    ),
    f"{{address: 80, mode: '0660', {FROM}}}": (
        "24: listen[0].mode",
        "a known key, the nearest being 'remote_user'",
        "'mode'",
    ),
    f"{{unix: /run/selsock/a, {FROM}, {PEER}}}": (
        "33: listen[0].from",
        "a known key, the nearest being 'proxy'",
        "'from'",
    ),
    f"{{unix: /run/selsock/a, address: 80, {PEER}}}": (
        "33: listen[0].address",
        "a known key, the nearest being 'mode'",
        "'address'",
    ),
    f"{{address: 80, certificate: true, client: x, {FROM}}}": (
        "24: listen[0].certificate",
        "proxy beside certificate: the header of the PROXY protocol has it",
        "'certificate'",
    ),
    f"{{address: 80, proxy: protocol, certificate: true, remote_user: x, {FROM}}}": (
        "41: listen[0].certificate",
        "one of remote_user and certificate, not both",
        "'certificate'",
    ),
    f"{{address: 80, proxy: protocol, certificate: yes, {FROM}}}": (
        "54: listen[0].certificate",
        "true",
        "'yes'",
    ),
    "{address: 80, remote_user: x}": ("10: listen[0]", "the key 'from'", "its absence"),
    f"{{address: 80, remote_user: Host, {FROM}}}": ("37: listen[0].remote_user", HEADER, "'Host'"),
    f"{{unix: /run/selsock/identify, {PEER}}}": ("17: listen[0].unix", PLACE, "'/run/selsock/identify'"),
    "{unix: /run/selsock/a}": ("10: listen[0]", "the key 'peer'", "its absence"),
    "{unix: /run/selsock/a, peer: {user: 0}}": ("39: listen[0].peer", "the key 'type'", "its absence"),
    "{unix: /run/selsock/a, peer: {type: a_t}}": ("39: listen[0].peer", "the key 'user'", "its absence"),
    "{unix: /run/selsock/a, peer: {user: 0, type: a}}": (
        "55: listen[0].peer.type",
        "an SELinux type that ends in _t",
        "'a'",
    ),
    "{unix: /run/selsock/a, peer: {user: nobody-of-this-name, type: a_t}}": (
        "46: listen[0].peer.user",
        THERE,
        "'nobody-of-this-name'",
    ),
    "{unix: /run/selsock/a, peer: {user: -1, type: a_t}}": (
        "46: listen[0].peer.user",
        "the name of a user or group",
        "'-1'",
    ),
    "{unix: /run/selsock/a, peer: {user: 4294967295, type: a_t}}": (
        "46: listen[0].peer.user",
        "a number from 0 to 4294967294",
        "'4294967295'",
    ),
    f"{{unix: /run/selsock/a, group: no-such-group, {PEER}}}": ("40: listen[0].group", THERE, "'no-such-group'"),
    f"{{unix: /run/selsock/a, user: no-such-user, {PEER}}}": ("39: listen[0].user", THERE, "'no-such-user'"),
    f"{{unix: /run/selsock/a, user: '0', {PEER}}}": ("39: listen[0].user", "the name of a user or group", "'0'"),
    f"{{unix: /run/selsock/a, mode: 660, {PEER}}}": (
        "39: listen[0].mode",
        "permissions in four octal digits, such as 0660",
        "'660'",
    ),
    f"{{unix: /run/selsock/, {PEER}}}": (
        "17: listen[0].unix",
        "an absolute path of letters, digits and ._-+@=~ without //, /./, /../ or a slash at the end",
        "'/run/selsock/'",
    ),
    f"{{unix: /run/selsock, {PEER}}}": ("17: listen[0].unix", PLACE, "'/run/selsock'"),
    f"{{unix: /run/other/a, {PEER}}}": ("17: listen[0].unix", PLACE, "'/run/other/a'"),
    f"{{unix: /run/selsock/{'a' * 95}, {PEER}}}": ("17: listen[0].unix", PLACE, f"'/run/selsock/{'a' * 47}'…"),
}
REFUSED |= {
    f'{{address: 80, proxy: protocol, from: "{network}"}}': ("47: listen[0].from", OTHERS, f"'{network}'")
    for network in ("127.0.0.1", "127.0.0.0/8", "127.9.0.0/16", "::1", "::/64", "0.0.0.0/0", "::/0", "64.0.0.0/2")
}
REFUSED |= {
    f'{{address: 80, {FROM}, client: "{field}"}}': (
        "49: listen[0].client",
        HEADER,
        f"'{field}'" if field else "nothing",
    )
    for field in ("Host", "AUTHORIZATION", "connection", "Forwarded", "X_Real_IP", "X Real", "", "X-Real-IP:", "a" * 65)
}
REFUSED[f'{{address: 80, {FROM}, client: "{"a" * 65}"}}'] = ("49: listen[0].client", HEADER, f"'{'a' * 60}'…")


@pytest.mark.parametrize("entry", REFUSED)
def test_each_mistake_is_named_where_it_stands(entry: str) -> None:
    place, expected, found = REFUSED[entry]
    assert refusal(f"listen: [{entry}]\n{A}{V}") == f"vhost.yaml:1:{place}: expected {expected}, not {found}"


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        (
            f"{{unix: /run/selsock/a, {PEER}}}",
            f"{{unix: /run/selsock/b, {PEER}}}",
            "unix: expected one UNIX socket at most, and one with run_as, not '/run/selsock/b'",
        ),
        (
            "80",
            "{address: 80}",
            "address: expected an address that can be listened on beside 80, not '80'",
        ),
        (
            f'{{address: "192.0.2.1:80", proxy: protocol, {FROM}}}',
            '"192.0.2.2:80"',
            "expected another port than 192.0.2.1:80, since a proxy speaks on one of them, not '192.0.2.2:80'",
        ),
        (
            '"192.0.2.2:80"',
            f'{{address: "192.0.2.1:80", proxy: protocol, {FROM}}}',
            "address: expected another port than 192.0.2.2:80, since a proxy speaks on one of them, not '192.0.2.1:80'",
        ),
    ],
)
def test_entries_that_do_not_go_together(first: str, second: str, answer: str) -> None:
    """The handler tells listeners apart by their port, systemd gives all UNIX sockets of a unit one owner."""
    found = refusal(f"listen:\n  - {first}\n  - {second}\n{A}{V}")
    assert found.partition("listen[1]")[2].removeprefix(".").removeprefix(": ") == answer
    assert refusal(f"listen:\n  - {first}\n{A}{V}") == refusal(f"listen:\n  - {second}\n{A}{V}") == ""


@pytest.mark.parametrize(
    ("path", "good"), [(f"/run/selsock/{'a' * 93}", True), (f"/run/selsock/{'a' * 94}", True), ("/run/selsock/a", True)]
)
def test_path_fits_into_an_address(path: str, good: bool) -> None:
    """107 bytes and a NUL (unix(7)); one more is among the refusals."""
    assert (refusal(f"listen: [{{unix: {path}, {PEER}}}]\n{A}{V}") == "") is good


EXAMPLES = [
    example
    for page in ("docs/man/selsock.vhost.5.scd", "docs/proxies.md")
    for example in re.findall(
        r"^```(?:yaml)?\n(listen:\n.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_documents_are_good(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with a vhost behind it, on a machine that has the users; and each is about a proxy."""
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "x", 99, 99, "", "/", "/bin/false")))
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 99, [])))
    configuration = configure(load(f"{example}{A}{V}".encode(), "vhost.yaml"), "vhost.yaml", Ledger())
    assert any(entry.marked for entry in configuration.listen)


def test_there_are_examples() -> None:
    """One of each kind in the manual, and the one that proxies are tested with."""
    assert len(EXAMPLES) == 4


def test_names() -> None:
    """The edges of each rule."""
    assert [text for text in ("x", "X-Real-IP", "a" * 64, "-") if not FieldName.accepts(text)] == []
    assert [text for text in ("0000", "0777", "0660") if not Mode.accepts(text)] == []
    assert [text for text in ("1660", "066", "06600", "0668", "u+rw", "", "٠٦٦٠") if Mode.accepts(text)] == []
    assert [text for text in ("root", "_a", "a" * 31, "www-data") if not Account.accepts(text)] == []
    assert [text for text in ("", "0", "a" * 32, "Root", "a b", "a%", "a\nb", "ä") if Account.accepts(text)] == []
