# SPDX-License-Identifier: Apache-2.0
"""Makes a plan true on this machine, as root, while what is in force goes on serving.

The order matters.  The ledger first: a number that was given is given, whatever happens next.  Then the policy, with all
that the old one had; the labels of what changed; the units, and the table last: what it names exists by then, and until
then the old one is served.  When nobody needs it any more, what was taken out of the policy is dropped.

Each step leaves a machine that serves what it served before, or what is new, and the next run does what is missing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selsock.generate.commands import Say, is_booted, run
from selsock.generate.configuration import Configuration
from selsock.generate.drain import starting
from selsock.generate.faults import MachineFault
from selsock.generate.labelling import RECORD, relabel
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import (
    RUN_AS,
    TABLE,
    TEMPLATES,
    UNITS,
    Artifact,
    Plan,
    directories,
    password_files,
    services,
)
from selsock.generate.policy_store import RETIRED, clear, drop, load
from selsock.generate.sharing import RECORD as SHARED
from selsock.generate.sharing import share
from selsock.generate.temporary import delete_made, make
from selsock.generate.user_contexts import forget
from selsock.generate.write import Transaction, sweep
from selsock.identify.crypt import crypt

HEADER = b"# Written by selsock-generate "  # in the first lines of every unit of ours
CONF = "selsock.conf"  # in sysusers.d and tmpfiles.d, wherever the package or an administrator put it
LOCK = "run/selsock-generate.lock"


def apply(
    configuration: Configuration, plan: Plan, selinux: Selinux, say: Say, root: Path = Path("/"), whole: bool = False
) -> None:
    """Make ``plan`` true, and tell ``say`` what was done.  Raises MachineFault and OSError.

    ``whole``: look at the labels of every root, and not of those alone that changed.  ``root`` is where the artifacts go,
    for tests; policy, labels and systemd are always this machine's.
    """
    enabled = is_usable(selinux, configuration.required, say)
    if password_files(configuration):
        check_crypt()
    with alone(root, say):
        clear(root)
        sweep(root / path for path in (RETIRED, RECORD, SHARED, *(artifact.path for artifact in plan.artifacts)))
        early = write(root, (artifact for artifact in plan.artifacts if is_early(artifact)))
        # User and directory have to exist before the table is written.
        run(["systemd-sysusers", CONF])
        run(["systemd-tmpfiles", "--create", CONF])
        changed = put(configuration, plan, selinux if enabled else None, say, root, whole)
        before = starting()
        for place in (*early, *changed):
            say(f"wrote {place}")
        forget(root, say, (artifact.path for artifact in plan.artifacts))
        reload_units((*changed, *retire(plan, root, say)), say)
        apart = any(artifact.path.startswith(RUN_AS) for artifact in plan.artifacts)
        start((*services(configuration), *["run-as"] * apart), say)
        record(plan)
        if enabled:
            drop(before, say, root)
        delete_made(root, say, directories(configuration))
    restart = any(place.suffix == ".socket" for place in changed)
    say(
        f"next, if it is not so yet: systemctl enable {'selsock.socket; systemctl restart' if restart else '--now'} selsock.socket"
    )


def put(
    configuration: Configuration, plan: Plan, selinux: Selinux | None, say: Say, root: Path, whole: bool
) -> list[Path]:
    """Load the policy, label, and put the files in place, the table last; return which.  ``selinux`` None: it is off."""
    late = [artifact for artifact in plan.artifacts if not is_early(artifact)]
    with Transaction(root) as transaction:
        transaction.stage(sorted(late, key=lambda artifact: artifact.path == TABLE))
        if selinux:
            load(plan, selinux, say, root)
        make(directories(configuration), root, labelled=selinux is not None)
        if selinux:
            relabel(configuration, selinux, say, root, whole)
        share(configuration, say, root)
        return transaction.commit()


@contextmanager
def alone(root: Path, say: Say) -> Iterator[None]:
    """Within the block no other run applies or undoes anything.  Raises OSError."""
    place = root / LOCK
    place.parent.mkdir(parents=True, exist_ok=True)
    while True:
        # It is gone with this process, however that ends (flock(2)).
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            hold(descriptor, say)
            # Who undoes all deletes it, too, at the end: then this one is nobody's.
            if place.exists() and os.path.samestat(os.fstat(descriptor), os.stat(place)):
                yield
                return
        finally:
            os.close(descriptor)


def hold(descriptor: int, say: Say) -> None:
    """Lock the file of ``descriptor``, and tell when somebody else has it.  Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another selsock-generate")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def write(root: Path, artifacts: Iterable[Artifact]) -> list[Path]:
    """Write ``artifacts`` below ``root``, and return what was not so already.  Raises OSError."""
    with Transaction(root) as transaction:
        transaction.stage(artifacts)
        return transaction.commit()


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


def retire(plan: Plan, root: Path, say: Say) -> list[Path]:
    """Stop listening for vhosts with ``run_as``, and delete the units for them, where ``plan`` has none; return which.

    Raises MachineFault, OSError.
    """
    wanted = {artifact.path for artifact in plan.artifacts}
    places = [root / path for path, _ in TEMPLATES if path.startswith(RUN_AS) and path not in wanted]
    gone = [place for place in places if place.exists() and is_ours(place)]
    if gone and is_booted():
        run(["systemctl", "stop", "selsock-run-as.socket"])
    for place in gone:
        place.unlink()
        say(f"removed {place}")
    return gone


def reload_units(changed: Iterable[Path], say: Say) -> None:
    """Let systemd read its units again, if one of them changed, now or in a run that was interrupted.

    Raises MachineFault.
    """
    if is_booted() and (any(UNITS in str(place) for place in changed) or is_outdated()):
        run(["systemctl", "daemon-reload"])
        say("systemd has read its units again; connections from now on use them")


def is_outdated() -> bool:
    """Whether systemd has read a unit of ours in another form than it has on the disk.  Raises MachineFault."""
    units = [
        "selsock.socket",
        "selsock@0.service",
        "selsock-run-as.socket",
        "selsock-run-as@0.service",
        "system-selsock.slice",
    ]
    return "yes" in run(["systemctl", "show", "--property=NeedDaemonReload", "--value", *units]).split()


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
