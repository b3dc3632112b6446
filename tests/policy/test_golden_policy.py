# SPDX-License-Identifier: Apache-2.0
"""The file contexts of the golden configuration with every key, on Debian's policy."""

from pathlib import Path

from tests.machines.trees import run_in
from tests.policy.conftest import GOLDEN, Query


def test_the_policy_links_and_says_what_was_planned(full: tuple[Path, Query]) -> None:
    """On the distribution's policy, neverallow rules checked; the types of ``full``'s administrator come from a stub."""
    lines = (GOLDEN / "file_contexts").read_text().splitlines()
    planned = dict(line.rsplit("\t", 1) for line in lines if line[0] == "/")
    paths = [pattern.split("(")[0].split("\t")[0].replace("\\", "") for pattern in planned]
    said = run_in(full[0], ["matchpathcon", "-n", *paths]).stdout.splitlines()
    assert said == list(planned.values())
