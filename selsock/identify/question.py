# SPDX-License-Identifier: Apache-2.0
"""One question of the handler's, from its bytes to who it is.  Runs in a child that ends with the answer."""

from __future__ import annotations

import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass

from selsock.cdb import Reader
from selsock.identify.answer import Limited, Person, Refused, Unable, canonical
from selsock.identify.ask import PAM, SQL, ask
from selsock.identify.assigned import record
from selsock.identify.clearance import cleared
from selsock.identify.htgroup import groups_of
from selsock.identify.htpasswd import matches, stored_hash
from selsock.identify.memory import Memory, source_of
from selsock.identify.provider import FILE, PROXY, Provider
from selsock.identify.provider import PAM as BY_PAM
from selsock.model import Limits, Table, Vhost
from selsock.names import UserName

# Checked where a database does not know the user: bcrypt at htpasswd's own cost of 5 would be too quick, 10 is usual.
NOBODYS = "$2y$10$abcdefghijklmnopqrstuu5LKcXMPqNOuHtzLvUZ4zIjp4Vn6Hy1m"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Question:
    """``kind`` is ``basic``, with the value of Authorization as ``secret``, or ``vouched``, with the name of a user.
    ``source`` is whom a failure is counted for."""

    kind: str
    vhost: str
    source: str
    secret: bytes

    @classmethod
    def parse(cls, packet: bytes) -> Question:
        """``KIND TAB VHOST TAB ADDRESS LF SECRET``.  Raises Unable."""
        line, newline, secret = packet.partition(b"\n")
        fields = line.decode("utf-8", "replace").split("\t")
        if not newline or len(fields) != 3 or fields[0] not in ("basic", "vouched"):
            raise Unable("a question that is none")
        kind, vhost, address = fields
        try:
            return cls(kind, vhost, source_of(address), secret)
        except ValueError:
            raise Unable("a question about an address that is none") from None


@dataclass(frozen=True, slots=True)
class Known:
    """What the table has for a question.  ``ceilings`` are the levels below which users get their own."""

    limits: Limits
    provider: Provider
    ceilings: frozenset[str] = frozenset()


def look_up(table: str, vhost: str) -> Known:
    """What the table at the path ``table`` says of ``vhost``.  Raises Unable."""
    try:
        reader = Reader(table)
        settings, record = reader.get(b"table"), reader.get(b"identity " + vhost.encode())
        host = reader.get(b"host " + vhost.encode())
        reader.close()
        if settings is None or record is None or host is None:
            raise ValueError(f"it does not say who knows the users of {vhost}")
        rules = (rule for location in Vhost.parse(host).locations for rule in location.rules)
        ceilings = frozenset(rule.context.level for rule in rules if rule.clearance)
        return Known(Table.parse(settings).limits, Provider.parse(record), ceilings)
    except (OSError, ValueError) as error:
        raise Unable(f"{table}: {error}") from None


def answer(question: Question, table: str, memory: Memory, report: Report) -> Person:
    """Who it is.  ``report`` is told what is to be remembered: ``failed SOURCE WINDOW`` or ``right MARK SECONDS``.

    Raises Refused, Limited and Unable.
    """
    known = look_up(table, question.vhost)
    provider = known.provider
    if (question.kind == "vouched") != (provider.kind == PROXY):
        raise Unable(f"{question.vhost} is not asked about so")
    if question.kind == "vouched":
        return placed(Person(canonical(decoded(question.secret))), known)
    source, limits = question.source, known.limits
    if seconds := memory.wait(source, limits.failures, limits.failures_window):
        raise Limited(seconds)
    try:
        user, password = credentials(question.secret)
        return placed(check(question.vhost, user, password, known, memory, report), known)
    except Refused:
        report(f"failed {source} {limits.failures_window}")
        raise


def decoded(name: bytes) -> str:
    """A name in UTF-8.  Raises Refused."""
    try:
        return name.decode()
    except ValueError:
        raise Refused("a name that is no UTF-8") from None


def credentials(value: bytes) -> tuple[UserName, bytes]:
    """User and password in ``value``, that of a field Authorization.  Raises Refused."""
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"basic":
        raise Refused("a scheme other than Basic")
    try:
        user, colon, password = binascii.a2b_base64(token.strip(b" "), strict_mode=True).partition(b":")
        name = user.decode()
        password.decode()
    except ValueError:
        raise Refused("credentials that are no base64 of UTF-8 (RFC 7617 §2)") from None
    if not colon or not UserName.accepts(name) or b"\0" in password:
        raise Refused("credentials that are no user, colon and password (RFC 7617 §2)")
    return canonical(name), password


def check(vhost: str, user: UserName, password: bytes, known: Known, memory: Memory, report: Report) -> Person:
    """Who it is, if ``password`` is that of ``user``.  Raises Refused and Unable."""
    provider = known.provider
    if provider.kind == BY_PAM:
        return by_pam(user, password)
    if provider.kind == FILE:
        stored, found = stored_hash(provider.source, user)
        person, place = Person(user), provider.source
    else:
        stored, found, person = by_sql(vhost, user)
        place = f"{provider.kind}, {user}"
    mark = memory.mark(vhost.encode(), user.encode(), stored.encode(), password)
    if found and provider.remember and memory.knows(mark):
        return person
    if not is_right(password, stored, found, place, known.limits):
        raise Refused(f"wrong password or unknown user {user}")
    if provider.remember:
        report(f"right {mark.hex()} {provider.remember}")
    return person


def is_right(password: bytes, stored: str, found: bool, place: str, limits: Limits) -> bool:
    """Whether ``password`` gives ``stored``, and that is the hash of who asks (``found``).  Raises Unable.

    A hash that takes so long that its "no" could come after the moment at which every "no" is told is refused whatever the
    password: by its lateness one would know that there is such a user.
    """
    began = time.process_time()
    try:
        right = matches(password, stored, place)
    except Unable:
        if found:
            raise
        return False
    if found and time.process_time() - began > limits.failure_seconds / 2:
        raise Unable(f"{place}: a hash that takes more than half of failure_seconds ({limits.failure_seconds})")
    return right and found


def by_pam(user: UserName, password: bytes) -> Person:
    """The user, if PAM takes the password, and his groups on this machine.  Raises Refused and Unable."""
    first, *lines = ask(PAM, user.encode() + b"\0" + password)
    if first != f"granted {user}":
        raise Unable(f"{PAM}: an answer that is none")
    return Person(user, tuple(sorted(values(PAM, lines, "group"))))


def by_sql(vhost: str, user: UserName) -> tuple[str, bool, Person]:
    """The hash that a database has for ``user`` and True, or another and False; and what else it says.  Raises Unable."""
    first, *lines = ask(SQL, vhost.encode() + b"\0" + user.encode())
    if (first, lines) == ("none", []):
        return NOBODYS, False, Person(user)
    hashes = values(SQL, [line for line in lines if line.startswith("hash ")], "hash")
    rest = [line for line in lines if not line.startswith("hash ")]
    contexts = values(SQL, [line for line in rest if line.startswith("context ")], "context")
    groups = values(SQL, [line for line in rest if not line.startswith("context ")], "group")
    if first != "row" or len(hashes) != 1 or len(contexts) > 1:
        raise Unable(f"{SQL}: an answer that is none")
    return hashes[0], True, Person(user, tuple(sorted(groups)), "".join(map(record, contexts)))


def values(service: str, lines: list[str], kind: str) -> list[str]:
    """What ``lines`` have behind ``kind``.  Raises Unable for a line of another kind."""
    if any(not line.startswith(kind + " ") for line in lines):
        raise Unable(f"{service}: an answer that is none")
    return [line.removeprefix(kind + " ") for line in lines]


def placed(person: Person, known: Known) -> Person:
    """``person``, with the groups that a file has for him, and the levels that he is cleared for.  Raises Unable."""
    file = known.provider.groups
    groups = groups_of(file, person.user) if file else person.groups
    return Person(person.user, groups, person.assigned, cleared(person.user, known.ceilings))
