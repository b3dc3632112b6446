# SPDX-License-Identifier: Apache-2.0
"""child: a program started for one request, by fork and execve, with three pipes and nothing else of ours."""

from selsock.cores import posix, signal, time
from selsock.handler.confine import Confined
from selsock.handler.serve.gateway import become_tenant, end_session
from selsock.handler.serve.script import NoScript, Script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

    Pipe = tuple[int, int]

FORBIDDEN = (1, 13)  # EPERM, EACCES of errno(3)
ABSENT = 2  # ENOENT: execve(2) says so of an interpreter, too
CURRENT_BYTES = 4096
TRANSITION_SECONDS = 1.0
CLOSED = -1


class Child:
    """A running program.  ``life`` is a pidfd, which can be read once it has ended; ``input`` leads to its standard
    input, ``output`` and ``errors`` come from the other two.  None of the four ever blocks."""

    __slots__ = ("errors", "input", "life", "output", "pid", "status")

    def __init__(self, pid: int, feed: int, output: int, errors: int) -> None:
        self.pid: Final = pid
        self.life: Final = posix.pidfd_open(pid)
        self.input = feed
        self.output: Final = output
        self.errors = errors
        self.status: int | None = None
        for end in (feed, output, errors):
            posix.set_blocking(end, False)

    def close_input(self) -> None:
        """It has had all of its input."""
        if self.input != CLOSED:
            posix.close(self.input)
            self.input = CLOSED

    def close_errors(self) -> None:
        """It will say nothing more there."""
        if self.errors != CLOSED:
            posix.close(self.errors)
            self.errors = CLOSED

    def end(self) -> int:
        """End it, if it has not ended, and what it has started in its session; its wait status."""
        if self.status is None:
            self.status = end_session(self.pid)
        return self.status

    def close(self) -> None:
        """Close what leads to it."""
        self.close_input()
        self.close_errors()
        posix.close(self.output)
        posix.close(self.life)


def start(confined: Confined, script: Script, environ: "dict[str, bytes]") -> Child:
    """Run ``script``.  Raises NoScript when it cannot be run, or is not in the domain that it was to enter."""
    context = wanted_context(confined, script)
    pipes: list[Pipe] = []
    try:
        while len(pipes) < 4:
            pipes.append(posix.pipe2(posix.O_CLOEXEC))
        pid = posix.fork()
    except OSError as error:
        for pipe in pipes:
            for end in pipe:
                posix.close(end)
        raise NoScript(500, f"no process for {script.path}: {error.strerror}") from None
    (stdin, feed), (output, stdout), (errors, stderr), (told, tell) = pipes
    if pid == 0:
        become(confined, script, environ, context, (stdin, stdout, stderr), tell)
    for end in (stdin, stdout, stderr, tell):
        posix.close(end)
    child = Child(pid, feed, output, errors)
    try:
        number = int.from_bytes(posix.read(told, 4), "big")  # nothing, once execve has closed it
        posix.close(told)
        if number:
            reason = f"{script.command[0]} could not be run: {posix.strerror(number)}"
            reason += " (it, or the interpreter in its first line)" if number == ABSENT else ""
            raise NoScript(403 if number in FORBIDDEN else 500, reason)
        if context is not None:
            verify(confined, pid, context)
    except NoScript:
        child.end()
        child.close()
        raise
    return child


def wanted_context(confined: Confined, script: Script) -> str | None:
    """The context that the script asks for: its domain, with all the rest of this process's own.

    None if it is to stay in the same, or where SELinux is optional and does not enforce: then there is none to enter.
    """
    parts = confined.context.split(":", 3)
    if script.domain is None or len(parts) < 4:
        return None
    user, role, _, level = parts
    return f"{user}:{role}:{script.domain}:{level}"


def become(
    confined: Confined,
    script: Script,
    environ: "dict[str, bytes]",
    context: str | None,
    streams: "tuple[int, int, int]",
    tell: int,
) -> "NoReturn":
    """The child's side, up to execve; ``tell`` gets its errno if that fails."""
    try:
        for target, stream in enumerate(streams):
            posix.dup2(stream, target)
        become_tenant(confined, tell, environ)
        # What is ignored stays ignored across execve; Python ignores these two.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        posix.chdir(script.path.rpartition("/")[0].encode() or b"/")  # RFC 3875 §7.2
        if context is not None:
            # proc_pid_attr(5).  Under no_new_privs, execve fails unless the policy allows nnp_transition to it.
            file = posix.open("/proc/thread-self/attr/exec", posix.O_WRONLY | posix.O_CLOEXEC)
            posix.write(file, context.encode())
            posix.close(file)
        command = [argument.encode() for argument in script.command]
        posix.execve(command[0], command, posix.environ)
    except OSError as error:
        posix.write(tell, (error.errno or 5).to_bytes(4, "big"))
    finally:
        posix._exit(127)


def verify(confined: Confined, pid: int, context: str) -> None:
    """Make sure that the child is in ``context``.  Raises NoScript.

    The kernel closes descriptors a moment before it installs the credentials (begin_new_exec of fs/exec.c), so for that
    moment the context of this process is still the child's.
    """
    end = time.monotonic() + TRANSITION_SECONDS
    while (found := context_of(pid)) != context:
        if found != confined.context or time.monotonic() > end:
            raise NoScript(500, f"the script was to run as {context}, but the kernel reports {found}")
        time.sleep(0.001)


def context_of(pid: int) -> str:
    """The context of process ``pid``, in the kernel's own words, or why it does not tell."""
    try:
        file = posix.open(f"/proc/{pid}/attr/current", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            return posix.read(file, CURRENT_BYTES).decode().rstrip("\0\n")
        finally:
            posix.close(file)
    except OSError as error:
        return error.strerror or "nothing"
