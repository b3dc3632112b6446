# SPDX-License-Identifier: Apache-2.0
"""selsock's RPMs, built in a Debian tree by rpmbuild, and the package that stands for Fedora's around them.

Debian's packages satisfy selsock's dependencies, but rpm does not know them.  names_package() makes a package that
provides, under Fedora's names, what Debian's packages in a tree really install, and nothing that is not there; so rpm
checks every dependency, those of the build included, and never needs --nodeps.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.machines.commands import CHECKOUT, CommandFailed, Report, cache, run, signs_of_life, to_stderr
from tests.machines.trees import locked, overlay, run_in, tree

# What Fedora calls it: the Debian package that has it.
NAMES = {
    "/bin/sh": "dash",
    "/usr/bin/python3": "python3",
    "libselinux-utils": "selinux-utils",
    "pam": "libpam-modules",
    "policycoreutils": "policycoreutils",
    "policycoreutils-python-utils": "policycoreutils-python-utils",
    "python3-crypt-r": "python3-crypt-r",
    "python3-jinja2": "python3-jinja2",
    "python3-libselinux": "python3-selinux",
    "python3-pyyaml": "python3-yaml",
    "python3-systemd": "python3-systemd",
    "selinux-policy": "selinux-policy-default",
    "selinux-policy-base": "selinux-policy-default",
    "selinux-policy-default": "selinux-policy-default",
    "systemd": "systemd",
}
BUILD_NAMES = {
    "bzip2": "bzip2",
    "checkpolicy": "checkpolicy",
    "curl": "curl",
    "httpd-tools": "apache2-utils",
    "make": "make",
    "openssl": "openssl",
    "pam": "libpam-modules",
    "python3-devel": "python3",
    "python3-h11": "python3-h11",
    "python3-hypothesis": "python3-hypothesis",
    "python3-pytest": "python3-pytest",
    "python3-setools": "python3-setools",
    "python3dist(jinja2)": "python3-jinja2",
    "python3dist(pyyaml)": "python3-yaml",
    "python3dist(setuptools)": "python3-setuptools",
    "python3dist(systemd-python)": "python3-systemd",
    "scdoc": "scdoc",
    "secilc": "secilc",
    "selinux-policy-devel": "selinux-policy-dev",
    "systemd-rpm-macros": "rpm",  # and macros.compat
    "tinycdb": "tinycdb",
}
# Besides names, what Fedora's packages do: units are off until someone turns them on, systemd reads its units again at
# the end of a transaction that brought some, and filesystem owns directories that our trees lack.
_NAMES_SPEC = """
Name: fedora-names
Version: 1
Release: 1
Summary: What Debian's packages install, under Fedora's names
License: Apache-2.0
BuildArch: noarch
{provides}
%description
For tests.
%install
mkdir -p %{{buildroot}}/usr/lib/systemd/system-preset %{{buildroot}}/usr/share/licenses
mkdir -p %{{buildroot}}/usr/share/man/man1 %{{buildroot}}/usr/share/man/man5 %{{buildroot}}/usr/share/man/man8
echo 'disable *' >%{{buildroot}}/usr/lib/systemd/system-preset/99-default-disable.preset
%transfiletriggerin -P 1000000 -- /usr/lib/systemd/system
[ ! -d /run/systemd/system ] || systemctl daemon-reload
%transfiletriggerpostun -P 1000000 -- /usr/lib/systemd/system
[ ! -d /run/systemd/system ] || systemctl daemon-reload
%files
/usr/lib/systemd/system-preset/99-default-disable.preset
%dir /usr/share/licenses
%dir /usr/share/man/man1
%dir /usr/share/man/man5
%dir /usr/share/man/man8
"""
# Where rpm finds macros.compat.  Not --load: since 4.20 rpm reads its configuration again when it comes to "BuildArch:
# noarch", and what --load brought is gone.
_MACROS = "root/.rpmmacros"
# Same source, same bytes, whenever and wherever it is built.
_OPTIONS = [
    *("--define", "_topdir /build"),
    *("--define", "_buildhost reproducible", "--define", "use_source_date_epoch_as_buildtime 1"),
    *("--define", "clamp_mtime_to_source_date_epoch 1", "--define", "build_mtime_policy clamp_to_source_date_epoch"),
]
_INSTALL = ["rpm", "--dbpath", "/var/lib/rpm"]
# What semodule says at every transaction: Debian's policy knows a user that is not there, an overlay is no file system
# that a directory could be renamed on, and the packaged configuration steps back behind what was applied.
CHATTER = re.compile(
    r"libsemanage\.(add_user: user sddm not in password file|semanage_rename: WARNING: .*"
    r"|semanage_direct_install_info: A higher priority selsock_tenants module exists at priority 400 .*)\n"
)

Edits = Mapping[str, tuple[str, str]]  # path in the source: what to replace everywhere in it, and by what


@dataclass(frozen=True)
class Packages:
    """A directory of the cache with the built packages."""

    directory: Path

    def path(self, name: str) -> Path:
        """The package ``name``: selsock, selsock-selinux, fedora-names; or ``src``, the source package."""
        if name == "src":
            (found,) = self.directory.glob("selsock-*.src.rpm")
        else:
            (found,) = (file for file in self.directory.glob("*.noarch.rpm") if file.name.rsplit("-", 2)[0] == name)
        return found

    def paths(self) -> list[Path]:
        """What a machine installs: fedora-names, selsock-selinux, selsock."""
        return [self.path(name) for name in ("fedora-names", "selsock-selinux", "selsock")]


def packages(report: Report = to_stderr, edits: Edits | None = None) -> Packages:
    """The packages of this checkout, with ``edits`` to its source if given, built if the cache has none."""
    with locked(cache() / "packages.lock"):
        dist()
        directory = cache() / "packages" / _key(edits or {})
        if not directory.exists():
            directory.parent.mkdir(exist_ok=True)
            report("building the packages")
            with signs_of_life("building the packages", report):
                _build(directory, edits or {}, tests=False)
    return Packages(directory)


def dist() -> None:
    """make dist: build/rpm with the source archive and the spec."""
    run(["make", "--no-print-directory", "dist"], cwd=CHECKOUT)


def build(directory: Path, *, tests: bool) -> Packages:
    """Build once more from what dist() left, into ``directory``, which must not exist; with %check if ``tests``."""
    _build(directory, {}, tests=tests)
    return Packages(directory)


def _key(edits: Edits) -> str:
    listed = run(["make", "--silent", "--no-print-directory", "shipped"], cwd=CHECKOUT).stdout
    digest = hashlib.sha256(repr((tree("trixie-build").name, tree("trixie").name, edits)).encode())
    for path in [Path(__file__), *(CHECKOUT / name for name in listed.split("\0") if name)]:
        digest.update(repr((path.name, path.read_bytes())).encode())
    digest.update((CHECKOUT / "build/rpm/epoch").read_bytes())
    return digest.hexdigest()[:16]


def _build(directory: Path, edits: Edits, *, tests: bool) -> None:
    """Build beside ``directory`` and rename, so that what is there is always whole."""
    building = Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-", dir=directory.parent))
    try:
        with overlay(tree("trixie-build")) as root:
            install_names(root, build_names(root, NAMES | BUILD_NAMES, root))
            _rpmbuild(root, edits, tests)
            for package in (root / "build").glob("*RPMS/**/selsock-*.rpm"):
                shutil.copy(package, building)
            shutil.copy(build_names(root, NAMES, tree("trixie")), building)
        building.chmod(0o755)
        building.rename(directory)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _rpmbuild(root: Path, edits: Edits, tests: bool) -> None:
    source = root / "build/SOURCES"
    source.mkdir(parents=True, exist_ok=True)
    (archive,) = (CHECKOUT / "build/rpm").glob("selsock-*.tar.gz")
    epoch = (CHECKOUT / "build/rpm/epoch").read_text().strip()
    spec = (CHECKOUT / "build/rpm/selsock.spec").read_text()
    if edits:
        edited = edit(archive, source, edits, epoch)
        spec = spec.replace(f"Version:        {archive.name[8:-7]}\n", f"Version:        {edited}\n")
    else:
        shutil.copy(archive, source)
    (root / "build/selsock.spec").write_text(spec)
    shutil.copy(CHECKOUT / "packaging/rpm/macros.compat", root / _MACROS)
    options = _OPTIONS if tests else [*_OPTIONS, "--nocheck"]
    command = ["env", f"SOURCE_DATE_EPOCH={epoch}", "rpmbuild", "-ba", *options, "/build/selsock.spec"]
    run_in(root, command)


def edit(archive: Path, directory: Path, edits: Edits, epoch: str) -> str:
    """Unpack ``archive``, make ``edits``, pack it again in ``directory`` under the version that it now has."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(["tar", "-C", work, "-xzf", archive])
        (source,) = work.iterdir()
        for path, (old, new) in edits.items():
            text = (source / path).read_text()
            if old not in text:
                raise ValueError(f"{path} has no {old!r}")
            (source / path).write_text(text.replace(old, new))
        version = run(
            ["python3", "-Ic", f"exec(open({str(source / 'selsock/__init__.py')!r}).read()); print(__version__)"]
        )
        renamed = source.with_name(f"selsock-{version.stdout.strip()}")
        source.rename(renamed)
        options = [f"--mtime=@{epoch}", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]
        run(["tar", "-C", work, "-czf", directory / f"{renamed.name}.tar.gz", *options, renamed.name])
    return version.stdout.strip()


def build_names(root: Path, names: Mapping[str, str], described: Path, without: str = "") -> Path:
    """Build fedora-names in ``root``, for what is installed in the tree ``described``; all but ``without``."""
    provided = {name: version(described, package) for name, package in names.items()}
    # Python's packages are 3.13.5; what byte code needs is 3.13.
    provided["python(abi)"] = ".".join(version(described, "python3").split(".")[:2])
    # A path has no version.
    provides = [
        f"Provides: {name}" + ("" if name.startswith("/") else f" = {number}")
        for name, number in provided.items()
        if name != without
    ]
    (root / "build").mkdir(exist_ok=True)
    (root / "build/fedora-names.spec").write_text(_NAMES_SPEC.format(provides="\n".join(provides)))
    run_in(root, ["rpmbuild", "--define", "_topdir /build", "-bb", "/build/fedora-names.spec"])
    (package,) = (root / "build/RPMS").glob("*/fedora-names-*.rpm")
    return package


def version(tree_root: Path, package: str) -> str:
    """The version of an installed Debian package as rpm can compare it: with its epoch, without Debian's revision."""
    query = [
        "dpkg-query",
        f"--admindir={tree_root}/var/lib/dpkg",
        "--show",
        "--showformat=${db:Status-Status} ${Version}",
    ]
    status, _, found = run([*query, package]).stdout.partition(" ")
    if status != "installed":
        raise LookupError(f"{package} is {status}")
    return found.rpartition("-")[0] or found


def install_names(root: Path, package: Path) -> None:
    """Install fedora-names into ``root``, which it was built in."""
    run_in(root, [*_INSTALL, "--install", f"/{package.relative_to(root)}"])


def install(root: Path, files: list[Path]) -> str:
    """Install packages into ``root`` with rpm, its scriptlets run in a chroot; return what was said."""
    directory = root / "var/tmp/rpm"
    directory.mkdir()
    for file in files:
        shutil.copy(file, directory)
    done = run_in(root, [*_INSTALL, "--install", *(f"/var/tmp/rpm/{file.name}" for file in files)])
    shutil.rmtree(directory)
    if CHATTER.sub("", done.stderr):
        raise CommandFailed(done)
    return done.stdout
