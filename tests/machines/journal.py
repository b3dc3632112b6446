# SPDX-License-Identifier: Apache-2.0
"""The journal of a machine as a list of dicts: field name to text, oldest entry first.

A field that occurs twice in an entry is joined by newlines; bytes that are not UTF-8 become surrogates, so that a test
of hostile input can still compare them.
"""

import json
from collections.abc import Sequence

Entry = dict[str, str]


def command(matches: Sequence[str], after: str | None) -> list[str]:
    """The journalctl command for these matches (as journalctl takes them), after a cursor."""
    # Not --after-cursor: systemd 252 then skips the first match when the entry at the cursor does not match itself.
    since = [f"--cursor={after}"] if after else []
    return ["journalctl", "--no-pager", "--quiet", "--all", "--output=json", *since, *matches]


def parse(output: str, after: str | None) -> list[Entry]:
    """Read the command's output, less the entry at the cursor itself."""
    entries = [json.loads(line) for line in output.splitlines()]
    return [{name: _text(value) for name, value in entry.items()} for entry in entries if entry["__CURSOR"] != after]


def _text(value: object) -> str:
    if isinstance(value, list):
        if all(isinstance(item, int) for item in value):  # journalctl's form for what is not printable
            return bytes(value).decode(errors="surrogateescape")
        return "\n".join(_text(item) for item in value)
    return "" if value is None else str(value)
