# SPDX-License-Identifier: Apache-2.0
"""Row 14, what SELinux adds: figures of two machines, one with SELinux enforcing and one without it."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tests.machines.journal import Entry

ENFORCING, WITHOUT = "enforcing", "without"
# In the order of a connection; what asked.py and Access call them.
PHASES = ("table", "head", "identify", "label", "confine", "serve")
STEPS = {
    "load libselinux": "load libselinux",
    "mode": "is SELinux enforcing? security_getenforce()",
    "watch": "the status page, opened and read",
    "getcon": "own context, from /proc",
    "knows": "the policy's generation, security_check_context()",
    "is_permissive": "is the domain permissive? security_compute_av()",
    "setcon": "setcon()",
    "unchanged": "the status page, read again",
    "the clock itself": "the clock itself",
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

    Enforcing: the record came from the context of the decision, and none was served unconfined.  Without: the kernel
    knows no context, and each instance says that it is unconfined.
    """
    outcomes = [entry for entry in entries if entry.get("SELSOCK_EVENT") == "outcome"]
    unconfined = [entry for entry in entries if entry.get("SELSOCK_EVENT") == "unconfined"]
    found = [entry.get("_SELINUX_CONTEXT") for entry in outcomes]
    wanted: list[str | None] = [None] * len(outcomes)
    if machine == ENFORCING:
        wanted = [f"system_u:system_r:{entry['SELSOCK_CONTEXT']}" for entry in outcomes]
    if not outcomes or found != wanted or len(unconfined) != (len(outcomes) if machine == WITHOUT else 0):
        raise ValueError(f"{machine}: {len(outcomes)} requests, {len(unconfined)} unconfined, in {set(found)}")


def added(enforcing: Sequence[float], without: Sequence[float]) -> dict[str, float]:
    """What SELinux adds to connections of these seconds, the n-th of both having been made one soon after the other.

    Returns the medians of what n and n differ by and of their ratio, which noise that hits both moves less than medians
    of each.
    """
    pairs = list(zip(enforcing, without, strict=True))
    return {"added_ms": median(a - b for a, b in pairs) * 1000, "ratio": median(a / b for a, b in pairs)}


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


def steps(answers: Sequence[Asked]) -> tuple[Micros, dict[str, int]]:
    """Of what asked.py answered: the median microseconds of a connection in each of STEPS, and how often it was taken."""
    counts = {name: sum(step == name for step, _ in answers[0]["steps"]) for name in STEPS}
    spent = {
        name: median(sum(took for step, took in answer["steps"] if step == name) / 1000 for answer in answers)
        for name in STEPS
    }
    return spent, counts


def report(results: Mapping[str, Any]) -> str:
    """What the two machines tell beside the rows, as tables: times in microseconds, enforcing and without."""
    lines = [("what SELinux adds to a connection", "", "ms", "ratio")]
    for row, pair in results["added"].items():
        lines.append((row, "", f"{pair['added_ms']:.2f}", f"{pair['ratio']:.3f}"))
    lines.append(("phase of a connection, by its own record", "", *NAMES))
    for row in results["phases"][ENFORCING]:
        for phase in PHASES:
            lines.append((row, phase, *(micros(results["phases"][name][row][phase]) for name in NAMES)))
    lines.append(("what the handler asks", "times", *NAMES))
    for step, text in STEPS.items():
        (spent, counts), (others, _) = (results["steps"][name] for name in NAMES)
        lines.append((text, str(counts[step]), micros(spent[step]), micros(others[step])))
    lines.append(("one use of a descriptor", "", *NAMES))
    for use in results["uses"][ENFORCING]:
        lines.append(
            (
                USES[use.partition(",")[0]],
                use.partition(", ")[2],
                *(micros(results["uses"][name][use]) for name in NAMES),
            )
        )
    lines.append((f"access vectors, threshold {results['cache']['cache_threshold']}", "", "lookups", "misses"))
    for row, counts in results["avc"].items():
        lines.append((f"{row}, a connection", "", f"{counts['lookups']:.0f}", f"{counts['misses']:.1f}"))
    return "".join(f"{name:<50}{detail:>14}{first:>12}{second:>12}\n" for name, detail, first, second in lines)


def micros(value: float) -> str:
    """Microseconds as in a table."""
    return f"{value:.1f}"
