# SPDX-License-Identifier: Apache-2.0
"""Rows 12 and 13: many requests over one connection, and one large file."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tests.bench.figures import ratio
from tests.bench.floors import PAGE
from tests.bench.rows import Group, Shipped, Stream, of_unit
from tests.bench.site import request
from tests.bench.table import number, padded

NGINX, SYNC, LOGGING, GTHREAD = 8103, 8104, 8105, 8106  # ports
GIB = 1 << 30
NGINX_SITE = f"""server {{
    listen {NGINX};
    server_name a.example;
    root /srv/vhosts/a;
}}
"""
GUNICORN = """[Service]
ExecStart=/usr/bin/gunicorn --chdir /srv/vhosts/a/code --bind 127.0.0.1:{port} {options} hello:application
User=selsock
"""
SYNC_ROW = "gunicorn, sync: a connection each, it keeps none"

Streams = Sequence[Stream]
Figures = dict[str, Any]


def gunicorn(name: str, unit: str, port: int) -> Stream:
    """A stream of one of gunicorn's workers."""
    cgroup = f"system.slice/{unit}.service"
    asked = request(close=False)
    return Stream(12, name, port, asked, len(PAGE), cgroup, SYNC_ROW, prelude=asked)


def kept(shipped: Shipped) -> Group:
    """Row 12.  gunicorn's sync worker keeps no connection.  By default it has no access log either; selsock always has."""
    workers = (
        (SYNC_ROW, "gunicornsync", SYNC, ""),
        ("gunicorn, sync, with an access log, as selsock has", "gunicornlog", LOGGING, "--access-logfile -"),
        ("gunicorn, gthread, kept", "gunicorngthread", GTHREAD, "--worker-class gthread --threads 2"),
    )
    streams = [gunicorn(name, unit, port) for name, unit, port, _ in workers]
    for name, path in (("selsock, static, kept", "/"), ("selsock, WSGI, kept", "/app")):
        asked = request(path, close=False)
        instances = of_unit("selsock").instance
        streams.append(Stream(12, name, 80, asked, len(PAGE), instances, SYNC_ROW, prelude=asked))
    units = [(unit, GUNICORN.format(port=port, options=options)) for _, unit, port, options in workers]
    files = {f"/etc/systemd/system/{unit}.service": (text.encode(), 0o644) for unit, text in units}
    names = " ".join(unit for unit, _ in units)
    # Until each of them listens; systemd does not know when that is.
    wait = "".join(f"until curl -s localhost:{port} >/dev/null; do sleep 0.1; done\n" for _, _, port, _ in workers)
    setup = f"systemctl daemon-reload\nsystemctl start {names}\n{wait}"
    return Group((), files, setup=setup, streams=tuple(streams))


def large(shipped: Shipped) -> Group:
    """Row 13.  The file has no blocks, and lies in the page cache once it was read."""
    asked = request("/large", close=False)
    nginx = "nginx, 1 GiB"
    streams = (
        Stream(13, nginx, NGINX, asked, GIB, "system.slice/nginx.service", nginx),
        Stream(13, "selsock, 1 GiB", 80, asked, GIB, of_unit("selsock").instance, nginx),
    )
    files = {"/etc/nginx/conf.d/bench.conf": (NGINX_SITE.encode(), 0o644)}
    staging = "truncate -s 1G /srv/vhosts/a/large\nrm /etc/nginx/sites-enabled/default\n"
    setup = "systemctl unmask --quiet nginx\nsystemctl start nginx\n"
    return Group((), files, staging, setup, streams)


def figures(stream: Stream, found: Mapping[str, Any]) -> Figures:
    """The figures of one stream, as they stand in the JSON: medians of its turns."""
    rate = median(count / took for count, took, _ in found["turns"])
    return {
        "group": stream.group,
        "name": stream.name,
        "base": stream.base,
        "requests": sum(count for count, _, _ in found["turns"]),
        "connections": sum(connections for _, _, connections in found["turns"]),
        "requests_per_second": rate,
        "bytes_per_second": rate * stream.content,
        "rss_kib": median(found["kib"]),
    }


def with_ratios(rows: Sequence[Figures]) -> list[Figures]:
    """``rows``, each with the ratio of its rate to that of its base."""
    named = {row["name"]: row for row in rows}
    return [{**row, "ratio": ratio(row, named.get(row["base"]), "requests_per_second")} for row in rows]


def stream_table(rows: Sequence[Figures]) -> str:
    """What make bench prints of streams."""
    lines = [["row", "1/s", "MB/s", "ratio", "RSS MiB"]]
    for row in rows:
        rates = [number(row["requests_per_second"], 1, 1), number(row["bytes_per_second"], 1e6, 1)]
        others = [number(row["ratio"], 1, 2), number(row["rss_kib"], 1024, 2)]
        lines.append([f"{row['group']:>2} {row['name']}", *rates, *others])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "".join(f"{padded(line, widths)}\n" for line in lines)
