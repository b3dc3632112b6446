# SPDX-License-Identifier: Apache-2.0
"""exchange: one request and its response, as a content handler gets them beside its ``Confined``."""

from selsock.handler.head import HeadBuffer, RequestHead
from selsock.handler.journal import Journal
from selsock.handler.serve.body import Body
from selsock.handler.serve.reply import Reply
from selsock.handler.target import Target
from selsock.model import Limits, Location
from selsock.names import UserName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from selsock.handler.adopt import Client

    # The location of a path of the vhost, None unless it is served in the context that was entered.
    Reach = Callable[[tuple[str, ...]], Location | None]

CONTENT_FIELDS = (b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"expect")


class Exchange:
    """One request: its ``head``, its content (``body``), the ``reply`` to it; the ``location`` that it is for, who asks
    (``user``, None for anonymous) and from where (``address``, ``scheme``, ``port``, as the visitor sees them).

    ``journal`` takes what an application complains of; ``reach`` tells where a local redirect may go, ``redirects`` how
    often it has gone somewhere."""

    __slots__ = (
        *("address", "body", "head", "journal", "limits", "location", "port", "reach", "redirects", "reply"),
        *("scheme", "user"),
    )

    def __init__(
        self,
        client: "Client",
        buffer: HeadBuffer,
        head: RequestHead,
        limits: Limits,
        location: Location,
        user: UserName | None,
        close: bool,
        journal: Journal,
        reach: "Reach" = lambda path: None,
    ) -> None:
        self.head = head
        self.body = Body(client, buffer, head, limits)
        self.reply: Final = Reply(client, head, close, self.body)
        self.limits: Final = limits
        self.location = location
        self.address: Final = client.address
        self.scheme: Final = client.scheme
        self.port: Final = client.port
        self.user: Final = user
        self.journal: Final = journal
        self.reach: Final = reach
        self.redirects = 0

    def redirect(self, target: Target, location: Location) -> None:
        """Become the GET request for ``target`` at ``location`` that a local redirect stands for (RFC 3875 §6.2.2).

        Fields of the content are left out with it.  The reply stays the one that the client waits for.
        """
        old = self.head
        fields = {name: value for name, value in old.fields.items() if name not in CONTENT_FIELDS}
        self.head = RequestHead("GET", target, old.minor, old.host, fields, (0, 0), 0)
        self.body = Body(self.body.client, self.body.buffer, self.head, self.limits)
        self.location = location
        self.redirects += 1
