# SPDX-License-Identifier: Apache-2.0
"""The site that demo and VM tests serve: its configurations, its content, and the links that try to cross.

A hard link is what a customer with shell access can really make: the name is his, the inode, and with it the label, is
the other's.  Labels are set before the links are made, as on a real machine.
"""

import gzip
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


# QEMU's network shows the host as 10.0.2.2.  The socket's mode lets everybody try.
LISTEN = """listen:
  - 80
  - {address: 8443, run_as: true}
  - {address: 443, proxy: protocol, certificate: true, from: 10.0.2.2}
  - {unix: /run/selsock/http.sock, mode: "0666", peer: {user: 0, type: tests_proxy_t}, proxy: protocol, remote_user: X-User}
"""
# What a process needs that begins in an administrator's session, by ssh, and enters the domain by setcon.
ENTERED = """
(roletype unconfined_r {name})
(allow unconfined_t {name} (process (dyntransition)))
(allow {name} unconfined_t (fd (use)))
(allow {name} sshd_t (fd (use)))
(allow {name} sshd_t (fifo_file (getattr read write)))
(allow {name} sshd_t (unix_stream_socket (getattr read write)))
"""
# Domains of processes that connect there: the one that the listener names, one that the policy lets connect although it
# is another, and one that it does not.
PROXY_POLICY = (
    "".join(
        f"""
(type {name})
(typeattributeset domain ({name}))
(allow {name} self (unix_stream_socket (connect create getattr read setopt getopt shutdown write)))
(allow {name} var_run_t (dir (search)))
"""
        + ENTERED.format(name=name)
        for name in ("tests_proxy_t", "tests_other_t", "tests_stranger_t")
    )
    + """
(allow tests_other_t selsock_runtime_t (dir (search)))
(allow tests_other_t selsock_runtime_t (sock_file (write)))
(allow tests_other_t selsock_t (unix_stream_socket (connectto)))
"""
)
# Domains of ours that a test speaks for.
SPEAKING_POLICY = ENTERED.format(name="selsock_t") + ENTERED.format(name="selsock_identify_t")


def demo_yaml() -> str:
    """The configuration of the demo."""
    return (HERE / "demo.yaml").read_text()


def whole_yaml() -> str:
    """The configuration of the VM tests: the demo's with more vhosts, and with listeners for proxies."""
    demo = demo_yaml().replace("  shop: {}\n", "  shop: {}\n  code: {python: true}\n").replace("listen: [80]\n", LISTEN)
    return demo + (HERE / "more.yaml").read_text()


def machine_yaml() -> str:
    """The configuration of the virtual machine: that, a site whose scripts have a domain of their own, and those with all
    kinds of rules."""
    domains = "domains:\n  front: {}\n  tools: {execute: true}\n  reader: {}\n  writer: {reads: [reader]}\n"
    # All visitors of the tests come from one address, and many of them do not know the password.
    rules = "limits: {failures: 1000000}\ncontexts:\n  - {address: 192.0.2.0/24}\n  - {any: true, context: writer}\n\n"
    others = "".join((HERE / name).read_text() for name in ("tooled.yaml", "owned.yaml", "mapped.yaml"))
    return whole_yaml().replace("domains:\n", rules + domains, 1) + others


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
        "/srv/www/example/index.html": page("Welcome to www"),
        "/srv/vhosts/code/htdocs/index.html": page("Code's own page"),
        "/srv/vhosts/code/pub/a.txt": (b"plain", 0o644),
        "/srv/vhosts/code/pub/a.txt.gz": (gzip.compress(b"plain", mtime=0), 0o644),
        "/srv/vhosts/code/code/tenant.py": ((HERE / "tenant.py").read_bytes(), 0o644),
        "/srv/vhosts/lodger/htdocs/index.html": page("Welcome to lodger"),
        "/srv/vhosts/lodger/code/tenant.py": ((HERE / "tenant.py").read_bytes(), 0o644),
        "/srv/vhosts/code/tmp/.keep": (b"", 0o644),
        "/srv/vhosts/tooled/htdocs/index.html": page("Welcome to tooled"),
        "/srv/vhosts/tooled/cgi-bin/where": (WHERE, 0o755),
        **{f"/srv/vhosts/mapped/{path}index.html": page("Mapped") for path in ("", "own/", "far/")},
        "/srv/vhosts/paired/index.html": page("Paired"),
        "/srv/vhosts/unruled/index.html": page("Unruled"),
        "/srv/vhosts/vouched/index.html": page("Vouched for"),
        "/srv/vhosts/guarded/index.html": page("Guarded"),
        "/srv/vhosts/owned/htdocs/index.html": page("Owned"),
        "/srv/vhosts/owned/code/tenant.py": ((HERE / "tenant.py").read_bytes(), 0o644),
        "/etc/selsock/owned.htpasswd": (CAROL.replace(b"carol", b"gnu") + CAROL, 0o644),
        "/etc/selsock/mapped.htpasswd": (ALICE + BOB + CAROL, 0o644),
        "/etc/selsock/mapped.htgroup": (b"editors: carol alice\n", 0o644),
        "/etc/selsock/mapped.map": (b"bob writer:s0:c102\ncarol *\n", 0o644),
        "/etc/selsock/alpha.htpasswd": (ALICE + BOB, 0o644),
        "/etc/selsock/beta.htpasswd": (CAROL, 0o644),
    }


# A script that tells its context; the NUL at its end is left out.
WHERE = b"""#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
read -r context </proc/self/attr/current
printf '%s' "$context"
"""

# What semanage login -a -s unconfined_u -r s0-s0:c105,c300 alice writes into seusers, which everybody else is in by
# __default__, up to s0:c0.c1023.
LOGINS = "(selinuxuser alice unconfined_u ((s0) (s0 (c105 c300))))\n"

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
sed -e /^ListenStream=/d -e '/^.Socket]/a ListenStream=8080' selsock.socket >selsock-probe.socket
restorecon -F selsock-probe@.service selsock-probe.socket
systemctl daemon-reload
systemctl start selsock-probe.socket
"""


def probe_files() -> Files:
    """The probe, where ``PROBE_START`` wants it."""
    return {"/usr/libexec/selsock/serve-probe": ((HERE / "probe.py").read_bytes(), 0o755)}
