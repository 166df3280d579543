"""Sharing: a folder with the code beside the weights, cards from measurements, what is sent to the Hub."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tcm_hf.hub.code_beside_weights import save_with_code
    from tcm_hf.hub.pushing import push_folder

__all__ = ["push_folder", "save_with_code"]

# Cards are written where no model is needed: whoever wants one shall not load all the networks.
_FILES = {"push_folder": "tcm_hf.hub.pushing", "save_with_code": "tcm_hf.hub.code_beside_weights"}


def __getattr__(name: str) -> Any:
    """The two public functions, from their files."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FILES[name]), name)
