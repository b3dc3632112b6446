# SPDX-License-Identifier: Apache-2.0
"""static: files beneath the document root, GET and HEAD.  Runs in the tenant's domain, and only with a Confined.

The path is walked one segment at a time from the root's own descriptor, each with O_NOFOLLOW: no link and no ".." can
lead out (openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS has the same effect, but Python cannot call it without
ctypes, which costs 3 ms).
"""

from selsock.cores import posix
from selsock.handler.confine import Confined
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.media import media_type
from selsock.handler.serve.reply import Outcome

SERVED = ("GET", "HEAD")
ALLOW = "GET, HEAD"
INDEX = "index.html"
STEP = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that a tenant has put there would wait for its other end.
FINAL = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
FORMAT, DIRECTORY, REGULAR = 0o170000, 0o040000, 0o100000
# errno(3).  What the kernel denies is forbidden; a link, or a path through a file, is not there; the rest is our fault.
STATUS_OF = {1: 403, 2: 404, 6: 404, 13: 403, 20: 404, 36: 404, 40: 404}


def serve(confined: Confined, exchange: Exchange) -> Outcome:
    """Answer one request.  Raises PeerGone."""
    head, reply = exchange.head, exchange.reply
    if head.method not in SERVED:
        return reply.page(405, fields=[("Allow", ALLOW)])
    names = head.target.segments
    if any(hidden(name, place) for place, name in enumerate(names)):
        return reply.page(404, "a dot-file")
    try:
        file = open_beneath(confined.vhost.root, (*names, INDEX) if head.target.directory else names)
    except OSError as error:
        return reply.page(STATUS_OF.get(error.errno or 0, 500), error.strerror or "")
    try:
        status = posix.fstat(file)
        if status.st_mode & FORMAT == DIRECTORY and not head.target.directory:
            # RFC 3986 §5.2.3: relative links in the index need the slash.  The path is the client's own spelling.
            return reply.page(301, fields=[("Location", head.target.raw.partition("?")[0] + "/")])
        if status.st_mode & FORMAT != REGULAR:
            return reply.page(404, "not a regular file")
        kind = media_type(names[-1] if not head.target.directory else INDEX)
        reply.begin(200, [("Content-Type", kind)], status.st_size)
        reply.write_file(file, 0, status.st_size)
        return reply.end()
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
