# SPDX-License-Identifier: Apache-2.0
"""service: one child for each question, which reads it, answers it and ends.

This process accepts, forks, and keeps what is to be remembered (``memory.py``).  It never reads a question, so it never
has a password; and it reads no file of users.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from typing import NoReturn

from selsock.identify.answer import PACKET_BYTES, Limited, Refused, Unable, packet
from selsock.identify.crypt import binding
from selsock.identify.memory import Memory
from selsock.identify.question import Question, answer

CHILDREN = 32  # at once; who comes later waits in the backlog
CHECK_SECONDS = 20  # then the kernel ends a child; bcrypt at cost 15 takes about 1.6 s
QUESTION_SECONDS = 5.0  # until the question has come
REPORT_BYTES = 4096  # a pipe keeps a write of so many in one piece (pipe(7))


class Service:
    """Accepts at ``listening``, and answers by the table at the path ``table``."""

    def __init__(self, listening: socket.socket, table: str) -> None:
        self.listening = listening
        self.table = table
        self.memory = Memory()
        self.children: dict[int, int] = {}  # the pipe of each, and its pid
        self.selector = selectors.DefaultSelector()
        self.selector.register(listening, selectors.EVENT_READ)

    def run(self) -> NoReturn:
        """Serve until the process is ended.  What is loaded by now is the children's, too, and is no garbage."""
        with contextlib.suppress(ImportError):  # whoever needs it then says so
            binding()
        gc.freeze()
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listening:
                    self.accept()
                else:
                    self.hear(key.fd)

    def accept(self) -> None:
        """Start a child for the next question."""
        try:
            connection, _ = self.listening.accept()
        except OSError:
            return  # whoever it was has gone
        with connection:
            reading, writing = os.pipe()
            try:
                pid = os.fork()
            except OSError as error:
                print(f"<3>no child to answer in: {error.strerror}", file=sys.stderr, flush=True)
                os.close(reading)
                os.close(writing)
                return
            if pid == 0:
                self.answer_and_end(connection, writing)
        os.close(writing)
        self.children[reading] = pid
        self.selector.register(reading, selectors.EVENT_READ)
        if len(self.children) == CHILDREN:
            self.selector.unregister(self.listening)

    def hear(self, reading: int) -> None:
        """Take a report of a child, or its end."""
        if report := os.read(reading, REPORT_BYTES):
            self.remember(report.decode().split())
            return
        self.selector.unregister(reading)
        os.close(reading)
        os.waitpid(self.children.pop(reading), 0)
        if len(self.children) == CHILDREN - 1:
            self.selector.register(self.listening, selectors.EVENT_READ)

    def remember(self, words: list[str]) -> None:
        """What a child has to tell: one report at most."""
        match words:
            case ["failed", source, window]:
                self.memory.failed(source, int(window))
            case ["right", mark, seconds]:
                self.memory.was_right(bytes.fromhex(mark), int(seconds))

    def answer_and_end(self, connection: socket.socket, writing: int) -> NoReturn:
        """The whole life of a child."""
        status = 1
        try:
            signal.alarm(CHECK_SECONDS)
            self.selector.close()
            self.listening.close()
            connection.settimeout(QUESTION_SECONDS)
            question = Question.parse(connection.recv(PACKET_BYTES))
            told = answer(question, self.table, self.memory, lambda report: _write(writing, report))
            connection.sendall(packet(told))
            status = 0
        except (Refused, Limited, Unable) as outcome:
            connection.sendall(packet(outcome))
            status = 0
        except Exception as defect:  # noqa: BLE001  # the one edge: nothing is answered, and the journal says why
            print(f"<3>{type(defect).__name__}: {defect}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)


def _write(writing: int, report: str) -> None:
    os.write(writing, report.encode())
