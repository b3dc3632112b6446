# SPDX-License-Identifier: Apache-2.0
"""What is in the packages: the files of "make install", labelled, byte-compiled, and everything that they need declared."""

import ast
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.machines.commands import CHECKOUT
from tests.machines.packages import CHATTER, NAMES, Packages, build_names
from tests.machines.trees import overlay, run_in, tree
from tests.rpm.conftest import Query

DATABASE = ["rpm", "--dbpath", "/var/lib/rpm"]
RICH = "selinux-policy-default"
# What selsock imports beside the standard library, and the programs that it runs: the package that has it.
PROVIDERS = {
    "_selinux": "python3-libselinux",
    "crypt_r": "python3-crypt-r",
    "jinja2": "python3-jinja2",
    "libpam.so.0": "pam",
    "libpam_misc.so.0": "pam",
    "systemd": "python3-systemd",
    "yaml": "python3-pyyaml",
    "semodule": "policycoreutils",
    "systemctl": "systemd",
    "systemd-run": "systemd",
    "systemd-sysusers": "systemd",
    "systemd-tmpfiles": "systemd",
}
RECOMMENDED = {
    "asyncpg": "python3-asyncpg",  # for databases alone
    "setools": "python3-setools",  # for selsockctl verify alone
}


SYSTEM_DIRECTORIES = {
    *(
        "/etc",
        "/etc/pam.d",
        "/usr/bin",
        "/usr/lib",
        "/usr/lib/systemd/system",
        "/usr/lib/sysusers.d",
        "/usr/lib/tmpfiles.d",
    ),
    *("/usr/libexec", "/usr/share", "/usr/share/bash-completion/completions", "/usr/share/doc", "/usr/share/licenses"),
    *(
        "/usr/share/man/man1",
        "/usr/share/man/man5",
        "/usr/share/man/man8",
        "/var/cache",
        "/var/lib",
        "/var/lib/selinux/default/active/modules/200",
    ),
}
BLOG = """policy_module(blog, 1.0)
type blog_t;
domain_type(blog_t)
role system_r types blog_t;
selsock_tenant(blog_t)
"""
# Whatever stands first in a list and is one of these is taken for a program that is run.
PROGRAMS = {
    "load_policy",
    "restorecon",
    "semanage",
    "semodule",
    "setfiles",
    "systemctl",
    "systemd-run",
    "systemd-sysusers",
    "systemd-tmpfiles",
}


def test_the_same_files_as_make_install(query: Query, installed: Path) -> None:
    """The same names, modes and content; rpm compresses the manual pages, and adds what the policy store will hold."""
    with overlay(installed) as root:
        source = root / "var/tmp/source"
        source.mkdir()
        (archive,) = (CHECKOUT / "build/rpm").glob("selsock-*.tar.gz")
        shutil.copy(archive, source)
        release = query("selsock", "--queryformat", "%{VERSION}-%{RELEASE}")[0]
        script = f"cd /var/tmp/source && tar -xzf *.tar.gz --strip-components=1 && make install DESTDIR=/stage RELEASE={release}"
        run_in(root, ["sh", "-c", script])
        listing = "cd /stage && find . -type f -printf '/%P %m ' -exec sh -c 'sha256sum <$1' sh {} ';'"
        made = [line.split() for line in run_in(root, ["sh", "-c", listing]).stdout.splitlines()]
        state = run_in(root, ["stat", "-c", "%a", "/stage/var/lib/selsock"]).stdout
    by_make = {path: (mode, digest) for path, mode, digest, _ in made}
    by_rpm: dict[str, tuple[str, str]] = {}
    for name in ("selsock", "selsock-selinux"):
        for line in query(name, "--dump"):
            path, _, _, digest, mode, *_ = line.split()
            if mode.startswith("0100") and not path.startswith("/var/lib/selinux/"):
                by_rpm[path.removesuffix(".gz")] = (mode[-3:], digest)
    assert sorted(by_make) == sorted(by_rpm)
    pages = {path for path in by_make if "/share/man/" in path}
    assert {path: found for path, found in by_make.items() if path not in pages} == {
        path: found for path, found in by_rpm.items() if path not in pages
    }
    assert {by_make[path][0] for path in pages} == {by_rpm[path][0] for path in pages} == {"644"}
    assert state == "750\n"


def test_no_start_ever_compiles(installed: Path) -> None:
    """All code of ours that an instance and the generator load is byte code that is never held against its source."""
    script = """
import importlib.util, pathlib
for source in sorted(pathlib.Path("/usr/lib/selsock").rglob("*.py")):
    code = pathlib.Path(importlib.util.cache_from_source(str(source))).read_bytes()
    flags, digest = int.from_bytes(code[4:8], "little"), code[8:16]
    right = code[:4] == importlib.util.MAGIC_NUMBER and digest == importlib.util.source_hash(source.read_bytes())
    path = "its path" if str(source).encode() in code and b"BUILDROOT" not in code else "a path of the build"
    print(source.name, "unchecked" if flags == 1 else flags, "right" if right else "stale", "and", path)
"""
    lines = run_in(installed, ["python3", "-I", "-c", script]).stdout.splitlines()
    assert len(lines) > 30
    assert {line.split(" ", 1)[1] for line in lines} == {"unchecked right and its path"}
    loaded = run_in(installed, ["python3", "-ISBv", "/usr/libexec/selsock/serve", "/nowhere"], check=False).stderr
    assert "import 'selsock.handler.connection' # <__main__.Frozen" in loaded
    assert [line for line in loaded.splitlines() if "/usr/lib/selsock/" in line and "code object from" in line] == []


def test_what_is_frozen_is_the_source(installed: Path) -> None:
    """Every module of the handler, for the Python of the package, under the path that it is installed as."""
    script = """
import marshal, pathlib, sys
(release,) = pathlib.Path("/usr/lib/selsock").iterdir()
_, found = marshal.loads((release / f"handler.{sys.implementation.cache_tag}").read_bytes())
for path in sorted([*release.glob("selsock/*.py"), *release.glob("selsock/handler/**/*.py")]):
    name = ".".join(path.relative_to(release).with_suffix("").parts)
    package, code = found.pop(name.removesuffix(".__init__"))
    code = marshal.loads(code)
    same = code == compile(path.read_bytes(), str(path), "exec", dont_inherit=True, optimize=2)
    print(name, "frozen" if same and code.co_filename == str(path) and package == name.endswith("__init__") else "other")
print("left over:", *found)
"""
    *lines, left = run_in(installed, ["python3", "-I", "-Xno_debug_ranges", "-c", script]).stdout.splitlines()
    assert len(lines) > 40
    assert {line.split(" ", 1)[1] for line in lines} == {"frozen"}
    assert left == "left over:"


def test_another_python_is_told(installed: Path) -> None:
    """With the file of another one alone: the reason is on stderr, which is the journal, and nothing is served."""
    script = "mv /usr/lib/selsock/*/handler.cpython-313 $(echo /usr/lib/selsock/*)/handler.cpython-399; exec /usr/libexec/selsock/serve /x"
    with overlay(installed) as root:
        done = run_in(root, ["sh", "-c", script], check=False)
    (release,) = (installed / "usr/lib/selsock").iterdir()
    reason = f"<3>[Errno 2] No such file or directory: '/usr/lib/selsock/{release.name}/handler.cpython-313'"
    assert done.stderr == f"{reason}; install selsock again: it is compiled for the Python that it was installed with\n"
    assert (done.returncode, done.stdout) == (1, "")


def test_an_upgrade_puts_the_code_before_what_names_it(query: Query) -> None:
    """rpm renames files into place in the package's order."""
    names = query("selsock", "--list")
    serve = names.index("/usr/libexec/selsock/serve")
    code = [names.index(name) for name in names if name.startswith("/usr/lib/selsock/")]
    assert len(code) > 60
    assert max(code) < serve


def test_requirements_are_what_is_used(query: Query) -> None:
    """What the code imports and runs is required, and nothing is required that it does not."""
    used: set[str] = set()
    for path in (CHECKOUT / "selsock").rglob("*.py"):
        used |= outside(ast.parse(path.read_text()))
    assert used == {*PROVIDERS, *RECOMMENDED}
    assert query("selsock", "--recommends") == list(RECOMMENDED.values())
    required = query("selsock", "--requires")
    named = {word for line in required for word in re.findall(r"^\(?([a-z][\w-]+)", line)} - {
        "rpmlib",
        "group",
        "user",
        "python",
        "config",
    }
    # selsock-selinux is our own; /bin/sh, /usr/bin/python3 and python(abi) are not names of this kind.
    assert named == set(PROVIDERS.values()) | {"selsock-selinux"}


def outside(module: ast.Module) -> set[str]:
    """The modules that are imported from outside the standard library and selsock, the libraries that are loaded, and the
    programs that are run."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.List) and node.elts and isinstance(node.elts[0], ast.Constant):
            found |= {str(node.elts[0].value)} & PROGRAMS
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "ctypes.CDLL":
            found |= {str(word.value) for word in node.args if isinstance(word, ast.Constant) and word.value}
    return found - set(sys.stdlib_module_names) - {"selsock", "crypt"}  # which Python had up to 3.12


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_requirement_is_missed(built: Packages, name: str) -> None:
    """Were one of Fedora's names not provided, rpm would refuse, and say which."""
    with overlay(tree("trixie-build")) as root:
        work = root / "var/tmp/rpm"
        work.mkdir()
        files = [build_names(root, NAMES, tree("trixie"), without=name), *built.paths()[1:]]
        for file in files:
            shutil.copy(file, work)
        done = run_in(
            root, [*DATABASE, "--install", "--test", *(f"/var/tmp/rpm/{file.name}" for file in files)], check=False
        )
    assert done.returncode != 0
    assert re.search(rf"^\t{re.escape(name)}( >= \S+)? is needed by selsock", done.stderr, re.MULTILINE), done.stderr


def test_policy_is_required_where_selinux_is_used(built: Packages) -> None:
    """selsock alone can be installed only on a machine without the distribution's policy."""
    with overlay(tree("trixie-build")) as root:
        refused = [f"selsock-selinux = 0.1.0-1 if {RICH}"]
        for without, expected in (("", refused), (RICH, [])):
            package = build_names(root, NAMES, tree("trixie"), without=without)
            shutil.copy(package, root / "var/tmp/names.rpm")
            shutil.copy(built.path("selsock"), root / "var/tmp/selsock.rpm")
            files = ["/var/tmp/names.rpm", "/var/tmp/selsock.rpm"]
            done = run_in(root, [*DATABASE, "--install", "--test", *files], check=False)
            assert re.findall(r"\((\S+ = \S+ if \S+)\) is needed", done.stderr) == expected
            assert bool(done.returncode) == bool(expected), done.stderr


def test_installed_as_packaged(installed: Path) -> None:
    """rpm finds everything as it was packaged; configuration is marked as such; the policy store has both modules."""
    assert run_in(installed, [*DATABASE, "--verify", "selsock", "selsock-selinux"]).stdout == ""
    configuration = run_in(installed, [*DATABASE, "--query", "--configfiles", "selsock"]).stdout.split()
    assert configuration == ["/etc/pam.d/selsock", "/etc/selsock/vhost.yaml"]
    user = run_in(installed, ["getent", "passwd", "selsock"]).stdout.strip().split(":")
    assert (user[5], user[6].removeprefix("/usr")) == ("/", "/sbin/nologin")
    assert run_in(installed, ["stat", "-c", "%U %G %a", "/var/lib/selsock"]).stdout == "root selsock 750\n"
    assert run_in(installed, ["stat", "-c", "%U %G %a", "/var/cache/selsock"]).stdout == "root root 711\n"
    listed = run_in(installed, ["semodule", "-lfull"]).stdout.splitlines()
    assert [line.split() for line in listed if "selsock" in line] == [
        ["200", "selsock", "pp"],
        ["200", "selsock_tenants", "cil"],
    ]
    enabled = run_in(installed, ["systemctl", "is-enabled", "selsock.socket"], check=False).stdout
    assert enabled == "disabled\n"


def test_every_path_has_a_label(installed: Path) -> None:
    """None of ours falls to the policy's default."""
    paths = run_in(installed, [*DATABASE, "--query", "--list", "selsock", "selsock-selinux"]).stdout.split()
    lines = run_in(installed, ["matchpathcon", *paths]).stdout.splitlines()
    types = {path: context.split(":")[2] if ":" in context else context for path, context in map(str.split, lines)}
    assert sorted(types) == sorted(set(paths))
    assert [path for path, found in types.items() if found in ("default_t", "<<none>>", "unlabeled_t", "file_t")] == []
    assert {path: found for path, found in types.items() if found.startswith("selsock_")} == {
        "/etc/selsock": "selsock_passwd_t",
        "/etc/selsock/vhost.yaml": "selsock_passwd_t",
        "/usr/libexec/selsock/identify": "selsock_identify_exec_t",
        "/usr/libexec/selsock/pam": "selsock_pam_exec_t",
        "/usr/libexec/selsock/probe": "selsock_exec_t",
        "/usr/libexec/selsock/serve": "selsock_exec_t",
        "/usr/libexec/selsock/serve-as": "selsock_run_as_exec_t",
        "/usr/libexec/selsock/sql": "selsock_sql_exec_t",
        "/usr/share/selsock/welcome": "selsock_welcome_content_t",
        "/usr/share/selsock/welcome/index.html": "selsock_welcome_content_t",
        "/var/cache/selsock": "selsock_cache_t",
        "/var/lib/selsock": "selsock_table_t",
    }


def test_every_directory_has_an_owner(query: Query) -> None:
    """One of ours, or a package that is always there; so erasing leaves no empty ones."""
    for package in ("selsock", "selsock-selinux"):
        paths = set(query(package, "--list"))
        parents = {str(Path(path).parent) for path in paths} - paths
        # Fedora's filesystem, systemd, pam; and selinux-policy-targeted for the store.
        assert parents - SYSTEM_DIRECTORIES == set()


def test_interface_for_policy_writers(installed: Path) -> None:
    """A module of somebody else's is built with the installed interface, and linked."""
    with overlay(installed) as root:
        work = root / "var/tmp/blog"
        work.mkdir()
        (work / "blog.te").write_text(BLOG)
        script = "cd /var/tmp/blog && make -f /usr/share/selinux/devel/Makefile blog.pp && semodule -n -i blog.pp"
        run_in(root, ["sh", "-c", script])
        (policy,) = (root / "etc/selinux/default/policy").glob("policy.*")
        found = run_in(
            root, ["seinfo", f"/{policy.relative_to(root)}", "-a", "selsock_tenant_domain", "-x"]
        ).stdout.split()
    assert {"blog_t", "selsock_welcome_t"} <= set(found)


def test_pam_service(installed: Path) -> None:
    """A real user of pam_unix gets in with his password alone; sessions and new passwords are nobody's business here."""
    with overlay(installed) as root:
        run_in(root, ["useradd", "--create-home", "dog"])
        run_in(root, ["chpasswd"], input="dog:wags-7\n")

        def tried(password: str, *operations: str) -> int:
            answer = f"{password}\n"
            return run_in(root, ["pamtester", "selsock", "dog", *operations], input=answer, check=False).returncode

        assert tried("wags-7", "authenticate", "acct_mgmt") == 0
        assert tried("wags-8", "authenticate") != 0
        assert tried("wags-7", "open_session") != 0
        assert tried("wags-7", "chauthtok") != 0
        run_in(root, ["chage", "--expiredate", "0", "dog"])
        assert tried("wags-7", "authenticate", "acct_mgmt") != 0


def test_erased_natively(installed: Path) -> None:
    """Without a running systemd or SELinux, too, nothing is left but the system user."""
    with overlay(installed) as root:
        done = run_in(root, [*DATABASE, "--erase", "selsock", "selsock-selinux"])
        assert CHATTER.sub("", done.stderr) == ""
        listing = ["find", "/", "-xdev", "-name", "*selsock*"]
        before = run_in(tree("trixie-build"), listing).stdout.split()
        assert sorted(run_in(root, listing).stdout.split()) == sorted(before)
        assert "selsock" not in run_in(root, ["semodule", "-l"]).stdout
        assert run_in(root, ["getent", "passwd", "selsock"]).returncode == 0
