# SPDX-License-Identifier: Apache-2.0
"""The shape of selsock: who may import whom, what runs above the line, what is loaded on every connection, how large.

"Above the line" is all that runs before a process is confined: selsock/*.py and selsock/handler/ without serve/.
"""

import ast
import io
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "selsock").rglob("*.py"))
}
# The shared values and the handler in reading order: each may import what stands before it, and nothing else of ours.
READING_ORDER = (
    "selsock",
    "selsock.cores",
    "selsock.errors",
    "selsock.names",
    "selsock.context",
    "selsock.model",
    "selsock.cdb",
    "selsock.handler",
    "selsock.handler.journal",
    "selsock.handler.kernel",
    "selsock.handler.adopt",
    "selsock.handler.table",
    "selsock.handler.target",
    "selsock.handler.head",
    "selsock.handler.proxy",
    "selsock.handler.identify",
    "selsock.handler.label",
    "selsock.handler.share",
    "selsock.handler.account",
    "selsock.handler.confine",
    "selsock.handler.response",
    "selsock.handler.access",
    "selsock.handler.serve",
    "selsock.handler.serve.body",
    "selsock.handler.serve.reply",
    "selsock.handler.serve.exchange",
    "selsock.handler.serve.gateway",
    "selsock.handler.serve.channel",
    "selsock.handler.serve.application",
    "selsock.handler.serve.wsgi",
    "selsock.handler.serve.media",
    "selsock.handler.serve.validators",
    "selsock.handler.serve.conditional",
    "selsock.handler.serve.ranges",
    "selsock.handler.serve.representation",
    "selsock.handler.serve.negotiation",
    "selsock.handler.serve.listing",
    "selsock.handler.serve.static",
    "selsock.handler.serve.script",
    "selsock.handler.serve.child",
    "selsock.handler.serve.document",
    "selsock.handler.serve.run",
    "selsock.handler.serve.cgi",
    "selsock.handler.serve.restrain",
    "selsock.handler.serve.dispatch",
    "selsock.handler.serve.requests",
    "selsock.handler.connection",
    "selsock.handler.__main__",
)
SHARED = READING_ORDER[: READING_ORDER.index("selsock.handler")]
ABOVE = [name for name in READING_ORDER if not name.startswith("selsock.handler.serve")]
GENERATOR = [name for name in MODULES if name.startswith("selsock.generate")]
# The services that know who it is, each a program of its own, and what the table has for them, which the generator writes.
SERVICES = [name for name in MODULES if name.startswith("selsock.identify")]
PROVIDER = ("selsock.identify", "selsock.identify.crypt", "selsock.identify.provider")
# What looks at all others.
LOOKING = [name for name in MODULES if name.startswith("selsock.ctl")]
# The algebra of levels, for all programs but the handler.
ALGEBRA = [name for name in MODULES if name.startswith("selsock.mls")]
SLOW = "typing dataclasses enum re os socket struct signal logging subprocess collections functools warnings traceback"


def imports(name: str, at_run_time: bool) -> Iterator[str]:
    """What module ``name`` imports, anywhere in it; ``at_run_time`` leaves out what stands under TYPE_CHECKING."""
    tree = ast.parse(MODULES[name].read_text())
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    ignored = {id(inner) for node in typing for inner in ast.walk(node)} if at_run_time else set()
    for node in ast.walk(tree):
        if id(node) not in ignored:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: a relative import"
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield full if full in MODULES else str(node.module)


def test_reading_order_names_every_module() -> None:
    """A new module is put where it is to be read."""
    assert set(READING_ORDER) == {*MODULES} - {*GENERATOR, *SERVICES, *LOOKING, *ALGEBRA}


@pytest.mark.parametrize("name", READING_ORDER)
def test_module_imports_only_what_is_read_before_it(name: str) -> None:
    """So the handler never imports the generator, and the phases stand in the order in which they run."""
    before = READING_ORDER[: READING_ORDER.index(name)]
    ours = {other for other in imports(name, at_run_time=True) if other.startswith("selsock")}
    assert ours <= set(before)


@pytest.mark.parametrize("name", GENERATOR)
def test_generator_imports_shared_values_and_itself(name: str) -> None:
    """It never imports the handler, not even for a type."""
    ours = {other for other in imports(name, at_run_time=False) if other.startswith("selsock")}
    assert ours <= {*SHARED, *ALGEBRA, *PROVIDER, *GENERATOR}


@pytest.mark.parametrize("name", SERVICES)
def test_services_import_shared_values_and_each_other(name: str) -> None:
    """Neither the handler nor the generator; the provider, which the generator writes, nothing but shared values."""
    ours = {other for other in imports(name, at_run_time=False) if other.startswith("selsock")}
    assert ours <= {*SHARED, *ALGEBRA, *(PROVIDER if name in PROVIDER else SERVICES)}


@pytest.mark.parametrize("name", ALGEBRA)
def test_algebra_imports_shared_values(name: str) -> None:
    """And nothing of a program's."""
    assert {other for other in imports(name, at_run_time=False) if other.startswith("selsock")} <= {*SHARED}


@pytest.mark.parametrize("name", [name for name in READING_ORDER if not name.endswith("cores")])
def test_only_the_cores_import_from_outside(name: str) -> None:
    """At run time; each import of a C core is there once, with its public name beside it."""
    assert [] == [other for other in imports(name, at_run_time=True) if not other.startswith("selsock")]


def naming(word: str) -> list[str]:
    """The modules with a string in which ``word`` occurs, be it a docstring."""
    return [
        name
        for name in READING_ORDER
        for node in ast.walk(ast.parse(MODULES[name].read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and word in node.value
    ]


def test_selinux_is_asked_in_one_place() -> None:
    """The kernel's files stand in kernel.py, but for those of the child that starts a CGI program; libselinux in one place
    of each other program that needs it, and nowhere here."""
    assert {"selsock.handler.kernel"} == set(naming("/sys/fs/selinux"))
    assert {"selsock.handler.kernel", "selsock.handler.serve.child"} == set(naming("/attr/"))
    bindings = [name for name in MODULES if "_selinux" in imports(name, False)]
    assert ["selsock.generate.libselinux", "selsock.identify.clearance"] == bindings
    assert [] == [name for name in MODULES if "selinux" in imports(name, False)]


def names_used(name: str) -> set[str]:
    """Every identifier in the code of module ``name``."""
    tree = ast.parse(MODULES[name].read_text())
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_confined_is_made_in_one_place() -> None:
    """``Confined(…)`` is called in confine.py, once; ``serve`` can not be had without it (tests/typing)."""
    calls = [
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Confined")
    ]
    assert ["selsock.handler.confine"] == calls


@pytest.mark.parametrize(
    "word", ["eval", "exec", "compile", "__import__", "system", "popen", "Thread", "start_new_thread"]
)
def test_handler_has_neither_shell_nor_eval_nor_threads(word: str) -> None:
    """Not even by another name: the word does not occur."""
    assert [] == [name for name in READING_ORDER if word in names_used(name)]


@pytest.mark.parametrize("name", READING_ORDER)
def test_handler_has_no_assert(name: str) -> None:
    """An assert is gone under -O; input is checked by code that stays."""
    tree = ast.parse(MODULES[name].read_text())
    assert [] == [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


# ---- what is loaded


def loaded(code: str) -> set[str]:
    """The modules of a fresh `python3 -I -S` that has run ``code``."""
    script = f"import sys; sys.path.append({str(ROOT)!r}); {code}\nprint(*sys.modules)"
    command = ["/usr/bin/python3", "-I", "-S", "-B", "-c", script]
    return set(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split())


def test_modules_loaded_on_every_connection_are_those_recorded() -> None:
    """tests/unit/modules.txt; each costs every connection its time, so adding one is a decision."""
    added = loaded("import selsock.handler.__main__") - loaded("")
    assert (ROOT / "tests/unit/modules.txt").read_text().split() == sorted(added)


def test_no_slow_module_is_loaded() -> None:
    """3 to 12 ms each."""
    assert set() == loaded("import selsock.handler.__main__") & set(SLOW.split())


# serve as it is installed, up to its last two lines, and then:
BELOW = """
import selsock.handler.__main__
started, ours = set(sys.modules), {*sys.modules, *modules}
from selsock.cores import posix, socket
from selsock.handler import confine, connection
from selsock.handler.adopt import Client
from selsock.handler.journal import Journal
from selsock.handler.access import Access
opened, before = [], None
def hook(event, arguments):
    if before is not None and event == "open":
        opened.append(arguments[0] if isinstance(arguments[0], bytes) else arguments[0].encode())
class Kernel:
    context = "u:r:selsock_t:s0"
    def watch(self): return "enforcing"
    def unchanged(self): return True
    def knows(self, context): return True
    def is_permissive(self, context): return False
    def getcon(self): return self.context
    def setcon(self, context):
        global before
        self.context, before = context, set(sys.modules)
sys.addaudithook(hook)
confine.REQUIRED_STATUS = {}
peer, own = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
peer.sendall(b"GET %b HTTP/1.1\\r\\nHost: dog.example\\r\\n%b\\r\\n" % (sys.argv[4].encode(), sys.argv[5].encode()))
peer.shutdown(1)
connection.handle(Client(own, "192.0.2.1"), Access("192.0.2.1"), sys.argv[2], Kernel(), Journal(sys.argv[3]))
print(sorted(set(sys.modules) - started), set(sys.modules) - ours <= before, *opened, sep="\\n")
"""


def frozen(directory: Path) -> str:
    """The program serve, but for its last two lines, with the modules of this checkout frozen into ``directory``."""
    write = f"import freeze, sys; from pathlib import Path; content = freeze.freeze(Path({str(ROOT)!r}), Path('/'));"
    write += f"Path({str(directory)!r}, f'handler.{{sys.implementation.cache_tag}}').write_bytes(content)"
    subprocess.run(["/usr/bin/python3", "-B", "-c", write], check=True, cwd=ROOT / "packaging")
    text = (ROOT / "packaging/serve.in").read_text().replace("@CODE@", str(directory))
    program, end, _ = text.partition("from selsock.handler.__main__ import main\n")
    assert end
    return program


# Precondition, multipart, and a content coding: what may need a module, a codec or the system's randomness.
RANGES = "Range: bytes=0-0,2-2\r\nIf-Modified-Since: Sun Nov  6 08:49:37 1994\r\n"
FIELDS = 'If-None-Match: "x"\r\nIf-Range: "x"\r\nRange: bytes=0-0,2-2\r\nAccept-Encoding: gzip\r\n'


@pytest.mark.parametrize(
    ("target", "fields", "options", "opened", "modules"),
    [
        ("/a.txt", "", "", ["ROOT", "a.txt"], []),
        ("/a.txt", RANGES, "", ["ROOT", "a.txt"], ["conditional", "ranges"]),
        ("/a.txt", FIELDS, "precompressed", ["ROOT", "a.txt", "ROOT", "a.txt.gz"], ["conditional", "negotiation"]),
        ("/", "", "listing", ["ROOT", "."], ["listing"]),
    ],
)
def test_nothing_is_loaded_or_opened_below_the_line_but_content(
    tmp_path: Path, target: str, fields: str, options: str, opened: list[str], modules: list[str]
) -> None:
    """After setcon: no module but from memory, no codec, no time zone; only our own status in /proc, the root, and the
    file asked for.  And no module that this request does not need, before or after."""
    from selsock.context import Context
    from selsock.model import Location, Vhost
    from selsock.names import AbsolutePath, HostName
    from tests.unit.fakes import FakeJournal, compile_table

    (tmp_path / "a.txt").write_text("text")
    root = AbsolutePath.parse(str(tmp_path))
    pairs = (("directory", str(root)), (options, "yes")) if options else ()
    location = Location((), (), Context.parse("a_t:s0"), "static", pairs)
    table = compile_table(tmp_path, [Vhost((HostName.parse("dog.example"),), root, None, (location,))])
    with FakeJournal(tmp_path) as journal:
        command = [
            "/usr/bin/python3",
            "-I",
            "-S",
            "-B",
            "-c",
            frozen(tmp_path) + BELOW,
            "serve",
            str(table),
            journal.path,
            target,
            fields,
        ]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    names = ["/proc/self/status", *(str(root) if name == "ROOT" else name for name in opened)]
    loaded_by_request = [f"selsock.handler.serve.{name}" for name in modules]
    assert [str(loaded_by_request), "True", *(repr(name.encode()) for name in names)] == done


# ---- size


def code_lines(path: Path) -> int:
    """The lines of ``path`` that hold code: no blank line, no comment, no docstring."""
    text = path.read_text()
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    kinds = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in kinds:
            found |= set(range(token.start[0], token.end[0] + 1))
    return len(found - docstrings)


def test_code_above_the_line_is_read_in_an_afternoon() -> None:
    """Under 1,500 lines; and the README states how many there are."""
    count = sum(code_lines(MODULES[name]) for name in ABOVE)
    assert count < 1500
    readme = ROOT / "README.md"
    if readme.exists():
        assert f"{count:,} lines" in readme.read_text(), f"the README has to say: {count:,} lines"
        services = sum(code_lines(MODULES[name]) for name in SERVICES)
        assert f"are {services} more" in readme.read_text(), f"the README has to say: {services} more"


@pytest.mark.parametrize("name", MODULES)
def test_module_has_less_than_300_lines(name: str) -> None:
    """All of them: with comments and blank lines."""
    assert len(MODULES[name].read_text().splitlines()) < 300


@pytest.mark.parametrize("name", MODULES)
def test_function_has_at_most_40_lines(name: str) -> None:
    """With its docstring: it is to be seen at once."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 40, node.name


def test_python_of_the_tests_is_the_distributions() -> None:
    """The bindings of SELinux and systemd are built for it alone."""
    assert Path(sys.executable).resolve() == Path("/usr/bin/python3").resolve()
