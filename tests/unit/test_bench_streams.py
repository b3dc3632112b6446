# SPDX-License-Identifier: Apache-2.0
"""make bench's streams: the client that asks again and again, and what is made of its counting."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench import client, stream, streams
from tests.bench.machine import planned_stream
from tests.bench.rows import Stream, wanted

ROW = Stream(12, "selsock, kept", 80, b"GET /\xff", 6, "selsock.slice", "base", prelude=b"GET /first")
KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
CLOSED = KEPT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class Server:
    """Gives each connection of a port ``answers``, one for each request; ``asked`` has the requests of all of them."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers, self.asked = answers, list[list[bytes]]()
        self.waits = False  # for the client to close
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]

    def serve(self) -> None:
        """Until the listener is shut down."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append([])
                for answer in self.answers:
                    request = connection.recv(1000)
                    if not request:
                        break
                    self.asked[-1].append(request)
                    connection.sendall(answer)
                if self.waits:
                    connection.recv(1000)


@contextmanager
def server(*answers: bytes) -> Iterator[Server]:
    """A Server in a thread of its own."""
    made = Server(list(answers))
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    made.listener.shutdown(socket.SHUT_RDWR)
    made.listener.close()
    thread.join()


def plan(port: int, prelude: str = "", name: str = "row", cgroup: str = "group") -> stream.Stream:
    """A stream as the client reads it."""
    return {"name": name, "port": port, "request": "GET", "prelude": prelude, "content": 6, "cgroup": cgroup}


def test_row_is_planned_with_its_bytes_as_text() -> None:
    assert planned_stream(ROW) == {
        "name": "selsock, kept",
        "port": 80,
        "request": "GET /\xff",
        "prelude": "GET /first",
        "content": 6,
        "cgroup": "selsock.slice",
    }


def test_rows_are_wanted_by_group_or_beginning() -> None:
    assert [wanted(ROW, words) for words in ([], ["12"], ["12 selsock"], ["12 nginx"], ["1"])] == [True] * 3 + [
        False
    ] * 2


def test_kept_connection_is_used_again_and_its_prelude_is_not_counted() -> None:
    with server(KEPT, KEPT, KEPT) as peer, stream.Client(plan(peer.port, prelude="FIRST")) as asking:
        count, took, connections = asking.repeat(0)
        assert (count, connections) == (1, 1)
        assert took > 0
        asking.prelude = b""
        assert asking.repeat(0)[::2] == (1, 1)
    assert peer.asked == [[b"FIRST", b"GET", b"GET"]]


def test_closed_connection_is_made_anew_for_each_request() -> None:
    with server(CLOSED) as peer, stream.Client(plan(peer.port)) as asking:
        assert [asking.repeat(0)[::2] for _ in range(3)] == [(1, 1)] * 3
    assert peer.asked == [[b"GET"]] * 3


def test_requests_go_on_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    with server(*[KEPT] * 9) as peer, stream.Client(plan(peer.port)) as asking:
        monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
        assert asking.repeat(4) == (4, 4, 1)


def test_client_of_connections_need_not_wait_for_their_end() -> None:
    """Here it would wait for a minute: each waits for the other to close."""
    with server(KEPT) as peer:
        peer.waits = True
        row = {"name": "row", "address": peer.port, "request": "GET", "ending": "hello\n", "to_answer": True}
        assert 0 < client.connection(row) < 60
    assert peer.asked == [[b"GET"]]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (KEPT.replace(b"200", b"404"), "row: b'http/1.1 404"),
        (KEPT.replace(b" 6", b" 7"), "row: b'http/1.1 200 ok"),
        (KEPT.replace(b"Content-Length: 6", b"X: y"), "row: b'http/1.1 200 ok"),
        (KEPT + b"more", "row: 4 bytes more than announced"),
        (KEPT[:-1], "row: the stream ended early"),
        (KEPT[:20], "row: the stream ended early"),
    ],
)
def test_wrong_answer_is_no_figure(answer: bytes, reason: str) -> None:
    with (
        server(answer) as peer,
        stream.Client(plan(peer.port)) as asking,
        pytest.raises(ValueError, match=reason),
    ):
        asking.repeat(0)


def test_streams_take_turns_and_the_first_turn_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is that of the largest process in the group."""
    (tmp_path / "group").mkdir()
    (tmp_path / "group/cgroup.procs").write_text(f"{os.getpid()}\n1\n")
    monkeypatch.setattr(stream, "CGROUPS", str(tmp_path))
    monkeypatch.setattr(stream, "SETTLE", 0)
    monkeypatch.setattr(stream, "resident", {str(os.getpid()): 3000, "1": 2000}.__getitem__)
    with server(CLOSED) as peer:
        rows = [plan(peer.port, name=name) for name in ("a", "b")]
        found = stream.measure(rows, turns=2, seconds=0)
    assert {name: told["kib"] for name, told in found.items()} == {"a": [3000, 3000], "b": [3000, 3000]}
    assert [len(told["turns"]) for told in found.values()] == [2, 2]
    assert len(peer.asked) == 6


def test_plan_and_findings_are_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stream.main(json.dumps({"streams": [], "turns": 1, "seconds": 0}))
    assert json.loads(capsys.readouterr().out) == {}


def told(rate: int, name: str = "selsock, kept", base: str = "base") -> streams.Figures:
    """Figures of turns at ``rate``, and of one that was disturbed."""
    row = Stream(12, name, 80, b"", 1000, "", base)
    turns = [[rate, 1.0, 1], [rate, 9.0, 1], [3 * rate, 3.0, 2]]
    return streams.figures(row, {"turns": turns, "kib": [2048, 1024, 1024]})


def test_figures_are_medians_of_the_turns() -> None:
    assert told(500) == {
        "group": 12,
        "name": "selsock, kept",
        "base": "base",
        "requests": 2500,
        "connections": 4,
        "requests_per_second": 500,
        "bytes_per_second": 500000,
        "rss_kib": 1024,
    }


def test_ratio_is_to_the_rate_of_the_base() -> None:
    rows = streams.with_ratios([told(200, "base"), told(500), told(1, "x", base="absent")])
    assert [row["ratio"] for row in rows] == [1.0, 2.5, None]


def test_table_has_a_line_for_each_stream() -> None:
    assert streams.stream_table(streams.with_ratios([told(2000, "base"), told(500)])) == (
        "row                  1/s  MB/s  ratio  RSS MiB\n"
        "12 base           2000.0   2.0   1.00     1.00\n"
        "12 selsock, kept   500.0   0.5   0.25     1.00\n"
    )
