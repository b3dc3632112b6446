# SPDX-License-Identifier: Apache-2.0
"""The two machines of BENCH=vm: what is in them, and what runs in each.

The client runs inside, so that neither ssh nor QEMU's network is measured.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import avc, client, floors, site
from tests.bench.machine import planned
from tests.bench.rows import Group, Row, Shipped
from tests.bench.units import UNITS, changed, listener, started
from tests.machines.image import Recipe
from tests.machines.vm import VirtualMachine

MAKERS = (floors.python_floor, site.static, site.basic, site.wsgi, site.cgi)
PROGRAMS = "/usr/libexec/selsock"
ASKED, ASKED_PORT = f"{PROGRAMS}/asked", 8004
LABEL = '(filecon "{}" file (system_u object_r selsock_exec_t ((s0) (s0))))\n'
# Whatever answers here starts in selsock_t, and may listen where the rows are.
POLICY = "".join(map(LABEL.format, (floors.PROGRAM, f"{floors.PROGRAM}-held", ASKED)))
POLICY += "(allow selsock_t port_type (tcp_socket (name_bind)))\n"
FILES = {**site.FILES, **floors.FILES}
# As shipped, the policy does not tell of each denial: what is logged costs time.
RECIPE = Recipe(site.VHOST_YAML, FILES, {"selsock_bench": POLICY}, dontaudit=True)
# What serve has more in the machine without SELinux: the one record that is written there alone is not.
SILENCE = """
from selsock.handler.journal import Journal
record = Journal.record
Journal.record = lambda *given, **fields: fields["event"] == "unconfined" or record(*given, **fields)
main()
"""
SETTLE = 0.1  # seconds after a connection; see planned()
SECONDS_PER_SLICE = 0.5
SECONDS_PER_TURN = 600  # a limit
CONNECTIONS = 20  # of which the answers of asked.py, or the kernel's counts, are taken
FETCH = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from client import dial
row, connections = json.loads(sys.argv[2]), int(sys.argv[3])
for _ in range(connections):
    with dial(row["address"]) as dialled:
        dialled.sendall(row["request"].encode())
        answer = b""
        while part := dialled.recv(65536):
            answer += part
    print(answer.partition(b"\\r\\n\\r\\n")[2].decode())
    time.sleep(row["settle"])
"""


def prepare(machine: VirtualMachine, enforcing: bool) -> list[Row]:
    """Add the programs and units of the rows to a machine that was made from RECIPE; return the rows."""
    service, socket = (machine.ssh(f"cat {UNITS}/{name}").stdout for name in ("selsock@.service", "selsock.socket"))
    shipped = Shipped(socket, service)
    groups = [make(shipped) for make in (*MAKERS, asking)]
    files = {name: file for group in groups for name, file in group.files.items() if name not in FILES}
    files[f"{PROGRAMS}/client.py"] = (Path(client.__file__).read_bytes(), 0o644)
    if not enforcing:
        serve = machine.ssh(f"cat {PROGRAMS}/serve").stdout
        files[f"{PROGRAMS}/serve"] = (serve.replace("\nmain()\n", SILENCE).encode(), 0o755)
    for name, (content, mode) in files.items():
        machine.put(name, content, mode)
    machine.ssh("set -e\nsystemctl daemon-reload\n" + "".join(group.setup for group in groups))
    return rows_of(groups)


def rows_of(groups: Sequence[Group]) -> list[Row]:
    """The rows of groups, less those of what passwords alone make dear, which has nothing to do with SELinux."""
    return [row for group in groups for row in group.rows if "bcrypt" not in row.name and "users" not in row.name]


def asking(shipped: Shipped) -> Group:
    """No row, but the instance that notes what it asks."""
    program = Path(__file__).with_name("asked.py").read_bytes()
    service = changed(shipped.service, {"ExecStart": [f"{ASKED} /var/lib/selsock/table.cdb"]})
    files = {ASKED: (program, 0o755), **listener(shipped, "asked", ASKED_PORT, service)}
    return Group((), files, setup=started("asked"))


def measured(machine: VirtualMachine, rows: Sequence[Row], rounds: int, **plan: int) -> dict[str, dict[str, Any]]:
    """What client.py found in ``rounds`` of all rows, by the row's name; see measure() there for the ``plan``."""
    whole = {"rows": [planned(row, SETTLE) for row in rows], "rounds": rounds, "seconds": SECONDS_PER_SLICE, **plan}
    done = machine.ssh(f"python3 -I {PROGRAMS}/client.py", input=json.dumps(whole), timeout=SECONDS_PER_TURN)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def asked(machine: VirtualMachine) -> list[dict[str, Any]]:
    """What asked.py answered, by connection."""
    row = planned(site.own(14, "asked", address=ASKED_PORT), SETTLE)
    done = machine.ssh(["python3", "-I", "-c", FETCH, PROGRAMS, json.dumps(row), str(CONNECTIONS)], timeout=600)
    return [json.loads(line) for line in done.stdout.splitlines()]


def counted(machine: VirtualMachine, row: Row) -> dict[str, float]:
    """What one connection adds to the counts of the access vector cache."""
    words = ["python3", "-I", "-c", avc.COUNT, PROGRAMS, json.dumps(planned(row, SETTLE)), str(CONNECTIONS)]
    before, after, idle = (avc.read(text) for text in json.loads(machine.ssh(words, timeout=600).stdout))
    return avc.per_connection(before, after, idle, CONNECTIONS)


def cache(machine: VirtualMachine) -> dict[str, str]:
    """How large the access vector cache may get, and how large it is."""
    names = ("cache_threshold", "hash_stats")
    return {name: machine.ssh(f"cat {avc.DIRECTORY}/{name}").stdout.strip() for name in names}
