# SPDX-License-Identifier: Apache-2.0
"""Compile the handler for the Python that runs this, into one file.  Usage: python3 -Xno_debug_ranges freeze.py CODE [DESTDIR]

CODE is the directory of a release, beneath DESTDIR if that is given.  Written is CODE/handler.TAG, with the TAG of this
Python (``sys.implementation.cache_tag``): marshalled, the code of frozen.py, and a dict from a module's name to (whether it
is a package, its code, marshalled in turn, so that only what is imported is unmarshalled).  libexec/selsock/serve reads it.

Docstrings are left out, and so would be assert statements, of which the handler has none.
"""

import marshal
import sys
from pathlib import Path

IMPORTER = Path(__file__).with_name("frozen.py")


def freeze(code: Path, destdir: Path) -> bytes:
    """The content of the file for the release ``code``.  Raises OSError, SyntaxError."""
    root = destdir / code.relative_to("/")
    modules: dict[str, tuple[bool, bytes]] = {}
    for path in sorted([*root.glob("selsock/*.py"), *root.glob("selsock/handler/**/*.py")]):
        module = path.relative_to(root).with_suffix("")
        package = module.name == "__init__"
        name = ".".join(module.parent.parts if package else module.parts)
        # Tracebacks are to name the file as it is installed.
        compiled = compile(path.read_bytes(), "/" / path.relative_to(destdir), "exec", dont_inherit=True, optimize=2)
        modules[name] = package, marshal.dumps(compiled)
    importer = compile(IMPORTER.read_bytes(), IMPORTER.name, "exec", dont_inherit=True, optimize=2)
    return marshal.dumps((importer, modules))


def main(code: str, destdir: str = "/") -> None:
    """Write the file."""
    directory = Path(destdir) / Path(code).relative_to("/")
    file = directory / f"handler.{sys.implementation.cache_tag}"
    beside = file.with_suffix(".new")
    beside.write_bytes(freeze(Path(code), Path(destdir)))
    beside.rename(file)  # connections may be starting


if __name__ == "__main__":
    main(*sys.argv[1:])
