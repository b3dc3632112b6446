# SPDX-License-Identifier: Apache-2.0
"""Compile the handler for the Python that runs this, into one file.  Usage: python3 -Xno_debug_ranges freeze.py CODE [DESTDIR]

CODE is the directory of a release, beneath DESTDIR if that is given.  Written is CODE/handler.TAG, with the TAG of this
Python (``sys.implementation.cache_tag``): a marshalled dict from a module's name to (whether it is a package, its code,
marshalled in turn, so that only what is imported is unmarshalled).  libexec/selsock/serve imports from it.

Docstrings are left out, and so would be assert statements, of which the handler has none.
"""

import marshal
import sys
from pathlib import Path


def freeze(code: Path, destdir: Path) -> dict[str, tuple[bool, bytes]]:
    """The modules of the release ``code`` that a connection may import, by name.  Raises OSError, SyntaxError."""
    root = destdir / code.relative_to("/")
    modules: dict[str, tuple[bool, bytes]] = {}
    for path in sorted([*root.glob("selsock/*.py"), *root.glob("selsock/handler/**/*.py")]):
        module = path.relative_to(root).with_suffix("")
        package = module.name == "__init__"
        name = ".".join(module.parent.parts if package else module.parts)
        # Tracebacks are to name the file as it is installed.
        compiled = compile(path.read_bytes(), "/" / path.relative_to(destdir), "exec", dont_inherit=True, optimize=2)
        modules[name] = package, marshal.dumps(compiled)
    return modules


def main(code: str, destdir: str = "/") -> None:
    """Write the file."""
    directory = Path(destdir) / Path(code).relative_to("/")
    modules = freeze(Path(code), Path(destdir))
    (directory / f"handler.{sys.implementation.cache_tag}").write_bytes(marshal.dumps(modules))


if __name__ == "__main__":
    main(*sys.argv[1:])
