# SPDX-License-Identifier: Apache-2.0
"""Every denial of ours that a served request causes with dontaudit rules off, and why it is neither allowed nor avoided.

Each entry: the fields of the record, as patterns, and the reason.
"""

EXPECTED: list[tuple[dict[str, str], str]] = []
