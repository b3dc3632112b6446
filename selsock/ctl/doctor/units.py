# SPDX-License-Identifier: Apache-2.0
"""Whether systemd listens and starts what it should, and how near the limits are."""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from selsock.ctl.doctor.look import Look, Said, error, ok, warning
from selsock.generate import plan
from selsock.generate.apply import is_ours
from selsock.generate.listeners import Endpoint, Listen

SOCKET = "selsock.socket"
PLACES = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system")  # systemd.unit(5)
UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}
NEAR = 0.8  # of the limit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def socket(look: Look) -> Iterator[Said]:
    """Whether the listener is there, now and after the next boot, on all that is configured.  Raises MachineFault, OSError."""
    shown = look.machine.show(SOCKET, "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")
    if shown.get("LoadState") == "masked":
        yield error(
            f"{SOCKET} is masked: nobody can connect", f"systemctl unmask {SOCKET}; systemctl enable --now {SOCKET}"
        )
    elif shown.get("ActiveState") != "active":
        state = shown.get("ActiveState", "unknown")
        yield error(f"{SOCKET} is {state}: nobody can connect", f"systemctl start {SOCKET}; systemctl status {SOCKET}")
    else:
        listening = heard(look.root)
        endpoints = look.force.configuration.listen if look.force else ()
        missing = [str(entry.stream) for entry in endpoints if not is_heard(entry, listening)]
        if missing:
            what = f"{SOCKET} is active, and nobody listens on {', '.join(missing)}"
            yield error(what, f"systemctl restart {SOCKET}")
        else:
            yield ok(f"{SOCKET} is active, and listens on all that is configured")
    if shown.get("UnitFileState") not in ("enabled", "masked"):
        yield warning(f"{SOCKET} is not enabled: after a reboot nobody listens", f"systemctl enable {SOCKET}")
    if shown.get("NeedDaemonReload") == "yes":
        yield warning(f"systemd has not read {SOCKET} as it is now", "systemctl daemon-reload")


def heard(root: Path) -> set[str]:
    """What somebody listens on: ``ADDRESS PORT`` and paths of sockets (proc_pid_net(5)).  Raises OSError."""
    found: set[str] = set()
    for name in ("tcp", "tcp6"):
        place = root / "proc/net" / name
        for line in place.read_text().splitlines()[1:] if place.exists() else ():
            local, state = line.split()[1], line.split()[3]
            if state == "0A":  # TCP_LISTEN of linux/include/net/tcp_states.h
                address, _, port = local.partition(":")
                found.add(f"{parsed(address)} {int(port, 16)}")
    for line in (root / "proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and int(fields[3], 16) & 0x10000:  # __SO_ACCEPTCON of linux/net.h
            found.add(fields[7])
    return found


def parsed(text: str) -> Address:
    """An address as /proc/net/tcp writes it: words of four bytes, each in the order of this machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))


def is_heard(entry: Endpoint, listening: set[str]) -> bool:
    """Whether somebody listens where ``entry`` says; a port alone is IPv6's, or IPv4's where there is no other."""
    if not isinstance(entry.stream, Listen):
        return entry.stream in listening
    hosts = ("::", "0.0.0.0") if ":" not in entry.stream else (entry.stream.host.strip("[]"),)
    return any(f"{host} {entry.stream.port}" in listening for host in hosts)


def units(look: Look) -> Iterator[Said]:
    """Whether units are as the generator writes them; what is added to them is named.  Raises OSError."""
    found = False
    for artifact in look.given.plan.artifacts:
        if not artifact.path.startswith(plan.UNITS):
            continue
        place = look.root / artifact.path
        problem = drift(place, artifact.data)
        if problem == "is masked":
            yield error(f"{place} is masked", f"systemctl unmask {place.name}; {look.given.again}")
        elif problem:
            again = f"{look.given.again}; changes of your own go into systemctl edit {place.name}"
            yield warning(f"{place} {problem}", again)
        found = found or bool(problem)
        for directory in PLACES:
            for addition in sorted((look.root / directory / f"{place.name}.d").glob("*.conf")):
                yield ok(f"{addition} adds to {place.name}")
    if not found:
        yield ok("the units are as selsock-generate wrote them")


def drift(place: Path, data: bytes) -> str:
    """What is wrong with the unit at ``place``, which should hold ``data``, "" when nothing is.  Raises OSError."""
    if not os.path.lexists(place):
        return "is missing"
    if place.is_symlink():
        return "is masked" if os.readlink(place) == "/dev/null" else "is a link"
    if place.read_bytes() == data:
        return ""
    return "differs from what this selsock writes" if is_ours(place) else "is somebody else's"


def services(look: Look) -> Iterator[Said]:
    """Whether the services that know who a visitor is can be asked.  Raises MachineFault."""
    found = False
    for name in plan.services(look.given.configuration):
        unit = f"selsock-{name}.socket"
        state = look.machine.show(unit, "ActiveState").get("ActiveState", "unknown")
        if state != "active":
            found = True
            yield error(f"{unit} is {state}: nobody can sign in", f"systemctl start {unit}; systemctl status {unit}")
        service = f"selsock-{name}.service"
        if name != "pam" and look.machine.show(service, "ActiveState").get("ActiveState") == "failed":
            found = True
            yield error(
                f"{service} has failed: nobody can sign in",
                f"systemctl reset-failed {service}; systemctl status {service}",
            )
    if not found:
        yield ok("the services that know visitors are there, as far as any is needed")


def limits(look: Look) -> Iterator[Said]:
    """Whether the machine could give what the limits let connections take, and how near those are.  Raises MachineFault, OSError."""
    system = look.given.configuration.system
    found = False
    memory = int(system.memory[:-1]) * UNITS[system.memory[-1]]
    whole = total(look.root)
    if system.connections * memory > whole:
        found = True
        what = f"{system.connections} connections of {system.memory} are more than the {whole // UNITS['M']}M of this machine"
        yield warning(what, "lower connections or memory under limits")
    shown = look.machine.show(SOCKET, "NConnections", "NRefused", "ActiveState")
    now, refused = (int(shown.get(name, "0") or 0) for name in ("NConnections", "NRefused"))
    if now >= system.connections * NEAR:
        found = True
        yield warning(f"there are {now} connections of {system.connections} at most", "selsockctl list")
    if refused:
        found = True
        what = f"{refused} connections were turned away since {SOCKET} was started"
        yield warning(what, "raise connections or connections_per_source under limits")
    if not found:
        yield ok(f"there are {now} connections of {system.connections} at most, and none was turned away")


def total(root: Path) -> int:
    """The memory of this machine in bytes (proc_meminfo(5)).  Raises OSError."""
    lines = (root / "proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
