"""A published rotated object detector (mmengine) becomes a folder of ours, verified."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tcm_hf.conversion.checkpoint_kinds import first_names, refuse_other_kinds
from tcm_hf.conversion.convert_tcm import stored_configuration
from tcm_hf.conversion.filling import UNCHECKED, Converted, filled, in_words_of
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_rotated import (
    IGNORABLE_FOR_ROTATED_CHECKPOINTS,
    SIGNS,
    rotated_rules,
)
from tcm_hf.conversion.keys_tcm import UNUSED
from tcm_hf.conversion.rotated_classes import class_prompts
from tcm_hf.conversion.rotated_processing import rotated_processing
from tcm_hf.conversion.rotated_sizes import rotated_fields
from tcm_hf.conversion.safe_loading import Checkpoint, load_checkpoint
from tcm_hf.conversion.tcm_settings import with_preset
from tcm_hf.conversion.tower_sizes import fit_positions
from tcm_hf.conversion.writing import write_converted
from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection

EXPECTED = (
    "rotated object detector of TCM: expected names of upstream (backbone.visual.…, neck.…, bbox_head.…) "
    "with the head of FCOS, ATSS or RetinaNet"
)


def convert_rotated(
    checkpoint: str | Path,
    folder: str | Path,
    preset: str | None = None,
    names: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    upstream_config: str | Path | None = None,
) -> Converted:
    """Converts a rotated object detector of TCM's code and writes it as a folder for `from_pretrained`.

    Head, parts and sizes are told by the tensors; what none tells by the configuration that mmengine stores
    beside them, which is parsed and not run, else the released values hold.

    Args:
        checkpoint: `.pth` of mmengine as it was saved, a bare state dict or safetensors, with upstream's
            names.
        folder: the folder to be; must not exist, or be empty. It appears only when everything is verified.
        preset: name of the published detector that it should be: parts and sizes are then compared with it.
        names: of the classes, in their order, where the checkpoint does not say them and they are not DOTA's.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`; needed only for other
            names than DOTA's.
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
    converted = load_rotated(read, preset, names, vocabulary, upstream_config)
    configuration = stored_configuration(read.meta, upstream_config)
    return write_converted(converted, read, lambda: rotated_processing(configuration), folder)


def load_rotated(
    checkpoint: str | Path | Checkpoint,
    preset: str | None = None,
    names: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    upstream_config: str | Path | None = None,
) -> Converted:
    """As [`convert_rotated`], without writing anything; also takes a checkpoint that is read already."""
    read = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
    source, stored = str(read.path), stored_configuration(read.meta, upstream_config)["model"]
    detector = _kind(read.tensors, source)
    renamed = apply_rules(read.tensors, rotated_rules(detector), IGNORABLE_FOR_ROTATED_CHECKPOINTS)
    with in_words_of(renamed, source):
        told, num_classes = rotated_fields(renamed.tensors, detector, stored)
        data_set = read.meta.get("dataset_meta", {})
        prompts = class_prompts(told, num_classes, data_set, names, vocabulary)
        settings: dict[str, Any] = (
            told if preset is None else with_preset(told, preset, TCMRotatedDetectionConfig)
        )
        classes = {"id2label": dict(enumerate(prompts.names)), "prompt_token_ids": prompts.token_ids}
        config = TCMRotatedDetectionConfig(**settings | classes)
    notes = {"classes": prompts.note}
    if resized := fit_positions(renamed.tensors, config):
        notes["positions"] = resized
    if preset is None and not stored:
        notes["completeness"] = UNCHECKED
    converted = filled(TCMForRotatedObjectDetection, config, renamed, source, UNUSED)
    converted.notes = notes
    return converted


def _kind(tensors: Mapping[str, torch.Tensor], source: str) -> str:
    """Our `head_type`; raises ValueError if it is something else."""
    refuse_other_kinds(tensors, "rotated", EXPECTED, source)
    for sign, head_type in SIGNS.items():
        if sign in tensors:
            return head_type
    raise ValueError(f"{source} is no {EXPECTED}, got {first_names(list(tensors))}.")


__all__ = ["convert_rotated", "load_rotated"]
