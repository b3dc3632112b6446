# SPDX-License-Identifier: Apache-2.0
"""Boot a machine that has what the wanted groups need, and have the client measure their rows in it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import client, floors, site, stream, streams
from tests.bench.facts import facts
from tests.bench.figures import figures, with_ratios
from tests.bench.rows import Group, Groups, Row, Shipped, Stream, wanted
from tests.bench.units import UNITS
from tests.machines.commands import signs_of_life, to_stderr
from tests.machines.install import install_selsock, mask, stage, write_files
from tests.machines.native import NativeMachine
from tests.machines.trees import overlay, run_in, tree

# Of a round: a connection, and what the client waits after it.  For the time limit, and to say how long it takes.
SECONDS_PER_CONNECTION = 0.1
ROUNDS_PER_SLICE = 20
ROUNDS_PER_TURN = 10  # of streams
# What packages start on port 80 by themselves.
UNWANTED = ("micro-httpd.socket", "apache2.service", "nginx.service")
PROGRAM = "/usr/libexec/selsock/client.py"
# stream.py with its import of client.py, both below this directory.
STREAM_PROGRAM = (
    "import sys; sys.path.append('/usr/libexec/bench'); from tests.bench.stream import main; main(sys.argv[1])"
)
PACKAGE = "/usr/libexec/bench/tests/bench"

Results = dict[str, Any]  # "facts", "rounds", "rows" and "streams"


def bench(tree_name: str, groups: Groups, words: list[str], rounds: int, seconds: float = 0.5) -> Results:
    """Measure the rows that ``words`` name (see rows.wanted), each ``rounds`` times, and in slices of ``seconds``.

    Returns facts of the machine and the figures of each row, in the order of the groups.
    """
    numbers = {word.partition(" ")[0] for word in words}
    with overlay(tree(tree_name)) as root:
        install_selsock(root)
        stage(root, site.VHOST_YAML, {**site.FILES, **floors.FILES})
        mask(root, UNWANTED)
        chosen = [make(shipped(root)) for number, make in groups.items() if not words or str(number) in numbers]
        rows = [row for group in chosen for row in group.rows if wanted(row, words)]
        others = [row for group in chosen for row in group.streams if wanted(row, words)]
        for group in chosen:
            prepare(root, group)
        own, other = Path(client.__file__).read_bytes(), Path(stream.__file__).read_bytes()
        write_files(root, {PROGRAM: (own, 0o644), f"{PACKAGE}/client.py": (own, 0o644)})
        write_files(root, {f"{PACKAGE}/stream.py": (other, 0o644)})
        with NativeMachine(root, "bench") as machine:
            for group in chosen:
                if group.setup:
                    machine.run(["sh", "-euc", group.setup], timeout=120)
            told = facts(lambda argv: machine.run(argv).stdout)
            found = measured(machine, rows, rounds, seconds)
            streamed = measured_streams(machine, others, max(1, rounds // ROUNDS_PER_TURN), seconds)
    return {
        "facts": told,
        "rounds": rounds,
        "rows": with_ratios([figures(row, found[row.name]) for row in rows]),
        "streams": streams.with_ratios([streams.figures(row, streamed[row.name]) for row in others]),
    }


def shipped(root: Path) -> Shipped:
    """The units that selsock-generate wrote."""
    units = root / UNITS.lstrip("/")
    return Shipped((units / "selsock.socket").read_text(), (units / "selsock@.service").read_text())


def prepare(root: Path, group: Group) -> None:
    """Put into the tree what a group needs."""
    write_files(root, group.files)
    if group.staging:
        run_in(root, ["bash", "-euo", "pipefail", "-c", group.staging])


def measured(machine: NativeMachine, rows: Sequence[Row], rounds: int, seconds: float) -> Results:
    """What the client found, by the row's name."""
    slices = max(1, rounds // ROUNDS_PER_SLICE)
    plan = {"rows": [planned(row) for row in rows], "rounds": rounds, "slices": slices, "seconds": seconds}
    expected = len(rows) * (SECONDS_PER_CONNECTION * rounds + 2 * slices * (seconds + 0.5))
    to_stderr(f"{rounds} rounds of {len(rows)} rows, about {expected / 60:.0f} minutes")
    with signs_of_life("measuring", to_stderr, every=60):
        done = machine.run(["python3", "-I", PROGRAM], input=json.dumps(plan), timeout=60 + 10 * expected)
    found: Results = json.loads(done.stdout)
    return found


def planned(row: Row, settle: float = client.SETTLE) -> dict[str, object]:
    """A row as client.py reads it, with the seconds to wait after each connection."""
    held = row.held and {
        "request": row.held.request.decode("latin-1"),
        "address": row.held.address,
        "cgroup": row.held.cgroup,
    }
    return {
        "name": row.name,
        "address": row.address,
        "request": row.request.decode("latin-1"),
        "ending": row.ending.decode("latin-1"),
        "to_answer": row.to_answer,
        "instance": row.cgroups.instance,
        "accept": row.cgroups.accept,
        "held": held,
        "settle": settle,
    }


def measured_streams(machine: NativeMachine, others: Sequence[Stream], turns: int, seconds: float) -> Results:
    """What the client of streams found, by the stream's name."""
    plan = {"streams": [planned_stream(row) for row in others], "turns": turns, "seconds": seconds}
    timeout = 60 + 10 * len(others) * (turns + 1) * (seconds + 2)
    done = machine.run(["python3", "-I", "-c", STREAM_PROGRAM, json.dumps(plan)], timeout=timeout)
    found: Results = json.loads(done.stdout)
    return found


def planned_stream(row: Stream) -> dict[str, object]:
    """A stream as stream.py reads it."""
    return {
        "name": row.name,
        "port": row.port,
        "request": row.request.decode("latin-1"),
        "prelude": row.prelude.decode("latin-1"),
        "content": row.content,
        "cgroup": row.cgroup,
    }
