# SPDX-License-Identifier: Apache-2.0
"""libpam: does PAM take a user's password, and may he come in?  pam_start(3), pam_authenticate(3), pam_acct_mgmt(3).

A binding of our own, by ctypes.  python-pam, which distributions have, asks without PAM_DISALLOW_NULL_AUTHTOK, waits as long
as modules wish, and does not tell a "no" from a failure; PyPAM is in Debian alone, and nobody keeps it up.

No function of Python's is given to libpam: for one that C can call, libffi as Debian has it needs memory that is written
and executed, which neither the unit nor the policy allows.  Passwords are asked for by libpam's own misc_conv(3), which
reads them from a pipe.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_void_p
from pathlib import Path

from selsock.identify.answer import Refused, Unable

SERVICE = "selsock"
DIRECTORIES = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"))  # where libpam looks for a service, pam.conf(5)
PASSWORD_BYTES = 510  # misc_conv's line, PAM_MAX_MSG_SIZE, less its line end and its NUL
PROMPTS = 4  # how often a stack may ask for the password: once for each of its modules that keeps it to itself

# _pam_types.h
SUCCESS, AUTH_ERR = 0, 7
ITEM_USER, ITEM_FAIL_DELAY = 2, 10
SILENT, DISALLOW_NULL_AUTHTOK = 0x8000, 0x0001
# What is said of a user.  All else says that PAM could not tell, and is no "no": a module that is missing, a server that is
# down, a file that cannot be read.
REFUSALS = {
    6: "permission denied",  # PERM_DENIED
    AUTH_ERR: "wrong password",
    8: "may not sign in so",  # CRED_INSUFFICIENT
    10: "unknown user",  # USER_UNKNOWN
    11: "too many wrong passwords",  # MAXTRIES
    12: "the password has to be changed first",  # NEW_AUTHTOK_REQD
    13: "the account has expired",  # ACCT_EXPIRED
    27: "the password has expired",  # AUTHTOK_EXPIRED
}

LIBPAM = ctypes.CDLL("libpam.so.0")
LIBPAM.pam_start.argtypes = c_char_p, c_char_p, c_void_p, POINTER(c_void_p)
LIBPAM.pam_set_item.argtypes = c_void_p, c_int, c_void_p
LIBPAM.pam_get_item.argtypes = c_void_p, c_int, POINTER(c_void_p)
LIBPAM.pam_authenticate.argtypes = LIBPAM.pam_acct_mgmt.argtypes = LIBPAM.pam_end.argtypes = c_void_p, c_int
LIBPAM.pam_strerror.argtypes, LIBPAM.pam_strerror.restype = (c_void_p, c_int), c_char_p

# struct pam_conv: the function, and what it is called with.
CONVERSATION = (c_void_p * 2)(ctypes.cast(ctypes.CDLL("libpam_misc.so.0").misc_conv, c_void_p), None)
# pam_fail_delay(3): called instead of waiting, for the handler tells every "no" at one moment.  abs(3) looks at the first of
# the three arguments and changes nothing; whoever calls does not look at what it returns.
NO_DELAY = ctypes.cast(ctypes.CDLL(None).abs, c_void_p)


class Asked:
    """How much of what was said is still to be asked for."""

    def __init__(self, reading: int, size: int) -> None:
        self.reading, self.size = reading, size

    def anything(self) -> bool:
        """Whether a password was asked for at all.  It can be looked up once."""
        left = b""
        while part := os.read(self.reading, self.size + 1):
            left += part
        return len(left) < self.size


@contextmanager
def said(password: bytes) -> Iterator[Asked]:
    """Within the block, standard input has ``password`` on each of its lines, and what is written to standard output or error
    is lost: the prompts of misc_conv."""
    reading, writing = os.pipe()
    lines = (password + b"\n") * PROMPTS
    os.write(writing, lines)  # less than a pipe holds
    os.close(writing)
    kept = [os.dup(number) for number in range(3)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for number, file in enumerate((reading, null, null)):
            os.dup2(file, number)
        yield Asked(reading, len(lines))
    finally:
        for number, file in enumerate(kept):
            os.dup2(file, number)
        for file in (reading, null, *kept):
            os.close(file)


def verify(user: str, password: bytes, service: str = SERVICE) -> None:
    """Return if PAM takes ``password``, one line, for ``user``, and his account is one that may come in now.

    Raises Refused, with what PAM says of him, and Unable.
    """
    # Without a file, libpam would go by the service "other", which is the login of the system on Debian.
    if not any((directory / service).is_file() for directory in DIRECTORIES):
        raise Unable(f"there is no PAM service {service}")
    handle = c_void_p()
    with said(password) as asked:
        status = LIBPAM.pam_start(service.encode(), user.encode(), CONVERSATION, byref(handle))
        try:
            check("pam_start", handle, status)
            check("pam_set_item", handle, status := LIBPAM.pam_set_item(handle, ITEM_FAIL_DELAY, NO_DELAY))
            flags = SILENT | DISALLOW_NULL_AUTHTOK
            check("pam_authenticate", handle, status := LIBPAM.pam_authenticate(handle, flags))
            check("pam_acct_mgmt", handle, status := LIBPAM.pam_acct_mgmt(handle, flags))
            if not asked.anything():
                raise Unable(f"the PAM service {service} takes users without asking for a password")
            if (known := name_of(handle)) != user.encode():
                raise Unable(f"the PAM service {service} knows {user} by another name, {known!r}")
        finally:
            LIBPAM.pam_end(handle, status)


def check(call: str, handle: c_void_p, status: int) -> None:
    """Raises Refused or Unable unless ``status``, of the function ``call``, is success."""
    if status in REFUSALS:
        # Debian's stack ends so, for whatever reason pam_unix(8) gives; it tells the journal which one.
        barred = call == "pam_acct_mgmt" and status == AUTH_ERR
        raise Refused("the account may not be used" if barred else REFUSALS[status])
    if status != SUCCESS:
        raise Unable(f"{call}: {LIBPAM.pam_strerror(handle, status).decode()}")


def name_of(handle: c_void_p) -> bytes | None:
    """By what name PAM knows the user now: a module may have put another one in its place."""
    found = c_void_p()
    LIBPAM.pam_get_item(handle, ITEM_USER, byref(found))
    return ctypes.cast(found, c_char_p).value
