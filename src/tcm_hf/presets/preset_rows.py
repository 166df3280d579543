"""The presets as rows of a table: what they are, read from their settings; imports nothing heavy."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from tcm_hf.modeling.presets_clip4str import PRESETS as RECOGNIZER_PRESETS
from tcm_hf.modeling.presets_rotated import PRESETS as ROTATED_PRESETS
from tcm_hf.modeling.presets_spotting import PRESETS as SPOTTER_PRESETS
from tcm_hf.modeling.presets_tcm import PRESETS as DETECTOR_PRESETS
from tcm_hf.presets.published import DETECTORS, RECOGNIZERS, ROTATED_DETECTORS, SPOTTERS, Facts
from tcm_hf.processing.presets_image_processing import PRESETS as PROCESSOR_PRESETS
from tcm_hf.processing.presets_image_processing_spotting import PRESETS as SPOTTING_PROCESSOR_PRESETS

_METHODS = {"tcm": "TCM", "fasttcm": "FastTCM", "baseline": "plain"}
_HEADS = {
    "dbnet": "DBNet",
    "pan": "PAN",
    "fcenet": "FCENet",
    "segnet": "SegNet",
    "testr": "TESTR",
    "abcnet": "ABCNet",
    "deepsolo": "DeepSolo",
    "rotated_fcos": "rotated FCOS",
    "rotated_atss": "rotated ATSS",
    "rotated_retinanet": "rotated RetinaNet",
}
_TOWERS = {"clip_resnet": "CLIP ResNet-50", "resnet": "ResNet-50", "resnet_fpn": "ResNet-50 with FPN"}

_DOTA_TILE = "1024 x 1024"
"""Pictures of DOTA are cut into tiles; the image processor's defaults."""


class PresetRow(NamedTuple):
    """One preset."""

    name: str
    model: str
    """`TCM + PAN`, `CLIP4STR` …"""
    image_tower: str
    image_size: str
    """Bounds of the shorter and the longer side, or height and width, in pixels."""
    facts: Facts


def preset_rows(names: Iterable[str] | None = None) -> list[PresetRow]:
    """Rows of the presets: detectors, spotters, detectors of rotated objects, recognisers.

    Args:
        names: whose; None for all.
    """
    wanted = None if names is None else set(names)
    rows = [
        _detector_row(name, settings, _bounds(PROCESSOR_PRESETS[name]["size"]), DETECTORS[name])
        for name, settings in DETECTOR_PRESETS.items()
    ]
    rows += [
        _detector_row(name, settings, _bounds(SPOTTING_PROCESSOR_PRESETS[name]["size"]), SPOTTERS[name])
        for name, settings in SPOTTER_PRESETS.items()
    ]
    rows += [
        _detector_row(name, {"method": "tcm"} | settings, _DOTA_TILE, ROTATED_DETECTORS[name])
        for name, settings in ROTATED_PRESETS.items()
    ]
    rows += [_recognizer_row(name, settings) for name, settings in RECOGNIZER_PRESETS.items()]
    return [row for row in rows if wanted is None or row.name in wanted]


def _bounds(size: dict[str, int]) -> str:
    return f"{size['shortest_edge']} x {size['longest_edge']}"


def _detector_row(name: str, settings: dict[str, Any], image_size: str, facts: Facts) -> PresetRow:
    head = _HEADS[settings.get("head_config", {}).get("head_type", "dbnet")]
    method = _METHODS[settings["method"]]
    model = head if settings["method"] == "baseline" else f"{method} + {head}"
    return PresetRow(name, model, _detector_tower(settings.get("image_tower_config", {})), image_size, facts)


def _detector_tower(tower: dict[str, Any]) -> str:
    kind = tower.get("tower_type", "clip_resnet")
    if kind == "timm":
        return f"timm {tower['trunk']}" + (", narrow" if tower.get("trunk_options") else "")
    return _TOWERS[kind] if kind in _TOWERS else f"CLIP ViT-B/{tower['patch_size']}"


def _recognizer_row(name: str, settings: dict[str, Any]) -> PresetRow:
    adapter = settings.get("adapter_config")
    model = "CLIP4STR" if adapter is None else f"CLIP4STR, {adapter['adapter_type']} adapter"
    patches = settings.get("patch_embedding_config")
    if patches is not None:
        size_hw = patches["image_size_hw"]
        return PresetRow(name, model, "small, own", f"{size_hw[0]} x {size_hw[1]}", RECOGNIZERS[name])
    vision = settings.get("clip_config", {}).get("vision_config", {})
    letter = {768: "B", 1024: "L", 1280: "H"}[vision.get("hidden_size", 768)]
    tower = f"CLIP ViT-{letter}/{vision.get('patch_size', 16)}"
    return PresetRow(name, model, tower, "224 x 224", RECOGNIZERS[name])
