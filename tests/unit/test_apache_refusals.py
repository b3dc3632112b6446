# SPDX-License-Identifier: Apache-2.0
"""What ``--import`` does not take, with the message; and what it does not translate, with what is closed instead."""

import os
import re
from collections.abc import Callable
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from selsock.generate.__main__ import main
from selsock.generate.apache.addresses import networks
from selsock.generate.apache.convert import imported
from selsock.generate.apache.files import BYTES, DEPTH, MOST
from selsock.generate.apache.syntax import LINE

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"Listen 80\nServer\0Name x\n", 2, "expected text, not the character NUL"),
        (b"Listen 80 \\", 1, "expected a line behind the backslash, not the end of the file"),
        (b"A " + b"x" * LINE, 1, f"expected a line of {LINE} characters at most, not a longer one"),
        (b"A \\\n" + b"x\\\n" * LINE + b"x", 1, f"expected a line of {LINE} characters at most, not a longer one"),
        (b"\n<VirtualHost *:80>\n", 2, "expected the end </VirtualHost> in this file, not '<VirtualHost *:80>'"),
        (b"</Location>\n", 1, "expected the end of the section that was opened last, not '</Location>'"),
        (
            b"<Directory /a>\n<Location /b>\n</Directory>\n",
            3,
            "expected the end of the section that was opened last, not '</Directory>'",
        ),
        (b"<Directory /a\n", 1, "expected <SECTION …> or </SECTION>, not '<Directory /a'"),
        (b"<>\n", 1, "expected <SECTION …> or </SECTION>, not '<>'"),
        (
            b'DocumentRoot /srv/a\nServerName "a.example\n',
            2,
            "expected a quote that is closed, not 'ServerName \"a.example'",
        ),
        (b"DocumentRoot /a /b\n", 1, "expected one argument, not 'DocumentRoot /a /b'"),
        (b"DocumentRoot /srv/a\nServerName\n", 2, "expected one argument, not 'ServerName'"),
        (b"Include none.conf\n", 1, "expected a file that exists (DIRECTORY/none.conf), not 'Include none.conf'"),
        (b"Include none*.conf\n", 1, "expected a file that exists (DIRECTORY/none*.conf), not 'Include none*.conf'"),
        (b"Include httpd.conf\n", 1, f"expected includes and sections {DEPTH} deep at most, not 'Include httpd.conf'"),
        (
            b"<Location /a>\n" * 30 + b"</Location>\n" * 30,
            DEPTH + 1,
            f"expected includes and sections {DEPTH} deep at most, not '<Location /a>'",
        ),
        (
            b"Define A " + b"a" * 30 + b"\n" + b"Define A ${A}${A}\n" * 40,
            13,
            f"expected variables with {LINE} characters at most, not 'Define A ${{A}}${{A}}'",
        ),
        (
            b"Order up,down\nAllow everybody\nDocumentRoot /srv/a\n",
            2,
            "expected arguments as mod_access_compat takes them, not 'Allow everybody'",
        ),
    ],
)
def test_hostile_input_is_one_line(tmp_path: Path, capsys: Captured, text: bytes, line: int, problem: str) -> None:
    """With file and line, and the exit status of a bad configuration."""
    file = tmp_path / "httpd.conf"
    file.write_bytes(text)
    assert main(["--import", str(file)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{file}:{line}: {problem}\n".replace("DIRECTORY", str(tmp_path)))


def test_other_bytes_than_utf_8_are_one_line(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "httpd.conf").write_bytes(b"Listen 80\n# \xff\n")
    assert main(["--import", str(tmp_path / "httpd.conf")]) == 2
    assert capsys.readouterr().err == f"{tmp_path}/httpd.conf:2:1: the whole: expected UTF-8, not the byte 0xff\n"


def test_includes_that_multiply_end(tmp_path: Path, capsys: Captured) -> None:
    """Two of each kind make 2**19 files, at a depth that is allowed."""
    for number in range(19):
        (tmp_path / f"{number}.conf").write_text(f"Include {number + 1}.conf\n" * 2)
    (tmp_path / "19.conf").write_text("Listen 80\n")
    assert main(["--import", str(tmp_path / "0.conf")]) == 2
    assert f": expected {MOST} directives at most, not 'Include " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["fifo", "large"])
def test_only_regular_files_of_some_size_are_read(tmp_path: Path, capsys: Captured, name: str) -> None:
    """A FIFO would wait for ever."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"\n" * (BYTES + 1))
    problem = f"{BYTES} bytes at most, not more" if name == "large" else "a regular file, not something else"
    assert main(["--import", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err == f"{tmp_path / name}: expected {problem}\n"


def test_a_file_that_is_not_there(tmp_path: Path, capsys: Captured) -> None:
    assert main(["--import", str(tmp_path / "none")]) == 3
    assert capsys.readouterr().err == f"selsock-generate: {tmp_path / 'none'}: No such file or directory\n"


def test_what_can_not_be_read_in_an_include_is_told(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "httpd.conf").write_text("Include loop\n")
    (tmp_path / "loop").symlink_to("loop")
    assert main(["--import", str(tmp_path / "httpd.conf")]) == 2
    reason = f"({tmp_path / 'loop'}: Too many levels of symbolic links)"
    assert capsys.readouterr().err == (
        f"{tmp_path / 'httpd.conf'}:1: expected a file that can be read {reason}, not 'Include loop'\n"
    )


# ---- what is closed


HOST = """ServerName a.example
DocumentRoot /srv/a
<Directory /srv/a>
Require all granted
</Directory>
"""
OPEN = [{"any": "true"}]
Importer = Callable[[str], tuple[dict[str, object], list[str]]]


@pytest.fixture
def host(tmp_path: Path) -> Importer:
    """Imports a configuration with the host ``HOST`` before it; gives the contexts by location, and what is missing."""

    def contexts(text: str) -> tuple[dict[str, object], list[str]]:
        (tmp_path / "httpd.conf").write_text(HOST + text)
        made, missing = imported(tmp_path / "httpd.conf")
        (site,) = yaml.load(made, yaml.BaseLoader)["vhosts"].values()
        places = {url: its["contexts"] for url, its in site.get("locations", {}).items() if "contexts" in its}
        return {"": site["contexts"], **places}, missing

    return contexts


@pytest.mark.parametrize(
    "text",
    [
        "RewriteRule ^/admin - [F]\n",
        "SomethingNew On\n",
        "AuthMerging And\n",
        "AddHandler cgi-script .cgi\n",
        "AddType application/x-httpd-php .php\n",
        "AddOutputFilter INCLUDES .shtml\n",
        "SetHandler server-info\n",
        "SSLEngine on\n",
        "Dav On\n",
        "AliasMatch ^/x /srv/x\n",
        'RedirectMatch "^/x" /y\n',
        "Redirect / https://a.example/\n",
        "ProxyPass / http://127.0.0.1:8000/\n",
        "Alias / /srv/other/\n",
        'Alias "/a b" /srv/a/x\n',
        '<LocationMatch "secret">\nRequire all denied\n</LocationMatch>\n',
        "<DirectoryMatch secret>\nRequire all denied\n</DirectoryMatch>\n",
        "<Directory ~ secret>\nRequire all denied\n</Directory>\n",
        "<Directory /srv/*/secret>\nRequire all denied\n</Directory>\n",
        '<Location "/a b">\nRequire all denied\n</Location>\n',
        "<Files secret>\nRequire all denied\n</Files>\n",
        '<FilesMatch "^\\.ht|secret">\nRequire all denied\n</FilesMatch>\n',
        "<If \"%{HTTP_HOST} == 'x'\">\nRequire all denied\n</If>\n",
        "<Macro X>\nRequire all denied\n</Macro>\n",
        "<Directory /srv/a>\nAllowOverride All\nRequire all granted\n</Directory>\n",
        "<Location />\n<Limit GET>\nRequire user a\n</Limit>\n</Location>\n",
        "<Location />\n<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>\n",
        "<Location />\nRequire env x\n</Location>\n",
        "<Location />\nRequire host example.org\n</Location>\n",
        "<Location />\nRequire expr true\n</Location>\n",
        "<Location />\nRequire not ip 192.0.2.1\n</Location>\n",
        "<Location />\nRequire method FLY\n</Location>\n",
        "<Location />\nRequire ip somewhere\n</Location>\n",
        "<Location />\nRequire ip ::ffff:192.0.2.1\n</Location>\n",
        '<Location />\nRequire user "a:b"\n</Location>\n',
        "<Location />\n<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ip ::1\n</RequireNone>\n</RequireAll>\n</Location>\n",
        "<Location />\n<RequireAny>\nOther x\n</RequireAny>\n</Location>\n",
        "<Location />\nRequire valid-user\n</Location>\n",
        "<Location />\nOrder allow,deny\nAllow from all\nDeny from 192.0.2.1\n</Location>\n",
        "<Location />\nOrder deny,allow\nDeny from 192.0.2.1\n</Location>\n",
        "<Location />\nDeny from all\nAllow from example.org\n</Location>\n",
        "selinuxDomainVal user_t:s0-s0:c1\n",
        "selinuxDomainVal webapp:s0\n",
        "selinuxDomainVal selsock_t:s0\n",
        "selinuxDomainVal user_t:SystemLow\n",
        "selinuxDomainMap none.map\nselinuxDomainVal user_t:s0\n",
        'selinuxDomainMap "a b"\nselinuxDomainVal user_t:s0\n',
        "selinuxDomainEnv NOBODY_SETS_IT\n",
        "SetEnvIf User-Agent x V=user_t:s0\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "SetEnvIf Remote_Addr ^(10|11) V=user_t:s0\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "SetEnvIf Remote_Addr 1 V=user_t:s0\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "SetEnvIf Remote_Addr ^10 !V\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "SetEnvIf Request_Method (POST V=user_t:s0\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "SetEnvIf Request_Method FLY V=user_t:s0\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "PassEnv V\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "BrowserMatch Lynx V=user_t:s0\nselinuxDomainEnv V\nselinuxDomainVal user_t:s0\n",
        "selinuxDomainEnv AUTHENTICATE_UDOMAIN\nselinuxDomainVal *:s0-s1\n",
        "ScriptAlias / /srv/a/cgi\n",
        "ScriptAlias / /usr/lib/cgi-bin/\n",
        "WSGIScriptAlias / /srv/a/app.wsgi\n",
        "WSGIScriptAlias / /srv/a/my-app.py\n",
        "WSGIScriptAlias / /srv/a/app.py\nselinuxDomainVal user_t:s0\n",
    ],
)
def test_what_may_restrict_closes_and_is_listed(host: Importer, text: str) -> None:
    """The control is the host without it, which is open; each line of the text that is to blame is in the list."""
    assert host("") == ({"": OPEN}, [])
    contexts, missing = host(text)
    assert set(map(str, contexts.values())) == {"[]"}
    lines = [int(number) for line in missing for number in re.findall(r"httpd\.conf:(\d+)", line)]
    assert any(number > HOST.count("\n") for number in lines), missing


@pytest.mark.parametrize(
    ("text", "contexts"),
    [
        ("ErrorLog logs/x\n", OPEN),
        ("<Location />\nRequire ip 10.1 192.0.2.0/24\n</Location>\n", [{"address": ["10.1.0.0/16", "192.0.2.0/24"]}]),
        ("<Location />\nRequire method POST\n</Location>\n", [{"method": "POST"}]),
        ("<Location />\nRequire method GET\n</Location>\n", [{"method": ["GET", "HEAD"]}]),
        (
            "<Location />\n<RequireAll>\nRequire method POST\nRequire ip 10.0.0.0/8\nRequire ip 10.1.0.0/16\n</RequireAll>\n</Location>\n",
            [{"method": "POST", "address": "10.1.0.0/16"}],
        ),
        ("<Location />\nRequire host example.org\nRequire ip 10\n</Location>\n", [{"address": "10.0.0.0/8"}]),
        ("<Location />\nDeny from all\nAllow from 10.1\n</Location>\n", [{"address": "10.1.0.0/16"}]),
        ("<Location />\nOrder allow,deny\nAllow from all\n</Location>\n", OPEN),
        (
            "<Location />\nOrder allow,deny\nAllow from 10.1\nRequire ip 10.1.2\n</Location>\n",
            [{"address": "10.1.2.0/24"}],
        ),
        (
            "<Location />\nDeny from all\nAllow from 10.1\nRequire ip 10.2\nSatisfy Any\n</Location>\n",
            [{"address": "10.1.0.0/16"}, {"address": "10.2.0.0/16"}],
        ),
        ("<Location />\n<RequireAll>\nRequire user a\nRequire user b\n</RequireAll>\n</Location>\n", []),
        ("<Location />\n<RequireAll>\nRequire ip 10\nRequire ip 11\n</RequireAll>\n</Location>\n", []),
        ("<Location />\nOrder deny,allow\nDeny from all\n</Location>\n", []),
        ("<Location />\nRequire all denied\n</Location>\n", []),
        # The more special directory decides, wherever it stands; of locations, the last.
        ("<Directory />\nRequire all denied\n</Directory>\n", OPEN),
        ("<Location />\nRequire all denied\n</Location>\n<Location />\nRequire all granted\n</Location>\n", OPEN),
        # Of mod_selinux, what stands further in is asked first.
        (
            "selinuxDomainVal a_t:s0\n<Directory /srv/a>\nSetEnvIf Remote_Addr ^10\\. V=b_t:s0\nselinuxDomainEnv V\n</Directory>\n",
            [{"address": "10.0.0.0/8", "context": "b_t:s0"}, {"any": "true", "context": "a_t:s0"}],
        ),
        ("selinuxDomainVal *:*\n", OPEN),
        # SetEnv is for whom no SetEnvIf has set it.
        (
            "SetEnv V a_t:s0\nSetEnvIf Remote_Addr ^10\\. V=b_t:s0\nselinuxDomainEnv V\n",
            [{"address": "10.0.0.0/8", "context": "b_t:s0"}, {"any": "true", "context": "a_t:s0"}],
        ),
        ("selinuxDomainVal *:s0-s0\n", [{"any": "true", "context": {"range": "s0"}}]),
        ("selinuxDefaultDomain a_t:s0\nSetEnv V b_t:s0\nselinuxDomainEnv V\n", [{"any": "true", "context": "b_t:s0"}]),
        (
            "SetEnvIfNoCase Request_Method ^p V=a_t:s0\nselinuxDomainEnv V\n",
            [{"method": ["PATCH", "POST", "PROPFIND", "PROPPATCH", "PUT"], "context": "a_t:s0"}],
        ),
    ],
)
def test_what_is_carried_over(host: Importer, text: str, contexts: object) -> None:
    assert host(text)[0][""] == contexts


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Redirect 302 /old /new\n", {"": OPEN, "/old": []}),
        ("ProxyPass /api http://127.0.0.1:8000\n", {"": OPEN, "/api": []}),
        ("Alias /x/ /usr/share/x/\n", {"": OPEN, "/x": []}),
        ("<Directory /srv/a/secret>\nRequire all denied\n</Directory>\n", {"": OPEN, "/secret": []}),
        ("<Location /secret/>\nRequire all denied\n</Location>\n", {"": OPEN, "/secret": []}),
        ("<Directory /srv/b>\nRequire all denied\n</Directory>\n", {"": OPEN}),
        (
            "Alias /x /srv/a/y\n<Directory /srv/a/y>\nRequire ip 10\n</Directory>\n",
            {"": OPEN, "/x": [{"address": "10.0.0.0/8"}], "/y": [{"address": "10.0.0.0/8"}]},
        ),
        # A later location is stronger, though it is not the longest.
        (
            "<Location /a/b>\nRequire all granted\n</Location>\n<Location /a>\nRequire all denied\n</Location>\n",
            {"": OPEN, "/a": []},
        ),
    ],
)
def test_where_it_holds(host: Importer, text: str, places: dict[str, object]) -> None:
    assert host(text)[0] == places


@pytest.mark.parametrize(
    ("kind", "contexts", "told"),
    [("None", OPEN, []), ("Basic", [], ["there is no Require; Apache 2.4 lets nobody in then"])],
)
def test_a_way_to_sign_in_that_nobody_requires(tmp_path: Path, kind: str, contexts: object, told: list[str]) -> None:
    """Apache 2.4 lets nobody in then, and everybody without it."""
    file = tmp_path / "httpd.conf"
    file.write_text(f"ServerName a.example\nDocumentRoot /srv/a\n<Location />\nAuthType {kind}\n</Location>\n")
    made, missing = imported(file)
    assert yaml.load(made, yaml.BaseLoader)["vhosts"]["a.example"]["contexts"] == contexts
    assert [line.rpartition(": ")[2] for line in missing if "Require" in line] == told


def test_nothing_is_dropped_without_a_word(host: Importer) -> None:
    """Each line that is not carried over is in the list, and no other."""
    text = (
        "\n".join(f"ErrorLog {number}" for number in range(3)) + "\n<Directory /srv/b>\nRequire ip 10\n</Directory>\n"
    )
    missing = host(text)[1]
    first = HOST.count("\n") + 1
    assert [line.rpartition("httpd.conf:")[2] for line in missing] == [
        f"{first}-{first + 2}: ErrorLog: records go to the journal",
        f"{first + 3}: Directory: it is about nothing that is carried over",
        f"{first + 4}: Require: it is about nothing that is carried over",
    ]


def test_text_of_others_makes_neither_key_nor_escape(tmp_path: Path) -> None:
    """What a directive has in it can end neither its comment nor its line on a terminal."""
    name = "ServerAlias \x1b[31m\u2028x: \u0085y\nServerAdmin a\n"
    (tmp_path / "httpd.conf").write_text(HOST + name)
    made, _ = imported(tmp_path / "httpd.conf")
    assert [line for line in made.splitlines() if not line.isprintable()] == []
    assert list(yaml.load(made, yaml.BaseLoader)) == ["domains", "vhosts"]


# ---- addresses


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"^192\.168\.1\.[0-9]+$", ["192.168.1.0/24"]),
        (r"192\.168\.1\.\d{1,3}", ["192.168.1.0/24"]),
        (r"10\.0\.[0-9]+\.[0-9]+$", ["10.0.0.0/16", "110.0.0.0/16", "210.0.0.0/16"]),
        (r"^127\.0\.0\.1$", ["127.0.0.1/32"]),
        (
            r"^127[.]0[.]0[.]1",
            [
                "127.0.0.1/32",
                "127.0.0.10/31",
                "127.0.0.12/30",
                "127.0.0.16/30",
                "127.0.0.100/30",
                "127.0.0.104/29",
                "127.0.0.112/28",
                "127.0.0.128/26",
                "127.0.0.192/29",
            ],
        ),
        (r"^", ["0.0.0.0/0"]),
        (r"^300\.", []),
    ],
)
def test_addresses_are_those_that_match(expression: str, expected: list[str]) -> None:
    assert networks(expression) == expected


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("192.168.1.[0-9]+$", "expected 64 networks at most, not what '192.168.1.[0-9]+$' matches"),
        ("^(10|11)", r"expected digits, dots, [0-9] and \d alone, not '^(10|11)'"),
        ("1" * 40, rf"expected digits, dots, [0-9] and \d alone, not '{'1' * 40}'"),
    ],
)
def test_expressions_that_are_not_taken(expression: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        networks(expression)


PIECES = st.sampled_from(
    ["1", "2", "10", "25", r"\.", r"\.", ".", "[0-9]", r"\d+", "[0-9]*", "0?", "1{2}", ".{1,2}", "[.]"]
)
OCTET = st.sampled_from([0, 1, 2, 10, 12, 21, 25, 100, 101, 110, 111, 125, 210, 250, 255])


@settings(max_examples=200, deadline=None)
@given(
    st.booleans(),
    st.lists(PIECES, max_size=8),
    st.booleans(),
    st.lists(st.tuples(OCTET, OCTET, OCTET, OCTET), max_size=60),
)
def test_networks_agree_with_the_expression(
    begins: bool, pieces: list[str], ends: bool, hosts: list[tuple[int, ...]]
) -> None:
    """Python's own matcher says the same of every address, where there is an answer at all."""
    expression = "^" * begins + "".join(pieces) + "$" * ends
    try:
        found = [ip_network(text) for text in networks(expression)]
    except ValueError:
        return
    for address in (IPv4Address(".".join(map(str, octets))) for octets in hosts):
        matches = re.search(expression, str(address)) is not None
        assert any(address in network for network in found) == matches, (expression, address)
