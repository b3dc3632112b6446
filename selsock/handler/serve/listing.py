# SPDX-License-Identifier: Apache-2.0
"""listing: what is in a directory, as a page.  Imported when the first is asked for.

It names what a request could get: directories and regular files, neither links nor dot-files, nor names that no path
may hold (target.py): those that are not UTF-8, or have a control character in them.
"""

from selsock.cores import posix, sys

MOST = 5000  # entries that are looked at
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # RFC 3986 §2.3
ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}


def list_directory(directory: int, path: str, top: bool) -> bytes:
    """The page, in UTF-8, for the open ``directory`` at the decoded ``path``; without a way up if it is the ``top``.

    Raises OSError.
    """
    names, more = read_names(directory)
    title = path.translate(ESCAPES)
    lines = [f"<!DOCTYPE html>\n<title>{title}</title>\n<h1>{title}</h1>\n<ul>\n".encode()]
    if not top:
        lines.append(b'<li><a href="../">../</a>\n')
    # Encoded one by one: as text, a single letter that is wide would make the whole page four times as large.
    lines += [f'<li><a href="{escape_path(name)}">{name.translate(ESCAPES)}</a>\n'.encode() for name in sorted(names)]
    lines.append(f"</ul>\n<p>There is more; only {MOST} entries were read.\n".encode() if more else b"</ul>\n")
    return b"".join(lines)


def read_names(directory: int) -> "tuple[list[str], bool]":
    """The names to list, those of directories with a slash behind them, and whether not all entries were read."""
    names: list[str] = []
    with posix.scandir(directory) as entries:
        for number, entry in enumerate(entries):
            if number == MOST:
                return names, True
            name = readable(entry.name)
            if not name or name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    names.append(name + "/")
                elif entry.is_file(follow_symlinks=False):
                    names.append(name)
            except OSError:
                continue  # of a kind that only stat() can tell, and that is denied: it could not be opened either
    return names, False


def readable(name: str) -> str:
    """``name``, which Python has decoded for the locale, as the UTF-8 that it is; "" if it can not be asked for."""
    try:
        text = name.encode(sys.getfilesystemencoding(), "surrogateescape").decode()
    except UnicodeDecodeError:
        return ""
    return "" if any(letter < " " or letter == "\x7f" for letter in text) else text


def escape_path(name: str) -> str:
    """``name`` as a relative reference (RFC 3986 §4.2): the colon is escaped, too, so that none begins with a scheme."""
    return "".join(
        letter if letter in UNRESERVED or letter == "/" else "".join(f"%{octet:02X}" for octet in letter.encode())
        for letter in name
    )
