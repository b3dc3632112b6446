# SPDX-License-Identifier: Apache-2.0
"""restrain: umask and resource limits of a vhost, from below the line on: for this process, and for all that it starts."""

from selsock.cores import import_module, posix
from selsock.errors import LimitFault
from selsock.handler.confine import Confined

RESOURCE = "resource"


def load(limits: "dict[str, int]") -> None:
    """Load what ``restrain`` needs for ``limits``, which is a file: above the line."""
    if any(name.startswith("RLIMIT_") for name in limits):
        import_module(RESOURCE)


def restrain(confined: Confined) -> None:
    """Lower what the limits of its vhost name, hard limits included, so that nothing raises it again.

    What is lower already stays as it is.  Raises LimitFault.
    """
    for name, most in confined.vhost.limits.items():
        if name == "umask":
            posix.umask(most)
        elif name.startswith("RLIMIT_"):
            resource = import_module(RESOURCE)  # which has been loaded
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            try:
                resource.setrlimit(kind, (least, least))
            except OSError as error:
                raise LimitFault(f"{name} of {confined.vhost.name}: {error.strerror}") from None
