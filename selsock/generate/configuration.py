# SPDX-License-Identifier: Apache-2.0
"""The source as a configuration: every name checked, every context complete, nothing left to decide."""

from __future__ import annotations

from dataclasses import dataclass

from selsock.generate.domains import Domain, Domains, parse_domains
from selsock.generate.listeners import Endpoint, limited, parse_listen
from selsock.generate.logins import tenants
from selsock.generate.machine import SystemLimits, parse_limits
from selsock.generate.maps import Map, Maps
from selsock.generate.partial import Partial, parse_context
from selsock.generate.ranges import Ledger
from selsock.generate.rules import parse_rules
from selsock.generate.site import Site, Surroundings, parse_vhost
from selsock.generate.source import BadSource, Mapping, mapping, scalar
from selsock.model import Limits
from selsock.names import HostName

TOP = ("selinux", "listen", "limits", "domains", "default_context", "contexts", "vhosts")


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that ``vhost.yaml`` says.  ``file`` is its name without directory."""

    file: str
    required: bool
    listen: tuple[Endpoint, ...]
    limits: Limits
    system: SystemLimits
    domains: tuple[Domain, ...]
    maps: tuple[Map, ...]
    sites: tuple[Site, ...]


def configure(source: Mapping, file: str, ledger: Ledger, maps: Maps | None = None) -> Configuration:
    """The configuration in ``source``, read from ``file``; new pairs go into ``ledger``.  Raises BadSource.

    Files that it names are those of ``maps``; without, those of this machine.
    """
    source.only(TOP)
    maps = maps or Maps()
    mode = source.get("selinux")
    if mode is not None and scalar(mode).text not in ("required", "optional"):
        mode.refuse("required or optional")
    limits, system = parse_limits(source.get("limits"))
    listen = parse_listen(source.get("listen"))
    domains = parse_domains(source.get("domains"))
    rules = source.get("contexts")
    vhosts = mapping(source.require("vhosts"))
    if not vhosts.values:
        vhosts.refuse("one vhost at least")
    around = Surroundings(
        file,
        domains,
        parse_default(source, domains),
        None if rules is None else parse_rules(rules, domains, maps),
        ledger,
        maps,
        tenants(vhosts, ledger),
        system,
    )
    sites = tuple(
        parse_vhost(vhosts.keys[name].name(HostName), mapping(node), around) for name, node in vhosts.values.items()
    )
    system = limited(system, listen, source.get("limits"))
    required = mode is None or scalar(mode).text == "required"
    return Configuration(file, required, listen, limits, system, tuple(domains.values()), maps.all(), sites)


def parse_default(source: Mapping, domains: Domains) -> Partial:
    """``default_context``, which has both parts if it is there at all.  Raises BadSource."""
    node = source.get("default_context")
    if node is None:
        return Partial(source.place)
    found = parse_context(node, domains)
    if found.domain is None or found.range is None:
        missing = "domain" if found.domain is None else "range"
        raise BadSource(found.place, f"expected a domain and a range, not a context without {missing}")
    return found
