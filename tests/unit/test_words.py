# SPDX-License-Identifier: Apache-2.0
"""``--diff`` in words: each kind of change, in both directions, and which of the two is marked."""

import grp
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from selsock.generate import conflicts
from selsock.generate.__main__ import main
from selsock.generate.configuration import Configuration, configure
from selsock.generate.maps import Maps
from selsock.generate.plan import APPLIED, POLICY, RANGES
from selsock.generate.ranges import Ledger
from selsock.generate.source import load
from selsock.generate.words import compared
from selsock.generate.words_line import Line, few

Captured = pytest.CaptureFixture[str]

FILE, OTHER = "/etc/selsock/users.map", "/etc/selsock/other.map"
D = "domains: {public: {}, staff: {reads: [public]}, app: {python: true}}\n"
A = "root: /srv/a, domain: public, range: auto"
AUTH = "auth: {basic: {realm: x, file: /etc/selsock/htpasswd, groups: /etc/selsock/htgroup}}"
SQL = 'auth: {basic: {realm: x, sql: {%s, query: "select hash, context from users where name = :user"}}}'
SHOWN = "{static: {directory: /x}}"
APPLICATION = '{wsgi: {application: "a.b:c", python: [/code], environment: {X: y}}}'
URI = "postgresql: postgresql://u:secret@db/web"
ANY = "contexts: [{any: true}]"
PAIR = "s0:c0,c1"


def vhosts(*given: str) -> str:
    """A source of these vhosts, ``NAME: KEYS``; one without contexts lets in whoever comes."""
    lines = (text if "contexts" in text else f"{text}, {ANY}" for text in given)
    return D + "vhosts:\n" + "".join(f"  {line.replace(': ', ': {', 1)}}}\n" for line in lines)


def a(keys: str = "", around: str = A) -> str:
    """A source of one vhost, a.example."""
    return vhosts(f"a.example: {around}" + (f", {keys}" if keys else ""))


def configured(text: str, users: str, ledger: Ledger) -> Configuration:
    """The configuration in ``text``; it is a good one."""
    found = configure(
        load(text.encode(), "vhost.yaml"), "vhost.yaml", ledger, Maps({FILE: users.encode(), OTHER: b"u5 staff\n"})
    )
    conflicts.check(found)
    return found


def said(old: str, new: str, *users: str) -> list[str]:
    """The lines on what ``new`` does to ``old``; ``users`` are the maps of both."""
    ledger = Ledger.parse(b"a.example 0 s0:c0,c1\nb.example 1 s0:c0,c2\n", "ranges")
    maps = users or ("", "")
    return [str(line) for line in compared(configured(old, maps[0], ledger), configured(new, maps[1], ledger))]


V = "vhost a.example: "

# Each is what is, what will be, and what is said there and back; + stands for the mark, - for none.
CHANGES = {
    "the mode": (
        a(),
        "selinux: optional\n" + a(),
        ["+selinux: optional instead of required"],
        ["-selinux: required instead of optional"],
    ),
    "a listener": (
        a(),
        "listen: [80, 8080]\n" + a(),
        ["+listen 8080: new, for everybody"],
        ["-listen 8080: taken away"],
    ),
    "a listener for a proxy": (
        "listen: [{address: 8080, client: X-Real-IP, from: 192.0.2.0/24}]\n" + a(),
        "listen: [{address: 8080, client: X-Real-IP, from: [192.0.2.0/25, 192.0.2.200]}]\n" + a(),
        ["-listen 8080: from 192.0.2.0/25, 192.0.2.200/32 instead of 192.0.2.0/24"],
        ["+listen 8080: from 192.0.2.0/24 instead of 192.0.2.0/25, 192.0.2.200/32"],
    ),
    "whose word is taken": (
        "listen: [8080]\n" + a(),
        "listen: [{address: 8080, client: X-Real-IP, from: 192.0.2.1}]\n" + a(),
        [
            "+listen 8080: client x-real-ip instead of none, from 192.0.2.1/32 instead of none",
            "-limits: connections_per_source 0 instead of 16",
        ],
        [
            "+listen 8080: client none instead of x-real-ip, from none instead of 192.0.2.1/32",
            "-limits: connections_per_source 16 instead of 0",
        ],
    ),
    "limits": (
        a(),
        "limits: {connections: 100, requests: 7, memory: 96M}\n" + a(),
        ["-limits: requests 7 instead of 100, connections 100 instead of 64, memory 96M instead of 64M"],
        ["-limits: requests 100 instead of 7, connections 64 instead of 100, memory 64M instead of 96M"],
    ),
    "a domain": (
        a(),
        a().replace("public: {}", "public: {}, shop: {python: true, network: [smtp], reads: [public]}"),
        ["-domain shop: new, with python, network smtp, reads public"],
        ["-domain shop: taken away"],
    ),
    "what a domain may do": (
        a(),
        a().replace("public: {}", "public: {execute: true, network: [smtp], reads: [staff]}"),
        [f"+domain public: {what} added" for what in ("execute", "network smtp", "reads staff")],
        [f"-domain public: {what} taken away" for what in ("execute", "network smtp", "reads staff")],
    ),
    "a vhost": (
        a(),
        vhosts(f"a.example: {A}", "b.example: root: /srv/b, aliases: [c.example], domain: staff, range: auto"),
        [
            "+vhost b.example: new: root /srv/b, its pair s0:c0,c2, also called c.example; visitors get selsock_staff_t:s0:c0,c2",
            "+vhost b.example: /srv/b: labelled selsock_staff_content_t:s0:c0,c2",
        ],
        [
            "-vhost b.example: taken away, with root /srv/b; its pair s0:c0,c2 is not given to another",
            ("-vhost b.example: /srv/b: labelled as the policy says without selsock, instead of"
            " selsock_staff_content_t:s0:c0,c2"),
        ],
    ),
    "an alias": (
        a(),
        a("aliases: [b.example]"),
        [f"+{V}alias b.example added"],
        [f"-{V}alias b.example taken away"],
    ),
    "a root": (
        a("content: {/s: staff}"),
        a("content: {/s: staff}").replace("/srv/a", "/srv/b"),
        [
            f"+{V}root: /srv/b instead of /srv/a",
            *[
                f"-{V}/srv/a{path}: labelled as the policy says without selsock, instead of selsock_{name}_content_t:{PAIR}"
                for path, name in (("", "public"), ("/s", "staff"))
            ],
            *[f"+{V}/srv/b{path}: labelled selsock_{name}_content_t:{PAIR}" for path, name in (("", "public"), ("/s", "staff"))],
        ],
        None,
    ),
    "temporary files": (
        a("temporary: /tmp, locations: {/: {static: {directory: /x}}}"),
        a("temporary: /var, locations: {/: {static: {directory: /x}}}"),
        [
            f"-{V}temporary: /srv/a/var instead of /srv/a/tmp",
            f"-{V}/srv/a/tmp: labelled selsock_public_content_t:{PAIR} instead of selsock_public_rw_t:{PAIR}",
            f"+{V}/srv/a/var: labelled selsock_public_rw_t:{PAIR} instead of selsock_public_content_t:{PAIR}",
        ],
        None,
    ),
    "a label": (
        a("content: {/s: public}"),
        a("content: {/s: staff}"),
        # staff reads what is public; public does not read what is staff's
        [f"-{V}/srv/a/s: labelled selsock_staff_content_t:{PAIR} instead of selsock_public_content_t:{PAIR}"],
        [f"+{V}/srv/a/s: labelled selsock_public_content_t:{PAIR} instead of selsock_staff_content_t:{PAIR}"],
    ),
    "access": (
        a("content: {/s: {access: read}}"),
        a("content: {/s: {access: write}}"),
        [f"+{V}/srv/a/s: labelled selsock_public_rw_t:{PAIR} instead of selsock_public_content_t:{PAIR}"],
        [f"-{V}/srv/a/s: labelled selsock_public_content_t:{PAIR} instead of selsock_public_rw_t:{PAIR}"],
    ),
    "access to programs": (
        a("content: {/s: {access: read}}"),
        a("content: {/s: {access: execute}}"),
        [f"+{V}/srv/a/s: labelled selsock_public_script_t:{PAIR} instead of selsock_public_content_t:{PAIR}"],
        # staff reads what is public, but no scripts
        [f"+{V}/srv/a/s: labelled selsock_public_content_t:{PAIR} instead of selsock_public_script_t:{PAIR}"],
    ),
    "a rule with a user": (
        a(AUTH),
        a(f"{AUTH}, contexts: [{{user: [alice, bob], context: staff}}, {{any: true}}]"),
        [f"-{V}rules: 1 added", f"+{V}alice, bob: selsock_staff_t:{PAIR} instead of selsock_public_t:{PAIR}"],
        [f"-{V}rules: 1 taken away", f"-{V}alice, bob: selsock_public_t:{PAIR} instead of selsock_staff_t:{PAIR}"],
    ),
    "one user more": (
        a(f"{AUTH}, contexts: [{{user: alice}}]"),
        a(f"{AUTH}, contexts: [{{user: [alice, bob]}}]"),
        [f"-{V}rules: 1 added, 1 taken away", f"+{V}bob: selsock_public_t:{PAIR} instead of no context"],
        [f"-{V}rules: 1 added, 1 taken away", f"-{V}bob: no context instead of selsock_public_t:{PAIR}"],
    ),
    "a condition": (
        a(f"{AUTH}, contexts: [{{group: g, address: 10.0.0.0/8, method: [GET, HEAD]}}]"),
        a(f"{AUTH}, contexts: [{{group: [g, h], method: GET}}]"),
        [
            f"-{V}rules: 1 added, 1 taken away",
            f"-{V}whoever signs in (in g, from 10.0.0.0/8, by GET, HEAD): no context instead of selsock_public_t:{PAIR}",
            f"+{V}whoever signs in (in g, h, by GET): selsock_public_t:{PAIR} instead of no context",
        ],
        None,
    ),
    "the order of rules": (
        a(f"{AUTH}, contexts: [{{user: alice, context: staff}}, {{signed_in: true}}]"),
        a(f"{AUTH}, contexts: [{{signed_in: true}}, {{user: alice, context: staff}}]"),
        [f"-{V}rules: in another order", f"-{V}alice: selsock_public_t:{PAIR} instead of selsock_staff_t:{PAIR}"],
        [f"-{V}rules: in another order", f"+{V}alice: selsock_staff_t:{PAIR} instead of selsock_public_t:{PAIR}"],
    ),
    "rules of a location": (
        a(AUTH),
        a(f"{AUTH}, {ANY}, locations: {{/s: {{contexts: [{{user: alice}}]}}}}"),
        [
            f"-{V}rules: 1 added, 1 taken away",
            f"-{V}location /s: other users, whoever does not sign in: no context instead of selsock_public_t:{PAIR}",
        ],
        [
            f"-{V}rules: 1 added, 1 taken away",
            f"+{V}location /s: other users, whoever does not sign in: selsock_public_t:{PAIR} instead of no context",
        ],
    ),
    "default_context": (
        a(f"{AUTH}, contexts: [{{user: alice}}]"),
        "default_context: staff:s0\n" + a(f"{AUTH}, contexts: [{{user: alice}}]"),
        [f"+{V}other users: selsock_staff_t:s0 instead of no context"],
        [f"-{V}other users: no context instead of selsock_staff_t:s0"],
    ),
    "more categories": (
        a("contexts: [{any: true, context: 'staff:s0:c7'}], content: {/: 'staff:s0'}"),
        a("contexts: [{any: true, context: 'staff:s0:c7,c8'}], content: {/: 'staff:s0'}"),
        [f"-{V}rules: 1 changed", f"+{V}everybody: selsock_staff_t:s0:c7,c8 instead of selsock_staff_t:s0:c7"],
        [f"-{V}rules: 1 changed", f"-{V}everybody: selsock_staff_t:s0:c7 instead of selsock_staff_t:s0:c7,c8"],
    ),
    "clearance": (
        a(f"{AUTH}, contexts: [{{signed_in: true}}]"),
        a(f"{AUTH}, contexts: [{{signed_in: true, context: {{range: clearance}}}}]"),
        # at a lower level there may be content that is read at that level alone
        [f"-{V}rules: 1 changed", f"+{V}whoever signs in: selsock_public_t:{PAIR}, as far as cleared instead of selsock_public_t:{PAIR}"],
        [f"-{V}rules: 1 changed", f"+{V}whoever signs in: selsock_public_t:{PAIR} instead of selsock_public_t:{PAIR}, as far as cleared"],
    ),
    "what is assigned": (
        a(f"{SQL % URI}, contexts: [{{signed_in: true}}]"),
        a(f"{SQL % URI}, contexts: [{{assigned: true}}, {{signed_in: true}}]"),
        [
            f"-{V}rules: 1 added",
            f"+{V}whoever signs in (with a context assigned): what is assigned, else selsock_public_t:{PAIR} instead of selsock_public_t:{PAIR}",
        ],
        None,
    ),
    "a type of the administrator's": (
        a("content: {/: public}", "root: /srv/a, domain: public, range: s0"),
        a("content: {/: public}", "root: /srv/a, domain: own_t, range: s0"),
        [f"-{V}rules: 1 changed", f"+{V}everybody: own_t:s0 instead of selsock_public_t:s0"],
        [f"-{V}rules: 1 changed", f"+{V}everybody: selsock_public_t:s0 instead of own_t:s0"],
    ),
    "authentication": (
        a(f"{AUTH}, {ANY}"),
        a(),
        [f"+{V}auth: nobody signs in instead of users of file /etc/selsock/htpasswd with groups of /etc/selsock/htgroup"]
        + [f"-{file}: labelled as the policy says without selsock" for file in ("/etc/selsock/htgroup", "/etc/selsock/htpasswd")],
        [f"-{V}auth: users of file /etc/selsock/htpasswd with groups of /etc/selsock/htgroup instead of nobody signs in"]
        + [f"-{file}: labelled selsock_passwd_t:s0" for file in ("/etc/selsock/htgroup", "/etc/selsock/htpasswd")],
    ),
    "who was anonymous, and is not": (
        a("contexts: [{anonymous: true}, {any: true, context: staff}]"),
        a(f"{AUTH.replace(', groups: /etc/selsock/htgroup', '')}, contexts: [{{anonymous: true}}, {{any: true, context: staff}}]"),
        [
            f"-{V}auth: users of file /etc/selsock/htpasswd instead of nobody signs in",
            f"+{V}whoever signs in: selsock_staff_t:{PAIR} instead of selsock_public_t:{PAIR}",
            "-/etc/selsock/htpasswd: labelled selsock_passwd_t:s0",
        ],
        None,
    ),
    "who knows the users": (
        a(f"{SQL % 'sqlite: /etc/selsock/a.sqlite'}"),
        a("auth: {basic: {realm: x, pam: true}}"),
        [
            f"+{V}auth: users of pam instead of users of sqlite /etc/selsock/a.sqlite",
            "-/etc/selsock/a.sqlite: labelled as the policy says without selsock",
        ],
        None,
    ),
    "a database, without its password": (
        a(SQL % URI),
        a(SQL % URI.replace("db", "other")),
        [f"+{V}auth: another database, or another query"],
        [f"+{V}auth: another database, or another query"],
    ),
    "how users are asked": (
        a(AUTH),
        a(AUTH.replace("realm: x", "realm: y, remember: 9")),
        [f"-{V}auth: remember 9 instead of 0", f"-{V}auth: realm y instead of x"],
        [f"-{V}auth: remember 0 instead of 9", f"-{V}auth: realm x instead of y"],
    ),
    "groups that nobody knows any more": (
        a(AUTH),
        a(AUTH.replace(", groups: /etc/selsock/htgroup", "")),
        [
            (f"-{V}auth: users of file /etc/selsock/htpasswd instead of users of file /etc/selsock/htpasswd with groups of"
            " /etc/selsock/htgroup"),
            "-/etc/selsock/htgroup: labelled as the policy says without selsock",
        ],
        [
            (f"+{V}auth: users of file /etc/selsock/htpasswd with groups of /etc/selsock/htgroup instead of users of file"
            " /etc/selsock/htpasswd"),
            "-/etc/selsock/htgroup: labelled selsock_passwd_t:s0",
        ],
    ),
    "what a location serves": (
        a("locations: {/s: {static: {directory: /x}}}"),
        a("locations: {/s: {static: {directory: /y}}}"),
        [f"+{V}location /s: static with directory /y, without directory /x"],
        [f"+{V}location /s: static with directory /x, without directory /y"],
    ),
    "a listing": (
        a(),
        a("locations: {/s: {static: {listing: true}}}"),
        [f"+{V}location /s: static with listing yes"],
        [f"-{V}location /s: static without listing yes"],
    ),
    "an index": (
        a("locations: {/s: {static: {index: [a, b], listing: true}}}"),
        a("locations: {/s: {static: {index: [a], listing: true}}}"),
        [f"+{V}location /s: static without index b"],
        [f"+{V}location /s: static with index b"],
    ),
    "the order of options": (
        a("locations: {/s: {static: {index: [a, b]}}}"),
        a("locations: {/s: {static: {index: [b, a]}}}"),
        [f"+{V}location /s: static with its options in another order"],
        [f"+{V}location /s: static with its options in another order"],
    ),
    "an application": (
        a(f"temporary: /tmp, locations: {{/: {SHOWN}}}", A.replace("public", "app")),
        a(f"temporary: /tmp, locations: {{/: {APPLICATION}}}", A.replace("public", "app")),
        [f"+{V}location /: wsgi instead of static, module a.b, callable c, python /code and 1 more"],
        [f"+{V}location /: static instead of wsgi, directory /x, index index.html"],
    ),
    "programs in another domain": (
        a(f"temporary: /tmp, locations: {{/: {SHOWN}}}").replace("python", "execute"),
        a(f"temporary: /tmp, locations: {{/: {SHOWN}, /s: {{cgi: {{program: /usr/bin/x, domain: app}}}}}}").replace("python", "execute"),
        [
            "+domain public: starts programs of the system in domain app",
            f"+{V}location /s: cgi instead of static, program /usr/bin/x, domain selsock_app_t",
        ],
        [
            "-domain public: starts no more programs in domain app",
            f"+{V}location /s: static instead of cgi, directory /x/s, index index.html",
        ],
    ),
}  # fmt: skip


def marked(lines: list[str]) -> list[str]:
    """``lines`` as they are printed."""
    return [{"+": "WIDENS  ", "-": "        "}[line[0]] + line[1:] for line in lines]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change(change: str) -> None:
    """In words, and marked where it lets somebody do more."""
    old, new, expected, _ = CHANGES[change]
    assert said(old, new) == marked(expected)


@pytest.mark.parametrize("change", [name for name, (*_, back) in CHANGES.items() if back is not None])
def test_the_change_back(change: str) -> None:
    """It is marked where the change itself took something away, and where that is not known."""
    old, new, _, expected = CHANGES[change]
    assert said(new, old) == marked(expected or [])


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_as_it_was_is_not_said(change: str) -> None:
    for text in CHANGES[change][:2]:
        assert said(text, "# other bytes\n" + text) == []


MAPPED = a(f"{AUTH}, contexts: [{{map: {FILE}}}]")


def test_a_map_is_counted_and_its_users_are_named() -> None:
    """The first of them, in the order of the map; each for what he gets."""
    old = "u1 staff\nu2 staff\nu3 *\nu9 *\n"
    new = "".join(f"u{number} staff\n" for number in (*range(2, 6), 7)) + "u9 *\n"
    assert said(MAPPED, MAPPED, old, new) == marked(
        [
            f"-map {FILE}: 3 added (u4, u5, u7), 1 changed (u3), 1 taken away (u1)",
            f"-{V}u1: no context instead of selsock_staff_t:{PAIR}",
            f"+{V}u3: selsock_staff_t:{PAIR} instead of selsock_public_t:{PAIR}",
            f"+{V}u4, u5, u7: selsock_staff_t:{PAIR} instead of no context",
        ]
    )
    assert said(MAPPED, MAPPED, old, old + "#\n") == marked([f"-map {FILE}: other lines, which say the same"])


def test_one_of_two_maps() -> None:
    """The other one has nothing to say of whom this names."""
    both = a(f"{AUTH}, contexts: [{{map: {OTHER}}}, {{map: {FILE}}}]")
    lines = said(both, both, "u5 *\n", "u5 *\nu6 *\n")
    assert lines[1:] == marked([f"+{V}u6: selsock_public_t:{PAIR} instead of no context"])


def test_who_was_known_and_is_not() -> None:
    """Without *auth*, everybody is who has not signed in."""
    old = a(f"{AUTH}, contexts: [{{user: alice}}, {{any: true, context: staff}}]")
    lines = said(old, a("contexts: [{any: true, context: staff}]"))
    assert lines[2] == f"WIDENS  {V}alice: selsock_staff_t:{PAIR} instead of selsock_public_t:{PAIR}"


def test_a_map_for_whoever_comes() -> None:
    """Its last line is a rule for those whom it does not name."""
    lines = said(MAPPED, MAPPED, "u1 staff\n", "u1 staff\n__anonymous__ public\n* staff\n")
    assert lines == marked(
        [
            f"-map {FILE}: 2 added (__anonymous__, *)",
            f"-{V}rules: 2 added",
            f"+{V}whoever does not sign in: selsock_public_t:{PAIR} instead of no context",
            f"+{V}other users: selsock_staff_t:{PAIR} instead of no context",
        ]
    )


def test_a_map_that_no_rule_asks_any_more() -> None:
    lines = said(MAPPED, a(f"{AUTH}, contexts: [{{user: u1, context: staff}}]"), "u1 staff\n", "")
    assert lines == marked([f"-map {FILE}: taken away", f"-{V}rules: 1 added, 1 taken away"])
    lines = said(a(f"{AUTH}, contexts: [{{user: u1, context: staff}}]"), MAPPED, "", "u1 staff\n")
    assert lines == marked([f"-map {FILE}: 1 added (u1)", f"-{V}rules: 1 added, 1 taken away"])


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c"), ("a", "b", "c", "d", "e")])
def test_of_many_the_first_are_named(names: tuple[str, ...]) -> None:
    assert few(names) == ", ".join(names[:3]) + {5: " and 2 more"}.get(len(names), "")


def test_places_that_change_alike_are_one_line() -> None:
    """The first are named; none, where all do."""
    old = a(f"{AUTH}, {ANY}, locations: {{/a: {{}}, /b: {{}}, /c: {{}}, /d: {{}}, /x: {{contexts: []}}}}")
    new = old.replace(ANY, "contexts: [{any: true, context: staff}]")
    staff = f"everybody: selsock_staff_t:{PAIR} instead of selsock_public_t:{PAIR}"
    assert said(old, new) == marked([f"-{V}rules: 1 changed", f"+{V}location /, /a, /b and 2 more: {staff}"])
    assert said(a(), a().replace(ANY, "contexts: [{any: true, context: staff}]"))[1:] == marked([f"+{V}{staff}"])


def test_what_is_decided_before_is_not_told() -> None:
    """A rule below one that holds for all of its visitors decides nothing, on either side."""
    first = "{address: 10.0.0.0/8}, {user: alice, context: staff}, {any: true}"
    old = a(f"{AUTH}, contexts: [{first}]")
    new = old.replace("{any", "{address: 10.1.0.0/16, context: app}, {user: alice, context: app}, {any")
    assert said(old, new) == marked([f"-{V}rules: 2 added"])


@pytest.mark.parametrize(
    ("was", "gets", "who"),
    [
        ("address: 10.0.0.0/8", "address: 10.1.0.0/16", "from 10.1.0.0/16"),
        ("address: 10.1.0.0/16", "address: [10.0.0.0/8, '2001:db8::/32']", "from 10.1.0.0/16"),
        ("method: [GET, PUT]", "method: [GET, POST]", "by GET"),
        ("group: g", "address: 10.0.0.0/8", "in g, from 10.0.0.0/8"),
        ("group: [h, g]", "group: g", "in g, in g, h"),
    ],
)
def test_those_who_meet_both_rules(was: str, gets: str, who: str) -> None:
    """And no others, by networks of which one lies in the other."""
    old, new = (
        a(f"{AUTH}, contexts: [{{{rule}, context: {name}}}]") for rule, name in ((was, "public"), (gets, "staff"))
    )
    both = [line for line in said(old, new) if "no context" not in line and "rules: " not in line]
    people = "whoever signs in" if "group" in was + gets else "everybody"
    assert both == marked([f"+{V}{people} ({who}): selsock_staff_t:{PAIR} instead of selsock_public_t:{PAIR}"])


def test_who_comes_by_a_unix_socket_is_in_no_network() -> None:
    """All networks are not everybody."""
    old, new = a("contexts: [{address: [0.0.0.0/0, '::/0']}]"), a()
    assert said(old, new)[1:] == marked([f"+{V}everybody: selsock_public_t:{PAIR} instead of no context"])


def test_content_that_is_read_from_above() -> None:
    """What nobody was meant to read from above its level, and somebody will be, may be read by others as well."""
    old = a("content: {/s: 'public:s0'}, contexts: [{any: true, context: 'app'}]")
    new = a("content: {/s: 'public:s0'}")
    assert said(old, new)[:2] == marked(
        [
            "+domain public: reads selsock_public_content_t from above its level, too",
            "+domain staff: reads selsock_public_content_t from above its level, too",
        ]
    )
    assert [line for line in said(new, old) if "from above" in line] == []


@pytest.mark.parametrize(("level", "other"), [("s0", "s0:c7"), ("s0:c7", "s0:c7,c8"), ("s0:c7", "s0:c8")])
def test_a_level_of_content(level: str, other: str) -> None:
    """Fewer categories are read by more; another level is read by those at it, where what is there is read by nobody else."""
    where = f"{V}/srv/a/s: labelled selsock_public_content_t"
    for reader, narrower in (("staff", other == "s0:c7,c8" or level == "s0"), ("app", False)):
        rules = f"contexts: [{{any: true, context: '{reader}:s0:c7,c8'}}]"
        old, new = (a(f"content: {{/s: 'public:{each}'}}, {rules}") for each in (level, other))
        there, back = ([line for line in said(*pair) if V in line] for pair in ((old, new), (new, old)))
        mark = "-" if narrower else "+"
        assert there == marked([f"{mark}{where}:{other} instead of selsock_public_content_t:{level}"])
        assert back == marked([f"+{where}:{level} instead of selsock_public_content_t:{other}"])


def test_content_inside_what_changes_alike_is_not_said_again() -> None:
    """And what lies between is."""
    old = a("content: {/s: staff, /s/t: public, /s/t/u: staff, /s-x: staff}")
    new = a("content: {/s: app, /s/t: public, /s/t/u: app, /s-x: app, /s/v: app}")
    labels = [line.split()[3] for line in said(old, new)]
    assert labels == ["/srv/a/s:", "/srv/a/s/t/u:", "/srv/a/s-x:"]


def test_a_vhost_that_nobody_may_enter_is_not_marked() -> None:
    lines = said(a(), vhosts(f"a.example: {A}", "b.example: root: /srv/b, domain: public, range: s0, contexts: []"))
    assert lines[0] == "        vhost b.example: new: root /srv/b; visitors get no context"


def test_vhosts_come_in_the_order_of_the_source() -> None:
    """Those that are no more come last."""
    old = vhosts(*(f"{name}.example: root: /srv/{name}, domain: public, range: s0" for name in "dcba"))
    new = vhosts(*(f"{name}.example: root: /srv/x{name}, domain: public, range: s0" for name in "beac"))
    assert list(dict.fromkeys(line[8:].split(": ")[0] for line in said(old, new))) == [
        f"vhost {name}.example" for name in "beacd"
    ]


def test_a_unix_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is, and who may connect: any other is marked."""
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "x", 99, 99, "", "/", "/bin/false")))
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 99, [])))
    old = "listen: [{unix: /run/selsock/x, peer: {user: 7, type: x_t}}]\n" + a()
    new = old.replace("peer", "mode: '0660', peer").replace("x_t", "y_t")
    lines = [*said(old, new), *said(new, old)]
    assert [line[:32] for line in lines] == ["WIDENS  listen /run/selsock/x: p"] * 2


def keyed(text: str, *keys: str) -> Configuration:
    """The configuration in ``text``, whose vhosts have ``keys`` alone in their source, each its own."""
    found = configured(text, "", Ledger())
    sources = [load(its.encode(), "vhost.yaml") for its in keys]
    sites = zip(found.sites, sources, strict=True)
    return replace(found, sites=tuple(replace(site, source=source) for site, source in sites))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("login: dog", "login: [dog, cat]", f"+{V}login: dog, cat instead of dog"),
        ("login: [dog, cat]", "login: [cat]", f"-{V}login: cat instead of dog, cat"),
        ("login: dog", "login: cat", f"+{V}login: cat instead of dog"),
        ("login: dog", "{}", f"-{V}login: none instead of dog"),
        ("{}", "run_as: dog", f"+{V}run_as: dog instead of none"),
        ("run_as: dog", "{}", f"+{V}run_as: none instead of dog"),
        (
            "limits: {tasks: 4, rlimits: {cpu: 9}}",
            "limits: {tasks: 9}",
            f"-{V}limits: tasks 9 instead of tasks 4, rlimits cpu 9",
        ),
    ],
)
def test_keys_that_are_compared_as_they_are_written(old: str, new: str, expected: str) -> None:
    lines = [str(line) for line in compared(keyed(a(), old), keyed(a(), new))]
    assert lines == marked([expected])


def test_a_login_edits_what_no_visitor_may_write() -> None:
    """So, with one anywhere, what staff gets of public is marked."""
    other = "b.example: root: /srv/b, domain: public, range: s0, contexts: []"
    old, new = (vhosts(f"a.example: {A}, content: {{/s: {name}}}", other) for name in ("public", "staff"))
    lines = [line.widens for line in compared(keyed(old, "{}", "login: dog"), keyed(new, "{}", "login: dog"))]
    assert lines == [True]
    assert [line.widens for line in compared(keyed(old, "{}", "{}"), keyed(new, "{}", "{}"))] == [False]


@pytest.mark.parametrize(
    ("old", "new", "marks"),
    [
        ("s0:c0,c1", "auto", [False, False]),  # of a pair, the whole or nothing
        ("auto", "s0:c0,c1", [False, True]),
        ("s0:c1,c2", "s0:c1,c3", [False, True]),
        ("s0:c1,c2", "s0:c1", [False, True]),  # for whom nothing of the ceiling was left, there may be something now
    ],
)
def test_a_ceiling_instead_of_another(old: str, new: str, marks: list[bool]) -> None:
    """What is below it depends on who comes; fewer get it, where it is the whole or nothing."""
    rules = "contexts: [{signed_in: true, context: {range: clearance}}], content: {/: 'public:s0'}"
    sources = [a(f"{AUTH}, {rules}", f"root: /srv/a, domain: public, range: '{level}'") for level in (old, new)]
    ledger = Ledger.parse(b"a.example 0 s0:c0,c1\n", "ranges")
    before, after = (configured(text, "", ledger) for text in sources)
    assert [line.widens for line in compared(before, after)] == marks


def test_clearance_where_some_content_is_read_at_its_own_level_alone() -> None:
    """It may be at a level below the ceiling, where nobody was."""
    content = (
        f"{AUTH}, content: {{/s: 'staff:s0'}}, contexts: [{{user: u, context: 'staff:s0:c9'}}, {{signed_in: true%s}}]"
    )
    old, new = (a(content % context) for context in ("", ", context: {range: clearance}"))
    lines = said(old, new)
    assert [line[:6] for line in lines] == ["      ", "WIDENS"]


def test_a_vhost_with_a_login_is_marked_though_no_visitor_comes() -> None:
    new = vhosts("b.example: root: /srv/b, domain: public, range: s0, contexts: []")
    (line, *_) = compared(keyed(a(), "{}"), keyed(new, "login: [dog, cat]"))
    assert line == Line("vhost b.example: new: root /srv/b, login dog, cat; visitors get no context", True)


def test_clearance_where_nothing_is_read_at_its_own_level_alone() -> None:
    """Below the ceiling nobody reads what he could not."""
    rules = "contexts: [{signed_in: true, context: %s}, {any: true, context: {range: 's0:c1,c2,c3'}}]"
    around = "root: /srv/a, domain: public, range: 's0:c1,c2'"
    low = "content: {/: 'public:s0'}"
    old, new = (a(f"{AUTH}, {low}, {rules % context}", around) for context in ("public", "{range: clearance}"))
    assert said(old, new) == marked(
        [
            f"-{V}rules: 1 changed",
            f"-{V}whoever signs in: selsock_public_t:s0:c1,c2, as far as cleared instead of selsock_public_t:s0:c1,c2",
        ]
    )


# ---- as the program says it


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Where a source is put."""
    return tmp_path / "vhost.yaml"


def spoken(source: Path, text: str, capsys: Captured) -> list[str]:
    """What ``--diff`` says in words of ``text``, in place of what is below out."""
    source.write_text(text)
    capsys.readouterr()
    assert main(["--output", str(source.parent / "out"), "--diff", str(source)]) == 1
    words, _, diff = capsys.readouterr().out.partition("\n\n")
    assert diff.startswith("--- ")
    return words.replace(f"{source.parent}/out", "").splitlines()


def put(source: Path, text: str) -> Path:
    """Write what ``text`` comes to below the directory that is returned."""
    source.write_text(text)
    out = source.parent / "out"
    assert main(["--output", str(out), str(source)]) == 0
    return out


def test_where_nothing_is_in_force_all_is_new(source: Path, capsys: Captured) -> None:
    lines = spoken(source, a(), capsys)
    assert lines[:2] == marked(
        ["+everything is new, for nothing is in force: a.example", "-policy: loaded, in one transaction"]
    )
    assert lines[2].startswith("        written: ")
    assert lines[3:] == marked(
        [
            "-systemd: reads its units again",
            "-systemd: to listen as the new unit says, it needs systemctl restart selsock.socket",
        ]
    )


def test_what_would_be_written_and_loaded(source: Path, capsys: Captured) -> None:
    """And what of the policy nobody needs any more."""
    put(source, a())
    app = configured(a(), "", Ledger()).domains[2]
    state = [f"/var/lib/selsock/{name}" for name in ("applied", "selsock_tenants.cil", "table.cdb")]
    assert spoken(source, a().replace(", app: {python: true}", ""), capsys) == marked(
        [
            "-domain app: taken away",
            "-policy: loaded, in one transaction",
            f"-policy: dropped when no process is in them: {', '.join((app.type, *app.types))}",
            f"-written: {', '.join(state)}",
        ]
    )
    # In the policy no rule of a location stands.
    assert spoken(source, a("contexts: [{anonymous: true}]"), capsys)[-1:] == marked(
        [f"-written: {state[0]}, {state[2]}"]
    )
    unit = "/etc/systemd/system/selsock@.service"
    assert spoken(source, "limits: {tasks: 9}\n" + a(), capsys)[1:] == marked(
        [
            f"-written: {unit}, /etc/systemd/system/system-selsock.slice, {state[0]}, {state[2]}",
            "-systemd: reads its units again",
        ]
    )


def test_another_text_of_the_same_is_only_written(source: Path, capsys: Captured) -> None:
    put(source, a())
    assert spoken(source, "# a comment\n" + a(), capsys)[0].startswith("        written: ")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"rubbish",
            "is damaged: its first line is not the absolute path of a source; apply the source itself again",
        ),
        (
            b"/x/vhost.yaml\nvhosts: {}\n",
            "/x/vhost.yaml:1:9: vhosts: expected one vhost at least, not an empty mapping",
        ),
    ],
)
def test_what_is_in_force_and_can_not_be_read(source: Path, data: bytes, reason: str, capsys: Captured) -> None:
    """One line that says so, marked, for nothing is known; and what differs is shown all the same."""
    out = put(source, a())
    (out / APPLIED).write_bytes(data)
    source.write_text("# a comment\n" + a())
    capsys.readouterr()
    assert main(["--output", str(out), "--diff", str(source)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("WIDENS  unknown: what is in force can not be read, so nothing is compared: ")
    assert lines[0].endswith(reason)
    assert f"+++ {out}/{APPLIED}" in lines


def test_the_pairs_of_what_is_in_force_are_those_beside_the_source(source: Path, capsys: Captured) -> None:
    """Where the machine's own list of them is gone."""
    Path(f"{source}.ranges").write_text("b.example 0 s0:c0,c1\na.example 1 s0:c0,c2\n")
    out = put(source, a())
    (out / RANGES).unlink()
    assert spoken(source, a("aliases: [c.example]"), capsys)[0] == f"WIDENS  {V}alias c.example added"
    assert [line for line in spoken(source, a("contexts: []"), capsys) if "c0,c" in line] == marked(
        [f"-{V}everybody: no context instead of selsock_public_t:s0:c0,c2"]
    )


def test_a_policy_that_was_taken_away_is_loaded_again(source: Path, capsys: Captured) -> None:
    out = put(source, a())
    (out / POLICY).unlink()
    assert spoken(source, a(), capsys)[0] == "        policy: loaded, in one transaction"


def test_the_example_of_the_manual_is_what_is_said(source: Path, capsys: Captured) -> None:
    """selsock-generate(8), of the first example of selsock.vhost(5)."""
    man = Path(__file__).parents[2] / "docs/man"
    example = (man / "selsock.vhost.5.scd").read_text().split("```\n")[1]
    shown = (man / "selsock-generate.8.scd").read_text().partition("# DIFFERENCES")[2].split("```\n")[1]
    put(source, example)
    head, location, tail = example.rpartition("{user: alice,")
    changed = (head + location.replace("alice", "[alice, bob]") + tail).replace(
        "[public]}", "[public], network: [smtp]}"
    )
    assert spoken(source, changed, capsys) == shown.splitlines()


def test_a_login_that_goes_is_marked() -> None:
    """Nothing of ours confines him any more."""
    told = "WIDENS  login dog: gone; while the account exists, it logs in as the policy has it for everybody"
    assert told in said(a("login: [dog, cat]"), a("login: cat"))
    assert [line for line in said(a("login: cat"), a("login: [dog, cat]")) if "login dog: gone" in line] == []
    both = vhosts(f"a.example: {A}, login: dog", "b.example: root: /srv/b, domain: staff, range: auto, login: dog")
    assert [line for line in said(both, a("login: dog")) if "login dog: gone" in line] == []
