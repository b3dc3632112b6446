# SPDX-License-Identifier: Apache-2.0
"""The service that asks PAM: one process for each question, as root, since none but root may ask about others.

It takes ``USER NUL PASSWORD`` from the service that knows who it is, and answers whether PAM takes the password, and in
which groups of this machine the user is.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import sys

from systemd import daemon  # type: ignore[import-untyped]  # no stubs

from selsock.identify.answer import PACKET_BYTES, Person, Refused, Unable, packet
from selsock.identify.libpam import PASSWORD_BYTES, verify
from selsock.names import UserName

QUESTION_SECONDS = 5.0  # until the question has come


def parse(question: bytes) -> tuple[UserName, bytes]:
    """User and password in ``USER NUL PASSWORD``.  Raises Refused and Unable."""
    name, nul, password = question.partition(b"\0")
    if not nul:
        raise Unable("a question that is none")
    try:
        user = UserName.parse(name.decode())
    except ValueError:
        raise Refused("a name that no user has") from None
    if not password:
        raise Refused("an empty password")
    if b"\0" in password or b"\n" in password or len(password) > PASSWORD_BYTES:
        raise Refused(f"a password of more than one line, or of more than {PASSWORD_BYTES} bytes")
    return user, password


def answer(question: bytes) -> Person:
    """Who it is.  Raises Refused and Unable."""
    user, password = parse(question)
    account = account_of(user)
    verify(user, password)
    return Person(user, groups_of(account))


def account_of(user: UserName) -> pwd.struct_passwd:
    """The account of ``user``.  Raises Refused.

    PAM is asked about accounts that there are, alone: modules make files and log records of whatever name they are told.
    Nobody signs in as root by HTTP, and so nobody guesses his password there.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise Refused("unknown user") from None
    if account.pw_name != user:
        raise Refused("a user whose name is written otherwise")  # a directory may not tell A from a; rules do
    if account.pw_uid == 0:
        raise Refused("root")
    return account


def groups_of(account: pwd.struct_passwd) -> tuple[str, ...]:
    """The names of the groups of ``account``, sorted; those of them that have a name which a rule can have."""
    names = set()
    for number in os.getgrouplist(account.pw_name, account.pw_gid):
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue  # a group by number alone
    return tuple(sorted(name for name in names if UserName.accepts(name)))


def outcome(question: bytes) -> Person | Refused | Unable:
    """What is to be answered."""
    try:
        return answer(question)
    except (Refused, Unable) as reason:
        return reason


def main() -> None:
    """Answer the one question of the connection that systemd hands over (sd_listen_fds(3))."""
    (descriptor,) = daemon.listen_fds()
    with socket.socket(fileno=descriptor) as connection:
        connection.settimeout(QUESTION_SECONDS)
        try:
            connection.sendall(packet(outcome(connection.recv(PACKET_BYTES))))
        except OSError as error:
            sys.exit(f"<3>{error}")


if __name__ == "__main__":
    main()
