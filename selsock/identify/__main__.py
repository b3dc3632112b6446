# SPDX-License-Identifier: Apache-2.0
"""selsock-identify.service: answers the handler's question who it is."""

from __future__ import annotations

import socket
import sys
from typing import NoReturn

from systemd import daemon  # type: ignore[import-untyped]  # no stubs

from selsock.identify.service import Service


def main() -> NoReturn:
    """Serve at the socket that systemd hands over (sd_listen_fds(3)), by the table that the command line names."""
    _, table = sys.argv
    (listening,) = daemon.listen_fds()
    daemon.notify("READY=1")
    Service(socket.socket(fileno=listening), table).run()


if __name__ == "__main__":
    main()
