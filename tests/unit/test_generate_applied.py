# SPDX-License-Identifier: Apache-2.0
"""What is in force: kept to the byte, refused when damaged, and what it had labelled."""

from pathlib import Path

import pytest

from selsock.generate.applied import Applied, labelled, read
from selsock.generate.compiled import compile_table
from selsock.generate.configuration import configure
from selsock.generate.faults import MachineFault
from selsock.generate.plan import APPLIED, MAPS, TABLE
from selsock.generate.ranges import Ledger
from selsock.generate.source import load

SOURCE = Path("/etc/selsock/vhost.yaml")


def text(*names: str) -> bytes:
    """A configuration with these vhosts; the first has a password file, and an alias."""
    found = "domains: {public: {}}\ndefault_context: public:auto\nvhosts:\n"
    for name in names:
        extra = ", aliases: [x.example], auth: {basic: {realm: x, file: /etc/selsock/htpasswd}}" if name == "a" else ""
        found += f"  {name}.example: {{root: /srv/{name}{extra}}}\n"
    return found.encode()


def table(data: bytes) -> bytes:
    """The table of a configuration."""
    return compile_table(configure(load(data, "vhost.yaml"), "vhost.yaml", Ledger()), "0123456789abcdef")


def put(root: Path, path: str, data: bytes) -> None:
    """Write a file of the state directory."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)


@pytest.mark.parametrize("data", [b"", b"a\nb\n", b"\n\nno end", b"\xff\x00\r\n"])
@pytest.mark.parametrize("source", [SOURCE, Path("/a b/\udcff/vhost.yaml")])
def test_what_was_kept_is_read(tmp_path: Path, source: Path, data: bytes) -> None:
    put(tmp_path, APPLIED, Applied(source, data).compose())
    assert read(tmp_path) == Applied(source, data)


def test_maps_are_kept_with_the_source(tmp_path: Path) -> None:
    """And are what tells of labels where the table does not, whatever is on the disk."""
    source = text("a") + b"contexts: [{map: /etc/selsock/users.map}]\n"
    put(tmp_path, APPLIED, Applied(SOURCE, source).compose())
    assert labelled(tmp_path) is None
    put(tmp_path, MAPS, b"/etc/selsock/users.map 13\nalice public\n")
    assert read(tmp_path) == Applied(SOURCE, source, {"/etc/selsock/users.map": b"alice public\n"})
    assert labelled(tmp_path) == frozenset({"/srv/a", "/etc/selsock/htpasswd"})
    put(tmp_path, MAPS, b"/etc/selsock/users.map 14\nalice public\n")
    with pytest.raises(MachineFault) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/{MAPS} is damaged: expected lines FILE LENGTH, each before so many bytes; "
        "apply the source itself again"
    )


def test_directories_for_temporary_files_are_labelled(tmp_path: Path) -> None:
    """As the table tells, and as the source does."""
    code = b"    contexts: [{any: true}]\n    locations: {/: {wsgi: {application: 'a:b'}}}\n"
    source = (
        text("b")
        .replace(b"{public: {}}", b"{public: {python: true}}")
        .replace(b": {root: /srv/b}", b":\n    root: /srv/b")
    )
    put(tmp_path, APPLIED, Applied(SOURCE, source + code).compose())
    expected = frozenset({"/srv/b", "/var/cache/selsock/b.example"})
    assert labelled(tmp_path) == expected
    put(tmp_path, TABLE, table(source + code))
    assert labelled(tmp_path) == expected


def test_nothing_was_applied(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    assert labelled(tmp_path) == frozenset()


@pytest.mark.parametrize(
    "data", [b"", b"/etc/selsock/vhost.yaml", b"vhost.yaml\na", b"\na", b"/\na", b"/etc/a b.yaml\na", b"/etc/..\na"]
)
def test_what_is_damaged_is_refused(tmp_path: Path, data: bytes) -> None:
    put(tmp_path, APPLIED, data)
    with pytest.raises(MachineFault) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/{APPLIED} is damaged: its first line is not the absolute path of a source; "
        "apply the source itself again"
    )


def test_the_ledger_is_beside_the_source() -> None:
    assert Applied(SOURCE, b"").ledger == Path("/etc/selsock/vhost.yaml.ranges")


def test_the_table_tells_what_was_labelled(tmp_path: Path) -> None:
    """It, and not the source beside it, is what requests are answered by."""
    put(tmp_path, TABLE, table(text("a", "b")))
    put(tmp_path, APPLIED, Applied(SOURCE, text("c")).compose())
    assert labelled(tmp_path) == frozenset({"/srv/a", "/srv/b", "/etc/selsock/htpasswd"})


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other"])
def test_the_source_tells_when_the_table_does_not(tmp_path: Path, damage: str) -> None:
    whole = table(text("b"))
    if damage != "missing":
        data = {"empty": b"", "cut": whole[:-1], "other": whole.replace(b"root\t", b"tree\t")}[damage]
        put(tmp_path, TABLE, data)
    put(tmp_path, APPLIED, Applied(SOURCE, text("a", "c")).compose())
    assert labelled(tmp_path) == frozenset({"/srv/a", "/srv/c", "/etc/selsock/htpasswd"})


@pytest.mark.parametrize("applied", [None, b"", b"/etc/selsock/vhost.yaml\nvhosts: {}\n", b"/etc/x.yaml\n\xff"])
def test_neither_tells(tmp_path: Path, applied: bytes | None) -> None:
    """Missing, damaged, or no longer a good configuration."""
    put(tmp_path, TABLE, b"rubbish")
    if applied is not None:
        put(tmp_path, APPLIED, applied)
    assert labelled(tmp_path) is None
