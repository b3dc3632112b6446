# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a source to a plan: the one way there, for what an administrator gives and what is in force."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from selsock.generate import conflicts
from selsock.generate.applied import Applied
from selsock.generate.configuration import Configuration, configure
from selsock.generate.listeners import unusual_ports
from selsock.generate.maps import STAR, Maps
from selsock.generate.plan import RANGES, Plan, plan
from selsock.generate.ranges import Ledger, merged
from selsock.generate.source import load
from selsock.generate.user_contexts import policy_type


def prepare(source: Path, data: bytes, root: Path, maps: Maps | None = None) -> tuple[Configuration, Plan]:
    """Check ``data``, read from ``source``, and plan for ``root``; warn of what is allowed but doubtful.

    Maps are those on disk, unless ``maps`` has others.  Raises BadSource, MachineFault, and OSError for a ledger that can not be read.
    """
    applied = Applied(source.absolute(), data)
    ledger = known_pairs(source, root)
    configuration = configure(load(data, str(source)), source.name, ledger, maps)
    conflicts.check(configuration)
    warn(configuration)
    made = plan(configuration, ledger, str(applied.ledger), applied.compose(), policy_type(root))
    return configuration, made


def known_pairs(source: Path, root: Path) -> Ledger:
    """All pairs that were given, as far as ``source`` below ``root`` is to know.  Raises BadSource, and OSError for a ledger
    that can not be read."""
    # Beside the source, where it is kept; this machine's own, so that two sources never give one pair twice; and the
    # first again where an earlier --output has put it.
    ledgers = [Path(f"{source}.ranges"), root / RANGES, root / f"{source.absolute()}.ranges".lstrip("/")]
    return merged([(str(path), read_ledger(path)) for path in ledgers if os.path.lexists(path)])


def read_ledger(path: Path) -> bytes:
    """The bytes of a ledger; never through a link, since an error shows the line that it is about."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return file.read()


def warn(configuration: Configuration) -> None:
    """Say on stderr what the operator should know."""
    if not configuration.required:
        print("warning: selinux: optional serves without confinement where SELinux does not enforce", file=sys.stderr)
    for line in filter(None, (given.starred() for given in configuration.maps)):
        what = "is what the source says around the map; for mod_selinux it was the server's own context"
        print(f"warning: {line.source}: {STAR} {what}", file=sys.stderr)
    for scripts in (path for site in configuration.sites for path in site.idle_scripts):
        what = "nothing there can be run without access: execute in content"
        print(f"warning: {scripts} holds CGI programs, and {what}", file=sys.stderr)
    for port in unusual_ports(configuration.listen):
        hint = f"semanage port -a -t http_port_t -p tcp {port}"
        print(
            f"hint: port {port} is not one of a web server; if it can not be bound, no port is: {hint}", file=sys.stderr
        )
