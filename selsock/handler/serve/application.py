# SPDX-License-Identifier: Apache-2.0
"""application: the child's side of WSGI (PEP 3333).  From here on the tenant's code runs: importing is executing.

Nothing here is trusted by the parent, which checks every frame; so whatever the application does to these functions, it
does to itself.
"""

from selsock.cores import import_module, io, posix, struct, sys
from selsock.handler.serve import channel
from selsock.handler.serve.channel import Broken, Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any, Final, NoReturn

    Environ = dict[str, Any]
    ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

SPAN = struct.Struct(">QQ")
BLOCK = 65536
FORMAT, REGULAR = 0o170000, 0o100000


def run(end: Channel, options: "tuple[tuple[str, str], ...]") -> "NoReturn":
    """The whole life of the child: import the application, answer one request after the other, end with the parent."""
    errors = io.TextIOWrapper(io.BufferedWriter(Complaint(end), 1000), "utf-8", "backslashreplace", line_buffering=True)
    sys.stdout = sys.stderr = errors
    sys.argv[:] = [""]
    application = None
    try:
        set_path(options)
        application = find(options)
    except BaseException:  # noqa: BLE001 - the tenant's code may raise anything, and the visitor gets 500 for all of it
        complain()
    while True:
        try:
            kind, data, _ = end.receive()
            if kind != channel.REQUEST:
                raise Broken("no request")
            Request(end, environ_of(data, Input(end), errors)).answer(application)
        except Broken:
            posix._exit(0)


def set_path(options: "tuple[tuple[str, str], ...]") -> None:
    """sys.path: the location's directories, its virtual environment or else the distribution's packages, the standard
    library; not selsock."""
    own = [path.removesuffix("/selsock") for path in sys.modules["selsock"].__path__]
    found = [value for name, value in options if name == "python"]
    library = [path for path in sys.path if path not in own]
    for name, value in options:
        if name == "venv":
            # As site.py would, but for .pth files, which are code that nobody named.
            version = f"python{sys.version_info.major}.{sys.version_info.minor}"
            found.append(f"{value}/lib/{version}/site-packages")
            library = [path for path in library if not path.endswith("-packages")]
            sys.prefix = sys.exec_prefix = value
    sys.path[:] = [*found, *library]


def find(options: "tuple[tuple[str, str], ...]") -> "Callable[..., Iterable[bytes]]":
    """Import the module of ``options``, and return its callable."""
    named = dict(options)
    found = import_module(named["module"])
    for name in named["callable"].split("."):
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]  # it is the tenant's: whether it can be called will show


def complain() -> None:
    """The traceback of the exception at hand, to standard error."""
    kind, value, trace = sys.exc_info()
    if kind is not None and value is not None:
        sys.excepthook(kind, value, trace)


def environ_of(data: bytes, content: "io.BufferedReader", errors: "io.TextIOWrapper") -> "Environ":
    """The environ of a request: meta-variables as latin-1 text, and what PEP 3333 adds."""
    parts = data.split(b"\0")
    environ: Environ = {
        name.decode(): value.decode("latin-1") for name, value in zip(parts[:-1:2], parts[1::2], strict=True)
    }
    environ |= {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": environ["REQUEST_SCHEME"],
        "wsgi.input": content,
        "wsgi.input_terminated": True,  # it ends where the content does
        "wsgi.errors": errors,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    return environ


class Complaint(io.RawIOBase):
    """Standard error: lines for the journal, which the parent writes."""

    def __init__(self, end: Channel) -> None:
        self.end: Final = end

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: "Any") -> int:
        """Send ``data`` to the parent."""
        self.end.send(channel.COMPLAINT, bytes(data))
        return len(data)


class Content(io.RawIOBase):
    """The content of the request, asked of the parent as it is read."""

    def __init__(self, end: Channel) -> None:
        self.end: Final = end
        self.ended = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, view: "Any") -> int:
        """Fill ``view`` as far as one frame of the parent's goes; 0 at the end of the content."""
        if self.ended or not len(view):
            return 0
        self.end.send(channel.READ, min(len(view), BLOCK).to_bytes(4, "big"))
        kind, data, _ = self.end.receive()
        if kind != channel.CONTENT:
            raise Broken("no content")
        self.ended = not data
        view[: len(data)] = data
        return len(data)


def Input(end: Channel) -> "io.BufferedReader":
    """wsgi.input."""
    return io.BufferedReader(Content(end), BLOCK)


class FileWrapper:
    """wsgi.file_wrapper: an iterator over blocks of a file, which the parent sends by sendfile where it can be."""

    def __init__(self, file: "Any", size: int = 8192) -> None:
        self.file = file
        self.size = size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        data: bytes = self.file.read(self.size)
        if not data:
            raise StopIteration
        return data

    def span(self) -> "tuple[int, int, int] | None":
        """Descriptor, offset and length of what is left of a regular file; None for anything else."""
        try:
            descriptor = self.file.fileno()
            status = posix.fstat(descriptor)
            if status.st_mode & FORMAT != REGULAR:
                return None
            offset = self.file.tell()
            return descriptor, offset, max(0, status.st_size - offset)
        except (AttributeError, OSError, ValueError, TypeError):
            return None


class Request:
    """One request: start_response, write, and what the application returns, as frames."""

    def __init__(self, end: Channel, environ: "Environ") -> None:
        self.end: Final = end
        self.environ: Final = environ
        self.head: bytes | None = None
        self.has_length = False
        self.sent = False

    def answer(self, application: "Callable[..., Iterable[bytes]] | None") -> None:
        """Call the application; END is the last frame if it did all that it should, FAILED if it did not.

        Raises Broken when the parent is gone.
        """
        last = channel.FAILED
        try:
            if application is not None:
                self.send_all(application(self.environ, self.start_response))
                last = channel.END
        except Broken:
            raise
        except BaseException:  # noqa: BLE001 - as in run(): SystemExit included
            complain()
        self.environ["wsgi.errors"].flush()
        self.end.send(last)

    def start_response(
        self, status: str, headers: "list[tuple[str, str]]", exc_info: "ExcInfo | None" = None
    ) -> "Callable[[bytes], None]":
        """PEP 3333: may be called again with exc_info alone, and then only while nothing has been sent."""
        if exc_info is not None:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no circle of references
        elif self.head is not None:
            raise RuntimeError("start_response was called twice")
        parts = [status[:3].encode("latin-1")]
        for name, value in headers:
            if "\0" in name or "\0" in value:
                raise ValueError("NUL in a field")
            parts += [name.encode("latin-1"), value.encode("latin-1")]
        self.has_length = any(name.lower() == "content-length" for name, _ in headers)
        self.head = b"\0".join(parts)
        return self.write

    def write(self, data: bytes) -> None:
        """Send content, with the head before the first of it.  Raises TypeError before a frame is begun."""
        if not isinstance(data, bytes):
            raise TypeError(f"content is bytes (PEP 3333), not {type(data).__name__}")
        self.begin()
        for start in range(0, len(data), BLOCK):
            self.end.send(channel.DATA, data[start : start + BLOCK])

    def begin(self) -> None:
        """Send the head, once."""
        if self.head is None:
            raise RuntimeError("content before start_response")
        if not self.sent:
            self.sent = True
            self.end.send(channel.HEAD, self.head)

    def send_all(self, result: "Iterable[bytes]") -> None:
        """Everything that the application returned; its close() is called whatever happens."""
        try:
            span = result.span() if isinstance(result, FileWrapper) else None
            if span is not None:
                descriptor, offset, length = span
                self.begin()
                self.end.send(channel.FILE, SPAN.pack(offset, length), descriptor)
                return
            for data in result:
                if data:
                    if not self.sent and not self.has_length and len_of(result) == 1 and self.head is not None:
                        self.head += b"\0Content-Length\0%d" % len(data)
                    self.write(data)
            self.begin()
        finally:
            if hasattr(result, "close"):
                result.close()


def len_of(result: "Iterable[bytes]") -> int:
    """The number of blocks, if it can be known: of one, the length of the content is known, too (PEP 3333)."""
    try:
        return len(result)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return -1
