# SPDX-License-Identifier: Apache-2.0
"""The YAML reader: strings stay strings, and every value knows where it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.generate.source import BadSource, Mapping, Scalar, load, mapping, nearest, one_or_more, scalar, sequence


def loaded(text: str) -> Mapping:
    """The tree of ``text``."""
    return load(text.encode(), "f")


@pytest.mark.parametrize("text", ["no", "010", "1e3", "null", "~", "2026-11-23", "0x10", "1:30", "true", ".5"])
def test_no_scalar_is_interpreted(text: str) -> None:
    """YAML 1.1 would make booleans, numbers, dates and nothing of these."""
    assert scalar(loaded(f"key: {text}\n").require("key")).text == text


def test_places_count_from_one_and_name_the_path() -> None:
    tree = loaded("a:\n  - b: {c: d}\n")
    found = mapping(mapping(sequence(tree.require("a"))[0]).require("b")).require("c")
    assert str(found.place) == "f:2:12: a[0].b.c"


def test_columns_are_counted_in_characters() -> None:
    assert str(loaded("ä: {ö: ü}\n").require("ä").place) == "f:1:4: ä"
    assert str(mapping(loaded("ä: {ö: ü}\n").require("ä")).require("ö").place) == "f:1:8: ä.ö"


def test_order_of_the_file_is_kept() -> None:
    assert list(loaded("z: 1\na: 2\nm: 3\n").values) == ["z", "a", "m"]


@pytest.mark.parametrize(
    "text", ["a: &x b\n", "a: &x [b]\n", "a: &x {b: c}\n", "&x a: b\n", "a: !!str b\n", "a: ! b\n"]
)
def test_anchors_and_tags_are_refused_wherever_they_stand(text: str) -> None:
    with pytest.raises(BadSource, match="expected a plain value"):
        loaded(text)


def test_one_value_may_stand_for_a_list_of_one() -> None:
    assert [item.text for item in one_or_more(loaded("a: b\n").require("a"))] == ["b"]
    assert [item.text for item in one_or_more(loaded("a: [b, c]\n").require("a"))] == ["b", "c"]


@pytest.mark.parametrize("text", ["", "+1", "01", "1.0", "-1", "1_0", "٣", "1" * 20, " 1"])
def test_numbers_have_one_spelling(text: str) -> None:
    """``٣`` is a digit to ``str.isdigit``."""
    place = loaded("a: b\n").place
    with pytest.raises(BadSource, match="expected a number from 0 to 100"):
        Scalar(place, text).number(0, 100)


def test_nearest() -> None:
    assert nearest("vhost", ("domains", "vhosts", "listen")) == "'vhosts'"
    assert nearest("anything", ()) == "none"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes) -> None:
    try:
        load(data, "f")
    except BadSource as error:
        assert str(error).startswith("f:")
        assert len(str(error).splitlines()) == 1


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        load(text.encode("utf-8", "surrogatepass"), "f")
    except BadSource as error:
        assert str(error).startswith("f:")
        assert len(str(error).splitlines()) == 1


def test_the_events_of_libyaml_and_of_pure_python_give_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some distributions build PyYAML without libyaml."""
    import yaml

    import selsock.generate.source as module

    text = "a: [b, {c: 'd'}]\ne: |\n  f\n  g\n"
    fast = loaded(text)
    monkeypatch.setattr(module, "LOADER", yaml.BaseLoader)
    assert loaded(text) == fast
