# SPDX-License-Identifier: Apache-2.0
"""Put the sites into a root tree, as their operators would: virtual environments, migrations, a wiki's own copy."""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from tests.machines.commands import Report, cache, run, to_stderr
from tests.machines.install import Files
from tests.machines.trees import locked, overlay, run_in, tree
from tests.site import ALICE, PASSWORDS

HERE = Path(__file__).parent
TREE = "trixie-applications"
PYTHON = "3.13"  # the tree's
HOSTS = ("flask", "django", "bottle", "dav", "wiki", "git", "cgi", "hostile")
# What the applications write, below /srv/vhosts; the rest is root's.
WRITTEN = (
    *(f"{name}/tmp" for name in HOSTS),
    *("flask/data", "django/data", "django/media", "bottle/data", "dav/files", "dav/state", "wiki/data"),
    *("git/repositories", "cgi/data"),
)
PLAY = "/srv/vhosts/git/repositories/play.git"
USER = ("alice", PASSWORDS["alice"])
FILES: Files = {
    "/etc/selsock/applications.htpasswd": (ALICE, 0o644),
    "/etc/hosts": (f"127.0.0.1 localhost {' '.join(f'{name}.example' for name in HOSTS)}\n".encode(), 0o644),
}


def site_yaml() -> str:
    """The configuration."""
    return (HERE / "site.yaml").read_text()


# Run when the user that serves exists: what is written is his.
GIVE = f"cd /srv/vhosts && chown -R selsock:selsock {' '.join(WRITTEN)}"
# Whatever made the tree's byte code, it would be made anew for every connection if it were not there.
COMPILE = "python3 -m compileall -q /srv/vhosts/*/code /srv/vhosts/*/venv"
SHOP = """cd /srv/vhosts/django
manage="venv/bin/python code/manage.py"
$manage migrate --verbosity 0
DJANGO_SUPERUSER_PASSWORD=$2 $manage createsuperuser --verbosity 0 --noinput --username "$1" --email "$1@django.example"
$manage collectstatic --verbosity 0 --noinput
"""
# The package keeps the code in one place for all wikis and its data in another; a tenant has both of his own.
WIKI = """cd /srv/vhosts/wiki
cp -rL /usr/share/dokuwiki htdocs
rm -f htdocs/.htaccess htdocs/.htaccess.dist*
sed -i s,/etc/dokuwiki/,/srv/vhosts/wiki/conf/, htdocs/inc/preload.php
mv conf own
cp -r /etc/dokuwiki conf
rm conf/acl.auth.php conf/users.auth.php
cp own/* conf
rm -r own
cp -r /var/lib/dokuwiki/data/. data
mkdir data/sessions
"""


def sites(report: Report = to_stderr) -> Path:
    """The finished /srv/vhosts as a layer over the tree, kept in the cache by what it is made of."""
    base = tree(TREE, report)
    key = hashlib.sha256(base.name.encode())
    for path in sorted((Path(__file__), *(HERE / "sites").rglob("*"), *(HERE / "requirements").iterdir())):
        if path.is_file() and path.suffix != ".pyc":
            key.update(repr((str(path.relative_to(HERE)), path.read_bytes(), path.stat().st_mode)).encode())
    found = cache() / "applications" / key.hexdigest()[:16]
    found.parent.mkdir(exist_ok=True)
    with locked(found.parent / "lock"):
        if not found.exists():
            report("building the sites of the applications")
            build(base, found)
    return found


def build(base: Path, finished: Path) -> None:
    """Build beside ``finished`` and rename.  pip runs on the host: the tree has no network."""
    building = Path(tempfile.mkdtemp(prefix=".", dir=finished.parent))
    try:
        with overlay(base) as root:
            shutil.copytree(HERE / "sites", root / "srv/vhosts", ignore=shutil.ignore_patterns("__pycache__"))
            for name in WRITTEN:
                (root / "srv/vhosts" / name).mkdir(parents=True, exist_ok=True)
            for requirements in (HERE / "requirements").iterdir():
                environment(root, requirements)
            for script in (COMPILE, SHOP, WIKI):
                run_in(root, ["bash", "-euc", script, "build", *USER])
            run_in(root, ["git", "init", "--quiet", "--bare", "--initial-branch=main", PLAY])
            shutil.copytree(root / "srv", building / "layer/srv", symlinks=True)
        (building / "layer").rename(finished)
    finally:
        shutil.rmtree(building)


def environment(root: Path, requirements: Path) -> None:
    """A virtual environment of the tree's Python, with what ``requirements`` pins."""
    place = f"srv/vhosts/{requirements.stem}/venv"
    run_in(root, ["python3", "-m", "venv", "--without-pip", f"/{place}"])
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    command += ["--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64"]
    command += [f"--target={root / place}/lib/python{PYTHON}/site-packages", "--requirement", str(requirements)]
    run(command, timeout=600)
