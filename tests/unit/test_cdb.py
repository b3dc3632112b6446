# SPDX-License-Identifier: Apache-2.0
"""cdb: round trips, tinycdb as the other implementation, and damage of every kind."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selsock.cdb import HEADER, Reader, hashed
from selsock.generate.cdb_writer import compose
from selsock.generate.compiled import decoded

records = st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=100)), max_size=40)
tinycdb = pytest.mark.skipif(
    shutil.which("cdb") is None and not os.environ.get("CI"), reason="the program cdb of Debian's tinycdb is not here"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a table is put."""
    return tmp_path_factory.mktemp("cdb") / "table.cdb"


def opened(place: Path, data: bytes) -> Reader:
    """A reader of ``data``."""
    place.write_bytes(data)
    return Reader(str(place))


@settings(deadline=None)
@given(pairs=records)
def test_the_first_value_of_each_key_is_found(place: Path, pairs: list[tuple[bytes, bytes]]) -> None:
    reader = opened(place, compose(pairs))
    first: dict[bytes, bytes] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    assert {key: reader.get(key) for key in first} == first
    assert reader.get(b"a key that is longer than thirty bytes") is None
    reader.close()


@tinycdb
@settings(deadline=None, max_examples=30)
@given(pairs=records)
def test_tinycdb_reads_what_we_wrote(place: Path, pairs: list[tuple[bytes, bytes]]) -> None:
    place.write_bytes(compose(pairs))
    dump = subprocess.run(["cdb", "-d", str(place)], check=True, capture_output=True).stdout
    wanted = b"".join(b"+%d,%d:%b->%b\n" % (len(key), len(value), key, value) for key, value in pairs)
    assert dump == wanted + b"\n"
    for key, value in dict(reversed(pairs)).items():
        if key and b"\0" not in key:
            found = subprocess.run(
                [b"cdb", b"-q", b"-n", b"1", b"--", os.fsencode(place), key], check=True, capture_output=True
            )
            assert found.stdout == value


@tinycdb
@settings(deadline=None, max_examples=30)
@given(pairs=records)
def test_tinycdb_writes_the_same_bytes(place: Path, pairs: list[tuple[bytes, bytes]]) -> None:
    """The layout leaves no freedom: the same records in the same order are the same file."""
    text = b"".join(b"+%d,%d:%b->%b\n" % (len(key), len(value), key, value) for key, value in pairs)
    subprocess.run(["cdb", "-c", str(place)], input=text + b"\n", check=True, capture_output=True)
    assert place.read_bytes() == compose(pairs)


def test_hash() -> None:
    """djb's: the hash of nothing is its start value."""
    assert hashed(b"") == 5381
    assert hashed(b"a") == (5381 * 33) ^ ord("a")
    assert hashed(b"\xff" * 1000) < 2**32


WHOLE = compose([(b"table", b"x" * 50), (b"host a.example", b"y" * 500)])


@pytest.mark.parametrize("length", [0, 1, HEADER - 1, HEADER, HEADER + 10, len(WHOLE) // 2 + 1100, len(WHOLE) - 1])
def test_a_file_cut_short_is_refused_at_once(place: Path, length: int) -> None:
    with pytest.raises(ValueError, match="shorter|long where its header says"):
        opened(place, WHOLE[:length])


def test_a_file_with_a_tail_is_refused_at_once(place: Path) -> None:
    with pytest.raises(ValueError, match="long where its header says"):
        opened(place, WHOLE + b"\0")


def test_a_link_is_not_followed(place: Path, tmp_path: Path) -> None:
    place.write_bytes(WHOLE)
    (tmp_path / "link").symlink_to(place)
    with pytest.raises(OSError):
        Reader(str(tmp_path / "link"))


@settings(deadline=None)
@given(position=st.integers(0, len(WHOLE) - 1), octet=st.integers(0, 255))
def test_a_damaged_file_gives_a_value_or_a_value_error(place: Path, position: int, octet: int) -> None:
    """Never another exception, and never an endless search."""
    damaged = bytearray(WHOLE)
    damaged[position] = octet
    try:
        reader = opened(place, bytes(damaged))
    except ValueError:
        return
    try:
        for key in (b"table", b"host a.example", b"absent"):
            reader.get(key)
    except ValueError:
        pass
    finally:
        reader.close()


def test_a_table_that_is_full_ends_the_search(place: Path) -> None:
    """No writer leaves one without an empty slot; a reader must not go round for ever in it."""
    slot = struct.pack("<II", hashed(b"other"), HEADER)
    end = struct.pack("<II", HEADER + 8, 1)
    reader = opened(place, end * 256 + struct.pack("<II", 0, 0) + slot)
    assert reader.get(b"absent") is None
    reader.close()


def test_decoded_shows_each_record_once_and_in_order() -> None:
    assert decoded(compose([(b"b", b"1\n2\n"), (b"a", b"")])) == "b\n    1\n    2\na\n"
    assert decoded(compose([])) == ""


@pytest.mark.parametrize("data", [b"", WHOLE[:HEADER], b"\xff" * HEADER, WHOLE[: HEADER + 3]])
def test_decoded_refuses_what_is_no_table(data: bytes) -> None:
    with pytest.raises(ValueError):
        decoded(data)
