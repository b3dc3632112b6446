# SPDX-License-Identifier: Apache-2.0
"""Row 11: the same page from tables of several sizes: the handler has the path of its table as an argument."""

from dataclasses import dataclass

from tests.bench import site
from tests.bench.floors import PAGE
from tests.bench.rows import Group, Held, Row, Shipped, of_unit
from tests.bench.units import changed, listener, started

VHOSTS = (1, 1_000, 10_000)
USERS = (10, 1_000_000)
FIRST_PORT = 8400
HTPASSWD = "/etc/selsock/users.htpasswd"
# The others' roots are never looked at.
VHOST = """  v{number}.example:
    root: /srv/vhosts/{root}
    domain: public
    range: s0
"""
OF_A_MAP = f"    auth: {{basic: {{realm: A, file: {HTPASSWD}}}}}\n    contexts: [{{map: /etc/selsock/NAME.map}}]\n"
GENERATE = """selsock-generate --output /stage/{name} /etc/selsock/{name}.yaml
install -g selsock -m 640 /stage/{name}/var/lib/selsock/table.cdb /var/lib/selsock/{name}.cdb
rm -r /stage
"""


@dataclass(frozen=True)
class Table:
    """A table, and the request that finds its way through it, from the middle of what it holds."""

    name: str  # of the table and of the units
    size: str
    sites: str  # vhosts, as in vhost.yaml
    host: str
    user: str = ""
    staging: str = ""  # shell, run before the table is made


def of_vhosts(size: int) -> Table:
    """Many vhosts."""
    asked = size // 2
    roots = ("a" if number == asked else f"none/{number}" for number in range(size))
    sites = "".join(
        f"{VHOST.format(number=number, root=root)}    contexts: [{{any: true}}]\n" for number, root in enumerate(roots)
    )
    return Table(f"vhosts{size}", f"{size:,} vhost{'s' if size > 1 else ''}", sites, f"v{asked}.example")


def of_users(size: int) -> Table:
    """Many users in a map; the password file, which is searched from its beginning, has the one alone."""
    name, user = f"users{size}", f"user{size // 2}"
    sites = VHOST.format(number=0, root="a") + OF_A_MAP.replace("NAME", name)
    staging = f"seq -f 'user%.0f public:s0' {size} >/etc/selsock/{name}.map\n"
    staging += f"echo '{user}:{site.SHA}' >>{HTPASSWD}\n"
    return Table(name, f"{size:,} users in a map", sites, "v0.example", user, staging)


def tables(shipped: Shipped) -> Group:
    """One row for each table; the base is the least of its kind."""
    rows: list[Row] = []
    staging = ""
    files: dict[str, tuple[bytes, int]] = {}
    kinds = [of_vhosts(size) for size in VHOSTS], [of_users(size) for size in USERS]
    made = [(table, kind[0]) for kind in kinds for table in kind]
    for table, least in made:
        port = FIRST_PORT + len(rows)
        command = {"ExecStart": [f"/usr/libexec/selsock/serve /var/lib/selsock/{table.name}.cdb"]}
        text = f"selinux: optional\nlisten: [{port}]\ndomains: {{public: {{}}}}\nvhosts:\n{table.sites}"
        files |= {f"/etc/selsock/{table.name}.yaml": (text.encode(), 0o644)}
        files |= listener(shipped, table.name, port, changed(shipped.service, command))
        staging += table.staging + GENERATE.format(name=table.name)
        rows.append(row(table, port, f"table of {least.size}"))
    return Group(tuple(rows), files, staging, started(*(table.name for table, _ in made)))


def row(table: Table, port: int, base: str) -> Row:
    """The row of a table."""
    asked, kept = (site.request(user=table.user, host=table.host, close=close) for close in (True, False))
    cgroups = of_unit(table.name)
    held = Held(kept, port, cgroups.instance)
    return Row(11, f"table of {table.size}", port, asked, PAGE, cgroups, base=base, held=held)
