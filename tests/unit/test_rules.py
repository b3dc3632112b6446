# SPDX-License-Identifier: Apache-2.0
"""Rules: what an entry of ``contexts:`` may say, what becomes of it, every mistake by its place, and which rules hold where."""

import re
from pathlib import Path

import pytest

from selsock.errors import Challenge, IdentityFault, PeerFault
from selsock.generate import conflicts
from selsock.generate.compiled import compile_table, decoded
from selsock.generate.configuration import Configuration, configure
from selsock.generate.domain_name import DomainName
from selsock.generate.maps import Maps
from selsock.generate.plan import exact
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load
from selsock.handler.identify import Identity
from selsock.handler.label import label
from selsock.handler.table import OpenTable, locate
from selsock.model import METHODS
from selsock.names import UserName

CHECKOUT = Path(__file__).parents[2]
FILE = "/etc/selsock/users.map"
DATABASE = "basic: {realm: x, sql: {postgresql: postgresql:///web, query: select hash where name = :user}}"
D = "domains: {public: {}, staff: {reads: [public]}, app: {python: true}}\n"
V = "vhosts:\n  a.example:\n    root: /srv/a\n    domain: public\n    range: auto\n"
W = D + V + f"    auth: {{{DATABASE}}}\n"


def configured(text: str, data: str = "") -> Configuration:
    """The configuration in ``text``, with ``data`` in the one map that it may name."""
    maps = Maps({FILE: data.encode()})
    found = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger(), maps)
    conflicts.check(found)
    return found


def refusal(text: str, data: str = "") -> str:
    """What ``text`` is refused with."""
    with pytest.raises(BadSource) as caught:
        configured(text, data)
    return str(caught.value)


def lines(text: str, data: str = "") -> list[str]:
    """The lines of the compiled table that are a rule's or a map's."""
    found = decoded(compile_table(configured(text, data), "0123456789abcdef")).splitlines()
    return [line.strip().replace("\t", " ") for line in found if line.strip().startswith(("rule", "map"))]


def rule(text: str) -> str:
    """What the table has for the one rule ``text``."""
    (line,) = lines(f"{W}    contexts: [{{{text}}}]\n")
    assert line.startswith("rule ")
    return line.removeprefix("rule ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("group: staff", "selsock_public_t:s0:c0,c1 vhost.yaml:8 group staff"),
        ("group: [b, a, Jürgen@x]", "selsock_public_t:s0:c0,c1 vhost.yaml:8 group Jürgen@x group a group b"),
        ("method: PUT", "selsock_public_t:s0:c0,c1 vhost.yaml:8 method PUT"),
        ("method: [PUT, MKCOL]", "selsock_public_t:s0:c0,c1 vhost.yaml:8 method MKCOL method PUT"),
        ("assigned: true", "selsock_public_t:s0:c0,c1 vhost.yaml:8 assigned "),
        ("signed_in: true", "selsock_public_t:s0:c0,c1 vhost.yaml:8 signed_in "),
        ("signed_in: true, method: GET, context: staff", "selsock_staff_t:s0:c0,c1 vhost.yaml:8 method GET signed_in "),
        (
            "method: GET, address: 10.0.0.0/8, group: g, user: u, context: staff",
            "selsock_staff_t:s0:c0,c1 vhost.yaml:8 user u group g address 10.0.0.0/8 method GET",
        ),
        ("anonymous: true, method: GET", "selsock_public_t:s0:c0,c1 vhost.yaml:8 method GET anonymous "),
        ("assigned: true, group: g, context: 'my_t:s0'", "my_t:s0 vhost.yaml:8 group g assigned "),
        # The level is the ceiling; of a vhost's pair only the whole may be given.
        (
            "user: u, context: {range: clearance}",
            "selsock_public_t:s0:c0,c1 vhost.yaml:8 user u clearance whole",
        ),
        ("group: g, context: 'staff:clearance'", "selsock_staff_t:s0:c0,c1 vhost.yaml:8 group g clearance whole"),
        (
            "assigned: true, context: {domain: my_t, range: clearance}",
            "my_t:s0:c0,c1 vhost.yaml:8 assigned  clearance whole",
        ),
    ],
)
def test_rule_becomes_a_line_of_the_table(text: str, line: str) -> None:
    assert f"{rule(text)} ".replace("  ", " ") == f"{line} ".replace("  ", " ")


@pytest.mark.parametrize("method", [method.decode() for method in METHODS])
def test_each_method_that_is_known_may_be_asked_for(method: str) -> None:
    assert rule(f"method: {method}").endswith(f" method {method}")


def test_ceiling_is_what_would_be_inherited() -> None:
    """Of the location, the vhost or the default; below a level that is written out, any part may be given."""
    text = W.replace("range: auto", "range: s0:c2.c5") + "    contexts: [{user: u, context: {range: clearance}}]\n"
    text += "    locations: {/x: {range: s0:c9}}\n"
    assert lines(text) == [
        "rule selsock_public_t:s0:c9 vhost.yaml:8 user u clearance meet",
        "rule selsock_public_t:s0:c2.c5 vhost.yaml:8 user u clearance meet",
    ]
    text = "default_context: staff:s0:c1\n" + text.replace("    range: s0:c2.c5\n", "").replace("range: s0:c9", "")
    assert lines(text) == ["rule selsock_public_t:s0:c1 vhost.yaml:8 user u clearance meet"] * 2


def test_map_may_stand_beside_a_context_a_group_and_a_method() -> None:
    """They hold for each of its lines; ``*`` is then whoever meets them."""
    text = f"{W}    contexts: [{{map: {FILE}, group: g, method: [GET, PUT], context: {{range: clearance}}}}]\n"
    assert lines(text, "alice staff\nbob *:s0:c7\n* app\n") == [
        f"rule selsock_public_t:s0:c0,c1 vhost.yaml:8 group g method GET method PUT map {FILE} clearance whole",
        f"rule selsock_app_t:s0:c0,c1 {FILE}:3 group g method GET method PUT clearance whole",
        f"map {FILE} alice selsock_staff_t:",
        f"map {FILE} bob :s0:c7",
    ]


# ---- mistakes

C = "8:16: vhosts.a.example.contexts[0]"
GROUP = "a group name without blank, comma, colon or control character, 255 bytes at most, in normal form C"
LEVEL = "a level such as s0 or s0:c1,c5"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "group: []",
            "8:24: vhosts.a.example.contexts[0].group: expected a value or a list of them, not an empty list",
        ),
        ("group: {}", "8:24: vhosts.a.example.contexts[0].group: expected a single value, not an empty mapping"),
        ("group: 'a b'", f"8:24: vhosts.a.example.contexts[0].group: expected {GROUP}, not 'a b'"),
        ("group: 'a,b'", f"8:24: vhosts.a.example.contexts[0].group: expected {GROUP}, not 'a,b'"),
        ("group: [a, 'b:']", f"8:28: vhosts.a.example.contexts[0].group[1]: expected {GROUP}, not 'b:'"),
        ("group: ''", f"8:24: vhosts.a.example.contexts[0].group: expected {GROUP}, not nothing"),
        ("group: '%s'" % ("a" * 256), f"8:24: vhosts.a.example.contexts[0].group: expected {GROUP}, not {'a' * 60!r}…"),
        ("group: e\u0301", f"8:24: vhosts.a.example.contexts[0].group: expected {GROUP}, not 'e\u0301'"),
        (
            "user: e\u0301",
            (
                "8:23: vhosts.a.example.contexts[0].user: expected a user name without colon or control character, "
                "255 bytes at most, in normal form C, not 'e\u0301'"
            ),
        ),
        (
            "method: get",
            (
                "8:25: vhosts.a.example.contexts[0].method: expected a method in upper case, the nearest being 'GET', "
                "not 'get'"
            ),
        ),
        (
            "method: [GET, CONNECT]",
            (
                "8:31: vhosts.a.example.contexts[0].method[1]: expected a method in upper case, the nearest being 'GET', "
                "not 'CONNECT'"
            ),
        ),
        (
            "method: []",
            "8:25: vhosts.a.example.contexts[0].method: expected a value or a list of them, not an empty list",
        ),
        ("assigned: yes", "8:27: vhosts.a.example.contexts[0].assigned: expected true, not 'yes'"),
        (
            "any: true, method: GET",
            (
                "8:22: vhosts.a.example.contexts[0].any: expected any to stand alone, or the other conditions without it, "
                "not 'true'"
            ),
        ),
        (
            "any: true, assigned: true",
            (
                "8:22: vhosts.a.example.contexts[0].any: expected any to stand alone, or the other conditions without it, "
                "not 'true'"
            ),
        ),
        (
            "signed_in: true, anonymous: true",
            (
                "8:45: vhosts.a.example.contexts[0].anonymous: expected either signed_in or anonymous, since no visitor is "
                "both, not 'true'"
            ),
        ),
        (
            "user: a, signed_in: true",
            "8:37: vhosts.a.example.contexts[0].signed_in: expected no signed_in beside user, which says more, not 'true'",
        ),
        (
            f"map: {FILE}, signed_in: true",
            "8:46: vhosts.a.example.contexts[0].signed_in: expected no such key beside map, not 'signed_in'",
        ),
        (
            "group: a, anonymous: true",
            (
                "8:38: vhosts.a.example.contexts[0].anonymous: expected either group or anonymous, since no visitor is "
                "both, not 'true'"
            ),
        ),
        (
            "assigned: true, anonymous: true",
            (
                "8:44: vhosts.a.example.contexts[0].anonymous: expected either assigned or anonymous, since no visitor is "
                "both, not 'true'"
            ),
        ),
        (
            "methods: GET",
            "8:17: vhosts.a.example.contexts[0].methods: expected a known key, the nearest being 'method', not 'methods'",
        ),
        (
            f"map: {FILE}, user: a",
            "8:46: vhosts.a.example.contexts[0].user: expected no such key beside map, not 'user'",
        ),
        (
            "any: true, context: {range: clearance}",
            (
                "8:37: vhosts.a.example.contexts[0].context: expected a rule that names users (user, group, signed_in, map or "
                "assigned) for range: clearance, not another"
            ),
        ),
        (
            "address: 10.0.0.0/8, method: GET, anonymous: true, context: 'staff:clearance'",
            (
                "8:77: vhosts.a.example.contexts[0].context: expected a rule that names users (user, group, signed_in, map or "
                "assigned) for range: clearance, not another"
            ),
        ),
        (
            "user: u, context: {range: clear}",
            f"8:43: vhosts.a.example.contexts[0].context.range: expected auto, clearance or {LEVEL}, not 'clear'",
        ),
        (
            "user: u, context: {domain: clearance}",
            (
                "8:44: vhosts.a.example.contexts[0].context.domain: expected a name under domains, the nearest being "
                "'public', not 'clearance'"
            ),
        ),
    ],
)
def test_each_mistake_of_a_rule_is_named_where_it_stands(text: str, answer: str) -> None:
    assert refusal(f"{W}    contexts: [{{{text}}}]\n") == f"vhost.yaml:{answer}"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (W.replace("range: auto", "range: clearance"), "6:12: vhosts.a.example.range"),
        (
            W + "    contexts: []\n    locations: {/x: {range: clearance}}\n",
            "9:29: vhosts.a.example.locations./x.range",
        ),
        ("default_context: public:clearance\n" + W, "1:18: default_context"),
        (W + "    content: {/x: {range: clearance}}\n    contexts: []\n", "8:27: vhosts.a.example.content./x.range"),
    ],
)
def test_clearance_stands_in_a_rule_alone(text: str, answer: str) -> None:
    """Neither files nor those whom no rule names have one."""
    assert refusal(text) == f"vhost.yaml:{answer}: expected auto or {LEVEL}, not 'clearance'"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ("__anonymous__ staff\n", "1:15: __anonymous__"),
        ("a staff\n* staff\n", "2:3: *"),
    ],
)
def test_clearance_is_a_users(data: str, answer: str) -> None:
    """A line of a map for others needs a range of its own."""
    text = f"{W}    contexts: [{{map: {FILE}, context: {{range: clearance}}}}]\n"
    assert refusal(text, data) == (
        f"{FILE}:{answer}: expected a range, since whoever has not signed in has no clearance, not what the rule has "
        "(vhost.yaml:8)"
    )
    assert lines(text, data.replace("staff", "staff:s0:c7"))


def test_auto_in_a_map_is_not_the_users_clearance() -> None:
    text = f"{W}    contexts: [{{map: {FILE}, context: {{range: clearance}}}}]\n"
    assert refusal(text, "a staff:auto\n") == (
        f"{FILE}:1:3: a: expected auto where the range around the map is auto, not where it is clearance (vhost.yaml:8)"
    )
    assert refusal(text, "a staff:clearance\n") == f"{FILE}:1:3: a: expected auto or {LEVEL}, not 'clearance'"


def test_nobody_anonymous_is_in_a_group() -> None:
    text = f"{W}    contexts: [{{map: {FILE}, group: g}}]\n"
    assert refusal(text, "a staff\n__anonymous__ staff\n") == (
        f"{FILE}:2:15: __anonymous__: expected no line of __anonymous__ where the rule asks for a group, which he has "
        "none of (vhost.yaml:8)"
    )


FILE_AUTH = "basic: {realm: x, file: /etc/selsock/x.htpasswd}"


@pytest.mark.parametrize(
    ("auth", "text", "problem"),
    [
        ("", "user: u", "expected auth, since the rule in line 8 names a user, not none"),
        ("", "signed_in: true", "expected auth, since the rule in line 8 names a user, not none"),
        ("", "group: g", "expected auth, since the rule in line 8 names a user, not none"),
        ("", "assigned: true", "expected auth, since the rule in line 8 names a user, not none"),
        (FILE_AUTH, "group: g", "expected auth with groups, since the rule in line 8 names one, not without"),
        ("proxy: {}", "group: g", "expected auth with groups, since the rule in line 8 names one, not without"),
        (
            FILE_AUTH,
            "assigned: true",
            "expected auth with sql, since the rule in line 8 takes what that assigns, not with file",
        ),
        (
            "basic: {realm: x, pam: true}",
            "assigned: true",
            "expected auth with sql, since the rule in line 8 takes what that assigns, not with pam",
        ),
        (
            "proxy: {}",
            "assigned: true",
            "expected auth with sql, since the rule in line 8 takes what that assigns, not with proxy",
        ),
        (FILE_AUTH, "user: u", ""),
        (FILE_AUTH, "signed_in: true", ""),
        ("proxy: {}", "user: u", ""),
        (FILE_AUTH.replace("}", ", groups: /etc/selsock/x.htgroup}"), "group: g", ""),
        ("proxy: {groups: /etc/selsock/x.htgroup}", "group: g", ""),
        ("basic: {realm: x, pam: true}", "group: g", ""),
        (DATABASE, "group: g, assigned: true", ""),
    ],
)
def test_rule_asks_what_somebody_knows(auth: str, text: str, problem: str) -> None:
    """Otherwise it could never hold, and would look as if it did."""
    source = D + V + (f"    auth: {{{auth}}}\n" if auth else "    # none\n") + f"    contexts: [{{{text}}}]\n"
    if auth.startswith("proxy") and not problem:
        source = "listen: [{address: 80, remote_user: X-User, from: 192.0.2.1}]\n" + source
    if problem:
        assert refusal(source) == f"vhost.yaml:4:5: vhosts.a.example: {problem}"
    else:
        assert configured(source).sites


# ---- what rules mean for policy and ranges


def test_ceiling_takes_part_as_a_level_that_is_given() -> None:
    """What is below a ceiling holds no pair that it does not; so the pair of another vhost is refused at the ceiling."""
    text = W.replace("range: auto", "range: s0:c0.c5") + "    contexts: [{user: u, context: {range: clearance}}]\n"
    text += "  b.example: {root: /srv/b, domain: public, range: auto, contexts: [{any: true}]}\n"
    assert refusal(text) == (
        "vhost.yaml:8:35: vhosts.a.example.contexts[0].context: "
        "expected a level without s0:c0,c1, which is the auto range of b.example, not s0:c0.c5"
    )


@pytest.mark.parametrize(
    ("level", "text", "kept"),
    [
        ("s0", "assigned: true", False),  # any level that has a category is above
        ("s0:c7", "assigned: true", True),
        ("s0", "any: true", True),
        ("s0:c7", "user: u, context: {range: clearance}", True),
        ("s0:c7", "any: true, context: {range: s0:c7.c9}", False),
        ("s0:c7", "user: u, context: 'public:s0:c6'", True),
    ],
)
def test_content_below_what_visitors_may_get_is_not_exact(level: str, text: str, kept: bool) -> None:
    found = configured(f"{W.replace('range: auto', f'range: {level}')}    contexts: [{{{text}}}]\n")
    assert ("selsock_public_content_t" in exact(found)) is kept


# ---- which rules hold


def decision(
    folder: Path, text: str, path: str = "", user: str = "", method: str = "GET", data: str = "", assigned: str = ""
) -> str:
    """What the handler decides by the table of ``text``: context and rule, or the status of a refusal."""
    (folder / "table.cdb").write_bytes(compile_table(configured(text, data), "0123456789abcdef"))
    opened = OpenTable(str(folder / "table.cdb"))
    vhost = opened.vhost("a.example", False)
    identity = Identity(UserName(user) if user else None, frozenset({"g"} if user else ()), assigned)
    try:
        identity.mapped = opened.consult(vhost, identity.user, assigned)
        location = locate(vhost, tuple(path.split("/")[1:]))
        found = label(identity, method, "192.0.2.1", vhost, location)
    except (Challenge, PeerFault) as fault:
        return f"{fault.status}"
    finally:
        opened.close()
    return f"{found.context} {found.rule}"


GLOBAL = "default_context: public:s0:c9\ncontexts:\n  - {any: true, context: 'public:s0:c1'}\n"
VHOST = "    contexts:\n      - {any: true, context: 'public:s0:c2'}\n"
NESTED = (
    "    locations:\n      /x:\n        contexts:\n          - {any: true, context: 'public:s0:c3'}\n      /x/y: {}\n"
)


@pytest.mark.parametrize(
    ("parts", "at_x", "elsewhere"),
    [
        ((GLOBAL, VHOST, NESTED), "selsock_public_t:s0:c3 vhost.yaml:16", "selsock_public_t:s0:c2 vhost.yaml:12"),
        ((GLOBAL, "", NESTED), "selsock_public_t:s0:c3 vhost.yaml:14", "selsock_public_t:s0:c1 vhost.yaml:3"),
        ((GLOBAL, VHOST, ""), "selsock_public_t:s0:c2 vhost.yaml:12", "selsock_public_t:s0:c2 vhost.yaml:12"),
        ((GLOBAL, "", ""), "selsock_public_t:s0:c1 vhost.yaml:3", "selsock_public_t:s0:c1 vhost.yaml:3"),
        ((GLOBAL.partition("contexts")[0], "", ""), *["selsock_public_t:s0:c9 default_context"] * 2),
        (("", "    contexts: []\n", ""), "403", "403"),
    ],
)
def test_rules_are_those_of_the_location_else_the_vhost_else_the_top(
    tmp_path: Path, parts: tuple[str, str, str], at_x: str, elsewhere: str
) -> None:
    """selinuxDefaultDomain and per-directory merging: one list holds, the innermost; then default_context; then 401 or 403.

    A location without rules has those of the vhost, not those of a location around it: prefixes do not nest.
    """
    top, vhost, location = parts
    text = f"{top}{W}{vhost}{location}"
    assert decision(tmp_path, text, "/x/z", "u") == at_x
    assert decision(tmp_path, text, "/x/y", "u") == elsewhere
    assert decision(tmp_path, text, "/", "u") == elsewhere


@pytest.mark.parametrize("rules", ["[{user: v}]", "[{user: u, method: PUT}]", "[]"])
def test_list_of_which_no_rule_holds_ends_the_search(tmp_path: Path, rules: str) -> None:
    """Outer rules are not asked then; an empty list is a list."""
    text = f"contexts: [{{any: true}}]\n{W}    contexts: {rules}\n"
    assert decision(tmp_path, text, user="u") == "403"
    assert decision(tmp_path, "default_context: staff:s0\n" + text, user="u") == "selsock_staff_t:s0 default_context"
    assert decision(tmp_path, "default_context: staff:s0\n" + text) == "401"


def test_method_divides_readers_from_writers(tmp_path: Path) -> None:
    """Everybody may look; whoever writes has to be one of a group."""
    text = W + "    contexts:\n      - {method: [GET, HEAD]}\n      - {group: g, method: [PUT, DELETE], context: app}\n"
    pair = "s0:c0,c1"
    assert decision(tmp_path, text) == f"selsock_public_t:{pair} vhost.yaml:9"
    assert decision(tmp_path, text, method="PUT") == "401"
    assert decision(tmp_path, text, method="PUT", user="u") == f"selsock_app_t:{pair} vhost.yaml:10"
    assert decision(tmp_path, text, method="POST", user="u") == "403"


@pytest.mark.parametrize(
    ("assigned", "answer"),
    [
        ("selsock_staff_t:s0:c5", "selsock_staff_t:s0:c5 vhost.yaml:9"),
        ("selsock_staff_t:", "selsock_staff_t:s0:c0,c1 vhost.yaml:9"),
        (":s0:c5", "selsock_app_t:s0:c5 vhost.yaml:9"),
        (":", "selsock_app_t:s0:c0,c1 vhost.yaml:9"),
        ("", "selsock_public_t:s0:c0,c1 vhost.yaml:10"),
    ],
)
def test_assigned_context_inherits_what_it_leaves_out(tmp_path: Path, assigned: str, answer: str) -> None:
    """AUTHENTICATE_UDOMAIN of mod_authn_dbd: from around the rule; who has none comes to the next rule."""
    text = W + "    contexts:\n      - {assigned: true, context: app}\n      - {user: u}\n"
    assert decision(tmp_path, text, user="u", assigned=assigned) == answer


@pytest.mark.parametrize("assigned", ["staff:s0", "selsock_staff_t:s0-s1", "selsock_staff_t:c5", "A_t:s0", "\0:"])
def test_assigned_nonsense_is_our_fault(tmp_path: Path, assigned: str) -> None:
    """503, in whichever location; never a default."""
    text = W + "    contexts: [{any: true}]\n    locations: {/x: {contexts: [{assigned: true}]}}\n"
    with pytest.raises(IdentityFault, match="^u was assigned no context: expected "):
        decision(tmp_path, text, user="u", assigned=assigned)
    assert decision(tmp_path, text.replace("assigned: true", "user: u"), "/x", "u", assigned=assigned).startswith(
        "sels"
    )


@pytest.mark.parametrize(
    "name", re.findall(r"^type selsock_(\w+)_t;", (CHECKOUT / "policy/selsock.te").read_text(), re.MULTILINE)
)
def test_no_domain_has_the_name_of_a_type_of_our_own(name: str) -> None:
    """What a database assigns is ``selsock_NAME_t``; and CIL would not link with two."""
    assert not DomainName.accepts(name)
