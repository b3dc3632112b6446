# SPDX-License-Identifier: Apache-2.0
"""Whether a context or a label lets somebody do more: by types, by levels, and by what is read at its own level alone."""

import pytest

from selsock.context import Context
from selsock.generate.configuration import configure
from selsock.generate.labels import Label
from selsock.generate.ranges import Ledger
from selsock.generate.source import load
from selsock.generate.words_reach import Reach, context_widens, label_widens, reach
from selsock.mls.levels import Level
from selsock.names import AbsolutePath, TypeName

D = "domains: {public: {}, staff: {reads: [public]}, app: {execute: true}}\n"
V = "vhosts:\n  a.example: {root: /srv/a, domain: public, range: s0:c1, "


def reached(keys: str, domains: str = D) -> Reach:
    """What domains may do where a.example has ``keys``."""
    return reach(configure(load(f"{domains}{V}{keys}}}\n".encode(), "vhost.yaml"), "vhost.yaml", Ledger()))


# Content of public at s0:c1, which is read there alone; that of staff at s0, which is read from above, too.
EXACT = reached("contexts: [{any: true, context: 'staff:s0:c2'}], content: {/s: 'staff:s0'}")
OWN = reached("contexts: [{any: true, context: 'own_t:s0:c1'}]")


def context(text: str) -> Context:
    """A context; a name is that of a domain."""
    name, _, level = text.partition(":")
    return Context.parse(f"{name if name.endswith('_t') else f'selsock_{name}_t'}:{level}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("public:s0:c1", "public:s0:c1", False),
        ("public:s0:c1", "staff:s0:c1", True),
        ("staff:s0:c1", "public:s0:c1", False),
        ("public:s0:c1", "public:s0:c1,c2", True),
        ("public:s0:c1", "public:s0:c2", True),
        ("public:s0", "public:s1", True),
        ("public:s0:c1,c2", "public:s0:c2", False),
        ("public:s0:c1,c2", "public:s0:c1", True),  # what is there could not be read from above
        ("staff:s0:c1,c2", "staff:s0:c1", True),  # staff reads it as well
        ("app:s0:c1,c2", "app:s0:c1", False),  # app does not
        ("staff:s0:c1", "staff:s0", False),  # what is there could be
        ("own_t:s0:c1", "own_t:s0:c1", False),
        ("own_t:s0:c1,c2", "own_t:s0:c2", False),
        ("own_t:s0:c1,c2", "own_t:s0:c1", True),
        ("own_t:s0", "own_t:s0:c1", True),
        ("own_t:s0", "other_t:s0", True),
        ("own_t:s0", "public:s0", True),
        ("public:s0", "own_t:s0", True),
    ],
)
def test_a_context_instead_of_another(old: str, new: str, expected: bool) -> None:
    assert context_widens(EXACT, context(old), EXACT, context(new)) is expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", False),
        (", content: {/x: {domain: public, access: write}}", True),
        (", content: {/x: {domain: public, access: execute}}", True),
    ],
)
def test_scripts_and_what_is_written_count_where_there_are_any(content: str, expected: bool) -> None:
    """Of what staff may not do with content of public: its scripts, and writing."""
    after = reached(f"contexts: [{{any: true}}]{content}")
    assert context_widens(EXACT, context("staff:s0:c1"), after, context("public:s0:c1")) is expected


def test_what_an_ability_of_another_domain_adds() -> None:
    """Of the same content, by a domain that may do more: python, execute, network, each alone."""
    for ability in ("python: true", "execute: true", "network: [smtp]"):
        domains = D.replace(
            "app: {execute: true}", f"app: {{reads: [public, staff], {ability}}}, lone: {{reads: [public, staff, app]}}"
        )
        some = reached("contexts: [{any: true}]", domains)
        assert context_widens(some, context("lone:s0"), some, context("app:s0")), ability
    without = D.replace("app: {execute: true}", "app: {reads: [public, staff]}, lone: {reads: [public, staff, app]}")
    some = reached("contexts: [{any: true}]", without)
    assert not context_widens(some, context("lone:s0"), some, context("app:s0"))


def test_who_starts_programs_in_another_domain_does_more() -> None:
    """And yet more, when they are the system's."""
    rules = "contexts: [{any: true, context: staff}], locations: {/x: {cgi: {%s, domain: app}}}"
    none, own, system = (
        reached(keys) for keys in ("contexts: [{any: true}]", rules % "directory: /x", rules % "program: /bin/x")
    )
    staff = TypeName("selsock_staff_t")
    assert own.rights[staff] - none.rights[staff] == {
        ("start", "selsock_app_t"),
        ("read", "selsock_app_script_t"),
        ("execute", "selsock_app_script_t"),
    }
    assert system.rights[staff] - own.rights[staff] == {("start the system's", "selsock_app_t")}


def label(text: str) -> Label:
    """A label; a name is that of a domain's content."""
    name, _, level = text.partition(":")
    kind = name if name.endswith("_t") else f"selsock_{name}_t"
    return Label(AbsolutePath("/srv/a"), TypeName(kind), Level.parse(level))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("public_content:s0", "staff_content:s0", True),  # public's is read at its own level alone; staff's is not
        ("staff_content:s0", "staff_content:s0:c1", False),
        ("staff_content:s0:c1", "staff_content:s0", True),
        ("staff_content:s0:c1", "staff_content:s0:c2", True),
        ("staff_content:s0", "public_content:s0", True),
        ("staff_content:s0", "app_content:s0", True),
        ("public_content:s0:c1", "public_content:s0:c1,c2", True),
        ("public_content:s0:c1", "public_rw:s0:c1", True),
        ("public_rw:s0:c1", "public_content:s0:c1", False),
        ("app_script:s0:c1", "app_content:s0:c1", False),
        ("app_content:s0:c1", "app_rw:s0:c1", True),
        ("own_content_t:s0", "own_content_t:s0", False),
        ("own_content_t:s0", "own_content_t:s0:c1", False),
        ("own_content_t:s0:c1", "own_content_t:s0", True),
        ("own_content_t:s0", "staff_content:s0", True),
        ("staff_content:s0", "own_content_t:s0", True),
        ("own_content_t:s0", "other_content_t:s0", True),
    ],
)
def test_a_label_instead_of_another(old: str, new: str, expected: bool) -> None:
    assert label_widens(EXACT, label(old), EXACT, label(new)) is expected
    assert label_widens(EXACT, None, EXACT, label(new)) is True


def test_what_a_type_of_the_administrators_may_read_is_not_known() -> None:
    """Where a visitor may get one, each other type is more."""
    both = label("public_rw:s0:c1"), label("public_content:s0:c1")
    assert label_widens(EXACT, both[0], EXACT, both[1]) is False
    assert label_widens(OWN, both[0], OWN, both[1]) is True
