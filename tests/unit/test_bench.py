# SPDX-License-Identifier: Apache-2.0
"""make bench, as far as it computes: rows and units, the client's counting, figures, table and chart."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import client
from tests.bench.__main__ import GROUPS, parser
from tests.bench.chart import chart, charted, note
from tests.bench.figures import Figures, figures, quantile, with_ratios
from tests.bench.hardening import BASE, LEVERS, variants
from tests.bench.machine import planned
from tests.bench.rows import Cgroups, Held, Row, Shipped, Stream, of_unit, wanted
from tests.bench.table import facts_line, table
from tests.bench.units import HARDENING, changed, hardening, listener, started, without_comments
from tests.unit.test_golden import GOLDEN

SOCKET = "[Socket]\n# Two.\nListenStream=80\nListenStream=/run/x.sock\nAccept=yes\n"
SERVICE = """# Written.

[Unit]
DefaultDependencies=no
Before=shutdown.target

[Service]
ExecStart=/usr/libexec/selsock/serve TABLE
# User=root
User=selsock
StandardError=journal
SystemCallFilter=@system-service
UMask=0077
SystemCallFilter=~@privileged
"""
SHIPPED = Shipped(SOCKET, SERVICE)
ROW = Row(3, "selsock, static", 80, b"GET /\xff", b"hello\n", Cgroups("instances", "accept"), base="floor")
FACTS = {
    "selsock": "1 abc",
    "python": "3.13",
    "systemd": "257",
    "kernel": "6.12",
    "cores": 2,
    "processor": "<P&Q>",
    "load_before": 0.25,
}
# One connection at a time: answers with what it was sent, and closes.
ECHO = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        with server.accept()[0] as connection:
            connection.sendall(connection.recv(1000))
"""


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(1, 0.5, 1), (2, 0.5, 1), (3, 0.5, 2), (100, 0.99, 99), (10, 0.99, 10), (9, 0, 1)]
)
def test_quantile_is_a_value_by_nearest_rank(count: int, share: float, expected: int) -> None:
    """Of 1 to ``count``, in the wrong order."""
    assert quantile(list(range(count, 0, -1)), share) == expected


def found(**other: object) -> dict[str, object]:
    """What the client tells of three connections, slices of two lengths, and no memory."""
    told = {
        "seconds": [0.03, 0.01, 0.02],
        "cpu": [[1000, 0, 5000, 7000], [3000, 0, 9000, 13000], [2000, 0, 6000, 9000]],
    }
    return {**told, "rates": {"1": [[10, 1.0], [20, 2.0]], "8": [[90, 1.0]]}, "kib": [], **other}


def test_figures_of_a_row() -> None:
    assert figures(ROW, found(kib=[1000, 3000, 2000])) == {
        "group": 3,
        "name": "selsock, static",
        "base": "floor",
        "connections": 3,
        "p50_ms": 20,
        "p90_ms": 30,
        "p99_ms": 30,
        "per_second_1": 10,
        "per_second_8": 90,
        "cpu_pid1_ms": 2,
        "cpu_accept_ms": 0,
        "cpu_instance_ms": 6,
        "cpu_all_ms": 9,
        "rss_kib": 2000,
    }
    assert figures(ROW, found())["rss_kib"] is None


def both(own: dict[str, object], floor: dict[str, object]) -> list[Figures]:
    """The figures of two rows, the second of them the base, with ratios."""
    rows = (ROW, own), (replace(ROW, group=2, name="floor"), floor)
    return with_ratios([figures(row, found(**other)) for row, other in rows])


def test_ratios_are_to_the_base() -> None:
    """And a base is 1 of itself; what was not measured has none."""
    own, floor = both({"seconds": [0.03], "kib": [5]}, {"rates": {"1": [[1, 1.0]], "8": [[60, 1.0]]}})
    assert own["ratios"] == {"p50_ms": 1.5, "per_second_8": 1.5, "cpu_all_ms": 1, "rss_kib": None}
    assert floor["ratios"] == {"p50_ms": 1, "per_second_8": 1, "cpu_all_ms": 1, "rss_kib": None}
    (alone,) = with_ratios([figures(ROW, found())])
    assert alone["ratios"] == {"p50_ms": None, "per_second_8": None, "cpu_all_ms": None, "rss_kib": None}


def test_table_has_a_line_for_each_row() -> None:
    text = table(both({"seconds": [0.03], "kib": [5120]}, {"kib": [4096]}))
    lines = [line.split() for line in text.splitlines()]
    heading = "row p50 ms ratio p90 p99 1/s at 1 at 8 ratio CPU ms: all ratio PID 1 accept instance RSS MiB ratio"
    own = "3 selsock, static 30.00 1.50 30.00 30.00 10.0 90.0 1.00 9.00 1.00 2.00 0.00 6.00 5.00 1.25"
    floor = "2 floor 20.00 1.00 30.00 30.00 10.0 90.0 1.00 9.00 1.00 2.00 0.00 6.00 4.00 1.00"
    assert lines == [heading.split(), own.split(), floor.split()]
    assert len({len(line) for line in text.splitlines()}) == 1
    assert table(with_ratios([figures(ROW, found())])).split()[-2:] == ["-", "-"]


def test_facts_are_one_line() -> None:
    expected = "selsock 1 abc, Python 3.13, systemd 257, Linux 6.12, 2 processors (<P&Q>), load 0.2 before"
    assert facts_line(FACTS) == expected


def test_chart_is_xml_with_a_bar_for_each_row() -> None:
    """The longest is as long as there is room; names and note are text, whatever stands in them."""
    rows = both({"seconds": [0.03]}, {})
    rows[0]["name"] = "selsock <&>"
    svg = ElementTree.fromstring(chart(rows, note(FACTS, 7)))
    tag = "{http://www.w3.org/2000/svg}"
    bars = [(bar.get("class"), float(bar.get("width", ""))) for bar in svg.iter(f"{tag}rect")]
    assert bars == [("own", 360), ("bar", 240)]
    texts = [text.text for text in svg.iter(f"{tag}text")]
    below = "A connection from connect to its end: median of 7. Python 3.13, systemd 257, Linux 6.12, 2 processors"
    assert texts == ["selsock <&>", "30.0 ms", "floor", "20.0 ms", below]
    assert svg.get("viewBox") == f"0 0 {svg.get('width')} {svg.get('height')}"


def test_chart_without_rows_is_empty() -> None:
    svg = ElementTree.fromstring(chart([], "nothing"))
    assert [child.tag.rpartition("}")[2] for child in svg] == ["style", "text"]


def test_chart_shows_what_one_chooses_from() -> None:
    """Not the hardening, not what a slow hash costs, and nothing twice."""
    rows: list[Figures] = [{"group": group, "name": "x"} for group in (1, 8, 9, 11)]
    assert charted([*rows, {"group": 4, "name": "Basic with bcrypt"}, {"group": 7, "name": "x, beside it"}]) == rows[:2]


def test_each_directive_of_the_shipped_unit_hardens_or_does_not() -> None:
    """A new one is to be put where it belongs."""
    text = (GOLDEN / "minimal/expected/etc/systemd/system/selsock@.service").read_text()
    keys = {line.partition("=")[0] for line in text.partition("[Service]")[2].splitlines() if line and line[0] != "#"}
    others = (
        "ExecStart LimitCORE LogLevelMax LogRateLimitBurst LogRateLimitIntervalSec MemoryMax OOMPolicy OOMScoreAdjust"
    )
    others += " RuntimeMaxSec StandardError StandardInput StandardOutput SuccessExitStatus SyslogLevel TasksMax"
    others += " TimeoutStopSec"
    assert keys - set(HARDENING) == set(others.split())
    assert set(HARDENING) < keys


def test_hardening_is_what_is_named_so() -> None:
    """In the order of the unit, lines of one key together; comments and other sections are not it."""
    expected = {"User": ["selsock"], "SystemCallFilter": ["@system-service", "~@privileged"], "UMask": ["0077"]}
    assert hardening(SERVICE) == expected


@pytest.mark.parametrize(
    ("values", "old", "new"),
    [
        ({"UMask": ["0022"]}, "UMask=0077\n", "UMask=0022\n"),
        ({"User": []}, "\nUser=selsock\n", "\n"),
        ({"PrivateTmp": ["yes"]}, "[Service]\n", "[Service]\nPrivateTmp=yes\n"),
        ({"CollectMode": ["inactive"]}, "[Unit]\n", "[Unit]\nCollectMode=inactive\n"),
        ({"DefaultDependencies": ["yes"]}, "DefaultDependencies=no", "DefaultDependencies=yes"),
        ({"RuntimeMaxSec": []}, "", ""),
    ],
)
def test_unit_differs_in_one_directive(values: dict[str, list[str]], old: str, new: str) -> None:
    """In its place, or else in its section; a comment is no directive."""
    assert changed(SERVICE, values) == SERVICE.replace(old, new, 1)


def test_lines_of_one_key_are_exchanged_together() -> None:
    """At the first's place: their order decides."""
    lines = changed(SERVICE, {"SystemCallFilter": ["read", "write"]}).splitlines()
    assert lines[-3:] == ["SystemCallFilter=read", "SystemCallFilter=write", "UMask=0077"]


def test_unit_without_comments_says_the_same() -> None:
    lines = without_comments(SERVICE).splitlines()
    assert lines == [line for line in SERVICE.splitlines() if line and line[0] != "#"]
    assert hardening(without_comments(SERVICE)) == hardening(SERVICE)


def test_listener_is_the_socket_with_another_address() -> None:
    files = listener(SHIPPED, "floor", 8001, SERVICE)
    assert files == {
        "/etc/systemd/system/floor.socket": (b"[Socket]\n# Two.\nListenStream=127.0.0.1:8001\nAccept=yes\n", 0o644),
        "/etc/systemd/system/floor@.service": (SERVICE.encode(), 0o644),
    }
    assert (
        b"ListenStream=/run/y\n" in listener(SHIPPED, "floor", "/run/y", SERVICE)["/etc/systemd/system/floor.socket"][0]
    )
    assert started("floor", "held") == "systemctl start floor.socket held.socket\n"


def test_each_directive_has_a_row_of_its_own() -> None:
    """A new one, too: rows are made from the unit."""
    texts = dict(variants(SERVICE))
    assert list(texts)[:5] == [BASE, "User=selsock", "SystemCallFilter=…", "UMask=0077", "all, as shipped"]
    assert [list(hardening(text)) for text in texts.values()][:4] == [[], ["User"], ["SystemCallFilter"], ["UMask"]]
    assert texts["all, as shipped"] == SERVICE
    assert texts["all, but StandardError=null"] == SERVICE.replace("journal", "null")


def test_each_lever_changes_the_shipped_unit() -> None:
    """Or its row would show a difference where there is none."""
    service = (GOLDEN / "minimal/expected/etc/systemd/system/selsock@.service").read_text()
    texts = dict(variants(service))
    assert {f"all, but {name}" for name in LEVERS} < set(texts)
    assert len(set(texts.values())) == len(texts)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], True),
        (["3"], True),
        (["2", "3"], True),
        (["3 sel"], True),
        (["3 WSGI"], False),
        (["30"], False),
        (["2"], False),
    ],
)
def test_rows_are_chosen_by_group_and_name(words: list[str], expected: bool) -> None:
    assert wanted(ROW, words) is expected


def rows_of_all_groups() -> list[Row | Stream]:
    """Every row there is, of small units."""
    groups = [make(SHIPPED) for make in GROUPS.values()]
    found: list[Row | Stream] = [row for group in groups for row in group.rows]
    return found + [row for group in groups for row in group.streams]


def test_rows_have_names_and_groups_of_their_own() -> None:
    """Names tell results apart; a base is in the same run."""
    rows = rows_of_all_groups()
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {row.group for row in rows} == set(GROUPS)
    assert {row.base for row in rows} <= set(names)


def test_ports_are_those_of_one_listener() -> None:
    """Two groups that took one port would be refused it, or measure each other's program."""
    streams = [
        line
        for make in GROUPS.values()
        for name, (content, _) in make(SHIPPED).files.items()
        if name.endswith(".socket")
        for line in content.decode().splitlines()
        if line.startswith("ListenStream=")
    ]
    assert len(set(streams)) == len(streams)


def test_row_as_the_client_gets_it() -> None:
    """Bytes are Latin-1."""
    expected = {
        "name": "selsock, static",
        "address": 80,
        "request": "GET /\xff",
        "ending": "hello\n",
        "to_answer": False,
        "instance": "instances",
        "accept": "accept",
        "held": None,
        "settle": 0.5,
    }
    assert planned(ROW, settle=0.5) == expected
    held = replace(ROW, held=Held(b"\xfe", "/run/x", "group"))
    assert planned(held, settle=0.5) == {
        **expected,
        "held": {"request": "\xfe", "address": "/run/x", "cgroup": "group"},
    }
    assert of_unit("a") == Cgroups("system.slice/system-a.slice", "system.slice/a.socket")


def test_arguments() -> None:
    arguments = parser().parse_args(["--only", "3", "9 Restrict", "--rounds", "7"])
    assert (arguments.only, arguments.rounds, arguments.svg) == (["3", "9 Restrict"], 7, None)
    with pytest.raises(SystemExit):
        parser().parse_args(["--round", "7"])


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server that sends back what it got."""
    with subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def asking(port: int, request: str = "HTTP/1.1 200 OK\r\n\r\nhello\n") -> client.Row:
    """A row whose server answers as it is asked."""
    return {**planned(replace(ROW, address=port)), "request": request}


def test_client_measures_in_turns(port: int) -> None:
    """As many connections as rounds, and slices with one client and with eight; no control group has used anything."""
    found = client.measure([asking(port)], rounds=2, slices=3, seconds=0.01)["selsock, static"]
    assert len(found["seconds"]) == 2
    assert [cpu[1:3] for cpu in found["cpu"]] == [[0, 0], [0, 0]]
    assert {clients: len(rates) for clients, rates in found["rates"].items()} == {"1": 3, "8": 3}
    assert [True] * 3 == [count >= 8 and took > 0 for count, took in found["rates"]["8"]]
    assert found["kib"] == []


@pytest.mark.parametrize("request_", ["HTTP/1.1 200 OK\r\n\r\nhullo\n", "HTTP/1.1 404 No\r\n\r\nhello\n", "hello\n"])
def test_client_refuses_another_answer(port: int, request_: str) -> None:
    """Alone and among others; an error page that is fast is no result."""
    with pytest.raises(ValueError, match="^selsock, static: b'"):
        client.connection(asking(port, request_))
    with pytest.raises(ValueError, match=r"^selsock, static, 2 clients: b[\"']- ValueError"):
        client.flood(asking(port, request_), 2, 0.01)


def test_client_tells_that_nobody_listens() -> None:
    with pytest.raises(ValueError, match="ConnectionRefusedError"):
        client.flood(asking(1), 1, 0.01)


def test_client_finds_the_peak_of_a_process(tmp_path: Path) -> None:
    """Its own; and the processes of a group and those below."""
    assert client.resident("self") > 1000
    (tmp_path / "below").mkdir()
    (tmp_path / "cgroup.procs").write_text("1\n22\n")
    (tmp_path / "below/cgroup.procs").write_text("333\n")
    assert client.processes(str(tmp_path)) == ["1", "22", "333"]
    (tmp_path / "cpu.stat").write_text("usage_usec 12\nuser_usec 7\n")
    assert client.usage(f"{tmp_path}/cpu.stat") == 12
    assert client.usage(f"{tmp_path}/gone/cpu.stat") == 0
