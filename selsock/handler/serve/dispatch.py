# SPDX-License-Identifier: Apache-2.0
"""dispatch: the content handlers of a vhost, by the kind of location."""

from selsock.handler.serve import static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from selsock.handler.confine import Confined
    from selsock.handler.serve.exchange import Exchange
    from selsock.handler.serve.reply import Outcome
    from selsock.model import Vhost

    # A content handler: it needs a Confined, which only ``confine`` can make.
    Serve = Callable[[Confined, Exchange], Outcome]


def load(vhost: "Vhost") -> "Serve":
    """Import what the locations of ``vhost`` need, above the line, and return the function that serves them.

    Below the line an import would open files in the tenant's domain.
    """
    handlers: dict[str, Serve] = {"static": static.serve}
    kinds = {location.kind for location in vhost.locations}
    if "wsgi" in kinds:
        from selsock.handler.serve.wsgi import Applications

        handlers["wsgi"] = Applications().serve
    if any(("listing", "yes") in location.options for location in vhost.locations):
        from selsock.handler.serve.listing import list_directory

        handlers["static"] = lambda confined, exchange: static.serve(confined, exchange, list_directory)
    if "cgi" in kinds:
        from selsock.handler.serve.cgi import Scripts

        handlers["cgi"] = Scripts(handlers).serve

    def serve(confined: "Confined", exchange: "Exchange") -> "Outcome":
        if exchange.head.method == "TRACE":  # RFC 9110 §9.3.8: it would show what a proxy has added
            return exchange.reply.page(405, fields=[("Allow", static.ALLOW)])
        if exchange.head.target.raw == "*":  # RFC 9110 §9.3.7: OPTIONS for the server as a whole
            exchange.reply.begin(204, [("Allow", static.ALLOW)], None)
            return exchange.reply.end()
        return handlers[exchange.location.kind](confined, exchange)

    return serve
