# SPDX-License-Identifier: Apache-2.0
"""What ``--diff`` says first, in words: what an apply would do to what is in force, with a mark where that lets more.

Compared are two configurations, not their files.  What is marked is meant to be too much rather than too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from selsock.generate import words_content, words_top, words_vhost
from selsock.generate.applied import read
from selsock.generate.configuration import Configuration, configure
from selsock.generate.faults import MachineFault
from selsock.generate.maps import Map, Maps
from selsock.generate.plan import POLICY, UNITS, Plan
from selsock.generate.prepare import known_pairs
from selsock.generate.source import BadSource, load
from selsock.generate.words_line import Line, few
from selsock.generate.words_reach import reach
from selsock.generate.words_vhost import Side


def words(configuration: Configuration, plan: Plan, root: Path, differing: Iterable[str]) -> Iterator[Line]:
    """The lines on what an apply of ``configuration`` below ``root`` would do; ``differing`` are the paths of the artifacts
    of its ``plan`` that are not in place.  Raises OSError."""
    before = None
    try:
        before = in_force(root)
    except (BadSource, MachineFault) as error:
        yield Line(f"unknown: what is in force can not be read, so nothing is compared: {error}", True)
    else:
        if before is None:
            names = few(site.vhost.name for site in configuration.sites)
            yield Line(f"everything is new, for nothing is in force: {names}", True)
    if before is not None:
        yield from compared(before, configuration)
    yield from policy(before, configuration, plan, root)
    yield from written([str(root / path) for path in differing])


def in_force(root: Path) -> Configuration | None:
    """What is in force below ``root``; None when nothing is.  Raises BadSource, MachineFault and OSError."""
    applied = read(root)
    if applied is None:
        return None
    source = load(applied.data, str(applied.source))
    return configure(source, applied.source.name, known_pairs(applied.source, root), Maps(applied.maps))


def compared(before: Configuration, after: Configuration) -> Iterator[Line]:
    """What differs, in the order of the source; what is no more comes last."""
    then, now = reach(before), reach(after)
    yield from words_top.around(before, then, after, now)
    new = {str(given.file): given for given in after.maps}
    # The same bytes, where they are the same: then each vhost sees at once that they are.
    old = {str(given.file): replace(given, data=same(given.data, new.get(given.file))) for given in before.maps}
    sides = Side(then, old), Side(now, new)
    labels = words_content.content(before, then, after, now)
    was = {site.vhost.name: site for site in before.sites}
    for site in after.sites:
        name = site.vhost.name
        own = words_vhost.changed(was[name], site, *sides) if name in was else [words_vhost.new(site)]
        yield from under(f"vhost {name}: ", [*own, *labels.pop(name, ())])
    names = {site.vhost.name for site in after.sites}
    for site in before.sites:
        name = site.vhost.name
        if name not in names:
            yield from under(f"vhost {name}: ", [words_vhost.gone(site), *labels.pop(name, ())])
    yield from words_vhost.freed(before.sites, after.sites)
    yield from words_content.files(before, after)


def same(one: bytes, other: Map | None) -> bytes:
    """``one``, or the equal data of ``other``, so that they are one object."""
    return other.data if other is not None and other.data == one else one


def under(name: str, lines: Iterable[Line]) -> Iterator[Line]:
    """``lines``, each with what it is about before it."""
    return (Line(name + line.words, line.widens) for line in lines)


def policy(before: Configuration | None, after: Configuration, plan: Plan, root: Path) -> Iterator[Line]:
    """Whether the policy would be loaded, and what of it is no longer needed."""
    place = root / POLICY
    if not place.exists() or f"(type selsock_generation_{plan.generation})".encode() not in place.read_bytes():
        yield Line("policy: loaded, in one transaction")
    types = {kind for domain in after.domains for kind in (domain.type, *domain.types)}
    old = [kind for domain in (before.domains if before else ()) for kind in (domain.type, *domain.types)]
    if unused := [kind for kind in old if kind not in types]:
        yield Line(f"policy: dropped when no process is in them: {', '.join(unused)}")


def written(places: list[str]) -> Iterator[Line]:
    """What would be written, and what systemd has to do then."""
    yield Line(f"written: {', '.join(places)}")
    if any(UNITS in place for place in places):
        yield Line("systemd: reads its units again")
    if any(place.endswith("/selsock.socket") for place in places):
        yield Line("systemd: to listen as the new unit says, it needs systemctl restart selsock.socket")
