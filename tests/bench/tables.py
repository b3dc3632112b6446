# SPDX-License-Identifier: Apache-2.0
"""Row 11: the same page from tables of several sizes, which the handler gets as its argument."""

from tests.bench.floors import PAGE
from tests.bench.rows import Group, Held, Row, Shipped, of_unit
from tests.bench.units import changed, listener, started

SIZES = (1, 1_000, 10_000)
FIRST_PORT = 8100
# The one that is asked for is in the middle; the others' roots are never looked at.
VHOST = """  v{number}.example:
    root: /srv/vhosts/{root}
    domain: public
    range: s0
    contexts: [{{any: true}}]
"""
GENERATE = """selsock-generate --output /stage/{unit} /etc/selsock/{unit}.yaml
install -g selsock -m 640 /stage/{unit}/var/lib/selsock/table.cdb {table}
rm -r /stage
"""


def vhosts(shipped: Shipped) -> Group:
    """One row for each number of vhosts; the base is that with one."""
    rows, staging = [], ""
    files: dict[str, tuple[bytes, int]] = {}
    for at, size in enumerate(SIZES):
        unit, port, asked = f"vhosts{size}", FIRST_PORT + at, size // 2
        roots = ("a" if number == asked else f"none/{number}" for number in range(size))
        sites = "".join(VHOST.format(number=number, root=root) for number, root in enumerate(roots))
        staging += staged(files, shipped, unit, port, f"vhosts:\n{sites}")
        request = f"GET / HTTP/1.1\r\nHost: v{asked}.example\r\nConnection: close\r\n\r\n".encode()
        name = f"table of {size:,} vhost{'s' if size > 1 else ''}"
        cgroups = of_unit(unit)
        held = Held(request.replace(b"Connection: close\r\n", b""), port, cgroups.instance)
        rows.append(Row(11, name, port, request, PAGE, cgroups, base="table of 1 vhost", held=held))
    return Group(tuple(rows), files, staging, started(*(f"vhosts{size}" for size in SIZES)))


def staged(files: dict[str, tuple[bytes, int]], shipped: Shipped, unit: str, port: int, sites: str) -> str:
    """Add the configuration and the units of a listener with a table of its own; returns the shell that makes the table."""
    table = f"/var/lib/selsock/{unit}.cdb"
    command = {"ExecStart": [f"/usr/libexec/selsock/serve {table}"]}
    text = f"selinux: optional\nlisten: [{port}]\ndomains: {{public: {{}}}}\n{sites}"
    files |= {f"/etc/selsock/{unit}.yaml": (text.encode(), 0o644)}
    files |= listener(shipped, unit, port, changed(shipped.service, command))
    return GENERATE.format(unit=unit, table=table)
