# SPDX-License-Identifier: Apache-2.0
"""The one ``try`` and the one exit of an instance of selsock@.service.  Usage: serve TABLE."""

from selsock.cores import posix, sys
from selsock.errors import EXIT_ADOPT, EXIT_BUG, EXIT_SERVED, OwnFault, PeerFault, PeerGone
from selsock.handler.access import Access
from selsock.handler.adopt import Client, adopt
from selsock.handler.connection import handle
from selsock.handler.journal import ERROR, NOTICE, Journal
from selsock.handler.kernel import Kernel
from selsock.handler.response import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from selsock.handler.serve.dispatch import Serve


def main(serve: "Serve | None" = None) -> "NoReturn":
    """Serve the one connection that systemd handed over, and end with a documented status."""
    journal = Journal()
    status = EXIT_BUG
    try:
        client = adopt(posix.environ, posix.getpid())
        status = run(client, journal, serve)
        client.linger()
    except (OwnFault, PeerFault) as fault:
        status = fault.exit_status
        report(journal, Access("-"), fault, 0)
    finally:
        posix._exit(status)


def run(client: Client, journal: Journal, serve: "Serve | None" = None) -> int:
    """Handle ``client``; turn whatever goes wrong into one answer, one record and one exit status."""
    access = Access(client.address)
    fault: OwnFault | PeerFault
    try:
        handle(client, access, sys.argv[1], Kernel(), journal, serve)
        return EXIT_SERVED
    except (OwnFault, PeerFault) as raised:
        fault = raised
    except Exception as defect:  # noqa: BLE001 - the top: a defect must neither serve nor pass in silence
        fault = OwnFault(f"a defect of selsock: {describe(defect)}")
        fault.status = 500
    report(journal, access, fault, 0 if client.answered else fault.status)
    if not isinstance(fault, PeerGone):
        try:
            refuse(client, fault)
        except PeerGone as gone:
            report(journal, access, gone, 0)
    return fault.exit_status


def describe(defect: Exception) -> str:
    """The type, text and innermost line of ``defect``: what a traceback would say, without the modules it needs."""
    trace = defect.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    return f"{type(defect).__name__} at {where}: {defect}"


def report(journal: Journal, access: Access, fault: OwnFault | PeerFault, status: int) -> None:
    """One record for one fault, answered with ``status``; where journald is out of reach, the unit's stderr gets it."""
    own = isinstance(fault, OwnFault)
    event = "gone" if isinstance(fault, PeerGone) else "fault" if own else "refusal"
    try:
        access.record(journal, ERROR if own else NOTICE, event, status, 0, fault.reason)
    except OwnFault as unheard:
        try:
            posix.write(2, f"<3>{unheard.reason}; {fault.reason}\n".encode("utf-8", "backslashreplace"))
        finally:  # stderr may have gone the same way
            posix._exit(EXIT_ADOPT)


if __name__ == "__main__":
    main()
