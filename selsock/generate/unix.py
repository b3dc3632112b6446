# SPDX-License-Identifier: Apache-2.0
"""What is particular to a UNIX socket under ``listen``: where it lies, who may connect, and whose it is."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from selsock.generate.source import Mapping, Scalar, mapping, scalar
from selsock.identify.provider import SERVICES
from selsock.names import DIGITS, LOWER, AbsolutePath, Name, TypeName

RUNTIME = "/run/selsock/"  # labelled by policy/selsock.fc

Found = TypeVar("Found", pwd.struct_passwd, grp.struct_group)


class Mode(Name):
    """Permissions of a socket, in octal."""

    __slots__ = ()
    expected = "permissions in four octal digits, such as 0660"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """No set-id bits: they mean nothing here."""
        return len(text) == 4 and text[0] == "0" and not text.strip("01234567")


class Account(Name):
    """The name of a user or group of this machine, as useradd(8) and systemd alike take it."""

    __slots__ = ()
    expected = "the name of a user or group"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Lower case, 31 characters at most, no digit first: that could be a number."""
        return 0 < len(text) < 32 and text[0] in LOWER + "_" and not text.strip(LOWER + DIGITS + "_-")


@dataclass(frozen=True, slots=True)
class Owner:
    """What chmod and chown say of a UNIX socket."""

    mode: Mode
    user: Account
    group: Account


@dataclass(frozen=True, slots=True)
class Peer:
    """Who alone may connect to a UNIX socket: a user by number, and the type of his process."""

    uid: int
    type: TypeName


def parse_path(given: Scalar) -> AbsolutePath:
    """Where it lies, and no service of ours.  Raises BadSource."""
    path = given.name(AbsolutePath)
    if not path.startswith(RUNTIME) or len(path) > 107 or path in [RUNTIME + name for name in SERVICES]:  # unix(7)
        given.refuse(f"a path below {RUNTIME}, 107 bytes at most, and none of {', '.join(SERVICES)} there")
    return path


def parse_peer(given: Mapping) -> Peer:
    """Who may connect.  Raises BadSource."""
    peer = mapping(given.require("peer"))
    peer.only(("user", "type"))
    user = scalar(peer.require("user"))
    uid = user.number(0, 2**32 - 2) if user.text.isdigit() else account(user, pwd.getpwnam).pw_uid
    return Peer(uid, scalar(peer.require("type")).name(TypeName))


def parse_owner(given: Mapping) -> Owner:
    """Permissions and owners of a UNIX socket, by default for root alone.  Raises BadSource."""
    mode, user, group = (given.get(name) for name in ("mode", "user", "group"))
    return Owner(
        Mode("0600") if mode is None else scalar(mode).name(Mode),
        Account("root" if user is None else account(scalar(user), pwd.getpwnam).pw_name),
        Account("root" if group is None else account(scalar(group), grp.getgrnam).gr_name),
    )


def account(given: Scalar, look: Callable[[str], Found]) -> Found:
    """What this machine knows of a user or group.  Raises BadSource: with an unknown one systemd would not listen."""
    try:
        return look(given.name(Account))
    except KeyError:
        given.refuse("a user or group that this machine has")
