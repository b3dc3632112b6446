# SPDX-License-Identifier: Apache-2.0
"""identify: RequestHead to Identity.  Passwords are decoded and checked in a child that ends; nobody starts granted.

The parent never opens the password file and never slices the credentials: they lie in the head's buffer, and, once
verified, in one ``Credentials``, so that they can be wiped in place.
"""

from selsock.cores import Final, compare_digest, posix, socket, time
from selsock.errors import EXIT_BUG, Challenge, IdentityFault
from selsock.handler.head import HeadBuffer, RequestHead
from selsock.model import Basic, Rule, Vhost
from selsock.names import UserName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

VERDICT_SECONDS = 20.0  # bcrypt at cost 15 takes about 1.6 s; what takes longer is an error of the password file
SIGKILL = 9  # signal(7)
GRANTED = b"granted "
REFUSED = b"refused "
UNABLE = b"unable "


class Identity:
    """Who is asking: an authenticated ``user``, or None for anonymous; and what maps have for him, once asked."""

    __slots__ = ("mapped", "user")

    def __init__(self, user: UserName | None) -> None:
        self.user: Final = user
        self.mapped: dict[Rule, Rule | None] = {}


class Credentials:
    """The verified value of Authorization, kept to recognise it in later requests of the connection."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = bytearray()

    def keep(self, head: RequestHead, buffer: HeadBuffer) -> None:
        """Move the value here from ``buffer``, and wipe it there."""
        start, end = head.credentials
        self.value = bytearray(memoryview(buffer.data)[start:end])
        buffer.wipe_span(start, end)

    def recognise(self, head: RequestHead, buffer: HeadBuffer) -> bool:
        """Whether ``head`` carries exactly this value, which is then wiped in ``buffer``."""
        start, end = head.credentials
        same = compare_digest(memoryview(buffer.data)[start:end], self.value)
        buffer.wipe_span(start, end)
        return same

    def wipe(self) -> None:
        """Overwrite with zeros, in place.  A child that is to run a tenant's code calls it first."""
        memoryview(self.value)[:] = bytes(len(self.value))


def identify(head: RequestHead, buffer: HeadBuffer, credentials: Credentials, vhost: Vhost) -> Identity:
    """Return who is asking.  Credentials for a vhost without authentication are wiped, not looked at.

    Raises Challenge (401) when they are wrong, IdentityFault (503) when they cannot be checked.
    """
    if vhost.basic is None or head.credentials == (0, 0):
        buffer.wipe_span(*head.credentials)
        return Identity(None)
    try:
        parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        pid = posix.fork()
    except OSError as error:
        raise IdentityFault(f"no child to check the password in: {error.strerror}") from None
    if pid == 0:
        answer_and_end(child, buffer, head.credentials, vhost.basic)
    child.close()
    verdict = read_verdict(parent, pid)
    if verdict.startswith(UNABLE):
        raise IdentityFault(verdict.removeprefix(UNABLE).decode(errors="replace"))
    if verdict.startswith(REFUSED):
        raise Challenge(vhost.basic.realm, verdict.removeprefix(REFUSED).decode(errors="replace"))
    if not verdict.startswith(GRANTED):
        raise IdentityFault("the child that checks passwords ended without a verdict")
    credentials.keep(head, buffer)
    return Identity(UserName.parse(verdict.removeprefix(GRANTED).decode()))  # the one line that grants


def read_verdict(parent: "socket.socket", pid: int) -> bytes:
    """What the child ``pid`` says until it ends; nothing at all unless it also ends well.  Reaps it in every case."""
    verdict = b""
    deadline = time.monotonic() + VERDICT_SECONDS
    try:
        while True:
            parent.settimeout(max(0.001, deadline - time.monotonic()))
            part = parent.recv(1024)
            if not part:
                break
            verdict += part
    except OSError:
        verdict = UNABLE + b"no verdict on the password in time"
        posix.kill(pid, SIGKILL)
    parent.close()
    _, status = posix.waitpid(pid, 0)
    return verdict if status == 0 or verdict.startswith(UNABLE) else b""


def answer_and_end(child: "socket.socket", buffer: HeadBuffer, span: "tuple[int, int]", basic: Basic) -> "NoReturn":
    """The whole life of the child: decode, verify, tell the verdict, end."""
    status = EXIT_BUG
    try:
        child.sendall(judge(bytes(buffer.data[span[0] : span[1]]), basic))
        status = 0
    except IdentityFault as fault:
        child.sendall(UNABLE + fault.reason.encode())
        status = 0
    finally:
        posix._exit(status)


def judge(credentials: bytes, basic: Basic) -> bytes:
    """The verdict on ``credentials``, the value of an Authorization field.  Raises IdentityFault."""
    from selsock.handler.htpasswd import verify  # imported in the child alone
    from selsock.password_cores import binascii

    scheme, _, token = credentials.partition(b" ")
    if scheme.lower() != b"basic":
        return REFUSED + b"a scheme other than Basic"
    try:
        decoded = binascii.a2b_base64(token.strip(b" "), strict_mode=True)
        user, colon, password = decoded.partition(b":")
        name = user.decode()
        password.decode()
    except ValueError:
        return REFUSED + b"credentials that are no base64 of UTF-8 (RFC 7617 \xc2\xa72)"
    if not colon or not UserName.accepts(name) or b"\0" in password:
        return REFUSED + b"credentials that are no user, colon and password (RFC 7617 \xc2\xa72)"
    if not verify(basic.file, user, password):
        return REFUSED + b"wrong password or unknown user " + user
    return GRANTED + user
