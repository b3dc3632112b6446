# SPDX-License-Identifier: Apache-2.0
"""wsgidav over one directory.  A process ends with its connection, so locks and properties have to be in files."""

from wsgidav.lock_man.lock_storage import LockStorageShelve
from wsgidav.prop_man.property_manager import ShelvePropertyManager
from wsgidav.wsgidav_app import WsgiDAVApp

ROOT = "/srv/vhosts/dav"
application = WsgiDAVApp(
    {
        "provider_mapping": {"/": f"{ROOT}/files"},
        # Who the visitor is has been found out before this code is started.
        "http_authenticator": {"trusted_auth_header": "REMOTE_USER", "accept_basic": False, "accept_digest": False},
        "simple_dc": {"user_mapping": {"*": {"nobody": {"password": ""}}}},
        "lock_storage": LockStorageShelve(f"{ROOT}/state/locks"),
        "property_manager": ShelvePropertyManager(f"{ROOT}/state/properties"),
        "verbose": 1,
        "mount_path": "/dav",
    }
)
