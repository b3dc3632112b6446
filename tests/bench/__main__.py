# SPDX-License-Identifier: Apache-2.0
"""make bench ARGS=…: measure, print a table, and write JSON; see --help."""

import argparse
import json

from tests.bench import floors, hardening, site, tables
from tests.bench.machine import bench
from tests.bench.rows import Groups
from tests.bench.table import table
from tests.machines.commands import CHECKOUT

TREE = "trixie-bench"
GROUPS: Groups = {
    1: floors.c_floor,
    2: floors.python_floor,
    3: site.static,
    4: site.basic,
    5: site.wsgi,
    6: site.cgi,
    9: hardening.hardened,
    10: site.listeners,
    11: tables.vhosts,
}
JSON = CHECKOUT / "build/bench/bench.json"


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=100, help="connections for each row, one client; default: 100")
    what = 'groups, "3", or rows of one, "9 Restrict": by default all'
    parser.add_argument("--only", nargs="+", default=[], metavar="GROUP", help=what)
    arguments = parser.parse_args()
    results = bench(TREE, GROUPS, arguments.only, arguments.rounds)
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results["rows"]), end="")
    print(f"{', '.join(f'{name} {value}' for name, value in results['facts'].items())}\n{JSON}")


if __name__ == "__main__":
    main()
