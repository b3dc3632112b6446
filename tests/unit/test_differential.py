# SPDX-License-Identifier: Apache-2.0
"""The messages of ``tests/wire``, held against h11: what we accept is read alike, and much that we refuse is not.

A proxy in front may be of any make; what two parsers read in two ways is what request smuggling lives on.  We may be
stricter than h11, never laxer.  ``tests/fuzz`` does the same with messages that nobody wrote, and with llhttp as well.
"""

from pathlib import Path

import pytest

from selsock.model import Limits
from tests.fuzz.by_h11 import ByH11
from tests.fuzz.compare import WHOLE, disagreement
from tests.fuzz.reading import Refused, read_ours
from tests.unit.test_head import ACCEPT, REFUSE, names


@pytest.mark.parametrize("path", ACCEPT, ids=names(ACCEPT))
def test_accepted_messages_are_read_alike_by_h11(path: Path) -> None:
    """Head, content and end of every message, and of those behind it."""
    data = path.read_bytes()
    messages, _ = read_ours(data, Limits(), lambda: WHOLE, lambda: WHOLE)
    assert (True, "") == (len(messages) > 0, disagreement(data, messages, ByH11()))


def test_h11_is_laxer_on_most_of_what_we_refuse() -> None:
    """The corpus bites: a parser in common use lets half of ``wire/refuse`` through."""
    lax = 0
    for path in REFUSE:
        data = path.read_bytes()
        try:
            ByH11().read(data, 0, len(data))
            lax += 1
        except Refused:
            pass
    assert len(REFUSE) // 2 < lax
