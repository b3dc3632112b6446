# SPDX-License-Identifier: Apache-2.0
"""assigned: the context that a database has for a user, as the table has those of maps; and what is none."""

import pytest

from selsock.identify.answer import Unable
from selsock.identify.assigned import record


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("staff", "selsock_staff_t:"),
        ("staff:*", "selsock_staff_t:"),
        ("staff:s0:c1,c5", "selsock_staff_t:s0:c1,c5"),
        ("my_t:s0:c0.c2", "my_t:s0:c0.c2"),
        ("*:s0:c2", ":s0:c2"),
        ("*", ":"),
        ("*:*", ":"),
    ],
)
def test_context_becomes_a_record(text: str, expected: str) -> None:
    assert record(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("selsock_t:s0", "expected a name under domains, or a type of your own"),
        ("selsock_staff_t", "expected a name under domains, or a type of your own"),
        ("", "expected a name under domains, or a type of your own"),
        (":s0", "expected a name under domains, or a type of your own"),
        ("staff:", "expected a level such as s0 or s0:c1,c5, not ''"),
        ("Staff", "expected an SELinux type that ends in _t, not 'selsock_Staff_t'"),
        ("**", "expected an SELinux type that ends in _t, not 'selsock_**_t'"),
        ("staff ", "expected an SELinux type that ends in _t, not 'selsock_staff _t'"),
        ("staff:auto", "expected a level such as s0 or s0:c1,c5, not 'auto'"),
        ("staff:clearance", "expected a level such as s0 or s0:c1,c5, not 'clearance'"),
        ("staff:s0-s0:c1", "expected one level, not the range 's0-s0:c1': a tenant runs at a single level"),
        ("staff:s0:c5,c1", "expected s0:c1,c5"),
        ("staff:s0:c0,c1,c2", "expected s0:c0.c2"),
        ("staff:s0:c1024", "expected c0 to c1023, not 'c1024' in 's0:c1024'"),
        ("system_u:system_r:staff_t:s0", "expected a level such as s0 or s0:c1,c5, not 'system_r:staff_t:s0'"),
    ],
)
def test_nonsense_is_refused_with_its_reason(text: str, reason: str) -> None:
    """The kernel compares spellings, so there is one for each level."""
    with pytest.raises(Unable) as caught:
        record(text)
    assert str(caught.value) == f"{reason}, not the context {text!r}"
