# SPDX-License-Identifier: Apache-2.0
"""From what the client counted to the figures of the table and of the JSON beside it."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tests.bench.rows import Row

Found = Mapping[str, Any]  # of one row, as client.py tells it
Figures = dict[str, Any]  # of one row, as they stand in the JSON
RATIOS = ("p50_ms", "per_second_8", "cpu_all_ms", "rss_kib")


def quantile(values: Sequence[float], share: float) -> float:
    """The least of ``values`` that is not below ``share`` (0 to 1) of them: the nearest rank."""
    rank = -int(-len(values) * share // 1)  # rounded up
    return sorted(values)[max(rank, 1) - 1]


def figures(row: Row, found: Found) -> Figures:
    """The figures of one row.  CPU times and memory are medians."""
    told: Figures = {"group": row.group, "name": row.name, "base": row.base, "connections": len(found["seconds"])}
    for name, share in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)):
        told[name] = quantile(found["seconds"], share) * 1000
    for clients, slices in found["rates"].items():
        told[f"per_second_{clients}"] = sum(count for count, _ in slices) / sum(took for _, took in slices)
    first, accept, instance, whole = (median(column) / 1000 for column in zip(*found["cpu"], strict=True))
    told |= {"cpu_pid1_ms": first, "cpu_accept_ms": accept, "cpu_instance_ms": instance, "cpu_all_ms": whole}
    told["rss_kib"] = median(found["kib"]) if found["kib"] else None
    return told


def with_ratios(rows: Sequence[Figures]) -> list[Figures]:
    """``rows``, each with the ratios to its base; None where the base or a figure was not measured."""
    named = {row["name"]: row for row in rows}
    return [{**row, "ratios": {key: ratio(row, named.get(row["base"]), key) for key in RATIOS}} for row in rows]


def ratio(row: Figures, base: Figures | None, key: str) -> float | None:
    """One figure of a row over the same of its base."""
    if base is None or row[key] is None or not base[key]:
        return None
    return float(row[key] / base[key])
