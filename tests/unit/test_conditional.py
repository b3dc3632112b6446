# SPDX-License-Identifier: Apache-2.0
"""conditional: validators, and preconditions in the order of RFC 9110 §13.2.2; what is malformed holds for nothing."""

import os
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from selsock.handler.response import http_date
from selsock.handler.serve.conditional import evaluate, matches, parse_date, parse_tags, same_as_before
from selsock.handler.serve.validators import YOUNG_SECONDS, Validators, validators
from tests.unit.static_site import OLD, ask, put

NOW = 1_800_000_000.0  # 15 January 2027
CURRENT = Validators(b'"a"', OLD)
BEFORE, SAME, AFTER = (http_date(OLD + step).encode() for step in (-1, 0, 1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A document root with one file."""
    put(tmp_path / "root" / "a.txt", b"text")
    return tmp_path / "root"


# ---- validators


def of(path: Path, now: float = NOW) -> Validators:
    """The validators of a file."""
    return validators(path.stat(), now)


def test_tag_is_inode_size_and_time(root: Path) -> None:
    """In nanoseconds."""
    status = (root / "a.txt").stat()
    assert f'"{status.st_ino:x}-4-{OLD * 10**9:x}"'.encode() == of(root / "a.txt").tag


@pytest.mark.parametrize(
    "change",
    [
        lambda path: put(path.with_name("new"), b"text").rename(path),
        lambda path: path.write_bytes(b"TEXT"),
        lambda path: put(path, b"text and more"),
        lambda path: os.utime(path, ns=(0, OLD * 10**9 + 1)),
    ],
)
def test_tag_changes_with_the_file(root: Path, change: Callable[[Path], object]) -> None:
    """Replaced, written to, grown, or newer by a nanosecond."""
    before = of(root / "a.txt").tag
    change(root / "a.txt")
    assert before != of(root / "a.txt").tag


@pytest.mark.parametrize(
    ("age", "strong"),
    [(-100.0, False), (0.0, False), (1.75, False), (YOUNG_SECONDS, True), (2.25, True), (1e6, True)],
)
def test_tag_of_a_file_that_may_still_be_written_to_is_weak(root: Path, age: float, strong: bool) -> None:
    """Within one step of the kernel's clock a second content would have the same (RFC 9110 §8.8.1)."""
    current = of(root / "a.txt", OLD + age)
    assert (strong, not strong) == (current.strong, current.tag.startswith(b'W/"'))


@pytest.mark.parametrize(("modified", "told"), [(OLD, OLD), (int(NOW) + 1, int(NOW)), (2**33, int(NOW)), (-1, 0)])
def test_last_modified_is_never_of_the_future(root: Path, modified: int, told: int) -> None:
    """RFC 9110 §8.8.2.1: then it is now; and the date of what claims to be older than the epoch is the epoch."""
    os.utime(root / "a.txt", (modified, modified))
    assert told == of(root / "a.txt").modified


# ---- lists of entity tags


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (b'"a"', [b'"a"']),
        (b'""', [b'""']),
        (b'W/"a"', [b'W/"a"']),
        (b'"a", W/"b","c" ,\t"d"', [b'"a"', b'W/"b"', b'"c"', b'"d"']),
        (b',, "a",, "b" ,', [b'"a"', b'"b"']),
        (b'"a,b", "c"', [b'"a,b"', b'"c"']),
        (b'"a\\", "b"', [b'"a\\"', b'"b"']),
        (b'"W/"', [b'"W/"']),
        ('"\u00fc\u00ff"'.encode("latin-1"), ['"\u00fc\u00ff"'.encode("latin-1")]),
        (b'"!#~"', [b'"!#~"']),
    ],
)
def test_list_of_tags_is_read(value: bytes, tags: list[bytes]) -> None:
    """RFC 9110 §8.8.3: a backslash escapes nothing, a comma may be in one; §5.6.1: elements may be empty."""
    assert tags == parse_tags(value)


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b",", b"a", b"*", b'"a', b'a"', b'"a" "b"', b'"a""b"', b'"a"; "b"', b'w/"a"', b"W/a", b"W/", b'W/ "a"'),
        *(b'"a b"', b'"a\tb"', b'"a\x7f"', b'"a", b', b'"a", *', b'*, "a"', b"'a'", b'"a", "b', b'"a"x', b'W/W/"a"'),
    ],
)
def test_list_with_something_else_in_it_has_no_tag(value: bytes) -> None:
    """Not even those that could be read: who does not know how to write it may mean something else."""
    assert [] == parse_tags(value)


@pytest.mark.parametrize(
    ("value", "tag", "strongly", "weakly"),
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'W/"1"', False, True),
        (b'"1"', b'"1"', True, True),
        (b"*", b'W/"1"', True, True),
        (b"*", b"", True, True),
        (b'"1"', b"", False, False),
        (b'""', b"", False, False),
    ],
)
def test_comparison_is_that_of_the_table_in_the_rfc(value: bytes, tag: bytes, strongly: bool, weakly: bool) -> None:
    """RFC 9110 §8.8.3.2; and a star is whatever there is, with a tag or without."""
    assert (strongly, weakly) == (matches(value, tag, strongly=True), matches(value, tag, strongly=False))


# ---- preconditions


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        # Each by itself.
        ({"if-match": b'"a"'}, 200),
        ({"if-match": b'"b", "a"'}, 200),
        ({"if-match": b"*"}, 200),
        ({"if-match": b'"b"'}, 412),
        ({"if-match": b'W/"a"'}, 412),
        ({"if-match": b"a"}, 412),  # malformed: §13.1.1, "otherwise, the condition is false"
        ({"if-match": b""}, 412),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": SAME}, 200),
        ({"if-unmodified-since": AFTER}, 200),
        ({"if-unmodified-since": b"yesterday"}, 200),
        ({"if-unmodified-since": BEFORE + b", " + BEFORE}, 200),
        ({"if-none-match": b'"a"'}, 304),
        ({"if-none-match": b'W/"a"'}, 304),
        ({"if-none-match": b'"b", W/"a"'}, 304),
        ({"if-none-match": b"*"}, 304),
        ({"if-none-match": b'"b"'}, 200),
        ({"if-none-match": b"a"}, 200),  # malformed: §13.1.2, "otherwise, the condition is true"
        ({"if-modified-since": BEFORE}, 200),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": AFTER}, 304),
        ({"if-modified-since": b"yesterday"}, 200),
        ({"if-modified-since": SAME + b", " + SAME}, 200),
        # §13.2.2: a tag makes the date count for nothing, even if it is malformed; the first half comes first.
        ({"if-match": b'"a"', "if-unmodified-since": BEFORE}, 200),
        ({"if-match": b'"b"', "if-unmodified-since": AFTER}, 412),
        ({"if-match": b"a", "if-unmodified-since": AFTER}, 412),
        ({"if-none-match": b'"b"', "if-modified-since": SAME}, 200),
        ({"if-none-match": b'"a"', "if-modified-since": BEFORE}, 304),
        ({"if-none-match": b"a", "if-modified-since": SAME}, 200),
        ({"if-match": b'"a"', "if-none-match": b'"a"'}, 304),
        ({"if-match": b'"b"', "if-none-match": b'"a"'}, 412),
        ({"if-match": b'"a"', "if-modified-since": SAME}, 304),
        ({"if-unmodified-since": SAME, "if-modified-since": SAME}, 304),
        ({"if-unmodified-since": BEFORE, "if-none-match": b'"a"'}, 412),
        ({"if-unmodified-since": BEFORE, "if-modified-since": SAME}, 412),
    ],
)
def test_preconditions_are_taken_in_order(fields: dict[str, bytes], status: int) -> None:
    """RFC 9110 §13.2.2."""
    assert status == evaluate({name.encode(): value for name, value in fields.items()}, CURRENT, NOW)


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
@pytest.mark.parametrize("date", [b"Thu, 01 Jan 1970 00:00:00 GMT", SAME, http_date(NOW).encode()])
def test_date_counts_for_nothing_without_one_to_compare(name: str, date: bytes) -> None:
    """RFC 9110 §13.1.3 and §13.1.4: a listing has none."""
    assert 200 == evaluate({name.encode(): date}, Validators(b"", None), NOW)


@pytest.mark.parametrize(
    ("value", "tag", "same"),
    [
        (None, b'"a"', True),
        (None, b'W/"a"', True),
        (b'"a"', b'"a"', True),
        (b'"b"', b'"a"', False),
        (b'W/"a"', b'"a"', False),
        (b'W/"a"', b'W/"a"', False),
        (b'"a"', b'W/"a"', False),
        (b'"a", "b"', b'"a"', False),
        (b"*", b'"a"', False),
        (b"a", b'"a"', False),
        (b"", b'"a"', False),
        (SAME, b'"a"', True),
        (BEFORE, b'"a"', False),
        (AFTER, b'"a"', False),
        (SAME, b'W/"a"', False),
        (b"yesterday", b'"a"', False),
    ],
)
def test_if_range_is_strong(value: bytes | None, tag: bytes, same: bool) -> None:
    """RFC 9110 §13.1.5: one tag or one date, the very same; of a young file, neither would be strong."""
    fields = {} if value is None else {b"if-range": value}
    assert same == same_as_before(fields, Validators(tag, OLD), NOW)


# ---- HTTP-date


@pytest.mark.parametrize(
    "value",
    [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"],
)
def test_date_in_three_formats_is_one(value: bytes) -> None:
    """The examples of RFC 9110 §5.6.7."""
    assert 784111777 == parse_date(value, NOW)


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"0", b",", b", ", b"Sun, ", b"Sun ", b"Sunday, ", b"784111777", b"1994-11-06T08:49:37Z"),
        b"Mon, 06 Nov 1994 08:49:37 GMT",
        b"Monday, 06-Nov-94 08:49:37 GMT",
        b"Mon Nov  6 08:49:37 1994",
        b"sun, 06 nov 1994 08:49:37 gmt",
        b"Sun, 06 Nov 1994 08:49:37 UTC",
        b"Sun, 06 Nov 1994 08:49:37 +0000",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 1994 08:49:37 GMT ",
        b" Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sun,  6 Nov 1994 08:49:37 GMT",
        b"Sun, 6 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 94 08:49:37 GMT",
        b"Sun, 06-Nov-1994 08:49:37 GMT",
        b"Sunday, 06-Nov-1994 08:49:37 GMT",
        b"Sunday, 06 Nov 94 08:49:37 GMT",
        b"Sun Nov 06 08:49:37 1994",
        b"Sun Nov  6 08:49:37 94",
        b"Sun, 06 Nov 1994 08:49 GMT",
        b"Sun, 06 Nov 1994 24:00:00 GMT",
        b"Sun, 06 Nov 1994 08:60:00 GMT",
        b"Sat, 31 Dec 2016 23:59:60 GMT",
        b"Thu, 30 Feb 2023 08:49:37 GMT",
        b"Thu, 29 Feb 2023 08:49:37 GMT",
        b"Thu, 00 Nov 1994 08:49:37 GMT",
        b"Sun, +6 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 +8:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:3_ GMT",
        b"Sun, 06 Nov -994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT; length=4",
        b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        b"\xb2un, 06 Nov 1994 08:49:37 GMT",
        b"Sun, \xb206 Nov 1994 08:49:37 GMT",
    ],
)
def test_date_in_another_form_is_none(value: bytes) -> None:
    """Nor one that is not in the calendar, or of another day of the week."""
    assert parse_date(value, NOW) is None


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (b"Friday, 15-Jan-27 00:00:00 GMT", 2027),
        (b"Wednesday, 15-Jan-76 00:00:00 GMT", 2076),
        (b"Friday, 15-Jan-77 00:00:00 GMT", 2077),
        (b"Sunday, 15-Jan-78 00:00:00 GMT", 1978),
        (b"Friday, 15-Jan-99 00:00:00 GMT", 1999),
        (b"Saturday, 15-Jan-00 00:00:00 GMT", 2000),
    ],
)
def test_year_of_two_digits_is_at_most_fifty_years_from_now(value: bytes, year: int) -> None:
    """RFC 9110 §5.6.7; the same two digits of another century are another day of the week, and none."""
    seconds = parse_date(value, NOW)
    assert seconds is not None
    assert year == time.gmtime(seconds).tm_year


@given(some.integers(-62135596800, 253402300799))
def test_every_second_of_four_digit_years_is_read_as_it_is_written(seconds: int) -> None:
    """By email.utils and asctime(3), as well as by ourselves."""
    for text in (http_date(seconds), formatdate(seconds, usegmt=True)):
        assert seconds == parse_date(text.encode(), NOW)
    at = time.gmtime(seconds)
    text = f"{time.strftime('%a %b', at)} {at.tm_mday:2} {time.strftime('%H:%M:%S', at)} {at.tm_year:04}"
    assert seconds == parse_date(text.encode(), NOW)


@given(some.integers(int(NOW) - 49 * 31_557_600, int(NOW) + 49 * 31_557_600))
def test_every_second_of_half_a_century_is_read_in_the_old_format(seconds: int) -> None:
    """RFC 850's."""
    text = time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(seconds))
    assert seconds == parse_date(text.encode(), NOW)


@given(some.one_of(some.binary(max_size=40), some.text("SunModay, 0123456789:-Nov GMT", max_size=34).map(str.encode)))
def test_anything_is_a_date_or_none(value: bytes) -> None:
    """Never an exception."""
    seconds = parse_date(value, NOW)
    assert seconds is None or isinstance(seconds, int)


# ---- in answers


def test_file_has_its_validators(root: Path) -> None:
    """200 and 206 alike, GET and HEAD."""
    current = of(root / "a.txt", time.time())
    for fields, method in (({}, "GET"), ({}, "HEAD"), ({"Range": "bytes=0-0"}, "GET")):
        answer = ask(root, "/a.txt", method, fields)
        assert (current.tag.decode(), http_date(OLD)) == (answer.fields["etag"], answer.fields["last-modified"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_304_has_tag_and_no_content(root: Path, method: str) -> None:
    """RFC 9110 §15.4.5; neither a length nor a type, which would be taken for news of the file's."""
    tag = of(root / "a.txt", time.time()).tag.decode()
    answer = ask(root, "/a.txt", method, {"If-None-Match": tag})
    assert (304, b"", True, 304, "") == (
        *(answer.status, answer.content, answer.whole),
        *(answer.outcome.status, answer.outcome.reason),
    )
    assert {"date", "etag"} == answer.fields.keys()
    assert tag == answer.fields["etag"]
    assert 304 == ask(root, "/a.txt", method, {"If-Modified-Since": http_date(OLD)}).status


def test_412_is_a_page(root: Path) -> None:
    """It is not the file, and says nothing of it."""
    answer = ask(root, "/a.txt", fields={"If-Match": '"b"'})
    assert (412, b"412 Precondition Failed\n", "a precondition that does not hold") == (
        *(answer.status, answer.content),
        answer.outcome.reason,
    )
    assert "etag" not in answer.fields


def test_young_file_is_revalidated_by_its_weak_tag(root: Path) -> None:
    """So that what changes often is not sent anew each time; but nothing is resumed on it."""
    put(root / "a.txt", b"text", age=0)
    tag = ask(root, "/a.txt").fields["etag"]
    assert tag.startswith('W/"')
    assert 304 == ask(root, "/a.txt", fields={"If-None-Match": tag}).status
    assert 412 == ask(root, "/a.txt", fields={"If-Match": tag}).status
    assert 200 == ask(root, "/a.txt", fields={"If-Range": tag, "Range": "bytes=0-0"}).status


@pytest.mark.parametrize(("target", "status"), [("/nothing", 404), ("/sub", 301), ("/.git", 404)])
def test_what_is_not_the_file_has_no_precondition(root: Path, target: str, status: int) -> None:
    """RFC 9110 §13.2.1: where the answer without them would be another than 2xx or 412, it stays."""
    (root / "sub").mkdir()
    for fields in ({"If-Match": '"b"'}, {"If-None-Match": "*"}, {"If-Modified-Since": http_date(NOW)}):
        assert status == ask(root, target, fields=fields).status
    assert 405 == ask(root, "/a.txt", "POST", {"If-Match": '"b"'}).status


def test_precondition_comes_before_range(root: Path) -> None:
    """RFC 9110 §13.2.2: 304 and 412 rather than 206 or 416."""
    tag = of(root / "a.txt", time.time()).tag.decode()
    for parts in ("bytes=0-0", "bytes=9-"):
        assert 304 == ask(root, "/a.txt", fields={"Range": parts, "If-None-Match": tag}).status
        assert 412 == ask(root, "/a.txt", fields={"Range": parts, "If-Match": '"b"'}).status
    assert 206 == ask(root, "/a.txt", fields={"Range": "bytes=0-0", "If-Match": tag}).status
