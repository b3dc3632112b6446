# SPDX-License-Identifier: Apache-2.0
"""The kernel's access vector cache: how often a connection asks it, and how often it does not know.

Source: security/selinux/avc.c of Linux; the counts are there if it was built with CONFIG_SECURITY_SELINUX_AVC_STATS.
"""

Counts = dict[str, int]
DIRECTORY = "/sys/fs/selinux/avc"
# Run in the machine, with client.py's directory, a row and a number of connections: prints the counts before and after
# these, and after as long a time without any.  What follows an answer, such as the end of the instance, is part of it.
COUNT = f"""
import json, sys, time
sys.path.insert(0, sys.argv[1])
from client import connection
row, connections = json.loads(sys.argv[2]), int(sys.argv[3])
def read():
    with open("{DIRECTORY}/cache_stats") as stats:
        return stats.read()
connection(row)
time.sleep(row["settle"])
before, began = read(), time.monotonic()
for _ in range(connections):
    connection(row)
    time.sleep(row["settle"])
after, took = read(), time.monotonic() - began
time.sleep(took)
print(json.dumps([before, after, read()]))
"""


def read(text: str) -> Counts:
    """The sums over all processors of what cache_stats says: lookups, hits, misses, allocations, reclaims, frees.

    Raises ValueError for another form.
    """
    head, *lines = (line.split() for line in text.splitlines())
    columns = [[int(word) for word in column] for column in zip(*lines, strict=True)]
    return {name: sum(column) for name, column in zip(head, columns, strict=True)}


def per_connection(before: Counts, after: Counts, idle: Counts, connections: int) -> dict[str, float]:
    """What one connection adds to each count, less what the machine does by itself in the same time.

    ``idle`` was read as long after ``after`` as that after ``before``.
    """
    return {name: ((after[name] - before[name]) - (idle[name] - after[name])) / connections for name in before}
