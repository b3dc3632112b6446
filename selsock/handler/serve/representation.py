# SPDX-License-Identifier: Apache-2.0
"""representation: an open regular file as the answer to GET or HEAD, as preconditions (RFC 9110 §13) and Range want it.

The file is looked at once, by its descriptor: whatever becomes of it meanwhile, length and validators are of one moment,
and no more than that length is sent.
"""

from selsock.cores import posix, time
from selsock.handler.response import http_date
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.reply import Outcome
from selsock.handler.serve.validators import Validators, validators

TYPE_CHECKING = False
if TYPE_CHECKING:
    from selsock.handler.serve.reply import Fields

VARY = ("Vary", "Accept-Encoding")
SMALL = 16384  # bytes; a file up to that size leaves with its head, in one segment


def send(exchange: Exchange, file: int, status: "posix.stat_result", own: "Fields") -> Outcome:
    """Answer with the open regular ``file`` of ``status``, or with what preconditions and Range make of it.

    ``own`` are its fields Content-Type, Content-Encoding and Vary.  Raises PeerGone.
    """
    head, reply, now = exchange.head, exchange.reply, time.time()
    current = validators(status, now)
    unwanted = check_preconditions(exchange, current, now, [field for field in own if field == VARY])
    if unwanted is not None:
        return unwanted
    fields = [*own, ("ETag", current.tag.decode()), ("Accept-Ranges", "bytes")]
    if current.modified is not None:
        fields.append(("Last-Modified", http_date(current.modified)))
    if head.method == "GET" and b"range" in head.fields:  # §14.2: GET alone
        parts = ranges_of(head.fields, status.st_size, current, now, own)
        if parts is not None:
            return send_parts(exchange, file, status.st_size, parts, fields)
    try:
        small = posix.pread(file, status.st_size, 0) if status.st_size <= SMALL else b""
    except OSError as error:
        return reply.page(500, f"reading the file: {error.strerror}")
    reply.begin(200, fields, status.st_size, small)
    reply.write_file(file, len(small), status.st_size - len(small))
    return reply.end()


def check_preconditions(exchange: Exchange, current: Validators, now: float, vary: "Fields") -> Outcome | None:
    """Answer 304 or 412 if the request's preconditions want that (RFC 9110 §13).  Raises PeerGone."""
    reply, given = exchange.reply, exchange.head.fields
    if not any(name.startswith(b"if-") for name in given):
        return None
    from selsock.handler.serve.conditional import evaluate

    wanted = evaluate(given, current, now)
    if wanted == 412:
        return reply.page(412, "a precondition that does not hold", vary)
    if wanted == 304:  # RFC 9110 §15.4.5 says with which fields
        reply.begin(304, [*vary, ("ETag", current.tag.decode())] if current.tag else vary, None)
        return reply.end()
    return None


def ranges_of(
    given: "dict[bytes, bytes]", size: int, current: Validators, now: float, own: "Fields"
) -> "list[tuple[int, int]] | None":
    """Offset and length of each part that Range asks for, as ``parse_ranges``; None for the whole file."""
    from selsock.handler.serve.conditional import same_as_before

    if not same_as_before(given, current, now):
        return None
    from selsock.handler.serve.ranges import MOST, parse_ranges

    # With several parts nobody could tell whether Content-Encoding speaks of each of them or of all together.
    most = 1 if any(name == "Content-Encoding" for name, _ in own) else MOST
    return parse_ranges(given[b"range"], size, most)


def send_parts(exchange: Exchange, file: int, size: int, parts: "list[tuple[int, int]]", fields: "Fields") -> Outcome:
    """Answer with ``parts`` of the open ``file`` (RFC 9110 §15.3.7), or that there are none (§15.5.17).

    ``fields`` are those of the whole, Content-Type first.  Raises PeerGone.
    """
    from selsock.handler.serve.ranges import content_range, part_heads

    reply = exchange.reply
    if not parts:
        reason = "a range that is not in the file"
        return reply.page(416, reason, [("Content-Range", f"bytes */{size}"), *(f for f in fields if f == VARY)])
    if len(parts) == 1:
        ((offset, length),) = parts
        reply.begin(206, [*fields, ("Content-Range", content_range(offset, length, size))], length)
        reply.write_file(file, offset, length)
        return reply.end()
    (_, kind), *others = fields
    boundary = posix.urandom(16).hex()  # long enough not to occur in the file, unguessable for who wrote that
    *heads, end = part_heads(parts, size, kind, boundary)
    total = sum(map(len, heads)) + sum(length for _, length in parts) + len(end)
    reply.begin(206, [("Content-Type", f"multipart/byteranges; boundary={boundary}"), *others], total)
    for head, (offset, length) in zip(heads, parts, strict=True):
        reply.write(head)
        reply.write_file(file, offset, length)
    reply.write(end)
    return reply.end()
