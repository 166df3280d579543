"""Run a function when a module has been imported, now or later; standard library only.

transformers has no entry points for third-party models, and registering eagerly would make `import tcm_hf`
load torch and every Auto class. So `tcm_hf` registers each part when the module of transformers that holds
the registry is imported, and at once where that has happened already.
"""

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def after_import(module_name: str, action: Callable[[], None]) -> None:
    """Calls `action` once, after `module_name` is imported.

    Args:
        module_name: full name of the awaited module.
        action: called without arguments.
    """
    module = sys.modules.get(module_name)
    if module is None or getattr(module.__spec__, "_initializing", False):
        sys.meta_path.insert(0, _AfterImport(module_name, action))
    else:
        action()


class _AfterImport(MetaPathFinder):
    """Finds one module with the other finders and lends its loader a last step."""

    def __init__(self, module_name: str, action: Callable[[], None]):
        self.module_name = module_name
        self.action = action
        self._is_asking_others = False

    def find_spec(self, fullname: str, path=None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of the awaited module, with a loader that runs the action; None for all others."""
        if fullname != self.module_name or self._is_asking_others:
            return None
        self._is_asking_others = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._is_asking_others = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec


class _Loader(Loader):
    """Another loader, followed by an action; everything else (source, resources) is the other's."""

    def __init__(self, loader: Loader, finder: _AfterImport):
        self.loader = loader
        self.finder = finder

    def __getattr__(self, name: str):
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """What the other loader makes."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module, then the action; a module that fails is awaited again."""
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
            self.finder.action()
