# SPDX-License-Identifier: Apache-2.0
"""``--import`` of what Debian's package apache2 installs: its own configuration with its own sites; and whom Apache lets in."""

import hashlib
import json
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from selsock.errors import PeerFault
from selsock.generate.__main__ import main
from selsock.generate.apache.convert import imported as convert
from selsock.generate.configuration import configure
from selsock.generate.ranges import Ledger
from selsock.generate.source import load
from selsock.handler.identify import Identity
from selsock.handler.label import label
from selsock.names import UserName
from tests.machines.trees import overlay, run_in, tree

HEADS = "# From {file} by selsock-generate --import.  What was not carried over is listed at the end.\n"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def apache2() -> Path:
    """/etc/apache2 of Debian."""
    return tree("trixie-bench") / "etc/apache2"


def imported(file: Path, to: Path, capsys: Captured) -> tuple[dict[str, dict[str, object]], str]:
    """The virtual hosts of the result, which ``--check`` takes, and its text."""
    assert main(["--import", str(file)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(HEADS.format(file=file))
    (to / "vhost.yaml").write_text(text)
    assert main(["--check", str(to / "vhost.yaml")]) == 0
    assert capsys.readouterr().err == ""
    hosts = yaml.load(text, yaml.BaseLoader)["vhosts"]
    return dict(hosts), text


def test_the_default_site(apache2: Path, tmp_path: Path, capsys: Captured) -> None:
    """It shows /var/www/html to everybody, and what lies elsewhere, or is Apache's own, to nobody."""
    index = ["index.html", "index.cgi", "index.pl", "index.php", "index.xhtml", "index.htm"]
    content = {"index": index, "listing": "true"}
    hosts, _ = imported(apache2 / "apache2.conf", tmp_path, capsys)
    assert hosts == {
        "localhost": {
            "root": "/var/www/html",
            "domain": "public",
            "range": "auto",
            "contexts": [{"any": "true"}],
            "locations": {
                "/": {"static": content},
                "/icons": {"contexts": []},
                "/server-status": {"static": content, "contexts": []},
            },
        }
    }


def test_the_default_site_with_tls(apache2: Path, tmp_path: Path, capsys: Captured) -> None:
    """Beside the other it is a comment, for it has no name of its own; alone it is closed, for TLS ends at a proxy."""
    both = tmp_path / "both.conf"
    both.write_text(f"ServerRoot {apache2}\nInclude apache2.conf\nInclude sites-available/default-ssl.conf\n")
    site = f"{apache2}/sites-available/default-ssl.conf:1"
    hosts, text = imported(both, tmp_path, capsys)
    assert list(hosts) == ["localhost"]
    unwrapped = text.replace("\n#     ", " ")
    assert (
        f"\n# {site}: localhost: the name is that of the host at {apache2}/sites-enabled/000-default.conf:1\n"
        in unwrapped
    )
    hosts, text = imported(apache2 / "sites-available/default-ssl.conf", tmp_path, capsys)
    assert hosts == {
        "localhost": {"root": "/var/www/html", "domain": "public", "range": "auto", "contexts": []},
    }
    assert ": SSLEngine on: TLS ends at a proxy (LISTENERS in selsock.vhost(5)); the host is closed\n" in text.replace(
        "\n#     ", " "
    )


# ---- whom Apache itself lets in

MODULES = (
    *("mpm_prefork", "authz_core", "authz_host", "authz_user", "authz_groupfile", "authn_core", "authn_file"),
    *("auth_basic", "access_compat", "alias", "dir"),
)
SERVER = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
SERVER += """\
PidFile /tmp/apache.pid
ErrorLog /tmp/error.log
User nobody
Group nogroup
Listen 80
ServerName a.example
DocumentRoot /srv/a
<Directory />
Require all denied
</Directory>
<Directory /srv/a>
Require all granted
AuthType Basic
AuthName Users
AuthUserFile /etc/apache2/users.htpasswd
AuthGroupFile /etc/apache2/users.htgroup
</Directory>
"""
# Whoever Apache lets in comes in, and nobody else.
SAME = {
    "/open": "",
    "/denied": "Require all denied",
    "/user": "Require user alice",
    "/users": "Require user alice carol",
    "/valid": "Require valid-user",
    "/group": "Require group staff",
    "/ip": "Require ip 127",
    "/otherip": "Require ip 192.0.2.0/24",
    "/either": "Require ip 192.0.2.1\nRequire user bob",
    "/method": "Require method GET",
    "/post": "Require method POST",
    "/all": "<RequireAll>\nRequire valid-user\nRequire method POST\nRequire ip 127.0.0.1\n</RequireAll>",
    "/nested": "<RequireAny>\nRequire user bob\n<RequireAll>\nRequire user alice\nRequire method GET\n</RequireAll>\n</RequireAny>",
    "/allow": "Order allow,deny\nAllow from 127.0.0.1",
    "/allowother": "Order allow,deny\nAllow from 192.0.2.1",
    "/denyall": "Order deny,allow\nDeny from all",
    "/denybut": "Order deny,allow\nDeny from all\nAllow from 127",
    "/both": "Order allow,deny\nAllow from 127.0.0.1\nRequire user alice",
    "/any": "Order allow,deny\nAllow from 127.0.0.1\nRequire user alice\nSatisfy Any",
    "/anyother": "Order allow,deny\nAllow from 192.0.2.1\nRequire user alice\nSatisfy Any",
    "/over/denied": "Require all granted",
    "/over": "Require all denied",  # stands behind it, so it is stronger
    "/wide": "Require all denied",
    "/wide/granted": "Require all granted",
    "/local": "Require local",
}
# These can not be said, and nobody comes in whom Apache keeps out.
STRICTER = {
    "/not": "<RequireAll>\nRequire valid-user\nRequire not user bob\n</RequireAll>",
    "/none": "<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ip 127\n</RequireNone>\n</RequireAll>",
    "/deny": "Order allow,deny\nAllow from all\nDeny from 127.0.0.1",
    "/denyother": "Order deny,allow\nDeny from 192.0.2.1",
    "/limit": "<Limit POST>\nRequire user alice\n</Limit>",
    "/limitexcept": "<LimitExcept GET>\nRequire user alice\n</LimitExcept>",
    "/files": "<Files secret>\nRequire all denied\n</Files>",
    "/expr": "Require expr \"%{REQUEST_METHOD} == 'GET'\"",
    "/merging": "AuthMerging And\nRequire user alice",
}
ASK = """
import http.client, json, socket, subprocess, sys, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = subprocess.Popen(["/usr/sbin/apache2", "-f", "/tmp/apache.conf", "-DFOREGROUND"], start_new_session=True)
while server.poll() is None:
    try:
        socket.create_connection(("127.0.0.1", 80)).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
found = []
for method, path, fields in json.load(sys.stdin):
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=30)
    connection.request(method, path, headers=fields)
    found.append(connection.getresponse().status)
    connection.close()
json.dump(found, sys.stdout)
server.terminate()
server.wait()
"""
USERS = (None, "alice", "bob", "carol")
REQUESTS = [
    (path, method, user) for path in {**SAME, **STRICTER} for method in ("GET", "HEAD", "POST") for user in USERS
]


def by_apache(configuration: str, passwords: str, groups: str) -> list[bool]:
    """Whether Apache lets each of ``REQUESTS`` in."""
    asked = [
        (
            method,
            f"{path}/secret",
            {"Authorization": f"Basic {b64encode(f'{user}:x'.encode()).decode()}"} if user else {},
        )
        for path, method, user in REQUESTS
    ]
    files = {
        "tmp/apache.conf": configuration,
        "tmp/ask.py": ASK,
        "etc/apache2/users.htpasswd": passwords,
        "etc/apache2/users.htgroup": groups,
    }
    with overlay(tree("trixie-bench")) as root:
        for path in STRICTER:
            (root / f"srv/a{path}").mkdir(parents=True)
        for name, text in files.items():
            (root / name).write_text(text)
        done = run_in(root, ["unshare", "--net", "python3", "/tmp/ask.py"], input=json.dumps(asked))
    statuses = json.loads(done.stdout)
    assert set(statuses) == {401, 403, 404}
    return [status == 404 for status in statuses]


def by_selsock(text: str, groups: dict[str, frozenset[str]]) -> list[bool]:
    """Whether the handler lets each of ``REQUESTS`` in, with the ``vhost.yaml`` in ``text``."""
    (site,) = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger()).sites
    found = []
    for path, method, user in REQUESTS:
        segments = (*path[1:].split("/"), "secret")
        location = next(given for given in site.vhost.locations if segments[: len(given.prefix)] == given.prefix)
        identity = Identity(UserName(user), groups[user]) if user else Identity(None)
        try:
            label(identity, method, "127.0.0.1", site.vhost, location)
        except PeerFault:
            found.append(False)
        else:
            found.append(True)
    return found


def test_whom_apache_lets_in_comes_in_and_nobody_else(tmp_path: Path) -> None:
    """Apache itself and the handler's own rules, asked the same; where that can not be said, nobody more comes in."""
    sections = "".join(f"<Location {path}>\n{text}\n</Location>\n" for path, text in SAME.items())
    sections += "".join(f"<Directory /srv/a{path}>\n{text}\n</Directory>\n" for path, text in STRICTER.items())
    digest = b64encode(hashlib.sha1(b"x", usedforsecurity=False).digest()).decode()
    passwords = "".join(f"{user}:{{SHA}}{digest}\n" for user in USERS if user)
    file = tmp_path / "apache.conf"
    file.write_text(SERVER + sections)
    made, _ = convert(file)
    apache = by_apache(SERVER + sections, passwords, "staff: bob carol\n")
    ours = by_selsock(made, {"alice": frozenset(), "bob": frozenset({"staff"}), "carol": frozenset({"staff"})})
    answers = list(zip(REQUESTS, apache, ours, strict=True))
    assert [answer for answer in answers if answer[0][0] in SAME and answer[1] != answer[2]] == []
    assert [answer for answer in answers if answer[2] and not answer[1]] == []
    assert {path for (path, _, _), theirs, _ in answers if theirs} >= {"/not", "/limit", "/expr", "/merging"}
