# SPDX-License-Identifier: Apache-2.0
"""Small real sites on what people host: Flask, Django, Bottle, wsgidav, DokuWiki, git, Perl, a shell; and hostile ones.

``sites/NAME`` becomes /srv/vhosts/NAME of a machine.  A WSGI site gets a virtual environment of the machine's own Python,
with the packages of ``requirements/NAME.txt``, all pinned, fetched on the host by pip.
"""
