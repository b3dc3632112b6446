# SPDX-License-Identifier: Apache-2.0
"""make bench BENCH=hosting: what many customers cost: an apply, what it says it would do, the proof, a visit to each.

Natively: a real semodule on the whole of Debian's policy in a root tree, and a real systemd for the visits; the kernel has no
SELinux, so what it would say of a context is asked of the policy in the store.
"""

import argparse
import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.facts import facts
from tests.bench.table import facts_line
from tests.machines.install import write_files
from tests.machines.native import NativeMachine
from tests.machines.packages import install, packages
from tests.machines.trees import overlay, run_in, tree

PROGRAM = "/root/apply_natively.py"
APPLY = Path(__file__).parents[1] / "machines/apply_natively.py"
SOURCE = "/etc/selsock/vhost.yaml"
FILES = 20  # of each customer
HEAD = """selinux: optional
listen: [8080]
limits: {connections_per_source: 0, connections_per_second: 10000}
domains: {web: {}, app: {python: true}}
contexts: [{any: true}]
vhosts:
"""


def source(count: int) -> str:
    """The vhosts of ``count`` customers, of each four one with an application."""
    return HEAD + "".join(
        f"  c{number}.example: {{root: /srv/vhosts/c{number}, domain: {'app' if number % 4 == 0 else 'web'}, range: auto}}\n"
        for number in range(count)
    )


class Rows:
    """What was measured, in seconds, printed as it comes."""

    def __init__(self) -> None:
        print(f"{'what':58} {'seconds':>8}")

    @contextmanager
    def row(self, what: str) -> Iterator[None]:
        """Measure the block."""
        start = time.monotonic()
        yield
        print(f"{what:58} {time.monotonic() - start:8.1f}", flush=True)


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=hosting ARGS=…", allow_abbrev=False)
    parser.add_argument("--vhosts", type=int, default=1000)
    count = parser.parse_args().vhosts
    rows = Rows()
    with overlay(tree("trixie")) as root:
        install(root, packages().paths())
        names = [
            f"/srv/vhosts/c{number}/{name}" for number in range(count + 1) for name in [*range(FILES), "index.html"]
        ]
        write_files(root, {name: (b"hello\n", 0o644) for name in names})
        write_files(root, {PROGRAM: (APPLY.read_bytes(), 0o644)})
        applies(root, rows, count)
        print(facts_line(facts(lambda command: run_in(root, command).stdout)))
        visits(root, rows, count)


def applies(root: Path, rows: Rows, count: int) -> None:
    """Each step of a life with ``count`` customers."""

    def run(words: str) -> str:
        return run_in(root, words.split(), check=False, timeout=1800).stdout

    def write(number: int) -> None:
        write_files(root, {SOURCE: (source(number).encode(), 0o644)})

    apply = f"/usr/bin/python3 -IB {PROGRAM} {SOURCE}"
    write(count)
    with rows.row(f"{count:,} vhosts: selsock-generate --check"):
        run(f"selsock-generate --check {SOURCE}")
    with rows.row(f"the first apply, {count * (FILES + 2):,} files to label"):
        run(apply)
    with rows.row("an apply that changes nothing"):
        run(apply)
    write(count + 1)
    with rows.row("--diff of one vhost more"):
        run(f"selsock-generate --diff {SOURCE}")
    with rows.row("the apply of one vhost more"):
        said = run(apply)
    print(" ", next(line for line in said.splitlines() if line.startswith("labelled")))
    write(count)
    with rows.row("the apply of one vhost less"):
        run(apply)
    with rows.row("every root looked at again (--relabel)"):
        run(f"{apply} --relabel")
    (policy,) = (root / "etc/selinux/default/policy").glob("policy.*")
    with rows.row(f"selsockctl verify, {count * (count - 1):,} pairs, by the policy"):
        said = run(f"selsockctl verify --policy /{policy.relative_to(root)}")
    print(" ", said.splitlines()[-1])


def visits(root: Path, rows: Rows, count: int) -> None:
    """One connection to each vhost, one after the other; and as many to one."""
    run_in(root, ["systemctl", "enable", "selsock.socket"])
    with NativeMachine(root, "hosting") as machine:
        for what, step in (("one connection to each vhost", 1), ("as many to one vhost", 0)):
            with rows.row(what):
                for number in range(count):
                    visit(machine, f"c{number * step}.example")


def visit(machine: NativeMachine, host: str) -> None:
    """One request.  Raises RuntimeError when it is not answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    connection.sock = machine.connect(8080)
    connection.request("GET", "/", headers={"Host": host, "Connection": "close"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{host}: {answer.status}")


if __name__ == "__main__":
    main()
