# SPDX-License-Identifier: Apache-2.0
"""The records of the table, written as ``selsock/model.py`` reads them: lines of tab-separated fields."""

from __future__ import annotations

from selsock.model import LIMITS, TABLE_FORMAT, Location, Rule, Table, Vhost


def rule_fields(rule: Rule) -> list[str]:
    """``rule`` as the fields of a line."""
    found = ["rule", str(rule.context), rule.source]
    named = (("user", sorted(rule.users)), ("group", sorted(rule.groups)), ("address", rule.networks))
    for kind, values in (*named, ("method", sorted(rule.methods))):
        found += [field for value in values for field in (kind, value)]
    found += ["anonymous", ""] * rule.anonymous + ["any", ""] * rule.any + ["map", rule.map] * bool(rule.map)
    found += ["assigned", ""] * rule.assigned + ["signed_in", ""] * rule.signed_in
    return found + ["clearance", rule.clearance] * bool(rule.clearance)


def location_lines(location: Location) -> list[list[str]]:
    """``location`` as lines."""
    options = [field for option in location.options for field in option]
    lines = [["location", location.path, str(location.default or "")], [location.kind, *options]]
    return lines + [rule_fields(rule) for rule in location.rules]


def vhost_record(vhost: Vhost) -> bytes:
    """``vhost`` as a record."""
    lines = [["names", *vhost.names], ["root", vhost.root]]
    if vhost.temporary:
        lines.append(["temporary", vhost.temporary])
    if vhost.basic:
        lines.append(["basic", vhost.basic])
    if vhost.proxied:
        lines.append(["proxy", ""])
    if vhost.run_as:
        lines.append(["run_as", " ".join(map(str, vhost.run_as))])
    if vhost.limits:
        lines.append(["limits", " ".join(f"{name} {most}" for name, most in vhost.limits.items())])
    for location in vhost.locations:
        lines += location_lines(location)
    return "".join("\t".join(line) + "\n" for line in lines).encode()


def table_record(table: Table) -> bytes:
    """``table`` as the record of that name."""
    lines = [f"format\t{TABLE_FORMAT}", f"generation\t{table.generation}"]
    lines.append("selinux\t" + ("required" if table.required else "optional"))
    lines += ["told\t" + b" ".join(table.fields).decode()] * bool(table.fields)
    lines += ["run_as\t" + " ".join(table.apart)] * bool(table.apart)
    lines += [f"{name}\t{getattr(table.limits, name)}" for name in LIMITS]
    return "".join(line + "\n" for line in lines).encode()
