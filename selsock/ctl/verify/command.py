# SPDX-License-Identifier: Apache-2.0
"""``selsockctl verify``: from policy and configuration to a verdict.  A line on stderr says what is being done."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from selsock.ctl.verify import findings
from selsock.ctl.verify.contexts import HANDLER
from selsock.ctl.verify.matrix import Builder, Matrix
from selsock.ctl.verify.page import page
from selsock.ctl.verify.policy import LOADED, Policy, opened, read
from selsock.ctl.verify.probing import probe
from selsock.ctl.verify.promises import Promises
from selsock.ctl.verify.report import as_json, in_words
from selsock.ctl.verify.result import Result
from selsock.ctl.verify.tenants import Tenant, tenants
from selsock.generate import applied
from selsock.generate.configuration import Configuration
from selsock.generate.faults import MachineFault
from selsock.generate.maps import Maps
from selsock.generate.prepare import prepare
from selsock.handler.kernel import Kernel

PROVED, NOT_PROMISED = 0, 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("source", metavar="vhost.yaml", type=Path, nargs="?", help="default: what is in force")
    parser.add_argument("--policy", metavar="FILE", type=Path, help="a binary policy; default: what is loaded")
    parser.add_argument("--no-probe", action="store_true", help="try nothing, read the policy alone")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with the matrix, too")
    parser.add_argument("--json", action="store_true")


def run(given: argparse.Namespace) -> int:
    """Verify, tell, and return the exit status.  Raises BadSource, MachineFault and OSError."""
    if given.policy is None:
        check_machine()
    say("reading the configuration")
    configuration, source, generation = configured(given.source)
    policy_file = given.policy or LOADED
    say(f"reading the policy {policy_file}")
    loaded = opened(policy_file)
    check_generation(loaded, generation)
    found = tenants(configuration)
    types = {HANDLER.type, *(one.type for tenant in found for one in tenant.processes)}
    policy = read(loaded, types, {one.type for tenant in found for one in tenant.files})
    promises = Promises.of(configuration)
    say(f"holding {len(found) * (len(found) - 1)} pairs of {len(found)} tenants against it")
    matrix = Builder(policy, promises, found).matrix(Progress(len(found)).tell)
    probed = None
    if given.policy is None and given.source is None and not given.no_probe:
        say("trying it: a process enters each context")
        probed = probe(policy, promises, matrix)
    result = composed(configuration, policy, promises, found, matrix, (source, str(policy_file)), probed)
    if given.html is not None:
        given.html.write_text(page(result))
    sys.stdout.write((as_json if given.json else in_words)(result))
    return NOT_PROMISED if result.faults else PROVED


def composed(
    configuration: Configuration,
    policy: Policy,
    promises: Promises,
    found: tuple[Tenant, ...],
    matrix: Matrix,
    names: tuple[str, str],
    probed: Any,
) -> Result:
    """The result, with what is found beside the matrix."""
    faults, notes = findings.entering(policy, promises, found)
    faults += findings.unenforced(policy) + findings.leaving(policy, promises, found)
    faults += findings.places(policy, promises, found)
    notes += findings.strangers(policy, promises, found)
    for site in configuration.sites:
        if site.assigned:
            notes.append(f"{site.vhost.name}: a database assigns contexts, which nobody knows here")
    return Result(*names, matrix, tuple(faults), findings.writers(policy, found), tuple(notes), probed)


def check_machine() -> None:
    """Raise MachineFault where the loaded policy can not be read, or is not enforced."""
    if os.geteuid() != 0:
        raise MachineFault("only root can read the loaded policy; --policy names a file with one")
    mode = Kernel().watch()
    if mode != "enforcing":
        raise MachineFault(f"SELinux is {mode}: nothing is denied here, whatever the policy says")


def configured(source: Path | None) -> tuple[Configuration, str, str]:
    """The configuration in ``source``, or that in force; the source's name, and its generation."""
    maps = None
    if source is not None:
        data = source.read_bytes()
    else:
        force = applied.read(Path("/"))
        if force is None:
            raise MachineFault("nothing is applied yet: name a vhost.yaml")
        source, data, maps = force.source, force.data, Maps(force.maps)
    configuration, plan = prepare(source, data, Path("/"), maps)
    return configuration, str(source), plan.generation


def check_generation(policy: Any, generation: str) -> None:
    """Raise MachineFault where ``policy`` is not that of the configuration."""
    wanted = f"selsock_generation_{generation}"
    if not any(str(one) == wanted for one in policy.types()):
        raise MachineFault(f"the policy is not of this configuration's generation {generation}: run selsock-generate")


def say(words: str) -> None:
    """A line of progress."""
    print(f"selsockctl: {words}", file=sys.stderr, flush=True)


class Progress:
    """Tells, once a second, how far the matrix is."""

    def __init__(self, whole: int) -> None:
        self.whole, self.told = whole, time.monotonic()

    def tell(self, count: int) -> None:
        """``count`` tenants are done."""
        if time.monotonic() - self.told > 1:
            self.told = time.monotonic()
            say(f"{count} of {self.whole} tenants are done")
