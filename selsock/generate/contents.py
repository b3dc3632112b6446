# SPDX-License-Identifier: Apache-2.0
"""What stands under ``static``, ``wsgi`` and ``cgi``: how a location's content is made, as options for its handler.

A directory is given from the vhost's root on, so that none can lie outside it; a program is one of the system's.  The
handler takes the options as they are, so each is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from selsock.context import Context
from selsock.generate.domains import Domain, Domains
from selsock.generate.places import parse_inside
from selsock.generate.rules import Grant
from selsock.generate.source import BadSource, Mapping, Node, Place, Scalar, is_true, mapping, nearest, scalar, sequence
from selsock.model import KINDS
from selsock.names import DIGITS, LOWER, AbsolutePath, Name, TypeName

Options = tuple[tuple[str, str], ...]

STATIC = ("directory", "index", "listing", "precompressed")
WSGI = ("application", "python", "venv", "environment")
CGI = ("directory", "program", "interpreter", "suffix", "index", "environment", "domain")

# What the handlers set themselves: the meta-variables of RFC 3875 §4.1, PEP 3333's and php-cgi's, and a request's field
# lines; and what would make another program of the interpreter or the dynamic linker.
RESERVED = (
    *("AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "DOCUMENT_ROOT", "GATEWAY_INTERFACE", "HTTPS", "PATH"),
    *("PATH_INFO", "PATH_TRANSLATED", "QUERY_STRING", "REQUEST_METHOD", "REQUEST_SCHEME", "REQUEST_URI"),
    *("SCRIPT_FILENAME", "SCRIPT_NAME", "TMPDIR"),
)
RESERVED_PREFIXES = ("HTTP_", "LD_", "PYTHON", "REDIRECT_", "REMOTE_", "SERVER_")


class FileName(Name):
    """One segment of a path."""

    __slots__ = ()
    expected = "a file name of letters, digits and ._-+@=~"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """As a segment of ``AbsolutePath``."""
        return len(text) < 256 and "/" not in text and AbsolutePath.accepts(f"/{text}")


class Suffix(Name):
    """The end of the names of files that an interpreter runs."""

    __slots__ = ()
    expected = "a suffix of a dot, letters and digits, such as .php"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """A dot and 15 characters at most."""
        return 1 < len(text) <= 16 and text[0] == "." and not text[1:].lower().strip(LOWER + DIGITS)


class Application(Name):
    """A WSGI application (PEP 3333), named as its servers do."""

    __slots__ = ()
    expected = "MODULE:CALLABLE, each of ASCII identifiers joined by dots"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Two dotted names."""
        parts = text.split(":")
        words = [word for part in parts for word in part.split(".")]
        return len(parts) == 2 and len(text) <= 250 and text.isascii() and all(word.isidentifier() for word in words)


class Variable(Name):
    """The name of an environment variable that the administrator may set."""

    __slots__ = ()
    expected = "a variable of A-Z, 0-9 and _ that selsock does not set itself"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Letters, digits and underscores, no digit first; none of those that are reserved."""
        word = 0 < len(text) <= 100 and not text.lower().strip(LOWER + DIGITS + "_") and text == text.upper()
        return word and text[0] not in DIGITS and text not in RESERVED and not text.startswith(RESERVED_PREFIXES)


class Value(Name):
    """The value of an environment variable; a tab or line break would end it in the table."""

    __slots__ = ()
    expected = "4000 printable characters at most"

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Empty, too."""
        return len(text) <= 4000 and text.isprintable()


@dataclass(frozen=True, slots=True)
class Content:
    """How a location's content is made.

    ``shown`` is the directory whose files are served as they are, ``domain`` what a CGI program is to run in when not
    in the visitor's, ``system`` whether that program is one of the system's; ``scripts`` the directory of those that
    are not.
    """

    place: Place
    kind: str
    options: Options
    shown: AbsolutePath | None = None
    scripts: AbsolutePath | None = None
    domain: Domain | None = None
    system: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """That processes of ``source`` start programs in ``target``, whose scripts are of type ``script``; with ``system``
    programs of the system as well."""

    source: TypeName
    target: TypeName
    script: TypeName
    system: bool


def parse_content(given: Mapping, root: AbsolutePath, path: Scalar, domains: Domains) -> Content:
    """What the location ``given`` at ``path`` says of its content; static when it says nothing.  Raises BadSource."""
    found = [key for key in given.keys.values() if key.text in KINDS]
    if len(found) > 1:
        found[1].refuse(f"one of {', '.join(KINDS)} in a location, which has {found[0].text} already")
    kind = found[0].text if found else "static"
    node = mapping(given.require(kind)) if found else Mapping(given.place)
    directory = node.get("directory")
    return PARSERS[kind](node, parse_inside(root, path if directory is None else scalar(directory)), root, domains)


def parse_static(given: Mapping, directory: AbsolutePath, root: AbsolutePath, domains: Domains) -> Content:
    """Files of ``directory``.  Raises BadSource."""
    given.only(STATIC)
    switches = tuple((name, "yes") for name in ("listing", "precompressed") if is_true(given, name))
    options = (("directory", str(directory)), *parse_index(given.get("index"), "index.html"), *switches)
    return Content(given.place, "static", options, directory)


def parse_wsgi(given: Mapping, directory: AbsolutePath, root: AbsolutePath, domains: Domains) -> Content:
    """A Python application.  Raises BadSource."""
    given.only(WSGI)
    module, _, name = scalar(given.require("application")).name(Application).partition(":")
    options = [("module", module), ("callable", name)]
    python = given.get("python")
    for item in () if python is None else sequence(python):
        options.append(("python", str(parse_inside(root, scalar(item)))))
    venv = given.get("venv")
    if venv is not None:
        options.append(("venv", str(parse_inside(root, scalar(venv)))))
    return Content(given.place, "wsgi", (*options, *parse_environment(given.get("environment"))))


def parse_cgi(given: Mapping, directory: AbsolutePath, root: AbsolutePath, domains: Domains) -> Content:
    """CGI programs (RFC 3875), in one of three forms.  Raises BadSource."""
    given.only(CGI)
    program, interpreter = given.get("program"), given.get("interpreter")
    shown = scripts = None
    if program is not None:
        given.forbid(("directory", "interpreter", "suffix", "index"), "no such key beside program")
        options: Options = (("program", scalar(program).name(AbsolutePath)),)
    elif interpreter is not None:
        suffix = scalar(given.require("suffix")).name(Suffix)
        options = (("interpreter", scalar(interpreter).name(AbsolutePath)), ("suffix", suffix))
        options += (("directory", str(directory)), *parse_index(given.get("index"), f"index{suffix}"))
        shown = directory
    else:
        given.forbid(("suffix", "index"), "this key beside interpreter alone")
        options = (("directory", str(directory)),)
        scripts = directory
    options += parse_environment(given.get("environment"))
    node = given.get("domain")
    domain = None if node is None else parse_target(scalar(node), domains)
    if domain is not None:
        options += (("domain", domain.type),)
    system = program is not None or interpreter is not None
    return Content(given.place, "cgi", options, shown, scripts, domain, system)


Parser = Callable[[Mapping, AbsolutePath, AbsolutePath, Domains], Content]
PARSERS: dict[str, Parser] = {"static": parse_static, "wsgi": parse_wsgi, "cgi": parse_cgi}


def parse_index(node: Node | None, default: str) -> Options:
    """The names that stand for a directory, in order.  Raises BadSource."""
    if node is None:
        return (("index", default),)
    return tuple(("index", scalar(item).name(FileName)) for item in sequence(node))


def parse_environment(node: Node | None) -> Options:
    """Variables beside those that selsock sets.  Raises BadSource."""
    if node is None:
        return ()
    given = mapping(node)
    pairs = ((given.keys[key].name(Variable), scalar(value).name(Value)) for key, value in given.values.items())
    return tuple(("env", f"{name}={value}") for name, value in pairs)


def parse_target(given: Scalar, domains: Domains) -> Domain:
    """The domain that a CGI program is to run in.  Raises BadSource."""
    able = {text: domain for text, domain in domains.items() if domain.execute}
    if given.text not in able:
        given.refuse(f"a name under domains with execute: true, the nearest being {nearest(given.text, tuple(able))}")
    return able[given.text]


def given_types(grants: Iterable[Grant], default: Context | None) -> dict[TypeName, str]:
    """The types that ``grants`` give, and ``default`` behind them, each with the first that gives it."""
    found: dict[TypeName, str] = {}
    for grant in grants:
        for context, origin in grant.contexts.items():
            found.setdefault(context.type, origin.words)
        if any(rule.any for rule in grant.rules):
            return found  # whatever comes behind it is never reached
    if default is not None:
        found.setdefault(default.type, "default_context")
    return found


def check_domains(content: Content, given: dict[TypeName, str], domains: Domains) -> None:
    """Raise BadSource when one of the types that visitors are ``given`` can not make this content.

    What a type of the administrator's own may do is not known here.
    """
    needed = {"wsgi": "python", "cgi": "" if content.domain else "execute"}.get(content.kind, "")
    for domain in domains.values() if needed else ():
        if domain.type in given and not getattr(domain, needed):
            problem = (
                f"expected {needed}: true in domain {domain.name}, which {given[domain.type]} gives here, not none"
            )
            raise BadSource(content.place, problem)


def entries(content: Content, given: dict[TypeName, str], domains: Domains) -> set[Entry]:
    """Which domain has to start programs in which, where visitors are ``given`` these types."""
    target = content.domain
    if target is None:
        return set()
    declared = {domain.type for domain in domains.values()}
    return {Entry(source, target.type, target.script, content.system) for source in declared & given.keys()}
