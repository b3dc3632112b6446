# SPDX-License-Identifier: Apache-2.0
"""``login:``: who may log in to edit what, whose vhosts are one customer's, and what is refused."""

import pytest

from selsock.generate import conflicts
from selsock.generate.configuration import Configuration, configure
from selsock.generate.logins import sessions
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load

TOP = "domains: {web: {}, app: {python: true}}\ncontexts: [{any: true}]\nvhosts:\n"


def vhost(name: str, login: str = "", domain: str = "web", range: str = "auto", more: str = "") -> str:
    """A vhost of the source, on a line of its own."""
    said = f", login: {login}" if login else ""
    return f'  {name}: {{root: /srv/{name}, domain: {domain}, range: "{range}"{said}{more}}}\n'


def configured(text: str, ledger: str = "") -> Configuration:
    """The configuration in ``text``, checked."""
    found = configure(load((TOP + text).encode(), "vhost.yaml"), "vhost.yaml", Ledger.parse(ledger.encode(), "ledger"))
    conflicts.check(found)
    return found


def refusal(text: str) -> str:
    """What ``text`` is refused with."""
    with pytest.raises(BadSource) as caught:
        configured(text)
    return str(caught.value).removeprefix("vhost.yaml:")


def tenants(configuration: Configuration) -> dict[str, tuple[str, str]]:
    """Whose customer each vhost is of, and the level of its root."""
    return {site.vhost.name: (site.tenant, site.labels[0].level) for site in configuration.sites}


def named(configuration: Configuration) -> dict[str, dict[str, str]]:
    """The logins with their levels, by what their sessions are called."""
    found = sessions(login for site in configuration.sites for login in site.logins)
    return {session.stem: {str(account): str(level) for account, level in session.levels} for session in found}


def test_a_login_edits_at_the_level_of_the_vhost() -> None:
    """One name or a list; sessions are told apart by domain, and within it by level."""
    found = configured(vhost("a", "dog") + vhost("b", "[cat, cow]") + vhost("c", "ant", "app", "s0:c9") + vhost("d"))
    assert named(found) == {
        "app": {"ant": "s0:c9"},
        "web": {"cat": "s0:c0,c2", "cow": "s0:c0,c2", "dog": "s0:c0,c1"},
    }
    assert [len(site.logins) for site in found.sites] == [1, 2, 1, 0]


def test_vhosts_with_a_login_in_common_are_one_customers() -> None:
    """Through other vhosts, too, in whatever order they are written; all have the pair of one."""
    found = configured(
        vhost("a", "dog") + vhost("b", "cat") + vhost("c", "ant") + vhost("d", "[cat, dog]") + vhost("e")
    )
    both = ("a", "s0:c0,c1")
    assert tenants(found) == {"a": both, "b": both, "c": ("c", "s0:c0,c2"), "d": both, "e": ("e", "s0:c0,c3")}


def test_a_login_of_two_domains_has_a_session_of_its_own() -> None:
    """He who may edit the one of them alone does not get the other by it."""
    found = configured(vhost("a", "dog") + vhost("b", "[dog, cat]", "app"))
    assert named(found) == {"app": {"cat": "s0:c0,c1"}, "app__web": {"dog": "s0:c0,c1"}}


def test_the_pair_is_the_one_that_was_given_first() -> None:
    """So a vhost that joins takes the pair of what is there; what it had stays its own, and it has it back when it leaves."""
    ledger = "b 3 s0:c0,c4\na 7 s0:c0,c8\n"
    assert tenants(configured(vhost("z", "dog") + vhost("a", "dog") + vhost("b", "dog"), ledger)) == {
        name: ("b", "s0:c0,c4") for name in "zab"
    }
    apart = configured(vhost("z") + vhost("a") + vhost("b"), ledger)
    assert tenants(apart) == {"z": ("z", "s0:c0,c9"), "a": ("a", "s0:c0,c8"), "b": ("b", "s0:c0,c4")}


def test_one_customers_vhosts_may_name_their_pair_and_nobody_else() -> None:
    """The level that two have by ``auto`` is not foreign to a third of theirs, but to everybody else's."""
    both = vhost("a", "dog") + vhost("b", "dog")
    assert tenants(configured(both + vhost("c", "dog", range="s0:c0,c1")))["c"] == ("a", "s0:c0,c1")
    assert refusal(both + vhost("c", range="s0:c0,c1")) == (
        "2:12: contexts[0]: expected a level without s0:c0,c1, which is the auto range of a, not s0:c0,c1"
    )


NOT_HIS = "expected the account of a customer, not"
REFUSED = {
    "root": (vhost("a", "root"), f"4:56: vhosts.a.login: {NOT_HIS} 'root'"),
    "everybody": (vhost("a", "__default__"), f"4:56: vhosts.a.login: {NOT_HIS} '__default__'"),
    "the system": (vhost("a", "[dog, system_u]"), f"4:62: vhosts.a.login[1]: {NOT_HIS} 'system_u'"),
    "a group": (vhost("a", '"%dogs"'), "4:56: vhosts.a.login: expected the name of a user or group, not '%dogs'"),
    "a number": (vhost("a", "1000"), "4:56: vhosts.a.login: expected the name of a user or group, not '1000'"),
    "twice": (vhost("a", "[dog, dog]"), "4:62: vhosts.a.login[1]: expected each account once, not 'dog'"),
    "nobody": (vhost("a", "[]"), "4:56: vhosts.a.login: expected a value or a list of them, not an empty list"),
    "a type of the administrator's": (
        vhost("a", "dog", "legacy_t", more=", content: {/: legacy_content_t}"),
        "4:61: vhosts.a.login: expected a vhost whose domain stands under domains, for login, not one with legacy_t",
    ),
    "two levels": (
        vhost("a", "dog") + vhost("b", "dog", range="s0:c5"),
        (
            "5:57: vhosts.b.login: expected the range s0:c0,c1, as vhost a of the same customer has it (what he creates "
            "takes it), not s0:c5"
        ),
    ),
    "another's level": (
        vhost("a", "dog", range="s0") + vhost("b", "cat", "app", "s0"),
        (
            "5:54: vhosts.b.login: expected another range than the logins of a have, which keeps their processes apart, "
            "not s0"
        ),
    ),
    "another's content": (
        vhost("a", "dog", range="s0") + vhost("b", range="s0"),
        "5:6: vhosts.b: expected content that no login of a may edit, not selsock_web_content_t at s0",
    ),
    "a part of another's content": (
        vhost("a", "dog", range="s0")
        + vhost("b", domain="app", range="s0", more=", content: {/in: {domain: web, access: write}}"),
        "5:6: vhosts.b: expected content that no login of a may edit, not selsock_web_rw_t at s0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    text, answer = REFUSED[name]
    assert refusal(text) == answer


def test_a_session_that_no_type_could_be_named_after() -> None:
    """The names of all its domains are in that of its type."""
    names = ["a" * 40, "b" * 7]
    domains = f"domains: {{{names[0]}: {{}}, {names[1]}: {{}}, web: {{}}, app: {{}}}}\n"
    text = (TOP + vhost("a", "dog", names[0]) + vhost("b", "dog", names[1])).replace(
        TOP.splitlines()[0] + "\n", domains
    )
    with pytest.raises(BadSource) as caught:
        conflicts.check(configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger()))
    assert str(caught.value).endswith(
        "vhosts.b.login: expected domains whose names are shorter, 46 characters together: they become the name of a type,"
        f" not {'__'.join(names)}"
    )
