# SPDX-License-Identifier: Apache-2.0
"""Labels what a configuration says, and nothing that had its labels already: of a thousand vhosts, the one that is new.

A record tells what is labelled, and how.  What is about to be labelled anew is taken out of it first, so that a run that
was interrupted is made good by the next one, whichever configuration that has.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from selsock.generate.applied import labelled
from selsock.generate.commands import Say
from selsock.generate.configuration import Configuration
from selsock.generate.conflicts import ancestors
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import password_files
from selsock.generate.relabel import Labels, Outcome, relabel_file, relabel_tree, restore
from selsock.generate.write import replace

RECORD = "var/lib/selsock/labelled"
DIRECTORY = 0o040000  # S_IFDIR, as selabel_lookup wants it
UNKNOWN = (
    "labels can not be put back, for neither table nor source of the last run can be read:"
    " run restorecon -RF on each root and password file that is no longer served"
)

Trees = dict[str, Labels]  # root → its labels


class Record:
    """What is labelled on this machine: of each tree its labels, or None while nobody knows."""

    def __init__(self, root: Path) -> None:
        self.place = root / RECORD
        self.trees: dict[str, Labels | None] = {}
        try:
            self.trees = {str(path): its for path, its in json.loads(self.place.read_bytes()).items()}
        except (OSError, ValueError, AttributeError):
            self.trees = {}  # all is labelled again, then

    def write(self) -> None:
        """Put it on the disk.  Raises OSError."""
        replace(self.place, json.dumps(self.trees, indent=0, sort_keys=True).encode(), 0o600)


def relabel(configuration: Configuration, selinux: Selinux, say: Say, root: Path, whole: bool) -> None:
    """Label what has not its labels yet, give back what is no longer configured, and tell what was left alone.

    ``whole``: look at every root, whatever the record says.  Raises MachineFault, OSError.
    """
    trees = wanted(configuration)
    record = Record(root)
    before = labelled(root)
    changed = [tree for tree, labels in trees.items() if whole or record.trees.get(tree) != labels]
    known = None if before is None and not record.trees else frozenset({*(before or ()), *record.trees})
    record.trees |= dict.fromkeys([*changed, *(record.trees.keys() - trees.keys())])
    record.write()
    give_back(known, frozenset({*trees, *password_files(configuration)}), selinux, say)
    outcome = Outcome()
    done = label_trees({tree: trees[tree] for tree in changed}, outcome, say)
    check_claims({tree: trees[tree] for tree in changed}, selinux, say)
    label_password_files(configuration, outcome, say)
    for problem in outcome.skipped:
        say(f"warning: not labelled: {problem}")
    say(f"labelled {outcome.changed} of {outcome.seen} files; the others were right")
    if len(changed) < len(trees):
        say(f"not looked at: {len(trees) - len(changed)} roots that have their labels; --relabel does")
    # What could not be labelled in full is tried again by the next run.
    record.trees = {tree: None if tree in changed and tree not in done else labels for tree, labels in trees.items()}
    record.write()


def wanted(configuration: Configuration) -> Trees:
    """The labels of each root that ``configuration`` has, and of each directory that is made for it."""
    found: Trees = {}
    for site in configuration.sites:
        root = site.vhost.root
        found[root] = {label.path[len(root) :]: label.context for label in site.labels}
        found |= {directory.label.path: {"": directory.label.context} for directory in site.directories}
    return found


def label_trees(trees: Trees, outcome: Outcome, say: Say) -> frozenset[str]:
    """Label ``trees``; return those of which all is there, and labelled."""
    done: set[str] = set()
    said = time.monotonic()
    for number, (tree, labels) in enumerate(trees.items()):
        if time.monotonic() - said > 1:
            said = time.monotonic()
            say(f"labelling: {number} of {len(trees)} roots, {outcome.seen} files")
        try:
            relabel_tree(tree, labels, outcome)
        except OSError as error:
            # One customer's tree is no reason to leave all others without their table; his is not served.
            say(f"warning: {tree} could not be labelled ({error.strerror}); what lacks its label is not served")
            continue
        # Whether there is anything is asked of the name alone: what a link of a tenant's leads to is no matter, nor an error.
        missing = [path for path in labels if path and not os.path.lexists(tree + path)]
        for path in missing:
            say(f"warning: {tree}{path} does not exist yet; run selsock-generate again when it does")
        if not missing:
            done.add(tree)
    return frozenset(done)


def check_claims(trees: Trees, selinux: Selinux, say: Say) -> None:
    """Warn of paths that restorecon would label otherwise: a more specific pattern of another module wins there."""
    with selinux.file_contexts() as ask:
        for tree, labels in trees.items():
            for path, wanted_context in labels.items():
                said = ask(tree + path, DIRECTORY)
                if said != wanted_context:
                    say(f"warning: restorecon would label {tree}{path} {said or 'nothing'}: another module claims it")


def label_password_files(configuration: Configuration, outcome: Outcome, say: Say) -> None:
    """Label the files of users, each time: whoever edits one may put a new file in its place."""
    for file in password_files(configuration):
        try:
            relabel_file(file, context("selsock_passwd_t", "s0"), outcome)
        except FileNotFoundError:
            say(f"warning: {file} does not exist yet; run restorecon on it when it does")


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
