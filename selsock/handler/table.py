# SPDX-License-Identifier: Apache-2.0
"""table: open what ``selsock-generate`` compiled.  Never YAML, never a template in this process."""

from selsock.cdb import Reader
from selsock.errors import PeerFault, TableFault
from selsock.model import Location, Table, Vhost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class OpenTable:
    """The table of this connection: ``settings`` at once, a vhost when its name is known.

    Raises TableFault wherever the file is not whole, not of our format, or does not say what it has to.
    """

    __slots__ = ("path", "reader", "settings")

    def __init__(self, path: str) -> None:
        self.path: Final = path
        try:
            self.reader: Final = Reader(path)
            record = self.reader.get(b"table")
            if record is None:
                raise ValueError("of another format: it has no record 'table'")
            self.settings: Final = Table.parse(record)
        except OSError as error:
            raise TableFault(f"{path}: {error.strerror}") from None
        except ValueError as error:
            raise TableFault(f"{path}: {error}") from None

    def vhost(self, host: str) -> Vhost:
        """The vhost that answers to ``host``.

        Raises PeerFault 421 when there is none (RFC 9110 §15.5.20): an unknown host never means "the first vhost".
        """
        try:
            record = self.reader.get(b"host " + host.encode())
            if record is None:
                raise PeerFault(421, f"no vhost answers to {host or 'a request without a host'} (RFC 9110 §15.5.20)")
            return Vhost.parse(record)
        except OSError as error:
            raise TableFault(f"{self.path}: {error.strerror}") from None
        except ValueError as error:
            raise TableFault(f"{self.path}: vhost {host}: {error}") from None

    def close(self) -> None:
        """Close the file; what was read stays."""
        self.reader.close()


def locate(vhost: Vhost, path: "tuple[str, ...]") -> Location:
    """The location of ``vhost`` whose prefix, by whole segments, is the longest of ``path``; ``/`` always matches."""
    for location in vhost.locations:
        if path[: len(location.prefix)] == location.prefix:
            return location
    raise TableFault(f"vhost {vhost.name} has no location /")
