# SPDX-License-Identifier: Apache-2.0
"""static: files beneath the document root, GET and HEAD.  Runs in the tenant's domain, and only with a Confined.

The path is walked one segment at a time from the root's own descriptor, each with O_NOFOLLOW: no link and no ".." can
lead out (openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS has the same effect, but Python cannot call it without
ctypes, which costs 3 ms).
"""

from selsock.cores import posix
from selsock.handler.adopt import Client
from selsock.handler.confine import Confined
from selsock.handler.head import SERVED, RequestHead
from selsock.handler.response import compose_head, send_page
from selsock.handler.serve.media import media_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

INDEX = "index.html"
STEP = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that a tenant has put there would wait for its other end.
FINAL = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
FORMAT, DIRECTORY, REGULAR = 0o170000, 0o040000, 0o100000
# errno(3).  What the kernel denies is forbidden; a link, or a path through a file, is not there; the rest is our fault.
STATUS_OF = {1: 403, 2: 404, 6: 404, 13: 403, 20: 404, 36: 404, 40: 404}


class Outcome:
    """What was answered: ``status``, the number of ``content`` bytes, and why it is not the file, if it is not."""

    __slots__ = ("content", "reason", "status")

    def __init__(self, status: int, content: int, reason: str = "") -> None:
        self.status: Final = status
        self.content: Final = content
        self.reason: Final = reason


def serve(confined: Confined, head: RequestHead, client: Client, close: bool) -> Outcome:
    """Answer one request; ``close`` says that this is the connection's last.  Raises PeerGone."""
    if head.method.encode() not in SERVED:
        return page(client, 405, {"Allow": "GET, HEAD"}, close)
    names = head.target.segments
    if any(hidden(name, place) for place, name in enumerate(names)):
        return page(client, 404, {}, close, "a dot-file")
    try:
        file = open_beneath(confined.vhost.root, (*names, INDEX) if head.target.directory else names)
    except OSError as error:
        return page(client, STATUS_OF.get(error.errno or 0, 500), {}, close, error.strerror or "")
    try:
        status = posix.fstat(file)
        if status.st_mode & FORMAT == DIRECTORY and not head.target.directory:
            # RFC 3986 §5.2.3: relative links in the index need the slash.  The path is the client's own spelling.
            location = head.target.raw.partition("?")[0] + "/"
            return page(client, 301, {"Location": location}, close)
        if status.st_mode & FORMAT != REGULAR:
            return page(client, 404, {}, close, "not a regular file")
        fields = {"Content-Type": media_type(names[-1] if not head.target.directory else INDEX)}
        fields["Content-Length"] = str(status.st_size)
        client.write(compose_head(200, fields, close))
        if client.head_only:
            return Outcome(200, 0)
        client.write_file(file, status.st_size)
        return Outcome(200, status.st_size)
    finally:
        posix.close(file)


def hidden(name: str, place: int) -> bool:
    """Whether ``name`` is a dot-file.  RFC 8615's /.well-known, which ACME needs, is none."""
    return name.startswith(".") and not (place == 0 and name == ".well-known")


def open_beneath(root: str, names: "tuple[str, ...]") -> int:
    """Open the file at ``names`` beneath ``root`` for reading; return its descriptor.  Raises OSError."""
    directory = posix.open(root, STEP)
    *steps, final = [name.encode() for name in names]  # UTF-8, whatever the locale takes file names for
    try:
        for name in steps:
            below = posix.open(name, STEP, dir_fd=directory)
            posix.close(directory)
            directory = below
        return posix.open(final, FINAL, dir_fd=directory)
    finally:
        posix.close(directory)


def page(client: Client, status: int, fields: "dict[str, str]", close: bool, reason: str = "") -> Outcome:
    """Answer with the short page of ``status``; the ``reason`` is for the journal."""
    send_page(client, status, "", fields, close)
    return Outcome(status, 0, reason)
