# SPDX-License-Identifier: Apache-2.0
"""Makes a plan true on this machine, as root.

The order matters.  The ledger first: a number that was given is given, whatever happens next.  Then the policy, then
the labels, then the units, and the table last: what it names exists by then.  Until the table is there, the old one
does not agree with the new policy, and the handler serves nothing.
"""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from selsock.cores import crypt_core, selinux_core
from selsock.generate.configuration import Configuration
from selsock.generate.faults import MachineFault
from selsock.generate.plan import POLICY, TABLE, UNITS, Artifact, Plan, labels, password_files
from selsock.generate.relabel import Labels, Outcome, check_roots, relabel_file, relabel_tree
from selsock.generate.write import Transaction

PRIORITY = "400"  # above a distribution's 100 and 200, as for what an administrator adds
CONF = "selsock.conf"  # in sysusers.d and tmpfiles.d, wherever the package or an administrator put it
DIRECTORY = 0o040000  # S_IFDIR, as selabel_lookup wants it

# Of the caller's environment nothing: its PATH may lack sbin, and its locale would translate messages.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

Say = Callable[[str], None]


class Selinux:
    """SELinux as this machine has it: the one edge to libselinux, and what unit tests replace."""

    def __init__(self) -> None:
        self.core: Any = binding()

    def enabled(self) -> bool:
        """Whether the kernel has a policy loaded."""
        return bool(self.core.is_selinux_enabled() == 1)

    def enforcing(self) -> bool:
        """Whether the kernel denies what the policy does not allow."""
        return bool(self.core.security_getenforce() == 1)

    def knows(self, context: str) -> bool:
        """Whether ``context`` is valid under the loaded policy."""
        try:
            return bool(self.core.security_check_context_raw(context) == 0)
        except OSError:
            return False

    def label(self, path: str, mode: int) -> str:
        """What the policy's file contexts say of ``path``, "" when nothing."""
        handle = self.core.selabel_open(0, None, 0)
        try:
            return str(self.core.selabel_lookup_raw(handle, path, mode)[1])
        except OSError:
            return ""
        finally:
            self.core.selabel_close(handle)


def binding() -> Any:
    """libselinux's own Python binding.  Raises MachineFault where there is none, or PyPI's shim in its place.

    The shim is never imported: what is looked for is the C half, which it does not have.
    """
    try:
        return selinux_core()
    except ImportError as error:
        spec = importlib.util.find_spec("selinux")
        shim = f"; {spec.origin} is not it: PyPI's selinux is a shim" if spec and spec.origin else ""
        raise MachineFault(
            f"no libselinux binding for Python ({error}){shim}; install python3-selinux or python3-libselinux"
        ) from None


def apply(configuration: Configuration, plan: Plan, selinux: Selinux, say: Say, root: Path = Path("/")) -> None:
    """Make ``plan`` true, and tell ``say`` what was done.  Raises MachineFault and OSError.

    ``root`` is where the artifacts go, for tests; policy, labels and systemd are always this machine's.
    """
    enabled = is_usable(selinux, configuration.required, say)
    check_roots(site.vhost.root for site in configuration.sites)
    if password_files(configuration):
        check_crypt()
    with Transaction(root) as transaction:
        transaction.stage(artifact for artifact in plan.artifacts if is_early(artifact))
        early = transaction.commit()
    # User and directory have to exist before the table is written.
    run(["systemd-sysusers", CONF])
    run(["systemd-tmpfiles", "--create", CONF])
    late = [artifact for artifact in plan.artifacts if not is_early(artifact)]
    with Transaction(root) as transaction:
        transaction.stage(sorted(late, key=lambda artifact: artifact.path == TABLE))
        loaded = enabled and load(plan, selinux, say)
        try:
            if enabled:
                relabel(configuration, selinux, say)
            changed = transaction.commit()
        except BaseException:  # also when it is interrupted: a policy without its table serves nobody
            if loaded:
                unload(root / POLICY, say)
            raise
    for place in (*early, *changed):
        say(f"wrote {place}")
    reload_units(changed, say)
    record(plan)
    restart = any(place.name == "selsock.socket" for place in changed)
    say(
        f"next, if it is not so yet: systemctl enable {'selsock.socket; systemctl restart' if restart else '--now'} selsock.socket"
    )


def check_crypt() -> None:
    """Raise MachineFault where the handler could check no password."""
    try:
        crypt_core()
    except ImportError as error:
        raise MachineFault(str(error)) from None


def record(plan: Plan) -> None:
    """A record beside the decisions of the handler, which are taken by this configuration from now on."""
    try:
        from systemd import journal  # type: ignore[import-untyped]  # no stubs; --check and --output do without it
    except ImportError as error:
        raise MachineFault(
            f"all is done but for the record in the journal ({error}): install python3-systemd"
        ) from None
    journal.send(
        f"selsock-generate: generation {plan.generation} is in force",
        PRIORITY="5",
        SYSLOG_IDENTIFIER="selsock-generate",
        SELSOCK_EVENT="apply",
        SELSOCK_GENERATION=plan.generation,
    )


def is_early(artifact: Artifact) -> bool:
    """Whether ``artifact`` is written before the policy is loaded: the ledger beside the source."""
    return artifact.path.endswith(".ranges")


def is_usable(selinux: Selinux, required: bool, say: Say) -> bool:
    """Whether policy and labels can be installed.  Raises MachineFault where they must be and can not."""
    if not selinux.enabled():
        if required:
            raise MachineFault("SELinux is disabled here, and vhost.yaml requires it; --output DIR works anywhere")
        say("SELinux is disabled: neither policy nor labels were installed")
        return False
    if not selinux.knows("system_u:system_r:selsock_t:s0"):
        raise MachineFault("the policy module selsock is not loaded: install it first (README.md says how)")
    if not selinux.enforcing():
        what = "answered with 503" if required else "served unconfined"
        say(f"warning: SELinux is permissive: until it enforces, every request is {what}")
    return True


def load(plan: Plan, selinux: Selinux, say: Say) -> bool:
    """Load the policy of ``plan``, if the kernel does not have that very text; whether it was done.

    Raises MachineFault with what semodule said; then the policy is as it was.
    """
    if selinux.knows(f"system_u:object_r:selsock_generation_{plan.generation}:s0"):
        return False
    install(Path(POLICY).name, plan.artifact(POLICY).data)
    say(f"loaded policy module {Path(POLICY).stem}, generation {plan.generation}")
    return True


def install(name: str, policy: bytes) -> None:
    """Load ``policy``; semodule takes the module's name from ``name``.  Raises MachineFault.

    From a file in /tmp: semodule's own domain may not enter /var/lib/selsock.
    """
    with tempfile.TemporaryDirectory(prefix="selsock-") as directory:
        file = Path(directory, name)
        file.write_bytes(policy)
        run(["semodule", "-X", PRIORITY, "-i", str(file)])


def unload(before: Path, say: Say) -> None:
    """After a failure, load the policy that was there before, from the file of the last good run.

    Does not raise: the first failure is what the operator has to hear of.
    """
    try:
        if before.exists():
            install(before.name, before.read_bytes())
        else:
            run(["semodule", "-X", PRIORITY, "-r", before.stem])
        say("put the policy back as it was; labels that were already changed are put right by the next run")
    except (MachineFault, OSError) as error:
        say(f"warning: the policy could not be put back ({error}); nothing is served until the next good run")


def relabel(configuration: Configuration, selinux: Selinux, say: Say) -> None:
    """Label all roots and password files, and tell what was left alone.  Raises OSError."""
    outcome = Outcome()
    trees: dict[str, Labels] = {}
    for site in configuration.sites:
        root = site.vhost.root
        trees[root] = {label.path[len(root) :]: context(label.type, label.level) for label in site.labels}
    for tree, wanted in trees.items():
        try:
            relabel_tree(tree, wanted, outcome)
        except OSError as error:
            # One customer's tree is no reason to leave all others without their table; his is not served.
            say(f"warning: {tree} could not be labelled ({error.strerror}); what lacks its label is not served")
    for label in labels(configuration):
        # restorecon goes by the policy's file contexts, in which a more specific pattern of another module wins.
        said = selinux.label(label.path, DIRECTORY)
        if said != context(label.type, label.level):
            say(f"warning: restorecon would label {label.path} {said or 'nothing'}: another module claims it")
    for file in password_files(configuration):
        try:
            relabel_file(file, context("selsock_passwd_t", "s0"), outcome)
        except FileNotFoundError:
            say(f"warning: {file} does not exist yet; run restorecon on it when it does")
    for problem in outcome.skipped:
        say(f"warning: not labelled: {problem}")
    say(f"labelled {outcome.changed} of {outcome.seen} files; the others were right")


def context(type_name: str, level: str) -> str:
    """A file's context."""
    return f"system_u:object_r:{type_name}:{level}"


def reload_units(changed: Iterable[Path], say: Say) -> None:
    """Let systemd read its units again, if one of them changed.  Raises MachineFault."""
    if any(UNITS in str(place) for place in changed) and Path("/run/systemd/system").is_dir():
        run(["systemctl", "daemon-reload"])
        say("systemd has read its units again; connections from now on use them")


def run(command: list[str]) -> None:
    """Run a program of the system to its end.  Raises MachineFault with what it wrote, on one line, when it fails."""
    done = subprocess.run(
        command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = "; ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        raise MachineFault(f"{command[0]} failed with status {done.returncode}: {said or 'no reason given'}")
