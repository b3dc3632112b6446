# SPDX-License-Identifier: Apache-2.0
"""label: the first rule whose conditions all hold decides; nothing is ever decided by default without being written."""

import pytest

from selsock.context import Context, Level
from selsock.errors import Challenge, PeerFault
from selsock.handler.identify import Identity
from selsock.handler.label import label
from selsock.handler.table import locate
from selsock.model import Location, Rule, Vhost
from selsock.names import AbsolutePath, HostName, Network, Realm, UserName

DOG, CAT, ANY = (Context.parse(f"selsock_{name}_t:s0:c{place}") for place, name in enumerate(("dog", "cat", "any")))
DOG_USER, CAT_USER = UserName.parse("dog"), UserName.parse("cat")


def rule(
    context: Context,
    users: str = "",
    networks: str = "",
    anonymous: bool = False,
    any: bool = False,
    groups: str = "",
    methods: str = "",
    clearance: str = "",
) -> Rule:
    """A rule, its lists separated by spaces, from the line that is its context."""
    names, parties = (frozenset(map(UserName.parse, given.split())) for given in (users, groups))
    places, line = tuple(map(Network.parse, networks.split())), f"vhost.yaml:{context.type}"
    return Rule(
        *(context, line, names, places, anonymous, any, ""), parties, frozenset(methods.split()), clearance=clearance
    )


def vhost(rules: list[Rule], default: Context | None = None, basic: bool = False, proxied: bool = False) -> Vhost:
    """A vhost with one location."""
    auth = Realm.parse("kennel") if basic else None
    names = (HostName.parse("dog.example"),)
    return Vhost(names, AbsolutePath.parse("/srv"), auth, (Location((), tuple(rules), default),), proxied=proxied)


def decide(
    place: Vhost, user: UserName | None = None, address: str = "192.0.2.1", groups: str = "", method: str = "GET"
) -> tuple[Context, str]:
    """The context and the rule for ``user`` from ``address``."""
    decision = label(Identity(user, frozenset(groups.split())), method, address, place, place.locations[0])
    return decision.context, decision.rule


def test_first_match_wins() -> None:
    """In the order of the file, not by how much a rule says."""
    rules = [rule(ANY, any=True), rule(DOG, users="dog")]
    assert (ANY, "vhost.yaml:selsock_any_t") == decide(vhost(rules), DOG_USER)
    assert (DOG, "vhost.yaml:selsock_dog_t") == decide(vhost(rules[::-1]), DOG_USER)


def test_user_matches_by_the_whole_name() -> None:
    """Another user falls to the next rule."""
    rules = [rule(DOG, users="dog doge"), rule(CAT, users="cat")]
    assert CAT == decide(vhost(rules), CAT_USER)[0]
    for name in ("do", "dog2", "DOG"):
        with pytest.raises(PeerFault):
            decide(vhost(rules), UserName.parse(name))


def test_rule_that_asks_a_map_holds_for_whom_it_names() -> None:
    """With the conditions beside it; asked for nobody, it holds for nobody."""
    asking = Rule(ANY, "vhost.yaml:1", map="/m")
    other = Rule(ANY, "vhost.yaml:2", networks=(Network("10.0.0.0/8"),), map="/n")
    place = vhost([asking, other, rule(CAT, users="cat")])
    identity = Identity(DOG_USER)
    with pytest.raises(PeerFault):
        label(identity, "GET", "192.0.2.1", place, place.locations[0])
    identity.mapped = {asking: None, other: rule(DOG)}
    found = label(identity, "GET", "10.1.2.3", place, place.locations[0])
    assert (DOG, "vhost.yaml:selsock_dog_t") == (found.context, found.rule)
    with pytest.raises(PeerFault):
        label(identity, "GET", "192.0.2.1", place, place.locations[0])
    assert CAT == decide(place, CAT_USER)[0]


def test_anonymous_matches_nobody_who_signed_in() -> None:
    """And a rule for users matches nobody anonymous."""
    rules = [rule(DOG, users="dog"), rule(ANY, anonymous=True)]
    assert ANY == decide(vhost(rules))[0]
    with pytest.raises(PeerFault):
        decide(vhost(rules), CAT_USER)


def test_conditions_of_one_rule_must_all_hold() -> None:
    """A user from an address; anonymous from an address; a contradiction never."""
    rules = [rule(DOG, users="dog", networks="10.0.0.0/8"), rule(CAT, networks="10.0.0.0/8", anonymous=True)]
    assert DOG == decide(vhost(rules), DOG_USER, "10.1.2.3")[0]
    assert CAT == decide(vhost(rules), None, "10.1.2.3")[0]
    for user, address in ((DOG_USER, "192.0.2.1"), (CAT_USER, "10.1.2.3"), (None, "192.0.2.1")):
        with pytest.raises(PeerFault):
            decide(vhost(rules), user, address)
    with pytest.raises(PeerFault):
        decide(vhost([rule(DOG, users="dog", anonymous=True)]), DOG_USER)


def test_signed_in_is_whoever_has_a_name() -> None:
    """And nobody else: he is asked to sign in."""
    place = vhost([Rule(DOG, "vhost.yaml:1", signed_in=True)], default=ANY, basic=True)
    assert (DOG, "vhost.yaml:1") == decide(place, DOG_USER)
    with pytest.raises(Challenge):
        decide(place)


def test_rule_that_takes_what_is_assigned_holds_for_whom_has_that() -> None:
    """By the line of the rule, with the conditions beside it; whoever has nothing comes to the next rule."""
    asking = Rule(ANY, "vhost.yaml:1", methods=frozenset({"GET"}), assigned=True)
    place = vhost([asking, rule(CAT, any=True)])
    identity = Identity(DOG_USER, assigned="x")
    identity.mapped = {asking: asking.entry(b"selsock_dog_t:s0:c9")}
    found = label(identity, "GET", "192.0.2.1", place, place.locations[0])
    assert ("selsock_dog_t:s0:c9", "vhost.yaml:1") == (str(found.context), found.rule)
    assert label(identity, "POST", "192.0.2.1", place, place.locations[0]).context == CAT
    assert CAT == decide(place, DOG_USER)[0]


def test_group_is_one_of_those_that_the_user_is_in() -> None:
    """By its whole name; who is in none of them comes to the next rule."""
    rules = [rule(DOG, groups="dogs wolves"), rule(CAT, groups="cats")]
    assert DOG == decide(vhost(rules), DOG_USER, groups="pets wolves cats")[0]
    assert CAT == decide(vhost(rules), DOG_USER, groups="pets cats")[0]
    for user, groups in ((DOG_USER, "dog wolve DOGS"), (DOG_USER, ""), (None, "")):
        with pytest.raises(PeerFault):
            decide(vhost(rules), user, groups=groups)


def test_user_and_group_and_address_and_method_must_all_hold() -> None:
    """One that does not is enough."""
    place = vhost([rule(DOG, users="dog", groups="dogs", networks="10.0.0.0/8", methods="PUT DELETE")])
    assert DOG == decide(place, DOG_USER, "10.1.2.3", "dogs", "DELETE")[0]
    others: list[tuple[UserName | None, str, str, str]] = [
        (CAT_USER, "10.1.2.3", "dogs", "PUT"),
        (None, "10.1.2.3", "", "PUT"),
        (DOG_USER, "192.0.2.1", "dogs", "PUT"),
        (DOG_USER, "10.1.2.3", "cats", "PUT"),
        (DOG_USER, "10.1.2.3", "dogs", "GET"),
    ]
    for visit in others:
        with pytest.raises(PeerFault):
            decide(place, *visit)


@pytest.mark.parametrize(("method", "holds"), [("GET", True), ("POST", True), ("HEAD", False), ("get", False)])
def test_method_is_exactly_that(method: str, holds: bool) -> None:
    """HEAD has to be named like any other."""
    place = vhost([rule(DOG, methods="GET POST"), rule(CAT, any=True)])
    assert (DOG if holds else CAT) == decide(place, method=method)[0]


@pytest.mark.parametrize(
    ("how", "level", "answer"),
    [
        ("meet", "s0:c0", "selsock_dog_t:s0:c0"),
        ("meet", "s0:c3", "selsock_dog_t:s0:c3"),  # what the service says is what he gets; levels are its trade
        ("whole", "s0:c0", "selsock_dog_t:s0:c0"),
        ("whole", "s0:c3", "clearance does not reach s0:c0: s0:c3 (vhost.yaml:selsock_dog_t)"),
        ("meet", None, "clearance does not reach s0:c0: nothing in common (vhost.yaml:selsock_dog_t)"),
        ("whole", None, "clearance does not reach s0:c0: nothing in common (vhost.yaml:selsock_dog_t)"),
        ("", None, "selsock_dog_t:s0:c0"),
    ],
)
def test_clearance_is_the_users_level_below_that_of_the_rule(how: str, level: str | None, answer: str) -> None:
    """403 where there is none, never the next rule: this one holds."""
    place = vhost([rule(DOG, users="dog", clearance=how), rule(CAT, any=True)], ANY)
    known = [("s0:c9", "s0:c9")] + [("s0:c0", level)] * bool(level)
    identity = Identity(DOG_USER, cleared={ceiling: Level.parse(f"{its}") for ceiling, its in known})
    try:
        found = str(label(identity, "GET", "192.0.2.1", place, place.locations[0]).context)
    except PeerFault as fault:
        assert 403 == fault.status
        found = fault.reason
    assert found == answer
    assert CAT == decide(place, CAT_USER)[0]


def test_clearance_is_for_what_an_entry_leaves_out() -> None:
    """A level that a map's line has, or that was assigned, is the level."""
    asking = Rule(DOG, "vhost.yaml:1", map="/m", clearance="meet")
    place = vhost([asking])
    identity = Identity(DOG_USER, cleared={"s0:c0": Level.parse("s0")})
    for record, expected in ((b"selsock_cat_t:", "selsock_cat_t:s0"), (b":s0:c7", "selsock_dog_t:s0:c7")):
        identity.mapped = {asking: asking.entry(record)}
        assert expected == str(label(identity, "GET", "192.0.2.1", place, place.locations[0]).context)


def test_visitor_whom_a_proxy_did_not_name_gets_no_default() -> None:
    """403, since nobody here could ask him who he is; a rule may admit him."""
    rules = [rule(DOG, users="dog")]
    with pytest.raises(PeerFault) as caught:
        decide(vhost(rules, ANY, proxied=True))
    assert (403, "no rule matches, and no default_context is for this visitor") == (
        *(caught.value.status, caught.value.reason),
    )
    assert (ANY, "default_context") == decide(vhost(rules, ANY, proxied=True), CAT_USER)
    assert DOG == decide(vhost([rule(DOG, anonymous=True)], ANY, proxied=True))[0]


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("192.0.2.0/24", "192.0.2.0", True),
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.0/24", "192.0.1.255", False),
        ("192.0.2.7/32", "192.0.2.7", True),
        ("192.0.2.7/32", "192.0.2.6", False),
        ("10.0.0.0/9", "10.127.255.255", True),
        ("10.0.0.0/9", "10.128.0.0", False),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("0.0.0.0/0", "local", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("2001:db8::1/128", "2001:db8::1", True),
        ("2001:db8::1/128", "2001:db8::2", False),
        ("::/0", "2001:db8::1", True),
        ("::/0", "192.0.2.1", False),
        ("::/0", "local", False),
        ("::ffff:192.0.2.0/120", "192.0.2.1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("fe80::/10", "fec0::1%eth0", False),
    ],
)
def test_address_lies_in_its_network_and_family_alone(network: str, address: str, inside: bool) -> None:
    """A mapped address reached us as IPv4 (test_adopt); ``local`` is AF_UNIX, which lies nowhere."""
    assert inside == Network.parse(network).contains(address)


def test_default_context_is_for_whom_no_rule_takes() -> None:
    """And says so in the journal."""
    assert (ANY, "default_context") == decide(vhost([rule(DOG, users="dog")], ANY), CAT_USER)
    assert (ANY, "default_context") == decide(vhost([], ANY))


def test_anonymous_visitor_is_asked_where_signing_in_may_help() -> None:
    """401, ahead of the default context: that is for those who are not asked."""
    for default in (None, ANY):
        with pytest.raises(Challenge) as caught:
            decide(vhost([rule(DOG, users="dog")], default, basic=True))
        assert (401, "kennel") == (caught.value.status, caught.value.realm)


def test_signed_in_visitor_is_never_asked_again() -> None:
    """403: other credentials are the browser's affair (RFC 9110 §15.5.4)."""
    with pytest.raises(PeerFault) as caught:
        decide(vhost([rule(DOG, users="dog")], basic=True), CAT_USER)
    assert 403 == caught.value.status
    assert (ANY, "default_context") == decide(vhost([rule(DOG, users="dog")], ANY, basic=True), CAT_USER)


def test_nobody_is_asked_where_there_is_no_authentication() -> None:
    """403 with a reason."""
    with pytest.raises(PeerFault) as caught:
        decide(vhost([rule(DOG, users="dog")]))
    assert (403, "no rule matches, and no default_context is for this visitor") == (
        caught.value.status,
        caught.value.reason,
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), ()),
        (("staff",), ("staff",)),
        (("staff", "a"), ("staff",)),
        (("staff", "dog"), ("staff", "dog")),
        (("staff", "dog", "x"), ("staff", "dog")),
        (("staff", "doge"), ("staff",)),
        (("staffroom",), ()),
        (("Staff",), ()),
        (("a", "staff"), ()),
        (("staff/dog",), ()),
    ],
)
def test_location_is_the_longest_prefix_by_whole_segments(path: tuple[str, ...], found: tuple[str, ...]) -> None:
    """The table has them longest first."""
    locations = tuple(Location(prefix, (), None) for prefix in (("staff", "dog"), ("staff",), ()))
    names = (HostName.parse("dog.example"),)
    assert found == locate(Vhost(names, AbsolutePath.parse("/srv"), None, locations), path).prefix
