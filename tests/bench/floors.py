# SPDX-License-Identifier: Apache-2.0
"""Rows 1 and 2: what is left when selsock is taken out of its own unit, in C and in Python."""

from tests.bench.rows import Group, Held, Row, Shipped, of_unit
from tests.bench.units import changed, listener, started

REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
PAGE = b"hello\n"
PROGRAM = "/usr/libexec/selsock/floor"
# As packaging/serve.in begins; the answer is written and the process gone.
FLOOR = b"""#!/usr/bin/python3 -ISB
import posix
posix.read(3, 16384)
posix.write(3, b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\nhello\\n")
posix._exit(0)
"""
# The same one again, but that it waits for the client to go, so that its memory can be looked at.
HELD = FLOOR.replace(b"posix._exit", b"posix.read(3, 1)\nposix._exit")
FILES = {PROGRAM: (FLOOR, 0o755), f"{PROGRAM}-held": (HELD, 0o755)}  # always there: other groups use them, too
# More than the buffers of both ends take: the program is still writing when its memory is looked at.
LARGE = b"GET /large HTTP/1.0\r\n\r\n"


def c_floor(shipped: Shipped) -> Group:
    """Debian's micro-httpd.  It reads and writes on its standard input and output, as under inetd."""
    lines = {"StandardInput": ["socket"], "StandardOutput": ["socket"]}
    command = {"ExecStart": ["/usr/sbin/micro-httpd /srv/floor"]}
    files = listener(shipped, "cfloor", 8001, changed(shipped.service, {**command, **lines}))
    cgroups = of_unit("cfloor")
    held = Held(LARGE, 8001, cgroups.instance)
    row = Row(1, "C floor: micro-httpd, as from inetd", 8001, REQUEST, PAGE, cgroups, held=held)
    content = {"/srv/floor/index.html": (PAGE, 0o644), "/srv/floor/large": (bytes(16 << 20), 0o644)}
    return Group((row,), {**files, **content}, setup=started("cfloor"))


def python_floor(shipped: Shipped) -> Group:
    """The bare interpreter, which answers a constant from three lines."""
    units = (("floor", 8002, PROGRAM), ("held", 8003, f"{PROGRAM}-held"))
    files: dict[str, tuple[bytes, int]] = {}
    for name, port, program in units:
        files |= listener(shipped, name, port, changed(shipped.service, {"ExecStart": [program]}))
    held = Held(REQUEST, 8003, of_unit("held").instance)
    row = Row(2, "Python floor", 8002, REQUEST, PAGE, of_unit("floor"), held=held)
    return Group((row,), files, setup=started("floor", "held"))
