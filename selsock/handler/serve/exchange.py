# SPDX-License-Identifier: Apache-2.0
"""exchange: one request and its response, as a content handler gets them beside its ``Confined``."""

from selsock.handler.head import HeadBuffer, RequestHead
from selsock.handler.journal import Journal
from selsock.handler.serve.body import Body
from selsock.handler.serve.reply import Reply
from selsock.model import Limits, Location
from selsock.names import UserName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from selsock.handler.adopt import Client


class Exchange:
    """One request: its ``head``, its content (``body``), the ``reply`` to it; the ``location`` that it is for, who asks
    (``user``, None for anonymous) and from where (``address``, ``scheme``, ``port``, as the visitor sees them).

    ``journal`` takes what an application complains of."""

    __slots__ = ("address", "body", "head", "journal", "limits", "location", "port", "reply", "scheme", "user")

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
    ) -> None:
        self.head: Final = head
        self.body: Final = Body(client, buffer, head, limits)
        self.reply: Final = Reply(client, head, close)
        self.limits: Final = limits
        self.location: Final = location
        self.address: Final = client.address
        self.scheme: Final = client.scheme
        self.port: Final = client.port
        self.user: Final = user
        self.journal: Final = journal
