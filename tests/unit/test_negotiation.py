# SPDX-License-Identifier: Apache-2.0
"""negotiation: Accept-Encoding to content codings (RFC 9110 §12.5.3); the plain file for whoever writes it wrongly."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from selsock.handler.serve.negotiation import CODINGS, acceptable, parse_weights


@pytest.mark.parametrize(
    ("value", "codings"),
    [
        (None, ""),
        ("", ""),
        (" , ,", ""),
        ("identity", ""),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br zstd gzip"),  # as browsers send it
        ("zstd, br", "br zstd"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("deflate, compress", ""),
        # The client's order goes before ours.
        ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", "gzip br zstd"),
        ("br;q=0.001, gzip;q=0.002", "gzip br"),
        ("br;q=0.5, gzip", "gzip br"),
        ("gzip ; q=0.5 , br ;\tQ=0.4", "gzip br"),
        ("gzip;q=1., br;q=0.", "gzip"),
        # What is refused.
        ("gzip;q=0", ""),
        ("gzip;q=0.000, br", "br"),
        ("*;q=0", ""),
        ("*;q=0, zstd", "zstd"),
        # The star is for what is not named.
        ("*", "br zstd gzip"),
        ("*, br;q=0", "zstd gzip"),
        ("*;q=0.5, gzip", "gzip br zstd"),
        ("*;q=0.5, gzip;q=0.1", "br zstd"),  # where the plain file is liked as well as the star
        ("*, br;q=0.5", "zstd gzip"),
        # The plain file may be liked better; where it is refused, all else is.
        ("identity, gzip;q=0.5", ""),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0.5, gzip, br;q=0.4", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity;q=0", ""),
        ("identity;q=0.2, *;q=0.1", ""),
        ("identity;q=0.1, *;q=0.2", "br zstd gzip"),
        # The first of one name.
        ("gzip;q=0, gzip", ""),
        ("gzip, x-gzip;q=0", "gzip"),
    ],
)
def test_codings_that_are_liked_no_less_than_none(value: str | None, codings: str) -> None:
    """The best first; those of equal weight in our order."""
    found = acceptable(None if value is None else value.encode())
    assert codings.split() == [coding for coding, _ in found]
    assert set(found) <= set(CODINGS)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "gzip;",
            "gzip;q",
            "gzip;q=",
            "gzip;q=2",
            "gzip;q=1.1",
            "gzip;q=1.001",
            "gzip;q=0.1234",
            "gzip;q=.5",
            "gzip;q=-1",
        ),
        *(
            "gzip;q=00",
            "gzip;q=01",
            "gzip;q=1e0",
            "gzip;q=0:5",
            "gzip;q = 1",
            "gzip;q= 1",
            "gzip; q =1",
            "gzip;q=1;x=1",
        ),
        *(
            "gzip;x=1",
            "gzip;q=0.5;",
            ";q=1",
            "gz ip",
            "gzip br",
            '"gzip"',
            "gzip/1",
            "gzip, br;q=x",
            "gzip,\u00fc",
            "gzip;q=0.\u00b2",
        ),
    ],
)
def test_malformed_field_means_the_plain_file(value: str) -> None:
    """All of it: which half of it was meant, nobody knows."""
    assert {} == parse_weights(value.encode("latin-1"))
    assert [] == acceptable(value.encode("latin-1"))


@given(some.text('gzip*br;q=01.5, \t"', max_size=30))
def test_anything_has_an_answer(value: str) -> None:
    """Each coding at most once, and never an exception."""
    found = acceptable(value.encode())
    assert len(found) == len(set(found))
