# SPDX-License-Identifier: Apache-2.0
"""make bench BENCH=vm ARGS=…: rows 2 to 6 on an enforcing kernel, and row 14, what SELinux adds to each of them.

Two machines of one image, with SELinux and without it, take turns: while one is measured, the other idles.  Where the
processor is emulated, a nanosecond is an instruction: what else the host does changes nothing, and ratios mean something,
though caches and memory count for nothing.  It has one processor then: CPU times tell more than the time of a connection,
which hangs on who of those that work for it gets the processor first.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from tests.bench import pair
from tests.bench.facts import facts
from tests.bench.figures import Figures, figures, with_ratios
from tests.bench.rows import Row
from tests.bench.selinux import ENFORCING, WITHOUT, added, confirm, phases, report, steps, uses
from tests.bench.table import table
from tests.machines import image
from tests.machines.commands import CHECKOUT, to_stderr
from tests.machines.vm import VirtualMachine, has_kvm

ROUNDS_PER_TURN, TURNS_PER_SLICE = 2, 5
JSON = CHECKOUT / "build/bench/bench-vm.json"
Machines = Mapping[str, VirtualMachine]
Found = dict[str, dict[str, Any]]  # of one machine, by row, as client.py tells it


def main() -> None:
    """Measure, print tables, write JSON."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=vm ARGS=…", allow_abbrev=False)
    text = f"connections for each row in each machine, in turns of {ROUNDS_PER_TURN}; default: 20"
    parser.add_argument("--rounds", type=int, default=20, help=text)
    results = bench(parser.parse_args().rounds)
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results["rows"]), table(results["with_and_without"]), report(results), sep="\n", end="")
    print(f"{', '.join(f'{name} {value}' for name, value in results['facts'].items())}\n{JSON}")


def bench(rounds: int) -> dict[str, Any]:
    """Boot both machines and measure ``rounds`` connections of each row in each."""
    built = image.build(pair.RECIPE)
    with ExitStack() as stack:
        machines = {
            name: stack.enter_context(
                VirtualMachine(built, f"bench-{name}", (), selinux=name == ENFORCING, counted=True)
            )
            for name in (ENFORCING, WITHOUT)
        }
        rows, _ = (pair.prepare(machine, name == ENFORCING) for name, machine in machines.items())
        told = facts(lambda argv: machines[ENFORCING].ssh(argv).stdout)
        told["nanoseconds"] = "real" if has_kvm() else "instructions"
        return {"facts": told, "rounds": rounds} | measured(machines, rows, rounds) | looked_into(machines, rows)


def measured(machines: Machines, rows: list[Row], rounds: int) -> dict[str, Any]:
    """The rows in turn, and what the instances themselves noted meanwhile."""
    marks = {name: machine.mark() for name, machine in machines.items()}
    found: dict[str, Found] = {name: {} for name in machines}
    for turn in range(-(-rounds // ROUNDS_PER_TURN)):
        to_stderr(f"round {turn * ROUNDS_PER_TURN + 1} of {rounds}")
        for name, machine in machines.items():
            plan = {"slices": int(turn % TURNS_PER_SLICE == 0), "warm_up": 0 if turn else 3}
            merge(found[name], pair.measured(machine, rows, ROUNDS_PER_TURN, **plan))
    noted = {}
    for name, machine in machines.items():
        entries = machine.journal("SYSLOG_IDENTIFIER=selsock", since=marks[name])
        confirm(entries, name)
        noted[name] = {row.name: phases(entries, row.request) for row in rows if row.group > 2}
    return {
        "rows": with_ratios([figures(row, found[ENFORCING][row.name]) for row in rows]),
        "with_and_without": compared(rows, found),
        "added": {row.name: added(found[ENFORCING][row.name], found[WITHOUT][row.name]) for row in rows},
        "phases": noted,
    }


def looked_into(machines: Machines, rows: list[Row]) -> dict[str, Any]:
    """What the handler asks of SELinux and how long that takes, and what the kernel counts."""
    to_stderr("what the handler asks, and what the kernel counts")
    answers = {name: pair.asked(machine) for name, machine in machines.items()}
    return {
        "steps": {name: steps(told) for name, told in answers.items()},
        "uses": {name: uses(told) for name, told in answers.items()},
        "cache": pair.cache(machines[ENFORCING]),
        "avc": {row.name: pair.counted(machines[ENFORCING], row) for row in rows},
    }


def merge(found: Found, more: Found) -> None:
    """Add what another turn found to ``found``."""
    for name, figures_of_row in more.items():
        told = found.setdefault(name, {"seconds": [], "cpu": [], "kib": [], "rates": {}})
        for key in ("seconds", "cpu", "kib"):
            told[key] += figures_of_row[key]
        for clients, slices in figures_of_row["rates"].items():
            told["rates"].setdefault(clients, []).extend(slices)


def compared(rows: Sequence[Row], found: Mapping[str, Found]) -> list[Figures]:
    """Each row without SELinux, and with it, the ratios of which refer to that without."""
    lines = []
    for row in rows:
        for name in (WITHOUT, ENFORCING):
            line = replace(row, group=14, name=f"{row.name}: {name}", base=f"{row.name}: {WITHOUT}")
            lines.append(figures(line, found[name][row.name]))
    return with_ratios(lines)


if __name__ == "__main__":
    main()
