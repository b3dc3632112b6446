# SPDX-License-Identifier: Apache-2.0
"""Which directories may be a root and which files a password file: applying relabels them, so a slip here would hurt.

A relabelled /etc or /usr is a machine that no longer boots; hence a list of what is never right, however it is meant.
"""

from __future__ import annotations

from selsock.generate.source import Scalar
from selsock.names import AbsolutePath

STATE = AbsolutePath("/var/lib/selsock")
WELCOME = AbsolutePath("/usr/share/selsock/welcome")  # the package's own page; nothing else in /usr is ever relabelled

# Neither these nor anything in them.
SYSTEM_TREES = tuple(
    AbsolutePath(path)
    for path in (
        *("/bin", "/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr"),
        *("/home", "/media", "/mnt"),  # their types let no tenant pass
        *("/var/cache/selsock", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/selinux", STATE, "/var/lib/systemd"),
        *("/var/lock", "/var/log", "/var/run", "/var/spool", "/var/tmp"),
    )
)
# Not these, but directories in them.  (The distribution's policy has patterns for /var/www itself; they would clash.)
SYSTEM_DIRECTORIES = ("/var/backups", "/var/cache", "/var/lib", "/var/local", "/var/mail", "/var/opt", "/var/www")


def within(path: str, tree: str) -> bool:
    """Whether ``path`` is ``tree`` or lies in it."""
    return path == tree or tree == "/" or path.startswith(tree + "/")


def is_system(path: str) -> bool:
    """Whether ``path`` lies in a tree of the system; ``/lib``, ``/lib64`` and their like included."""
    top = path.split("/")[1]
    return top in ("lib", "lib32", "lib64", "libx32") or any(within(path, tree) for tree in SYSTEM_TREES)


def parse_root(given: Scalar) -> AbsolutePath:
    """A document root: two segments at least, and no place of the system's but ``WELCOME``.  Raises BadSource."""
    path = given.name(AbsolutePath)
    if path != WELCOME and (path.count("/") < 2 or is_system(path) or path in SYSTEM_DIRECTORIES):
        given.refuse("a directory of its own, such as /srv/www, outside the system's")
    return path


def parse_inside(root: AbsolutePath, given: Scalar) -> AbsolutePath:
    """A path that is given from ``root`` on, ``/`` being the root itself.  Raises BadSource."""
    below = "" if given.text == "/" else given.name(AbsolutePath)
    if within(below, root):  # it would be looked for in the root, under the root's own name
        given.refuse(f"a path from the root on, such as {below.removeprefix(root) or '/'}")
    if not AbsolutePath.accepts(root + below):
        given.refuse("1000 characters at most together with the root")
    return AbsolutePath(root + below)


def parse_password_file(given: Scalar, ending: str) -> AbsolutePath:
    """A file of users, with a name that ends in ``ending``, which will get a label of its own.  Raises BadSource.

    In a directory of /etc or /var/lib: those are where policy/selsock.te lets the services look that read them.
    """
    path = given.name(AbsolutePath)
    if within(path, STATE):
        given.refuse(f"a file outside {STATE}, which the compiled table lies in")
    below = path.removeprefix("/etc/").removeprefix("/var/lib/")
    placed = "/" in below and below != path and not (is_system(path) and not path.startswith("/etc/"))
    if not placed or not path.endswith(ending):
        given.refuse(f"a file …{ending} in a directory of /etc or /var/lib, such as /etc/selsock/users.{ending}")
    return path
