# SPDX-License-Identifier: Apache-2.0
"""``selsock-generate``: one file, ``vhost.yaml``, into the units, the policy and the table that selsock needs.

Exit statuses: 0 done (``--diff``: nothing differs), 1 ``--diff`` found a difference, 2 the configuration or the command
line is wrong, 3 this machine stands in the way.  Whatever fails says so in one line on stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from selsock import __version__
from selsock.generate.apache.convert import imported
from selsock.generate.apache.maps import rewritten
from selsock.generate.apache.text import comment
from selsock.generate.apply import apply
from selsock.generate.command_line import DONE, Arguments, ended
from selsock.generate.configuration import Configuration
from selsock.generate.difference import difference, differing
from selsock.generate.faults import MachineFault
from selsock.generate.libselinux import Selinux
from selsock.generate.plan import Plan
from selsock.generate.prepare import prepare
from selsock.generate.relabel import check_roots
from selsock.generate.remove import remove
from selsock.generate.renew import renew
from selsock.generate.words import words
from selsock.generate.write import Transaction
from selsock.names import AbsolutePath

DIFFERS = 1

PROGRAM = "selsock-generate"


def arguments() -> Arguments:
    """The command line."""
    parser = Arguments(
        prog=PROGRAM,
        description="Turn vhost.yaml into units, policy and table.  Without an option, as root: apply it.",
        allow_abbrev=False,
    )
    parser.add_argument("source", metavar="vhost.yaml", type=Path, nargs="?")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write everything below DIR and touch nothing else")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only say whether the configuration is good")
    what.add_argument("--diff", action="store_true", help="say what would change, below DIR with --output")
    what.add_argument(
        "--import", metavar="FILE", type=Path, dest="apache", help="write what httpd.conf says as vhost.yaml"
    )
    what.add_argument(
        "--relabel", action="store_true", help="apply, and look at the labels of every root, not of new ones"
    )
    what.add_argument("--renew", action="store_true", help="apply anew what is in force, as an upgrade of selsock does")
    what.add_argument("--remove", action="store_true", help="undo all that applying has done on this machine")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command line; exits with status 2 when they do not go together."""
    parser = arguments()
    given = parser.parse_args(argv)
    alone = "--import" if given.apache else "--renew" if given.renew else "--remove" if given.remove else ""
    if (given.check or given.relabel or alone) and given.output:
        parser.error(
            f"argument {alone or ('--check' if given.check else '--relabel')}: not allowed with argument --output"
        )
    if alone and given.source:
        parser.error(f"argument {alone}: not allowed with argument vhost.yaml")
    if not alone:
        check_source(parser, given.source)
    return given


def check_source(parser: Arguments, source: Path | None) -> None:
    """Refuse what can not be a source, since rules, ledger and the record of what is in force name it."""
    if source is None:
        parser.error("one of the arguments vhost.yaml --import --renew --remove is required")
    if not AbsolutePath.accepts(f"/{source.name}"):
        parser.error(f"expected a file name of letters, digits and ._-+@=~, not {source.name!r}")
    if "\n" in str(source.absolute()):
        parser.error(f"expected a path on one line, not {str(source.absolute())!r}")


def main(argv: list[str] | None = None) -> int:
    """Run the program with the arguments ``argv``, and return its exit status."""
    given = parse(argv)
    return ended(PROGRAM, lambda: run(given))


def run(given: argparse.Namespace) -> int:
    """Do what the options say; return the exit status.  Raises what ``ended`` catches."""
    if given.apache:
        return import_apache(given.apache)
    if not (given.check or given.diff or given.output) and os.geteuid() != 0:
        raise MachineFault("only root can apply a configuration or undo it; --check and --output DIR need no root")
    if given.renew:
        renew(say)
        return DONE
    if given.remove:
        remove(Selinux(), say)
        return DONE
    if given.check or given.diff or given.output:
        return generate(given.source, given.output, given.check, given.diff)
    configuration, plan = prepare(given.source, given.source.read_bytes(), Path("/"))
    selinux = Selinux()
    check_roots(site.vhost.root for site in configuration.sites)
    apply(configuration, plan, selinux, say, whole=given.relabel)
    return DONE


def generate(source: Path, output: Path | None, check: bool, diff: bool) -> int:
    """Check, compare or write ``source``; return the exit status.  Raises what ``ended`` catches."""
    configuration, plan = prepare(source, source.read_bytes(), output or Path("/"))
    if check:
        sites, domains = len(configuration.sites), len(configuration.domains)
        print(f"{source}: good: {count(sites, 'vhost')}, {count(domains, 'domain')}")
        return DONE
    if diff:
        return compare(configuration, plan, output or Path("/"))
    root = output or Path("/")
    with Transaction(root) as transaction:
        transaction.stage(plan.artifacts)
        changed = set(transaction.commit())
    for artifact in plan.artifacts:
        place = root / artifact.path
        print(f"{'wrote' if place in changed else 'same '} {place}")
    return DONE


def compare(configuration: Configuration, plan: Plan, root: Path) -> int:
    """Say what applying ``plan`` below ``root`` would do, in words and as a diff; return the exit status.  Raises OSError."""
    found = differing(plan.artifacts, root)
    if not found:
        return DONE
    for line in words(configuration, plan, root, [artifact.path for artifact in found]):
        print(line)
    sys.stdout.write("\n" + difference(found, root))
    return DIFFERS


def import_apache(file: Path) -> int:
    """Write what ``file`` of Apache says, and tell on stderr what is missing; return the exit status.

    Raises what ``ended`` catches.
    """
    text, missing = rewritten(file) if file.suffix == ".map" else imported(file)
    sys.stdout.write(text)
    for line in missing:
        print(comment(line)[2:], file=sys.stderr)
    return DONE


def say(line: str) -> None:
    """Tell the operator, at once."""
    print(line, flush=True)


def count(number: int, noun: str) -> str:
    """``1 vhost``, ``2 vhosts``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


if __name__ == "__main__":
    sys.exit(main())
