# SPDX-License-Identifier: Apache-2.0
"""Start the probe, and take what it reports from the journal.  Of tenants that are alike a few are tried."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from selsock.ctl.verify.contexts import HANDLER, Labelled
from selsock.ctl.verify.judging import Judge, Place, Probed
from selsock.ctl.verify.matrix import Matrix
from selsock.ctl.verify.policy import Policy
from selsock.ctl.verify.promises import Promises
from selsock.ctl.verify.tenants import Tenant
from selsock.generate.faults import MachineFault

PROGRAM = "/usr/libexec/selsock/probe"
PLACE = "/var/lib/selsock"
USER = "selsock"
ALIKE = 2  # of each class
TRIED = 24  # tenants, beside those that something is wrong with
ENTRIES = 1000  # of a tree that are looked at for a file to try
SECONDS = 300

# Run as user selsock, in the caller's domain: what would ordinary permissions let the probe do?
ASKING = """
import json, os, sys
def may(path, flags):
    try:
        os.close(os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK))
    except OSError:
        return False
    return True
print(json.dumps([[word for word, given, flags in (("list", path, os.O_DIRECTORY), ("read", sample, 0), ("write", sample, os.O_WRONLY))
                   if given and may(given, flags)] for path, sample in json.load(sys.stdin)]))
"""


def chosen(matrix: Matrix) -> list[Tenant]:
    """The tenants to try: those of pairs that are not as promised, and a few of each class."""
    found = [tenant for cell in matrix.all() if cell.broken for tenant in (cell.source, cell.target)]
    for rank in range(ALIKE):
        found += [members[rank] for members in matrix.classes if rank < len(members)]
    return list(dict.fromkeys(found))[:TRIED]


def probe(policy: Policy, promises: Promises, matrix: Matrix) -> Probed:
    """Try, and judge.  Raises MachineFault where the probe can not be started."""
    tenants = chosen(matrix)
    contexts = {one.context: one for tenant in tenants for one in tenant.processes if not one.is_login}
    entered = [one for one in contexts.values() if policy.may(HANDLER, one, "process", "dyntransition")]
    samples = [(tenant, label, sample(label)) for tenant in tenants for label in tenant.files]
    ordinary = asked([(label.place, file) for _, label, file in samples])
    places = [Place(*found, frozenset(may)) for found, may in zip(samples, ordinary, strict=True)]
    task = {
        "contexts": [one.context for one in entered],
        "files": [{"path": place.label.place, "sample": place.sample} for place in places],
        "handler": HANDLER.context,
    }
    return Judge(policy, promises, tenants, entered, places).judged(started(task))


def sample(label: Labelled) -> str:
    """A file, not an empty one, below the directory of ``label`` that has its very label; empty where there is none."""
    seen = 0
    for directory, _, names in os.walk(label.place):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if (
                not os.path.islink(path)
                and os.path.isfile(path)
                and os.path.getsize(path)
                and label_of(path) == label.context
            ):
                return path
        seen += len(names) + 1
        if seen > ENTRIES:
            break
    return ""


def label_of(path: str) -> str:
    """The context of the file ``path``, empty where it has none."""
    try:
        return os.getxattr(path, "security.selinux", follow_symlinks=False).rstrip(b"\0").decode()
    except OSError:
        return ""


def asked(places: list[tuple[str, str]]) -> list[list[str]]:
    """What ordinary permissions let user selsock do with each of ``places``, a directory and a file.  Raises MachineFault."""
    command = [sys.executable, "-ISBc", ASKING]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(places),
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            user=USER,
            group=USER,
            extra_groups=(),
        )
    except (KeyError, LookupError, subprocess.CalledProcessError) as error:
        raise MachineFault(f"user {USER} can not be asked for: {error}") from None
    found: list[list[str]] = json.loads(done.stdout)
    return found


def started(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Have the probe do ``task``, and return what it reports.  Raises MachineFault."""
    unit = f"selsock-probe-{secrets.token_hex(8)}.service"
    with tempfile.NamedTemporaryFile("w", dir=PLACE, prefix="probe-") as file:
        file.write(json.dumps(task))
        file.flush()
        os.chmod(file.name, 0o644)  # nobody but selsock may search the directory
        command = ["systemd-run", "--quiet", "--wait", "--collect", f"--unit={unit}", f"--uid={USER}", *properties()]
        done = subprocess.run(
            [*command, PROGRAM, file.name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    found = list(reports(unit, done.returncode == 0))
    if not found or "end" not in found[-1]:
        why = done.stderr.strip() or f"journalctl -u {unit} says why"
        raise MachineFault(f"the probe ended early, with status {done.returncode}: {why}")
    return found[:-1]


def properties() -> list[str]:
    """How the probe runs: as a connection does, as far as that confines it by anything but system calls."""
    given = {
        "SELinuxContext": HANDLER.context,
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "StandardOutput": "journal",
        "LogRateLimitIntervalSec": "0",
        "RuntimeMaxSec": str(SECONDS),
        "LimitCORE": "0",
        "RestrictSUIDSGID": "yes",
        "KeyringMode": "private",
    }
    return [f"--property={name}={value}" for name, value in given.items()]


def reports(unit: str, whole: bool) -> Iterator[dict[str, Any]]:
    """What the journal has of ``unit``'s output; with ``whole``, its last line is waited for.

    Raises MachineFault without systemd's binding.
    """
    try:
        from systemd import journal  # type: ignore[import-untyped]  # no stubs
    except ImportError as error:
        raise MachineFault(f"{error}: install python3-systemd") from None
    until = time.monotonic() + (30 if whole else 2)
    with journal.Reader() as reader:
        reader.add_match(_SYSTEMD_UNIT=unit, _TRANSPORT="stdout")
        while True:
            for entry in reader:
                if str(entry["MESSAGE"]).startswith("{"):
                    found = json.loads(entry["MESSAGE"])
                    yield found
                    if "end" in found:
                        return
            if time.monotonic() > until:
                return
            reader.wait(0.5)
