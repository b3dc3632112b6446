# SPDX-License-Identifier: Apache-2.0
"""``selsockctl``: why somebody gets which context, who is there now, what is wrong, and whether tenants reach each other.

Exit statuses: 0 a context, a list, nothing wrong, or all as promised; 1 ``explain``: he would be refused, ``doctor``:
warnings, ``verify``: not as promised; 2 the configuration or the command line is wrong; 3 this machine stands in the way,
``doctor``: errors.  Whatever fails says so in one line on stderr.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from selsock import __version__
from selsock.ctl.answer import as_json, in_words
from selsock.ctl.doctor import examine
from selsock.ctl.explain import Asked, explain
from selsock.ctl.transition import transition
from selsock.ctl.verify import command as verify
from selsock.errors import TableFault
from selsock.generate.applied import read
from selsock.generate.command_line import BAD, DONE, Arguments, ended
from selsock.generate.faults import MachineFault
from selsock.generate.maps import Maps
from selsock.generate.plan import TABLE
from selsock.generate.prepare import prepare
from selsock.handler.kernel import Kernel
from selsock.handler.table import OpenTable
from selsock.identify.answer import Refused
from selsock.names import Network

REFUSED = 1

PROGRAM = "selsockctl"


def arguments() -> Arguments:
    """The command line."""
    parser = Arguments(
        prog=PROGRAM, description="Look at what selsock decides, and at its machine.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    why = commands.add_parser("explain", help="which context a visitor gets, rule by rule", allow_abbrev=False)
    why.add_argument("source", metavar="vhost.yaml", type=Path, nargs="?", help="default: what is in force")
    why.add_argument("--host", required=True, help="as in the field Host")
    why.add_argument("--user", default="", help="who has signed in; nobody is asked for a password")
    why.add_argument("--group", action="append", help="a group of his; default: those of the htgroup file")
    why.add_argument("--address", default="192.0.2.1", help="where he comes from")
    why.add_argument("--path", default="/", help="as in the request line, with the query and all")
    why.add_argument("--method", default="GET")
    why.add_argument("--assigned", metavar="CONTEXT", default="", help="what a database has for him")
    why.add_argument("--clearance", metavar="RANGE", default="", help="of his SELinux login; default: this machine's")
    why.add_argument("--json", action="store_true")
    there = commands.add_parser("list", help="the connections that there are", allow_abbrev=False)
    there.add_argument("--json", action="store_true")
    wrong = commands.add_parser("doctor", help="what is wrong with this machine, and what mends it", allow_abbrev=False)
    wrong.add_argument("--json", action="store_true")
    wrong.add_argument("--verbose", action="store_true", help="also what is well")
    proof = commands.add_parser("verify", help="whether tenants can reach each other", allow_abbrev=False)
    verify.add_options(proof)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the program with the arguments ``argv``, and return its exit status."""
    given = arguments().parse_args(argv)
    return ended(PROGRAM, lambda: run(given))


def run(given: argparse.Namespace) -> int:
    """Do what the command says; return the exit status.  Raises what ``ended`` catches."""
    if given.command == "list":
        from selsock.ctl import instances  # needs systemd's bindings

        return instances.run(given.json)
    if given.command == "doctor":
        return examine.run(given.json, given.verbose)
    if given.command == "verify":
        return verify.run(given)
    try:
        return explained(given)
    except (ValueError, Refused) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return BAD
    except TableFault as error:
        raise MachineFault(error.reason) from None


def explained(given: argparse.Namespace) -> int:
    """Explain, and return the exit status.  Raises what ``run`` catches."""
    if not Network.accepts(given.address) or "/" in given.address:
        raise ValueError(f"expected an address, not {given.address!r}")
    asked = Asked(
        given.host,
        given.user,
        tuple(given.group) if given.group else None,
        given.address,
        given.path,
        given.method,
        given.assigned,
        given.clearance,
    )
    table = opened(given.source)
    found = explain(table, asked)
    entered = None
    if found.context is not None:
        settings = table.settings
        entered = transition(Kernel(), found.context, settings.generation, settings.required)
    sys.stdout.write((as_json if given.json else in_words)(asked, found, entered))
    return DONE if found.context is not None else REFUSED


def opened(source: Path | None) -> OpenTable:
    """The table that ``source`` becomes, or of what is in force.  Raises BadSource, MachineFault and OSError."""
    maps = None
    if source is not None:
        data = source.read_bytes()
    else:
        applied = read(Path("/"))
        if applied is None:
            raise MachineFault("nothing is applied yet: name a vhost.yaml")
        source, data, maps = applied.source, applied.data, Maps(applied.maps)
    _, plan = prepare(source, data, Path("/"), maps)
    with tempfile.TemporaryDirectory(prefix="selsock-") as directory:
        file = Path(directory, Path(TABLE).name)
        file.write_bytes(plan.artifact(TABLE).data)
        return OpenTable(str(file))  # which it keeps open


if __name__ == "__main__":
    sys.exit(main())
