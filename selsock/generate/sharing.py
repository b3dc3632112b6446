# SPDX-License-Identifier: Apache-2.0
"""Lets those who serve a vhost and those who log in to edit it work on the same files, by ordinary permissions: ACLs.

A record tells what is shared with whom, so that a tree is walked when that changes, and whoever is gone is taken out.
"""

from __future__ import annotations

import json
import pwd
from pathlib import Path

from selsock.generate.acl import Sharing
from selsock.generate.commands import Say
from selsock.generate.configuration import Configuration
from selsock.generate.relabel import Outcome, Walk, mount_of, reached
from selsock.generate.run_as import AUTHENTICATED
from selsock.generate.write import replace

RECORD = "var/lib/selsock/shared"
SERVER = "selsock"  # as whom the units serve, but for run_as

Shared = dict[str, list[int]]  # root → numbers of users, sorted


class SharingWalk(Walk):
    """One tree on its way to being shared."""

    def __init__(self, root: str, sharing: Sharing, mount: str, outcome: Outcome) -> None:
        super().__init__(root, {}, mount, outcome)
        self.sharing = sharing

    def change(self, descriptor: int, context: str) -> bool:
        """Permissions, and no label."""
        return self.sharing.set(descriptor)


def share(configuration: Configuration, say: Say, root: Path) -> None:
    """Share the content of vhosts with logins, and of those that have none any more no longer; tell ``say``.

    Raises OSError for a record that can not be written; a tree that can not be shared is told.
    """
    shared(wanted(configuration, say), say, root)


def unshare(say: Say, root: Path) -> None:
    """Share nothing any more.  Raises OSError."""
    shared({}, say, root)


def shared(trees: Shared, say: Say, root: Path) -> None:
    """Share ``trees`` and nothing else."""
    before = recorded(root, say)
    changed = sorted(tree for tree in {*trees, *before} if trees.get(tree) != before.get(tree))
    if not changed:
        return
    # Until it is done, anybody of the old and the new may be on any file.
    write(before | {tree: sorted({*before.get(tree, ()), *trees.get(tree, ())}) for tree in changed}, root)
    outcome = Outcome()
    done = dict(trees)
    for tree in changed:
        users = frozenset(trees.get(tree, ()))
        before_skipping = len(outcome.skipped)
        try:
            with reached(tree, directory=True) as descriptor:
                sharing = Sharing(users, frozenset(before.get(tree, ())) - users)
                SharingWalk(tree, sharing, mount_of(descriptor), outcome).visit(descriptor, "", "")
        except FileNotFoundError:
            # It may be back, as a file system that was not mounted is; then whoever is gone has to be taken out.
            done[tree] = before.get(tree, [])
        except OSError as error:
            done[tree] = before.get(tree, [])
            say(
                f"warning: the permissions of {tree} could not be set ({error.strerror}): its logins may not be able to write"
            )
        else:
            gone = frozenset(before.get(tree, ())) - users
            if gone and len(outcome.skipped) > before_skipping:
                # What was left alone may still name them, and a second name or a move is theirs to make: tried again.
                done[tree] = sorted(users | gone)
    for problem in outcome.skipped:
        say(f"warning: permissions not set: {problem}")
    say(
        f"set the permissions of {outcome.changed} of {outcome.seen} files for who logs in to edit them; the others were right"
    )
    write(done, root)


def wanted(configuration: Configuration, say: Say) -> Shared:
    """With whom the content of each vhost with logins is to be shared; an account that is missing is told."""
    found: dict[str, set[int]] = {}
    for site in configuration.sites:
        # As whomever signs in: not known here.
        server = site.run_as.name if site.run_as and site.run_as.name != AUTHENTICATED else SERVER
        for name in (server, *(login.account for login in site.logins)) if site.logins else ():
            users = found.setdefault(site.vhost.root, set())
            try:
                users.add(pwd.getpwnam(name).pw_uid)
            except KeyError:
                say(f"warning: this machine has no user {name}: run selsock-generate again when it has")
    return {tree: sorted(users) for tree, users in found.items()}


def recorded(root: Path, say: Say) -> Shared:
    """What the last run shared.  Where that cannot be read it is told: whoever is gone since is then not taken out."""
    place = root / RECORD
    try:
        found = json.loads(place.read_bytes())
        return {str(tree): [int(uid) for uid in users] for tree, users in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        say(
            f"warning: {place} is damaged ({error}): look for logins that are gone in the ACLs of all roots (getfacl -R)"
        )
        return {}


def write(trees: Shared, root: Path) -> None:
    """Put the record on the disk.  Raises OSError."""
    replace(root / RECORD, json.dumps(trees, indent=0, sort_keys=True).encode(), 0o600)
