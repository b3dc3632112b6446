# SPDX-License-Identifier: Apache-2.0
"""A map of mod_selinux, rewritten so that it is one here and says the same.

mod_selinux took the first line of a user and left out those that it could not read; here either is an error.  So what never
counted becomes a comment.  A line that did count and can not be said here is an error: without it, its user would get the
context of another line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from selsock.generate.apache.contexts import Given, Untold
from selsock.generate.apache.files import content
from selsock.generate.apache.syntax import LINE
from selsock.generate.apache.text import comment
from selsock.generate.maps import ANONYMOUS, STAR
from selsock.generate.source import BadSource, in_utf_8, shown
from selsock.generate.user_names import CanonicalUser

HEAD = "# From {file} by selsock-generate --import.\n"


def rewritten(file: Path) -> tuple[str, list[str]]:
    """The text of the map in ``file`` as it is valid here, and what is no longer as it was, a line for each.

    Raises BadSource, and OSError when ``file`` can not be read.
    """
    told: list[str] = []
    text = in_utf_8(content(file), str(file)).removesuffix("\n")
    lines = list(converted(text.split("\n"), str(file), told))
    return HEAD.format(file=comment(str(file))[2:]) + "".join(f"{line}\n" for line in lines), told


def converted(lines: list[str], file: str, told: list[str]) -> Iterator[str]:
    """Each line, rewritten or as a comment; in ``told`` what the administrator should know.  Raises BadSource."""
    users: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        place, (said, _, remark) = f"{file}:{number}", line.partition("#")
        if "\0" in line or len(line) > LINE:
            raise BadSource(place, f"expected {LINE} characters of text at most, not more or NUL")
        words = [word.decode() for word in said.encode().split()]  # at the white space of ASCII alone
        if not words:
            yield line.rstrip()
            continue
        lost = never(words, users)
        if lost:
            told.append(f"{place}: {shown(line)}: {lost}")
            yield comment(line)
            continue
        users[words[0]] = number
        yield f"{words[0]}\t{converted_context(place, words, told)}" + (f"\t#{remark.rstrip()}" if remark else "")


def never(words: list[str], users: dict[str, int]) -> str:
    """Why a line of ``words`` never counted, behind those of ``users``; "" when it did."""
    if len(words) != 2:
        return "no line that mod_selinux could read; it left it out"
    if words[0] in users:
        return f"line {users[words[0]]} is the one that counts"
    return f"never reached behind line {users[STAR]}, which is for everybody" if STAR in users else ""


def converted_context(place: str, words: list[str], told: list[str]) -> str:
    """The context of a line that counted, as it is written here.  Raises BadSource."""
    user, text = words
    if user not in (STAR, ANONYMOUS) and not CanonicalUser.accepts(user):
        raise BadSource(place, f"expected {CanonicalUser.expected}, not {shown(user)}")
    try:
        found = Given.parse(text)
    except Untold as error:
        raise BadSource(place, str(error)) from None
    if not (found.domain and found.range):
        told.append(f"{place}: {text}: what is * or missing is that of the rule here; there it was the server's own")
    return ":".join(part or STAR for part in (found.domain, found.range))
