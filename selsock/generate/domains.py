# SPDX-License-Identifier: Apache-2.0
"""The domains that the source declares, with what each may do beyond reading its content."""

from __future__ import annotations

import enum
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass

from selsock.generate.domain_name import DomainName
from selsock.generate.source import Mapping, Node, Scalar, is_true, mapping, nearest, scalar, sequence
from selsock.names import Name, TypeName

DOMAIN = ("reads", "python", "execute", "network")


class Access(enum.Enum):
    """What a domain may do with content of its own."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"
    TEMPORARY = "temporary"  # what ``temporary`` of a vhost means; nobody writes this word


class Service(Name):
    """What a domain may connect to; policy/selsock.te has the attribute ``selsock_NAME_client`` for each."""

    __slots__ = ()
    known = ("http", "ldap", "memcached", "mysql", "postgresql", "redis", "smtp")
    expected = f"one of {', '.join(known)}"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """One of those that the policy knows."""
        return text in cls.known


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of the source, or a full type of the administrator's; then ``name`` is None and the type is all of them.

    Where no code runs, nothing is written: ``temporary`` is the type of what could be.
    """

    name: DomainName | None
    type: TypeName
    content: TypeName
    writable: TypeName
    script: TypeName
    temporary: TypeName
    reads: tuple[DomainName, ...] = ()
    python: bool = False
    execute: bool = False
    network: tuple[Service, ...] = ()

    @classmethod
    def declared(cls, name: DomainName, given: Mapping, names: tuple[str, ...]) -> Domain:
        """The domain that ``given`` describes, among all the ``names`` that are declared.  Raises BadSource."""
        given.only(DOMAIN)
        reads = given.get("reads")
        network = given.get("network")
        python, execute = is_true(given, "python"), is_true(given, "execute")
        return cls(
            name,
            TypeName(f"selsock_{name}_t"),
            TypeName(f"selsock_{name}_content_t"),
            TypeName(f"selsock_{name}_rw_t"),
            TypeName(f"selsock_{name}_script_t"),
            TypeName(f"selsock_{name}_tmp_t" if python or execute else f"selsock_{name}_rw_t"),
            () if reads is None else tuple(parse_read(scalar(item), name, names) for item in sequence(reads)),
            python,
            execute,
            () if network is None else tuple(scalar(item).name(Service) for item in sequence(network)),
        )

    @classmethod
    def own(cls, name: TypeName) -> Domain:
        """A type of the administrator's."""
        return cls(None, name, name, name, name, name)

    @property
    def runs(self) -> bool:
        """Whether a tenant's code runs in it."""
        return self.python or self.execute

    @property
    def types(self) -> tuple[TypeName, ...]:
        """All types of its content, of temporary files where its code runs."""
        return (self.content, self.writable, self.script, *[self.temporary] * self.runs)

    def labelled(self, access: Access) -> TypeName:
        """The type of its content with ``access``."""
        return {
            Access.READ: self.content,
            Access.WRITE: self.writable,
            Access.EXECUTE: self.script,
            Access.TEMPORARY: self.temporary,
        }[access]


Domains = Dictionary[str, Domain]


def parse_domains(node: Node | None) -> dict[str, Domain]:
    """The domains that the source declares, in its order.  Raises BadSource."""
    if node is None:
        return {}
    given = mapping(node)
    names = tuple(given.keys)
    return {
        text: Domain.declared(given.keys[text].name(DomainName), mapping(options), names)
        for text, options in given.values.items()
    }


def parse_read(given: Scalar, reader: DomainName, names: tuple[str, ...]) -> DomainName:
    """A domain whose content ``reader`` may read as well.  Raises BadSource."""
    if given.text == reader:
        given.refuse(f"another domain than {reader}, which reads its own content anyway")
    if given.text not in names:
        given.refuse(f"a name under domains, the nearest being {nearest(given.text, names)}")
    return given.name(DomainName)


def parse_domain(node: Node, domains: Domains) -> Domain:
    """A declared domain, or a full type ending in ``_t``.  Raises BadSource."""
    text = scalar(node).text
    if text in domains:
        return domains[text]
    if text.endswith("_t"):
        name = scalar(node).name(TypeName)
        # Never the handler's own domain, and never a tenant's that no longer is: what is ours goes by its name.
        if name.startswith("selsock_"):
            scalar(node).refuse("a name under domains, or a type of your own")
        return Domain.own(name)
    scalar(node).refuse(f"a name under domains, the nearest being {nearest(text, tuple(domains))}")


def readable(domain: Domain, domains: Domains) -> frozenset[TypeName]:
    """The types of content that ``domain`` may read: its own, and what others hold that it ``reads``, but no scripts
    of theirs, for a script's text is not what it shows."""
    others = (domains[name] for name in domain.reads)
    return frozenset(domain.types).union(*({other.content, other.writable} for other in others))
