# SPDX-License-Identifier: Apache-2.0
"""static: files beneath the document root, GET and HEAD.  Runs in the tenant's domain, and only with a Confined.

The path is walked one segment at a time from the root's own descriptor, each with O_NOFOLLOW: no link and no ".." can
lead out (openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS has the same effect, but Python cannot call it without
ctypes, which costs 3 ms).
"""

from selsock.cores import posix, time
from selsock.errors import TableFault
from selsock.handler.confine import Confined
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.media import media_type
from selsock.handler.serve.reply import Outcome, Reply
from selsock.handler.serve.representation import VARY, check_preconditions, send
from selsock.handler.serve.validators import Validators
from selsock.model import Location, Vhost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    Names = tuple[str, ...]

SERVED = ("GET", "HEAD")
ALLOW = "GET, HEAD, OPTIONS"
INDEX = "index.html"
STEP = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that a tenant has put there would wait for its other end.
FINAL = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
FORMAT, DIRECTORY, REGULAR = 0o170000, 0o040000, 0o100000
ABSENT = 2  # ENOENT of errno(3)
# errno(3).  What the kernel denies is forbidden; a link, or a path through a file, is not there; the rest is our fault.
STATUS_OF = {1: 403, ABSENT: 404, 6: 404, 13: 403, 20: 404, 36: 404, 40: 404}


class Place:
    """Where the files of a location are, and how it serves them, as its options say.

    ``names`` lead there from the root of the vhost.  Raises TableFault for a directory that is not beneath it.
    """

    __slots__ = ("index", "listing", "names", "precompressed")

    def __init__(self, vhost: Vhost, location: Location) -> None:
        single = dict(location.options)
        self.listing: Final = single.get("listing") == "yes"
        self.precompressed: Final = single.get("precompressed") == "yes"
        if not location.options:
            self.index: Names = (INDEX,)
            self.names: Names = location.prefix
            return
        self.index = tuple(value for name, value in location.options if name == "index")
        directory, root = single["directory"], vhost.root
        if directory != root and not directory.startswith(f"{root}/"):
            raise TableFault(f"the directory {directory} of {location.path} is not beneath {root}")
        self.names = tuple(name for name in directory[len(root) :].split("/") if name)


def serve(confined: Confined, exchange: Exchange) -> Outcome:
    """Answer one request.  Raises PeerGone, TableFault."""
    head, reply, location = exchange.head, exchange.reply, exchange.location
    if head.method == "OPTIONS":
        reply.begin(204, [("Allow", ALLOW)], None)
        return reply.end()
    if head.method not in SERVED:
        return reply.page(405, fields=[("Allow", ALLOW)])
    segments = head.target.segments
    if any(hidden(name, place) for place, name in enumerate(segments)):
        return reply.page(404, "a dot-file")
    root, place = confined.vhost.root, Place(confined.vhost, location)
    names = (*place.names, *segments[len(location.prefix) :])
    try:
        if head.target.directory:
            file, names = open_index(root, names, place.index)
        else:
            file = open_beneath(root, names)
    except OSError as error:
        if place.listing and head.target.directory and error.errno == ABSENT:
            return send_listing(exchange, root, names)
        return no_file(reply, error)
    try:
        return send_open(exchange, file, root, names, place.precompressed)
    finally:
        posix.close(file)


def no_file(reply: Reply, error: OSError) -> Outcome:
    """Answer that ``error`` kept a file from being opened."""
    return reply.page(STATUS_OF.get(error.errno or 0, 500), error.strerror or "")


def hidden(name: str, place: int) -> bool:
    """Whether ``name`` is a dot-file.  RFC 8615's /.well-known, which ACME needs, is none."""
    return name.startswith(".") and not (place == 0 and name == ".well-known")


def open_beneath(root: str, names: "Names") -> int:
    """Open the file, or directory, at ``names`` beneath ``root`` for reading; return its descriptor.  Raises OSError."""
    directory = posix.open(root, STEP)
    *steps, final = [name.encode() for name in names or (".",)]  # UTF-8, whatever the locale takes file names for
    try:
        for name in steps:
            below = posix.open(name, STEP, dir_fd=directory)
            posix.close(directory)
            directory = below
        return posix.open(final, FINAL, dir_fd=directory)
    finally:
        posix.close(directory)


def open_index(root: str, names: "Names", index: "Names") -> "tuple[int, Names]":
    """Open the first file of ``index`` that there is in the directory at ``names``; return its descriptor and names.

    Raises OSError; ENOENT if there is none of them.
    """
    for name in index:
        try:
            return open_beneath(root, (*names, name)), (*names, name)
        except FileNotFoundError:
            continue
    raise FileNotFoundError(ABSENT, "No such file or directory")


def send_open(exchange: Exchange, file: int, root: str, names: "Names", precompressed: bool) -> Outcome:
    """Answer with the open ``file`` at ``names``, or with what lies beside it in a content coding.  Raises PeerGone."""
    head, reply = exchange.head, exchange.reply
    status = posix.fstat(file)
    if status.st_mode & FORMAT == DIRECTORY and not head.target.directory:
        # RFC 3986 §5.2.3: relative links in the index need the slash.  The path is the client's own spelling.
        path, mark, query = head.target.raw.partition("?")
        return reply.page(301, fields=[("Location", f"{path}/{mark}{query}")])
    if status.st_mode & FORMAT != REGULAR:
        return reply.page(404, "not a regular file")
    kind = media_type(names[-1])
    if not precompressed:
        return send(exchange, file, status, [("Content-Type", kind)])
    from selsock.handler.serve.negotiation import acceptable

    for coding, suffix in acceptable(head.fields.get(b"accept-encoding")):
        found = open_coded(root, (*names[:-1], names[-1] + suffix), status)
        if found is not None:
            coded, its_status = found
            try:
                return send(exchange, coded, its_status, [("Content-Type", kind), ("Content-Encoding", coding), VARY])
            finally:
                posix.close(coded)
    return send(exchange, file, status, [("Content-Type", kind), VARY])


def open_coded(root: str, names: "Names", plain: "posix.stat_result") -> "tuple[int, posix.stat_result] | None":
    """Open the file at ``names`` if it is what the file of ``plain`` is in a content coding: a regular one, not older.

    Older by whole seconds, since what compresses may take over the time of the file, but cut short.
    """
    try:
        coded = open_beneath(root, names)
    except OSError:
        return None  # whatever the reason: the plain file does as well
    status = posix.fstat(coded)
    if status.st_mode & FORMAT == REGULAR and int(status.st_mtime) >= int(plain.st_mtime):
        return coded, status
    posix.close(coded)
    return None


def send_listing(exchange: Exchange, root: str, names: "Names") -> Outcome:
    """Answer with what is in the directory at ``names``.  Raises PeerGone."""
    from selsock.handler.serve.listing import list_directory

    head, reply = exchange.head, exchange.reply
    segments = head.target.segments
    try:
        directory = open_beneath(root, names)
        try:
            path = "".join(f"/{name}" for name in segments) + "/"
            page = list_directory(directory, path, len(segments) == len(exchange.location.prefix))
        finally:
            posix.close(directory)
    except OSError as error:
        return no_file(reply, error)
    unwanted = check_preconditions(exchange, Validators(b"", None), time.time(), [])
    if unwanted is not None:
        return unwanted
    reply.begin(200, [("Content-Type", "text/html; charset=utf-8")], len(page), page)
    return reply.end()
