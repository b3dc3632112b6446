# SPDX-License-Identifier: Apache-2.0
"""make bench ARGS=…: measure, print a table, and write JSON; see --help."""

import argparse
import json
from pathlib import Path

from tests.bench import floors, hardening, peers, site, streams, tables
from tests.bench.chart import chart, charted, note
from tests.bench.machine import bench
from tests.bench.rows import Groups
from tests.bench.table import facts_line, table
from tests.machines.commands import CHECKOUT

TREE = "trixie-bench"
GROUPS: Groups = {
    1: floors.c_floor,
    2: floors.python_floor,
    3: site.static,
    4: site.basic,
    5: site.wsgi,
    6: site.cgi,
    7: peers.mpm_itk,
    8: peers.mod_wsgi,
    9: hardening.hardened,
    10: site.listeners,
    11: tables.tables,
    12: streams.kept,
    13: streams.large,
}
JSON = CHECKOUT / "build/bench/bench.json"


def main() -> None:
    """Measure what the arguments say."""
    arguments = parser().parse_args()
    results = bench(TREE, GROUPS, arguments.only, arguments.rounds)
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps(results, indent=1) + "\n")
    facts = results["facts"]
    for rows, made in ((results["rows"], table), (results["streams"], streams.stream_table)):
        if rows:
            print(made(rows))
    print(facts_line(facts))
    if arguments.svg:
        arguments.svg.write_text(chart(charted(results["rows"]), note(facts, arguments.rounds)))


def parser() -> argparse.ArgumentParser:
    """What ARGS may hold."""
    made = argparse.ArgumentParser(prog="make bench ARGS=…", allow_abbrev=False)
    made.add_argument("--rounds", type=int, default=100, help="connections for each row, one client (default: 100)")
    which = 'groups, "3", or rows of one by how they begin, "9 Restrict" (default: all)'
    made.add_argument("--only", nargs="+", default=[], metavar="GROUP", help=which)
    made.add_argument("--svg", type=Path, metavar="FILE", help="write the chart for the README, too")
    return made


if __name__ == "__main__":
    main()
