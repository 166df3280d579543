"""A published TCM checkpoint (mmocr 0.x) becomes a folder of ours: model, processor and card, verified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError

from tcm_hf.conversion.card import tcm_card
from tcm_hf.conversion.key_report import KeyReport, first_problems, fit_tensors
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_tcm import (
    ABSENT_FROM_BASELINE,
    IGNORABLE_FOR_TCM_CHECKPOINTS,
    SIGNS,
    UNUSED,
    tcm_rules,
)
from tcm_hf.conversion.mmcv_config import read_mmcv_config, read_mmcv_file
from tcm_hf.conversion.original_names import in_original_names
from tcm_hf.conversion.safe_loading import Checkpoint, load_checkpoint
from tcm_hf.conversion.saving import save_converted
from tcm_hf.conversion.tcm_processing import told_processing
from tcm_hf.conversion.tcm_settings import prompt_settings, with_preset
from tcm_hf.conversion.tcm_sizes import told_settings
from tcm_hf.conversion.tower_sizes import fit_positions
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

VERIFIED_IMAGE_HW = (96, 160)

MISTAKEN = {
    "clip_model.": "a CLIP4STR checkpoint: use `tcm-hf convert clip4str`",
    "testr.": "a text spotter, which this package has not",
    "backbone.visual.": "a detector of rotated objects, which this package has not",
    "model.image_tower.": "a model of this package already: load it with from_pretrained",
}
"""What names of a checkpoint begin with -> what it is, where it is no TCM detector."""

CLIP_STARTS, CLIP_MEANING = ("visual.", "vision_model."), "CLIP weights: use `tcm-hf convert clip --to tcm`"
"""The same of what has no head; a single such name in a detector is an unknown name."""

IMAGENET_STEM, IMAGENET_STEM_SIZE = "backbone.conv1.weight", 7
IMAGENET_MEANING = "a detector on an ImageNet ResNet, which has no converter: TCM's has CLIP's ResNet or ViT"

UNCHECKED = "no configuration stored: completeness unchecked; give --preset or --config"
"""That whole layers or optional parts are missing, no tensor shows."""

FRESH = {r".+\.num_batches_tracked": "a counter of training steps"}


@dataclass
class ConvertedTCM:
    """A checkpoint as a model of ours.

    Args:
        model: the model, in eval mode.
        report: which tensors were taken and which left out.
        notes: what is known of it, and how, for people: prompt, positions, image processing.
    """

    model: TCMForTextDetection
    report: KeyReport
    notes: dict[str, str] = field(default_factory=dict)


def convert_tcm(
    checkpoint: str | Path,
    folder: str | Path,
    preset: str | None = None,
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    upstream_config: str | Path | None = None,
) -> ConvertedTCM:
    """Converts a TCM or FastTCM checkpoint and writes it as a folder that `from_pretrained` loads.

    Detector (DBNet, PAN, FCENet, SegNet), image tower, parts and sizes are told by the tensors; what none
    tells (heads, prompts) by the configuration that mmcv stores beside them, which is parsed and not run.

    Args:
        checkpoint: `.pth` of mmocr 0.x (with optimizer and data-parallel prefixes, as it was saved), a bare
            state dict or safetensors, with upstream's names.
        folder: the folder to be; must not exist, or be empty. It appears only when everything is verified.
        preset: name of the published detector that it should be: parts and sizes are then compared with it,
            it gives the settings of the image processor, and position tables are brought to its size.
        prompts: class prompts, where the checkpoint does not say them and they are not the released one.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`; needed only for prompts
            that are not of the released configurations.
        upstream_config: the configuration file that the checkpoint was trained with, where it does not carry
            it; `.py` (parsed and not run) or `.json`.

    Returns:
        The model as it was saved, and the report of the tensors.

    Raises:
        OSError: if there is no such file, or there is something in the folder.
        ValueError: if it is no such checkpoint or conflicts with the preset; `KeyMismatchError` names every
            tensor that does not fit.
        ImportError: if CLIP's vocabulary is needed and not installed.
    """
    read = load_checkpoint(checkpoint)
    configuration = stored_configuration(read.meta, upstream_config)
    source = str(read.path)
    converted = detector_of(read.tensors, configuration["model"], preset, prompts, vocabulary, source)
    try:
        told = told_processing(converted.model.config, configuration, preset)
    except ValueError as error:
        raise ValueError(f"{source} cannot be converted: {error}") from error
    converted.notes["image processing"] = told.note
    card = tcm_card(converted.model, read, converted.report, converted.notes)
    save_converted(converted.model, told.processor, card, folder, VERIFIED_IMAGE_HW)
    return converted


def load_tcm(
    checkpoint: str | Path | Checkpoint,
    preset: str | None = None,
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    upstream_config: str | Path | None = None,
) -> ConvertedTCM:
    """As [`convert_tcm`], without writing anything; also takes a checkpoint that is read already."""
    read = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
    stored = stored_model(read.meta, upstream_config)
    return detector_of(read.tensors, stored, preset, prompts, vocabulary, str(read.path))


def stored_configuration(
    meta: Mapping[str, Any], upstream_config: str | Path | None = None
) -> dict[str, Any]:
    """Upstream's configuration, from what mmcv stores beside the weights.

    Args:
        meta: what the checkpoint carries.
        upstream_config: a configuration file to read instead.

    Returns:
        Its plain variables. `model` is always among them, and empty where nothing is stored.

    Raises:
        OSError: if there is no such file.
        ValueError: if it describes no model.
    """
    if upstream_config is not None:
        variables = read_mmcv_file(upstream_config)
        model = variables.get("model", variables.get("model_config"))
        if not isinstance(model, dict):
            raise ValueError(f"{upstream_config} must describe a model (`model = dict(…)`): it does not.")
        return variables | {"model": model}
    config = meta.get("config")
    variables = read_mmcv_config(config) if isinstance(config, str) else {}
    model = variables.get("model")
    # What our own export adds: ids need no vocabulary.
    ours = {name: meta[name] for name in ("prompt_token_ids",) if name in meta}
    return variables | {"model": (model if isinstance(model, dict) else {}) | ours}


def stored_model(meta: Mapping[str, Any], upstream_config: str | Path | None = None) -> dict[str, Any]:
    """Upstream's settings of the model, see `stored_configuration`."""
    return stored_configuration(meta, upstream_config)["model"]


def detector_of(
    tensors: Mapping[str, torch.Tensor],
    stored: Mapping[str, Any],
    preset: str | None = None,
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    source: str = "the state dict",
) -> ConvertedTCM:
    """A detector of upstream's tensors.

    Args:
        tensors: tensors by upstream's names.
        stored: upstream's settings of the model (`model` of its configuration), or nothing.
        preset: see `convert_tcm`.
        prompts: see `convert_tcm`.
        vocabulary: see `convert_tcm`.
        source: where the tensors come from, for errors.

    Raises:
        ValueError: as `convert_tcm`.
    """
    tower, detector = _kind(tensors, source)
    renamed = apply_rules(tensors, tcm_rules(tower, detector), IGNORABLE_FOR_TCM_CHECKPOINTS)
    notes = {}
    try:
        told, num_classes = told_settings(renamed.tensors, tower, detector, stored)
        token_ids, notes["prompt"] = prompt_settings(told, num_classes, stored, prompts, vocabulary)
        settings = told if preset is None else with_preset(told, preset)
        config = TCMConfig(**settings | {"prompt_token_ids": token_ids})
    except (ValueError, StrictDataclassError) as error:
        reason = in_original_names(str(error).rstrip("."), renamed.rules)
        raise ValueError(f"{source} cannot be converted: {reason}.{first_problems(renamed)}") from error
    if resized := fit_positions(renamed.tensors, config):
        notes["positions"] = resized
    if preset is None and not stored.keys() - {"prompt_token_ids"}:
        notes["completeness"] = UNCHECKED
    model = TCMForTextDetection(config).eval()
    absent = UNUSED | (ABSENT_FROM_BASELINE if config.method == "baseline" else {})
    state, report = fit_tensors(renamed, model.state_dict(), source, FRESH, absent)
    model.load_state_dict(state)
    return ConvertedTCM(model, report, notes)


def _kind(tensors: Mapping[str, torch.Tensor], source: str) -> tuple[str, str]:
    """Our types of image tower and head.

    Raises:
        ValueError: if it is something else.
    """
    detector = next((kind for sign, kind in SIGNS.items() if sign in tensors), None)
    for start, meaning in MISTAKEN.items():
        if any(name.startswith(start) for name in tensors):
            raise ValueError(f"{source} is {meaning}.")
    if detector is None and any(name.startswith(CLIP_STARTS) for name in tensors):
        raise ValueError(f"{source} is {CLIP_MEANING}.")
    if (stem := tensors.get(IMAGENET_STEM)) is not None and stem.shape[-1:] == (IMAGENET_STEM_SIZE,):
        raise ValueError(f"{source} is {IMAGENET_MEANING}.")
    if detector is None or not any(name.startswith("backbone.") for name in tensors):
        some = ", ".join(sorted(tensors)[:4])
        raise ValueError(
            f"{source} is no TCM detector: expected names of upstream (backbone.…, neck.…, bbox_head.…) with "
            f"the head of DBNet, PAN, FCENet or SegNet, got {some}, …"
        )
    return "clip_vit" if "backbone.class_embedding" in tensors else "clip_resnet", detector


__all__ = ["ConvertedTCM", "convert_tcm", "detector_of", "load_tcm", "stored_configuration", "stored_model"]
