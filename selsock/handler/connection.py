# SPDX-License-Identifier: Apache-2.0
"""One connection, top to bottom: the only place where the order of trust stands.

Each phase takes what the one before it made, so that mypy refuses another order.
"""

from selsock.cores import time
from selsock.errors import PeerFault, PeerGone
from selsock.handler.adopt import Client
from selsock.handler.confine import confine
from selsock.handler.head import HeadBuffer, RequestHead, read_head
from selsock.handler.identify import Credentials, Identity, identify
from selsock.handler.journal import NOTICE, WARNING, Journal
from selsock.handler.kernel import Kernel, check
from selsock.handler.label import Decision, label
from selsock.handler.response import http_date
from selsock.handler.table import OpenTable, locate
from selsock.model import Vhost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from selsock.handler.confine import Confined
    from selsock.handler.serve.static import Outcome

    # A content handler: it needs a Confined, which only ``confine`` can make.
    Serve = Callable[["Confined", RequestHead, Client, bool], "Outcome"]


def handle(client: Client, table_path: str, kernel: Kernel, journal: Journal, serve: "Serve") -> None:
    """Serve the connection of ``client``, whoever spawned this process.  Raises PeerFault or OwnFault."""
    table = OpenTable(table_path)
    limits = table.settings.limits
    client.deadline = time.monotonic() + limits.connection_seconds
    enforce = check(kernel, table.settings.generation, table.settings.required)
    if not enforce:
        journal.record(WARNING, "serving UNCONFINED, as selinux: optional allows", event="unconfined")

    buffer = HeadBuffer(limits.head_bytes)
    credentials = Credentials()
    head = read_head(client, buffer, limits, limits.head_seconds)
    vhost = table.vhost(head.host)
    identity = identify(head, buffer, credentials, vhost)
    decision = label(identity, client.address, vhost, locate(vhost, head.target.segments))
    record_decision(journal, client, vhost, identity, decision)
    http_date(time.time())  # libc reads the time zone now, rather than in the tenant's domain
    confined = confine(decision.context, vhost, credentials, table, journal, kernel, enforce)
    # ------------------------------ below this line the process can no longer come back ------------------------------
    for left in range(limits.requests - 1, -1, -1):
        close = head.close or left == 0
        journal.open()
        outcome = serve(confined, head, client, close)
        record_outcome(journal, confined, head, outcome)
        if close:
            return
        try:
            head = read_head(client, buffer, limits, limits.idle_seconds)
        except PeerGone:
            return  # a kept connection ends so, as a rule
        if not kernel.unchanged() or not stays(head, buffer, credentials, identity, vhost, client, decision):
            return


def stays(
    head: RequestHead,
    buffer: HeadBuffer,
    credentials: Credentials,
    identity: Identity,
    vhost: Vhost,
    client: Client,
    decision: Decision,
) -> bool:
    """Whether the next request of the connection belongs into the very same context.

    If not, or if that cannot be known down here, the connection is closed without a byte, and the client, which knows
    that a kept connection may end at any time (RFC 9112 §9.3.1), asks again on a new one.
    """
    if head.host not in vhost.names:
        return False
    # Somebody else, even in the same context, has a decision of his own coming, and it is recorded above the line.
    if vhost.basic is None:
        buffer.wipe_span(*head.credentials)
    elif head.credentials == (0, 0):
        if identity.user is not None:
            return False
    elif not credentials.recognise(head, buffer):
        return False
    try:
        again = label(identity, client.address, vhost, locate(vhost, head.target.segments))
    except PeerFault:
        return False
    return again.context == decision.context


def record_decision(journal: Journal, client: Client, vhost: Vhost, identity: Identity, decision: Decision) -> None:
    """The record that counts: written from selsock_t, before the line."""
    user = identity.user or ""
    journal.record(
        NOTICE,
        f"{client.address} {vhost.name} {user or '-'}: {decision.context} by {decision.rule}",
        event="decision",
        address=client.address,
        vhost=vhost.name,
        user=user,
        rule=decision.rule,
        context=str(decision.context),
    )


def record_outcome(journal: Journal, confined: "Confined", head: RequestHead, outcome: "Outcome") -> None:
    """What became of a request, told by the confined process itself."""
    journal.record(
        NOTICE,
        f"{confined.vhost.name} {head.method} {head.target.raw}: {outcome.status} {outcome.reason}".rstrip(),
        event="outcome",
        vhost=confined.vhost.name,
        method=head.method,
        target=head.target.raw,
        status=str(outcome.status),
        content_bytes=str(outcome.content),
        reason=outcome.reason,
    )
