# SPDX-License-Identifier: Apache-2.0
"""Run programs of the host, and say what is going on.

A command that fails raises CommandFailed, whose text holds the command and all that it wrote: a red test must explain
itself. UNTIL_DEATH is put before a command that has to end when we do, even when we are killed with SIGKILL.
"""

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
UNTIL_DEATH = ("setpriv", "--pdeathsig", "KILL", "--")
# Debian's own PATH for root: the caller's may hide sbin, and may put another Python first.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Report = Callable[[str], None]
_started = time.monotonic()


class CommandFailed(Exception):
    """A command ended with a status other than 0."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.done = done
        super().__init__(f"exit status {done.returncode}: {shlex.join(done.args)}\n{done.stdout}{done.stderr}")


def cache() -> Path:
    """The directory for everything that is kept between runs."""
    path = Path(os.environ.get("SELSOCK_CACHE") or CHECKOUT / ".cache").absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def line(step: str) -> str:
    """A progress line: the seconds since the start, and what is done now."""
    return f"[{time.monotonic() - _started:6.1f} s] {step}"


def to_stderr(step: str) -> None:
    """Report one step to whoever waits at the terminal."""
    print(line(step), file=sys.stderr, flush=True)


@contextmanager
def signs_of_life(step: str, report: Report, every: float = 15) -> Iterator[None]:
    """Report now and then that ``step`` is still going on, within the block."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(every):
            report(f"still {step}")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    input: str | None = None,
    timeout: float | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run argv to its end with Debian's PATH and nothing else of the environment.

    Text is exact: line ends stay as they are, and bytes that are not UTF-8 are surrogates, in both directions.
    """
    done = subprocess.run(
        [str(word) for word in argv],
        check=False,  # below, with a better message
        input=(input or "").encode(errors="surrogateescape"),
        capture_output=True,
        timeout=timeout,
        cwd=cwd,
        env={"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", "TERM": "dumb"},
    )
    output, errors = (text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr))
    result = subprocess.CompletedProcess(done.args, done.returncode, output, errors)
    if check and result.returncode != 0:
        raise CommandFailed(result)
    return result
