# SPDX-License-Identifier: Apache-2.0
"""clearance: the levels that a user gets below each ceiling, by what libselinux says of his login; and when it says nothing."""

from types import SimpleNamespace

import pytest

from selsock.identify import clearance
from selsock.identify.answer import Unable
from selsock.identify.clearance import cleared

LOGINS = {"alice": "s0-s0:c5,c6", "bob": "s0:c5-s0:c0.c1023", "carol": "s0"}


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """What seusers has for each; whoever is not among them has none."""
    found: dict[str, str | None] = {**LOGINS}

    def getseuserbyname(user: str) -> list[object]:
        return [0, "staff_u", found.get(user)]

    monkeypatch.setattr(clearance, "binding", lambda: SimpleNamespace(getseuserbyname=getseuserbyname))
    return found


@pytest.mark.usefixtures("logins")
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("alice", [("s0", "s0"), ("s0:c0.c5", "s0:c5"), ("s0:c5,c6", "s0:c5,c6")]),
        ("bob", [("s0:c0.c5", "s0:c0.c5"), ("s0:c5,c6", "s0:c5,c6")]),
        ("carol", [("s0", "s0")]),
    ],
)
def test_levels_that_a_user_reaches(user: str, expected: list[tuple[str, str]]) -> None:
    """In one order, each ceiling once; those that he does not reach are left out."""
    assert list(cleared(user, ["s0:c7", "s0:c5,c6", "s0", "s0:c0.c5", "s0"])) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "it has no range; does this kernel have SELinux?"),
        ("", "it has no range; does this kernel have SELinux?"),
        ("SystemLow", "expected a level such as s0 or s0:c1,c5, not 'SystemLow'"),
        ("s0-", "expected a range LOW-HIGH, not 's0-'"),
    ],
)
def test_login_of_which_nothing_can_be_said(logins: dict[str, str | None], text: str | None, reason: str) -> None:
    """Our fault, never a level."""
    logins["alice"] = text
    with pytest.raises(Unable) as caught:
        cleared("alice", ["s0"])
    assert str(caught.value) == f"the SELinux login of alice: {reason}"


def test_without_a_ceiling_nobody_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is libselinux loaded."""
    monkeypatch.delattr(clearance, "binding")
    assert cleared("alice", []) == ()


@pytest.mark.parametrize("error", [ImportError("No module named '_selinux'"), OSError(2, "No such file or directory")])
def test_libselinux_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def binding() -> None:
        raise error

    monkeypatch.setattr(clearance, "binding", binding)
    with pytest.raises(Unable) as caught:
        cleared("alice", ["s0"])
    assert str(caught.value) == f"the SELinux login of alice: {error}"
