# SPDX-License-Identifier: Apache-2.0
"""Row 9: what each directive of the unit costs, tried on the Python floor.

The unit without any is the base; "all" is the shipped one; "all, but …" is that with one thing exchanged.
"""

from collections.abc import Iterator

from tests.bench.floors import PAGE, PROGRAM, REQUEST
from tests.bench.rows import Group, Row, Shipped, of_unit
from tests.bench.units import changed, hardening, listener, started, without_comments

BASE = "no hardening at all"
FIRST_PORT = 9000
# Exchanged in the shipped unit: directives and their values, none to leave one out.  What was tried and kept, or not.
LEVERS: dict[str, dict[str, list[str]]] = {
    "SystemCallFilter=@system-service": {"SystemCallFilter": ["@system-service", "~@privileged @resources"]},
    "no SystemCallFilter": {"SystemCallFilter": [], "SystemCallErrorNumber": []},
    "no SystemCallArchitectures": {"SystemCallArchitectures": []},
    "DefaultDependencies=yes": {"DefaultDependencies": ["yes"]},
    "no Conflicts, no Before": {"Conflicts": [], "Before": []},
    "no LogLevelMax": {"LogLevelMax": []},
    "no LogRateLimit": {"LogRateLimitIntervalSec": [], "LogRateLimitBurst": []},
    "StandardError=null": {"StandardError": ["null"]},
    "ProtectSystem=strict": {"ProtectSystem": ["strict"]},
    "PrivateTmp=yes": {"PrivateTmp": ["yes"]},
    "MemoryAccounting=no": {"MemoryAccounting": ["no"]},
    "TasksAccounting=no": {"TasksAccounting": ["no"]},
}


def hardened(shipped: Shipped) -> Group:
    """The base, each directive alone, all, and the levers: each a unit of its own."""
    rows = []
    files: dict[str, tuple[bytes, int]] = {}
    for number, (name, service) in enumerate(variants(shipped.service)):
        unit, port = f"bench{number}", FIRST_PORT + number
        files |= listener(shipped, unit, port, changed(service, {"ExecStart": [PROGRAM]}))
        rows.append(Row(9, name, port, REQUEST, PAGE, of_unit(unit), base=BASE))
    return Group(tuple(rows), files, setup=started(*(f"bench{number}" for number in range(len(rows)))))


def variants(service: str) -> Iterator[tuple[str, str]]:
    """The text of each unit, by the name of its row."""
    found = hardening(service)
    bare: dict[str, list[str]] = {key: [] for key in found}
    yield BASE, changed(service, bare)
    for key, values in found.items():
        yield f"{key}={shown if len(shown := ' '.join(values)) < 20 else '…'}", changed(service, bare | {key: values})
    yield "all, as shipped", service
    for name, values_by_key in LEVERS.items():
        yield f"all, but {name}", changed(service, values_by_key)
    yield "all, but no comments", without_comments(service)
