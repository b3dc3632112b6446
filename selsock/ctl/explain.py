# SPDX-License-Identifier: Apache-2.0
"""The decision that the handler would take for a visitor, rule by rule, by the handler's own functions.

They are called in the order of ``handle()`` (selsock/handler/connection.py).  Who the visitor is, is taken as it was said:
nobody is asked for a password.
"""

from __future__ import annotations

from dataclasses import dataclass

from selsock.context import Context, Level
from selsock.errors import Challenge, OwnFault, PeerFault
from selsock.handler.account import find
from selsock.handler.identify import Identity
from selsock.handler.label import label, matches
from selsock.handler.table import OpenTable, locate
from selsock.handler.target import parse_host, parse_target
from selsock.identify.answer import Unable, canonical
from selsock.identify.assigned import record
from selsock.identify.clearance import cleared
from selsock.identify.htgroup import groups_of
from selsock.identify.provider import FILE, PROXY, Provider
from selsock.mls import levels
from selsock.model import METHODS, Location, Rule, Vhost


@dataclass(frozen=True, slots=True)
class Asked:
    """A visitor and his request.  ``user`` is empty for one who has not signed in.

    ``groups`` None: those of the vhost's htgroup file.  ``assigned`` is the context that a database has for him, as it is
    written there.  ``clearance`` is the range of his SELinux login, empty: that of this machine.
    """

    host: str
    user: str = ""
    groups: tuple[str, ...] | None = None
    address: str = "192.0.2.1"
    path: str = "/"
    method: str = "GET"
    assigned: str = ""
    clearance: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule: where it stands, each of its conditions and whether it holds, and whether the rule does; None for one that
    is not asked any more."""

    source: str
    conditions: tuple[tuple[str, bool], ...]
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was decided: ``context`` and ``rule``, or a ``status`` other than 200 and the ``reason``; and how."""

    vhost: str = ""
    location: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    rules: tuple[Judged, ...] = ()
    context: Context | None = None
    rule: str = ""
    status: int = 200
    reason: str = ""
    notes: tuple[str, ...] = ()


def explain(table: OpenTable, asked: Asked) -> Explanation:
    """Decide for ``asked`` by ``table``.  Raises ValueError for what is no request, and Refused for what is no user."""
    method = asked.method.encode()
    if method not in METHODS:
        raise ValueError(f"a method that is not known here: {asked.method}")
    found = Explanation()
    try:
        target = parse_target(method, asked.path.encode())
        host = parse_host(asked.host.encode(), target, 1)
        named = table.look(f"host {host}", Vhost.parse)
        vhost = table.vhost(host, named is not None and bool(named.run_as))
        found = Explanation(vhost.name)
        identity, notes = identity_of(asked, vhost, table)
        groups = tuple(sorted(identity.groups))
        location = locate(vhost, target.segments)
        found = Explanation(vhost.name, location.path, identity.user or "", groups, notes=notes)
        identity.mapped = table.consult(vhost, identity.user, identity.assigned)
        rules = judged(identity, asked, location)
        found = Explanation(vhost.name, location.path, identity.user or "", groups, rules, notes=notes)
        decision = label(identity, asked.method, asked.address, vhost, location)
        notes += as_account(vhost, identity)
    except (PeerFault, OwnFault) as fault:
        return refused(found, fault.status, fault.reason, isinstance(fault, Challenge))
    except Unable as fault:
        return refused(found, OwnFault.status, str(fault), False)
    return Explanation(
        found.vhost, found.location, found.user, groups, rules, decision.context, decision.rule, notes=notes
    )


def as_account(vhost: Vhost, identity: Identity) -> tuple[str, ...]:
    """As which account of this machine ``vhost`` is served, if it has ``run_as``.  Raises as ``find``."""
    if not vhost.run_as:
        return ()
    uid, gid, *groups = find(vhost, identity.user)
    return (f"served as uid {uid}, gid {gid}, groups {' '.join(map(str, groups))}, on listeners with run_as alone",)


def refused(found: Explanation, status: int, reason: str, challenge: bool) -> Explanation:
    """``found`` as far as it came, and why no further."""
    reason += ": signing in may help" if challenge else ""
    return Explanation(
        found.vhost, found.location, found.user, found.groups, found.rules, None, "", status, reason, found.notes
    )


def identity_of(asked: Asked, vhost: Vhost, table: OpenTable) -> tuple[Identity, tuple[str, ...]]:
    """Who is asking, as ``identify`` would have it of the service, and what is to be said of that.

    Raises Refused for what is no name, and Unable where nobody can tell what was not said.
    """
    if not asked.user:
        return Identity(None), ()
    provider = table.look(f"identity {vhost.name}", Provider.parse)
    if provider is None:
        return Identity(None), (f"{vhost.name} has no auth: nobody signs in here, and the user is not looked at",)
    user = canonical(asked.user)
    groups = asked.groups or ()
    if asked.groups is None and provider.groups:
        groups = groups_of(provider.groups, user)
    ceilings = {str(rule.context.level) for place in vhost.locations for rule in place.rules if rule.clearance}
    try:
        reached = within(asked.clearance, ceilings) if asked.clearance else cleared(user, ceilings)
    except Unable as fault:
        raise Unable(f"{fault}; --clearance says it here") from None
    identity = Identity(
        user,
        frozenset(groups),
        record(asked.assigned) if asked.assigned else "",
        {Level.parse(ceiling): Level.parse(level) for ceiling, level in reached},
    )
    return identity, said_of(provider, asked, vhost)


def within(clearance: str, ceilings: set[str]) -> tuple[tuple[str, str], ...]:
    """As ``cleared``, for a login with the range ``clearance``.  Raises ValueError."""
    low, high = levels.ends(clearance)
    found = ((ceiling, levels.meet(low, high, levels.Level.parse(ceiling))) for ceiling in sorted(ceilings))
    return tuple((ceiling, str(level)) for ceiling, level in found if level is not None)


def said_of(provider: Provider, asked: Asked, vhost: Vhost) -> tuple[str, ...]:
    """What an administrator may take for granted, and should not."""
    how = "a proxy has to name him" if provider.kind == PROXY else "his password is not checked"
    notes = [f"that he is {asked.user} was said, not shown: {how}"]
    rules = [rule for location in vhost.locations for rule in location.rules]
    if provider.kind not in (FILE, PROXY) and asked.groups is None and any(rule.groups for rule in rules):
        notes.append(f"in which groups he is, {provider.kind} knows; --group says it here")
    if any(rule.assigned for rule in rules) and not asked.assigned:
        notes.append(f"which context he is assigned, {provider.kind} knows; --assigned says it here")
    return tuple(notes)


def judged(identity: Identity, asked: Asked, location: Location) -> tuple[Judged, ...]:
    """Each rule of ``location``, up to the first that holds, and those behind it."""
    found: list[Judged] = []
    for rule in location.rules:
        if found and any(other.holds for other in found):
            found.append(Judged(rule.source, (), None))
            continue
        found.append(Judged(rule.source, conditions(rule, identity, asked), holds(rule, identity, asked)))
    return tuple(found)


def holds(rule: Rule, identity: Identity, asked: Asked) -> bool:
    """Whether ``rule`` does, as ``label`` asks it."""
    known = identity.mapped.get(rule) if rule.map or rule.assigned else rule
    return known is not None and matches(rule, identity, asked.method, asked.address)


def conditions(rule: Rule, identity: Identity, asked: Asked) -> tuple[tuple[str, bool], ...]:
    """The conditions of ``rule`` in words, and whether each holds: as the handler judges a rule that asks nothing else."""
    context, source = rule.context, rule.source
    alone = (
        (f"user {', '.join(sorted(rule.users))}", rule.users, Rule(context, source, users=rule.users)),
        (f"group {', '.join(sorted(rule.groups))}", rule.groups, Rule(context, source, groups=rule.groups)),
        ("signed_in", rule.signed_in, Rule(context, source, signed_in=True)),
        (f"address {', '.join(rule.networks)}", rule.networks, Rule(context, source, networks=rule.networks)),
        (f"method {', '.join(sorted(rule.methods))}", rule.methods, Rule(context, source, methods=rule.methods)),
        ("anonymous", rule.anonymous, Rule(context, source, anonymous=True)),
        ("any", rule.any, Rule(context, source, any=True)),
    )
    found = [(words, holds(part, identity, asked)) for words, given, part in alone if given]
    if rule.map or rule.assigned:
        words = f"map {rule.map}" if rule.map else "assigned"
        found.append((words, identity.mapped.get(rule) is not None))
    return tuple(found)
