# SPDX-License-Identifier: Apache-2.0
"""libpam: does PAM take a user's password, and may he come in?  pam_start(3), pam_authenticate(3), pam_acct_mgmt(3).

A binding of our own, by ctypes.  python-pam, which distributions have, asks without PAM_DISALLOW_NULL_AUTHTOK, leaves the
delay of modules as it is, and does not tell a "no" from a failure; PyPAM is in Debian alone, and nobody keeps it up.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_void_p
from pathlib import Path

from selsock.identify.answer import Refused, Unable

SERVICE = "selsock"
DIRECTORIES = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"))  # where libpam looks for a service, pam.conf(5)
PASSWORD_BYTES = 511  # PAM_MAX_RESP_SIZE in _pam_types.h, with the NUL

# _pam_types.h
SUCCESS, BUF_ERR, AUTH_ERR, CONV_ERR = 0, 5, 7, 19
PROMPT_ECHO_OFF, ERROR_MSG, TEXT_INFO = 1, 3, 4
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


class Message(ctypes.Structure):
    """struct pam_message, pam_conv(3)."""

    _fields_ = (("style", c_int), ("text", c_char_p))


class Response(ctypes.Structure):
    """struct pam_response.  ``text`` is malloc(3)'s, for PAM frees it; so it is a pointer that ctypes leaves alone."""

    _fields_ = (("text", c_void_p), ("unused", c_int))


Converse = ctypes.CFUNCTYPE(c_int, c_int, POINTER(POINTER(Message)), POINTER(POINTER(Response)), c_void_p)
FailDelay = ctypes.CFUNCTYPE(None, c_int, c_uint, c_void_p)


class Conversation(ctypes.Structure):
    """struct pam_conv."""

    _fields_ = (("converse", Converse), ("data", c_void_p))


LIBC = ctypes.CDLL(None)
LIBC.calloc.argtypes, LIBC.calloc.restype = (c_size_t, c_size_t), c_void_p
LIBC.strdup.argtypes, LIBC.strdup.restype = (c_char_p,), c_void_p
LIBPAM = ctypes.CDLL("libpam.so.0")
LIBPAM.pam_start.argtypes = c_char_p, c_char_p, POINTER(Conversation), POINTER(c_void_p)
LIBPAM.pam_set_item.argtypes = c_void_p, c_int, c_void_p
LIBPAM.pam_get_item.argtypes = c_void_p, c_int, POINTER(c_void_p)
LIBPAM.pam_authenticate.argtypes = LIBPAM.pam_acct_mgmt.argtypes = LIBPAM.pam_end.argtypes = c_void_p, c_int
LIBPAM.pam_strerror.argtypes, LIBPAM.pam_strerror.restype = (c_void_p, c_int), c_char_p


def not_now(status: int, microseconds: int, data: int | None) -> None:
    """Do not wait, pam_fail_delay(3): the handler tells every "no" at one moment, and nothing is to be held until then."""


NO_DELAY = FailDelay(not_now)  # kept, for libpam has only its address


class Answers:
    """A conversation in which every hidden question is answered with one password."""

    def __init__(self, password: bytes) -> None:
        self.password = password
        self.given = False
        self.function = Converse(self.converse)  # kept, for libpam has only its address

    def converse(self, count: int, messages: ctypes._Pointer, responses: ctypes._Pointer, data: int | None) -> int:  # type: ignore[type-arg]  # pointers to pointers
        """pam_conv(3).  An exception would be PAM_SUCCESS to ctypes, so there is nothing in it that can raise one.

        A visitor of HTTP cannot be asked anything else: to a question whose answer may be seen there is none.
        """
        styles = [messages[number].contents.style for number in range(count)]
        if not {*styles} <= {PROMPT_ECHO_OFF, ERROR_MSG, TEXT_INFO}:
            return CONV_ERR
        memory = LIBC.calloc(count, ctypes.sizeof(Response))
        if not memory:
            return BUF_ERR
        answers = ctypes.cast(memory, POINTER(Response))
        for number, style in enumerate(styles):
            if style == PROMPT_ECHO_OFF:
                answers[number].text = LIBC.strdup(self.password)
                self.given = True
        responses[0] = answers
        return SUCCESS


def verify(user: str, password: bytes, service: str = SERVICE) -> None:
    """Return if PAM takes ``password`` (without NUL) for ``user``, and his account is one that may come in now.

    Raises Refused, with what PAM says of him, and Unable.
    """
    # Without a file, libpam would go by the service "other", which is the login of the system on Debian.
    if not any((directory / service).is_file() for directory in DIRECTORIES):
        raise Unable(f"there is no PAM service {service}")
    answers = Answers(password)
    conversation = Conversation(answers.function, None)
    handle = c_void_p()
    status = LIBPAM.pam_start(service.encode(), user.encode(), ctypes.byref(conversation), ctypes.byref(handle))
    try:
        check("pam_start", handle, status)
        delay = ctypes.cast(NO_DELAY, c_void_p)
        check("pam_set_item", handle, status := LIBPAM.pam_set_item(handle, ITEM_FAIL_DELAY, delay))
        flags = SILENT | DISALLOW_NULL_AUTHTOK
        check("pam_authenticate", handle, status := LIBPAM.pam_authenticate(handle, flags))
        check("pam_acct_mgmt", handle, status := LIBPAM.pam_acct_mgmt(handle, flags))
        if not answers.given:
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
    LIBPAM.pam_get_item(handle, ITEM_USER, ctypes.byref(found))
    return ctypes.cast(found, c_char_p).value
