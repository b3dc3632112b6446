# SPDX-License-Identifier: Apache-2.0
"""What the policy says beside declarations: which content is refused to a level that has more categories (all but what
a context is meant to read from above), and who starts programs in another domain."""

from dataclasses import astuple

import pytest

from selsock.generate import conflicts
from selsock.generate.configuration import Configuration, configure
from selsock.generate.plan import POLICY, entries, exact, plan, ways
from selsock.generate.ranges import Ledger
from selsock.generate.source import load

D = "domains: {public: {}, staff: {reads: [public]}, shop: {}}\n"
V = "vhosts:\n  a.example:\n    root: /srv/a\n"
PUBLIC, STAFF, SHOP = (f"selsock_{name}_content_t" for name in ("public", "staff", "shop"))
ALL = {f"selsock_{name}_{kind}_t" for name in ("public", "staff", "shop") for kind in ("content", "rw", "script")}


def configured(text: str) -> Configuration:
    """The configuration in ``text``, checked."""
    found = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger())
    conflicts.check(found)
    return found


def inexact(configuration: Configuration) -> set[str]:
    """The types that are left out."""
    found = exact(configuration)
    assert list(found) == sorted(found)
    return ALL - set(found)


def vhost(content: str, *contexts: str, default: str = "", name: str = "a") -> str:
    """A vhost with its content under one label, and the rules for ``contexts``."""
    rules = ", ".join(f'{{any: true, context: "{context}"}}' for context in contexts)
    top = f"default_context: {default}\n" if default else ""
    start = V if name == "a" else V.replace("vhosts:\n", "").replace("a.example", f"{name}.example")
    return f'{top}{start.replace("/srv/a", f"/srv/{name}")}    content: {{/: "{content}"}}\n    contexts: [{rules}]\n'


@pytest.mark.parametrize(
    ("content", "context"),
    [
        ("public:s0", "public:s0"),
        ("public:s0:c1,c2", "public:s0:c1,c2"),
        ("public:auto", "public:auto"),
        ("public:s0:c2,c1", "public:s0:c1.c2"),
        ("public:s0:c1", "public:s0"),  # below: it can not be read at all
        ("public:s0:c1", "public:s0:c2"),  # beside
        ("public:s0", "shop:s0:c1"),  # above, but shop may not read it whatever the level
        ("staff:s0", "public:s0:c1"),  # what staff reads of public, public does not read of staff
    ],
)
def test_content_that_is_read_at_its_own_level_is_exact(content: str, context: str) -> None:
    """Also content that nobody reads, or that no vhost has."""
    assert set() == inexact(configured(D + vhost(content, context)))


@pytest.mark.parametrize("context", ["public:s0:c1", "public:s0:c0.c1023", "public:auto", "public:s1"])
def test_content_that_is_read_from_above_its_level_is_not_exact(context: str) -> None:
    """The administrator wrote it so: every context of the vhost is to read what is common to all."""
    assert {PUBLIC} == inexact(configured(D + vhost("public:s0", context)))


def test_one_context_above_is_enough() -> None:
    """Beside one at the very level."""
    assert {PUBLIC} == inexact(configured(D + vhost("public:s0:c1", "public:s0:c1", "public:s0:c1,c2")))


def test_default_context_counts_as_those_of_rules() -> None:
    """A visitor may get it."""
    assert {PUBLIC} == inexact(configured(D + vhost("public:s0", default='"public:s0:c1"')))
    assert set() == inexact(configured(D + vhost("public:s0", default='"public:s0"')))


def test_contexts_of_every_location_count() -> None:
    """Not those of "/" alone."""
    text = D + vhost("public:s0", "public:s0")
    text += '    locations: {/x: {contexts: [{any: true, context: "public:s0:c1"}]}}\n'
    assert {PUBLIC} == inexact(configured(text))


def test_every_label_of_a_vhost_counts() -> None:
    """One common directory, in a vhost whose other content is the tenant's own."""
    text = D + vhost("public:s0:c1", "public:s0:c1").replace("content: {", 'content: {/common: "public:s0", ')
    assert {PUBLIC} == inexact(configured(text))


def test_what_a_domain_reads_of_another_counts() -> None:
    """``reads``: staff reads public's content, here from above; its own stays exact."""
    assert {PUBLIC} == inexact(configured(D + vhost("public:s0", "staff:s0:c1")))
    assert set() == inexact(configured(D + vhost("public:s0:c1", "staff:s0:c1")))


def test_context_above_the_label_of_another_vhost_is_no_reason() -> None:
    """The levels of two vhosts are apart on purpose: what b's visitors may read of a's content is nothing."""
    text = D + vhost("public:s0", "public:s0") + vhost("public:s0:c1", "public:s0:c1", name="b")
    assert set() == inexact(configured(text))


def test_one_vhost_that_reads_from_above_decides_for_the_type() -> None:
    """The constraint is on types, and knows no vhosts."""
    text = D + vhost("public:auto", "public:auto") + vhost("public:s0", "public:s0:c9", name="b")
    assert {PUBLIC} == inexact(configured(text))


def test_administrators_own_type_may_read_anything_of_its_vhost() -> None:
    """What it may read is not known here, so no content of that vhost is refused to it; that of others stays exact."""
    text = D + vhost("public:s0", "my_t:s0:c1") + vhost("shop:s0", "shop:s0", name="b")
    assert {PUBLIC} == inexact(configured(text))
    own = D + vhost("public:s0", "my_t:s0:c1").replace("content: {", "content: {/s: shop, ")
    assert {PUBLIC, SHOP} == inexact(configured(own.replace("    content", '    range: "s0"\n    content')))


def test_administrators_own_type_at_the_very_level_is_no_reason() -> None:
    """It reads what has its level, whatever it is."""
    assert set() == inexact(configured(D + vhost("public:s0:c1", "my_t:s0:c1")))


def test_content_of_the_administrators_own_type_is_left_alone() -> None:
    """Its rules are the administrator's; the attribute is for what is declared here."""
    assert set() == inexact(configured(D + vhost("my_content_t:s0", "my_t:s0:c1")))


def policy(text: str) -> str:
    """The policy for ``text``."""
    return plan(configured(text), Ledger(), "/etc/selsock/vhost.yaml.ranges", b"").artifact(POLICY).data.decode()


def test_access_of_content_counts() -> None:
    """Uploads that are read from above do not make of other content of the domain what it is not."""
    text = D + vhost("public:s0:c1", "public:s0:c1")
    common = 'content: {/common: {domain: public, range: "s0", access: write}, '
    assert {"selsock_public_rw_t"} == inexact(configured(text.replace("content: {", common)))


STARTS = """\
domains: {app: {reads: [docs]}, docs: {}, cgi: {execute: true}, other: {execute: true}}
vhosts:
  a.example:
    root: /srv/a
    domain: app
    range: s0:c1
    content: {/bin: {domain: cgi, access: execute}, /low: {domain: cgi, range: s0}}
    contexts: [{address: 192.0.2.0/24, context: docs}, {any: true}, {any: true, context: other}]
    locations:
      /cgi-bin: {cgi: {directory: /bin, domain: cgi}}
"""


def test_who_starts_programs_in_another_domain() -> None:
    """Whatever domain a visitor may get there; each pair once; programs of the system when any location has one."""
    script = "selsock_cgi_script_t"
    expected = [(f"selsock_{name}_t", "selsock_cgi_t", script, False) for name in ("app", "docs")]
    assert expected == [astuple(entry) for entry in entries(configured(STARTS))]
    text = STARTS + "      /git: {contexts: [{any: true}], cgi: {program: /usr/bin/git, domain: cgi}}\n"
    expected[0] = (*expected[0][:3], True)
    assert expected == [astuple(entry) for entry in entries(configured(text))]


def test_administrators_own_type_is_no_source() -> None:
    """Its rules are not ours to write."""
    text = STARTS.replace("    domain: app", "    domain: my_t").replace("content: {", 'content: {/: "docs:s0", ')
    assert ["selsock_docs_t"] == [entry.source for entry in entries(configured(text))]


def test_who_starts_a_program_finds_the_way_to_it() -> None:
    """app's content is around the scripts: docs may not read it, but pass."""
    assert {("selsock_cgi_t", "selsock_app_content_t"), ("selsock_docs_t", "selsock_app_content_t")} == set(
        ways(configured(STARTS))
    )


@pytest.mark.parametrize("name", ["a-b", "a.b", "a+b", "ab", "a_b"])
def test_way_is_not_lost_behind_a_name_that_begins_alike(name: str) -> None:
    """As text, /a-b comes before /a/x."""
    content = f"/a: staff, /{name}: public, /a/x: public"
    text = f"a.example: {{root: /srv/a, domain: public, range: s0, contexts: [{{any: true}}], content: {{{content}}}}}"
    found = ways(configured(f"domains: {{public: {{}}, staff: {{}}}}\nvhosts:\n  {text}\n"))
    assert ("selsock_public_t", "selsock_staff_content_t") in found


def test_context_of_a_started_program_counts() -> None:
    """cgi reads /low from above, at the level of the visitor who started it."""
    assert "selsock_cgi_content_t" not in exact(configured(STARTS))
    assert "selsock_cgi_content_t" in exact(
        configured(
            STARTS.replace(", domain: cgi}}", "}}")
            .replace("app: {", "app: {execute: true, ")
            .replace("docs: {}", "docs: {execute: true}")
        )
    )


def test_domains_read_others_content_but_no_scripts() -> None:
    """A script's text may hold what it does not show."""
    found = policy(STARTS)
    assert "(allow selsock_app_t selsock_docs_content_t (file (getattr open read)))" in found
    assert "(allow selsock_app_t selsock_docs_rw_t (file (getattr open read)))" in found
    assert "(allow selsock_app_t selsock_docs_script_t" not in found


def test_policy_constrains_exact_content_alone() -> None:
    """The members of the attribute are those of ``exact``, each once."""
    text = policy(D + vhost("public:s0", "public:s0:c1"))
    assert sorted(ALL - {PUBLIC}) == [
        line.split("(")[2].rstrip(")")
        for line in text.splitlines()
        if line.startswith("(typeattributeset selsock_exact_content ")
    ]
    assert 1 == text.count("(typeattribute selsock_exact_content)")
    assert 1 == text.count("(mlsconstrain (file (append open read write))")


def test_policy_without_exact_content_has_no_constraint() -> None:
    """secilc takes no empty attribute for granted."""
    assert "selsock_exact_content" not in policy(vhost("my_content_t:s0", "my_t:s0"))
    assert "(mlsconstrain (file " not in policy(vhost("my_content_t:s0", "my_t:s0"))
