# SPDX-License-Identifier: Apache-2.0
"""A small browser over http.client: it keeps cookies and its connection, and asks again where a kept one has ended."""

import http.client
import socket
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Self

Content = bytes | Iterable[bytes]


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    fields: http.client.HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode()


class Browser:
    """Visits one host; a context manager, for its connection."""

    def __init__(self, connect: Callable[[], socket.socket], host: str, user: tuple[str, str] | None = None) -> None:
        """``user`` is name and password for Basic, sent with every request."""
        self.connect, self.host, self.user = connect, host, user
        self.cookies: dict[str, str] = {}
        self.connections = 0
        self.connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def get(self, target: str, fields: Mapping[str, str] | None = None) -> Answer:
        """GET."""
        return self.request("GET", target, None, fields)

    def post(self, target: str, form: Mapping[str, str]) -> Answer:
        """POST a form without files."""
        content, kind = multipart(form, {})
        return self.request("POST", target, content, {"Content-Type": kind})

    def request(
        self, method: str, target: str, content: Content | None = None, fields: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; content that is not bytes is sent in chunks."""
        kept = self.connection is not None and self.connection.sock is not None
        try:
            return self.once(method, target, content, fields or {})
        except http.client.RemoteDisconnected:
            if not kept:
                raise
            self.close()
            return self.once(method, target, content, fields or {})

    def once(self, method: str, target: str, content: Content | None, fields: Mapping[str, str]) -> Answer:
        """The same, on the connection that there is."""
        if self.connection is None or self.connection.sock is None:
            self.connection = http.client.HTTPConnection(self.host)
            self.connection.sock = self.connect()
            self.connections += 1
        sent = {**self.own_fields(), **fields}
        self.connection.request(method, target, content, sent, encode_chunked=not isinstance(content, bytes | None))
        response = self.connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        for line in answer.fields.get_all("Set-Cookie", []):
            self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
        return answer

    def own_fields(self) -> dict[str, str]:
        """Cookies and credentials."""
        fields = {}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.user:
            fields["Authorization"] = "Basic " + b64encode(":".join(self.user).encode()).decode()
        return fields


def multipart(form: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]) -> tuple[bytes, str]:
    """A form (RFC 7578) and its type; ``files`` maps a field's name to file name and content."""
    boundary = uuid.uuid4().hex
    parts = [(f'name="{name}"', "", value.encode()) for name, value in form.items()]
    parts += [
        (f'name="{name}"; filename="{file}"', "Content-Type: application/octet-stream\r\n", content)
        for name, (file, content) in files.items()
    ]
    content = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n{kind}\r\n".encode() + value + b"\r\n"
        for names, kind, value in parts
    )
    return content + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
