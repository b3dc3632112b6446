# SPDX-License-Identifier: Apache-2.0
"""label: Identity, method, address and location to a Context.  Pure; the first rule whose conditions all hold decides."""

from selsock.context import Context
from selsock.cores import Final
from selsock.errors import Challenge, PeerFault
from selsock.handler.identify import Identity
from selsock.model import Location, Rule, Vhost


class Decision:
    """The ``context`` to enter, and the ``rule`` that says so: ``file:line``, or the file of a map."""

    __slots__ = ("context", "rule")

    def __init__(self, context: Context, rule: str) -> None:
        self.context: Final = context
        self.rule: Final = rule


def label(identity: Identity, method: str, address: str, vhost: Vhost, location: Location) -> Decision:
    """Decide.  ``address`` is the peer's, as text.

    Raises Challenge (401) for an anonymous visitor whom no rule admits where signing in may help: the default context
    is for those who are not asked.  Raises PeerFault 403 when nothing matches, be it that a proxy did not name a user; or
    when the user's clearance does not reach.
    """
    for given in location.rules:
        rule = identity.mapped.get(given) if given.map or given.assigned else given
        if rule is not None and matches(given, identity, method, address):
            return Decision(cleared(rule, identity), rule.source)
    if identity.user is None and vhost.basic is not None:
        raise Challenge(vhost.basic, "no rule admits an anonymous visitor here")
    if location.default is not None and (identity.user or not vhost.proxied):
        return Decision(location.default, "default_context")
    raise PeerFault(403, "no rule matches, and no default_context is for this visitor")


def matches(rule: Rule, identity: Identity, method: str, address: str) -> bool:
    """Whether every condition of ``rule`` holds; what a map or a provider has for the user is asked elsewhere."""
    if rule.users and identity.user not in rule.users:
        return False
    if rule.groups and not rule.groups & identity.groups:
        return False
    if rule.methods and method not in rule.methods:
        return False
    if (rule.anonymous and identity.user is not None) or (rule.signed_in and identity.user is None):
        return False
    return not rule.networks or any(network.contains(address) for network in rule.networks)


def cleared(rule: Rule, identity: Identity) -> Context:
    """The context that ``rule`` yields, at the level to which the user is cleared where it says so.  Raises PeerFault 403."""
    ceiling = rule.context.level
    level = identity.cleared.get(ceiling) if rule.clearance else ceiling
    if level is None or (rule.clearance == "whole" and level != ceiling):
        raise PeerFault(403, f"clearance does not reach {ceiling}: {level or 'nothing in common'} ({rule.source})")
    return Context(rule.context.type, level)
