# SPDX-License-Identifier: Apache-2.0
"""The importer of the handler's modules.  Run by libexec/selsock/serve, in whose ``modules`` they are."""

import marshal
import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery has it from there, and would be files to read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    modules: dict[str, tuple[bool, bytes]] = {}


class Frozen:
    """A finder and loader (importlib.abc) of ``modules``: name to whether it is a package, and its marshalled code."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The specification of a module of ours; None for any other."""
        found = modules.get(name)
        return ModuleSpec(name, self, is_package=found[0]) if found else None  # type: ignore[arg-type]  # no base class

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary one."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code, and forget it: it is run once."""
        exec(marshal.loads(modules.pop(module.__name__)[1]), module.__dict__)  # noqa: S102 - importing is that


sys.meta_path.insert(0, Frozen())
