# SPDX-License-Identifier: Apache-2.0
"""Maps: what a line may say and what becomes of it, every bad line by its place; and that a map decides as rules do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.errors import Challenge, PeerFault
from selsock.generate import conflicts
from selsock.generate.__main__ import main
from selsock.generate.compiled import compile_table, decoded
from selsock.generate.configuration import Configuration, configure
from selsock.generate.maps import Maps, composed, taken_apart
from selsock.generate.plan import MAPS, exact
from selsock.generate.ranges import Ledger
from selsock.generate.source import BadSource, load, shown
from selsock.handler.identify import Identity
from selsock.handler.label import Decision, label
from selsock.handler.table import OpenTable, locate
from selsock.names import UserName

FILE = "/etc/selsock/users.map"
NAME = "a user name without colon or control character, 255 bytes at most, in normal form C"
D = "domains: {public: {}, staff: {reads: [public]}, app: {python: true}}\n"
V = """\
vhosts:
  a.example:
    root: /srv/a
    domain: public
    range: auto
    auth: {basic: {realm: x, file: /etc/selsock/x.htpasswd}}
"""
W = D + V + f"    contexts: [{{map: {FILE}}}]\n"


def configured(text: str, data: str | bytes, ledger: Ledger | None = None) -> Configuration:
    """The configuration in ``text``, with ``data`` in the one map that it may name."""
    maps = Maps({FILE: data.encode() if isinstance(data, str) else data})
    found = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", ledger or Ledger(), maps)
    conflicts.check(found)
    return found


def table(text: str, data: str) -> list[str]:
    """The lines of the compiled table that are a rule's or a map's."""
    lines = decoded(compile_table(configured(text, data), "0123456789abcdef")).splitlines()
    return [line.strip().replace("\t", " ") for line in lines if line.strip().startswith(("rule", "map"))]


# ---- what a line may say


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("alice staff:s0:c1,c0", "alice selsock_staff_t:s0:c0,c1"),
        ("alice my_t:s15:c0.c1023", "alice my_t:s15:c0.c1023"),
        ("alice staff", "alice selsock_staff_t:"),
        ("alice staff:*", "alice selsock_staff_t:"),
        ("alice staff:auto", "alice selsock_staff_t:"),
        ("alice *:s0:c5", "alice :s0:c5"),
        ("alice *", "alice :"),
        ("alice *:*", "alice :"),
        ("\t alice \t\v\f staff:s0 \r", "alice selsock_staff_t:s0"),
        ("alice staff:s0# a comment", "alice selsock_staff_t:s0"),
        ("Jürgen@example.org staff:s0", "Jürgen@example.org selsock_staff_t:s0"),
        ("** staff:s0", "** selsock_staff_t:s0"),
        ("_anonymous_ staff:s0", "_anonymous_ selsock_staff_t:s0"),
        ("\u00e9" * 127 + " staff:s0", "\u00e9" * 127 + " selsock_staff_t:s0"),
    ],
)
def test_line_becomes_a_record(line: str, record: str) -> None:
    """With or without a line feed behind it; what it leaves out is not written."""
    rule = f"rule selsock_public_t:s0:c0,c1 vhost.yaml:8 map {FILE}"
    for end in ("", "\n", "\n\n", "\n# end", "\n  # end\n"):
        assert table(W, f"# users\n\n{line}{end}") == [rule, f"map {FILE} {record}"]


@pytest.mark.parametrize("data", ["", "\n", "# nobody yet", " \t\r\n#\n"])
def test_map_without_a_line_names_nobody(data: str) -> None:
    """No rule, then."""
    assert table(W, data) == []


def test_anonymous_and_star_become_rules() -> None:
    """Behind that for users, in whichever line ``__anonymous__`` stands; each with its own line, and the address."""
    text = W.replace(f"map: {FILE}", f"map: {FILE}, address: 10.0.0.0/8")
    data = "__anonymous__ *:s0:c7\nalice staff\n* public:s0\n"
    assert table(text, data) == [
        f"rule selsock_public_t:s0:c0,c1 vhost.yaml:8 address 10.0.0.0/8 map {FILE}",
        f"rule selsock_public_t:s0:c7 {FILE}:1 address 10.0.0.0/8 anonymous",
        f"rule selsock_public_t:s0 {FILE}:3 address 10.0.0.0/8",
        f"map {FILE} alice selsock_staff_t:",
    ]
    assert table(W, data)[2] == f"rule selsock_public_t:s0 {FILE}:3 any"


def test_map_without_users_needs_no_auth() -> None:
    text = W.replace("    auth: {basic: {realm: x, file: /etc/selsock/x.htpasswd}}\n", "")
    assert table(text, "__anonymous__ public\n* staff") == [
        f"rule selsock_public_t:s0:c0,c1 {FILE}:1 anonymous",
        f"rule selsock_staff_t:s0:c0,c1 {FILE}:2 any",
    ]


def test_star_is_what_holds_around_the_rule() -> None:
    """Of the location, then the vhost, then ``default_context``; a map of the top is one for all."""
    text = D + f"default_context: app:s0:c9\ncontexts: [{{map: {FILE}}}]\n" + V.replace("    domain: public\n", "")
    text += "    locations: {/x: {domain: staff, range: s0:c3}}\n"
    assert [line for line in table(text, "* *\n") if "any" in line] == [
        f"rule selsock_staff_t:s0:c3 {FILE}:1 any",
        f"rule selsock_app_t:s0:c0,c1 {FILE}:1 any",
    ]
    assert table(text, "alice *\n") == [
        f"rule selsock_staff_t:s0:c3 vhost.yaml:3 map {FILE}",
        f"rule selsock_app_t:s0:c0,c1 vhost.yaml:3 map {FILE}",
        f"map {FILE} alice :",
    ]


def test_order_of_lines_and_comments_do_not_change_the_table() -> None:
    """So that an edit changes the records of those whom it is about, and no others."""
    one, two = ("alice staff\nbob public:s0\n", "# two users\nbob public:s0\n\nalice  staff # staff\n")
    assert table(W, one) == table(W, two)


# ---- what it must not say


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ("alice", "1:1: expected USER DOMAIN:RANGE, not 'alice'"),
        ("\n  alice # staff", "2:3: expected USER DOMAIN:RANGE, not 'alice'"),
        ("alice staff s0", "1:1: expected USER DOMAIN:RANGE, not 'alice staff s0'"),
        ("alice staff\x00 \x1b[2J", "1:1: expected USER DOMAIN:RANGE, not 'alice staff\\x00 \\x1b[2J'"),
        ("a staff\nb staff\na public", "3:1: expected each user once, the first being in line 1, not 'a'"),
        ("a staff\n\ta staff", "2:2: expected each user once, the first being in line 1, not 'a'"),
        (
            "#\n__anonymous__ staff\n__anonymous__ staff",
            "3:1: expected each user once, the first being in line 2, not '__anonymous__'",
        ),
        ("* staff\na staff", "2:1: expected no line behind that of *, which is for whoever comes, not one of 'a'"),
        ("* staff\n* staff", "2:1: expected no line behind that of *, which is for whoever comes, not one of '*'"),
        (
            "a:b staff",
            f"1:1: expected {NAME}, not 'a:b'",
        ),
        (
            "\ufeffa staff",
            f"1:1: expected {NAME}, not '\\ufeffa'",
        ),
        (
            "a\u3000b staff",
            f"1:1: expected {NAME}, not 'a\\u3000b'",
        ),
        (
            "e\u0301 staff",  # as é is spelt in normal form D
            f"1:1: expected {NAME}, not 'e\u0301'",
        ),
        (
            "a" * 256 + " staff",
            f"1:1: expected {NAME}, not {'a' * 60!r}…",
        ),
        ("a staf:s0", "1:3: a: expected a name under domains, the nearest being 'staff', not 'staf'"),
        ("é  staf:s0", "1:4: é: expected a name under domains, the nearest being 'staff', not 'staf'"),
        ("a a#", "1:3: a: expected a name under domains, the nearest being 'app', not 'a'"),
        ("staff x", "1:7: staff: expected a name under domains, the nearest being 'staff', not 'x'"),
        ("a :s0", "1:3: a: expected a name under domains, the nearest being 'staff', not nothing"),
        ("a selsock_t:s0", "1:3: a: expected a name under domains, or a type of your own, not 'selsock_t'"),
        ("a selsock_staff_t:s0", "1:3: a: expected a name under domains, or a type of your own, not 'selsock_staff_t'"),
        ("a staff:", "1:3: a: expected auto or a level such as s0 or s0:c1,c5, not ''"),
        ("a staff:s0:*", "1:3: a: expected auto or a level such as s0 or s0:c1,c5, not 's0:*'"),
        (
            "a staff:s0-s0:c1",
            "1:3: a: expected one level, not the range 's0-s0:c1': a tenant runs at a single level",
        ),
        ("a staff:s0:c1024", "1:3: a: expected c0 to c1023, not 'c1024' in 's0:c1024'"),
        (
            "b staff\na staff:auto",
            "2:3: a: expected auto where the range around the map is auto, not where it is s0 (vhost.yaml:8)",
        ),
        ("a staff\n\xff", "2:1: the whole: expected UTF-8, not the byte 0xff"),
    ],
)
def test_each_mistake_is_named_where_it_stands(data: str, answer: str) -> None:
    """One line: file, line, column."""
    given = data.encode("latin-1") if data.endswith("\xff") else data
    text = W.replace("range: auto", "range: s0")
    with pytest.raises(BadSource) as caught:
        configured(text, given)
    assert str(caught.value) == f"{FILE}:{answer}"


R = "vhost.yaml:8:16: vhosts.a.example.contexts[0]"


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("map: users.map", "8:22: vhosts.a.example.contexts[0].map: expected {path}, not 'users.map'"),
        ("map: [/a]", "8:22: vhosts.a.example.contexts[0].map: expected a single value, not a list"),
        (
            f"user: a, map: {FILE}",
            "8:17: vhosts.a.example.contexts[0].user: expected no such key beside map, not 'user'",
        ),
        (
            f"map: {FILE}, any: true",
            "8:46: vhosts.a.example.contexts[0].any: expected no such key beside map, not 'any'",
        ),
        (
            f"map: {FILE}, anonymous: true",
            "8:46: vhosts.a.example.contexts[0].anonymous: expected no such key beside map, not 'anonymous'",
        ),
        (
            f"map: {FILE}, assigned: true",
            "8:46: vhosts.a.example.contexts[0].assigned: expected no such key beside map, not 'assigned'",
        ),
        (
            f"map: {FILE}, group: staff",
            "4:5: vhosts.a.example: expected auth with groups, since the rule in line 8 names one, not without",
        ),
        (
            "map: /srv/a/users.map",
            "8:22: vhosts.a.example.contexts[0].map: expected a map that was applied, not '/srv/a/users.map'",
        ),
    ],
)
def test_each_mistake_of_a_rule_is_named_where_it_stands(rule: str, answer: str) -> None:
    expected = "an absolute path of letters, digits and ._-+@=~ without //, /./, /../ or a slash at the end"
    with pytest.raises(BadSource) as caught:
        configured(W.replace(f"map: {FILE}", rule), "alice staff\n")
    assert str(caught.value) == f"vhost.yaml:{answer.format(path=expected)}"


def test_users_need_auth() -> None:
    text = W.replace("    auth: {basic: {realm: x, file: /etc/selsock/x.htpasswd}}\n", "")
    with pytest.raises(BadSource) as caught:
        configured(text, "alice staff\n")
    assert str(caught.value) == (
        "vhost.yaml:4:5: vhosts.a.example: expected auth, since the rule in line 7 names a user, not none"
    )


def test_what_is_around_a_map_has_both_parts() -> None:
    """Whether or not a line leaves one to it."""
    text = W.replace("    domain: public\n", "    content: {/: public}\n")
    with pytest.raises(BadSource) as caught:
        configured(text, "alice staff:s0\n")
    assert str(caught.value) == (f"{R}: expected a domain here, in the vhost or in default_context, not none at all")


def test_map_in_a_root_is_refused() -> None:
    """Who may write there would say who he is."""
    file = "/srv/a/etc/users.map"
    maps = Maps({file: b""})
    found = configure(load(W.replace(FILE, file).encode(), "vhost.yaml"), "vhost.yaml", Ledger(), maps)
    with pytest.raises(BadSource) as caught:
        conflicts.check(found)
    assert str(caught.value) == (
        "vhost.yaml:8:22: vhosts.a.example.contexts[0].map: "
        "expected a map outside every root, not '/srv/a/etc/users.map' in that of a.example"
    )


# ---- its contexts take part in policy and checks as those of rules do


def test_domain_of_a_line_has_to_be_able_to_make_the_content() -> None:
    text = W + "    locations: {/x: {wsgi: {application: a:b}, domain: app}}\n"
    assert configured(text, "alice app\nbob my_t\n* *\n").sites
    with pytest.raises(BadSource) as caught:
        configured(text, "alice app\nbob staff\n")
    assert str(caught.value) == (
        "vhost.yaml:9:28: vhosts.a.example.locations./x.wsgi: expected python: true in domain staff, "
        f"which the map {FILE}:2 gives here, not none"
    )


def test_lines_behind_a_map_for_all_are_never_reached() -> None:
    """Unless its rule is for an address alone."""
    text = W.replace("}]", "}, {any: true}]") + "    locations: {/x: {wsgi: {application: a:b}}}\n"
    assert configured(text, "* app\n").sites
    with pytest.raises(BadSource, match="domain public, which the rule vhost.yaml:8 gives here"):
        configured(text.replace("map:", "address: 10.0.0.0/8, map:"), "* app\n")


@pytest.mark.parametrize("level", ["s0:c0,c2", "s0:c0.c1023", "s1:c0,c2,c5", "s0:c0,c2,c4,c6,c8,c10,c12,c14,c16,c18"])
def test_pair_of_another_vhost_is_refused(level: str) -> None:
    """In a type that both use."""
    text = W + "  b.example: {root: /srv/b, domain: public, range: auto, contexts: [{any: true}]}\n"
    assert configured(text, f"alice staff:{level}\n").sites
    with pytest.raises(BadSource) as caught:
        configured(text, f"alice public:{level}\n")
    assert str(caught.value) == (
        f"{FILE}:1:7: alice: expected a level without s0:c0,c2, which is the auto range of b.example, not {level}"
    )


@pytest.mark.parametrize(("line", "column"), [("alice public:s0:c0,c2", 7), ("* *:s0:c0,c2", 3)])
def test_pair_of_the_content_of_another_vhost_is_refused(line: str, column: int) -> None:
    """Even when none of his own visitors gets the domain that reads it; a pair that is nobody's may be written out."""
    text = W + "  b.example: {root: /srv/b, domain: public, range: auto, contexts: [{any: true, context: app}]}\n"
    assert configured(text, line.replace("c2", "c3")).sites
    with pytest.raises(BadSource) as caught:
        configured(text, line)
    assert str(caught.value) == (
        f"{FILE}:1:{column}: {line.split()[0]}: "
        "expected a level without s0:c0,c2, which is the auto range of b.example, not s0:c0,c2"
    )


def test_own_pair_may_be_written_out() -> None:
    assert configured(W, "alice public:s0:c0,c1\nbob staff:s0:c0.c2\n").sites


@pytest.mark.parametrize(("line", "kept"), [("alice staff:s0:c0.c5", False), ("alice staff", True), ("a *", True)])
def test_content_that_a_line_reads_from_above_is_not_exact(line: str, kept: bool) -> None:
    """staff reads what is public."""
    assert ("selsock_public_content_t" in exact(configured(W, line))) is kept


def test_programs_are_started_from_the_domain_of_a_line() -> None:
    text = W.replace("app: {python: true}", "cgi: {execute: true}")
    text += "    locations: {/x: {cgi: {program: /usr/bin/git, domain: cgi}}}\n"
    (site,) = configured(text, "alice staff\n* *\n").sites
    assert [entry.source for entry in site.entries] == ["selsock_public_t", "selsock_staff_t"]


def test_locations_that_agree_on_what_is_around_share_a_map() -> None:
    """Each context once among what is used, whatever the number of locations."""
    (site,) = configured(
        W + "    locations: {/x: {}, /y: {}, /z: {domain: staff}}\n", "alice staff\nbob *:s0:c7\n"
    ).sites
    assert sorted(f"{use.type}:{use.level}" for use in site.uses if use.place.file == FILE) == [
        "selsock_public_t:s0:c7",
        "selsock_staff_t:s0:c0,c1",
        "selsock_staff_t:s0:c0,c1",
        "selsock_staff_t:s0:c7",
    ]


# ---- the files


def test_map_is_read_when_the_table_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its data is written beside the source that names it; a second run changes nothing; --diff shows the user."""
    file, source, out = tmp_path / "users.map", tmp_path / "vhost.yaml", tmp_path / "out"
    file.write_text("alice staff\n")
    source.write_text(W.replace(FILE, str(file)))
    assert main(["--output", str(out), str(source)]) == 0
    assert (out / MAPS).read_text() == f"{file} 12\nalice staff\n"
    assert (out / MAPS).stat().st_mode & 0o777 == 0o600
    assert main(["--output", str(out), "--diff", str(source)]) == 0
    file.write_text("alice public\n")
    capsys.readouterr()
    assert main(["--output", str(out), "--diff", str(source)]) == 1
    changed = [line for line in capsys.readouterr().out.splitlines() if line[:1] in "+-" and "alice" in line]
    assert [line.replace("\t", " ") for line in changed] == [
        *["-alice staff", "+alice public"],
        f"-map {file} alice selsock_staff_t:",
        f"+map {file} alice selsock_public_t:",
    ]


def test_long_map_is_compared_without_what_is_in_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """difflib takes the square of what differs here and there: minutes for two hundred of a million users."""
    monkeypatch.setattr("selsock.generate.difference.LONG", 20)
    file, source, out = tmp_path / "users.map", tmp_path / "vhost.yaml", tmp_path / "out"
    source.write_text(W.replace(FILE, str(file)))
    file.write_text("".join(f"u{number} staff\n" for number in range(30)))
    main(["--output", str(out), str(source)])
    file.write_text(file.read_text().replace("u7 staff\n", "u7 app\n").replace("u9 staff\n", "# none\n"))
    capsys.readouterr()
    assert main(["--output", str(out), "--diff", str(source)]) == 1
    said = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    assert [line for line in said if line[:4] not in ("--- ", "+++ ", "@@ -")] == [
        *[f"-{file} 290", "-u7 staff", "-u9 staff", f"+{file} 286", "+u7 app", "+# none"],
        *[f"-map {file} u7\tselsock_staff_t:", f"-map {file} u9\tselsock_staff_t:"],
        f"+map {file} u7\tselsock_app_t:",
    ]


@pytest.mark.parametrize(("missing", "reason"), [(True, "No such file or directory"), (False, "Is a directory")])
def test_map_that_can_not_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: bool, reason: str
) -> None:
    """Exit status 2, one line, and nothing written."""
    file, source = tmp_path / "users.map", tmp_path / "vhost.yaml"
    if not missing:
        file.mkdir()
    source.write_text(W.replace(FILE, str(file)))
    assert main(["--output", str(tmp_path / "out"), str(source)]) == 2
    assert capsys.readouterr().err == (
        f"{source}:8:22: vhosts.a.example.contexts[0].map: expected a map that can be read ({reason}), "
        f"not {shown(str(file))}\n"
    )
    assert not (tmp_path / "out").exists()


def test_bad_line_is_one_line_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, source = tmp_path / "users.map", tmp_path / "vhost.yaml"
    file.write_text("alice staff\nbob\n")
    source.write_text(W.replace(FILE, str(file)))
    assert main(["--output", str(tmp_path / "out"), str(source)]) == 2
    assert capsys.readouterr().err == f"{file}:2:1: expected USER DOMAIN:RANGE, not 'bob'\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("alice staff\nbob *\ncarol *:s0\n", 2),
        ("alice staff:s0\n* *:s0\n", 2),
        ("alice staff:*\n", 1),
        ("alice staff\n* public:s0\n", 0),
        ("__anonymous__ public\n*a staff", 0),
    ],
)
def test_star_for_a_context_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: str, line: int
) -> None:
    """Once for a map: it meant something else where the format is from.  What is left out, as in a rule, is not."""
    file, source = tmp_path / "users.map", tmp_path / "vhost.yaml"
    file.write_text(data)
    source.write_text(W.replace(FILE, str(file)))
    assert main(["--check", str(source)]) == 0
    warning = "* is what the source says around the map; for mod_selinux it was the server's own context"
    assert capsys.readouterr().err == (f"warning: {file}:{line}: {warning}\n" if line else "")


def test_maps_survive_being_kept() -> None:
    """Whatever their bytes."""
    text = W.replace("}]", "}, {map: /etc/b.map}, {map: /etc/a.map}]")
    data = {FILE: b"alice staff", "/etc/a.map": b"", "/etc/b.map": b"/etc/a.map 3\n* staff\n\n".replace(b"/etc", b"#")}
    configuration = configure(load(text.encode(), "vhost.yaml"), "vhost.yaml", Ledger(), Maps(data))
    assert taken_apart(composed(configuration.maps)) == data
    assert taken_apart(b"") == {}


@pytest.mark.parametrize(
    "data", [b"x", b"/a 1\n", b"/a 3\nab", b"/a -1\n", b"/a\n", b"a 1\nx", b"/a 1\nxy", b"\xff 0\n"]
)
def test_kept_maps_that_are_damaged(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^expected lines FILE LENGTH, each before so many bytes$"):
        taken_apart(data)


# ---- a map decides as rules do

NAMES = ("alice", "bob", "Jürgen", "__anonymous__", "*", "carol")
lines = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["staff", "public:s0:c3", "app:s0:c7", "staff:auto"]))
others = st.sampled_from(["{user: [alice, carol], context: app}", "{address: 10.0.0.0/8}", "{anonymous: true}"])
CONDITIONS = {"__anonymous__": "anonymous: true", "*": "any: true"}


def decision(place: Path, text: str, data: str, user: str | None, address: str, path: tuple[str, ...]) -> str:
    """What the handler decides by the table of ``text``: a context, or the status of a refusal."""
    place.write_bytes(compile_table(configured(text, data), "0123456789abcdef"))
    opened = OpenTable(str(place))
    vhost = opened.vhost("a.example", False)
    identity = Identity(UserName(user) if user else None)
    identity.mapped = opened.consult(vhost, identity.user, identity.assigned)
    opened.close()
    try:
        found: Decision = label(identity, "GET", address, vhost, locate(vhost, path))
    except (Challenge, PeerFault) as fault:
        return str(fault.status)
    return str(found.context)


@given(
    given_lines=lines,
    before=st.lists(others, max_size=2),
    behind=st.lists(others, max_size=2),
    default=st.booleans(),
    user=st.sampled_from([None, "alice", "bob", "Jürgen", "carol", "dave", "*", "__anonymous__", "None"]),
    address=st.sampled_from(["192.0.2.1", "10.1.2.3"]),
    path=st.sampled_from([(), ("x",)]),
)
def test_map_decides_as_rules_do(
    tmp_path_factory: pytest.TempPathFactory,
    given_lines: dict[str, str],
    before: list[str],
    behind: list[str],
    default: bool,
    user: str | None,
    address: str,
    path: tuple[str, ...],
) -> None:
    """The same lines as a map and as rules, between the same other rules: the same answer to everybody."""
    ordered = sorted(given_lines.items(), key=lambda line: line[0] == "*")
    written = "".join(f"{name} {context}\n" for name, context in ordered)
    rules = [f"{{{CONDITIONS.get(name, f'user: {name}')}, context: '{context}'}}" for name, context in ordered]
    top = D + ("default_context: public:s0:c9\n" if default else "") + V
    rest = "    locations: {/x: {domain: staff}}\n"
    place = tmp_path_factory.getbasetemp() / "decided.cdb"
    as_map, as_rules = (
        decision(
            place,
            f"{top}    contexts: [{', '.join([*before, *middle, *behind])}]\n{rest}",
            written,
            user,
            address,
            path,
        )
        for middle in ([f"{{map: {FILE}}}"], rules)
    )
    assert as_map == as_rules
