# SPDX-License-Identifier: Apache-2.0
"""Whether something in front of selsock sends requests of several visitors over one connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from selsock.ctl.doctor.look import Look, Said, ok, warning

PERIOD = 3600.0  # seconds
MANY = 60  # in that time; a visitor who signs in is closed once
MOST = 100_000  # records that are counted


def proxy(look: Look) -> Iterator[Said]:
    """Connections of the last hour that were closed because the next request was somebody else's.  Raises MachineFault.

    A tenant could write such records; more than a warning does not come of it.
    """
    records = look.machine.records(PERIOD, SELSOCK_EVENT="closed")
    counts = Counter(str(record.get("SELSOCK_LISTENER", "?")) for record in islice(records, MOST))
    listeners = {entry.name for entry in look.given.configuration.listen}
    found = False
    for listener, count in sorted(counts.items()):
        if listener in listeners and count >= MANY:
            found = True
            what = f"{count} connections on {listener} were closed in the last hour, since the next request belonged elsewhere"
            yield warning(
                f"{what}: a proxy shares connections among visitors",
                "see docs/proxies.md: http-reuse never, or no keepalive",
            )
    if not found:
        yield ok("no proxy shares connections among visitors")
