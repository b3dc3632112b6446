# SPDX-License-Identifier: Apache-2.0
"""Run in a root tree: selsock-generate as an enforcing machine runs it, on a machine whose kernel has no SELinux.

What the kernel would say of a context, the policy in the store says; all else is real.  Argument: the source.
"""

import sys
from pathlib import Path

(release,) = Path("/usr/lib/selsock").iterdir()
sys.path.insert(0, str(release))

from selsock.generate import __main__ as program
from selsock.generate import command_line
from selsock.generate.libselinux import Selinux


class Store(Selinux):
    """The policy in the store in place of the kernel."""

    def enabled(self) -> bool:
        """As on a machine that has SELinux."""
        return True

    def enforcing(self) -> bool:
        """As on a machine that enforces."""
        return True

    def knows(self, context: str) -> bool:
        """Whether the linked policy has the type."""
        (policy,) = Path("/etc/selinux/default/policy").glob("policy.*")
        return context.split(":")[2].encode() in policy.read_bytes()


vars(program)["Selinux"] = Store
sys.exit(command_line.ended("selsock-generate", lambda: program.main(sys.argv[1:])))
