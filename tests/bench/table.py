# SPDX-License-Identifier: Apache-2.0
"""The table that make bench prints."""

from collections.abc import Mapping, Sequence

from tests.bench.figures import Figures

# Heading, key, unit to divide by, digits, and the key of a ratio that stands behind.
COLUMNS = (
    ("p50 ms", "p50_ms", 1, 2, "p50_ms"),
    ("p90", "p90_ms", 1, 2, ""),
    ("p99", "p99_ms", 1, 2, ""),
    ("1/s at 1", "per_second_1", 1, 1, ""),
    ("at 8", "per_second_8", 1, 1, "per_second_8"),
    ("CPU ms: all", "cpu_all_ms", 1, 2, "cpu_all_ms"),
    ("PID 1", "cpu_pid1_ms", 1, 2, ""),
    ("accept", "cpu_accept_ms", 1, 2, ""),
    ("instance", "cpu_instance_ms", 1, 2, ""),
    ("RSS MiB", "rss_kib", 1024, 2, "rss_kib"),
)


def table(rows: Sequence[Figures]) -> str:
    """Rows under headings; behind some figures the ratio to the row's base."""
    headings = ["row"]
    for heading, _, _, _, ratio in COLUMNS:
        headings += [heading, "ratio"] if ratio else [heading]
    lines = [headings]
    for row in rows:
        cells = [f"{row['group']:>2} {row['name']}"]
        for _, key, unit, digits, ratio in COLUMNS:
            cells.append(number(row[key], unit, digits))
            cells += [number(row["ratios"][ratio], 1, 2)] if ratio else []
        lines.append(cells)
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "".join(f"{padded(line, widths)}\n" for line in lines)


def padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line: the name to the left, figures to the right."""
    figures = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([cells[0].ljust(widths[0]), *figures])


def number(value: float | None, unit: float, digits: int) -> str:
    """A figure in its unit, or a dash for none."""
    return "-" if value is None else f"{value / unit:.{digits}f}"


def facts_line(facts: Mapping[str, object]) -> str:
    """What was measured, and on what, in one line."""
    return (
        f"selsock {facts['selsock']}, Python {facts['python']}, systemd {facts['systemd']}, Linux {facts['kernel']},"
        f" {facts['cores']} processors ({facts['processor']}), load {facts['load_before']:.1f} before"
    )
