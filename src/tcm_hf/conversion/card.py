"""README.md of converted models: where they come from and what was done; nothing that was not measured."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel

from tcm_hf._version import __version__
from tcm_hf.conversion.clip_sources import ClipSource
from tcm_hf.conversion.key_report import KeyReport
from tcm_hf.conversion.safe_loading import Checkpoint
from tcm_hf.conversion.shown_text import one_line

CARD = """---
library_name: transformers
pipeline_tag: {pipeline_tag}
tags:
- {task}
- {field}
- {model_type}
---

# {title}

{origin}

| | |
|--|--|
{rows}

```python
import tcm_hf
from transformers import pipeline

{example}
```

All tensors, and the output for a seeded image, were compared before and after saving. No accuracy was
measured.

## Licence

The weights keep the licence of their source. A file of weights does not tell it: look it up before you
share them.
"""

PUBLISHED = "A published CLIP4STR checkpoint (arXiv 2305.14014) in the format of Transformers."
PUBLISHED_TCM = (
    "A checkpoint of the code released with TCM (arXiv 2302.14338) and FastTCM (arXiv 2308.10408) in the "
    "format of Transformers."
)
METHODS = {"tcm": "TCM, ", "fasttcm": "FastTCM, ", "baseline": ""}


class Task(NamedTuple):
    """What a model is for: our pipeline, the Hub's name for it, what it is called, and its field."""

    pipeline: str
    hub: str
    kind: str
    field: str = "ocr"


TASKS = {
    "clip4str": Task("text-recognition", "image-to-text", "text recogniser"),
    "tcm": Task("text-detection", "object-detection", "text detector"),
    "tcm_spotting": Task("text-spotting", "image-to-text", "text spotter"),
    "tcm_rotated": Task(
        "rotated-object-detection", "object-detection", "detector of rotated objects", "remote-sensing"
    ),
}
"""By `model_type`."""
START = (
    "A starting point for training: the towers are CLIP's, everything else has fresh random weights. It "
    "neither finds nor reads text yet."
)
NORMALIZATIONS = {
    "clip": "normalised with CLIP's statistics, as in training",
    "half": "normalised with mean and deviation 0.5, as in the original's test script",
}
QUICK_GELU = "quick_gelu, as in the original, whatever its CLIP was trained with"


def clip4str_card(
    model: PreTrainedModel, checkpoint: Checkpoint, report: KeyReport, normalization: str
) -> str:
    """Card of a converted CLIP4STR checkpoint."""
    rows = _source_rows(checkpoint.path.name, checkpoint.kind, model, report)
    rows |= _recognizer_rows(model, normalization) | {"activation": QUICK_GELU}
    if checkpoint.settings:
        rows["settings in the checkpoint"] = ", ".join(sorted(checkpoint.settings))
    return _card(model, "CLIP4STR", PUBLISHED, rows)


def converted_card(
    model: PreTrainedModel, checkpoint: Checkpoint, report: KeyReport, notes: Mapping[str, str]
) -> str:
    """Card of a converted checkpoint of TCM's code; `notes` tells what is known of it, and how."""
    rows = _source_rows(checkpoint.path.name, checkpoint.kind, model, report)
    config = model.config
    rows |= {
        "method": config.method,
        "head": config.head_config.head_type,
        "image tower": config.image_tower_config.tower_type,
        **notes,
    }
    if iterations := checkpoint.meta.get("iter"):
        rows["trained for"] = f"{iterations} iterations"
        if epochs := checkpoint.meta.get("epoch"):
            rows["trained for"] += f", {epochs} epochs"
    kind = TASKS[config.model_type].kind
    title = f"{METHODS[config.method]}{kind}" if METHODS[config.method] else kind.capitalize()
    return _card(model, title, PUBLISHED_TCM, rows)


def clip_start_card(model: PreTrainedModel, source: ClipSource, report: KeyReport) -> str:
    """Card of a model that starts from CLIP."""
    name = Path(source.name).name if Path(source.name).exists() else source.name
    rows = _source_rows(name, source.kind, model, report)
    rows["activation"] = f"{source.activation} ({source.activation_reason})"
    if model.config.model_type == "clip4str":
        return _card(model, "CLIP4STR from CLIP", START, rows | _recognizer_rows(model, "clip"))
    return _card(model, "TCM from CLIP", START, rows | {"method": model.config.method})


def _source_rows(source: str, kind: str, model: PreTrainedModel, report: KeyReport) -> dict[str, str]:
    return {
        "source": f"`{source}` ({kind})",
        "written by": f"tcm_hf {__version__}, `tcm-hf convert`",
        "tensors": report.summary(),
        "parameters": f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} M",
    }


def _recognizer_rows(model: PreTrainedModel, normalization: str) -> dict[str, str]:
    height, width = model.config.image_size_hw
    return {
        "image": f"{height}x{width}, stretched, {NORMALIZATIONS[normalization]}",
        "characters": f"{len(model.config.charset)}, words of at most {model.config.max_label_length}",
    }


def _card(model: PreTrainedModel, title: str, origin: str, rows: dict[str, str]) -> str:
    task = TASKS[model.config.model_type]
    return CARD.format(
        pipeline_tag=task.hub,
        task=task.pipeline,
        field=task.field,
        model_type=model.config.model_type,
        title=title,
        origin=origin,
        rows="\n".join(f"| {name} | {_cell(value)} |" for name, value in rows.items()),
        example=f'pipe = pipeline("{task.pipeline}", model="PATH_OF_THIS_FOLDER")\nprint(pipe("image.jpg"))',
    )


def _cell(value: str) -> str:
    """A value, some of which come from foreign files, as it must be spelled in a cell of a table."""
    return re.sub(r"[\\|\[]", r"\\\g<0>", one_line(value)).replace("<", "&lt;")


__all__ = ["clip4str_card", "clip_start_card", "converted_card"]
