# SPDX-License-Identifier: Apache-2.0
"""Every denial of ours that a served request causes with dontaudit rules off, and why it is neither allowed nor avoided.

Each entry: the fields of the record, as patterns, and the reason.
"""

import re
from collections.abc import Iterable

from tests.machines.audit import Record

Expected = list[tuple[dict[str, str], str]]

OF_APPLICATIONS: Expected = [
    (
        {"tcontext": ".*:bin_t:.*", "permissions": "execute", "name": "uname"},
        "wsgidav asks platform for the processor, which asks uname(1); where it may not, it does without",
    ),
    (
        {"tcontext": ".*:httpd_config_t:.*", "permissions": "search", "name": "apache2"},
        "mimetypes looks for Apache's list of media types among other places",
    ),
    (
        {"permissions": "relabelfrom", "tclass": "file", "scontext": ".*:selsock_dav_t:.*"},
        "shutil.copystat would copy the label with the other attributes; it takes a no",
    ),
]
OF_PAM: Expected = [
    (
        {"permissions": "noatsecure|rlimitinh|siginh", "scontext": ".*:selsock_pam_t:.*", "tcontext": ".*:chkpwd_t:.*"},
        "unix_chkpwd is started with an environment that is cleaned, and with limits and signals of its own",
    ),
]
OF_LOGINS: Expected = [
    (
        {"permissions": "noatsecure|rlimitinh|siginh", "scontext": ".*:sshd_t:.*", "tcontext": ".*_login_t:.*"},
        "a session starts with an environment that is cleaned, and with limits and signals of its own, as every user's does",
    ),
    (
        {"permissions": "getattr", "tclass": "filesystem", "scontext": ".*_login_t:.*", "tcontext": ".*:security_t:.*"},
        "programs that know SELinux look whether it is there, and leave labels alone when they may not",
    ),
    (
        {"permissions": "read", "name": "filesystems", "scontext": ".*_login_t:.*", "tcontext": ".*:proc_t:.*"},
        "they look there next",
    ),
    (
        {"permissions": "search", "name": "selinux", "scontext": ".*_login_t:.*", "tcontext": ".*:selinux_config_t:.*"},
        "and they look for its configuration",
    ),
    (
        {"permissions": "write", "comm": "bash", "scontext": ".*_login_t:.*", "tcontext": ".*:user_home_dir_t:.*"},
        "a shell at a terminal would keep a history in the home, where nothing is written",
    ),
]


def matches(record: Record, fields: dict[str, str]) -> bool:
    """Whether each of ``fields`` is in ``record`` as its pattern says."""
    return all(re.fullmatch(pattern, record.get(name, "")) for name, pattern in fields.items())


def is_expected(record: Record) -> bool:
    """Whether the list has ``record``."""
    return any(matches(record, fields) for fields, _ in (*OF_APPLICATIONS, *OF_LOGINS, *OF_PAM))


def missed(records: Iterable[Record], expected: Expected) -> list[str]:
    """The reasons of those of ``expected`` that none of ``records`` is: what no longer happens has no place there."""
    found = list(records)
    return [reason for fields, reason in expected if not any(matches(record, fields) for record in found)]
