# SPDX-License-Identifier: Apache-2.0
"""Each kind of name: what it takes, what it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selsock.generate.domain_name import DomainName
from selsock.names import AbsolutePath, HostName, Name, Network, Realm, TypeName, UserName

KINDS = (HostName, DomainName, TypeName, UserName, Realm, AbsolutePath, Network)
LABEL = "a" * 63

ACCEPTED = {
    HostName: ["a", "www.example.org", "xn--bcher-kva.example", "192.0.2.1", "[2001:db8::1]", "1.2", LABEL]
    + [f"{LABEL}.{LABEL}.{LABEL}.{'a' * 61}"],
    DomainName: ["a", "staff", "staff2", "web_shop", "a" * 40],
    TypeName: ["a_t", "httpd_sys_content_t", "selsock_staff_t"],
    UserName: ["alice", "Jürgen Groß", "a@b", "a b", "ü" * 127, "-", '"'],
    Realm: ["Staff", "a b (c)", "x" * 100],
    AbsolutePath: ["/a", "/srv/www.example.org", "/a/.htpasswd", "/a/b-c_d+e@f=g~"],
    Network: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"],
}
REFUSED = {
    HostName: ["", ".", "a.", ".a", "a..b", "-a", "a-", "A", "a_b", "a b", "ä", "*.a", "a:80", "[", "[]", "[::1", "[a]"]
    + [f"{LABEL}a", f"{LABEL}.{LABEL}.{LABEL}.{'a' * 62}", "a\n", "[::1]\n", "[::1%eth0]"],
    DomainName: ["", "a_t", "A", "1a", "_a", "a_", "a__b", "a-b", "a_content", "passwd", "exec", "a" * 41, "ä", "a\n"],
    TypeName: ["", "_t", "a", "A_t", "1_t", "a-b_t", "a" * 63 + "_t", "a_t\n", "a_t)"],
    UserName: ["", "a:b", "a\tb", "a\nb", "a\x00", "a\x7f", "a\x85", "a\u2028b", "\u202e", "ü" * 128],
    Realm: ["", 'a"b', "a\\b", "ä", "a\nb", "x" * 101],
    AbsolutePath: [
        "",
        "/",
        "a",
        "//",
        "//a",
        "/a/",
        "/a//b",
        "/a/./b",
        "/a/../b",
        "/..",
        "/a b",
        '/a"',
        "/a\\b",
        "/a%b",
    ]
    + ["/ä", "/a\n", "/a\0", "/a)", "/a;b", "/a$b", "/a*", "/" + "a" * 1000],
    Network: ["", "example.org", "10.0.0.0/8\n", "::1%eth0", "1" * 50, "10.0.0.0-10.0.0.9"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in ACCEPTED.items() for text in texts])
def test_accepted(kind: type[Name], text: str) -> None:
    assert kind.parse(text) == text
    assert type(kind.parse(text)) is kind


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in REFUSED.items() for text in texts])
def test_refused_with_what_was_expected(kind: type[Name], text: str) -> None:
    with pytest.raises(ValueError) as caught:
        kind.parse(text)
    assert str(caught.value) == f"expected {kind.expected}, not {text!r}"


@given(st.text(max_size=60))
def test_no_name_holds_what_separates_fields_of_the_table(text: str) -> None:
    for kind in KINDS:
        if kind.accepts(text):
            assert not set(text) & set("\t\n\r\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
            assert len(text.splitlines()) == 1


@given(st.text(alphabet=st.characters(categories=("Ll", "Lu", "Nd", "Pc", "Pd", "Po", "Zs")), max_size=20))
def test_what_reaches_units_and_policy_is_plain_ascii(text: str) -> None:
    """No quoting is done there, so nothing may need any."""
    for kind in (HostName, DomainName, TypeName, AbsolutePath, Network):
        if kind.accepts(text):
            assert text.isascii()
            assert not set(text) & set(" \t\"'\\%$;(){}<>|&*?!`")


def test_a_lone_surrogate_is_no_user_name() -> None:
    """It could not be written to the table."""
    assert not UserName.accepts("a\ud800")
