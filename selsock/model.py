# SPDX-License-Identifier: Apache-2.0
"""What the handler knows of a configuration: immutable values, and the one place that defines how the table holds them.

A table (see ``cdb.py``) has one record ``table`` (format, generation, mode, limits) and one record ``host NAME`` for
every name that a vhost answers to.  A record is lines of tab-separated fields; names can hold neither character.
"""

from selsock.context import Context
from selsock.names import AbsolutePath, HostName, Network, Realm, UserName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

TABLE_FORMAT = "1"

# The limits of a connection: name, default, what it bounds.  The handler's own; those that systemd keeps (connections,
# memory) are in the units.
LIMITS = (
    ("head_bytes", 16384, "bytes of a request's head"),
    ("request_line_bytes", 8192, "bytes of a request line; a longer one is 414"),
    ("fields", 100, "field lines of a request's head"),
    ("content_bytes", 1048576, "bytes of content that a request may announce; more is 413"),
    ("head_seconds", 10, "seconds from the first to the last byte of a head; then 408"),
    ("idle_seconds", 15, "seconds that a kept connection may wait for its next request"),
    ("connection_seconds", 300, "seconds that a connection may last in all"),
    ("requests", 100, "requests on one connection"),
)


class Limits:
    """The numbers of ``LIMITS``, by name."""

    __slots__ = tuple(name for name, _, _ in LIMITS)
    head_bytes: int
    request_line_bytes: int
    fields: int
    content_bytes: int
    head_seconds: int
    idle_seconds: int
    connection_seconds: int
    requests: int

    def __init__(self, given: "dict[str, int] | None" = None) -> None:
        for name, default, _ in LIMITS:
            setattr(self, name, (given or {}).get(name, default))


class Rule:
    """One line of ``contexts:``: every condition that is given must hold; then ``context`` is the answer.

    ``conditions`` is the union of the kinds ``user``, ``address``, ``anonymous`` and ``any``; ``source`` is
    ``file:line`` for the journal.
    """

    __slots__ = ("anonymous", "any", "context", "networks", "source", "users")

    def __init__(
        self,
        context: Context,
        source: str,
        users: "frozenset[UserName]" = frozenset(),
        networks: "tuple[Network, ...]" = (),
        anonymous: bool = False,
        any: bool = False,
    ) -> None:
        self.context: Final = context
        self.source: Final = source
        self.users: Final = users
        self.networks: Final = networks
        self.anonymous: Final = anonymous
        self.any: Final = any

    def fields(self) -> "list[str]":
        """This rule as the fields of a line of the table."""
        found = ["rule", str(self.context), self.source]
        for user in sorted(self.users):
            found += ["user", user]
        for network in self.networks:
            found += ["address", network]
        return found + ["anonymous", ""] * self.anonymous + ["any", ""] * self.any

    @classmethod
    def parse(cls, fields: "list[str]") -> "Rule":
        """The inverse of ``fields``.  Raises ValueError."""
        _, context, source, *pairs = fields
        users: list[UserName] = []
        networks: list[Network] = []
        given = {"anonymous": False, "any": False}
        for kind, value in zip(pairs[::2], pairs[1::2], strict=True):
            if kind == "user":
                users.append(UserName.parse(value))
            elif kind == "address":
                networks.append(Network.parse(value))
            elif kind in given:
                given[kind] = True
            else:
                raise ValueError(f"unknown condition {kind!r}")
        if not pairs:
            raise ValueError("a rule without a condition")
        return cls(Context.parse(context), source, frozenset(users), tuple(networks), given["anonymous"], given["any"])


class Location:
    """A part of a vhost, by path prefix, with the rules that hold there and the context when none of them does."""

    __slots__ = ("default", "prefix", "rules")

    def __init__(self, prefix: "tuple[str, ...]", rules: "tuple[Rule, ...]", default: Context | None) -> None:
        self.prefix: Final = prefix
        self.rules: Final = rules
        self.default: Final = default

    @property
    def path(self) -> str:
        """The prefix as a path: ``/`` or ``/staff``."""
        return "/" + "/".join(self.prefix)


class Basic:
    """Basic authentication (RFC 7617) against an htpasswd file."""

    __slots__ = ("file", "realm")

    def __init__(self, realm: Realm, file: AbsolutePath) -> None:
        self.realm: Final = realm
        self.file: Final = file


class Vhost:
    """A virtual host: the names that it answers to (its own first), its document root, and who may enter what."""

    __slots__ = ("basic", "locations", "names", "root")

    def __init__(
        self,
        names: "tuple[HostName, ...]",
        root: AbsolutePath,
        basic: Basic | None,
        locations: "tuple[Location, ...]",
    ) -> None:
        self.names: Final = names
        self.root: Final = root
        self.basic: Final = basic
        self.locations: Final = locations

    @property
    def name(self) -> HostName:
        """The name under which ``vhost.yaml`` declares it."""
        return self.names[0]

    def record(self) -> bytes:
        """This vhost as a record of the table."""
        lines = [["names", *self.names], ["root", self.root]]
        if self.basic:
            lines.append(["basic", self.basic.realm, self.basic.file])
        for location in self.locations:
            lines.append(["location", location.path, str(location.default or "")])
            lines += [rule.fields() for rule in location.rules]
        return "".join("\t".join(line) + "\n" for line in lines).encode()

    @classmethod
    def parse(cls, record: bytes) -> "Vhost":
        """The inverse of ``record``.  Raises ValueError; what is not exactly as written there is no vhost."""
        lines = [line.split("\t") for line in record.decode().split("\n")]
        if len(lines) < 4 or lines.pop() != [""] or lines[0][0] != "names" or lines[1][0] != "root":
            raise ValueError("expected the lines names, root, …, location")
        own, *aliases = (HostName.parse(name) for name in lines[0][1:])
        (root,) = lines[1][1:]
        basic = None
        rest = lines[2:]
        if rest[0][0] == "basic":
            _, realm, file = rest.pop(0)
            basic = Basic(Realm.parse(realm), AbsolutePath.parse(file))
        return cls((own, *aliases), AbsolutePath.parse(root), basic, parse_locations(rest))


def parse_locations(lines: "list[list[str]]") -> "tuple[Location, ...]":
    """The locations of a vhost's record, each line ``location`` followed by its lines ``rule``.  Raises ValueError."""
    parts: list[tuple[str, str, list[Rule]]] = []
    for line in lines:
        if line[0] == "location":
            _, path, default = line
            parts.append((path, default, []))
        elif line[0] == "rule" and parts:
            parts[-1][2].append(Rule.parse(line))
        else:
            raise ValueError(f"unexpected line {line[0]!r}")
    found = [
        Location(
            tuple(segment for segment in path.split("/") if segment),
            tuple(rules),
            Context.parse(default) if default else None,
        )
        for path, default, rules in parts
    ]
    lengths = [len(location.prefix) for location in found]
    if not found or lengths[-1] or lengths != sorted(lengths, reverse=True):
        raise ValueError("expected locations, longest prefix first, / last")
    return tuple(found)


class Table:
    """The record ``table``: of which policy generation the table is, whether SELinux is required, and the limits."""

    __slots__ = ("generation", "limits", "required")

    def __init__(self, generation: str, required: bool, limits: Limits) -> None:
        self.generation: Final = generation
        self.required: Final = required
        self.limits: Final = limits

    def record(self) -> bytes:
        """This as a record of the table."""
        lines = [f"format\t{TABLE_FORMAT}", f"generation\t{self.generation}"]
        lines.append("selinux\t" + ("required" if self.required else "optional"))
        lines += [f"{name}\t{getattr(self.limits, name)}" for name, _, _ in LIMITS]
        return "".join(line + "\n" for line in lines).encode()

    @classmethod
    def parse(cls, record: bytes) -> "Table":
        """The inverse of ``record``.  Raises ValueError."""
        values: dict[str, str] = {}
        for line in record.decode().split("\n")[:-1]:
            name, value = line.split("\t")
            values[name] = value
        if values.pop("format", None) != TABLE_FORMAT:
            raise ValueError(f"of another format than {TABLE_FORMAT}")
        generation = values.pop("generation", "")
        mode = values.pop("selinux", "")
        if mode not in ("required", "optional") or not generation or values.keys() != {name for name, _, _ in LIMITS}:
            raise ValueError("incomplete")
        return cls(generation, mode == "required", Limits({name: int(values[name]) for name, _, _ in LIMITS}))
