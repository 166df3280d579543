"""README.md of converted models: where they come from and what was done; nothing that was not measured."""

from collections.abc import Mapping
from pathlib import Path

from transformers import PreTrainedModel

from tcm_hf._version import __version__
from tcm_hf.conversion.clip_sources import ClipSource
from tcm_hf.conversion.key_report import KeyReport
from tcm_hf.conversion.safe_loading import Checkpoint
from tcm_hf.conversion.shown_text import one_line
from tcm_hf.hub.cards import Card
from tcm_hf.hub.kinds import OF_MODEL_TYPE

NOTES = "All tensors, and the output for a seeded image, were compared before and after saving."
LICENCE = (
    "The weights keep the licence of their source. A file of weights does not tell it: look it up before\n"
    "you share them."
)
PUBLISHED = "A published CLIP4STR checkpoint (arXiv 2305.14014) in the format of Transformers."
PUBLISHED_TCM = (
    "A checkpoint of the code released with TCM (arXiv 2302.14338) and FastTCM (arXiv 2308.10408) in the "
    "format of Transformers."
)
METHODS = {"tcm": "TCM, ", "fasttcm": "FastTCM, ", "baseline": ""}
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
    kind = OF_MODEL_TYPE[config.model_type].noun
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
    card = Card(
        OF_MODEL_TYPE[model.config.model_type],
        title,
        model="PATH_OF_THIS_FOLDER",
        about=origin,
        # Some of the values come from foreign files.
        rows={name: one_line(value) for name, value in rows.items()},
        notes=NOTES,
        licence_text=LICENCE,
    )
    return card.text()


__all__ = ["clip4str_card", "clip_start_card", "converted_card"]
