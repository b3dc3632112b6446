# SPDX-License-Identifier: Apache-2.0
"""ranges: the parts that were asked for, or all of it, or that there are none; never a byte twice (RFC 9110 §14)."""

import email
from email.message import Message
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from selsock.handler.response import http_date
from selsock.handler.serve.ranges import LONGEST, MOST, content_range, parse_ranges, part_heads
from tests.unit.static_site import OLD, Answer, ask, put

DATA = bytes(range(256)) * 40
Parts = list[tuple[int, int]] | None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A document root with a file of 10,240 bytes and one of none."""
    put(tmp_path / "root" / "a.bin", DATA)
    put(tmp_path / "root" / "none", b"")
    return tmp_path / "root"


# ---- what is asked for


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-9", [(0, 10)]),
        ("bytes=0-10", [(0, 10)]),
        ("bytes=3-5", [(3, 3)]),
        ("bytes=9-", [(9, 1)]),
        ("bytes=0-", [(0, 10)]),
        ("bytes=-1", [(9, 1)]),
        ("bytes=-10", [(0, 10)]),
        ("bytes=-11", [(0, 10)]),
        ("BYTES=0-0", [(0, 1)]),
        ("bytes=000-0009", [(0, 10)]),
        ("bytes=0-18446744073709551615", [(0, 10)]),
        ("bytes=-18446744073709551616", [(0, 10)]),
        # Several: in their order, whether they touch or not.
        ("bytes=0-0,2-2", [(0, 1), (2, 1)]),
        ("bytes=5-5, 0-1,\t-1", [(5, 1), (0, 2), (9, 1)]),
        ("bytes=0-4,5-9", [(0, 5), (5, 5)]),
        ("bytes= 0-0 ,, 2-2 ,", [(0, 1), (2, 1)]),
        # Those behind the end are left out, as long as there are others.
        ("bytes=10-", []),
        ("bytes=10-20", []),
        ("bytes=-0", []),
        ("bytes=-000", []),
        ("bytes=10-,-0", []),
        ("bytes=99999999999999999999-", []),
        ("bytes=0-0,10-", [(0, 1)]),
        ("bytes=10-,-0,3-3", [(3, 1)]),
    ],
)
def test_parts_of_ten_bytes(value: str, parts: Parts) -> None:
    """RFC 9110 §14.1.2."""
    assert parts == parse_ranges(value.encode(), 10)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=0",
            "bytes=0-0-0",
            "bytes=--1",
            "bytes=0-+1",
        ),
        *("bytes=0 -0", "bytes=0- 0", "bytes=5-4", "bytes=0-0,5-4", "bytes=20-15", "bytes=0-0;2-2", "bytes=0-0 2-2"),
        *("bytes =0-0", " bytes=0-0", "bytes:0-0", "lines=0-0", "none", "bytes=0x0-0x1", "bytes=1_0-", "bytes=\u00b2-"),
        *("bytes=0-0,a", "bytes=0-0,lines=1-1", "bytes=0-0, bytes=2-2", "bytes=*", "bytes=1.0-2"),
        # More than once the same byte.
        *(
            "bytes=0-0,0-0",
            "bytes=0-5,5-9",
            "bytes=0-,-1",
            "bytes=5-9,0-5",
            "bytes=0-9,3-3",
            "bytes=-1,-2",
            "bytes=0-,0-",
        ),
    ],
)
def test_what_is_malformed_or_overlaps_is_ignored(value: str) -> None:
    """RFC 9110 §14.2: as if there were no Range; a unit that is not known, too."""
    assert parse_ranges(value.encode("latin-1"), 10) is None


@pytest.mark.parametrize(
    ("value", "parts"),
    [("bytes=0-", []), ("bytes=0-0", []), ("bytes=-0", []), ("bytes=-1", None), ("bytes=0-0,-5", None)],
)
def test_empty_file_has_no_part_but_its_end_is_all_of_it(value: str, parts: Parts) -> None:
    """RFC 9110 §14.1.2 calls that satisfiable, but §14.4 has no way of saying what was sent: so it is sent whole."""
    assert parts == parse_ranges(value.encode(), 0)


@pytest.mark.parametrize(("count", "accepted"), [(MOST - 1, True), (MOST, True), (MOST + 1, False)])
def test_number_of_parts_is_limited(count: int, accepted: bool) -> None:
    """Many small ones cost more than all of it; those that are not in the file count, too."""
    for value in (",".join(f"{2 * n}-{2 * n}" for n in range(count)), "0-0" + ",1000-" * (count - 1)):
        assert accepted == (parse_ranges(f"bytes={value}".encode(), 1000) is not None)
    assert accepted == (parse_ranges(b"bytes=" + b",".join([b"5000-"] * count), 1000) == [])


@pytest.mark.parametrize(("length", "accepted"), [(LONGEST - 1, True), (LONGEST, True), (LONGEST + 1, False)])
def test_number_of_digits_is_limited(length: int, accepted: bool) -> None:
    """int() refuses more than 4,300 of them, and takes its time before that."""
    digits = b"1" * length
    assert ([(0, 10)] if accepted else None) == parse_ranges(b"bytes=0-" + digits, 10)
    assert ([(0, 10)] if accepted else None) == parse_ranges(b"bytes=-" + digits, 10)
    assert ([] if accepted else None) == parse_ranges(b"bytes=" + digits + b"-", 10)
    assert parse_ranges(b"bytes=0-" + b"1" * 10000, 10) is None


@given(
    some.lists(some.tuples(some.none() | some.integers(0, 30), some.none() | some.integers(0, 30)), max_size=6),
    some.integers(0, 25),
)
def test_parts_are_in_the_file_and_apart(asked: list[tuple[int | None, int | None]], size: int) -> None:
    """Whatever was asked for; and each byte of them is one that was asked for."""
    text = ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in asked)
    wanted: set[int] = set()
    for first, last in asked:
        if first is None:
            wanted |= set(range(max(0, size - (last or 0)), size))
        else:
            wanted |= set(range(first, size if last is None else min(last + 1, size)))
    parts = parse_ranges(f"bytes={text}".encode(), size)
    sent = [byte for offset, length in parts or () for byte in range(offset, offset + length)]
    assert len(sent) == len(set(sent))
    assert parts is None or set(sent) == wanted


# ---- what is sent


def test_part_has_its_range_and_the_fields_of_the_whole(root: Path) -> None:
    """RFC 9110 §15.3.7."""
    whole, part = ask(root, "/a.bin"), ask(root, "/a.bin", fields={"Range": "bytes=10-19"})
    assert (206, DATA[10:20], True, "bytes 10-19/10240") == (
        *(part.status, part.content, part.whole),
        part.fields["content-range"],
    )
    changed = {"content-length": "10", "content-range": "bytes 10-19/10240", "date": part.fields["date"]}
    assert whole.fields | changed == part.fields
    assert (206, 10, "") == (part.outcome.status, part.outcome.content, part.outcome.reason)


def test_ranges_are_offered(root: Path) -> None:
    """RFC 9110 §14.3; and a redirect or a refusal has none."""
    for method in ("GET", "HEAD"):
        assert "bytes" == ask(root, "/a.bin", method).fields["accept-ranges"]
    assert "accept-ranges" not in ask(root, "/nothing").fields


@pytest.mark.parametrize(
    "value",
    ["bytes=0-0,2-2", "bytes=5000-,0-9", "bytes=0-9,10-19,-1", "bytes=" + ",".join(f"{n}-{n}" for n in range(16))],
)
def test_several_parts_are_one_message_of_many(root: Path, value: str) -> None:
    """RFC 9110 §14.6, as the standard library's MIME parser reads it; of the announced length."""
    whole, answer = ask(root, "/a.bin"), ask(root, "/a.bin", fields={"Range": value})
    assert (206, True, len(answer.content)) == (answer.status, answer.whole, answer.outcome.content)
    assert "content-range" not in answer.fields
    changed = {name: answer.fields[name] for name in ("content-length", "content-type", "date")}
    assert whole.fields | changed == answer.fields
    assert parts_of(answer) == [
        ("application/octet-stream", content_range(offset, length, len(DATA)), DATA[offset : offset + length])
        for offset, length in parse_ranges(value.encode(), len(DATA)) or ()
    ]


def parts_of(answer: Answer) -> list[tuple[str, str, bytes]]:
    """Type, range and content of each part, in order."""
    head = f"Content-Type: {answer.fields['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content)
    assert not message.defects
    assert "multipart/byteranges" == message.get_content_type()
    found = []
    for part in message.get_payload():
        assert isinstance(part, Message)
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((str(part["Content-Type"]), str(part["Content-Range"]), content))
    return found


def test_boundary_is_another_each_time(root: Path) -> None:
    """Nobody can write a file that holds it."""
    kinds = [ask(root, "/a.bin", fields={"Range": "bytes=0-0,2-2"}).fields["content-type"] for _ in range(2)]
    assert kinds[0] != kinds[1]
    assert all(len(kind) == len("multipart/byteranges; boundary=") + 32 for kind in kinds)


def test_part_heads_are_the_bytes_of_the_rfc() -> None:
    """RFC 9110 §14.6 and RFC 2046 §5.1.1."""
    heads = part_heads([(0, 1), (2, 3)], 10, "text/plain", "B")
    assert [
        b"--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n",
        b"\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 2-4/10\r\n\r\n",
        b"\r\n--B--\r\n",
    ] == heads


def test_one_part_that_is_left_is_sent_as_one(root: Path) -> None:
    """RFC 9110 §15.3.7.2: no multipart for one."""
    answer = ask(root, "/a.bin", fields={"Range": "bytes=99999-,3-4"})
    assert (206, DATA[3:5], "bytes 3-4/10240") == (answer.status, answer.content, answer.fields["content-range"])


@pytest.mark.parametrize(("target", "size"), [("/a.bin", 10240), ("/none", 0)])
def test_none_that_is_in_the_file_is_416_with_its_size(root: Path, target: str, size: int) -> None:
    """RFC 9110 §15.5.17; the connection goes on."""
    answer = ask(root, target, fields={"Range": "bytes=10240-"})
    assert (416, f"bytes */{size}", b"416 Range Not Satisfiable\n") == (
        *(answer.status, answer.fields["content-range"]),
        answer.content,
    )
    assert "a range that is not in the file" == answer.outcome.reason
    assert not {"connection", "etag", "accept-ranges"} & answer.fields.keys()


@pytest.mark.parametrize("value", ["bytes=5-4", "lines=1-2", "bytes=0-9,9-10", "bytes=" + "0-0," * 17])
def test_ignored_range_leaves_the_whole(root: Path, value: str) -> None:
    """200, and nothing of a range."""
    answer = ask(root, "/a.bin", fields={"Range": value})
    assert (200, DATA) == (answer.status, answer.content)
    assert "content-range" not in answer.fields


def test_end_of_an_empty_file_is_the_whole(root: Path) -> None:
    """Nothing."""
    answer = ask(root, "/none", fields={"Range": "bytes=-5"})
    assert (200, b"", "0") == (answer.status, answer.content, answer.fields["content-length"])


@pytest.mark.parametrize("value", ["bytes=0-9", "bytes=0-0,2-2", "bytes=99999-"])
def test_head_ignores_range(root: Path, value: str) -> None:
    """RFC 9110 §14.2: it is defined for GET alone."""
    answer = ask(root, "/a.bin", "HEAD", {"Range": value})
    assert (200, b"", "10240") == (answer.status, answer.content, answer.fields["content-length"])


def test_range_counts_if_the_file_is_still_the_same(root: Path) -> None:
    """If-Range by tag and by date; else all of it, rather than 412."""
    tag = ask(root, "/a.bin").fields["etag"]
    for value in (tag, http_date(OLD)):
        assert 206 == ask(root, "/a.bin", fields={"Range": "bytes=0-9", "If-Range": value}).status
        assert 416 == ask(root, "/a.bin", fields={"Range": "bytes=99999-", "If-Range": value}).status
    for value in ('"other"', f"W/{tag}", http_date(OLD + 1), http_date(OLD - 1), f"{tag}, {tag}", "*", ""):
        assert 200 == ask(root, "/a.bin", fields={"Range": "bytes=0-9", "If-Range": value}).status
        assert 200 == ask(root, "/a.bin", fields={"Range": "bytes=99999-", "If-Range": value}).status


def test_if_range_without_range_is_ignored(root: Path) -> None:
    """RFC 9110 §13.1.5."""
    assert (200, DATA) == ((answer := ask(root, "/a.bin", fields={"If-Range": "x"})).status, answer.content)
