# SPDX-License-Identifier: Apache-2.0
"""A message as llhttp, the parser of Node.js, reads it, by way of httptools."""

import httptools

from tests.fuzz.reading import Message, Refused, join


class Callbacks:
    """What httptools calls."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.url = self.content = b""
        self.lines: list[tuple[bytes, bytes]] = []
        self.messages = 0
        self.last = False

    def on_message_begin(self) -> None:
        """Another message."""
        self.url = self.content = b""
        self.lines = []

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self.url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field line, of head or trailers."""
        self.lines.append((name, value))

    def on_headers_complete(self) -> None:
        """The head's field lines are those so far."""
        self.head = join(self.lines)

    def on_body(self, part: bytes) -> None:
        """A part of the content."""
        self.content += part

    def on_message_complete(self) -> None:
        """The message ends with the byte fed last."""
        self.messages += 1
        self.last = not self.parser.should_keep_alive()


class ByLlhttp:
    """llhttp, one parser for the messages of a connection, one after the other."""

    name = "llhttp"

    def __init__(self) -> None:
        self.callbacks = Callbacks()

    def read(self, data: bytes, start: int, expected: int) -> Message:
        """The message at ``start``, which may end at ``expected``.  Raises Refused."""
        callbacks, before = self.callbacks, self.callbacks.messages
        feed = callbacks.parser.feed_data
        end = expected - 1
        try:
            feed(data[start:end])
            if callbacks.messages != before:
                raise Refused("the message ends earlier")
            while callbacks.messages == before:
                if end == len(data):
                    raise Refused("not the whole message")
                end += 1
                feed(data[end - 1 : end])
        except httptools.HttpParserUpgrade as upgrade:  # httptools ends the message behind the head
            end = (start if end < expected else end - 1) + int(upgrade.args[0])
            self.callbacks = Callbacks()
        except httptools.HttpParserError as error:
            raise Refused(str(error)) from None
        if callbacks.last:  # where we do not take it for the last, another begins
            self.callbacks = Callbacks()
        method = callbacks.parser.get_method()
        return Message(method, callbacks.url, callbacks.head, callbacks.content, callbacks.last, end)
