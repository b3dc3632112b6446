# SPDX-License-Identifier: Apache-2.0
"""Makes a plan true on this machine, as root.

The order matters.  The ledger first: a number that was given is given, whatever happens next.  Then the policy, then
the labels, then the units, and the table last: what it names exists by then.  Until the table is there, the old one
does not agree with the new policy, and the handler serves nothing.  And until then the old one tells what was labelled.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from selsock.generate.applied import labelled
from selsock.generate.configuration import Configuration
from selsock.generate.conflicts import ancestors
from selsock.generate.faults import MachineFault
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import POLICY, TABLE, UNITS, Artifact, Plan, labels, password_files, services
from selsock.generate.relabel import Labels, Outcome, relabel_file, relabel_tree, restore
from selsock.generate.write import Transaction
from selsock.identify.crypt import crypt

PRIORITY = "400"  # above a distribution's 100 and 200, as for what an administrator adds
HEADER = b"# Written by selsock-generate "  # in the first lines of every unit of ours
CONF = "selsock.conf"  # in sysusers.d and tmpfiles.d, wherever the package or an administrator put it
DIRECTORY = 0o040000  # S_IFDIR, as selabel_lookup wants it

# Of the caller's environment nothing: its PATH may lack sbin, and its locale would translate messages.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

UNKNOWN = (
    "labels can not be put back, for neither table nor source of the last run can be read:"
    " run restorecon -RF on each root and password file that is no longer served"
)

Say = Callable[[str], None]


def apply(configuration: Configuration, plan: Plan, selinux: Selinux, say: Say, root: Path = Path("/")) -> None:
    """Make ``plan`` true, and tell ``say`` what was done.  Raises MachineFault and OSError.

    ``root`` is where the artifacts go, for tests; policy, labels and systemd are always this machine's.
    """
    enabled = is_usable(selinux, configuration.required, say)
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
                relabel(configuration, labelled(root), selinux, say)
            changed = transaction.commit()
        except BaseException:  # also when it is interrupted: a policy without its table serves nobody
            if loaded:
                unload(root / POLICY, say)
            raise
    for place in (*early, *changed):
        say(f"wrote {place}")
    reload_units(changed, say)
    start(services(configuration), say)
    record(plan)
    restart = any(place.name == "selsock.socket" for place in changed)
    say(
        f"next, if it is not so yet: systemctl enable {'selsock.socket; systemctl restart' if restart else '--now'} selsock.socket"
    )


def check_crypt() -> None:
    """Raise MachineFault where the handler could check no password."""
    try:
        crypt("", "$5$salt")
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


def relabel(configuration: Configuration, before: frozenset[str] | None, selinux: Selinux, say: Say) -> None:
    """Label all roots and password files, and tell what was left alone; ``before`` is what the last run labelled.

    Raises MachineFault, OSError.
    """
    keep = frozenset({*(site.vhost.root for site in configuration.sites), *password_files(configuration)})
    give_back(before, keep, selinux, say)
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
        for path in wanted:
            if path and Path(tree).is_dir() and not Path(tree + path).exists():
                say(f"warning: {tree}{path} does not exist yet; run restorecon -RF on it when it does")
    check_claims(configuration, selinux, say)
    for file in password_files(configuration):
        try:
            relabel_file(file, context("selsock_passwd_t", "s0"), outcome)
        except FileNotFoundError:
            say(f"warning: {file} does not exist yet; run restorecon on it when it does")
    for problem in outcome.skipped:
        say(f"warning: not labelled: {problem}")
    say(f"labelled {outcome.changed} of {outcome.seen} files; the others were right")


def check_claims(configuration: Configuration, selinux: Selinux, say: Say) -> None:
    """Warn of roots that restorecon would label otherwise: a more specific pattern of another module wins there."""
    with selinux.file_contexts() as ask:
        for label in labels(configuration):
            said = ask(label.path, DIRECTORY)
            if said != context(label.type, label.level):
                say(f"warning: restorecon would label {label.path} {said or 'nothing'}: another module claims it")


def give_back(paths: frozenset[str] | None, keep: frozenset[str], selinux: Selinux, say: Say) -> None:
    """Label roots and password files as the policy now says, but what is in ``keep``; ``paths`` None: it is not known.

    Raises MachineFault.
    """
    if paths is None:
        say(f"warning: {UNKNOWN}")
        return
    gone = sorted(path for path in paths if keep.isdisjoint((path, *ancestors(path))))
    if not gone:
        return
    outcome = Outcome()
    with selinux.file_contexts() as ask:
        for path in gone:
            try:
                restore(path, ask, keep, outcome)
            except FileNotFoundError:
                continue  # and its labels are gone with it
            except OSError as error:
                say(f"warning: the labels of {path} were not put back ({error.strerror}): run restorecon -RF on it")
    for problem in outcome.skipped:
        say(f"warning: label not put back: {problem}")
    say(f"put back the policy's own labels on {outcome.changed} of {outcome.seen} files; the others had them")


def context(type_name: str, level: str) -> str:
    """A file's context."""
    return f"system_u:object_r:{type_name}:{level}"


def reload_units(changed: Iterable[Path], say: Say) -> None:
    """Let systemd read its units again, if one of them changed.  Raises MachineFault."""
    if any(UNITS in str(place) for place in changed) and is_booted():
        run(["systemctl", "daemon-reload"])
        say("systemd has read its units again; connections from now on use them")


def start(names: tuple[str, ...], say: Say) -> None:
    """Start the sockets of the services ``names``, if there are connections that may ask them; else systemd does, together
    with selsock.socket.  Raises MachineFault."""
    if not names or not is_booted():
        return
    if "active" in run(["systemctl", "show", "--property=ActiveState", "--value", "selsock.socket"]).split():
        units = [f"selsock-{name}.socket" for name in names]
        run(["systemctl", "start", *units])
        say(f"listening: {', '.join(units)}")


def is_ours(place: Path) -> bool:
    """Whether selsock-generate wrote the unit at ``place``.  A mask is a link (systemctl(1)).  Raises OSError."""
    return not place.is_symlink() and any(line.startswith(HEADER) for line in place.read_bytes().splitlines())


def is_booted() -> bool:
    """Whether systemd runs this machine (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def run(command: list[str]) -> str:
    """What a program of the system writes.  Raises MachineFault with its complaint, on one line, when it fails."""
    done = subprocess.run(
        command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = "; ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        raise MachineFault(f"{command[0]} failed with status {done.returncode}: {said or 'no reason given'}")
    return done.stdout
