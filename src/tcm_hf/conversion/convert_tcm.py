"""A published TCM checkpoint (mmocr 0.x) becomes a folder of ours: model, processor and card, verified."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tcm_hf.conversion.checkpoint_kinds import first_names, refuse_other_kinds
from tcm_hf.conversion.filling import UNCHECKED, Converted, filled, in_words_of
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_tcm import (
    ABSENT_FROM_BASELINE,
    IGNORABLE_FOR_TCM_CHECKPOINTS,
    SIGNS,
    UNUSED,
    tcm_rules,
)
from tcm_hf.conversion.mmcv_config import read_mmcv_config, read_mmcv_file
from tcm_hf.conversion.safe_loading import Checkpoint, load_checkpoint
from tcm_hf.conversion.tcm_processing import told_processing
from tcm_hf.conversion.tcm_settings import prompt_settings, with_preset
from tcm_hf.conversion.tcm_sizes import told_settings
from tcm_hf.conversion.tower_sizes import fit_positions
from tcm_hf.conversion.writing import write_converted
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

IMAGENET_STEM, IMAGENET_STEM_SIZE = "backbone.conv1.weight", 7
IMAGENET_MEANING = "a detector on an ImageNet ResNet, which has no converter: TCM's has CLIP's ResNet or ViT"


def convert_tcm(
    checkpoint: str | Path,
    folder: str | Path,
    preset: str | None = None,
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    upstream_config: str | Path | None = None,
) -> Converted:
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
    return write_converted(
        converted, read, lambda: told_processing(converted.model.config, configuration, preset), folder
    )


def load_tcm(
    checkpoint: str | Path | Checkpoint,
    preset: str | None = None,
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    upstream_config: str | Path | None = None,
) -> Converted:
    """As [`convert_tcm`], without writing anything; also takes a checkpoint that is read already."""
    read = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
    stored = stored_model(read.meta, upstream_config)
    return detector_of(read.tensors, stored, preset, prompts, vocabulary, str(read.path))


def stored_configuration(
    meta: Mapping[str, Any], upstream_config: str | Path | None = None
) -> dict[str, Any]:
    """Upstream's configuration, from what mmcv (`config`) or mmengine (`cfg`) stores beside the weights.

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
    config = meta.get("config", meta.get("cfg"))
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
) -> Converted:
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
    with in_words_of(renamed, source):
        told, num_classes = told_settings(renamed.tensors, tower, detector, stored)
        token_ids, notes["prompt"] = prompt_settings(told, num_classes, stored, prompts, vocabulary)
        settings = told if preset is None else with_preset(told, preset)
        config = TCMConfig(**settings | {"prompt_token_ids": token_ids})
    if resized := fit_positions(renamed.tensors, config):
        notes["positions"] = resized
    if preset is None and not stored.keys() - {"prompt_token_ids"}:
        notes["completeness"] = UNCHECKED
    absent = UNUSED | (ABSENT_FROM_BASELINE if config.method == "baseline" else {})
    converted = filled(TCMForTextDetection, config, renamed, source, absent)
    converted.notes = notes
    return converted


def _kind(tensors: Mapping[str, torch.Tensor], source: str) -> tuple[str, str]:
    """Our types of image tower and head.

    Raises:
        ValueError: if it is something else.
    """
    expected = (
        "TCM detector: expected names of upstream (backbone.…, neck.…, bbox_head.…) with the head of DBNet, "
        "PAN, FCENet or SegNet"
    )
    if (stem := tensors.get(IMAGENET_STEM)) is not None and stem.shape[-1:] == (IMAGENET_STEM_SIZE,):
        raise ValueError(f"{source} is {IMAGENET_MEANING}.")
    refuse_other_kinds(tensors, "tcm", expected, source)
    detector = next((kind for sign, kind in SIGNS.items() if sign in tensors), None)
    if detector is None or not any(name.startswith("backbone.") for name in tensors):
        raise ValueError(f"{source} is no {expected}, got {first_names(list(tensors))}.")
    return "clip_vit" if "backbone.class_embedding" in tensors else "clip_resnet", detector


__all__ = ["convert_tcm", "detector_of", "load_tcm", "stored_configuration", "stored_model"]
