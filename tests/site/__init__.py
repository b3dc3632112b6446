# SPDX-License-Identifier: Apache-2.0
"""The site that demo and VM tests serve: its configurations, its content, and the links that try to cross.

A hard link is what a customer with shell access can really make: the name is his, the inode, and with it the label, is
the other's.  Labels are set before the links are made, as on a real machine.
"""

from pathlib import Path

from tests.machines.install import Files

HERE = Path(__file__).parent
PASSWORDS = {"alice": "alice-reads-1", "bob": "bob-swims-6", "carol": "carol-sells-2"}
# As htpasswd(1) and openssl-passwd(1) wrote them: sha512-crypt, bcrypt at cost 5, Apache's MD5.
ALICE = b"alice:$6$selsockdemo$wiOnB9tjZYkfbfb3KzuZmDI1oQX6Eu.qrxzpwCDMTdvGnkoi23n.ItX.zN.yujQSqKrIz4ws7r3JdsER8C/dh.\n"
BOB = b"bob:$2y$05$w1APSgRhXp46CcE4ow28z.FpERoloQge/rIcTw2mcy6mYqgNFjZCK\n"
CAROL = b"carol:$apr1$selsock0$l/Ctofn3R8fDTEjZ89ts//\n"
SECRET = "Alpha's plans for next year"


def page(text: str) -> tuple[bytes, int]:
    """A small HTML page, and its mode."""
    return f"<!doctype html><title>{text}</title><p>{text}</p>\n".encode(), 0o644


def demo_yaml() -> str:
    """The configuration of the demo."""
    return (HERE / "demo.yaml").read_text()


def whole_yaml() -> str:
    """The configuration of the VM tests: the demo's with more vhosts."""
    return (
        demo_yaml().replace("  shop: {}\n", "  shop: {}\n  code: {python: true}\n") + (HERE / "more.yaml").read_text()
    )


def files() -> Files:
    """Content and password files."""
    return {
        "/srv/vhosts/alpha/index.html": page("Welcome to alpha"),
        "/srv/vhosts/alpha/staff/index.html": page("For alpha's staff"),
        "/srv/vhosts/alpha/staff/plans.html": page(SECRET),
        "/srv/vhosts/beta/index.html": page("Welcome to beta"),
        "/srv/vhosts/beta/shop/index.html": page("Carol's shop"),
        "/srv/vhosts/closed/index.html": page("closed"),
        "/srv/vhosts/refused/index.html": page("refused"),
        "/srv/vhosts/mailed/index.html": page("Welcome to mailed"),
        "/srv/vhosts/code/htdocs/index.html": page("Code's own page"),
        "/srv/vhosts/code/code/tenant.py": ((HERE / "tenant.py").read_bytes(), 0o644),
        "/srv/vhosts/code/tmp/.keep": (b"", 0o644),
        "/etc/selsock/alpha.htpasswd": (ALICE + BOB, 0o644),
        "/etc/selsock/beta.htpasswd": (CAROL, 0o644),
    }


# name in beta's tree, and what it is another name of: by category alone, and by type.
LINKS = {
    "/srv/vhosts/beta/stolen.html": "/srv/vhosts/alpha/index.html",
    "/srv/vhosts/beta/shop/stolen.html": "/srv/vhosts/alpha/index.html",
    "/srv/vhosts/alpha/borrowed.html": "/srv/vhosts/mailed/index.html",
}

PROBE_POLICY = '(filecon "/usr/libexec/selsock/serve-probe" file (system_u object_r selsock_exec_t ((s0) (s0))))\n'
# The probe is started by the shipped units in all but program and port.
PROBE_START = """set -e
cd /etc/systemd/system
sed s,/serve,/serve-probe, selsock@.service >selsock-probe@.service
sed s,^ListenStream=.*,ListenStream=8080, selsock.socket >selsock-probe.socket
restorecon -F selsock-probe@.service selsock-probe.socket
systemctl daemon-reload
systemctl start selsock-probe.socket
"""


def probe_files() -> Files:
    """The probe, where ``PROBE_START`` wants it."""
    return {"/usr/libexec/selsock/serve-probe": ((HERE / "probe.py").read_bytes(), 0o755)}
