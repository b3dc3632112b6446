# SPDX-License-Identifier: Apache-2.0
"""What verify finds beside the matrix: ways into a tenant and out of it, domains that are not enforced, and who outside
may write content."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from selsock.ctl.verify.contexts import HANDLER, Labelled
from selsock.ctl.verify.policy import Policy, Rule
from selsock.ctl.verify.promises import Promises
from selsock.ctl.verify.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as promised, in words, and the rules that make it so."""

    problem: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Writers:
    """Types outside all tenants that may write files of the types ``content``, by rules alone, whatever their level;
    ``always``, or ``sometimes``: as booleans are.  Each with the rules by which it may."""

    content: tuple[str, ...]
    always: dict[str, tuple[str, ...]]
    sometimes: dict[str, tuple[str, ...]]


def entering(policy: Policy, promises: Promises, tenants: tuple[Tenant, ...]) -> tuple[list[Fault], list[str]]:
    """Contexts that selsock may not enter: faults, and notes on types of the administrator's own."""
    faults: list[Fault] = []
    notes: list[str] = []
    for one in each(tenants):
        enters = policy.may(HANDLER, one, "process", "dyntransition")
        if one.is_login:
            faults += [Fault(f"{HANDLER.type} may enter {one.context}, which is for {one.place}")] * enters
            continue
        if enters:
            continue
        if one.type in promises.domains:
            faults.append(Fault(f"{HANDLER.type} may not enter {one.context}, which {one.place} get"))
        else:
            notes.append(f"{one.place} get {one.context}, which {HANDLER.type} may not enter: nobody gets there")
    return faults, notes


def strangers(policy: Policy, promises: Promises, tenants: tuple[Tenant, ...]) -> list[str]:
    """Notes on who else may become a tenant's process: an administrator's own doing, which no tenant has a part in."""
    usual = {*policy.names(HANDLER.type), "selsock_run_as_t", *(str(entry.source) for entry in promises.entries)}
    found: set[str] = set()
    ours = promises.domains.keys() | promises.edited.keys()
    for one in (one for one in each(tenants) if one.type in ours):
        known = usual | ({"sshd_t"} if one.is_login else set())
        for rule in policy.entering:
            if rule.target in policy.names(one.type) and rule.source not in known:
                found.add(f"{rule.source} may become {one.type}: {rule}")
    return sorted(found)


def places(policy: Policy, promises: Promises, tenants: tuple[Tenant, ...]) -> list[Fault]:
    """Where a tenant may write that is nobody's content: whoever may look there is told something.  A type of the
    administrator's own may do as its policy says."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name in sorted({one.type for one in each(tenants)} & (promises.domains.keys() | promises.edited.keys())):
        domain = promises.domains.get(name)
        # Types of its own that no path has yet.
        own = {*promises.edited.get(name, ()), *map(str, domain.types if domain else ())}
        for rule in policy.spilling:
            if rule.source in policy.names(name) and rule.target not in own:
                found[name, rule.target].add(str(rule))
    return [
        Fault(f"{source} may write what is {target}, where others may look", tuple(sorted(rules)))
        for (source, target), rules in found.items()
    ]


def unenforced(policy: Policy) -> list[Fault]:
    """Domains in which nothing is denied."""
    return [Fault(f"the domain {name} is permissive: it may do anything") for name in sorted(policy.permissive)]


def leaving(policy: Policy, promises: Promises, tenants: tuple[Tenant, ...]) -> list[Fault]:
    """Ways in which a tenant's process could become another: back to the handler, or anything but what a CGI location
    starts.  A type of the administrator's own may do as its policy says."""
    started: dict[str, set[str]] = defaultdict(set)
    for entry in promises.entries:
        started[str(entry.source)].add(str(entry.target))
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    ours = promises.domains.keys() | promises.edited.keys()
    for name in sorted({one.type for one in each(tenants)} & ours):
        for rule in policy.leaving:
            if rule.source not in policy.names(name):
                continue
            exempt = started[name] if rule.permissions.isdisjoint(("dyntransition", "setcurrent")) else set()
            if rule.target not in exempt:
                found[name, rule.target].add(str(rule))
    return [
        Fault(f"{source} may leave its domain, for {target}", tuple(sorted(rules)))
        for (source, target), rules in found.items()
    ]


def each(tenants: tuple[Tenant, ...]) -> list[Labelled]:
    """The contexts of all processes, each once."""
    found = {one.context: one for tenant in tenants for one in tenant.processes}
    return [found[context] for context in sorted(found)]


def writers(policy: Policy, tenants: tuple[Tenant, ...]) -> tuple[Writers, ...]:
    """Who outside of all tenants may write content; types of content that the same may write stand together."""
    inside = {one.type for tenant in tenants for one in tenant.processes}
    content = sorted({one.type for tenant in tenants for one in tenant.files})
    by_target: dict[str, list[Rule]] = defaultdict(list)
    for rule in policy.writing:
        by_target[rule.target].append(rule)
    groups: dict[frozenset[int], list[str]] = defaultdict(list)
    rules: dict[frozenset[int], list[Rule]] = {}
    for name in content:
        found = [rule for called in sorted(policy.names(name)) for rule in by_target.get(called, ())]
        found = [rule for rule in found if not sources(policy, rule) <= inside]
        key = frozenset(map(id, found))
        groups[key].append(name)
        rules[key] = found
    return tuple(told(policy, tuple(groups[key]), rules[key], inside) for key in groups)


def told(policy: Policy, content: tuple[str, ...], rules: list[Rule], inside: set[str]) -> Writers:
    """The writers by ``rules``: whoever may by one without condition stands among ``always``."""
    always: dict[str, set[str]] = defaultdict(set)
    sometimes: dict[str, set[str]] = defaultdict(set)
    for rule in rules:
        for source in sources(policy, rule) - inside:
            (sometimes if rule.condition else always)[source].add(str(rule))
    return Writers(
        content,
        {name: tuple(sorted(always[name])) for name in sorted(always)},
        {name: tuple(sorted(sometimes[name])) for name in sorted(sometimes.keys() - always.keys())},
    )


def sources(policy: Policy, rule: Rule) -> frozenset[str]:
    """The types that ``rule`` is for."""
    return policy.members.get(rule.source, frozenset((rule.source,)))
