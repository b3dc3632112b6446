# SPDX-License-Identifier: Apache-2.0
"""Rows 7 and 8: what one might use instead, Apache with a user for each virtual host, or with a process for each.

Each with Debian's configuration but for what is written here; all of them keep an access log, as selsock does.
"""

from dataclasses import replace

from tests.bench.chart import AGAIN
from tests.bench.floors import PAGE
from tests.bench.rows import Cgroups, Group, Held, Row, Shipped
from tests.bench.site import own, request

ITK, WSGI = 8101, 8102  # ports
# As Debian's README of several instances has it: a directory of its own for each, with a suffix.  MODULES, NAME.
INSTANCE = """
cp -a /etc/apache2 /etc/apache2-{name}
mkdir -p /var/log/apache2-{name}
export APACHE_CONFDIR=/etc/apache2-{name}
cd $APACHE_CONFDIR
: >ports.conf
rm -f sites-enabled/* mods-enabled/mpm_*
a2enmod -q {modules}
a2ensite -q {name}
"""
SITE = """Listen {port}
<VirtualHost *:{port}>
    ServerName a.example
    DocumentRoot /srv/vhosts/a
    CustomLog ${{APACHE_LOG_DIR}}/access.log combined
    <Directory /srv/vhosts/a>
        Require all granted
    </Directory>
    {own}
</VirtualHost>
"""
# More spare servers than clients, so that none of them waits for one to be forked.
PREFORK = b"""StartServers 10
MinSpareServers 10
MaxSpareServers 20
MaxRequestWorkers 150
MaxConnectionsPerChild 0
"""
# The application of row 5, from the same file.
CGI = b"""import sys
sys.path.insert(0, "/srv/vhosts/a/code")
from wsgiref.handlers import CGIHandler
from hello import application
CGIHandler().run(application)
"""
PYTHON_CGI = "Apache, mpm-itk: Python CGI, wsgiref"


def apache(group: int, name: str, instance: str, port: int, path: str = "/", held: bool = True) -> Row:
    """A row of the Apache of apache2@INSTANCE.service; without ``held`` its memory is not looked at."""
    cgroup = f"system.slice/system-apache2.slice/apache2@{instance}.service"
    kept = Held(request(path, close=False), port, cgroup) if held else None
    return Row(group, name, port, request(path), PAGE, Cgroups(cgroup), held=kept)


def mpm_itk(shipped: Shipped) -> Group:
    """Row 7: a process for each connection, which becomes the vhost's user before it reads a file, or runs a program.

    The script as one would write it, and with all that makes Python start faster; and row 5 again, to compare.  In all
    of them the answer is timed alone: Apache closes 47 ms after that of a script, since APR sleeps so long unless
    the script's process is gone at once, and no visitor waits for that.
    """
    rows = (
        apache(7, "Apache, mpm-itk: static", "itk", ITK),
        apache(7, PYTHON_CGI, "itk", ITK, "/peer/written", held=False),
        apache(7, f"{PYTHON_CGI}, -ISB", "itk", ITK, "/peer/tuned", held=False),
        own(7, f"selsock, WSGI, {AGAIN}", "/app"),
    )
    assigned = "AssignUserID selsock selsock\n    ScriptAlias /peer/ /srv/vhosts/a/peer/"
    files = {
        "/etc/apache2/sites-available/itk.conf": (SITE.format(port=ITK, own=assigned).encode(), 0o644),
        "/etc/apache2/mods-available/mpm_prefork.conf": (PREFORK, 0o644),
        "/srv/vhosts/a/peer/written": (b"#!/usr/bin/python3\n" + CGI, 0o755),
        "/srv/vhosts/a/peer/tuned": (b"#!/usr/bin/python3 -ISB\n" + CGI, 0o755),
    }
    staging = INSTANCE.format(name="itk", modules="mpm_prefork mpm_itk cgi")
    timed = tuple(replace(row, base=PYTHON_CGI, to_answer=True) for row in rows)
    return Group(timed, files, staging, setup="systemctl start apache2@itk")


def mod_wsgi(shipped: Shipped) -> Group:
    """Row 8: a process that stays for each tenant.  Its memory, which it takes day and night, is the row's."""
    # Without WSGIRestrictEmbedded, each of Apache's own processes would start a Python, too.
    daemon = """WSGIDaemonProcess a user=selsock group=selsock python-path=/srv/vhosts/a/code
    WSGIProcessGroup a
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /app /srv/vhosts/a/code/hello.py"""
    site = "WSGIRestrictEmbedded On\nWSGISocketPrefix /run/apache2-wsgi/wsgi\n" + SITE.format(port=WSGI, own=daemon)
    files = {"/etc/apache2/sites-available/wsgi.conf": (site.encode(), 0o644)}
    staging = INSTANCE.format(name="wsgi", modules="mpm_event wsgi")
    row = apache(8, "Apache, mod_wsgi: a daemon for each tenant", "wsgi", WSGI, "/app")
    return Group((row,), files, staging, setup="systemctl start apache2@wsgi")
