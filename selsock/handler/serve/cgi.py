# SPDX-License-Identifier: Apache-2.0
"""cgi: a program per request (RFC 3875)."""

from selsock.errors import PeerFault
from selsock.handler.confine import Confined
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.reply import Outcome
from selsock.handler.serve.run import Run
from selsock.handler.serve.script import NoScript, Script, find
from selsock.handler.serve.static import no_file
from selsock.handler.target import parse_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    # The content handler of a kind of location.
    Handlers = Callable[[str], Callable[[Confined, Exchange], Outcome]]

REDIRECTS = 10


class Scripts:
    """The scripts of a vhost.  ``handlers`` are those of all kinds of location: a local redirect may lead to any."""

    __slots__ = ("handlers",)

    def __init__(self, handlers: "Handlers") -> None:
        self.handlers: Final = handlers

    def serve(self, confined: Confined, exchange: Exchange) -> Outcome:
        """Answer one request.  Raises PeerFault, PeerGone, AdoptFault."""
        try:
            found = find(confined.vhost, exchange)
            if not isinstance(found, Script):
                exchange.location = found
                return self.handlers("static")(confined, exchange)
            run = Run(confined, exchange, found)
        except NoScript as refused:
            return exchange.reply.page(refused.status, refused.reason)
        except OSError as error:
            return no_file(exchange.reply, error)
        answer = run.hold()
        return answer if isinstance(answer, Outcome) else self.redirect(confined, exchange, answer)

    def redirect(self, confined: Confined, exchange: Exchange, path: str) -> Outcome:
        """Answer with what a GET request for ``path`` would get (RFC 3875 §6.2.2), if this process may serve that."""
        if exchange.redirects == REDIRECTS:
            return exchange.reply.fail(500, f"the script: more than {REDIRECTS} local redirects")
        try:
            target = parse_target(b"GET", path.encode())
        except PeerFault as fault:
            return exchange.reply.fail(500, f"the script: in Location, {fault.reason}")
        location = exchange.reach(target.segments)
        if location is None:
            return exchange.reply.fail(500, "the script: a local redirect into another context")
        exchange.redirect(target, location)
        return self.handlers(location.kind)(confined, exchange)
