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
# What the applications write, below /srv/www; the rest is root's.
WRITTEN = (
    *(f"{name}/tmp" for name in HOSTS),
    *("flask/data", "django/data", "django/media", "bottle/data", "dav/files", "dav/state", "wiki/data"),
    *("git/repositories", "cgi/data"),
)
USER = ("alice", PASSWORDS["alice"])
FILES: Files = {
    "/etc/selsock/applications.htpasswd": (ALICE, 0o644),
    "/etc/hosts": (f"127.0.0.1 localhost {' '.join(f'{name}.example' for name in HOSTS)}\n".encode(), 0o644),
}


def site_yaml() -> str:
    """The configuration."""
    return (HERE / "site.yaml").read_text()


def install(root: Path, report: Report = to_stderr) -> None:
    """Write /srv/www into ``root``, an overlay of the tree ``TREE``."""
    shutil.copytree(HERE / "sites", root / "srv/www", symlinks=True, dirs_exist_ok=True)
    for name in WRITTEN:
        (root / "srv/www" / name).mkdir(parents=True, exist_ok=True)
    for requirements in (HERE / "requirements").iterdir():
        name = requirements.stem
        shutil.copytree(environment(name, report), root / f"srv/www/{name}/venv", symlinks=True)
    run_in(root, ["bash", "-euc", "python3 -m compileall -q /srv/www/*/code"])
    run_in(root, ["bash", "-euc", SHOP, "shop", *USER])
    run_in(root, ["bash", "-euc", WIKI])
    run_in(root, ["git", "init", "--quiet", "--bare", "--initial-branch=main", "/srv/www/git/repositories/play.git"])


def give(root: Path) -> None:
    """Give what is written to the user that serves, who must exist."""
    run_in(root, ["chown", "-R", "selsock:selsock", *(f"/srv/www/{name}" for name in WRITTEN)])


SHOP = """cd /srv/www/django
manage="venv/bin/python code/manage.py"
$manage migrate --verbosity 0
DJANGO_SUPERUSER_PASSWORD=$2 $manage createsuperuser --verbosity 0 --noinput --username "$1" --email "$1@django.example"
$manage collectstatic --verbosity 0 --noinput
"""
# The package keeps the code in one place for all wikis and its data in another; a tenant has both of his own.
WIKI = """cd /srv/www/wiki
cp -rL /usr/share/dokuwiki htdocs
rm -f htdocs/.htaccess htdocs/.htaccess.dist*
sed -i s,/etc/dokuwiki/,/srv/www/wiki/conf/, htdocs/inc/preload.php
mv conf own
cp -r /etc/dokuwiki conf
rm conf/acl.auth.php conf/users.auth.php
cp own/* conf
rm -r own
cp -r /var/lib/dokuwiki/data/. data
mkdir data/sessions
"""


def environment(name: str, report: Report = to_stderr) -> Path:
    """The finished virtual environment of a site, for its place in /srv/www, kept in the cache by what is in it."""
    base = tree(TREE, report)
    requirements = HERE / "requirements" / f"{name}.txt"
    key = hashlib.sha256(repr((base.name, requirements.read_text(), Path(__file__).read_text())).encode())
    path = cache() / "environments" / f"{name}-{key.hexdigest()[:12]}"
    path.parent.mkdir(exist_ok=True)
    with locked(path.parent / "lock"):
        if not path.exists():
            report(f"installing {', '.join(requirements.read_text().split())}")
            build_environment(base, name, requirements, path)
    return path


def build_environment(base: Path, name: str, requirements: Path, path: Path) -> None:
    """Build beside ``path`` and rename.  pip runs on the host: the tree has no network."""
    place = f"srv/www/{name}/venv"
    building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=path.parent))
    try:
        with overlay(base) as root:
            run_in(root, ["python3", "-m", "venv", "--without-pip", f"/{place}"])
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
            command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
            command += ["--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64"]
            command += [f"--target={root / place}/lib/python{PYTHON}/site-packages", "--requirement", str(requirements)]
            run(command, timeout=600)
            run_in(root, ["python3", "-m", "compileall", "-q", f"/{place}"])
            shutil.copytree(root / place, building / "venv", symlinks=True)
        (building / "venv").rename(path)
    finally:
        shutil.rmtree(building)
