"""A published spotter (detectron2) becomes a folder of ours: model, processor and card, verified."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tcm_hf.conversion.checkpoint_kinds import refuse_other_kinds
from tcm_hf.conversion.clip_sizes import require, shape_of
from tcm_hf.conversion.detectron2_config import read_detectron2_config
from tcm_hf.conversion.filling import UNCHECKED, Converted, filled, in_words_of
from tcm_hf.conversion.key_rules import RenamedTensors, apply_rules
from tcm_hf.conversion.keys_tcm import UNUSED
from tcm_hf.conversion.mmcv_config import merged
from tcm_hf.conversion.safe_loading import Checkpoint, load_checkpoint
from tcm_hf.conversion.spotter_kinds import SPOTTERS, SpotterKind
from tcm_hf.conversion.spotter_processing import color_format, spotting_processing
from tcm_hf.conversion.spotter_settings import (
    Settings,
    characters_of,
    clip_section,
    section,
    stored_text_side,
    text_fields,
)
from tcm_hf.conversion.tcm_settings import prompt_settings, with_preset
from tcm_hf.conversion.tied_tensors import with_first_of_twins
from tcm_hf.conversion.tower_sizes import fit_positions
from tcm_hf.conversion.writing import write_converted
from tcm_hf.modeling.configuration_tcm_spotting import TCMSpottingConfig
from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting

MATCHING_STAGE = 2
"""Stride 16: `score_concat_index` is "res4" or "p4" in all that was released."""


def convert_spotter(
    kind: str,
    checkpoint: str | Path,
    folder: str | Path,
    preset: str | None = None,
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    upstream_config: str | Path | None = None,
    characters: str | None = None,
) -> Converted:
    """Converts a spotter of TCM's or FastTCM's code, or one without CLIP's text side that it started from.

    Parts and sizes are told by the tensors; what none tells (queries, heads, thresholds) by the configuration
    or the preset, else the released values hold.

    Args:
        kind: `"testr"` or `"abcnet"`.
        checkpoint: `.pth` of detectron2 as it was saved (`{"model": …}`), a `.pkl` of arrays, a bare state
            dict or safetensors, with upstream's names.
        folder: the folder to be; must not exist, or be empty. It appears only when everything is verified.
        preset: name of the published spotter that it should be: parts and sizes are then compared with it,
            it gives what no tensor tells, and the settings of the image processor.
        prompts: class prompts, where the configuration does not say them and they are not the released one.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`; needed only for prompts
            that are not of the released configurations.
        upstream_config: the configuration that the checkpoint was trained with, `.yaml` or `.json`.
        characters: the character set in the order of its classes, where it is not one of the released ones.

    Returns:
        The model as it was saved, and the report of the tensors.

    Raises:
        OSError: if there is no such file, or there is something in the folder.
        ValueError: if it is no such checkpoint or conflicts with preset or configuration; `KeyMismatchError`
            names every tensor that does not fit.
        ImportError: if CLIP's vocabulary is needed and not installed.
    """
    read = load_checkpoint(checkpoint)
    configuration = {} if upstream_config is None else read_detectron2_config(upstream_config)
    converted = load_spotter(kind, read, preset, prompts, vocabulary, configuration, characters)
    return write_converted(
        converted,
        read,
        lambda: spotting_processing(SPOTTERS[kind], converted.model.config, configuration, preset),
        folder,
    )


def load_spotter(
    kind: str,
    checkpoint: str | Path | Checkpoint,
    preset: str | None = None,
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
    configuration: Settings | None = None,
    characters: str | None = None,
) -> Converted:
    """As [`convert_spotter`], without writing anything; also takes a checkpoint that is read already.

    `configuration` is what `read_detectron2_config` gives.
    """
    read = checkpoint if isinstance(checkpoint, Checkpoint) else load_checkpoint(checkpoint)
    spotter, said, source = SPOTTERS[kind], configuration or {}, str(read.path)
    renamed = _renamed(spotter, read.tensors, source)
    notes: dict[str, str] = {}
    with in_words_of(renamed, source):
        told = _told_fields(spotter, renamed.tensors, said, characters)
        token_ids, notes["prompt"] = prompt_settings(
            told, _num_classes(told, said, prompts), stored_text_side(said), prompts, vocabulary
        )
        settings = told if preset is None else with_preset(told, preset, TCMSpottingConfig)
        settings = merged(dict(spotter.released), settings)
        config = TCMSpottingConfig(**settings | {"prompt_token_ids": token_ids})
        notes |= _rgb(spotter, renamed.tensors, said)
    if resized := fit_positions(renamed.tensors, config):
        notes["positions"] = resized
    if preset is None and not said:
        notes["completeness"] = UNCHECKED
    unused = spotter.unused if config.matching_fusion == "add" else {}
    converted = filled(FastTCMForTextSpotting, config, renamed, source, {**UNUSED, **unused})
    converted.notes = notes
    return converted


def _renamed(spotter: SpotterKind, tensors: Mapping[str, torch.Tensor], source: str) -> RenamedTensors:
    """Tensors by our names; raises ValueError if it is another kind of checkpoint, or its twins differ."""
    refuse_other_kinds(tensors, spotter.name, spotter.expected, source)
    try:
        whole = with_first_of_twins(tensors, spotter.twins)
    except ValueError as error:
        raise ValueError(f"{source} cannot be converted: {error}.") from error
    return apply_rules(whole, spotter.rules, spotter.ignorable)


def _told_fields(
    spotter: SpotterKind,
    tensors: Mapping[str, torch.Tensor],
    configuration: Settings,
    characters: str | None,
) -> dict[str, Any]:
    """Fields of `TCMSpottingConfig` that tensors and configuration tell, prompts of words apart."""
    tower = spotter.tower(tensors, configuration)
    head = spotter.head(tensors, configuration)
    require(tensors, [spotter.character_classes])
    classes = shape_of(tensors, spotter.character_classes, 2)[0]
    return {
        "image_tower_config": tower,
        "head_config": head,
        "characters": characters_of(classes - 1, characters),
        "matching_stage": MATCHING_STAGE,
        **text_fields(tensors, configuration, tower),
    }


def _num_classes(told: Settings, configuration: Settings, prompts: Sequence[str] | None) -> int:
    """Class prompts; no tensor tells how many, the released spotters have one."""
    if told["method"] == "baseline":
        return 0
    names = clip_section(configuration).get("class_names")
    return len(prompts or (names if isinstance(names, list) else []) or [""])


def _rgb(spotter: SpotterKind, tensors: dict[str, torch.Tensor], configuration: Settings) -> dict[str, str]:
    """Turns the first convolution of a network for BGR pictures round, so that it takes RGB ones.

    Returns:
        A note, if that was so.
    """
    if color_format(spotter, section(configuration, "INPUT")) == "RGB":
        return {}
    tensors[spotter.stem] = tensors[spotter.stem].flip(1)
    return {"colours": "the original's pictures are BGR: the first convolution was turned round for RGB"}


__all__ = ["convert_spotter", "load_spotter"]
