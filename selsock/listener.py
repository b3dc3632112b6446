# SPDX-License-Identifier: Apache-2.0
"""A listener that a proxy stands before, as the handler knows it: the record ``listener NAME`` of the table.

NAME is the address, ``HOST:PORT`` with ``0.0.0.0`` or ``[::]`` for any, or the path of a UNIX socket.
"""

from selsock.names import Network, TypeName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Listener:
    """Whose word is taken: that of ``networks``, or of the user ``uid`` in a process of ``type``.  And for what.

    ``kind`` is ``protocol`` where a header of the PROXY protocol comes first, ``client`` where ``field`` (in lower
    case) of each request has the visitor's address, else empty.  ``scheme`` is what visitors speak to the proxy.
    """

    __slots__ = ("field", "kind", "networks", "scheme", "type", "uid")

    def __init__(self, record: bytes) -> None:
        """Read a record: these fields, tabs between.  Raises ValueError."""
        kind, field, scheme, uid, type, *networks = record.decode().split("\t")
        if kind not in ("", "protocol", "client") or bool(field) != (kind == "client"):
            raise ValueError(f"unknown kind {kind!r} with field {field!r}")
        if scheme not in ("http", "https") or bool(uid) == bool(networks):
            raise ValueError(f"expected http or https, not {scheme!r}, and networks or a peer")
        self.kind: Final = kind
        self.field: Final = field.encode()
        self.scheme: Final = scheme
        self.networks: Final = tuple(Network.parse(network) for network in networks)
        self.uid: Final = int(uid or -1)
        self.type: Final = TypeName.parse(type) if uid else ""
