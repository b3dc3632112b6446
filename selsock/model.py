# SPDX-License-Identifier: Apache-2.0
"""What the handler knows of a configuration: immutable values, and how the table holds them.

A table (see ``cdb.py``) has one record ``table`` (format, generation, mode, limits), one record ``host NAME`` for every
name that a vhost answers to, one record ``listener PORT`` or ``listener PATH`` for every one that a proxy speaks on,
one record ``map FILE USER`` for every user of a map, and one record ``identity VHOST``, which the handler does not
read.  A record is lines of tab-separated fields; names can hold neither character.
"""

from selsock.context import Context, Level
from selsock.cores import Final
from selsock.names import AbsolutePath, HostName, Network, Realm, TypeName, UserName

TYPE_CHECKING = False
if TYPE_CHECKING:
    Words = tuple[str, ...]
    Pairs = tuple[tuple[str, str], ...]

TABLE_FORMAT = "5"

# Without CONNECT: no tunnel begins here, and where one was refused, what follows the head is read in two ways.
METHODS = (
    *(b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH"),
    *(b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK"),  # RFC 4918 §9
)

# How a location's content is made, each in the module of that name.
KINDS = ("static", "wsgi", "cgi")
NOBODY = 65534  # the uid of no user's, nobody's, and of those that do not fit
CERTIFICATE = b":certificate"  # in place of the name of a field


class Limits:
    """The limits of a connection with their defaults: the handler's own; those that systemd keeps (connections, memory)
    are in the units."""

    head_bytes = 16384  # bytes of a request's head
    request_line_bytes = 8192  # bytes of a request line; a longer one is 414
    fields = 100  # field lines of a request's head
    content_bytes = 1048576  # bytes of a request's content; more is 413
    chunks = 16384  # chunks that a request's content may come in; more is 413
    chunk_line_bytes = 256  # bytes of a line with a chunk's size; a longer one is 400
    trailer_bytes = 4096  # bytes of the fields behind the last chunk; more is 431
    first_byte_seconds = 10  # seconds until the first byte of a connection; then it is closed
    head_seconds = 10  # seconds from the first to the last byte of a head; then 408
    idle_seconds = 15  # seconds that a kept connection may wait for its next request
    request_seconds = 300  # seconds from the end of a head to the last byte of the answer; then 408, or a cut
    bytes_per_second = 500  # the least rate of content, either way, once the peer was waited for longer than 10 s
    connection_seconds = 300  # seconds that a connection may last in all
    requests = 100  # requests on one connection
    failure_seconds = 3  # seconds from a question for a password until a "no" is told, whatever the reason
    failures = 20  # passwords that one address may have wrong within failures_window; then 429
    failures_window = 300  # seconds

    def __init__(self, given: "dict[str, int] | None" = None) -> None:
        for name, value in (given or {}).items():
            setattr(self, name, value)


LIMITS = {name: value for name, value in vars(Limits).items() if name[0] != "_"}


# What a rule may ask, and ``clearance``, which is no condition.
CONDITIONS = ("user", "group", "address", "method", "anonymous", "any", "map", "assigned", "signed_in", "clearance")


class Rule:
    """One line of ``contexts:``: every condition that is given must hold; then ``context`` is the answer.

    ``source`` is ``file:line`` for the journal.  Where ``map`` names a file, its answer for a user is ``entry``, and no
    other; with ``assigned``, that of whoever knows the users.  ``clearance`` says that the level is the user's own, below
    that of ``context``: ``meet`` as far as the two agree, ``whole`` only where they do in all; else it is empty.
    """

    __slots__ = (
        *("anonymous", "any", "assigned", "clearance", "context", "groups"),
        *("map", "methods", "networks", "signed_in", "source", "users"),
    )

    def __init__(
        self,
        context: Context,
        source: str,
        users: "frozenset[UserName]" = frozenset(),
        networks: "tuple[Network, ...]" = (),
        anonymous: bool = False,
        any: bool = False,
        map: str = "",
        groups: "frozenset[UserName]" = frozenset(),
        methods: "frozenset[str]" = frozenset(),
        clearance: str = "",
        assigned: bool = False,
        signed_in: bool = False,
    ) -> None:
        self.context: Final = context
        self.source: Final = source
        self.users: Final = users
        self.networks: Final = networks
        self.anonymous: Final = anonymous
        self.any: Final = any
        self.map: Final = map
        self.groups: Final = groups
        self.methods: Final = methods
        self.clearance: Final = clearance
        self.assigned: Final = assigned
        self.signed_in: Final = signed_in

    @classmethod
    def parse(cls, fields: "list[str]") -> "Rule":
        """The rule on a line of the table.  Raises ValueError."""
        _, context, source, *pairs = fields
        given: dict[str, list[str]] = {kind: [] for kind in CONDITIONS}
        for kind, value in zip(pairs[::2], pairs[1::2], strict=True):
            if kind not in given:
                raise ValueError(f"unknown condition {kind!r}")
            given[kind].append(value)
        (map,), (clearance,) = given["map"] or [""], given["clearance"] or [""]
        if len(pairs) <= 2 * bool(clearance) or clearance not in ("", "meet", "whole"):
            raise ValueError("a rule without a condition, or with an unknown clearance")
        users, groups = (frozenset(UserName.parse(name) for name in given[kind]) for kind in ("user", "group"))
        networks, methods = tuple(Network.parse(network) for network in given["address"]), frozenset(given["method"])
        anonymous, any, *who = (bool(given[kind]) for kind in ("anonymous", "any", "assigned", "signed_in"))
        yields = Context.parse(context)
        return cls(yields, source, users, networks, anonymous, any, map, groups, methods, clearance, *who)

    def entry(self, record: bytes) -> "Rule":
        """What this comes to for a user whose ``record`` is ``TYPE:LEVEL``, either part of which it may leave to us.

        Raises ValueError.
        """
        type_name, _, level = record.decode().partition(":")
        context = Context(TypeName.parse(type_name or self.context.type), Level.parse(level or self.context.level))
        return Rule(context, self.map or self.source, clearance="" if level else self.clearance)


class Location:
    """A part of a vhost, by path prefix, with the rules that hold there and the context when none of them does.

    ``kind`` is one of ``KINDS``; ``options`` are the names and values that its content handler takes, in order, a name
    as often as it has values.  Nobody reads them above the line.
    """

    __slots__ = ("default", "kind", "options", "prefix", "rules")

    def __init__(
        self,
        prefix: "Words",
        rules: "tuple[Rule, ...]",
        default: Context | None,
        kind: str = "static",
        options: "Pairs" = (),
    ) -> None:
        self.prefix: Final = prefix
        self.rules: Final = rules
        self.default: Final = default
        self.kind: Final = kind
        self.options: Final = options

    @property
    def path(self) -> str:
        """The prefix as a path: ``/`` or ``/staff``."""
        return "/" + "/".join(self.prefix)


# The lines of a vhost's record above those of its locations.
VHOST_LINES = {"names", "root", "temporary", "basic", "proxy", "run_as", "limits"}


class Vhost:
    """A virtual host: the names that it answers to (its own first), its document root, and who may enter what.

    ``temporary`` is the directory for temporary files of what it runs, which no other vhost shares.  A visitor signs in
    for the realm ``basic`` (RFC 7617), or is who a proxy says that he is, if ``proxied``.

    ``run_as`` says as which account of this machine it is served: empty for user selsock; else the lowest uid that is no
    system's, and behind it uid, gid and all groups, or nothing for the account of whoever has signed in.  ``limits`` has
    what one connection, and all of them together, may take: see ``handler/share`` and ``handler/serve/restrain``.
    """

    __slots__ = ("basic", "limits", "locations", "names", "proxied", "root", "run_as", "temporary")

    def __init__(
        self,
        names: "tuple[HostName, ...]",
        root: AbsolutePath,
        basic: Realm | None,
        locations: "tuple[Location, ...]",
        temporary: AbsolutePath | None = None,
        proxied: bool = False,
        run_as: "tuple[int, ...]" = (),
        limits: "dict[str, int] | None" = None,
    ) -> None:
        self.run_as: Final = run_as
        self.limits: Final = limits or {}
        self.temporary: Final = temporary
        self.proxied: Final = proxied
        self.names: Final = names
        self.root: Final = root
        self.basic: Final = basic
        self.locations: Final = locations

    @property
    def name(self) -> HostName:
        """The name under which ``vhost.yaml`` declares it."""
        return self.names[0]

    @classmethod
    def parse(cls, record: bytes) -> "Vhost":
        """The vhost of a record.  Raises ValueError; what is not exactly as written there is no vhost."""
        text = record.decode()
        head, *places = text.removesuffix("\n").split("\nlocation\t")
        given = dict(line.split("\t", 1) for line in head.split("\n"))
        whole = text[-1:] == "\n" and len(given) > head.count("\n")  # and no line twice
        locations = tuple(parse_location(place) for place in places)
        lengths = [len(location.prefix) for location in locations]
        ordered = lengths == sorted(lengths, reverse=True) and lengths[-1:] == [0]
        if not whole or not ordered or not {"names", "root"} <= given.keys() <= VHOST_LINES:
            raise ValueError("expected the lines names, root, …, and locations, longest prefix first, / last")
        names = tuple(HostName.parse(name) for name in given["names"].split("\t"))
        basic = Realm.parse(given["basic"]) if "basic" in given else None
        temporary = AbsolutePath.parse(given["temporary"]) if "temporary" in given else None
        run_as, words = tuple(map(int, given.get("run_as", "").split())), given.get("limits", "").split()
        limits = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        return cls(
            names, AbsolutePath.parse(given["root"]), basic, locations, temporary, "proxy" in given, run_as, limits
        )


def parse_location(text: str) -> Location:
    """One location of a vhost's record: its path and default context, a line of its kind, and lines ``rule``.

    Raises ValueError.
    """
    (path, default), (kind, *options), *rules = (line.split("\t") for line in text.split("\n"))
    if kind not in KINDS or any(rule[0] != "rule" for rule in rules):
        raise ValueError(f"expected one of {', '.join(KINDS)} and then rules below location {path}")
    segments = tuple(segment for segment in path.split("/") if segment)
    found, pairs = tuple(Rule.parse(rule) for rule in rules), tuple(zip(options[::2], options[1::2], strict=True))
    return Location(segments, found, Context.parse(default) if default else None, kind, pairs)


class Listener:
    """A listener that a proxy speaks on: whose word is taken, that of ``networks``, or of user ``uid`` in a process of
    ``type``; and for what.

    ``kind`` is ``protocol`` where a header of the PROXY protocol comes first, ``client`` where ``field`` (its name in
    lower case) of each request tells the visitor's address, else empty.  ``login`` is the field that tells who he is, or
    ``CERTIFICATE`` where the header does, else empty.  ``scheme`` is what visitors speak.
    """

    __slots__ = ("field", "kind", "login", "networks", "scheme", "type", "uid")

    def __init__(self, record: bytes) -> None:
        """Take it from its record, one line of these fields.  Raises ValueError."""
        kind, field, login, scheme, uid, type, *networks = record.decode().split("\t")
        if kind not in ("", "protocol", "client") or bool(field) != (kind == "client"):
            raise ValueError(f"kind {kind!r} with field {field!r}")
        if scheme not in ("http", "https") or bool(uid) == bool(networks):
            raise ValueError(f"scheme {scheme!r} with user {uid!r} and {len(networks)} networks")
        self.kind: Final = kind
        self.field: Final = field.encode()
        self.login: Final = login.encode()
        self.scheme: Final = scheme
        self.networks: Final = tuple(Network.parse(network) for network in networks)
        self.uid: Final = int(uid or -1)
        self.type: Final = TypeName.parse(type) if uid else ""


class Table:
    """The record ``table``: of which policy generation the table is, whether SELinux is required, the limits, the
    ``fields`` by which proxies name visitors: names in lower case, which are taken out of every request; and ``apart``, the
    ports and paths of the listeners that serve vhosts with ``run_as``, and no others."""

    __slots__ = ("apart", "fields", "generation", "limits", "required")

    def __init__(
        self, generation: str, required: bool, limits: Limits, fields: "tuple[bytes, ...]" = (), apart: "Words" = ()
    ) -> None:
        self.apart: Final = apart
        self.fields: Final = fields
        self.generation: Final = generation
        self.required: Final = required
        self.limits: Final = limits

    @classmethod
    def parse(cls, record: bytes) -> "Table":
        """The settings of the record.  Raises ValueError."""
        values = dict(line.split("\t") for line in record.decode().split("\n")[:-1])
        if values.pop("format", None) != TABLE_FORMAT:
            raise ValueError(f"of another format than {TABLE_FORMAT}")
        generation = values.pop("generation", "")
        mode = values.pop("selinux", "")
        fields, apart = tuple(values.pop("told", "").encode().split()), tuple(values.pop("run_as", "").split())
        if mode not in ("required", "optional") or not generation or values.keys() != LIMITS.keys():
            raise ValueError("incomplete")
        return cls(generation, mode == "required", Limits({name: int(values[name]) for name in LIMITS}), fields, apart)
