# SPDX-License-Identifier: Apache-2.0
"""Row 14, what SELinux adds: figures of two machines, one with SELinux enforcing and one without it."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tests.bench.figures import Found
from tests.machines.journal import Entry

ENFORCING, WITHOUT = "enforcing", "without"
# In the order of a connection; what asked.py and Access call them.
PHASES = ("table", "head", "identify", "label", "confine", "serve")
STEPS = {
    "init": "what it asks with, loaded",
    "mode": "is SELinux enforcing?",
    "watch": "the status page, opened and read",
    "getcon": "its own context",
    "knows": "is this the table's generation?",
    "is_permissive": "is the tenant's domain permissive?",
    "setcon": "setcon",
    "unchanged": "the status page, read again",
    "clock": "(the clock)",
}
NAMES = (ENFORCING, WITHOUT)
USES = {
    "own": "reading /dev/null that the handler opened",
    "null": "reading /dev/null that systemd opened",
    "connection": "writing nothing to the connection",
}
Micros = dict[str, float]
Asked = Mapping[str, Any]  # one answer of asked.py


def confirm(entries: Sequence[Entry], machine: str) -> None:
    """Raise ValueError unless the kernel says of each request's record what the machine's name says.

    Enforcing: it came from the context of the decision.  Without: the kernel knows of no context.  In neither is there a
    record of an unconfined instance: enforcing, since none was; without, since it would be compared with nothing.
    """
    outcomes = [entry for entry in entries if entry.get("SELSOCK_EVENT") == "outcome"]
    unconfined = sum(entry.get("SELSOCK_EVENT") == "unconfined" for entry in entries)
    found = [entry.get("_SELINUX_CONTEXT") for entry in outcomes]
    wanted = [f"system_u:system_r:{entry['SELSOCK_CONTEXT']}" if machine == ENFORCING else None for entry in outcomes]
    if not outcomes or found != wanted or unconfined:
        raise ValueError(f"{machine}: {len(outcomes)} requests, {unconfined} unconfined, in {set(found)}")


def added(enforcing: Found, without: Found) -> dict[str, dict[str, float]]:
    """What SELinux adds to the time of a connection, and to the CPU time of PID 1 and all whom it starts for it.

    The n-th connections of both machines were made one soon after the other.  Returns the medians of what they differ
    by and of their ratio, which noise that hits both moves less than it moves the medians of each.
    """
    told = {}
    for name, measure in (("time", milliseconds), ("cpu", processor_milliseconds)):
        pairs = list(zip(measure(enforcing), measure(without), strict=True))
        told[name] = {"added_ms": median(a - b for a, b in pairs), "ratio": median(a / b for a, b in pairs)}
    return told


def milliseconds(found: Found) -> list[float]:
    """How long each connection took."""
    return [seconds * 1000 for seconds in found["seconds"]]


def processor_milliseconds(found: Found) -> list[float]:
    """What each connection took of PID 1, the child that accepts, and the instance; not of client and journald."""
    return [sum(spent[:3]) / 1000 for spent in found["cpu"]]


def phases(entries: Sequence[Entry], request: bytes) -> Micros:
    """The median microseconds of each phase, over the records of ``request``, known by target and user."""
    target, user = asked_for(request)
    records = [
        entry
        for entry in entries
        if (entry.get("SELSOCK_EVENT"), entry.get("SELSOCK_TARGET"), entry.get("SELSOCK_USER"))
        == ("outcome", target, user)
    ]
    return {name: median(int(record[f"SELSOCK_{name.upper()}_USEC"]) for record in records) for name in PHASES}


def asked_for(request: bytes) -> tuple[str, str]:
    """The target of a request, and the user that its Basic credentials name, or ""."""
    line, *fields = request.decode().split("\r\n")
    (basic,) = [field.rpartition(" ")[2] for field in fields if field.startswith("Authorization: ")] or [""]
    return line.split()[1], b64decode(basic).decode().partition(":")[0]


def uses(answers: Sequence[Asked]) -> Micros:
    """Of what asked.py answered: the median microseconds of each use of a descriptor."""
    return {name: median(answer["uses"][name] / 1000 for answer in answers) for name in answers[0]["uses"]}


def steps(answers: Sequence[Asked]) -> dict[str, tuple[int, float]]:
    """Of what asked.py answered: each step, in order, how often a connection takes it, and the median microseconds of
    all these times together."""
    names = list(dict.fromkeys(name for name, _ in answers[0]["steps"]))
    taken = {name: [[took for step, took in answer["steps"] if step == name] for answer in answers] for name in names}
    return {name: (len(taken[name][0]), median(map(sum, taken[name])) / 1000) for name in names}


def report(results: Mapping[str, Any]) -> str:
    """What the two machines tell beside the rows, as tables: times in microseconds, enforcing and without."""
    lines = [("what SELinux adds to a connection", "", "ms", "ratio")]
    for row, told in results["added"].items():
        lines += [(row, what, f"{pair['added_ms']:.2f}", f"{pair['ratio']:.3f}") for what, pair in told.items()]
    lines.append(("phases of a connection, by its own record", "", *NAMES))
    enforcing, without = (results["phases"][name] for name in NAMES)
    for row in enforcing:
        lines += [(row, phase, micros(enforcing[row][phase]), micros(without[row][phase])) for phase in PHASES]
    lines.append(("what the handler asks of SELinux", "times", *NAMES))
    enforcing, without = (results["steps"][name] for name in NAMES)
    for step, (times, spent) in enforcing.items():
        lines.append((STEPS.get(step, step), str(times), micros(spent), micros(without.get(step, (0, 0))[1])))
    lines.append(("one use of a descriptor", "", *NAMES))
    enforcing, without = (results["uses"][name] for name in NAMES)
    for use in enforcing:
        what, when = use.split(", ")
        lines.append((USES[what], when, micros(enforcing[use]), micros(without[use])))
    lines.append((f"access vectors, threshold {results['cache']['cache_threshold']}", "", "lookups", "misses"))
    for row, counts in results["avc"].items():
        lines.append((f"{row}, a connection", "", f"{counts['lookups']:.0f}", f"{counts['misses']:.1f}"))
    return "".join(f"{name:<50}{detail:>14}{first:>12}{second:>12}\n" for name, detail, first, second in lines)


def micros(value: float) -> str:
    """Microseconds as in a table."""
    return f"{value:.1f}"
