# SPDX-License-Identifier: Apache-2.0
"""What we read in Range, in entity tags, dates and Accept-Encoding, Werkzeug reads alike; what it refuses, we refuse.

The differences are named, each with its reason.  Werkzeug is not in the build root of the RPM, whose %check runs these
tests, too; everywhere else it has to be there.
"""

import os
import time
from calendar import timegm
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from selsock.handler.response import http_date
from selsock.handler.serve.conditional import parse_date, parse_tags
from selsock.handler.serve.listing import escape_path
from selsock.handler.serve.negotiation import parse_weights
from selsock.handler.serve.ranges import parse_ranges

if "RPM_BUILD_ROOT" in os.environ:
    pytest.skip("the build root of the RPM has no Werkzeug", allow_module_level=True)

from werkzeug import http


def mixed(*pieces: str, most: int = 12) -> some.SearchStrategy[str]:
    """Texts of these pieces."""
    return some.lists(some.sampled_from(pieces), max_size=most).map("".join)


# ---- Range

EDGES = some.lists(some.integers(0, 12), min_size=2, max_size=6).map(sorted)
# In ascending order more often than not, as a client has no reason to ask otherwise.
ASCENDING = EDGES.map(lambda edges: [f"{a}-{b}" for a, b in zip(edges[::2], edges[1::2], strict=False)])
PART = some.sampled_from(["0-0", "5-", "-3", "-0", "12-", "3-2", "007-9", " 4-4 ", "-", "5", "", "a-b", "--1", "9-9\t"])
PARTS = some.one_of(
    ASCENDING, some.tuples(ASCENDING, PART).map(lambda two: [*two[0], two[1]]), some.lists(PART, max_size=3)
)


def refused_by_werkzeug_alone(value: str) -> bool:
    """Empty elements (RFC 9110 §5.6.1.2 has them accepted); none of the bytes at the end; parts in another order than in
    the file, more behind the one without an end, or that overlap behind the end of the file's ten bytes (§14.2 allows to
    refuse those, but an answer can be given)."""
    elements = [element.strip() for element in value.partition("=")[2].split(",")]
    firsts = [int(element.partition("-")[0] or 10**9) for element in elements if element]
    unended = any(element.startswith("-") or element.endswith("-") for element in elements[:-1])
    behind = any(9 < first < 10**9 for first in firsts)
    return "" in elements or not elements[-1].strip("-0") or firsts != sorted(firsts) or unended or behind


@settings(max_examples=1000, deadline=None)
@given(PARTS.map(",".join), some.sampled_from(["bytes=", "bytes=", "Bytes=", "bytes", "lines="]))
def test_ranges(parts: str, unit: str) -> None:
    """The same parts, in the same order."""
    ours, theirs = parse_ranges(f"{unit}{parts}".encode(), 10), http.parse_range_header(f"{unit}{parts}")
    if ours is None:
        return
    if theirs is None:
        assert refused_by_werkzeug_alone(f"{unit}{parts}")
        return
    assert [part for first, end in theirs.ranges if (part := in_ten_bytes(first, end))] == ours


def in_ten_bytes(first: int, end: int | None) -> tuple[int, int] | None:
    """Offset and length of one of Werkzeug's ranges; None for what is not in the file."""
    start = max(0, 10 + first) if first < 0 else first
    stop = 10 if end is None else min(end, 10)
    return (start, stop - start) if start < stop else None


# ---- entity tags


@settings(max_examples=1000, deadline=None)
@given(mixed('"', '"a"', '"b"', '"b,c"', "W/", 'W/"d"', ",", ", ", " ", "\t", "*", "a"))
def test_entity_tags(value: str) -> None:
    """The same strong and weak ones.  Werkzeug also takes tags without quotes, with a space in them, and "w/",
    but none for the empty one."""
    ours, theirs = parse_tags(value.encode()), http.parse_etags(value)
    if ours:
        assert not theirs.star_tag
        strong = {tag[1:-1].decode() for tag in ours if tag.startswith(b'"')}
        weak = {tag[3:-1].decode() for tag in ours if tag.startswith(b"W")}
        assert strong - {""} == set(theirs.as_set()) - {None}
        assert (strong | weak) - {""} == set(theirs.as_set(include_weak=True)) - {None, ""}
        assert all(theirs.is_weak(tag) for tag in weak - {""})


# ---- dates

SECONDS = some.integers(timegm((1980, 1, 1, 0, 0, 0)), timegm((2060, 1, 1, 0, 0, 0)) - 1)
FORMATS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


@settings(max_examples=1000, deadline=None)
@given(
    SECONDS,
    some.sampled_from(FORMATS),
    some.integers(0, 33),
    some.sampled_from("0123456789 :,-aGSMT") | some.just(None),
)
def test_dates(seconds: int, form: str, place: int, letter: str | None) -> None:
    """With a letter changed or without; between 1980 and 2060 both agree on what two digits stand for."""
    text = time.strftime(form, time.gmtime(seconds))
    if letter is not None:
        text = text[:place] + letter + text[place + 1 :]
    ours, theirs = parse_date(text.encode(), 1_800_000_000), http.parse_date(text)
    if ours is not None and 1980 <= time.gmtime(ours).tm_year < 2060:
        assert theirs is not None
        assert ours == theirs.timestamp()


@given(SECONDS)
def test_dates_are_written_alike(seconds: int) -> None:
    """IMF-fixdate."""
    assert http.http_date(seconds) == http_date(seconds)


# ---- Accept-Encoding

CODINGS = (
    "gzip",
    "BR",
    "zstd",
    "identity",
    "*",
    "deflate",
    ",",
    ", ",
    " , ",
    ";",
    ";q=",
    "; q=",
    "0",
    "1",
    ".0",
    ".5",
    "5",
    "q",
    "=",
)


@settings(max_examples=1000, deadline=None)
@given(mixed(*CODINGS, most=16))
def test_weights(value: str) -> None:
    """The same of each name; of two of one name, Werkzeug has both.  It also takes other parameters, which §12.4.2 does
    not have, and drops a part that it does not understand, such as one of weight "1."."""
    ours = parse_weights(value.encode())
    theirs = [(coding.lower(), round(weight * 1000)) for coding, weight in http.parse_accept_header(value)]
    assert ours.items() <= set(theirs)
    if ours:
        assert ours.keys() == {coding for coding, _ in theirs}


# ---- links


@given(some.text())
def test_links_are_quoted_alike(name: str) -> None:
    """By urllib, in this case."""
    assert quote(name.encode()) == escape_path(name)
