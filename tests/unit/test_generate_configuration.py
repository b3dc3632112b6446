# SPDX-License-Identifier: Apache-2.0
"""Inheritance, the choice of rules, and what systemd is told."""

import pytest

from selsock.generate import conflicts
from selsock.generate.configuration import Configuration, configure
from selsock.generate.machine import Listen, Size, unusual_ports
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load

D = "domains: {public: {}, staff: {}, shop: {}}\n"
V = "vhosts:\n  a.example:\n    root: /srv/a\n"


def configured(text: str) -> Configuration:
    """The configuration in ``text``, checked."""
    found = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger())
    conflicts.check(found)
    return found


def contexts(text: str, vhost: int = 0) -> dict[str, list[str]]:
    """The contexts of the rules of each location, the default last."""
    return {
        location.path: [*(str(rule.context) for rule in location.rules), str(location.default)]
        for location in configured(text).sites[vhost].vhost.locations
    }


def test_what_a_rule_leaves_out_comes_from_the_vhost_then_from_the_default() -> None:
    rules = "    contexts: [{any: true}, {any: true, context: shop}, {any: true, context: {range: s0:c9}}]\n"
    assert contexts(D + "default_context: public:s0:c1\n" + V + "    domain: staff\n" + rules) == {
        "/": ["selsock_staff_t:s0:c1", "selsock_shop_t:s0:c1", "selsock_staff_t:s0:c9", "selsock_public_t:s0:c1"]
    }


def test_a_location_comes_before_its_vhost_for_rules_of_the_vhost_as_well() -> None:
    """Were it not so, a location's ``domain`` would be ignored without a word where it has no rules of its own."""
    text = (
        D
        + V
        + "    domain: public\n    range: auto\n    contexts: [{any: true}]\n    locations: {/x: {domain: staff}}\n"
    )
    assert contexts(text) == {"/x": ["selsock_staff_t:s0:c0,c1", "None"], "/": ["selsock_public_t:s0:c0,c1", "None"]}


def test_default_context_is_not_touched_by_inheritance() -> None:
    text = D + "default_context: public:s0\n" + V + "    domain: staff\n    range: s0:c7\n"
    assert contexts(text) == {"/": ["selsock_public_t:s0"]}


def test_auto_in_the_default_is_the_pair_of_each_vhost() -> None:
    text = D + "default_context: public:auto\n" + V + "  b.example: {root: /srv/b}\n"
    assert contexts(text) == {"/": ["selsock_public_t:s0:c0,c1"]}
    assert contexts(text, 1) == {"/": ["selsock_public_t:s0:c0,c2"]}


def test_the_first_level_that_has_rules_counts_even_when_it_has_none_of_them() -> None:
    text = D + "default_context: public:s0\ncontexts: [{any: true}]\n" + V + "    contexts: []\n"
    assert contexts(text) == {"/": ["selsock_public_t:s0"]}


def test_global_rules_are_resolved_anew_in_each_vhost() -> None:
    text = (
        D + "contexts: [{any: true, context: {range: auto}}]\n" + V + "    domain: staff\n    content: {/: public:s0}\n"
    )
    text += "  b.example: {root: /srv/b, domain: shop, range: s0}\n"
    assert contexts(text) == {"/": ["selsock_staff_t:s0:c0,c1", "None"]}
    assert contexts(text, 1) == {"/": ["selsock_shop_t:s0:c0,c2", "None"]}


def test_locations_are_sorted_longest_first_and_root_is_always_there() -> None:
    text = D + "default_context: public:s0\n" + V + "    locations: {/: {}, /b: {}, /a/b: {}, /a: {}, /c/d/e: {}}\n"
    assert list(contexts(text)) == ["/c/d/e", "/a/b", "/a", "/b", "/"]


def test_content_takes_its_parts_from_the_vhost() -> None:
    text = D + "default_context: public:s0\n" + V + "    range: auto\n    content: {/s: staff, /t: 'my_content_t:s0'}\n"
    assert [(label.path, label.type, label.level) for label in configured(text).sites[0].labels] == [
        ("/srv/a", "selsock_public_content_t", "s0:c0,c1"),
        ("/srv/a/s", "selsock_staff_content_t", "s0:c0,c1"),
        ("/srv/a/t", "my_content_t", "s0"),
    ]


def test_pairs_are_given_only_where_auto_is_said() -> None:
    ledger = Ledger()
    text = D + "default_context: public:s0\n" + V + "  b.example: {root: /srv/b, range: auto}\n"
    configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", ledger)
    assert ledger.numbers == {"b.example": 0}


def test_a_vhost_may_write_out_its_own_pair() -> None:
    text = D + V + "    domain: public\n    range: auto\n    contexts: [{any: true, context: 'public:s0:c0,c1'}]\n"
    assert contexts(text) == {"/": ["selsock_public_t:s0:c0,c1", "None"]}


def test_the_pair_of_another_in_another_type_is_no_conflict() -> None:
    text = D + V + "    domain: public\n    range: auto\n    contexts: [{any: true}]\n"
    text += "  b.example: {root: /srv/b, domain: staff, range: 's0:c0,c1', contexts: [{any: true}]}\n"
    assert contexts(text, 1) == {"/": ["selsock_staff_t:s0:c0,c1", "None"]}


@pytest.mark.parametrize(
    ("one", "two", "clash"),
    [
        ("80", "443", False),
        ("80", "80", True),
        ("80", "[::]:80", True),
        ("80", "0.0.0.0:80", True),
        ("80", "[::1]:80", True),
        ("0.0.0.0:80", "192.0.2.1:80", True),
        ("0.0.0.0:80", "[::1]:80", False),
        ("192.0.2.1:80", "192.0.2.2:80", False),
        ("192.0.2.1:80", "192.0.2.1:80", True),
        ("192.0.2.1:80", "[2001:db8::1]:80", False),
        ("[::]:80", "192.0.2.1:80", True),
    ],
)
def test_addresses_that_the_kernel_would_refuse_together(one: str, two: str, clash: bool) -> None:
    assert Listen(one).clashes(Listen(two)) is clash
    assert Listen(two).clashes(Listen(one)) is clash


def test_ports_that_need_semanage() -> None:
    assert unusual_ports([Listen("80"), Listen("192.0.2.1:8081"), Listen("[::1]:9000"), Listen("8081")]) == [8081, 9000]


@pytest.mark.parametrize("text", ["", "M", "0M", "64", "64m", "64MB", "6.4M", "-1M", "64 M", "1234567M", "٣M"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    assert not Size.accepts(text)


def test_limits_split_between_handler_and_systemd() -> None:
    found = configured("limits: {requests: 7, connections: 20, memory: 1G}\n" + D + "default_context: public:s0\n" + V)
    assert (found.limits.requests, found.limits.head_bytes) == (7, 16384)
    assert (found.system.connections, found.system.tasks, found.system.memory) == (20, 16, "1G")
    assert found.system.memory.times(9) == "9G"


def test_two_thousand_vhosts_take_no_ages() -> None:
    """What compares vhosts with each other must not compare every one with every other."""
    vhosts = "".join(f"  v{number}.example: {{root: /srv/v{number}, range: auto}}\n" for number in range(2000))
    assert len(configured(D + "default_context: public:s0\nvhosts:\n" + vhosts).sites) == 2000


def test_a_mistake_in_the_last_vhost_leaves_the_ledger_out_of_it() -> None:
    """Nothing is written then, so numbers that were given in memory are given again."""
    text = D + "default_context: public:s0\n" + V + "    range: auto\n  b.example: {root: /etc}\n"
    with pytest.raises(BadSource, match="outside the system's"):
        configured(text)
