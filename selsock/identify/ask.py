# SPDX-License-Identifier: Apache-2.0
"""Asking the services that stand behind this one, PAM and SQL: one packet each way."""

from __future__ import annotations

import socket

from selsock.identify.answer import PACKET_BYTES, Refused, Unable

PAM = "/run/selsock/pam"
SQL = "/run/selsock/sql"
SECONDS = 15.0


def ask(service: str, question: bytes) -> list[str]:
    """The lines of the answer of the service at the path ``service``.  Raises Refused, and Unable where there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(SECONDS)
            connection.connect(service)
            connection.sendall(question)
            lines = connection.recv(PACKET_BYTES).decode().split("\n")
    except (OSError, ValueError) as error:
        raise Unable(f"{service}: {error}") from None
    verdict, _, words = lines[0].partition(" ")
    if verdict == "refused":
        raise Refused(words)
    if verdict == "unable" or lines.pop() != "" or not lines:
        raise Unable(f"{service}: {words or 'no answer'}")
    return lines
