# SPDX-License-Identifier: Apache-2.0
"""script: which program answers a request for a CGI location (RFC 3875 §3.3), and with which meta-variables.

A location has one of three forms.  ``program``: one for all of it.  ``directory`` alone: whatever lies in there is run,
and nothing of it is served as a file.  ``interpreter`` with ``suffix`` and ``directory``: the files of that suffix are
run by it, the others are static.
"""

from selsock.cores import posix
from selsock.handler.confine import Confined
from selsock.handler.serve.exchange import Exchange
from selsock.handler.serve.gateway import environment, process_environment, rest_of
from selsock.handler.serve.static import ABSENT, DIRECTORY, FORMAT, REGULAR, STEP, Place, hidden
from selsock.handler.table import locate
from selsock.model import Location, Vhost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    Names = tuple[str, ...]

FOUND = posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC


class NoScript(Exception):
    """Nothing is run: the page of ``status`` is the answer, ``reason`` for the journal."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status: Final = status
        self.reason: Final = reason


class Script:
    """What is to be run: the file ``path``, by ``interpreter`` if there is one, in the domain of the type ``domain``, or
    else in that of this process.

    ``name`` are the segments that name it in the visitor's path, ``rest`` is what follows them there.
    """

    __slots__ = ("domain", "interpreter", "name", "path", "rest")

    def __init__(self, path: str, name: "Names", rest: str, options: "dict[str, str]") -> None:
        self.path: Final = path
        self.name: Final = name
        self.rest: Final = rest
        self.interpreter: Final = options.get("interpreter")
        self.domain: Final = options.get("domain")

    @property
    def command(self) -> "tuple[str, ...]":
        """The arguments of execve.  None of them is of the request, as those of RFC 3875 §4.4 would be."""
        return (self.path,) if self.interpreter is None else (self.interpreter, self.path)


def find(vhost: Vhost, exchange: Exchange) -> "Script | Location":
    """What answers ``exchange``: a script, or static files, in which case the location says which.

    Raises NoScript, OSError.
    """
    location, target = exchange.location, exchange.head.target
    options = dict(location.options)
    prefix = len(location.prefix)
    if "program" in options:
        return Script(options["program"], location.prefix, rest_of(exchange, prefix), options)
    above = directory_names(vhost, location) or ()
    names = target.segments[prefix:]
    if "interpreter" in options:
        count = suffixed(names, options["suffix"])
        if not count:
            return find_index(vhost, exchange, above, options) if target.directory else static_part(location, ())
        if steps_to_file(vhost.root, (*above, *names[:count])) != len(above) + count:
            raise NoScript(404, "a path through a file")
    else:
        count = steps_to_file(vhost.root, (*above, *names)) - len(above)
        if count < 1:
            raise NoScript(404, "no directory of scripts, but a file")
    if any(hidden(name, place) for place, name in enumerate(target.segments[: prefix + count])):
        raise NoScript(404, "a dot-file")
    if "interpreter" not in options and names[count - 1].startswith("nph-"):
        raise NoScript(403, "a script that would write the whole response (RFC 3875 §5)")
    path = file_name(vhost, (*above, *names[:count]))
    return Script(path, target.segments[: prefix + count], rest_of(exchange, prefix + count), options)


def suffixed(names: "Names", suffix: str) -> int:
    """How many of ``names`` lead to the first that has ``suffix``, 0 if none has.

    Raises NoScript for one that has it in other letters: where the file system folds case, that is the same file.
    """
    for count, name in enumerate(names, 1):
        if name.endswith(suffix):
            return count
        if name.casefold().endswith(suffix.casefold()):
            raise NoScript(404, f"not exactly {suffix}")
    return 0


def find_index(vhost: Vhost, exchange: Exchange, above: "Names", options: "dict[str, str]") -> "Script | Location":
    """What answers for a directory: the first of the index files that is there.  Raises NoScript, OSError."""
    location, segments = exchange.location, exchange.head.target.segments
    if any(hidden(name, place) for place, name in enumerate(segments)):
        raise NoScript(404, "a dot-file")
    names = segments[len(location.prefix) :]
    for option, index in location.options:
        if option != "index":
            continue
        try:
            steps_to_file(vhost.root, (*above, *names, index))
        except FileNotFoundError:
            continue
        if suffixed((index,), options["suffix"]):
            return Script(file_name(vhost, (*above, *names, index)), (*segments, index), "", options)
        return static_part(location, (index,))
    raise NoScript(404, "a directory without an index file")


def static_part(location: Location, index: "Names") -> Location:
    """``location`` as one of static files, with ``index`` alone for a directory: the source of a script is no page."""
    options = [("directory", dict(location.options)["directory"]), *(("index", name) for name in index)]
    return Location(location.prefix, location.rules, location.default, "static", tuple(options))


def directory_names(vhost: Vhost, location: Location) -> "Names | None":
    """The segments that lead from the root of ``vhost`` to what the prefix of ``location`` stands for on disk; None if
    it stands for nothing there.  Raises TableFault."""
    if location.options and "directory" not in dict(location.options):
        return None
    return Place(vhost, location).names


def steps_to_file(root: str, names: "Names") -> int:
    """How many of ``names``, taken one by one from ``root`` on and never through a link, lead to a regular file.

    Raises OSError; ENOENT when they lead to none.
    """
    place = posix.open(root, STEP)
    try:
        for count, name in enumerate(names, 1):
            below = posix.open(name.encode(), FOUND, dir_fd=place)
            posix.close(place)
            place = below
            kind = posix.fstat(place).st_mode & FORMAT
            if kind == REGULAR:
                return count
            if kind != DIRECTORY:
                break
    finally:
        posix.close(place)
    raise FileNotFoundError(ABSENT, "No such file or directory")


def variables(confined: Confined, exchange: Exchange, script: Script) -> "dict[str, bytes]":
    """The whole environment of ``script``: the meta-variables, and what php-cgi and others expect beside them.

    What the location adds takes the place of none.
    """
    vhost = confined.vhost
    found = environment(confined, exchange, script.name, script.rest)
    found["SCRIPT_FILENAME"] = script.path.encode()
    found["DOCUMENT_ROOT"] = (translate(vhost, ()) or vhost.root).encode()
    if script.rest and (translated := translate(vhost, tuple(script.rest.split("/")[1:]))) is not None:
        found["PATH_TRANSLATED"] = translated.encode()
    if script.interpreter is not None:
        found["REDIRECT_STATUS"] = b"200"  # else php-cgi takes itself for one that is called by its own name
    return process_environment(confined, exchange) | found


def translate(vhost: Vhost, path: "Names") -> str | None:
    """The file that ``path`` would stand for as a path of this vhost (RFC 3875 §4.1.6); None for none."""
    location = locate(vhost, path)
    above = directory_names(vhost, location)
    return None if above is None else file_name(vhost, (*above, *path[len(location.prefix) :]))


def file_name(vhost: Vhost, names: "Names") -> str:
    """The absolute path of what ``names`` lead to from the root of ``vhost``."""
    return "/".join((vhost.root.rstrip("/"), *names))
