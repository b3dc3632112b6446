# SPDX-License-Identifier: Apache-2.0
"""What the kernel and the policy store say: mode, modules, generation, permissive domains."""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from pathlib import Path

from selsock.ctl.doctor.look import Look, Said, error, ok, warning
from selsock.generate.plan import POLICY, TABLE
from selsock.generate.policy_store import PRIORITY, STORES
from selsock.generate.retired import statements
from selsock.handler.kernel import OWN_TYPES, is_of
from selsock.handler.table import OpenTable
from selsock.identify.provider import SERVICES

MODULE = Path(POLICY).stem
BASE = f"system_u:system_r:{OWN_TYPES[0]}:s0"
CONFIG = "etc/selinux/config"  # what the next boot begins with (selinux_config(5))


def mode(look: Look) -> Iterator[Said]:
    """Whether SELinux enforces, now and after the next boot."""
    severe, what = error, "every request is answered with 503"
    if not look.known:
        severe, what = warning, "what vhost.yaml says of that is not known"
    elif look.force is not None and not look.force.configuration.required:
        severe, what = warning, "everything is served unconfined, as vhost.yaml allows"
    found = look.machine.kernel.watch()
    if found == "disabled":
        yield severe(f"SELinux is disabled: {what}", "set SELINUX=enforcing in /etc/selinux/config, and boot")
        return
    yield ok("SELinux enforces") if found == "enforcing" else severe(f"SELinux is permissive: {what}", "setenforce 1")
    boots = setting(look.root, "SELINUX")
    if boots not in ("enforcing", ""):
        yield warning(f"/{CONFIG} has SELINUX={boots} for the next boot", f"set SELINUX=enforcing in /{CONFIG}")


def setting(root: Path, name: str) -> str:
    """What the configuration of SELinux says of ``name``, in lower case, "" for nothing.  Raises OSError."""
    place = root / CONFIG
    lines = place.read_text("ascii", "replace").splitlines() if place.exists() else []
    found = [line.split("=", 1)[1].strip().lower() for line in lines if line.startswith(f"{name}=")]
    return found[-1] if found else ""


def policy(look: Look) -> Iterator[Said]:
    """Whether the kernel has the policy module, and tenants of the table's generation.  Raises OSError, TableFault."""
    kernel = look.machine.kernel
    if kernel.watch() == "disabled":
        return
    if not kernel.knows(BASE):
        yield error("the policy module selsock is not loaded: nobody is served", "install the package selsock-selinux")
    elif look.force is not None:
        generation = OpenTable(str(look.root / TABLE)).settings.generation
        if is_of(kernel, generation):
            yield ok(f"the loaded policy is of the table's generation {generation}")
        else:
            what = f"the loaded policy is not of the table's generation {generation}: nobody is served"
            yield error(what, look.force.again)


def store(look: Look) -> Iterator[Said]:
    """Whether the policy store has the module that was written, so that it is still there when somebody rebuilds the policy."""
    kind = setting(look.root, "SELINUXTYPE")
    stores = [look.root / store / kind / "active/modules" for store in STORES if kind]
    place = next((modules for modules in stores if modules.is_dir()), None)
    if place is None or look.machine.kernel.watch() == "disabled":
        return
    kept, copy = place / PRIORITY / MODULE / "cil", look.root / POLICY
    # semodule's own domain may not enter /var/lib/selsock.
    mend = f"cd $(mktemp -d) && cp /{POLICY} . && semodule -X {PRIORITY} -i {copy.name}"
    if not kept.exists():
        yield warning(f"the policy store has no module {MODULE}: a rebuild of the policy would drop the tenants", mend)
    elif (place / "disabled" / MODULE).exists():
        what = f"the module {MODULE} is disabled: a rebuild of the policy would drop the tenants"
        yield warning(what, f"semodule -e {MODULE}")
    elif statements(unpacked(kept.read_bytes()).decode()) != statements(copy.read_text()):
        yield warning(f"the policy store has a module {MODULE} that is not /{POLICY}", mend)
    else:
        yield ok(f"the policy store has the module {MODULE} that was written")


def unpacked(data: bytes) -> bytes:
    """A module as the store keeps it (semanage.conf(5), bzip-small).  Raises OSError."""
    return bz2.decompress(data) if data.startswith(b"BZh") else data


def permissive(look: Look) -> Iterator[Said]:
    """Whether each domain that visitors enter, or that decides for them, is enforced.  Raises OSError, ValueError."""
    kernel = look.machine.kernel
    if kernel.watch() == "disabled":
        return
    configuration = look.given.configuration
    entered = {context.type for site in configuration.sites for context in site.contexts}
    own = {*OWN_TYPES, *(f"selsock_{name}_t" for name in SERVICES)}
    found = False
    for name in sorted({*own, *entered, *(domain.type for domain in configuration.domains)}):
        context = f"system_u:system_r:{name}:s0"
        if kernel.knows(context) and kernel.is_permissive(context):
            found = True
            what = "nothing confines it" + ("" if name in own else ", and its visitors are answered with 503")
            yield error(f"the domain {name} is permissive: {what}", f"semanage permissive -d {name}")
    if not found:
        yield ok("no domain of ours is permissive")
