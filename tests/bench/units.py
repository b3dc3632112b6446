# SPDX-License-Identifier: Apache-2.0
"""Units made from the shipped ones, by exchanging lines; so a row differs from the product in what it names alone."""

from collections.abc import Mapping, Sequence

from tests.bench.rows import Address, Shipped
from tests.machines.install import Files

UNITS = "/etc/systemd/system"
# Hardening is what `systemd-analyze security` weighs; limits of memory, time and output are none.
HARDENING = (
    *(
        "User",
        "AmbientCapabilities",
        "CapabilityBoundingSet",
        "KeyringMode",
        "LockPersonality",
        "MemoryDenyWriteExecute",
    ),
    *("NoNewPrivileges", "RemoveIPC", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictSUIDSGID"),
    *("SystemCallArchitectures", "SystemCallErrorNumber", "SystemCallFilter", "UMask"),
)
# Where a directive belongs that the unit does not have.
SECTIONS = {"DefaultDependencies": "[Unit]", "CollectMode": "[Unit]"}


def hardening(service: str) -> dict[str, list[str]]:
    """The directives of [Service] that harden it, in order: values by key."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in service.splitlines():
        key, _, value = line.partition("=")
        if line.startswith("["):
            section = line
        elif section == "[Service]" and key in HARDENING:
            found.setdefault(key, []).append(value)
    return found


def changed(unit: str, values: Mapping[str, Sequence[str]]) -> str:
    """The unit with these directives in place of those of the same key: at the first's place, or the end of a section."""
    lines, given = [], set()
    for line in unit.splitlines():
        key, equals, _ = line.partition("=")
        if not equals or key not in values:
            lines.append(line)
        elif key not in given:
            given.add(key)
            lines += [f"{key}={value}" for value in values[key]]
    for key in (key for key in values if key not in given):
        after = lines.index(SECTIONS.get(key, "[Service]")) + 1
        lines[after:after] = [f"{key}={value}" for value in values[key]]
    return "\n".join(lines) + "\n"


def without_comments(unit: str) -> str:
    """The unit without what systemd reads and passes over."""
    return "".join(f"{line}\n" for line in unit.splitlines() if line and not line.startswith("#"))


def listener(shipped: Shipped, name: str, address: Address, service: str) -> Files:
    """NAME.socket, which listens on a port or path of its own, and NAME@.service with this text.

    selsock's own socket listens on more than one address, and PollLimitBurst= is for each: nothing else differs.
    """
    stream = {"ListenStream": [f"127.0.0.1:{address}" if isinstance(address, int) else address]}
    return {
        f"{UNITS}/{name}.socket": (changed(shipped.socket, stream).encode(), 0o644),
        f"{UNITS}/{name}@.service": (service.encode(), 0o644),
    }


def started(*names: str) -> str:
    """A line of shell that starts the sockets of these names."""
    return f"systemctl start {' '.join(f'{name}.socket' for name in names)}\n"
