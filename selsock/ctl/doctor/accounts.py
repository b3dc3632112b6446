# SPDX-License-Identifier: Apache-2.0
"""Accounts that log in to edit content: are they there, does the policy confine them, and does sshd let it?"""

from __future__ import annotations

import pwd
from collections.abc import Iterator

from selsock.ctl.doctor.look import Look, Said, error, ok, warning
from selsock.ctl.doctor.policy import setting
from selsock.generate.plan import logged_in

SFTP = "Subsystem sftp /usr/lib/openssh/sftp-server"  # where Debian has it
ANYWHERE = "host=localhost,addr=127.0.0.1"


def accounts(look: Look) -> Iterator[Said]:
    """Whether each login is an account of this machine, and the policy's logins have it as it was applied.  Raises OSError."""
    place = look.root / "etc/selinux" / setting(look.root, "SELINUXTYPE") / "seusers"
    lines = place.read_text().splitlines() if place.exists() else []
    mapped = dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
    found = 0
    for session in logged_in(look.given.configuration):
        for account, level in session.levels:
            found += 1
            if not exists(account):
                yield warning(f"login {account}: this machine has no such account", f"useradd {account}")
            given, wanted = mapped.get(account), f"{session.user}:{level}-{level}"
            if given not in (wanted, f"{session.user}:{level}"):
                what = f"login {account} is mapped to {given or 'nothing of its own'}, not to {wanted}"
                yield error(f"{what}: it is not confined to its content", f"semanage login -d {account}")
    if found:
        yield ok(f"{found} logins were looked at")


def exists(account: str) -> bool:
    """Whether this machine has the account."""
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


def sshd(look: Look) -> Iterator[Said]:
    """Whether sshd does for a login what it would do outside of the login's domain.  Raises MachineFault."""
    inside, forwarding = [], []
    logins = [account for session in logged_in(look.given.configuration) for account, _ in session.levels]
    for account in sorted(set(logins)):
        lines = set(look.machine.run(["sshd", "-T", "-C", f"user={account},{ANYWHERE}"]).splitlines())
        if lines & {"subsystem sftp internal-sftp", "forcecommand internal-sftp"}:
            inside.append(account)
        if "disableforwarding yes" not in lines:
            forwarding.append(account)
    if inside:
        what = f"sshd serves sftp for {', '.join(inside)} itself (internal-sftp), in its own domain and not in theirs"
        yield error(what, f"{SFTP}, in sshd_config, and no ForceCommand internal-sftp")
    if forwarding:
        what = f"sshd forwards connections for {', '.join(forwarding)}, to this machine's own services, too"
        yield warning(what, "DisableForwarding yes, in sshd_config")
    if logins and not inside and not forwarding:
        yield ok("sshd does nothing for logins outside of their domains")
