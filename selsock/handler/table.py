# SPDX-License-Identifier: Apache-2.0
"""table: open what ``selsock-generate`` compiled.  Never YAML, never a template in this process."""

from selsock.cdb import Reader
from selsock.cores import Final
from selsock.errors import IdentityFault, PeerFault, TableFault
from selsock.model import Location, Rule, Table, Vhost
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
        except (OSError, ValueError) as error:
            raise TableFault(f"{path}: {getattr(error, 'strerror', error)}") from None
        settings = self.look("table", Table.parse)
        if settings is None:
            raise TableFault(f"{path}: of another format: it has no record 'table'")
        self.settings: Final = settings

    def look(self, key: str, parse: "Callable[[bytes], Parsed]") -> "Parsed | None":
        """What ``parse`` makes of the record ``key``; None without one."""
        try:
            record = self.reader.get(key.encode())
            return parse(record) if record is not None else None
        except (OSError, ValueError) as error:
            raise TableFault(f"{self.path}: {key}: {getattr(error, 'strerror', error)}") from None

    def vhost(self, host: str, apart: bool) -> Vhost:
        """The vhost that answers to ``host`` on a listener for those with ``run_as``, or for those without.

        Raises PeerFault 421 when there is none (RFC 9110 §15.5.20): an unknown host never means "the first vhost".
        """
        vhost = self.look(f"host {host}", Vhost.parse)
        if vhost is None:
            raise PeerFault(421, f"no vhost answers to {host or 'a request without a host'} (RFC 9110 §15.5.20)")
        if bool(vhost.run_as) != apart:
            raise PeerFault(421, f"{host} is served on listeners with{'out' * apart} run_as alone (RFC 9110 §15.5.20)")
        return vhost

    def consult(self, vhost: Vhost, user: UserName | None, assigned: str) -> "dict[Rule, Rule | None]":
        """What each rule of ``vhost`` that asks a map, or takes what ``user`` was ``assigned``, comes to for him; None where
        the map does not name him.  Raises IdentityFault where he was assigned what is no context.
        """
        rules = [rule for location in vhost.locations for rule in location.rules if user]
        found = {rule: self.look(f"map {rule.map} {user}", rule.entry) for rule in rules if rule.map}
        try:
            return found | {rule: rule.entry(assigned.encode()) for rule in rules if rule.assigned and assigned}
        except ValueError as error:
            raise IdentityFault(f"{user} was assigned no context: {error}") from None

    def close(self) -> None:
        """Close the file; what was read stays."""
        self.reader.close()


def locate(vhost: Vhost, path: "tuple[str, ...]") -> Location:
    """The location of ``vhost`` whose prefix, by whole segments, is the longest of ``path``; ``/`` always matches."""
    return next(location for location in vhost.locations if path[: len(location.prefix)] == location.prefix)
