# SPDX-License-Identifier: Apache-2.0
"""account: as which user of this machine a vhost with ``run_as`` is served.  Loaded for such a vhost alone."""

from selsock.cores import import_module, posix
from selsock.errors import Challenge, PeerFault
from selsock.model import NOBODY, Vhost
from selsock.names import UserName


def find(vhost: Vhost, user: UserName | None) -> "tuple[int, ...]":
    """The account for ``user``, who has signed in or not: uid, gid, and all groups, sorted.

    Raises Challenge (401) or PeerFault 403 where there is none, and 403 for one of the system's.  The generator has refused
    such a one already; here nobody relies on that.
    """
    lowest, *static = vhost.run_as
    uid, gid, *groups = static or look(vhost, user)
    if not max(lowest, 1) <= uid != NOBODY or min(gid, *groups) < 1:
        raise PeerFault(403, f"uid {uid}, gid {gid} is an account of the system's, or in root's group")
    return uid, gid, *sorted({*groups})


def look(vhost: Vhost, user: UserName | None) -> "list[int]":
    """What this machine knows of ``user``: uid, gid, all groups.  Raises as ``find``."""
    if user is None and vhost.basic is not None:
        raise Challenge(vhost.basic, "run_as: authenticated, and nobody has signed in")
    try:
        found = import_module("pwd").getpwnam(user or "")
    except KeyError:
        raise PeerFault(403, f"run_as: authenticated, and nobody here is called {user or 'nothing'}") from None
    return [found.pw_uid, found.pw_gid, *posix.getgrouplist(found.pw_name, found.pw_gid)]
