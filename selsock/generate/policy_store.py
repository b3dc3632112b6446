# SPDX-License-Identifier: Apache-2.0
"""The two modules of ours in the policy store: what is in force, and what the one before it is still needed for.

Each change is one transaction of semodule(8), which links the whole policy: all of it is done, or none.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Iterable
from pathlib import Path

from selsock.generate.commands import Say, run
from selsock.generate.compiled import records
from selsock.generate.drain import Process, emptied, end, inside
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import POLICY, TABLE, Plan
from selsock.generate.retired import (
    accounts,
    compose,
    domains,
    is_inert,
    mappings,
    retired,
    session_types,
    statements,
    unshared,
)
from selsock.generate.write import replace
from selsock.model import Table

PRIORITY = "400"  # above a distribution's 100 and 200, as for what an administrator adds
RETIRED = "var/lib/selsock/selsock_retired.cil"
LOADING = "var/lib/selsock/loading"  # a directory, while semodule reads it
MODULES = tuple(Path(path).stem for path in (RETIRED, POLICY))
STORES = ("var/lib/selinux", "etc/selinux")  # semanage.conf(5), store-root: today's, and the one before
SLOW = "the whole policy is linked, which takes some seconds"


def load(plan: Plan, selinux: Selinux, say: Say, root: Path) -> None:
    """Load the policy of ``plan`` and, beside it, what the table in force and those who are inside still need.

    Nothing is done if the kernel has that very text, and nothing beside it.  Raises MachineFault with what semodule
    said, and OSError; then the policy is as it was.
    """
    new = plan.artifact(POLICY).data.decode()
    place = root / RETIRED
    # By the generation, and not letter by letter: another release has another line on top.
    same = generation_statement(plan.generation) in text_of(root / POLICY)
    if same and is_loaded(plan.generation, selinux, statements(text_of(place))):
        return
    kept = retired(still_needed(root), new)
    say(f"loading policy module {Path(POLICY).stem}, generation {plan.generation}: {SLOW}")
    if kept:
        # Before it is loaded: whoever is interrupted from here on finds all that may be in the store.
        replace(place, compose(kept).encode(), 0o600)
        install({Path(POLICY).name: new, place.name: compose(kept)}, root)
    else:
        install({Path(POLICY).name: new}, root, [name for name in installed(root) if name == place.stem])
        place.unlink(missing_ok=True)
    tell_freed(text_of(root / POLICY), new, say)
    end_sessions(text_of(root / POLICY), new, say)
    for name in sorted(domains(kept)):
        say(f"{name} is no longer used, and stays until no process is in it")


def end_sessions(before: str, now: str, say: Say) -> None:
    """End the sessions of logins that ``now`` maps otherwise than ``before``, or not at all: the type, which others may
    still have, and the level would stay theirs for as long as they last."""
    mapped = mappings(now)
    uids = set()
    for account, mapping in mappings(before).items():
        if mapped.get(account) != mapping:
            with contextlib.suppress(KeyError):
                uids.add(pwd.getpwnam(account).pw_uid)
    if uids and (count := end(session_types(before), uids=uids)):
        say(f"ended {count} process{'es' * (count > 1)} of logins that are no longer what they were")


def tell_freed(before: str, now: str, say: Say) -> None:
    """Warn of accounts whose logins were confined ``before``, and are not ``now``: the distribution may confine nobody."""
    for account in sorted(accounts(before) - accounts(now)):
        try:
            pwd.getpwnam(account)
        except KeyError:
            continue
        lock = f"usermod --expiredate 1 {account}"
        say(
            f"warning: {account} is no login any more, and is not confined by selsock from now on; to lock it out: {lock}"
        )


def is_loaded(generation: str, selinux: Selinux, kept: list[str]) -> bool:
    """Whether the kernel has the policy of ``generation``, as what is in force and not as what is ``kept`` beside it."""
    known = selinux.knows(f"system_u:object_r:selsock_generation_{generation}:s0")
    return known and is_inert(kept) and generation_statement(generation) not in kept


def generation_statement(generation: str) -> str:
    """The statement that ends the text of ``generation``."""
    return f"(type selsock_generation_{generation})"


def still_needed(root: Path) -> list[str]:
    """The texts from which the table in force may name something, or which a process may be in.

    What was kept before counts if the run that kept it did not end, so that the table is older than the policy's text,
    or if there was somebody inside.
    """
    current, kept = text_of(root / POLICY), text_of(root / RETIRED)
    ended = generation_statement(generation_in_force(root)) in current
    return [current] if ended and not inside(domains(statements(kept))) else [current, kept]


def generation_in_force(root: Path) -> str:
    """The generation that the table names, "" where there is none that can be read."""
    try:
        found = dict(records((root / TABLE).read_bytes()))
        return Table.parse(found.get("table", "").encode()).generation
    except (OSError, ValueError):
        return ""


def text_of(place: Path) -> str:
    """The text at ``place``, "" when there is none.  Raises OSError when it can not be read."""
    return place.read_bytes().decode("utf-8", "replace") if os.path.lexists(place) else ""


def install(modules: dict[str, str], root: Path, removed: Iterable[str] = ()) -> None:
    """Load ``modules``, name of a file to text, and remove those ``removed``, in one transaction; semodule takes a module's
    name from the file's.

    From a directory of ours, which semodule's domain may read: what lies in /tmp has the type of whoever runs this, a
    scriptlet of rpm's among them.  Raises MachineFault, OSError.
    """
    place = root / LOADING
    place.mkdir(mode=0o700, exist_ok=True)
    try:
        command = ["semodule", "-X", PRIORITY]
        for name, text in modules.items():
            (place / name).write_text(text)
            command += ["-i", str(place / name)]
        run([*command, *(word for name in removed for word in ("-r", name))])
    finally:
        clear(root)


def clear(root: Path) -> None:
    """Delete what a run that was killed has left of what it loaded.  Raises OSError."""
    if (root / LOADING).is_dir():
        shutil.rmtree(root / LOADING)


def installed(root: Path) -> list[str]:
    """Which of our modules are in the policy store.  Raises MachineFault, OSError where there is a store and no semodule."""
    if not any(place.is_dir() for store in STORES for place in (root / store).glob("*/active")):
        return []
    # semodule(8): with -lfull a line is priority, name, language, and perhaps "disabled".
    lines = [line.split() for line in run(["semodule", "-lfull"]).splitlines()]
    return [name for name in MODULES if any(line[:2] == [PRIORITY, name] for line in lines)]


def drop(before: frozenset[Process], say: Say, root: Path) -> None:
    """Drop what was kept, once none of the connections ``before`` is starting by it, and nobody is inside.

    What says nothing but a generation stays until the next apply, which costs no transaction of its own; so does what
    somebody is inside for longer.  Raises MachineFault, OSError.
    """
    place = root / RETIRED
    kept = statements(text_of(place))
    if is_inert(kept):
        return
    if not emptied(domains(kept), before, say):
        say("what they use is dropped by the next run of selsock-generate")
        # Who is in one retired domain, or dawdles over his head, is no reason to leave all others what was taken from them.
        if (rest := unshared(kept)) != kept:
            say(f"dropping what was taken from others: {SLOW}")
            install({place.name: compose(rest)}, root)
            replace(place, compose(rest).encode(), 0o600)
        return
    say(f"dropping what is no longer used: {SLOW}")
    run(["semodule", "-X", PRIORITY, "-r", place.stem])
    place.unlink()
