# SPDX-License-Identifier: Apache-2.0
"""``selsock-generate``: one file, ``vhost.yaml``, into the units, the policy and the table that selsock needs.

Exit statuses: 0 done (``--diff``: nothing differs), 1 ``--diff`` found a difference, 2 the configuration or the command
line is wrong, 3 this machine stands in the way.  Whatever fails says so in one line on stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from selsock import __version__
from selsock.generate import conflicts
from selsock.generate.apply import Selinux, apply
from selsock.generate.configuration import Configuration, configure
from selsock.generate.difference import difference
from selsock.generate.faults import MachineFault
from selsock.generate.machine import unusual_ports
from selsock.generate.plan import RANGES, Plan, plan
from selsock.generate.ranges import Ledger, merged
from selsock.generate.source import BadSource, load
from selsock.generate.write import Transaction
from selsock.names import AbsolutePath

DONE = 0
DIFFERS = 1
BAD_CONFIGURATION = 2
MACHINE = 3

PROGRAM = "selsock-generate"


class Arguments(argparse.ArgumentParser):
    """A parser whose error is one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(BAD_CONFIGURATION, f"{self.prog}: {message}\n")


@dataclass(frozen=True, slots=True)
class Job:
    """The source as it was read, and what follows from it."""

    source: Path
    configuration: Configuration
    ledger: Ledger
    plan: Plan


def arguments() -> Arguments:
    """The command line."""
    parser = Arguments(
        prog=PROGRAM,
        description="Turn vhost.yaml into units, policy and table.  Without an option, as root: apply it.",
        allow_abbrev=False,
    )
    parser.add_argument("source", metavar="vhost.yaml", type=Path)
    parser.add_argument("--output", metavar="DIR", type=Path, help="write everything below DIR and touch nothing else")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only say whether the configuration is good")
    what.add_argument("--diff", action="store_true", help="show what would change (below DIR with --output)")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the program with the arguments ``argv``, and return its exit status."""
    parser = arguments()
    given = parser.parse_args(argv)
    if given.check and given.output:
        parser.error("argument --check: not allowed with argument --output")
    if not AbsolutePath.accepts(f"/{given.source.name}"):
        parser.error(f"expected a file name of letters, digits and ._-+@=~, not {given.source.name!r}")
    try:
        return run(given.source, given.output, given.check, given.diff)
    except BadSource as error:
        print(error, file=sys.stderr)
        return BAD_CONFIGURATION
    except MachineFault as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return MACHINE
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return MACHINE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{PROGRAM}: {where}{error.strerror or error}", file=sys.stderr)
        return MACHINE


def run(source: Path, output: Path | None, check: bool, diff: bool) -> int:
    """Do what the options say; return the exit status.  Raises what ``main`` catches."""
    if not (check or diff or output) and os.geteuid() != 0:
        raise MachineFault("only root can apply a configuration; --check and --output DIR need no root")
    job = prepare(source, output)
    configuration = job.configuration
    if check:
        sites, domains = len(configuration.sites), len(configuration.domains)
        print(f"{source}: good: {count(sites, 'vhost')}, {count(domains, 'domain')}")
        return DONE
    if diff:
        text = difference(job.plan.artifacts, output or Path("/"))
        sys.stdout.write(text)
        return DIFFERS if text else DONE
    if output:
        with Transaction(output) as transaction:
            transaction.stage(job.plan.artifacts)
            changed = set(transaction.commit())
        for artifact in job.plan.artifacts:
            place = output / artifact.path
            print(f"{'wrote' if place in changed else 'same '} {place}")
        return DONE
    apply(job.configuration, job.plan, Selinux(), say)
    return DONE


def prepare(source: Path, output: Path | None) -> Job:
    """Read, check and plan; warn of what is allowed but doubtful.  Raises BadSource, OSError, MachineFault."""
    place = f"{source.absolute()}.ranges"
    # Beside the source, where it is kept; and this machine's own, so that two sources never give one pair twice.
    ledgers = [Path(f"{source}.ranges"), (output or Path("/")) / RANGES]
    if output:
        ledgers.append(output / place.lstrip("/"))
    ledger = merged([(str(path), read_ledger(path)) for path in ledgers if os.path.lexists(path)])
    configuration = configure(load(source.read_bytes(), str(source)), source.name, ledger)
    conflicts.check(configuration)
    warn(configuration)
    return Job(source, configuration, ledger, plan(configuration, ledger, place))


def read_ledger(path: Path) -> bytes:
    """The bytes of a ledger; never through a link, since an error shows the line that it is about."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return file.read()


def warn(configuration: Configuration) -> None:
    """Say on stderr what the operator should know."""
    if not configuration.required:
        print("warning: selinux: optional serves without confinement where SELinux does not enforce", file=sys.stderr)
    for port in unusual_ports(configuration.listen):
        hint = f"semanage port -a -t http_port_t -p tcp {port}"
        print(
            f"hint: port {port} is not one of a web server; if it can not be bound, no port is: {hint}", file=sys.stderr
        )


def say(line: str) -> None:
    """Tell the operator, at once."""
    print(line, flush=True)


def count(number: int, noun: str) -> str:
    """``1 vhost``, ``2 vhosts``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


if __name__ == "__main__":
    sys.exit(main())
