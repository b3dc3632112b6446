# SPDX-License-Identifier: Apache-2.0
"""What can go wrong that is not the configuration's fault (``source.BadSource`` is for that)."""


class MachineFault(Exception):
    """This machine stands in the way: not root, no binding, a program of the system failed.  One line says how."""
