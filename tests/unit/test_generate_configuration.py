# SPDX-License-Identifier: Apache-2.0
"""Inheritance, the choice of rules, and what systemd is told."""

import pytest

from selsock.generate import conflicts
from selsock.generate.configuration import Configuration, configure
from selsock.generate.listeners import Endpoint, Listen, unusual_ports
from selsock.generate.machine import Size
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load
from selsock.names import AbsolutePath

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


@pytest.mark.parametrize("content", ["staff:s0", "staff:s0:c0", "my_content_t:s0:c0,c1", "shop:auto"])
def test_the_pair_of_another_in_a_domain_that_he_has_no_content_of_at_his_pair_is_no_conflict(content: str) -> None:
    """Of a type of one's own nothing else is known; the levels below his pair are not his alone."""
    text = D + V + "    domain: public\n    range: auto\n    contexts: [{any: true}]\n"
    text += f"    content: {{/x: '{content}'}}\n"
    text += "  b.example: {root: /srv/b, domain: staff, range: 's0:c0.c9', content: {/: 'public:s0'}, contexts: [{any: true}]}\n"
    assert contexts(text, 1) == {"/": ["selsock_staff_t:s0:c0.c9", "None"]}


def test_a_domain_may_be_given_the_pair_of_another_whose_content_it_reads_besides_its_own() -> None:
    """``reads`` says so of all vhosts."""
    text = D.replace("staff: {}", "staff: {reads: [public]}") + V
    text += "    domain: public\n    range: auto\n    contexts: [{any: true, context: shop}]\n"
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
    listen = [Endpoint(Listen(text)) for text in ("80", "192.0.2.1:8081", "[::1]:9000", "8081")]
    assert unusual_ports([*listen, Endpoint(AbsolutePath("/run/selsock/http.sock"))]) == [8081, 9000]


@pytest.mark.parametrize("text", ["", "M", "0M", "64", "64m", "64MB", "6.4M", "-1M", "64 M", "1234567M", "٣M"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    assert not Size.accepts(text)


def test_limits_split_between_handler_and_systemd() -> None:
    found = configured("limits: {requests: 7, connections: 20, memory: 1G}\n" + D + "default_context: public:s0\n" + V)
    assert (found.limits.requests, found.limits.head_bytes) == (7, 16384)
    assert (found.system.connections, found.system.tasks, found.system.memory) == (20, 16, "1G")
    assert found.system.memory.times(9) == "9G"


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("connection_seconds: 5", "request_seconds", 5),
        ("connection_seconds: 5", "first_byte_seconds", 5),
        ("connection_seconds: 5", "head_seconds", 5),
        ("connection_seconds: 5", "idle_seconds", 5),
        ("connection_seconds: 600", "request_seconds", 300),
        ("head_bytes: 600", "request_line_bytes", 600),
        ("request_seconds: 20", "connection_seconds", 300),
    ],
)
def test_defaults_are_lowered_to_the_limit_that_they_lie_within(given: str, name: str, value: int) -> None:
    """So that who sets the one need not know of the other; never raised."""
    found = configured(f"limits: {{{given}}}\n" + D + "default_context: public:s0\n" + V).limits
    assert getattr(found, name) == value


P = "domains: {app: {python: true, execute: true}, cgi: {execute: true}}\n"
W = P + V + "    domain: app\n    range: s0\n    contexts: [{any: true}]\n"


def content(text: str, path: str = "/x") -> tuple[str, list[str]]:
    """Kind and options, as NAME=VALUE, of the location at ``path``."""
    locations = configured(W + text).sites[0].vhost.locations
    (location,) = (location for location in locations if location.path == path)
    return location.kind, [f"{name}={value}" for name, value in location.options]


def test_location_that_says_nothing_is_static_below_the_root() -> None:
    """By its own path, and the root by itself."""
    assert content("    locations: {/x: {}}\n") == ("static", ["directory=/srv/a/x", "index=index.html"])
    assert content("    locations: {/x: {}}\n", "/") == ("static", ["directory=/srv/a", "index=index.html"])
    assert content("    locations: {/x: {static: {}}}\n") == ("static", ["directory=/srv/a/x", "index=index.html"])


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("static: {directory: /}", "directory=/srv/a index=index.html"),
        ("static: {index: []}", "directory=/srv/a/x"),
        (
            "static: {precompressed: true, listing: true, index: [b, a], directory: /y/z}",
            "directory=/srv/a/y/z index=b index=a listing=yes precompressed=yes",
        ),
        ("wsgi: {application: 'a.b:c.d'}", "module=a.b callable=c.d"),
        (
            "wsgi: {environment: {B: '2', A: ''}, venv: /v, python: [/q, /], application: 'a:b'}",
            "module=a callable=b python=/srv/a/q python=/srv/a venv=/srv/a/v env=B=2 env=A=",
        ),
        ("cgi: {}", "directory=/srv/a/x"),
        ("cgi: {directory: /bin, environment: {A: b}}", "directory=/srv/a/bin env=A=b"),
        ("cgi: {program: /usr/bin/git, domain: cgi}", "program=/usr/bin/git domain=selsock_cgi_t"),
        (
            "cgi: {interpreter: /usr/bin/php-cgi, suffix: .php}",
            "interpreter=/usr/bin/php-cgi suffix=.php directory=/srv/a/x index=index.php",
        ),
        (
            "cgi: {interpreter: /usr/bin/php-cgi, suffix: .php, directory: /, index: [a, b], environment: {A: b}}",
            "interpreter=/usr/bin/php-cgi suffix=.php directory=/srv/a index=a index=b env=A=b",
        ),
    ],
)
def test_options_are_what_the_handler_takes(given: str, options: str) -> None:
    """Every path is one of the disk's, in the order in which the handler documents them."""
    assert content(f"    locations: {{/x: {{{given}}}}}\n") == (given.partition(":")[0], options.split())


def labels(text: str) -> list[tuple[str, str, str]]:
    """Path, type and level of each label."""
    return [(label.path, label.type, label.level) for label in configured(W + text).sites[0].labels]


def test_access_of_content_decides_its_type() -> None:
    """Domain and range are inherited as they are without it."""
    text = (
        "    content: {/r: {access: read}, /w: {range: 's0:c5', access: write}, /x: {domain: cgi, access: execute}}\n"
    )
    assert labels(text) == [
        ("/srv/a", "selsock_app_content_t", "s0"),
        ("/srv/a/r", "selsock_app_content_t", "s0"),
        ("/srv/a/w", "selsock_app_rw_t", "s0:c5"),
        ("/srv/a/x", "selsock_cgi_script_t", "s0"),
    ]


def test_temporary_directory_is_the_vhosts_own_to_write() -> None:
    """In the root, or as content says; the table has it."""
    text = "    temporary: /t/mp\n    locations: {/: {static: {directory: /w}}}\n"
    assert configured(W + text).sites[0].vhost.temporary == "/srv/a/t/mp"
    assert labels(text)[1:] == [("/srv/a/t/mp", "selsock_app_tmp_t", "s0")]
    content = "    content: {/t/mp: {domain: cgi, access: write}}\n"
    assert labels(text + content)[1:] == [("/srv/a/t/mp", "selsock_cgi_tmp_t", "s0")]
    own = "    content: {/t/mp: 'my_tmp_t:s0'}\n"
    assert configured(W).sites[0].vhost.temporary is None
    with pytest.raises(BadSource, match="access: write"):
        labels(text + own)


WSGI = "    locations: {/x: {wsgi: {application: 'a:b'}}}\n"
STARTED = (
    "    locations: {/x: {cgi: {domain: cgi, directory: /bin}}}\n    content: {/bin: {domain: cgi, access: execute}}\n"
)


def made(text: str) -> list[tuple[str, str, str, str]]:
    """Path, type, level and owner of each directory that applying makes."""
    found = [directory for site in configured(text).sites for directory in site.directories]
    return [(its.label.path, its.label.type, its.label.level, its.owner) for its in found]


@pytest.mark.parametrize(
    ("text", "its"),
    [
        (W + WSGI, "app_tmp_t:s0"),
        (W + STARTED, "cgi_tmp_t:s0"),
        (P + V + "    domain: cgi\n    range: s0\n    contexts: [{any: true, context: 'app:s0:c3'}]\n" + WSGI, "app_tmp_t:s0:c3"),
        (P + V + "    domain: app\n    range: auto\n    contexts: [{address: 192.0.2.1, context: {range: s0}}, {any: true}]\n" + WSGI, "app_tmp_t:s0:c0,c1"),
        ("default_context: app:auto\n" + P + V + WSGI, "app_tmp_t:s0:c0,c1"),
        ("default_context: cgi:s0\n" + W.replace("[{", "[{address: 192.0.2.1, context: cgi}, {") + STARTED.replace("domain: cgi, directory", "directory"), "app_tmp_t:s0"),
        # default_context is behind a rule that holds for all.
        ("default_context: app:s0\n" + P + V + "    contexts: [{any: true, context: 'app:s0:c3'}]\n" + WSGI, "app_tmp_t:s0:c3"),
    ],
)  # fmt: skip
def test_a_directory_for_temporary_files_is_made_where_code_runs(text: str, its: str) -> None:
    """Labelled for the context that code runs in, that of the vhost before others; the table has it."""
    type_name, _, level = its.partition(":")
    place = "/var/cache/selsock/a.example"
    assert made(text) == [(place, f"selsock_{type_name}", level, "selsock")]
    assert configured(text).sites[0].vhost.temporary == place


@pytest.mark.parametrize(
    "text",
    [
        W,
        W + "    locations: {/: {wsgi: {application: 'a:b'}}}\n    temporary: /t\n",
        P + V + "    contexts: [{any: true, context: 'my_t:s0'}]\n    content: {/: app:s0}\n" + WSGI,
    ],
)
def test_no_directory_is_made(text: str) -> None:
    """Nothing runs; the vhost names one; or what the code runs in is a type of the administrator's own."""
    assert made(text) == []


def test_each_vhost_has_a_directory_of_its_own() -> None:
    """Whatever its name is; with the root in common, too."""
    text = W + WSGI + W.replace(P, "").replace("vhosts:\n", "").replace("a.example", '"[2001:db8::1]"') + WSGI
    assert [path for path, *_ in made(text)] == ["/var/cache/selsock/a.example", "/var/cache/selsock/2001=db8==1"]


def test_a_level_of_temporary_files_counts_among_those_of_the_vhost() -> None:
    """What is at the pair of one vhost is not given to another by name."""
    other = "  b.example:\n    root: /srv/b\n    contexts: [{any: true, context: 'app:s0:c0,c1'}]\n    content: {/: 'cgi:s0'}\n"
    first = W.replace("range: s0", "range: auto") + WSGI
    with pytest.raises(BadSource, match="auto range of a.example"):
        configured(first + other)


@pytest.mark.parametrize(
    "rules", ["{any: true}, {any: true, context: cgi}", "{any: true}, {anonymous: true, context: cgi}"]
)
def test_rules_behind_one_for_all_are_never_reached(rules: str) -> None:
    """So what they give need not be able to run anything."""
    text = W.replace("{any: true}", rules) + "    locations: {/x: {wsgi: {application: a:b}}}\n"
    found = configured("default_context: cgi:s0\n" + text).sites[0].vhost.locations[0]
    assert (found.kind, str(found.default)) == ("wsgi", "selsock_cgi_t:s0")


def test_administrators_own_types_are_taken_at_their_word() -> None:
    """What they may do stands in a policy that is not read here."""
    for kind in ("wsgi: {application: a:b}", "cgi: {}"):
        text = f"    locations: {{/x: {{{kind}, contexts: [{{any: true, context: 'my_t:s0'}}]}}}}\n"
        assert content(text)[0] == kind.partition(":")[0]


def test_two_thousand_vhosts_take_no_ages() -> None:
    """What compares vhosts with each other must not compare every one with every other."""
    vhosts = "".join(f"  v{number}.example: {{root: /srv/v{number}, range: auto}}\n" for number in range(2000))
    assert len(configured(D + "default_context: public:s0\nvhosts:\n" + vhosts).sites) == 2000


def test_a_mistake_in_the_last_vhost_leaves_the_ledger_out_of_it() -> None:
    """Nothing is written then, so numbers that were given in memory are given again."""
    text = D + "default_context: public:s0\n" + V + "    range: auto\n  b.example: {root: /etc}\n"
    with pytest.raises(BadSource, match="outside the system's"):
        configured(text)
