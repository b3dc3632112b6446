# SPDX-License-Identifier: Apache-2.0
"""What an apply takes out of the policy: which statements are kept beside the new text, and whose types they are."""

from pathlib import Path

import pytest

from selsock.generate.configuration import configure
from selsock.generate.plan import POLICY, plan
from selsock.generate.ranges import Ledger
from selsock.generate.retired import accounts, compose, domains, is_inert, retired, statements, unshared
from selsock.generate.source import load

GOLDEN = sorted(Path(__file__).parents[1].glob("golden/*/expected/var/lib/selsock/selsock_tenants.cil"))


def policy(text: str) -> str:
    """The policy of a source."""
    configuration = configure(load(text.encode(), "x.yaml"), "x.yaml", Ledger())
    return plan(configuration, Ledger(), "/x.ranges", b"").artifact(POLICY).data.decode()


OLD = """
domains: {old: {python: true, network: [http]}, kept: {reads: [old]}}
default_context: kept:s0:c1
vhosts:
  a.example: {root: /srv/a, domain: old, range: "s0:c1,c2", contexts: [{any: true}]}
  b.example: {root: /srv/b}
"""
NEW = """
domains: {kept: {}}
default_context: kept:s0:c1
vhosts:
  b.example: {root: /srv/b}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("; a comment (with one)\n", []),
        ("(type a)(type b)\n(type a)", ["(type a)", "(type b)", "(type a)"]),
        ('(filecon "/a(/.*)?" any (u r t))', ['(filecon "/a(/.*)?" any (u r t))']),
        ('(filecon "/a;b" any ())', ['(filecon "/a;b" any ())']),
        ("(constrain (x)\n\t; (why)\n\t(neq  t1 t2))", ["(constrain (x) (neq t1 t2))"]),
    ],
)
def test_statements(text: str, expected: list[str]) -> None:
    assert statements(text) == expected


def test_golden_policies_are_taken_apart_and_put_together_again() -> None:
    """Each parenthesis that is opened is closed, and nothing is lost."""
    assert len(GOLDEN) > 3
    for file in GOLDEN:
        found = statements(file.read_text())
        assert statements(compose(found)) == found
        assert all(statement.count("(") == statement.count(")") for statement in found if '"' not in statement)


def test_what_is_new_is_not_kept() -> None:
    assert retired([policy(NEW)], policy(NEW)) == ()
    assert retired(["", ""], policy(NEW)) == ()


def test_what_is_gone_is_kept_but_for_its_files() -> None:
    kept = retired([policy(OLD)], policy(NEW))
    assert "(type selsock_old_t)" in kept
    assert "(typeattributeset selsock_python_domain (selsock_old_t))" in kept
    assert "(allow selsock_kept_t selsock_old_content_t (file (getattr open read)))" in kept
    assert not [statement for statement in kept if statement.startswith("(filecon")]
    assert not [statement for statement in kept if statement in statements(policy(NEW))]
    assert domains(kept) == {"selsock_old_t"}
    assert not is_inert(kept)


def test_of_several_texts_each_statement_once() -> None:
    assert retired([policy(OLD), policy(OLD)], policy(NEW)) == retired([policy(OLD)], policy(NEW))


def test_more_alone_is_inert() -> None:
    """Nothing but the generation is gone."""
    kept = retired([policy(NEW)], policy(OLD.replace(", kept: {reads: [old]}", ", kept: {}")))
    assert is_inert(kept)
    assert len(kept) == 2
    assert domains(kept) == frozenset()


def test_an_optional_block_and_a_login_are_the_new_ones_alone() -> None:
    before = '(optional o (allow a b (file (read))))(selinuxuser dog u ((s0) (s0)))(filecon "/x" any ())'
    assert retired([before], "") == ()


def test_the_levels_of_a_user_that_stays_are_the_new_ones() -> None:
    before = "(user u)(userlevel u (s0))(userrange u ((s0) (s0)))"
    assert retired([before], "(user u)(userlevel u (s1))") == ()
    assert retired([before], "") == ("(user u)", "(userlevel u (s0))", "(userrange u ((s0) (s0)))")


def test_accounts_are_those_whose_logins_are_mapped() -> None:
    text = "(user u)(selinuxuser dog u ((s0) (s0)))(selinuxuser cat u ((s0) (s0)))(type selinuxuser)"
    assert accounts(text) == {"dog", "cat"}
    assert accounts("") == frozenset()


def test_what_was_taken_from_others_is_not_kept_for_who_is_inside() -> None:
    """Of what is kept, that which is said of a type that goes."""
    kept = [
        "(type selsock_old_t)",
        "(roletype system_r selsock_old_t)",
        "(typeattributeset selsock_tenant_domain (selsock_old_t))",
        "(allow selsock_old_t selsock_web_content_t (file (read)))",
        "(allow selsock_web_t selsock_web_rw_t (file (write)))",
        "(typeattributeset selsock_http_client (selsock_web_t))",
    ]
    assert unshared(kept) == kept[:4]
