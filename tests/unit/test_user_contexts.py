# SPDX-License-Identifier: Apache-2.0
"""Where the files of our SELinux users lie, and which of them are no longer wanted."""

from pathlib import Path

import pytest

from selsock.generate.faults import MachineFault
from selsock.generate.user_contexts import forget, policy_type

USERS = "etc/selinux/default/contexts/users"


def config(root: Path, text: str) -> Path:
    """``root`` with this configuration of SELinux."""
    (root / "etc/selinux").mkdir(parents=True)
    (root / "etc/selinux/config").write_text(text)
    return root


@pytest.mark.parametrize(
    "text",
    [
        "# SELINUXTYPE=other\nSELINUX=enforcing\nSELINUXTYPE=default\n",
        "SELINUXTYPE = default \n",
        "SELINUXTYPE=default\nSELINUXTYPE=later\n",
    ],
)
def test_the_type_is_the_machines(tmp_path: Path, text: str) -> None:
    assert policy_type(config(tmp_path, text)) == "default"


@pytest.mark.parametrize("value", ["", "../../tmp", "a/b", "a b"])
def test_a_type_that_is_no_name(tmp_path: Path, value: str) -> None:
    """It becomes a part of a path that root writes to."""
    with pytest.raises(MachineFault) as caught:
        policy_type(config(tmp_path, f"SELINUXTYPE={value}\n"))
    expected = f"expected the name of a policy as SELINUXTYPE, not {value!r}"
    assert str(caught.value) == f"{tmp_path}/etc/selinux/config: {expected}"


def test_what_is_no_longer_wanted(tmp_path: Path) -> None:
    """Our own files alone, of whatever type of policy."""
    targeted = "etc/selinux/targeted/contexts/users"
    names = ["selsock_app_u", "selsock_web_u", "guest_u", "root", "selsock_notes.txt", "selsock_A_u"]
    for directory in (USERS, targeted):
        (tmp_path / directory).mkdir(parents=True)
        for name in names:
            (tmp_path / directory / name).touch()
    said: list[str] = []
    forget(tmp_path, said.append, [f"{USERS}/selsock_web_u"])
    gone = [f"{USERS}/selsock_app_u", f"{targeted}/selsock_app_u", f"{targeted}/selsock_web_u"]
    assert said == [f"removed {tmp_path}/{path}" for path in gone]
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {f"{directory}/{name}" for directory in (USERS, targeted) for name in names} - set(gone)
