# SPDX-License-Identifier: Apache-2.0
"""Every denial of ours that a served request causes with dontaudit rules off, and why it is neither allowed nor avoided.

Each entry: the fields of the record, as patterns, and the reason.
"""

import re

from tests.machines.audit import Record

EXPECTED: list[tuple[dict[str, str], str]] = [
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
    (
        {"permissions": "noatsecure|rlimitinh|siginh", "scontext": ".*:selsock_pam_t:.*", "tcontext": ".*:chkpwd_t:.*"},
        "unix_chkpwd is started with an environment that is cleaned, and with limits and signals of its own",
    ),
]


def matches(record: Record, fields: dict[str, str]) -> bool:
    """Whether each of ``fields`` is in ``record`` as its pattern says."""
    return all(re.fullmatch(pattern, record.get(name, "")) for name, pattern in fields.items())


def is_expected(record: Record) -> bool:
    """Whether the list has ``record``."""
    return any(matches(record, fields) for fields, _ in EXPECTED)
