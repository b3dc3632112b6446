# SPDX-License-Identifier: Apache-2.0
"""What verify found, in words, and as JSON whose keys stay as they are."""

from __future__ import annotations

import json
from typing import Any

from selsock.ctl.verify.access import KINDS
from selsock.ctl.verify.findings import Fault
from selsock.ctl.verify.matrix import Cell, Grant
from selsock.ctl.verify.result import Result


def in_words(result: Result) -> str:
    """Lines for a person: what is wrong, and the sums of the rest."""
    matrix = result.matrix
    count = sum(map(len, matrix.classes))
    lines = [
        f"policy    {result.policy}",
        f"source    {result.source}",
        f"tenants   {count}, of {len(matrix.classes)} classes: {sum(cell.pairs for cell in matrix.all()) - count} pairs",
    ]
    crossing = {(cell.source.name, cell.target.name, grant.kind) for cell, grant in result.crossings}
    lines += [f"promised  {source} may {kind} what is {target}'s" for source, target, kind in sorted(crossing)]
    for writers in result.writers:
        lines.append(
            f"outside   {len(writers.always)} types may write {', '.join(writers.content[:3])}"
            f"{f' and {len(writers.content) - 3} more' if len(writers.content) > 3 else ''},"
            f" {len(writers.sometimes)} more by a boolean"
        )
    if result.probed:
        found = result.probed
        lines.append(
            f"probed    {found.contexts} contexts of {found.tenants} tenants: {found.refused} attempts refused by SELinux,"
            f" {found.allowed} had success, {found.not_shown} show nothing of it"
        )
    lines += [f"note      {note}" for note in notes(result)]
    for fault in result.faults:
        lines.append(f"WRONG     {fault.problem}")
        lines += [f"          {rule}" for rule in fault.rules]
    wrong = len(result.faults)
    verdict = f"not as promised: {wrong} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else "as promised"
    return "\n".join([*lines, f"verdict   {verdict}"]) + "\n"


def notes(result: Result) -> tuple[str, ...]:
    """All that is to be said, the probe's among it."""
    unprobed = ("nothing was tried: that needs the policy that is loaded, and the configuration that is in force",)
    return (*result.notes, *(result.probed.notes if result.probed else unprobed))


def as_json(result: Result) -> str:
    """One object."""
    matrix, probed = result.matrix, result.probed
    found = {
        "proved": not result.faults,
        "policy": result.policy,
        "source": result.source,
        "classes": [[list(tenant.vhosts) for tenant in members] for members in matrix.classes],
        "cells": [cell_of(cell, pair) for pair, cells in sorted(matrix.cells.items()) for cell in cells],
        "own": [cell_of(cell, (number, number)) for number, cells in sorted(matrix.own.items()) for cell in cells],
        "faults": [fault_of(fault) for fault in result.faults],
        "writers": [
            {"content": list(writers.content), "always": rules(writers.always), "sometimes": rules(writers.sometimes)}
            for writers in result.writers
        ],
        "probe": probed
        and {
            "tenants": probed.tenants,
            "contexts": probed.contexts,
            "refused": probed.refused,
            "allowed": probed.allowed,
            "not_shown": probed.not_shown,
            "faults": [fault_of(fault) for fault in probed.faults],
        },
        "notes": list(notes(result)),
    }
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def cell_of(cell: Cell, classes: tuple[int, int]) -> dict[str, Any]:
    """A cell: the classes, the pairs that it stands for, one of them, and each kind with what allows it."""
    return {
        "classes": list(classes),
        "pairs": cell.pairs,
        "source": cell.source.name,
        "target": cell.target.name,
        "kinds": {kind: [grant_of(grant) for grant in cell.grants if grant.kind == kind] for kind in KINDS},
        "missing": [
            {"kind": one.kind, "source": one.source.context, "target": one.target.context} for one in cell.missing
        ],
    }


def grant_of(grant: Grant) -> dict[str, Any]:
    """Who may, on what, by which rules."""
    return {
        "source": grant.source.context,
        "target": grant.target.context,
        "promised": grant.promised,
        "rules": list(grant.rules),
    }


def fault_of(fault: Fault) -> dict[str, Any]:
    """What is wrong, and by which rules."""
    return {"problem": fault.problem, "rules": list(fault.rules)}


def rules(given: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Types, and the rules by which each may."""
    return {name: list(texts) for name, texts in given.items()}
