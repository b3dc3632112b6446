# SPDX-License-Identifier: Apache-2.0
"""``--import`` of what Debian's package apache2 installs: its own configuration with its own sites."""

from pathlib import Path

import pytest
import yaml

from selsock.generate.__main__ import main
from tests.machines.trees import tree

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
