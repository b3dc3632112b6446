# SPDX-License-Identifier: Apache-2.0
"""The one ``try`` and the one exit of an instance of selsock@.service.  Usage: serve TABLE."""

from selsock.cores import posix, sys
from selsock.errors import EXIT_ADOPT, EXIT_BUG, EXIT_SERVED, OwnFault, PeerFault, PeerGone
from selsock.handler.adopt import Client, adopt
from selsock.handler.connection import handle
from selsock.handler.journal import ERROR, NOTICE, Journal
from selsock.handler.kernel import Kernel
from selsock.handler.response import refuse
from selsock.handler.serve import static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from selsock.handler.connection import Serve


def main(serve: "Serve" = static.serve) -> "NoReturn":
    """Serve the one connection that systemd handed over, and end with a documented status."""
    journal = Journal()
    status = EXIT_BUG
    try:
        client = adopt(posix.environ, posix.getpid())
        status = run(client, journal, serve)
        client.linger()
    except (OwnFault, PeerFault) as fault:
        status = fault.exit_status
        report(journal, "-", fault)
    finally:
        posix._exit(status)


def run(client: Client, journal: Journal, serve: "Serve") -> int:
    """Handle ``client``; turn whatever goes wrong into one answer, one record and one exit status."""
    fault: OwnFault | PeerFault
    try:
        handle(client, sys.argv[1], Kernel(), journal, serve)
        return EXIT_SERVED
    except (OwnFault, PeerFault) as raised:
        fault = raised
    except Exception as defect:  # noqa: BLE001 - the top: a defect must neither serve nor pass in silence
        fault = OwnFault(f"a defect of selsock: {describe(defect)}")
        fault.status = 500
    report(journal, client.address, fault)
    if not isinstance(fault, PeerGone):
        try:
            refuse(client, fault)
        except PeerGone as gone:
            report(journal, client.address, gone)
    return fault.exit_status


def describe(defect: Exception) -> str:
    """The type, text and innermost line of ``defect``: what a traceback would say, without the modules it needs."""
    trace = defect.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    return f"{type(defect).__name__} at {where}: {defect}"


def report(journal: Journal, address: str, fault: OwnFault | PeerFault) -> None:
    """One record for one fault; where journald is out of reach, the unit's stderr gets it."""
    own = isinstance(fault, OwnFault)
    try:
        journal.record(
            ERROR if own else NOTICE,
            f"{address} {fault.status or 'closed'}: {fault.reason}",
            event="gone" if isinstance(fault, PeerGone) else "fault" if own else "refusal",
            address=address,
            status=str(fault.status),
            reason=fault.reason,
        )
    except OwnFault as unheard:
        try:
            posix.write(2, f"<3>{unheard.reason}; {fault.reason}\n".encode("utf-8", "backslashreplace"))
        finally:  # stderr may have gone the same way
            posix._exit(EXIT_ADOPT)


if __name__ == "__main__":
    main()
