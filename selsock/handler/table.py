# SPDX-License-Identifier: Apache-2.0
"""table: open what ``selsock-generate`` compiled.  Never YAML, never a template in this process."""

from selsock.cdb import Reader
from selsock.cores import Final
from selsock.errors import IdentityFault, PeerFault, TableFault
from selsock.model import Listener, Location, Rule, Table, Vhost
from selsock.names import UserName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Parsed = TypeVar("Parsed")


class OpenTable:
    """The table of this connection: ``settings`` at once, a vhost when its name is known.

    Raises TableFault wherever the file is not whole, not of our format, or does not say what it has to.
    """

    __slots__ = ("path", "reader", "settings")

    def __init__(self, path: str) -> None:
        self.path: Final = path
        try:
            self.reader: Final = Reader(path)
        except OSError as error:
            raise TableFault(f"{path}: {error.strerror}") from None
        except ValueError as error:
            raise TableFault(f"{path}: {error}") from None
        settings = self.look("table", Table.parse)
        if settings is None:
            raise TableFault(f"{path}: of another format: it has no record 'table'")
        self.settings: Final = settings

    def look(self, key: str, parse: "Callable[[bytes], Parsed]") -> "Parsed | None":
        """What ``parse`` makes of the record ``key``; None without one."""
        try:
            record = self.reader.get(key.encode())
            return parse(record) if record is not None else None
        except OSError as error:
            raise TableFault(f"{self.path}: {error.strerror}") from None
        except ValueError as error:
            raise TableFault(f"{self.path}: {key}: {error}") from None

    def vhost(self, host: str) -> Vhost:
        """The vhost that answers to ``host``.

        Raises PeerFault 421 when there is none (RFC 9110 §15.5.20): an unknown host never means "the first vhost".
        """
        vhost = self.look(f"host {host}", Vhost.parse)
        if vhost is None:
            raise PeerFault(421, f"no vhost answers to {host or 'a request without a host'} (RFC 9110 §15.5.20)")
        return vhost

    def listener(self, name: str) -> Listener | None:
        """What is said of the listener on the port or path ``name``; None where no proxy speaks."""
        return self.look(f"listener {name}", Listener)

    def consult(self, vhost: Vhost, user: UserName | None, assigned: str) -> "dict[Rule, Rule | None]":
        """What each rule of ``vhost`` comes to for ``user`` that asks a map, or takes what he was ``assigned``; None where
        the map does not name him.  Raises IdentityFault for a context that is none.
        """
        found = {}
        for rule in [rule for location in vhost.locations for rule in location.rules]:
            if rule.map and user:
                found[rule] = self.look(f"map {rule.map} {user}", rule.entry)
            elif rule.assigned and assigned:
                found[rule] = assign(rule, assigned)
        return found

    def close(self) -> None:
        """Close the file; what was read stays."""
        self.reader.close()


def assign(rule: Rule, text: str) -> Rule:
    """What ``rule`` comes to for a user with the context ``text``: ``DOMAIN[:RANGE]``, or ``*`` for what is inherited.

    Raises IdentityFault.
    """
    domain, colon, level = text.partition(":")
    type_name = "" if domain == "*" else domain if domain.endswith("_t") else f"selsock_{domain}_t"
    try:
        if (colon and not level) or domain.startswith("selsock_"):
            raise ValueError("expected DOMAIN or DOMAIN:RANGE, no type of selsock's own")
        return rule.entry(f"{type_name}:{'' if level == '*' else level}".encode())
    except ValueError as error:
        raise IdentityFault(f"whoever knows the users assigned {text!r}: {error}") from None


def locate(vhost: Vhost, path: "tuple[str, ...]") -> Location:
    """The location of ``vhost`` whose prefix, by whole segments, is the longest of ``path``; ``/`` always matches."""
    for location in vhost.locations:
        if path[: len(location.prefix)] == location.prefix:
            return location
    raise TableFault(f"vhost {vhost.name} has no location /")
