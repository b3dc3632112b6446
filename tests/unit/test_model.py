# SPDX-License-Identifier: Apache-2.0
"""The records of the table: what is written is read back, and nothing else is read at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.context import Context
from selsock.generate.records import location_lines, rule_fields, table_record, vhost_record
from selsock.model import LIMITS, METHODS, Limits, Location, Rule, Table, Vhost
from selsock.names import AbsolutePath, HostName, Network, Realm, UserName

contexts = st.sampled_from(["selsock_public_t:s0", "selsock_staff_t:s0:c0,c1", "a_t:s0:c0.c1023"]).map(Context.parse)
users = st.text(min_size=1, max_size=20).filter(UserName.accepts).map(UserName)
networks = st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"]).map(Network)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any rule with a condition."""
    given_users = draw(st.frozensets(users, max_size=3))
    given_networks = tuple(draw(st.lists(networks, max_size=2)))
    anonymous = draw(st.booleans())
    file = draw(st.sampled_from(["", "/etc/selsock/users.map"]))
    groups = draw(st.frozensets(users, max_size=3))
    methods = draw(st.frozensets(st.sampled_from([method.decode() for method in METHODS])))
    assigned, signed_in = draw(st.booleans()), draw(st.booleans())
    anyone = draw(st.booleans()) or not (
        given_users or given_networks or anonymous or file or groups or methods or assigned or signed_in
    )
    others = groups, methods, draw(st.sampled_from(["", "meet", "whole"])), assigned, signed_in
    return Rule(draw(contexts), "vhost.yaml:7", given_users, given_networks, anonymous, anyone, file, *others)


@st.composite
def vhosts(draw: st.DrawFn) -> Vhost:
    """Any vhost, its locations in the order that a table needs."""
    prefixes = draw(st.sets(st.sampled_from([("a",), ("b",), ("a", "b"), ("a", "b", "c")])))
    ordered = (*sorted(prefixes, key=lambda prefix: (-len(prefix), prefix)), ())
    locations = tuple(
        Location(prefix, tuple(draw(st.lists(rules(), max_size=3))), draw(st.none() | contexts)) for prefix in ordered
    )
    basic = draw(st.sampled_from([None, Realm("A b")]))
    names = draw(st.lists(st.sampled_from(["a.example", "[::1]", "192.0.2.1"]), min_size=1, max_size=3, unique=True))
    proxied = basic is None and draw(st.booleans())
    run_as = draw(st.sampled_from([(), (1000,), (1000, 1501, 1501, 100, 1501)]))
    limits = draw(
        st.dictionaries(st.sampled_from(["connections", "slots", "memory.max", "umask"]), st.integers(0, 2**62))
    )
    root, temporary = AbsolutePath("/srv/a"), draw(st.sampled_from([None, AbsolutePath("/srv/a/tmp")]))
    return Vhost(tuple(map(HostName, names)), root, basic, locations, temporary, proxied, run_as, limits)


WHOLE = ("names", "root", "basic", "temporary", "proxied", "run_as", "limits")


@given(vhosts())
def test_a_vhost_survives_the_table(vhost: Vhost) -> None:
    read = Vhost.parse(vhost_record(vhost))
    assert vhost_record(read) == vhost_record(vhost)
    assert [getattr(read, name) for name in WHOLE] == [getattr(vhost, name) for name in WHOLE]
    assert [location.prefix for location in read.locations] == [location.prefix for location in vhost.locations]
    for one, two in zip(read.locations, vhost.locations, strict=True):
        assert one.default == two.default
        assert location_lines(one) == location_lines(two)
        assert [rule.users for rule in one.rules] == [rule.users for rule in two.rules]


@given(rules())
def test_a_rule_survives_its_fields(rule: Rule) -> None:
    read = Rule.parse(rule_fields(rule))
    assert [getattr(read, name) for name in Rule.__slots__] == [getattr(rule, name) for name in Rule.__slots__]


@pytest.mark.parametrize(
    ("record", "context"),
    [
        (b"b_t:s0:c9", "b_t:s0:c9"),
        (b"b_t:", "b_t:s0:c1"),
        (b"b_t", "b_t:s0:c1"),
        (b":s0", "a_t:s0"),
        (b":", "a_t:s0:c1"),
    ],
)
def test_what_a_map_has_for_a_user_is_a_rule(record: bytes, context: str) -> None:
    """Of the map; or of the line that takes what is assigned.  A level that it has is not cut to a clearance."""
    for file, source in (("/m", "/m"), ("", "vhost.yaml:7")):
        rule = Rule(Context.parse("a_t:s0:c1"), "vhost.yaml:7", map=file, clearance="meet")
        found = rule.entry(record)
        clearance = "" if b":s0" in record else "meet"
        assert (str(found.context), found.source, found.map, found.clearance) == (context, source, "", clearance)


GOOD = b"names\ta.example\nroot\t/srv/a\nlocation\t/\ta_t:s0\nstatic\nrule\ta_t:s0\tv:1\tany\t\n"


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\n",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"x",
        GOOD.replace(b"names", b"name"),
        GOOD.replace(b"a.example", b"A.example"),
        GOOD.replace(b"/srv/a", b"/srv/../a"),
        GOOD.replace(b"/srv/a", b"/srv/a\t/srv/b"),
        GOOD.replace(b"a_t:s0\tv", b"a_t:s0-s1\tv"),
        GOOD.replace(b"any\t", b"all\t"),
        GOOD.replace(b"any\t", b"any"),
        GOOD.replace(b"any\t", b"map\t/a\tmap\t/b"),
        GOOD.replace(b"any\t", b"clearance\tmeet"),
        GOOD.replace(b"any\t", b"user\ta\tclearance\thalf"),
        GOOD.replace(b"any\t", b"user\ta\tclearance\tmeet\tclearance\tmeet"),
        GOOD.replace(b"any\t", b"group\ta:b"),
        GOOD.replace(b"\tany\t", b""),
        GOOD.replace(b"location\t/\t", b"location\t/x\t"),
        GOOD.replace(b"location\t/\ta_t:s0\n", b""),
        GOOD.replace(b"location", b"basic\tx\ty"),
        GOOD.replace(b"location", b"basic\tx\nbasic\ty\nlocation"),
        GOOD.replace(b"location", b"basic\t\nlocation"),
        GOOD.replace(b"location", b"basic\nlocation"),
        GOOD.replace(b"location", b"proxy\nlocation"),
        GOOD.replace(b"location", b"unknown\tx\nlocation"),
        GOOD.replace(b"location", b"run_as\tdog\nlocation"),
        GOOD.replace(b"location", b"run_as\t1000\t1501\t1501x\nlocation"),
        GOOD.replace(b"location", b"limits\tumask\nlocation"),
        GOOD.replace(b"location", b"limits\tumask 0x3\nlocation"),
        GOOD.replace(b"root\t/srv/a\n", b""),
        b"names\ta.example\nroot\t/srv/a\n",
        GOOD.replace(b"a.example", b"\xff"),
    ],
)
def test_what_is_no_vhost(record: bytes) -> None:
    """The handler turns ValueError, and nothing else, into "the table contradicts itself"."""
    Vhost.parse(GOOD)
    with pytest.raises(ValueError):
        Vhost.parse(record)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_vhost_or_a_value_error(record: bytes) -> None:
    try:
        Vhost.parse(record)
    except ValueError:
        return
    assert record


limits = st.fixed_dictionaries({name: st.integers(0, 2**31 - 1) for name in LIMITS})


@given(limits, st.booleans())
def test_the_settings_survive_the_table(values: dict[str, int], required: bool) -> None:
    table = Table("0123456789abcdef", required, Limits(values))
    read = Table.parse(table_record(table))
    assert table_record(read) == table_record(table)
    assert read.required is required
    assert {name: getattr(read.limits, name) for name in LIMITS} == values


SETTINGS = table_record(Table("0123456789abcdef", True, Limits()))


@pytest.mark.parametrize(
    "record",
    [
        b"",
        SETTINGS.replace(b"format\t5", b"format\t4"),
        SETTINGS.replace(b"format\t5\n", b""),
        SETTINGS.replace(b"generation\t0123456789abcdef\n", b""),
        SETTINGS.replace(b"required", b"permissive"),
        SETTINGS.replace(b"requests\t100\n", b""),
        SETTINGS.replace(b"requests\t100\n", b"requests\tmany\n"),
        SETTINGS + b"more\t1\n",
        SETTINGS + b"more\n",
    ],
)
def test_what_are_no_settings(record: bytes) -> None:
    Table.parse(SETTINGS)
    with pytest.raises(ValueError):
        Table.parse(record)


@pytest.mark.parametrize("record", [SETTINGS.replace(b"requests\t", b"request\t")])
def test_a_limit_of_another_name_is_a_value_error(record: bytes) -> None:
    with pytest.raises(ValueError):
        Table.parse(record)
