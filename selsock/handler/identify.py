# SPDX-License-Identifier: Apache-2.0
"""identify: RequestHead to Identity.  Passwords are decoded and checked by a service of another domain; nobody starts granted.

This process cannot read a password file, and never slices the credentials: they lie in the head's buffer, and, once
verified, in one bytearray there, so that they can be wiped in place.
"""

from selsock.context import Level
from selsock.cores import Final, socket, time
from selsock.errors import Challenge, IdentityFault, Limited, PeerFault
from selsock.handler.adopt import Client
from selsock.handler.head import HeadBuffer, RequestHead
from selsock.model import Limits, Rule, Vhost
from selsock.names import UserName

SERVICE = "/run/selsock/identify"
ANSWER_SECONDS = 25.0  # the service ends each of its checks after 20
ANSWER_BYTES = 65536  # one packet


class Identity:
    """Who is asking: an authenticated ``user``, or None for anonymous, and the ``groups`` that he is in.

    ``assigned`` is the context that whoever knows him has for him, as in a map's record, else empty; ``cleared`` is
    the level that he gets below each level that a rule with ``range: clearance`` has.  ``mapped`` is what maps have for
    him, once asked.
    """

    __slots__ = ("assigned", "cleared", "groups", "mapped", "user")

    def __init__(
        self,
        user: UserName | None,
        groups: "frozenset[str]" = frozenset(),
        assigned: str = "",
        cleared: "dict[str, Level] | None" = None,
    ) -> None:
        self.user: Final = user
        self.groups: Final = groups
        self.assigned: Final = assigned
        self.cleared: Final = cleared or {}
        self.mapped: dict[Rule, Rule | None] = {}


def identify(head: RequestHead, buffer: HeadBuffer, vhost: Vhost, client: Client, limits: Limits) -> Identity:
    """Return who is asking.  Credentials for a vhost without authentication are wiped, not looked at.

    Raises Challenge (401) when they are wrong, ``failure_seconds`` after the question, so that the time tells nothing of the
    reason; PeerFault 403 when a proxy named nobody that is known; Limited (429) when too many were, and these were not looked at; IdentityFault (503) when nobody can tell.
    """
    question = f"{'vouched' if vhost.proxied else 'basic'}\t{vhost.name}\t{client.address}\n".encode()
    if vhost.basic is None or head.credentials == (0, 0):
        buffer.wipe_span(*head.credentials)
        if not vhost.proxied or not client.user:
            return Identity(None)
        verdict, words, lines = ask(question, client.user)
        if verdict != "granted":
            raise PeerFault(403, words)  # a proxy has named what is no name, or nobody's
        return known(words, lines)
    start, end = head.credentials
    asked = time.monotonic()
    verdict, words, lines = ask(question, memoryview(buffer.data)[start:end])
    if verdict == "limited":
        raise Limited(words)
    if verdict == "refused":
        time.sleep(max(0.0, asked + limits.failure_seconds - time.monotonic()))
        raise Challenge(vhost.basic, words)
    identity = known(words, lines)
    buffer.verified = bytearray(memoryview(buffer.data)[start:end])
    buffer.wipe_span(start, end)
    return identity


def ask(question: bytes, secret: "bytes | memoryview") -> "tuple[str, str, list[str]]":
    """Put one question to the service; return its verdict (granted, refused, limited), the words behind it, and the lines
    that follow.  Raises IdentityFault for any other answer, or none."""
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(SERVICE)
        connection.sendmsg([question, secret])
        first, *lines = connection.recv(ANSWER_BYTES).decode().split("\n")
        connection.close()
    except (OSError, ValueError) as error:
        raise IdentityFault(f"{SERVICE}: {error}") from None
    verdict, _, words = first.partition(" ")
    if verdict not in ("granted", "refused", "limited") or lines[-1:] != [""]:
        raise IdentityFault(f"{SERVICE}: {words or 'no answer'}")
    return verdict, words, lines[:-1]


def known(user: str, lines: "list[str]") -> Identity:
    """The identity that the service tells of: the one place that grants.  Raises IdentityFault."""
    given: dict[str, list[str]] = {"group": [], "context": [], "cleared": []}
    try:
        for line in lines:
            kind, _, value = line.partition(" ")
            given[kind].append(value)
        (assigned,) = given["context"] or [""]
        pairs = (pair.split(" ") for pair in given["cleared"])
        cleared = {ceiling: Level.parse(level) for ceiling, level in pairs}
        return Identity(UserName.parse(user), frozenset(given["group"]), assigned, cleared)
    except (KeyError, ValueError) as error:
        raise IdentityFault(f"an answer that is none: {error}") from None
