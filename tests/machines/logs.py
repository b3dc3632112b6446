# SPDX-License-Identifier: Apache-2.0
"""Where the logs of machines are kept: those of a machine's last run, in .cache/logs/NAME/."""

from pathlib import Path

from tests.machines.commands import cache

wanted = False  # set when a test failed: a machine then saves its logs before it ends


def directory(name: str) -> Path:
    """The directory for the logs of a machine."""
    path = cache() / "logs" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def emptied_directory(name: str) -> Path:
    """The same, emptied: the logs of one run are never mixed with those of the last."""
    path = directory(name)
    for log in path.iterdir():
        log.unlink(missing_ok=True)  # another run on the same cache may be doing the same
    return path
