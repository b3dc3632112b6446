# SPDX-License-Identifier: Apache-2.0
"""How a program for administrators ends: by a status, and, where it is not 0, by one line on stderr."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from selsock.generate.faults import MachineFault
from selsock.generate.source import BadSource

DONE = 0
BAD = 2  # the configuration or the command line
MACHINE = 3  # this machine stands in the way


class Arguments(argparse.ArgumentParser):
    """A parser whose error is one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(BAD, f"{self.prog}: {message}\n")


def ended(program: str, work: Callable[[], int]) -> int:
    """The status of ``work``, or of the way in which it failed: MachineFault, BadSource, OSError or an interruption."""
    try:
        return work()
    except BadSource as error:
        print(error, file=sys.stderr)
        return BAD
    except MachineFault as error:
        print(f"{program}: {error}", file=sys.stderr)
        return MACHINE
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return MACHINE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {where}{error.strerror or error}", file=sys.stderr)
        return MACHINE
