# SPDX-License-Identifier: Apache-2.0
"""Nothing that nobody looked at can enter a template."""

import re
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.errors import PeerFault, PeerGone
from selsock.generate import render
from selsock.generate.domain_name import DomainName
from selsock.generate.faults import MachineFault
from selsock.generate.render import cil_level, environment, pattern, with_generation
from selsock.mls.levels import Level
from selsock.names import AbsolutePath


@pytest.mark.parametrize("value", ["a", "", 1.5, True, None, ["a"], b"a"])
def test_unchecked_values_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="a template may not print"):
        environment().from_string("{{ value }}").render(value=value)


def test_a_filter_that_makes_a_bare_text_is_refused() -> None:
    with pytest.raises(TypeError, match="a template may not print"):
        environment().from_string("{{ value | upper }}").render(value=DomainName("a"))


def test_an_undefined_name_is_refused() -> None:
    with pytest.raises(TypeError, match="a template may not print Undefined"):
        environment().from_string("{{ nothing }}").render()
    with pytest.raises(jinja2.UndefinedError, match="'nothing' is undefined"):
        environment().from_string("{% for item in nothing %}{% endfor %}").render()


def test_checked_values_are_printed() -> None:
    assert (
        environment().from_string("{{ a }} {{ b }} {{ c }}").render(a=DomainName("staff"), b=Level.parse("s0:c1"), c=7)
        == "staff s0:c1 7"
    )


@pytest.mark.parametrize(
    ("level", "text"),
    [
        ("s0", "(s0)"),
        ("s0:c1", "(s0 (c1))"),
        ("s0:c1,c5", "(s0 (c1 c5))"),
        ("s0:c1,c2", "(s0 (c1 c2))"),
        ("s3:c0.c3,c7,c9.c1023", "(s3 ((range c0 c3) c7 (range c9 c1023)))"),
    ],
)
def test_levels_in_cil(level: str, text: str) -> None:
    assert cil_level(Level.parse(level)) == text


@given(st.from_regex(r"/[a-zA-Z0-9._+@=~-]{1,10}", fullmatch=True).filter(AbsolutePath.accepts))
def test_a_pattern_matches_its_path_alone(path: str) -> None:
    found = pattern(AbsolutePath(path))
    assert re.fullmatch(found, path)
    assert not re.fullmatch(found, path.replace(".", "x")) or "." not in path


def test_the_generation_names_the_text_before_it() -> None:
    text, generation = with_generation("; nothing\n")
    assert (
        text
        == f"; nothing\n(type selsock_generation_{generation})\n(roletype object_r selsock_generation_{generation})\n"
    )
    assert re.fullmatch("[0-9a-f]{16}", generation)


def test_comments_and_blank_lines_are_no_other_generation() -> None:
    """A release that changes the version in the header alone needs no policy to be loaded."""
    generation = with_generation("; Written by selsock-generate 1.\n(type a)\n(type b)\n")[1]
    for same in (
        "; Written by selsock-generate 2.\n(type a)\n(type b)\n",
        "(type a)\n(type b)\n",
        "(type a)\n\n \t\n  ; why\n(type b)\n\n",
    ):
        assert with_generation(same)[1] == generation, same


@pytest.mark.parametrize(
    "other",
    [
        "(type a)\n(type c)\n",
        "(type b)\n(type a)\n",
        "(type a)\n",
        "(type a)(type b)\n",
        "(type a)\n (type b)\n",
        "(type a)\n(type b) ; why\n",
        "(type a)\n;(type b)\n",
    ],
)
def test_any_other_difference_is_another_generation(other: str) -> None:
    """Also one that means the same: better one load too many."""
    assert with_generation(other)[1] != with_generation("(type a)\n(type b)\n")[1]


def test_templates_are_never_taken_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "tenants.cil.j2").write_text("evil")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(render, "TEMPLATES", (tmp_path / "nowhere",))
    with pytest.raises(MachineFault, match="no templates in"):
        render.template_directory()
    assert all(path.is_absolute() for path in render.TEMPLATES)


def test_every_ordinary_exit_status_has_a_meaning() -> None:
    assert [PeerFault.exit_status, PeerGone.exit_status] == list(render.MEANINGS)
