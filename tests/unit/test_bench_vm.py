# SPDX-License-Identifier: Apache-2.0
"""What BENCH=vm computes from what the machines tell."""

import pytest

from tests.bench import avc, pair, site, vm
from tests.bench.rows import Shipped
from tests.bench.selinux import (
    ENFORCING,
    PHASES,
    WITHOUT,
    added,
    asked_for,
    confirm,
    phases,
    report,
    steps,
    uses,
)
from tests.machines.journal import Entry

STATS = """lookups hits misses allocations reclaims frees
100 90 10 9 2 1
1000 995 5 4 0 0
"""
PUBLIC = "selsock_public_t:s0"
ROW = site.own(3, "static")


def outcome(context: str | None = f"system_u:system_r:{PUBLIC}", target: str = "/", user: str = "") -> Entry:
    """The record of a request, which came from ``context`` and took 1, 2, 3 … microseconds for its phases."""
    entry = {"SELSOCK_EVENT": "outcome", "SELSOCK_CONTEXT": PUBLIC, "SELSOCK_TARGET": target, "SELSOCK_USER": user}
    entry |= {f"SELSOCK_{phase.upper()}_USEC": str(number) for number, phase in enumerate(PHASES, 1)}
    return entry if context is None else {**entry, "_SELINUX_CONTEXT": context}


DECISION = {"SELSOCK_EVENT": "decision", "_SELINUX_CONTEXT": "system_u:system_r:selsock_t:s0"}
UNCONFINED = {"SELSOCK_EVENT": "unconfined"}


def test_counts_of_all_processors_are_added() -> None:
    """One line for each."""
    expected = {"lookups": 1100, "hits": 1085, "misses": 15, "allocations": 13, "reclaims": 2, "frees": 1}
    assert expected == avc.read(STATS)


@pytest.mark.parametrize(
    "text", ["", "lookups hits\n", "lookups hits\n1\n", "lookups hits\n1 2\n3\n", "lookups\nmany\n"]
)
def test_counts_of_another_form_are_refused(text: str) -> None:
    """No line, too few columns, lines of different length, no number."""
    with pytest.raises(ValueError, match=r"."):
        avc.read(text)


def test_what_the_machine_does_by_itself_is_no_connections() -> None:
    """100 lookups in the time of four connections, 20 in as long a time without one."""
    expected = {"lookups": 20.0, "misses": 0.0}
    before, after, idle = {"lookups": 10, "misses": 1}, {"lookups": 110, "misses": 2}, {"lookups": 130, "misses": 3}
    assert expected == avc.per_connection(before, after, idle, 4)


@pytest.mark.parametrize(
    ("machine", "entries"),
    [
        (ENFORCING, [DECISION, outcome(), DECISION, outcome()]),
        (WITHOUT, [{"SELSOCK_EVENT": "decision"}, outcome(None)]),
    ],
)
def test_a_machine_is_what_it_is_called(machine: str, entries: list[Entry]) -> None:
    """Requests from the context of the decision; or from none."""
    confirm(entries, machine)


@pytest.mark.parametrize(
    ("machine", "entries", "reason"),
    [
        (ENFORCING, [], "enforcing: 0 requests"),
        (ENFORCING, [outcome(), outcome("system_u:system_r:selsock_t:s0")], "selsock_t:s0"),
        (ENFORCING, [outcome(), outcome(None)], "None"),
        (ENFORCING, [UNCONFINED, outcome()], "1 requests, 1 unconfined"),
        (WITHOUT, [], "without: 0 requests"),
        (WITHOUT, [outcome()], "0 unconfined, in .*selsock_public_t"),
        (WITHOUT, [UNCONFINED, outcome(None)], "1 requests, 1 unconfined"),
    ],
)
def test_a_machine_that_is_not_is_refused(machine: str, entries: list[Entry], reason: str) -> None:
    """Nothing served, another context, none where there should be one, one where there should be none."""
    with pytest.raises(ValueError, match=reason):
        confirm(entries, machine)


def test_a_request_is_known_by_target_and_user() -> None:
    """The fields that its record has, too."""
    expected = [("/", ""), ("/", "sha"), ("/app", "")]
    assert expected == [asked_for(site.request()), asked_for(site.request(user="sha")), asked_for(site.request("/app"))]


def test_pairs_are_compared() -> None:
    """A slow moment of the host that hits both of a pair does not count; nor does what the whole machine takes."""
    enforcing = {"seconds": [3.0, 20.0, 3.0], "cpu": [[1000, 200, 6300, 99000]] * 3}
    without = {"seconds": [2.0, 19.0, 2.0], "cpu": [[900, 100, 5000, 1000]] * 3}
    expected = {
        "time": {"added_ms": pytest.approx(1000), "ratio": pytest.approx(1.5)},
        "cpu": {"added_ms": pytest.approx(1.5), "ratio": pytest.approx(1.25)},
    }
    assert expected == added(enforcing, without)


def test_pairs_are_whole() -> None:
    """One more on one side is an error."""
    with pytest.raises(ValueError, match="shorter"):
        added({"seconds": [3.0, 4.0], "cpu": []}, {"seconds": [2.0], "cpu": []})


def test_phases_are_those_of_one_request_alone() -> None:
    """Of other targets, other users and decisions nothing is taken."""
    slow = {**outcome(), "SELSOCK_CONFINE_USEC": "50"}
    slowest = {**outcome(), "SELSOCK_CONFINE_USEC": "90"}
    others = [{**outcome(target="/app"), "SELSOCK_TABLE_USEC": "7"}, {**outcome(user="sha"), "SELSOCK_TABLE_USEC": "7"}]
    expected = {"table": 1, "head": 2, "identify": 3, "label": 4, "confine": 50, "serve": 6}
    assert expected == phases([outcome(), slow, slowest, DECISION, *others], site.request())


ANSWERS = [
    {"steps": [["mode", 1000], ["getcon", 2000], ["mode", 3000]], "uses": {"null, first after": 4000.0}},
    {"steps": [["mode", 1000], ["getcon", 6000], ["mode", 5000]], "uses": {"null, first after": 2000.0}},
]


def test_steps_that_occur_twice_are_added() -> None:
    """Of each connection, before the median over them; in the order in which they were first taken."""
    assert {"mode": (2, 5.0), "getcon": (1, 4.0)} == steps(ANSWERS)


def test_uses_are_microseconds() -> None:
    """From nanoseconds."""
    assert {"null, first after": 3.0} == uses(ANSWERS)


def turn(seconds: float) -> vm.Found:
    """What the client found in one turn."""
    return {"static": {"seconds": [seconds], "cpu": [[1, 2, 3, 4]], "kib": [9], "rates": {"1": [[3, seconds]]}}}


def test_turns_add_up() -> None:
    """Lists grow; the first turn begins them, and stays as it was."""
    found: vm.Found = {}
    first = turn(0.5)
    vm.merge(found, first)
    vm.merge(found, turn(0.25))
    row = {"seconds": [0.5, 0.25], "cpu": [[1, 2, 3, 4]] * 2, "kib": [9, 9], "rates": {"1": [[3, 0.5], [3, 0.25]]}}
    assert {"static": row} == found
    assert turn(0.5) == first


def test_with_selinux_is_compared_to_the_same_row_without() -> None:
    """Half again as long, and two thirds of the rate."""
    found: dict[str, vm.Found] = {}
    for name, seconds in ((ENFORCING, 0.3), (WITHOUT, 0.2)):
        found[name] = turn(seconds)
        found[name]["static"]["rates"]["8"] = [[3, seconds]]
    lines = vm.compared([ROW], found)
    assert [(14, "static: without"), (14, "static: enforcing")] == [(line["group"], line["name"]) for line in lines]
    assert [1.0, 1.5] == [pytest.approx(line["ratios"]["p50_ms"]) for line in lines]
    assert [1.0, 2 / 3] == [pytest.approx(line["ratios"]["per_second_8"]) for line in lines]


def test_the_report_has_a_line_for_each_figure() -> None:
    """Enforcing before without, and the counts of the kernel last."""
    by_phase = {name: {"static": dict.fromkeys(PHASES, value)} for name, value in ((ENFORCING, 2.25), (WITHOUT, 1))}
    results = {
        "added": {"static": {"cpu": {"added_ms": 1.25, "ratio": 1.1254}}},
        "phases": by_phase,
        "steps": {ENFORCING: steps(ANSWERS), WITHOUT: {"mode": (1, 0.5)}},
        "uses": {ENFORCING: uses(ANSWERS), WITHOUT: uses(ANSWERS)},
        "cache": {"cache_threshold": "512", "hash_stats": ""},
        "avc": {"static": {"lookups": 1234.4, "misses": 0.25}},
    }
    lines = [line.split() for line in report(results).splitlines()]
    assert len(lines) == 5 + 1 + len(PHASES) + 2 + 1 + 1
    assert ["static", "cpu", "1.25", "1.125"] in lines
    assert ["static", "confine", "2.2", "1.0"] in lines
    assert ["is", "SELinux", "enforcing?", "2", "5.0", "0.5"] in lines
    assert ["its", "own", "context", "1", "4.0", "0.0"] in lines
    assert ["reading", "/dev/null", "that", "systemd", "opened", "first", "after", "3.0", "3.0"] in lines
    assert ["static,", "a", "connection", "1234", "0.2"] == lines[-1]


def test_records_tell_the_rows_apart() -> None:
    """Else the phases of one would be those of another.  The floor has no records."""
    units = Shipped("[Socket]\nListenStream=80\n", "[Service]\nExecStart=/bin/false\n")
    rows = [row for row in pair.rows_of([make(units) for make in pair.MAKERS]) if row.group > 2]
    assert [3, 4, 5, 6] == [row.group for row in rows]
    assert len(rows) == len({asked_for(row.request) for row in rows})
