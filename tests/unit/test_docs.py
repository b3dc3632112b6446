# SPDX-License-Identifier: Apache-2.0
"""What the documents say is true: examples are configurations, lists are complete, named tests exist."""

import grp
import pwd
import re
from pathlib import Path

import pytest
import yaml

from selsock import errors
from selsock.generate import conflicts
from selsock.generate.configuration import TOP, configure
from selsock.generate.contents import CGI, STATIC, WSGI
from selsock.generate.domains import DOMAIN, Service
from selsock.generate.machine import SYSTEMD_LIMITS
from selsock.generate.maps import Maps
from selsock.generate.ranges import Ledger
from selsock.generate.rules import RULE
from selsock.generate.site import LOCATION, VHOST
from selsock.generate.source import BadSource, load
from selsock.handler.response import REASONS
from selsock.handler.serve.reply import PHRASES
from selsock.model import LIMITS, METHODS

CHECKOUT = Path(__file__).parents[2]
MAN = CHECKOUT / "docs/man"


def examples(document: Path, language: str) -> list[str]:
    """The blocks of ``language`` in a document."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)


def names(text: str) -> list[str]:
    """The vhosts of the configuration ``text``; it is a good one."""
    configuration = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger(), Maps(PAGE_MAPS))
    conflicts.check(configuration)
    return [site.vhost.name for site in configuration.sites]


def test_example_of_the_readme_is_a_good_configuration() -> None:
    """With its vhost."""
    blocks = [block for block in examples(CHECKOUT / "README.md", "yaml") if block.startswith("domains:")]
    assert [names(block) for block in blocks] == [["www.example.org"], ["shop.example.org"]]


def composed(example: str) -> str:
    """``example`` as a whole file: as selsock.vhost(5) says, what names no vhosts is a part of the first example."""
    part = yaml.load(example, Loader=yaml.BaseLoader)
    whole = yaml.load(PAGE_EXAMPLES[0], Loader=yaml.BaseLoader)
    (whole if part.keys() <= set(TOP) else whole["vhosts"]["www.example.org"]).update(part)
    return yaml.safe_dump(whole, allow_unicode=True, sort_keys=False)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has the users and groups of the examples."""
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "x", 1099, 1099, "", "/", "/bin/false")))
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 99, [])))


PAGE_BLOCKS = [*examples(MAN / "selsock.vhost.5.scd", ""), *examples(MAN / "selsock-map.5.scd", "")]
# A map begins with its name.
PAGE_MAPS = {block.split()[1]: block.encode() for block in PAGE_BLOCKS if block.startswith("# /")}
PAGE_EXAMPLES = [block for block in PAGE_BLOCKS if not block.startswith("# /")]


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("example", PAGE_EXAMPLES)
def test_examples_of_the_manual_are_good_configurations(example: str) -> None:
    """Each as it stands when it is whole, and in its place in the first one when it is a part."""
    assert names(example if "vhosts:" in example else composed(example)) == ["www.example.org"]


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("example", PAGE_EXAMPLES)
def test_examples_of_the_manual_are_read_by_line(example: str) -> None:
    """So that a composed one is refused for what it says: a mistake in it is found."""
    key = next(line.partition(":")[0] for line in example.splitlines())
    wrong = example.replace(key, f"{key}x", 1)
    with pytest.raises(BadSource, match="expected a known key|expected the key"):
        names(wrong if "vhosts:" in example else composed(wrong))


def test_every_key_is_documented_and_has_an_example() -> None:
    """In selsock.vhost(5): named in bold, and a key of an example."""
    page = (MAN / "selsock.vhost.5.scd").read_text()
    used = set(re.findall(r"(\w+):(?= |$)", "".join(PAGE_EXAMPLES), re.MULTILINE))
    documents = {TOP, VHOST, LOCATION, RULE, DOMAIN, STATIC, WSGI, CGI, ("basic", "realm", "file")}
    for key in {key for keys in documents for key in keys}:
        assert re.search(rf"\*[^*]*\b{key}\b[^*]*\*", page), key
        assert key in used or key == "listen", key
    for value in ("read", "write", "execute", *Service.known):
        assert f"*{value}*" in page, value


def test_every_limit_is_documented_with_its_default() -> None:
    """As ``*name* … (default``."""
    page = (MAN / "selsock.vhost.5.scd").read_text()
    for name, default in (*LIMITS.items(), *((name, default) for name, default, _ in SYSTEMD_LIMITS)):
        assert re.search(rf"\*{name}\*[^(*]*\({default}\b", page), name


def test_every_method_is_documented() -> None:
    """In selsock(8), in this order."""
    methods = (MAN / "selsock.8.scd").read_text().partition("*Methods*\n")[2].partition(", of\n")[0]
    assert b", ".join(METHODS).decode() == " ".join(methods.split()).replace(" and ", ", ")


def test_every_exit_status_is_documented() -> None:
    """In selsock(8), each once."""
    page = (MAN / "selsock.8.scd").read_text().partition("# EXIT STATUS")[2].partition("# STATUS CODES")[0]
    documented = [int(number) for number in re.findall(r"^\*(\d+)\*$", page, re.MULTILINE)]
    assert documented == sorted(value for name, value in vars(errors).items() if name.startswith("EXIT_"))


def test_every_status_code_is_documented() -> None:
    """In selsock(8)."""
    page = (MAN / "selsock.8.scd").read_text().partition("# STATUS CODES")[2].partition("# JOURNAL")[0]
    documented = {int(number) for number in re.findall(r"\*(\d+)\*", page)}
    assert set(REASONS) <= documented <= set(PHRASES)


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
