# SPDX-License-Identifier: Apache-2.0
"""What ``explain`` found, in words, and as JSON whose keys stay as they are."""

from __future__ import annotations

import json

from selsock.ctl.explain import Asked, Explanation, Judged
from selsock.ctl.transition import Transition


def in_words(asked: Asked, found: Explanation, entered: Transition | None) -> str:
    """Lines for a person."""
    lines = [f"request   {asked.method} {asked.path} of {asked.host}, from {asked.address}"]
    if found.vhost:
        lines.append(f"vhost     {found.vhost}{f', location {found.location}' if found.location else ''}")
    if found.location:
        groups = f", in {', '.join(found.groups)}" if found.groups else ""
        lines.append(f"user      {found.user + groups if found.user else 'nobody: he has not signed in'}")
    lines += [f"note      {note}" for note in found.notes]
    lines += [f"rule      {rule.source}: {verdict(rule)}" for rule in found.rules]
    if found.context is None:
        return "\n".join([*lines, f"answer    {found.status}: {found.reason}"]) + "\n"
    lines.append(f"context   {found.context}, by {found.rule}")
    if entered is not None:
        word = {True: "allowed by the loaded policy", False: "REFUSED: ", None: "not asked: "}[entered.allowed]
        lines.append(f"entering  {word}{entered.reason}")
    return "\n".join(lines) + "\n"


def verdict(rule: Judged) -> str:
    """Whether a rule holds, and each of its conditions."""
    if rule.holds is None:
        return "not asked"
    said = ", ".join(f"{words}: {'yes' if holds else 'no'}" for words, holds in rule.conditions)
    return f"{said}{' → it decides' if rule.holds else ''}"


def as_json(asked: Asked, found: Explanation, entered: Transition | None) -> str:
    """One object."""
    return (
        json.dumps(
            {
                "host": asked.host,
                "path": asked.path,
                "method": asked.method,
                "address": asked.address,
                "vhost": found.vhost or None,
                "location": found.location or None,
                "user": found.user or None,
                "groups": list(found.groups),
                "notes": list(found.notes),
                "rules": [
                    {"source": rule.source, "conditions": dict(rule.conditions), "holds": rule.holds}
                    for rule in found.rules
                ],
                "context": str(found.context) if found.context else None,
                "rule": found.rule or None,
                "status": found.status if found.context is None else None,
                "reason": found.reason or None,
                "transition": {"allowed": entered.allowed, "reason": entered.reason or None} if entered else None,
            },
            ensure_ascii=False,
            indent=2,
        )
        + "\n"
    )
