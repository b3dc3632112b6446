# SPDX-License-Identifier: Apache-2.0
"""Passwords are judged as Apache's own htpasswd(1) and, for hashes of libcrypt, crypt(3) and OpenSSL judge them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from selsock.identify.answer import Unable
from selsock.identify.crypt import crypt
from selsock.identify.htpasswd import stored_hash
from selsock.identify.question import is_right
from selsock.model import Limits
from tests.unit.fakes import patience

PASSWORDS = [
    "",
    " ",
    "a",
    "secret",
    "with space",
    " space at both ends ",
    "colon:in:it",
    "quote\"s'and\\slashes",
    "$2y$05$looks/like/a/hash",
    "#hash",
    "tab\tinside",
    "wüff",
    "пароль",
    "犬",
    "🐕",
    "e\u0301",
    "x" * 15,
    "x" * 16,
    "x" * 17,
    "x" * 71,
    "x" * 72,
    "ü" * 36,
    "x" * 255,
]
FORMATS = {
    "bcrypt": ("-B", "-C", "4"),
    "sha256": ("-2",),
    "sha512": ("-5",),
    "apr1": ("-m",),
    "sha1": ("-s",),
    "des": ("-d",),
}
# The hash of "secret", for tests of what stands round it.
SECRET = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


def apache(*arguments: str, password: str) -> str:
    """The output of Apache's htpasswd, given ``password`` on its stdin."""
    program = shutil.which("htpasswd")
    assert program, "htpasswd is missing: apt-get install apache2-utils (`make unit` does)"
    command = [program, *arguments]
    return subprocess.run(command, input=password, check=True, capture_output=True, text=True).stdout.strip()


def write(tmp_path: Path, text: str) -> str:
    """A password file of ``text``."""
    path = tmp_path / "htpasswd"
    path.write_bytes(text.encode())
    return str(path)


def verify(path: str, user: bytes, password: bytes) -> bool:
    """Whether the file has this user with this password, as the service asks."""
    stored, found = stored_hash(path, user.decode())
    return is_right(password, stored, found, path, Limits())


def wrong_ones(password: str) -> list[str]:
    """Passwords that are near ``password``, differ within the first 72 bytes (all that bcrypt sees), and are wrong."""
    near = [password[:-1], "x" + password, password.swapcase(), password.strip(), "", "secret!", "犭"]
    near += [password + "x"] if len(password.encode()) < 72 else []
    return [other for other in dict.fromkeys(near) if other.encode()[:72] != password.encode()[:72]]


def seven_bits(password: str) -> bytes:
    """All that DES crypt sees of ``password`` (crypt(5)): seven bits of each of eight bytes."""
    return bytes(octet & 127 for octet in password.encode()[:8])


@pytest.mark.parametrize("kind", FORMATS)
def test_hashes_of_apaches_htpasswd(tmp_path: Path, kind: str) -> None:
    """Every format it writes by option, for each password: the right one is accepted, those near it are not."""
    for password in PASSWORDS:
        path = write(tmp_path, apache("-ni", *FORMATS[kind], "dog", password=password) + "\n")
        assert verify(path, b"dog", password.encode()), (kind, password)
        for other in wrong_ones(password):
            if kind != "des" or seven_bits(other) != seven_bits(password):
                assert not verify(path, b"dog", other.encode()), (kind, password, other)


def test_bcrypt_sees_72_bytes_as_it_does_in_apache(tmp_path: Path) -> None:
    """crypt(5): what follows is ignored.  htpasswd -v agrees, so this is the format's limit and not ours."""
    path = write(tmp_path, apache("-niB", "-C", "4", "dog", password="x" * 80) + "\n")
    assert verify(path, b"dog", b"x" * 72)
    apache("-vi", path, "dog", password="x" * 72)
    assert not verify(path, b"dog", b"x" * 71)


@pytest.mark.parametrize("setting", ["$2y$04$", "$2b$04$", "$2a$04$"])
def test_bcrypt_of_crypt(tmp_path: Path, setting: str) -> None:
    """Every prefix of bcrypt, against crypt(3) itself."""
    for password in PASSWORDS:
        stored = crypt(password, setting + "abcdefghijklmnopqrstuu")
        path = write(tmp_path, f"dog:{stored}\n")
        assert verify(path, b"dog", password.encode()), password
        assert not verify(path, b"dog", b"!" + password.encode()), password


@pytest.mark.parametrize(("option", "salt"), [("-apr1", "saltsalt"), ("-apr1", "s"), ("-5", "saltsalt"), ("-6", "s")])
def test_hashes_of_openssl(tmp_path: Path, option: str, salt: str) -> None:
    """A second opinion, also with a short salt, which htpasswd never writes."""
    passwords = [password for password in PASSWORDS if password and "\t" not in password]
    program = shutil.which("openssl")
    assert program, "openssl is missing: apt-get install openssl (`make unit` does)"
    command = [program, "passwd", option, "-salt", salt, "-stdin"]
    given = "".join(password + "\n" for password in passwords)
    hashes = subprocess.run(command, input=given, check=True, capture_output=True, text=True).stdout.split()
    for password, stored in zip(passwords, hashes, strict=True):
        assert verify(write(tmp_path, f"dog:{stored}\n"), b"dog", password.encode()), password


@pytest.mark.parametrize("rounds", [1000, 10000])
def test_rounds_of_sha_crypt(tmp_path: Path, rounds: int) -> None:
    """``rounds=`` stands in the hash."""
    stored = crypt("secret", f"$6$rounds={rounds}$saltsalt$")
    assert verify(write(tmp_path, f"dog:{stored}\n"), b"dog", b"secret")


def test_hashes_without_a_salt_are_hashes(tmp_path: Path) -> None:
    """OpenSSL and APR write none, but an administrator may."""
    stored = crypt("secret", "$6$$")
    assert verify(write(tmp_path, f"dog:{stored}\n"), b"dog", b"secret")


@pytest.mark.parametrize("length", [511, 512, 12000])
@pytest.mark.parametrize("setting", ["$2y$04$abcdefghijklmnopqrstuu", "$6$salt$"])
def test_password_longer_than_crypt_takes_is_wrong(tmp_path: Path, setting: str, length: int) -> None:
    """The peer's fault, never an error of ours, whichever way this build of libcrypt fails (crypt(3))."""
    path = write(tmp_path, f"dog:{crypt('secret', setting)}\n")
    assert not verify(path, b"dog", b"x" * length)
    assert not verify(path, b"cat", b"x" * length)


# ---- which line


@pytest.mark.parametrize(
    "text",
    [
        f"dog:{SECRET}\n",
        f"dog:{SECRET}",
        f"dog:{SECRET}\r\n",
        f"cat:{{SHA}}x\ndog:{SECRET}\n",
        f"cat:{{SHA}}x\r\ndog:{SECRET}\r\n",
        f"# users: here\n\ndog:{SECRET}\n",
        f"doge:x\nadog:x\nhot dog:x\ndog:{SECRET}\n",
        f"dog:{SECRET}\ndog:x\n",
        f"dog:{SECRET}:a comment, as Apache allows\n",
        f"#dog:x\ndog:{SECRET}\n",
    ],
)
def test_user_is_found(tmp_path: Path, text: str) -> None:
    """By the whole name, at the start of a line; the first such line counts, as in Apache."""
    assert verify(write(tmp_path, text), b"dog", b"secret")


@pytest.mark.parametrize(
    "user", [b"do", b"og", b"d", b"dog ", b" dog", b"DOG", b"dog\r", b"", b"dog:" + SECRET.encode()]
)
def test_user_with_another_name_is_unknown(tmp_path: Path, user: bytes) -> None:
    """Prefix, suffix, case and colon make another user."""
    assert not verify(write(tmp_path, f"cat:{SECRET}\ndog:{SECRET}\n"), user, b"secret")


def test_commented_out_user_is_unknown(tmp_path: Path) -> None:
    """``#dog:…`` is how an administrator locks dog out; to Apache it is a comment.  Nobody may sign in as "#dog"."""
    path = write(tmp_path, f"#dog:{SECRET}\ncat:{SECRET}\n")
    assert not verify(path, b"#dog", b"secret")
    assert not verify(path, b"dog", b"secret")


@pytest.mark.parametrize(
    "text", ["", "\n", "\n\n", "# nobody: yet\n", "old:*\n", "old:plain\n", "old:\n", "old\n", "o:$9$\n"]
)
def test_unknown_user_is_refused_whatever_else_is_in_the_file(tmp_path: Path, text: str) -> None:
    """A visitor can not make the service fail by a name that is not there, next to a line that cannot be checked."""
    assert not verify(write(tmp_path, text), b"dog", b"secret")


def test_unknown_user_costs_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first hash of the file is computed, so that the time tells less about who exists."""
    seen: list[str] = []

    def matches_hash(password: bytes, stored: str) -> bool:
        seen.append(stored)
        return True

    monkeypatch.setattr("selsock.identify.htpasswd.matches_hash", matches_hash)
    assert not verify(write(tmp_path, "# a: comment\ncat:$5$a$b\nbird:$6$c$d\n"), b"dog", b"secret")
    assert ["$5$a$b"] == seen


# ---- what cannot answer


def fault(path: str, user: bytes = b"dog") -> str:
    """The reason for which ``path`` cannot answer, without the path."""
    with pytest.raises(Unable) as caught:
        verify(path, user, b"secret")
    start, reason = str(caught.value)[: len(path) + 2], str(caught.value)[len(path) + 2 :]
    assert f"{path}: " == start
    return reason


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "secret",
        "x",
        "x!",
        "$1$salt$hash",
        "$y$j9T$a$b",
        "$argon2id$v=19$a",
        "{SSHA}x",
        "$2x$04$x",
        "{PLAIN}",
    ],
)
def test_hash_of_another_format_is_the_administrators_error(tmp_path: Path, stored: str) -> None:
    """Never a "no", which would hide it, and never a plain comparison."""
    unknown = "a hash of a format other than $2y$, $5$, $6$, $apr1$, {SHA} and DES"
    assert unknown == fault(write(tmp_path, f"dog:{stored}\n"))


@pytest.mark.parametrize("mark", ["*", "*0", "!", "!!", "!*", "*LK*"])
def test_locked_account_never_matches(tmp_path: Path, mark: str) -> None:
    """shadow(5): the peer is refused as with a wrong password; what stands behind the mark is no hash any more."""
    hashes = [SECRET, str(crypt("secret", "$6$saltsalt$")), ""]
    for stored in hashes:
        path = write(tmp_path, f"dog:{mark}{stored}\n")
        for password in ("secret", "", mark, mark + stored, stored):
            assert not verify(path, b"dog", password.encode()), (stored, password)
    for stored in hashes[:2]:
        assert verify(write(tmp_path, f"dog:{stored}\n"), b"dog", b"secret"), "unlocked again"


def test_locked_account_asks_nothing_of_crypt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor can it fail for want of it."""
    monkeypatch.setattr("selsock.identify.htpasswd.crypt", None)
    assert not verify(write(tmp_path, "dog:!$6$a$b\n"), b"dog", b"secret")


def test_hash_that_is_not_ascii_is_the_administrators_error(tmp_path: Path) -> None:
    """It may be a file of another kind altogether."""
    assert "ordinal not in range" in fault(write(tmp_path, "dog:$6$ü\n"))


@pytest.mark.parametrize(
    "stored", ["$2y$", "$2y$99$abcdefghijklmnopqrstuu", "$5$", "$6$rounds=x$a$b", "$apr1$", "{SHA}"]
)
def test_hash_that_is_cut_short_never_matches(tmp_path: Path, stored: str) -> None:
    """crypt's failure token is no hash, and the empty string none either."""
    path = write(tmp_path, f"dog:{stored}\n")
    for password in (b"secret", b"", b"*0", b"*1", stored.encode()):
        assert not verify(path, b"dog", password)


def test_file_that_is_missing_cannot_answer(tmp_path: Path) -> None:
    """503, not 401: the visitor did nothing wrong."""
    assert "No such file or directory" == fault(str(tmp_path / "none"))


def test_file_behind_a_link_cannot_answer(tmp_path: Path) -> None:
    """A link could be bent to a file of a tenant's."""
    os.symlink(write(tmp_path, f"dog:{SECRET}\n"), tmp_path / "link")
    assert "Too many levels of symbolic links" == fault(str(tmp_path / "link"))


def test_directory_cannot_answer(tmp_path: Path) -> None:
    """The same for anything that is no regular file."""
    assert "no regular file" == fault(str(tmp_path))


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """Whoever waits for a writer waits for ever."""
    os.mkfifo(tmp_path / "fifo")
    with patience():
        assert "no regular file" == fault(str(tmp_path / "fifo"))


def test_unreadable_file_cannot_answer(tmp_path: Path) -> None:
    """EACCES, here as whoever is not root."""
    path = write(tmp_path, f"dog:{SECRET}\n")
    os.chmod(path, 0)
    if os.getuid() != 0:
        assert "Permission denied" == fault(path)
        return
    for folder in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o755)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setuid(65534)
            status = 0 if fault(path) == "Permission denied" else 2
        finally:
            os._exit(status)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_missing_crypt_is_not_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 without python3-crypt-r: 503, and the journal learns what is missing."""

    def missing(password: str, setting: str) -> None:
        raise ImportError("No module named '_crypt_r'")

    monkeypatch.setattr("selsock.identify.htpasswd.crypt", missing)
    assert "No module named '_crypt_r'" == fault(write(tmp_path, "dog:$6$a$b\n"))
