"""README.md of an export: what it was made from, its programs, and how each runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import ModelCardData

from tcm_hf._version import __version__
from tcm_hf.export.formats import FORMATS
from tcm_hf.hub.cards import table
from tcm_hf.hub.folders import kind_of

if TYPE_CHECKING:
    from tcm_hf.export.folders import ExportedFile

_ABOUT = """\
{what}, exported by tcm_hf {version} from `{source}`: the same model without PyTorch's weights. Its numbers
and its licence are those of what it was made from.
"""


def export_card(folder: Path, source: str, name: Path, files: list[ExportedFile]) -> str:
    """The card of one model.

    Args:
        folder: Holds its configuration and the exported programs.
        source: What was exported.
        name: What the folder will be called.
        files: Its programs.
    """
    kind = kind_of(folder)
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag=kind.hub_task,
        tags=[*kind.tags, *dict.fromkeys(file.format for file in files)],
    )
    rows = [(f"`{file.path}`", f"{file.num_bytes / 1e6:.1f} MB", _difference(file)) for file in files]
    formats = dict.fromkeys(file.format for file in files)
    examples = (FORMATS[one].example.format(task=kind.task, folder=name.name) for one in formats)
    parts = [
        f"---\n{data.to_yaml()}\n---\n",
        f"# {name.name}\n",
        _ABOUT.format(what=kind.what, version=__version__, source=source),
        table(("program", "size", "largest difference from PyTorch"), rows),
        *(f"```python\n{example}\n```\n" for example in examples),
    ]
    return "\n".join(parts)


def _difference(file: ExportedFile) -> str:
    return "not equal: measure it" if file.difference is None else f"{file.difference:.0e}"
