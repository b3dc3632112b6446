# SPDX-License-Identifier: Apache-2.0
"""requests: one request of the connection after the other, as long as they belong into the context that was entered."""

from selsock.cores import compare_digest, time
from selsock.errors import PeerFault, PeerGone
from selsock.handler.access import Access
from selsock.handler.adopt import Client
from selsock.handler.confine import Confined
from selsock.handler.head import HeadBuffer, RequestHead, read_head
from selsock.handler.identify import Identity
from selsock.handler.journal import NOTICE, Journal
from selsock.handler.kernel import Kernel
from selsock.handler.label import Decision, label
from selsock.handler.serve.exchange import Exchange
from selsock.handler.table import locate
from selsock.model import Limits, Location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from selsock.handler.serve.dispatch import Serve


def serve_requests(
    confined: Confined,
    client: Client,
    head: RequestHead,
    identity: Identity,
    decision: Decision,
    limits: Limits,
    access: Access,
    journal: Journal,
    kernel: Kernel,
    serve: "Serve",
) -> None:
    """Serve the request of ``head``, and those that follow it on the connection.  Raises PeerFault or OwnFault."""

    def reach(path: "tuple[str, ...]") -> Location | None:
        return within("GET", path, confined, identity, client, decision)

    for left in range(limits.requests - 1, -1, -1):
        location = locate(confined.vhost, head.target.segments)
        close = head.close or left == 0
        exchange = Exchange(client, confined.buffer, head, limits, location, identity.user, close, journal, reach)
        body = exchange.body  # of the client's request, whatever a local redirect makes of it
        journal.connect()
        outcome = serve(confined, exchange)
        if exchange.reply.close:
            client.end_output()  # before the record, for which nobody out there has to wait
        access.done("serve")
        access.record(journal, NOTICE, "outcome", outcome.status, outcome.content, outcome.reason)
        if exchange.reply.close or not body.drain():
            return
        begin(access)
        try:
            access.head = head = read_head(client, confined.buffer, limits, limits.idle_seconds)
        except PeerGone:
            return  # a kept connection ends so, as a rule
        access.done("head")
        if not kernel.unchanged():
            return
        if not stays(head, confined, identity, client, decision):
            return part(client, access, journal)


def begin(access: Access) -> None:
    """Another request on the same connection: what belonged to the last one alone is forgotten."""
    access.head = None
    access.times.clear()
    access.since = time.monotonic()


def part(client: Client, access: Access, journal: Journal) -> None:
    """Close before an answer, and record it: what a proxy makes of its visitors is seen by ``selsockctl doctor`` there.

    Raises AdoptFault when journald does not take it.
    """
    client.end_output()  # who asks again need not wait for the record
    text = f"{access.address} {access.vhost}: closed, since the next request belongs elsewhere"
    journal.record(NOTICE, text, event="closed", address=access.address, vhost=access.vhost, listener=client.listener)


def stays(head: RequestHead, confined: Confined, identity: Identity, client: Client, decision: Decision) -> bool:
    """Whether the next request of the connection belongs into the very same context.

    If not, or if that cannot be known down here, the connection is closed without a byte, and the client, which knows
    that a kept connection may end at any time (RFC 9112 §9.3.1), asks again on a new one.
    """
    if head.host not in confined.vhost.names:
        return False
    # Somebody else, even in the same context, has a decision of his own coming, and it is recorded above the line.
    if confined.vhost.basic is None:
        confined.buffer.wipe_span(*head.credentials)
    elif head.credentials == (0, 0):
        if identity.user is not None:
            return False
    elif not recognise(head, confined.buffer):
        return False
    if client.field or client.login:
        from selsock.handler.proxy import visitor

        try:
            if visitor(client, head) != (client.address, client.user):
                return False
        except PeerFault:
            return False
    return within(head.method, head.target.segments, confined, identity, client, decision) is not None


def recognise(head: RequestHead, buffer: HeadBuffer) -> bool:
    """Whether ``head`` carries exactly the value of Authorization that was verified; it is wiped where it was read."""
    start, end = head.credentials
    same = compare_digest(memoryview(buffer.data)[start:end], buffer.verified)
    buffer.wipe_span(start, end)
    return same


def within(
    method: str, path: "tuple[str, ...]", confined: Confined, identity: Identity, client: Client, decision: Decision
) -> Location | None:
    """The location of ``path``, if its rules give the visitor the context that was entered; else None."""
    location = locate(confined.vhost, path)
    try:
        again = label(identity, method, client.address, confined.vhost, location)
    except PeerFault:
        return None
    return location if again.context == decision.context else None
