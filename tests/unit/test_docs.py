# SPDX-License-Identifier: Apache-2.0
"""What the documents say is true: examples are configurations, lists are complete, named tests exist."""

import re
from pathlib import Path

import pytest

from selsock import errors
from selsock.generate.configuration import configure
from selsock.generate.machine import SYSTEMD_LIMITS
from selsock.generate.ranges import Ledger
from selsock.generate.source import load
from selsock.handler.response import REASONS
from selsock.model import LIMITS

CHECKOUT = Path(__file__).parents[2]
MAN = CHECKOUT / "docs/man"


@pytest.mark.parametrize(
    ("document", "language"), [(CHECKOUT / "README.md", "yaml"), (MAN / "selsock.vhost.5.scd", "")]
)
def test_examples_are_good_configurations(document: Path, language: str) -> None:
    """Each YAML block is accepted, with its vhost."""
    blocks = re.findall(rf"```{language}\n(domains:.*?)```", document.read_text(), re.DOTALL)
    assert len(blocks) == 1
    configuration = configure(load(blocks[0].encode(), "vhost.yaml"), "vhost.yaml", Ledger())
    assert [site.vhost.name for site in configuration.sites] == ["www.example.org"]


def test_every_limit_is_documented_with_its_default() -> None:
    """As ``*name* … (default``."""
    page = (MAN / "selsock.vhost.5.scd").read_text()
    for name, default, _ in (*LIMITS, *SYSTEMD_LIMITS):
        assert re.search(rf"\*{name}\*[^(*]*\({default}\b", page), name


def test_every_exit_status_is_documented() -> None:
    """In selsock(8), each once."""
    page = (MAN / "selsock.8.scd").read_text().partition("# EXIT STATUS")[2].partition("# STATUS CODES")[0]
    documented = [int(number) for number in re.findall(r"^\*(\d+)\*$", page, re.MULTILINE)]
    assert documented == sorted(value for name, value in vars(errors).items() if name.startswith("EXIT_"))


def test_every_status_code_is_documented() -> None:
    """In selsock(8)."""
    page = (MAN / "selsock.8.scd").read_text().partition("# STATUS CODES")[2].partition("# JOURNAL")[0]
    assert {int(number) for number in re.findall(r"\*(\d+)\*", page)} == set(REASONS)


def test_security_names_tests_that_exist() -> None:
    """Every promise of SECURITY.md has its test, under that name."""
    named = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", (CHECKOUT / "SECURITY.md").read_text())
    assert len(named) > 10
    for path, function in named:
        assert (CHECKOUT / path).exists(), path
        assert not function or f"def {function}(" in (CHECKOUT / path).read_text(), function


def test_architecture_names_files_that_exist() -> None:
    """Every file that the walk names."""
    text = (CHECKOUT / "ARCHITECTURE.md").read_text()
    for path in re.findall(r"`((?:selsock|units|policy|packaging|tests|handler)/[\w/.@-]+)`", text):
        assert (CHECKOUT / path).exists() or (CHECKOUT / "selsock" / path).exists(), path
