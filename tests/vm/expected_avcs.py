# SPDX-License-Identifier: Apache-2.0
"""Every denial of ours that a served request causes with dontaudit rules off, and why it is neither allowed nor avoided.

Each entry: the fields of the record, as patterns, and the reason.
"""

import re

from tests.machines.audit import Record

EXPECTED: list[tuple[dict[str, str], str]] = []


def matches(record: Record, fields: dict[str, str]) -> bool:
    """Whether each of ``fields`` is in ``record`` as its pattern says."""
    return all(re.fullmatch(pattern, record.get(name, "")) for name, pattern in fields.items())


def is_expected(record: Record) -> bool:
    """Whether the list has ``record``."""
    return any(matches(record, fields) for fields, _ in EXPECTED)
