# SPDX-License-Identifier: Apache-2.0
"""What the probe reports, held against the policy and against what ``vhost.yaml`` promises.

What ordinary permissions or the machine refuse first shows nothing of SELinux, and is counted as that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from selsock.ctl.verify.contexts import HANDLER, Labelled
from selsock.ctl.verify.findings import Fault
from selsock.ctl.verify.policy import Policy
from selsock.ctl.verify.promises import Promises
from selsock.ctl.verify.tenants import Tenant

REFUSED = ("EACCES", "EPERM")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The words for what is tried, the kind that it is of, the permissions that it takes, and the ordinary permission on
    files that it needs first."""

    words: str
    kind: str
    permissions: tuple[tuple[str, str], ...]
    ordinary: str = ""


READING = (("file", "open"), ("file", "read"))
ATTEMPTS = {
    "list": Attempt("list", "read", (("dir", "open"), ("dir", "read")), "list"),
    "read": Attempt("read", "read", READING, "read"),
    "write": Attempt("open for writing", "write", (("file", "open"), ("file", "write")), "write"),
    "map": Attempt("map as a program", "execute", (*READING, ("file", "map"), ("file", "execute")), "read"),
    "status": Attempt("read /proc/PID/status of", "read", (("dir", "search"), *READING)),
    "signull": Attempt("ask by signal 0 for", "signal", (("process", "signull"),)),
    "sigchld": Attempt("send SIGCHLD to", "signal", (("process", "sigchld"),)),
    "seize": Attempt("trace", "ptrace", (("process", "ptrace"),)),
    "memory": Attempt("open the memory of", "ptrace", (("dir", "search"), *READING, ("process", "ptrace"))),
    "receive": Attempt("take a pipe from", "ipc", (("fd", "use"), ("fifo_file", "read"))),
    "enter": Attempt("become", "transition", (("process", "dyntransition"),)),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of content and whose it is, a file in it that has its label (empty where there is none), and what
    ordinary permissions let user selsock do."""

    tenant: Tenant
    label: Labelled
    sample: str
    ordinary: frozenset[str]


@dataclass(slots=True)
class Probed:
    """What came of it: how many tenants and contexts were tried, how many attempts SELinux refused, how many had success as
    they may, and how many showed nothing; what is wrong, and what is to be said."""

    tenants: int = 0
    contexts: int = 0
    refused: int = 0
    allowed: int = 0
    not_shown: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Judge:
    """Holds reports against ``policy`` and ``promises``; ``contexts`` and ``places`` are those that reports number."""

    policy: Policy
    promises: Promises
    tenants: list[Tenant]
    contexts: list[Labelled]
    places: list[Place]
    found: Probed = field(default_factory=Probed)
    shown: set[str] = field(default_factory=set)

    def judged(self, reports: list[dict[str, Any]]) -> Probed:
        """All of ``reports``."""
        self.found.tenants, self.found.contexts = len(self.tenants), len(self.contexts)
        for report in reports:
            source = self.contexts[report["by"]]
            if "error" in report:
                self.found.faults.append(
                    Fault(f"{source.context} could not be entered, or not be tried: {report['error']}")
                )
            for name, outcome in report.get("did", {}).items():
                self.judge(source, ATTEMPTS[name], outcome, report)
        entered = {one.context for one in self.contexts}
        for tenant in self.tenants:
            own = entered & {one.context for one in tenant.processes}
            if own and own.isdisjoint(self.shown):
                self.found.notes.append(
                    f"{tenant.name}: nothing of its own could be read, so that its refusals show little"
                )
        return self.found

    def judge(self, source: Labelled, attempt: Attempt, outcome: str, report: dict[str, Any]) -> None:
        """One attempt of ``source``, with the ``outcome`` that it had."""
        place = self.places[report["files"]] if "files" in report else None
        target = place.label if place else HANDLER if "back" in report else self.contexts[report["process"]]
        own = self.is_own(source, target)
        may = all(self.policy.may(source, target, *one) for one in attempt.permissions)
        if attempt.kind == "transition":
            may = may and self.policy.may(source, source, "process", "setcurrent")
        where = (place.sample if attempt.ordinary != "list" else target.place) if place else target.context
        words = f"{source.context} could {attempt.words} {where}"
        if outcome == "yes":
            self.found.allowed += 1
            if own and place:
                self.shown.add(source.context)
            if not may:
                self.found.faults.append(Fault(f"{words}, which the policy does not allow"))
            if attempt.kind not in self.promises.may(source, target, own):
                self.found.faults.append(Fault(f"{words}, which vhost.yaml does not promise"))
        elif place and attempt.ordinary not in place.ordinary:
            self.found.not_shown += 1
        elif outcome in REFUSED and not may:
            self.found.refused += 1
        elif may and own and place and attempt.kind == "read":
            self.found.faults.append(Fault(f"{words} by the policy, but was refused: {outcome}"))
        else:
            self.found.not_shown += 1

    def is_own(self, source: Labelled, target: Labelled) -> bool:
        """Whether a tenant has both contexts."""
        return any(
            source.context in {one.context for one in tenant.processes}
            and target.context in {one.context for one in (*tenant.processes, *tenant.files)}
            for tenant in self.tenants
        )
