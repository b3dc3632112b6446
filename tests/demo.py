# SPDX-License-Identifier: Apache-2.0
"""make demo: from a bare machine to selsock at work under an enforcing kernel, and what the kernel says of it.

Every line of the table is a request made with curl from outside the machine.  The context is the one that the kernel
told journald when the instance wrote its record, not the one that we meant.
"""

import argparse
import re
import signal
import sys

from tests.machines import image
from tests.machines.audit import Record
from tests.machines.commands import to_stderr
from tests.machines.journal import Entry
from tests.machines.vm import VirtualMachine
from tests.site import LINKS, PASSWORDS, demo_yaml, files
from tests.visitor import Answer, curl

VISITS = (
    ("", "http://alpha.example/"),
    ("alice", "http://alpha.example/"),
    ("alice", "http://alpha.example/staff/plans.html"),
    ("bob", "http://alpha.example/"),
    ("", "http://beta.example/"),
    ("carol", "http://beta.example/shop/"),
    ("", "http://alpha.example/staff/plans.html"),
    ("carol", "http://alpha.example/staff/plans.html"),
    ("", "http://gamma.example/"),
    ("bob", "http://alpha.example/staff/plans.html"),
    ("", "http://beta.example/stolen.html"),
    ("carol", "http://beta.example/shop/stolen.html"),
)
NOTES = {
    "http://gamma.example/": "a host that no vhost answers to",
    "http://beta.example/stolen.html": "a hard link to alpha's index.html: same domain, other categories",
    "http://beta.example/shop/stolen.html": "the same link, from another domain",
}


def main() -> None:
    """Build, boot, show, and wait for Enter unless ``--once``."""
    parser = argparse.ArgumentParser(prog="make demo ARGS=…", allow_abbrev=False)
    parser.add_argument("--once", action="store_true", help="end after the table")
    once = parser.parse_args().once
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("stopped; nothing is left running"))
    to_stderr("a Debian with SELinux enforcing is made and started; the first time takes some minutes")
    links = {name: target for name, target in LINKS.items() if "mailed" not in target}
    with VirtualMachine(image.build(image.Recipe(demo_yaml(), files())), "demo", (80,)) as machine:
        machine.ssh("; ".join(f"ln {target} {name}" for name, target in links.items()))
        crossings = show(machine)
        port = machine.http_port(80)
        print(f"\n{len(VISITS)} requests, {crossings} crossings tried and refused by the kernel.")
        if once:
            return
        print(f"Try it: curl -u alice:{PASSWORDS['alice']} -H 'Host: alpha.example' http://127.0.0.1:{port}/staff/")
        print("The machine runs until you press Enter. ", end="", flush=True)
        sys.stdin.readline()


def show(machine: VirtualMachine) -> int:
    """Make the visits and print what became of them; return how many AVCs there were.

    Raises SystemExit when what should be refused is served, or the other way round.
    """
    machine.ssh("getenforce | grep -qx Enforcing")
    mark = machine.mark()
    answers: list[Answer] = []
    for user, url in VISITS:
        answers.append(curl(machine.http_port(80), url, f"{user}:{PASSWORDS[user]}" if user else ""))
        to_stderr(f"{user or 'anonymous'} {url}: {answers[-1].status}")
    endings = [entry for entry in machine.journal("SYSLOG_IDENTIFIER=selsock", since=mark) if ended(entry)]
    denials = machine.avcs(mark, "selsock_")
    print(f"\n{'user':<10}{'request':<46}{'status':<8}context of the instance, as the kernel reports it")
    for (user, url), answer, ending in zip(VISITS, answers, endings, strict=True):
        row(user, url, answer, ending, [denial for denial in denials if denial.get("pid") == ending["_PID"]])
    statuses = [answer.status for answer in answers]
    if statuses != [200, 200, 200, 200, 200, 200, 401, 401, 421, 403, 403, 403]:
        raise SystemExit(f"not what the configuration promises: {statuses}")
    return len(denials)


def ended(entry: Entry) -> bool:
    """Whether ``entry`` is the last of its connection's: an outcome, or a refusal before the line."""
    return entry.get("SELSOCK_EVENT") in ("outcome", "refusal", "fault")


def row(user: str, url: str, answer: Answer, ending: Entry, denials: list[Record]) -> None:
    """One visit, and below it why it was refused."""
    print(f"{user or '-':<10}{url:<46}{answer.status:<8}{ending['_SELINUX_CONTEXT'].rstrip(chr(0))}")
    if url in NOTES:
        print(f"{'':<10}({NOTES[url]})")
    if ending["SELSOCK_EVENT"] != "outcome":
        print(f"{'':<10}refused before any content was in reach: {ending['SELSOCK_REASON']}")
    for denial in denials:
        print(f"{'':<10}{re.sub(r'^.*avc: ', 'avc:', denial['raw'])}")


if __name__ == "__main__":
    main()
