"""All targets by name; a module is imported when one of its targets is asked for: some need torch."""

from importlib import import_module

from fuzzing.target import Target

__all__ = ["NAMES", "load_target", "modules_of"]

# Which packages steer the search has to be known before anything of them is imported.
_MODULES: dict[str, tuple[str, tuple[str, ...]]] = {
    "pictures": ("pictures", ("tcm_hf", "PIL")),
    "picture-headers": ("pictures", ("tcm_hf", "PIL")),
    "uploads": ("pictures", ("tcm_hf", "PIL")),
    "annotations": ("annotations", ("tcm_hf",)),
    "recognisers": ("annotations", ("tcm_hf",)),
    "matlab-files": ("annotations", ("tcm_hf", "scipy.io")),
    "mmcv-configurations": ("configurations", ("tcm_hf",)),
    "yaml-configurations": ("configurations", ("tcm_hf", "yaml")),
    "result-files": ("result_files", ("tcm_hf",)),
    "interrupted-runs": ("result_files", ("tcm_hf",)),
    "dota-task1": ("result_files", ("tcm_hf",)),
    "checkpoint-files": ("checkpoints", ("tcm_hf",)),
    "checkpoint-pickles": ("checkpoints", ("tcm_hf",)),
}
NAMES = tuple(_MODULES)


def modules_of(name: str) -> tuple[str, ...]:
    """The packages whose branches steer the search."""
    return _MODULES[name][1]


def load_target(name: str) -> Target:
    """The target of a name."""
    module = import_module(f"fuzzing.{_MODULES[name][0]}")
    return next(target for target in module.TARGETS if target.name == name)
