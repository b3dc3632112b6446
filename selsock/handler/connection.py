# SPDX-License-Identifier: Apache-2.0
"""One connection, top to bottom: the only place where the order of trust stands.

Each phase takes what the one before it made, so that mypy refuses another order.
"""

from selsock.cores import time
from selsock.handler.access import Access
from selsock.handler.adopt import Client
from selsock.handler.confine import confine
from selsock.handler.head import HeadBuffer, RequestHead, read_head
from selsock.handler.identify import identify
from selsock.handler.journal import NOTICE, WARNING, Journal
from selsock.handler.kernel import Kernel, check
from selsock.handler.label import Decision, label
from selsock.handler.response import http_date
from selsock.handler.serve.dispatch import Handlers
from selsock.handler.serve.requests import serve_requests
from selsock.handler.table import OpenTable, locate
from selsock.model import Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from selsock.handler.serve.dispatch import Serve


def handle(
    client: Client, access: Access, table_path: str, kernel: Kernel, journal: Journal, serve: "Serve | None" = None
) -> None:
    """Serve the connection of ``client``, whoever spawned this process.  Raises PeerFault or OwnFault."""
    table = OpenTable(table_path)
    client.bound(table.settings)
    apart = client.listener in table.settings.apart
    enforce = check(kernel, table.settings.generation, table.settings.required, apart)
    if not enforce:
        journal.record(WARNING, "serving UNCONFINED, as selinux: optional allows", event="unconfined")
    access.done("table")

    buffer = HeadBuffer(table.settings.limits.head_bytes)
    head = receive(client, access, buffer, table, enforce)
    access.done("head")
    vhost = table.vhost(head.host, apart)
    access.vhost = vhost.name
    if vhost.limits:
        from selsock.handler.share import hold

        hold(vhost)
    identity = identify(head, buffer, vhost, client, table.settings.limits)
    identity.mapped = table.consult(vhost, identity.user, identity.assigned)  # it is closed above the line
    access.user = identity.user or ""
    access.done("identify")
    location = locate(vhost, head.target.segments)
    decision = label(identity, head.method, client.address, vhost, location)
    account = None
    if vhost.run_as:
        from selsock.handler.account import find

        account = find(vhost, identity.user)
    record_decision(journal, access, decision)
    http_date(time.time())  # libc reads the time zone now, rather than in the tenant's domain
    serve = serve or Handlers(location.kind, vhost.limits).serve
    access.done("label")
    confined = confine(decision.context, vhost, buffer, table, journal, kernel, enforce, account)
    access.done("confine")
    # ------------------------------ below this line the process can no longer come back ------------------------------
    serve_requests(confined, client, head, identity, decision, table.settings.limits, access, journal, kernel, serve)


def receive(client: Client, access: Access, buffer: HeadBuffer, table: OpenTable, enforce: bool) -> RequestHead:
    """The first head, and who has sent it, where a proxy speaks for others.  Raises PeerFault."""
    limits = table.settings.limits
    if (listener := table.look(f"listener {client.listener}", Listener)) is not None:
        from selsock.handler.proxy import arrive

        arrive(client, buffer, listener, limits, enforce)
        access.address = client.address
    access.head = head = read_head(client, buffer, limits, limits.first_byte_seconds)
    if client.field or client.login:
        from selsock.handler.proxy import visitor

        client.address, client.user = visitor(client, head)
        access.address = client.address
    return head


def record_decision(journal: Journal, access: Access, decision: Decision) -> None:
    """The record that counts: written from selsock_t, before the line."""
    access.context = str(decision.context)
    text = f"{access.address} {access.vhost} {access.user or '-'}: {decision.context} by {decision.rule}"
    whose = {"address": access.address, "vhost": access.vhost, "user": access.user}
    journal.record(NOTICE, text, event="decision", rule=decision.rule, context=access.context, **whose)
