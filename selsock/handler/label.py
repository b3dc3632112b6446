# SPDX-License-Identifier: Apache-2.0
"""label: Identity, address and location to a Context.  Pure; the first rule whose conditions all hold decides."""

from selsock.context import Context
from selsock.cores import socket
from selsock.errors import Challenge, PeerFault
from selsock.handler.identify import Identity
from selsock.model import Location, Rule, Vhost
from selsock.names import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Decision:
    """The ``context`` to enter, and the ``rule`` (``file:line``) that says so."""

    __slots__ = ("context", "rule")

    def __init__(self, context: Context, rule: str) -> None:
        self.context: Final = context
        self.rule: Final = rule


def label(identity: Identity, address: str, vhost: Vhost, location: Location) -> Decision:
    """Decide.  ``address`` is the peer's, as text.

    Raises Challenge (401) for an anonymous visitor whom no rule admits where signing in may help: the default context
    is for those who are not asked.  Raises PeerFault 403 when nothing matches.
    """
    for rule in location.rules:
        if matches(rule, identity, address):
            return Decision(rule.context, rule.source)
    if identity.user is None and vhost.basic is not None:
        raise Challenge(vhost.basic.realm, "no rule admits an anonymous visitor here")
    if location.default is not None:
        return Decision(location.default, "default_context")
    raise PeerFault(403, "no rule matches and there is no default_context")


def matches(rule: Rule, identity: Identity, address: str) -> bool:
    """Whether every condition of ``rule`` holds."""
    if rule.users and identity.user not in rule.users:
        return False
    if rule.anonymous and identity.user is not None:
        return False
    return not rule.networks or any(contains(network, address) for network in rule.networks)


def contains(network: Network, address: str) -> bool:
    """Whether ``address`` lies in ``network`` (``10.0.0.0/8``).  An AF_UNIX peer lies in none."""
    base, _, length = network.partition("/")
    family = socket.AF_INET6 if ":" in base else socket.AF_INET
    try:
        # A link-local peer comes with its interface: fe80::1%eth0.
        bits = int.from_bytes(socket.inet_pton(family, address.partition("%")[0]), "big")
    except OSError:
        return False  # of the other family
    size = 128 if family == socket.AF_INET6 else 32
    shift = size - int(length)
    return bits >> shift == int.from_bytes(socket.inet_pton(family, base), "big") >> shift
