# SPDX-License-Identifier: Apache-2.0
"""What an auditor would ask of the domains that sessions of logins run in."""

from pathlib import Path

import pytest

from tests.policy.conftest import Query
from tests.policy.test_assertions import members, parse, rules

SESSIONS = {"selsock_web_login_t", "selsock_app_login_t", "selsock_app__web_login_t"}


def test_members(logins: tuple[Path, Query]) -> None:
    _, ask = logins
    assert members(ask, "selsock_login_domain") == SESSIONS
    for name in sorted(SESSIONS):
        for rule in sorted(rules(ask, name)):
            print(rule)
        break
    for line in ask("sesearch", "-A", "-s", "sshd_t", "-t", name):
        print(line)
    print((logins[0] / "etc/selinux/default/seusers").read_text())
    print((logins[0] / "etc/selinux/default/contexts/files/file_contexts.homedirs").read_text()[:300])
    assert 0
