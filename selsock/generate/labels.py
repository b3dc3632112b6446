# SPDX-License-Identifier: Apache-2.0
"""What the files of a vhost are labelled: ``content``, each path with a context and an access, and ``temporary``."""

from __future__ import annotations

from dataclasses import dataclass

from selsock.generate.domains import Access, Domain, Domains
from selsock.generate.partial import Partial, parse_context, parse_parts
from selsock.generate.places import parse_inside, within
from selsock.generate.source import BadSource, Mapping, Node, Scalar, mapping, scalar
from selsock.mls.levels import Level
from selsock.names import AbsolutePath, TypeName


@dataclass(frozen=True, slots=True)
class Label:
    """What the files at ``path`` and below are labelled, up to the next label."""

    path: AbsolutePath
    type: TypeName
    level: Level

    @property
    def context(self) -> str:
        """It, as the file system has it."""
        return f"system_u:object_r:{self.type}:{self.level}"


@dataclass(frozen=True, slots=True)
class Purpose:
    """Whose files those at a path are, and what he may do with them."""

    context: Partial
    access: Access

    def type(self, domain: Domain) -> TypeName:
        """What they are labelled, as files of ``domain``."""
        return domain.labelled(self.access)


def parse_labels(
    given: Mapping, root: AbsolutePath, temporary: AbsolutePath | None, inherited: Partial, domains: Domains
) -> dict[AbsolutePath, Purpose]:
    """What the vhost ``given`` says of each path of its content, the root among them.  Raises BadSource."""
    node = given.get("content")
    table = mapping(node) if node is not None else Mapping(given.place)
    found = {root: Purpose(inherited, Access.READ)}
    if temporary is not None:
        found[temporary] = Purpose(inherited, Access.TEMPORARY)
    said = {parse_inside(root, table.keys[path]): node for path, node in table.values.items()}
    top = inherited.domain
    if top is not None and top.name is None:
        for path in sorted(found.keys() - said.keys()):
            missing = path.removeprefix(root) or "/"
            problem = f"expected content with {missing}, since {top.type} is no type of files, not none"
            raise BadSource(table.place, problem)
    found.update({path: parse_purpose(purpose, inherited, domains) for path, purpose in said.items()})
    if temporary is not None and temporary in said:
        if found[temporary].access is not Access.WRITE:
            said[temporary].refuse("a context with access: write for the directory under temporary")
        found[temporary] = Purpose(found[temporary].context, Access.TEMPORARY)
    return found


def parse_purpose(node: Node, inherited: Partial, domains: Domains) -> Purpose:
    """A context, of which any part may be inherited, and the access to go with it.  Raises BadSource."""
    if not isinstance(node, Mapping):
        return Purpose(parse_context(node, domains).over(inherited), Access.READ)
    node.only(("domain", "range", "access"))
    if not node.values:
        node.refuse("domain, range or access")
    context = parse_parts(node, domains).over(inherited)
    given = node.get("access")
    access = Access.READ if given is None else parse_access(scalar(given))
    if given is not None and access is not Access.READ and context.domain is not None and context.domain.name is None:
        given.refuse(f"read, for what a type of your own such as {context.domain.type} allows is up to your policy")
    return Purpose(context, access)


def parse_access(given: Scalar) -> Access:
    """``read``, ``write`` or ``execute``.  Raises BadSource."""
    known = tuple(access.value for access in Access if access is not Access.TEMPORARY)
    if given.text not in known:
        given.refuse(f"{', '.join(known[:-1])} or {known[-1]}")
    return Access(given.text)


def is_executable(scripts: AbsolutePath, labels: tuple[Label, ...], domains: Domains) -> bool:
    """Whether anything in the directory of CGI ``scripts`` may be executed, as far as is known here: what a type of the
    administrator's own may do is not."""
    covering = max((label for label in labels if within(scripts, label.path)), key=lambda label: len(label.path))
    inner = {label.type for label in labels if within(label.path, scripts)}
    declared = {kind for domain in domains.values() for kind in domain.types}
    able = {domain.script for domain in domains.values()}
    return covering.type not in declared or bool(able & {covering.type, *inner})
