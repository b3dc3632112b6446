# SPDX-License-Identifier: Apache-2.0
"""A visitor with a real curl: one or several requests, by the name of a vhost, to a port of 127.0.0.1."""

import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """The status of one response and its content."""

    status: int
    content: str


def curl(port: int, url: str, user: str = "", options: tuple[str, ...] = ()) -> Answer:
    """Get ``url``, whose host is any vhost, from ``port``; ``user`` is NAME:PASSWORD."""
    return curls(port, [(url, user)], options)[0]


def curls(port: int, requests: list[tuple[str, str]], options: tuple[str, ...] = ()) -> list[Answer]:
    """Several requests, (url, user) each, by one curl, which keeps its connections open in between.

    Raises CalledProcessError when curl meets anything but an HTTP response.
    """
    command = ["curl"]
    for url, user in requests:
        if len(command) > 1:
            command.append("--next")
        # --connect-to leaves Host as it is; the same destination makes curl use one connection for all.
        command += ["--silent", "--show-error", "--max-time", "60", "--connect-to", f"::127.0.0.1:{port}"]
        command += ["--write-out", "\x1e%{http_code}\x1d", *options]
        command += ["--user", user] if user else []
        command.append(url)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    answers = []
    for part in done.stdout.split("\x1d")[:-1]:
        content, _, status = part.rpartition("\x1e")
        answers.append(Answer(int(status), content))
    return answers
