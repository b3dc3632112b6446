# SPDX-License-Identifier: Apache-2.0
"""htpasswd: does this password belong to this user?  Runs in the child of ``identify`` alone.

Formats, as Apache's htpasswd(1) writes them: bcrypt, SHA-256 and SHA-512 crypt through libcrypt; ``$apr1$`` and
``{SHA}``, which libcrypt does not know, here.  Anything else is an error of the administrator, never a "no".
"""

from selsock.cores import compare_digest, posix
from selsock.errors import IdentityFault
from selsock.password_cores import binascii, crypt_core, digest

LIBCRYPT = ("$2y$", "$2b$", "$2a$", "$5$", "$6$")
ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def verify(path: str, user: bytes, password: bytes) -> bool:
    """Whether ``path`` holds ``user`` with ``password``.  Raises IdentityFault when the file cannot answer.

    For a user who is not in the file, the first hash of it is checked all the same, and the answer is no: so that the
    time tells less about who exists.  As to Apache, a line that starts with "#" is a comment, and a second colon ends
    the hash.
    """
    lines = b"\n" + read_file(path)
    start = -1 if user.startswith(b"#") else lines.find(b"\n" + user + b":")
    known = start >= 0
    start = start + len(user) + 2 if known else lines.find(b":$") + 1
    stored = lines[start:].partition(b"\n")[0].partition(b":")[0].rstrip(b"\r")
    try:
        return matches_hash(password, stored.decode("ascii")) and known
    except (ImportError, OSError, ValueError) as error:
        if known:
            raise IdentityFault(f"{path}: {error}") from None
        return False


def read_file(path: str) -> bytes:
    """The whole of ``path``, which must be a regular file."""
    try:
        file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK)
        size = posix.fstat(file).st_size
        data = b""
        while len(data) < size and (part := posix.read(file, size - len(data))):
            data += part
        posix.close(file)
    except OSError as error:
        raise IdentityFault(f"{path}: {error.strerror}") from None
    return data


def matches_hash(password: bytes, stored: str) -> bool:
    """Whether ``password`` (UTF-8) gives the hash ``stored``.  Raises ValueError for a format that is not known."""
    if stored.startswith(("*", "!")):
        return False  # a locked account, as in shadow(5)
    if stored.startswith(LIBCRYPT):
        if len(password) > 511:  # CRYPT_MAX_PASSPHRASE_SIZE of crypt(3), for which it fails as for a broken hash
            return False
        # crypt(5): a failure is None or a string that starts with "*", and never equals a hash that starts with "$".
        computed = crypt_core().crypt(password.decode(), stored) or "*0"
    elif stored.startswith("$apr1$"):
        computed = apr1(password, stored.split("$")[2].encode())
    elif stored.startswith("{SHA}"):
        computed = "{SHA}" + binascii.b2a_base64(digest("sha1", password), newline=False).decode()
    else:
        raise ValueError("a hash of a format other than $2y$, $5$, $6$, $apr1$ and {SHA}")
    return compare_digest(computed, stored) and not computed.startswith("*")


def apr1(password: bytes, salt: bytes) -> str:
    """Apache's variant of the MD5 crypt, with the magic ``$apr1$`` (APR, crypto/apr_md5.c)."""
    salt = salt[:8]
    inner = digest("md5", password + salt + password)
    text = password + b"$apr1$" + salt
    text += (inner * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        text += b"\0" if length & 1 else password[:1]
        length >>= 1
    final = digest("md5", text)
    for turn in range(1000):
        text = password if turn & 1 else final
        text += salt if turn % 3 else b""
        text += password if turn % 7 else b""
        final = digest("md5", text + (final if turn & 1 else password))
    result = ""
    for first, second, third in ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)):
        result += to64(final[first] << 16 | final[second] << 8 | final[third], 4)
    return f"$apr1${salt.decode()}${result}{to64(final[11], 2)}"


def to64(value: int, length: int) -> str:
    """``length`` digits of crypt's own base 64, lowest first."""
    return "".join(ITOA64[value >> 6 * place & 63] for place in range(length))
