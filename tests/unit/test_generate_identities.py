# SPDX-License-Identifier: Apache-2.0
"""``auth``: each way of saying who knows the visitors, as the table has it, and each mistake, with its message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.generate.compiled import compile_table, records
from selsock.generate.configuration import configure
from selsock.generate.ranges import Ledger
from selsock.generate.source import load
from selsock.identify.provider import KINDS, Provider
from tests.unit.test_generate_refusals import A, V, refusal

FILE = "/etc/selsock/a.htpasswd"
QUERY = "SELECT hash FROM users WHERE name = :user"


@pytest.mark.parametrize(
    ("auth", "record"),
    [
        (f"basic: {{realm: x, file: {FILE}}}", f"file\t{FILE}\n"),
        (
            f"basic: {{realm: x, file: {FILE}, groups: /var/lib/a/htgroup, remember: 300}}",
            f"file\t{FILE}\ngroups\t/var/lib/a/htgroup\nremember\t300\n",
        ),
        ("basic: {realm: x, pam: true}", "pam\n"),
        (
            f"basic: {{realm: x, sql: {{sqlite: /etc/selsock/a.sqlite, query: '{QUERY}'}}}}",
            f"sqlite\t/etc/selsock/a.sqlite\t{QUERY}\n",
        ),
        (
            f"basic: {{realm: x, remember: 1, sql: {{postgresql: postgresql:///web, query: '{QUERY}'}}}}",
            f"postgresql\tpostgresql:///web\t{QUERY}\nremember\t1\n",
        ),
        ("proxy: {}", "proxy\n"),
        ("proxy: {groups: /etc/selsock/a.htgroup}", "proxy\ngroups\t/etc/selsock/a.htgroup\n"),
    ],
)
def test_each_way_is_a_record(auth: str, record: str) -> None:
    """For the service; what the handler reads has no path in it."""
    source = load((A + V + f"    auth: {{{auth}}}\n").encode(), "vhost.yaml")
    found = dict(records(compile_table(configure(source, "vhost.yaml", Ledger()), "g1")))
    assert record == found["identity a.example"]
    assert record == Provider.parse(record.encode()).record().decode()
    wanted = "basic\tx\n" if auth.startswith("basic") else "proxy\t\n"
    assert wanted in found["host a.example"]
    assert "/etc/selsock" not in found["host a.example"]


def basic(text: str) -> str:
    """``auth`` with a realm and ``text``."""
    return f"{{basic: {{realm: x, {text}}}}}"


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        ("{}", "6:11: vhosts.a.example.auth: expected one of basic and proxy, not an empty mapping"),
        (
            "{basic: {realm: x, pam: true}, proxy: {}}",
            "6:11: vhosts.a.example.auth: expected one of basic and proxy, not a mapping",
        ),
        (
            basic(f"pam: true, file: {FILE}"),
            "6:19: vhosts.a.example.auth.basic: expected one of file, pam and sql, not a mapping",
        ),
        (basic("pam: yes"), "6:35: vhosts.a.example.auth.basic.pam: expected true, not 'yes'"),
        (basic("pam: false"), "6:35: vhosts.a.example.auth.basic.pam: expected true, not 'false'"),
        (
            basic("pam: true, groups: /etc/selsock/htgroup"),
            (
                "6:41: vhosts.a.example.auth.basic.groups: expected no such key beside pam, which has groups of its own,"
                " not 'groups'"
            ),
        ),
        (
            basic("pam: true, remember: 5"),
            (
                "6:41: vhosts.a.example.auth.basic.remember: expected no such key beside pam, which tells no hash to remember"
                " by, not 'remember'"
            ),
        ),
        (
            basic(f"file: {FILE}, remember: 0"),
            "6:71: vhosts.a.example.auth.basic.remember: expected a number from 1 to 86400, not '0'",
        ),
        (
            basic(f"file: {FILE}, groups: /etc/selsock/groups"),
            (
                "6:69: vhosts.a.example.auth.basic.groups: expected a file …htgroup in a directory of /etc or /var/lib, such as"
                " /etc/selsock/users.htgroup, not '/etc/selsock/groups'"
            ),
        ),
        (
            basic("sql: {query: ':user'}"),
            "6:35: vhosts.a.example.auth.basic.sql: expected one of sqlite and postgresql, not a mapping",
        ),
        (
            basic("sql: {sqlite: /etc/selsock/a.sqlite, postgresql: x, query: ':user'}"),
            "6:35: vhosts.a.example.auth.basic.sql: expected one of sqlite and postgresql, not a mapping",
        ),
        (
            basic("sql: {sqlite: /etc/selsock/a.sqlite}"),
            "6:35: vhosts.a.example.auth.basic.sql: expected the key 'query', not its absence",
        ),
        (
            basic("sql: {sqlite: /etc/selsock/a.db, query: ':user'}"),
            (
                "6:44: vhosts.a.example.auth.basic.sql.sqlite: expected a file …sqlite in a directory of /etc or /var/lib, such"
                " as /etc/selsock/users.sqlite, not '/etc/selsock/a.db'"
            ),
        ),
        (
            basic("sql: {postgresql: postgresql:///x, query: 'SELECT 1'}"),
            "6:72: vhosts.a.example.auth.basic.sql.query: expected a query with :user in one place, not 'SELECT 1'",
        ),
        (
            basic("sql: {postgresql: postgresql:///x, query: ':user :user'}"),
            "6:72: vhosts.a.example.auth.basic.sql.query: expected a query with :user in one place, not ':user :user'",
        ),
        (
            basic("sql: {postgresql: postgresql:///x, query: ':username'}"),
            "6:72: vhosts.a.example.auth.basic.sql.query: expected a query with :user in one place, not ':username'",
        ),
        (
            basic("sql: {postgresql: postgresql:///x, query: 'x::user'}"),
            "6:72: vhosts.a.example.auth.basic.sql.query: expected a query with :user in one place, not 'x::user'",
        ),
        (
            basic('sql: {postgresql: postgresql:///x, query: "a\\tb :user"}'),
            "6:72: vhosts.a.example.auth.basic.sql.query: expected a query of one line, not 'a\\tb :user'",
        ),
        (
            basic("sql: {postgresql: '', query: ':user'}"),
            (
                "6:48: vhosts.a.example.auth.basic.sql.postgresql: expected a URI without spaces, such as"
                " postgresql:///web?host=/run/postgresql, not nothing"
            ),
        ),
        (
            basic("sql: {postgresql: dbname=web, query: ':user'}"),
            (
                "6:48: vhosts.a.example.auth.basic.sql.postgresql: expected a URI without spaces, such as"
                " postgresql:///web?host=/run/postgresql, not 'dbname=web'"
            ),
        ),
        (
            "{proxy: {groups: /etc/selsock/htpasswd}}",
            (
                "6:28: vhosts.a.example.auth.proxy.groups: expected a file …htgroup in a directory of /etc or /var/lib, such as"
                " /etc/selsock/users.htgroup, not '/etc/selsock/htpasswd'"
            ),
        ),
        (
            "{proxy: {realm: x}}",
            "6:20: vhosts.a.example.auth.proxy.realm: expected a known key, the nearest being 'groups', not 'realm'",
        ),
    ],
)
def test_each_mistake_is_named_where_it_stands(auth: str, message: str) -> None:
    """One line, and what was expected."""
    assert f"vhost.yaml:{message}" == refusal(A + V + f"    auth: {auth}\n")


@given(
    st.builds(
        Provider,
        st.sampled_from(KINDS),
        st.sampled_from(["/etc/selsock/x", "postgresql:///web?host=/run"]),
        st.sampled_from(["", QUERY]),
        st.sampled_from(["", "/etc/selsock/htgroup"]),
        st.integers(0, 86400),
    )
)
def test_a_provider_survives_the_table(provider: Provider) -> None:
    """Field by field."""
    assert provider == Provider.parse(provider.record())


@pytest.mark.parametrize(
    "record",
    [b"", b"\n", b"file\n\n", b"none\t/x\n", b"file\t/x", b"file\t/x\ty\tz\n", b"file\t/x\nremember\t0\n"]
    + [b"file\t/x\nremember\tx\n", b"file\t/x\nother\ty\n", b"file\t/x\ngroups\n", b"\xff\n"],
)
def test_what_is_no_provider(record: bytes) -> None:
    """A damaged table grants nothing."""
    with pytest.raises(ValueError):
        Provider.parse(record)


def test_what_is_wrong_with_a_provider_is_told_without_it() -> None:
    """The reason goes to the journal, and the record of a database may have a password."""
    record = b"postgresql\tpostgresql://web:hidden@db.example/web\tSELECT :user\tmore\n"
    with pytest.raises(ValueError, match="^expected a provider$"):
        Provider.parse(record)
