# SPDX-License-Identifier: Apache-2.0
"""One request for a file, from its bytes to those of the answer, without a process of its own and without a table.

Example:

    answer = ask(root, "/a.txt", fields={"Range": "bytes=0-1"}, options={"directory": str(root), "listing": "yes"})
    assert (206, b"te") == (answer.status, answer.content)
"""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import h11

from selsock.handler.adopt import Client
from selsock.handler.confine import Confined
from selsock.handler.head import HeadBuffer, read_head
from selsock.handler.journal import Journal
from selsock.handler.serve.dispatch import Handlers
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.reply import Outcome
from selsock.handler.table import locate
from selsock.model import Limits, Location, Vhost
from selsock.names import AbsolutePath, HostName
from tests.unit.fakes import connect

Options = Mapping[str, str | Iterable[str]]
OLD = 1_000_000_000  # 9 September 2001, 01:46:40 UTC, a Sunday


class Answer:
    """What came back: status, fields, content, whether the message was whole, and the outcome that was recorded."""

    def __init__(self, raw: bytes, method: str, outcome: Outcome) -> None:
        self.raw, self.outcome, self.content, self.whole = raw, outcome, b"", False
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "dog.example")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(raw)
        response = connection.next_event()
        assert isinstance(response, h11.Response)
        self.status = response.status_code
        self.fields = {name.decode(): value.decode("latin-1") for name, value in response.headers}
        assert len(self.fields) == len(response.headers), "a field twice"
        while isinstance(event := connection.next_event(), h11.Data):
            self.content += event.data
        self.whole = isinstance(event, h11.EndOfMessage)
        assert b"" == connection.trailing_data[0]


def site(root: Path, prefix: str = "", options: Options | None = None) -> Vhost:
    """A vhost with a location at ``prefix``, and at / one without options if that is another."""
    pairs: list[tuple[str, str]] = []
    for name, value in (options or {}).items():
        pairs += [(name, one) for one in ([value] if isinstance(value, str) else value)]
    steps = tuple(step for step in prefix.split("/") if step)
    locations = (Location(steps, (), None, "static", tuple(pairs)), *([Location((), (), None)] if steps else []))
    return Vhost((HostName.parse("dog.example"),), AbsolutePath.parse(str(root)), None, locations)


def answer_to(vhost: Vhost, client: Client, close: bool = False) -> Outcome:
    """Serve the request that ``client`` has sent, as requests.py does, in a Confined that was made without confining."""
    buffer = HeadBuffer(16384)
    head = read_head(client, buffer, Limits(), 5.0)
    location = locate(vhost, head.target.segments)
    exchange = Exchange(client, buffer, head, Limits(), location, None, close, Journal("/none"))
    return Handlers(exchange.location.kind, {}).serve(Confined("test", vhost, buffer), exchange)


def ask(
    root: Path,
    target: str,
    method: str = "GET",
    fields: Mapping[str, str] | None = None,
    close: bool = False,
    prefix: str = "",
    options: Options | None = None,
) -> Answer:
    """The answer to one request for ``target``, which is text of ISO 8859-1, as are ``fields``."""
    peer, client = connect()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (fields or {}).items())
    peer.sendall(f"{method} {target} HTTP/1.1\r\nHost: dog.example\r\n{lines}\r\n".encode("latin-1"))
    outcome = answer_to(site(root, prefix, options), client, close)
    client.socket.close()
    raw = b"".join(iter(lambda: peer.recv(65536), b""))
    peer.close()
    return Answer(raw, method, outcome)


def put(path: Path, content: bytes, age: float | None = None) -> Path:
    """Write a file, with directories as needed; from 2001, or as old as given in seconds.  Returns ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    changed = OLD * 10**9 if age is None else int((time.time() - age) * 10**9)
    os.utime(path, ns=(changed, changed))
    return path
