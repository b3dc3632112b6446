# SPDX-License-Identifier: Apache-2.0
"""A message as h11 reads it."""

import h11

from tests.fuzz.reading import Message, Refused, join


class ByH11:
    """h11, a parser of its own for every message."""

    name = "h11"

    def read(self, data: bytes, start: int, expected: int) -> Message:
        """The message at ``start``; ``expected`` is not needed.  Raises Refused."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(data[start:])
        content = b""
        request = None
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    content += event.data
                else:
                    raise Refused(f"not the whole message: {event}")
        except (h11.RemoteProtocolError, ValueError) as error:  # before 0.16 it leaves those of int() to its caller
            raise Refused(str(error)) from None
        if request is None:
            raise Refused("no request")
        last = connection.their_state is h11.MUST_CLOSE
        end = len(data) - len(connection.trailing_data[0])
        return Message(request.method, request.target, join(request.headers), content, last, end)
