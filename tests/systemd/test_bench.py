# SPDX-License-Identifier: Apache-2.0
"""make bench itself, once over: that every row still answers, is found, and has its figures; no time is judged."""

import json

from tests.bench.__main__ import GROUPS
from tests.bench.machine import bench
from tests.bench.table import table

ROWS = [
    "Python floor",
    "selsock, static, anonymous",
    "selsock, static, Basic with {SHA}",
    "selsock, static, Basic with bcrypt, cost 5",
    "selsock, static, Basic with bcrypt, cost 10",
    "selsock, static, Basic with bcrypt, cost 10, remembered",
    "selsock, static, Basic with {SHA}, the last of 100,000 users",
    "selsock, WSGI, three lines",
    "selsock, CGI, /bin/sh",
]


def test_rows_of_selsock_are_measured() -> None:
    """In a tree that other tests have as well; all that make bench has besides is another program, or another unit."""
    results = json.loads(json.dumps(bench("trixie", GROUPS, ["2", "3", "4", "5", "6"], rounds=1, seconds=0.1)))
    rows = results["rows"]
    assert [row["name"] for row in rows] == ROWS
    assert len(table(rows).splitlines()) == 1 + len(ROWS)
    assert results["facts"]["systemd"] == "257"
    for row in rows:
        assert row["connections"] == 1
        # Each of them took part: the control groups are the right ones.
        assert [] == [key for key in ("pid1", "accept", "instance", "all") if row[f"cpu_{key}_ms"] <= 0]
        assert row["per_second_8"] > 0
        assert None not in row["ratios"].values()
