# SPDX-License-Identifier: Apache-2.0
"""Every way in which a connection can end, in two trees: the peer's fault and ours.

The exit statuses stand here and nowhere else; ``selsock-generate`` renders them into the unit.  The raiser names the
HTTP status and the reason; the edge (``handler/__main__``) only prints them.
"""

from selsock.cores import Final

# Exit statuses of an instance.  0, 10 and 11 are ordinary (SuccessExitStatus= in the unit); the others mean that this
# machine has something to mend, and show as a failed unit in the journal.
EXIT_SERVED = 0  # answered, or closed so that the client comes again on a connection of its own
EXIT_REFUSED = 10  # not ours: a 4xx, 501 or 505 was sent, or 503 where a vhost has all connections that it may have
EXIT_GONE = 11  # the peer left, or was too slow to take its answer
EXIT_TABLE = 20  # the compiled table is missing, cut short or of another format
EXIT_POLICY = 21  # SELinux is disabled or permissive, or the policy is of another generation
EXIT_CONFINE = 22  # the context could not be entered
EXIT_IDENTITY = 23  # nobody can tell whether a password is right
EXIT_ADOPT = 24  # started by something that is not systemd's Accept=yes, or the journal is out of reach
EXIT_LIMIT = 25  # a limit of a vhost could not be set
EXIT_BUG = 70  # a defect of selsock (EX_SOFTWARE of sysexits.h)


class PeerFault(Exception):
    """The peer's fault.  ``status`` is the HTTP status to answer with, ``reason`` one line for peer and journal."""

    exit_status = EXIT_REFUSED

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status: Final = status
        self.reason: Final = reason


class Challenge(PeerFault):
    """401: credentials are needed, or were wrong.  ``realm`` goes into WWW-Authenticate (RFC 9110 §11.6.1)."""

    def __init__(self, realm: str, reason: str) -> None:
        super().__init__(401, reason)
        self.realm: Final = realm


class Limited(PeerFault):
    """429 (RFC 6585 §4): too many passwords from this address were wrong; or 503: others have what there is of something.
    ``words`` are seconds to wait, and a reason."""

    def __init__(self, words: str, status: int = 429) -> None:
        seconds, _, reason = words.partition(" ")
        super().__init__(status, reason)
        self.seconds: Final = seconds


class PeerGone(PeerFault):
    """Nobody is there to be answered: the peer closed, reset, or let the deadline pass without a word."""

    exit_status = EXIT_GONE

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason)


class OwnFault(Exception):
    """Our fault.  The peer learns the status alone; the journal gets the reason."""

    status = 503
    exit_status = EXIT_BUG

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


class AdoptFault(OwnFault):
    """No connection was handed over as sd_listen_fds(3) says, or journald cannot be reached."""

    exit_status = EXIT_ADOPT


class TableFault(OwnFault):
    """The table is missing, cut short, of another format, or contradicts itself."""

    exit_status = EXIT_TABLE


class PolicyFault(OwnFault):
    """SELinux does not enforce, the target domain is permissive, or the loaded policy is of another generation."""

    exit_status = EXIT_POLICY


class IdentityFault(OwnFault):
    """Who it is cannot be told: nobody answers, or what he reads is missing, unreadable, or holds what cannot be checked."""

    exit_status = EXIT_IDENTITY


class LimitFault(OwnFault):
    """A limit of a vhost could not be set: what would not be held to it is not served."""

    exit_status = EXIT_LIMIT


class ConfineFault(OwnFault):
    """setcon was refused, or the process is not where or what it has to be after it."""

    status = 500
    exit_status = EXIT_CONFINE
