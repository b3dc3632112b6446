# SPDX-License-Identifier: Apache-2.0
"""dispatch: the content handler of a location, by its kind.

Each is imported when the first request wants it, the handler of the first request above the line.  Below it, too, an
import opens nothing: libexec/selsock/serve has read all modules into memory (packaging/freeze.py).
"""

from selsock.handler.serve import static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from selsock.handler.confine import Confined
    from selsock.handler.serve.exchange import Exchange
    from selsock.handler.serve.reply import Outcome

    # A content handler: it needs a Confined, which only ``confine`` can make.
    Serve = Callable[[Confined, Exchange], Outcome]


class Handlers:
    """The content handlers of one connection; ``kind`` is that of the location that the first request is for, ``limits``
    are those of its vhost."""

    __slots__ = ("found", "restrain")

    def __init__(self, kind: str, limits: "dict[str, int]") -> None:
        self.restrain: Callable[[Confined], None] | None = None
        if limits:
            from selsock.handler.serve import restrain

            restrain.load(limits)
            self.restrain = restrain.restrain
        self.found: Final[dict[str, Serve]] = {"static": static.serve}
        self.of(kind)

    def of(self, kind: str) -> "Serve":
        """The one for ``kind``, a name of ``model.KINDS``."""
        if kind not in self.found:
            if kind == "wsgi":
                from selsock.handler.serve.wsgi import Applications

                self.found[kind] = Applications().serve
            else:
                from selsock.handler.serve.cgi import Scripts

                self.found[kind] = Scripts(self.of).serve
        return self.found[kind]

    def serve(self, confined: "Confined", exchange: "Exchange") -> "Outcome":
        """Answer one request.  Raises PeerFault, PeerGone, TableFault, AdoptFault, LimitFault."""
        if self.restrain is not None:
            self.restrain(confined)
            self.restrain = None  # it holds from now on
        if exchange.head.method == "TRACE":  # RFC 9110 §9.3.8: it would show what a proxy has added
            return exchange.reply.page(405, fields=[("Allow", static.ALLOW)])
        if exchange.head.target.raw == "*":  # RFC 9110 §9.3.7: OPTIONS for the server as a whole
            exchange.reply.begin(204, [("Allow", static.ALLOW)], None)
            return exchange.reply.end()
        return self.of(exchange.location.kind)(confined, exchange)
