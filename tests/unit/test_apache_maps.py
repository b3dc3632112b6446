# SPDX-License-Identifier: Apache-2.0
"""``--import FILE.map``: a map of mod_selinux becomes one that is taken here and says the same."""

from pathlib import Path

import pytest

from selsock.generate.__main__ import main
from selsock.generate.apache.maps import rewritten
from selsock.generate.maps import Map, parse_map
from selsock.generate.source import BadSource, Place
from selsock.names import AbsolutePath

Captured = pytest.CaptureFixture[str]
GIVEN = """\
# user   domain and range

kenji\t*:s0:c0
himari   user_webapp_t:s0:c5,c4,c3  # hers
only-a-name
too many words
kenji    staff_webapp_t:s0
panda    staff_webapp_t
neko     user_webapp_t:s0-s0
__anonymous__ anon_webapp_t:*
*        *
late     user_webapp_t:s0
"""
WRITTEN = """\
# From DIRECTORY/a.map by selsock-generate --import.
# user   domain and range

kenji\t*:s0:c0
himari\tuser_webapp_t:s0:c3.c5\t# hers
# only-a-name
# too many words
# kenji    staff_webapp_t:s0
panda\tstaff_webapp_t:*
neko\tuser_webapp_t:s0
__anonymous__\tanon_webapp_t:*
*\t*:*
# late     user_webapp_t:s0
"""
OWN = "what is * or missing is that of the rule here; there it was the server's own"
UNREAD = "no line that mod_selinux could read; it left it out"
TOLD = f"""\
DIRECTORY/a.map:3: *:s0:c0: {OWN}
DIRECTORY/a.map:5: 'only-a-name': {UNREAD}
DIRECTORY/a.map:6: 'too many words': {UNREAD}
DIRECTORY/a.map:7: 'kenji    staff_webapp_t:s0': line 3 is the one that counts
DIRECTORY/a.map:8: staff_webapp_t: {OWN}
DIRECTORY/a.map:10: anon_webapp_t:*: {OWN}
DIRECTORY/a.map:11: *: {OWN}
DIRECTORY/a.map:12: 'late     user_webapp_t:s0': never reached behind line 11, which is for everybody
"""


def parsed(text: str) -> Map:
    """``text`` as a map here."""
    return parse_map(AbsolutePath("/etc/selsock/a.map"), Place("vhost.yaml", 1, 1), text.encode(), {})


def test_a_map_is_rewritten(tmp_path: Path, capsys: Captured) -> None:
    """What is written is taken here, and a second time nothing is left to tell but what ``*`` means."""
    (tmp_path / "a.map").write_text(GIVEN)
    assert main(["--import", str(tmp_path / "a.map")]) == 0
    said = capsys.readouterr()
    assert said.out.replace(str(tmp_path), "DIRECTORY") == WRITTEN
    assert said.err.replace(str(tmp_path), "DIRECTORY") == TOLD
    found = parsed(said.out)
    assert {user: line.text for user, line in found.users.items()} == {
        "kenji": "*:s0:c0",
        "himari": "user_webapp_t:s0:c3.c5",
        "panda": "staff_webapp_t:*",
        "neko": "user_webapp_t:s0",
    }
    assert (found.anonymous and found.anonymous.text, found.anyone and found.anyone.text) == ("anon_webapp_t:*", "*:*")
    (tmp_path / "b.map").write_text(said.out)
    again, told = rewritten(tmp_path / "b.map")
    assert again.split("\n", 1)[1] == said.out
    assert all(line.endswith(OWN) for line in told)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a user_t:s0-s0:c1", "expected one level, not the range 's0-s0:c1': a tenant runs at a single level"),
        ("a user_t:SystemLow", "expected a level such as s0 or s0:c1,c5, not 'SystemLow'"),
        ("a *::s0:c1", "expected a level such as s0 or s0:c1,c5, not ':s0:c1'"),
        ("a webapp:s0", "expected an SELinux type that ends in _t, not 'webapp'"),
        ("a selsock_t:s0", "expected a type of your own, not 'selsock_t'"),
        (
            "a:b user_t:s0",
            "expected a user name without colon or control character, 255 bytes at most, in normal form C, not 'a:b'",
        ),
        ("a\0 user_t:s0", "expected 65536 characters of text at most, not more or NUL"),
        ("#" + "x" * 65536, "expected 65536 characters of text at most, not more or NUL"),
    ],
)
def test_a_line_that_counts_and_can_not_be_said_is_an_error(
    tmp_path: Path, capsys: Captured, line: str, problem: str
) -> None:
    """Without it, its user would get the context of another line."""
    (tmp_path / "a.map").write_text(f"b user_t:s0\n{line}\n* user_t:s0\n")
    assert main(["--import", str(tmp_path / "a.map")]) == 2
    assert capsys.readouterr() == ("", f"{tmp_path}/a.map:2: {problem}\n")


def test_a_blank_of_unicode_is_part_of_a_name(tmp_path: Path) -> None:
    """mod_selinux parted words at those of ASCII."""
    (tmp_path / "a.map").write_text("a\u00a0b user_t:s0\n")
    with pytest.raises(BadSource, match="expected a user name without colon or control character"):
        rewritten(tmp_path / "a.map")
