# SPDX-License-Identifier: Apache-2.0
"""What stands around the vhosts, in words: mode, listeners, limits, domains, maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from selsock.generate.configuration import Configuration
from selsock.generate.domains import Domain
from selsock.generate.listeners import Endpoint
from selsock.generate.maps import ANONYMOUS, STAR, Map
from selsock.generate.plan import entries
from selsock.generate.words_line import Line, few, instead, value
from selsock.generate.words_reach import Reach
from selsock.generate.words_visitors import Block, inside
from selsock.model import LIMITS


def around(before: Configuration, then: Reach, after: Configuration, now: Reach) -> Iterator[Line]:
    """The lines on all that is no vhost's, in the order of the keys in selsock.vhost(5)."""
    if before.required != after.required:
        modes = "required instead of optional" if after.required else "optional instead of required"
        yield Line(f"selinux: {modes}", not after.required)
    yield from listeners(before, after)
    if found := limits(before, after):
        yield Line(f"limits: {', '.join(found)}")
    yield from domains(before, after)
    yield from starts(before, after)
    for domain in after.domains:
        read = sorted({on for what, on in now.rights[domain.type] if what == "read"} & then.exact - now.exact)
        if read:
            yield Line(f"domain {domain.name}: reads {', '.join(read)} from above its level, too", True)
    yield from maps(before, after)


def listeners(before: Configuration, after: Configuration) -> Iterator[Line]:
    """Where connections come in, and whose word is taken there."""
    old, new = ({entry.stream: entry for entry in its.listen} for its in (before, after))
    for stream, entry in new.items():
        if stream not in old:
            yield Line(f"listen {stream}: new, {settings(entry)}", True)
        elif old[stream] != entry:
            yield listener(old[stream], entry)
    yield from (Line(f"listen {stream}: taken away") for stream in old if stream not in new)


def settings(entry: Endpoint) -> str:
    """What is said of a listener beside where it listens."""
    usual = parts(Endpoint(entry.stream))
    return (
        ", ".join(f"{name} {value(said)}" for name, said in parts(entry).items() if said != usual[name])
        or "for everybody"
    )


def parts(entry: Endpoint) -> dict[str, object]:
    """What is said of a listener, by the names of its fields, ``from`` among them."""
    names = {"networks": "from"}
    return {names.get(its.name, its.name): getattr(entry, its.name) for its in fields(entry) if its.name != "stream"}


def listener(old: Endpoint, new: Endpoint) -> Line:
    """What else is said of a listener; only fewer proxies are less."""
    was, gets = parts(old), parts(new)
    names = [name for name in gets if was[name] != gets[name]]
    blocks = [tuple(map(Block.of, entry.networks)) for entry in (new, old)]
    fewer = names == ["from"] and inside(*blocks) == blocks[0] != ()
    return Line(
        f"listen {new.stream}: " + ", ".join(f"{name} {instead(gets[name], was[name])}" for name in names), not fewer
    )


def limits(before: Configuration, after: Configuration) -> list[str]:
    """Limits that are others."""
    pairs = [(name, getattr(after.limits, name), getattr(before.limits, name)) for name in LIMITS]
    pairs += [
        (its.name, getattr(after.system, its.name), getattr(before.system, its.name)) for its in fields(after.system)
    ]
    return [f"{name} {instead(new, old)}" for name, new, old in pairs if new != old]


def domains(before: Configuration, after: Configuration) -> Iterator[Line]:
    """What the source says that domains may do."""
    old, new = ({domain.name: domain for domain in its.domains} for its in (before, after))
    for name, domain in new.items():
        may = abilities(domain)
        if name not in old:
            yield Line(f"domain {name}: new" + (f", with {', '.join(may)}" if may else ""))
            continue
        might = abilities(old[name])
        for ability in may:
            if ability not in might:
                yield Line(f"domain {name}: {ability} added", True)
        yield from (Line(f"domain {name}: {ability} taken away") for ability in might if ability not in may)
    yield from (Line(f"domain {name}: taken away") for name in old if name not in new)


def abilities(domain: Domain) -> list[str]:
    """What a domain may do beside reading its own content, each as the source says it."""
    switches = [name for name in ("python", "execute") if getattr(domain, name)]
    return [*switches, *(f"network {name}" for name in domain.network), *(f"reads {name}" for name in domain.reads)]


def starts(before: Configuration, after: Configuration) -> Iterator[Line]:
    """Which domain may start programs in which other, for a *cgi* location that says so."""
    names = {domain.type: domain.name for its in (before, after) for domain in its.domains}
    old, new = ({(entry.source, entry.target): entry for entry in entries(its)} for its in (before, after))
    for (source, target), entry in new.items():
        words = f"domain {names[source]}: starts programs{' of the system' * entry.system} in domain {names[target]}"
        if (source, target) not in old:
            yield Line(words, True)
        elif entry.system != old[source, target].system:
            yield Line(words, entry.system)
    for source, target in old:
        if (source, target) not in new:
            yield Line(f"domain {names[source]}: starts no more programs in domain {names[target]}")


def maps(before: Configuration, after: Configuration) -> Iterator[Line]:
    """How many users of each map come, go, and have another context; what that opens is said of each vhost."""
    old, new = ({given.file: given for given in its.maps} for its in (before, after))
    for file, given in new.items():
        if file in old and old[file].data == given.data:
            continue
        was, gets = (written(old[file]) if file in old else {}), written(given)
        counts = (
            ("added", [user for user in gets if user not in was]),
            ("changed", [user for user in gets if user in was and was[user] != gets[user]]),
            ("taken away", [user for user in was if user not in gets]),
        )
        found = [f"{len(users)} {word} ({few(users)})" for word, users in counts if users]
        yield Line(f"map {file}: {', '.join(found) or 'other lines, which say the same'}")
    yield from (Line(f"map {file}: taken away") for file in old if file not in new)


def written(given: Map) -> dict[str, str]:
    """What a map says of whom, as it is written."""
    ends = ((ANONYMOUS, given.anonymous), (STAR, given.anyone))
    return {user: line.text for user, line in (*given.users.items(), *ends) if line}
