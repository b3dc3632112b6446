# SPDX-License-Identifier: Apache-2.0
"""Templates into text.  Only what was checked may enter one: Jinja2 knows nothing of the quoting of units or CIL.

A bare ``str`` is refused at the point of output; what comes through is a name of ``selsock.names``, a level, a whole
number, or a text that this module has made itself.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import jinja2

from selsock import __version__
from selsock.errors import EXIT_GONE, EXIT_REFUSED
from selsock.generate.faults import MachineFault
from selsock.mls.levels import Level, runs
from selsock.names import AbsolutePath, Name

# Beside the package, in a checkout and where it is installed (/usr/lib/selsock/RELEASE); else where pip puts them.  Never
# the current directory: whoever could write there would write the policy.
TEMPLATES = (Path(__file__).parents[2], Path(sys.prefix, "share", "selsock"))

# Of the exit statuses that are ordinary.
MEANINGS = {
    EXIT_REFUSED: "the request was refused: a 4xx, 501 or 505 was sent, or 503 to one too many",
    EXIT_GONE: "the peer left, or was too slow",
}


class Rendered(str):
    """A text that this module made of checked parts."""

    __slots__ = ()


def template_directory() -> Path:
    """The directory that holds ``units`` and ``policy``.  Raises MachineFault."""
    for path in TEMPLATES:
        if (path / "policy" / "tenants.cil.j2").is_file():
            return path
    raise MachineFault(f"no templates in {' or '.join(map(str, TEMPLATES))}: is selsock installed?")


def checked(value: object) -> object:
    """``value``, if it may stand in an output.  Raises TypeError: a template used what nobody looked at."""
    if isinstance(value, (Name, Level, Rendered)) or type(value) is int:
        return value
    raise TypeError(f"a template may not print {value!r} of {type(value).__name__}")


def environment() -> jinja2.Environment:
    """The templates, with the settings that systemd's own build uses and ``checked`` at every output."""
    # Neither a unit nor CIL is HTML: escaping would spoil them.  ``checked`` is what protects them.
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_directory()),
        undefined=jinja2.StrictUndefined,
        finalize=checked,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    made.filters["cil_level"] = cil_level
    made.filters["pattern"] = pattern
    made.globals["version"] = Rendered(__version__)
    made.globals["ordinary_exits"] = [(status, Rendered(meaning)) for status, meaning in MEANINGS.items()]
    return made


def cil_level(level: Level) -> Rendered:
    """``level`` as CIL writes it: ``(s0)``, ``(s0 (c1 c5))``, ``(s0 ((range c0 c3) c7))``."""
    sensitivity = level.partition(":")[0]
    parts: list[str] = []
    for first, last in runs(sorted(level.categories())):
        if last - first > 1:
            parts.append(f"(range c{first} c{last})")
        else:
            parts += [f"c{number}" for number in range(first, last + 1)]
    return Rendered(f"({sensitivity} ({' '.join(parts)}))" if parts else f"({sensitivity})")


def pattern(path: AbsolutePath) -> Rendered:
    """``path`` as a regular expression of file_contexts(5) that matches it alone."""
    return Rendered(path.replace(".", "\\.").replace("+", "\\+"))


def render(name: str, values: dict[str, object]) -> str:
    """The template ``name`` filled with ``values``.  Raises TypeError and jinja2.TemplateError: defects, all."""
    return environment().get_template(name).render(values)


def with_generation(text: str) -> tuple[str, str]:
    """``text`` of CIL with a type that names it added at its end, and that name, 16 hexadecimal digits of its hash.

    The table carries the same name, and the handler serves only when the loaded policy has the type: so table and
    policy can not come from different runs.  Comments and blank lines do not count: a release that changes nothing but
    the version in the header needs no policy to be loaded.
    """
    lines = (line for line in text.split("\n") if line.strip() and not line.lstrip().startswith(";"))
    generation = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    name = f"selsock_generation_{generation}"
    return f"{text}(type {name})\n(roletype object_r {name})\n", generation
