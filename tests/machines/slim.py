# SPDX-License-Identifier: Apache-2.0
"""A policy of fewer modules, for machines whose policy is rebuilt often: linking takes a fourth of the time.

What is left is Debian's own, as it comes; what confinement is judged by has all of it.
"""

from pathlib import Path

from tests.machines.trees import run_in

# What selsock's own module needs, what a machine needs to boot and be logged in to, and what those need.
MODULES = (
    *("apt", "application", "auditadm", "authlogin", "base", "bootloader", "clock", "cron", "dbus", "dpkg", "fstools"),
    *("getty", "hostname", "ipsec", "iptables", "init", "java", "libraries", "locallogin", "logadm", "logging", "lvm"),
    *("mcs", "miscfiles", "modutils", "mount", "netlabel", "netutils", "raid", "rpm", "secadm", "selinuxutil"),
    *("setrans", "ssh", "staff", "storage", "su", "sudo", "sysadm", "sysnetwork", "systemd", "udev", "unconfined"),
    *("unprivuser", "userdomain", "usermanage", "xdg", "xserver"),
)


def slim(root: Path) -> None:
    """Take all other modules of the distribution out of the policy store of the tree ``root``."""
    lines = [line.split() for line in run_in(root, ["semodule", "-lfull"]).stdout.splitlines()]
    others = [name for priority, name, *_ in lines if priority == "100" and name not in MODULES]
    run_in(root, ["semodule", "-n", "-X", "100", *(word for name in others for word in ("-r", name))])
