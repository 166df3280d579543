"""What spotters of detectron2's format have in common: sizes told by shapes, settings told by configurations.

`configuration` is what `read_detectron2_config` gives, or nothing.
"""

from collections.abc import Mapping
from typing import Any

import torch

from tcm_hf.conversion.clip_sizes import count_layers, require, shape_of
from tcm_hf.conversion.tcm_sizes import check_stored, part_of, text_side
from tcm_hf.conversion.tower_sizes import TEXT
from tcm_hf.modeling.configuration_tcm_spotting import CHARACTERS_37, CHARACTERS_96, UNKNOWN_CHARACTER

Tensors = Mapping[str, torch.Tensor]
Settings = Mapping[str, Any]

DEPTHS = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
"""Blocks of a ResNet by its `RESNETS.DEPTH`."""

TABLES = {96: CHARACTERS_96, 37: CHARACTERS_37}
"""The character sets that the released code knows, by `VOC_SIZE`."""

CLIP_OPTIONS = ("class_names", "context_length", "use_learnable_prompt", "use_learnable_prompt_only",
                "use_context_decoder", "is_v2")  # fmt: skip


def section(configuration: Settings, *names: str) -> Settings:
    """A section inside sections, `section(configuration, "MODEL", "RESNETS")`; empty where there is none."""
    for name in names:
        configuration = part_of(configuration, name)
    return configuration


def clip_section(configuration: Settings) -> Settings:
    """The settings of the text side, their names in lower case."""
    found = section(configuration, "CLIP") or section(configuration, "MODEL", "CLIP")
    return {name.lower(): value for name, value in found.items()}


def text_fields(tensors: Tensors, configuration: Settings, image_tower: Settings) -> dict[str, Any]:
    """Fields of `TCMSpottingConfig` on text and matching; those of the baseline where there is no text side.

    Args:
        tensors: tensors by our names.
        configuration: of the checkpoint, or nothing.
        image_tower: its `image_tower_config`.

    Raises:
        ValueError: if a size cannot be told, or is not what the configuration says.
    """
    if not any(name.startswith(TEXT) for name in tensors):
        return {"method": "baseline", "visual_prompt_config": None, "text_refiner_config": None}
    clip, stored = clip_section(configuration), stored_text_side(configuration)
    fields = text_side(tensors, stored)
    check_stored({"image_tower_config": image_tower, **fields}, stored)
    gated = clip.get("use_score_map_concat_gamma") is True
    fields["matching_fusion"] = "add_gated" if gated else "add"
    return fields | numbers(
        clip, {"tau": "matching_temperature", "pix_cls_loss_weight": "matching_loss_weight"}
    )


def stored_text_side(configuration: Settings) -> dict[str, Any]:
    """The settings of the text side in the words of TCM's text detectors."""
    clip = clip_section(configuration)
    stored: dict[str, Any] = {name: clip[name] for name in CLIP_OPTIONS if name in clip}
    for part in ("text_encoder", "context_decoder", "visual_prompt_generator", "prompt_generator"):
        if part in clip:
            stored[part] = part_of(clip, part)
    return stored


def resnet_sizes(tensors: Tensors, trunk: str, configuration: Settings, strided_conv: str) -> dict[str, Any]:
    """Depths, width and place of the strides of an ordinary ResNet.

    Args:
        tensors: tensors by our names.
        trunk: how the names of its trunk begin.
        configuration: of the checkpoint, or nothing.
        strided_conv: see `ResNetTowerConfig`; holds where the configuration does not say it.

    Raises:
        ValueError: if a stage is missing, or the configuration says another depth.
    """
    stem = f"{trunk}conv1.weight"
    require(tensors, [stem])
    depths = [count_layers(tensors, rf"{trunk}layer{stage}\.(\d+)\.") for stage in range(1, 5)]
    resnet = section(configuration, "MODEL", "RESNETS")
    said = resnet.get("DEPTH")
    if not all(depths):
        raise ValueError(f"its ResNet has {depths} blocks: a stage is missing")
    if isinstance(said, int) and DEPTHS.get(said) != depths:
        raise ValueError(f"its ResNet has {depths} blocks, and its configuration says `DEPTH` {said}")
    if "STRIDE_IN_1X1" in resnet:
        strided_conv = "1x1" if resnet["STRIDE_IN_1X1"] else "3x3"
    return {"depths": depths, "width": shape_of(tensors, stem, 4)[0], "strided_conv": strided_conv}


def numbers(said: Settings, names: Mapping[str, str]) -> dict[str, Any]:
    """Settings by our names.

    Args:
        said: a section.
        names: the original's name of a setting -> ours.

    Raises:
        ValueError: if one is no number, and no yes or no.
    """
    told = {}
    for theirs, ours in names.items():
        if theirs in said:
            told[ours] = said[theirs]
            if not isinstance(said[theirs], int | float):
                raise ValueError(f"its configuration must say `{theirs}` as a number")
    return told


def lists(said: Settings, names: Mapping[str, str]) -> dict[str, Any]:
    """Settings of several numbers by our names; as `numbers`."""
    told = {ours: said[theirs] for theirs, ours in names.items() if theirs in said}
    for theirs, ours in names.items():
        value = told.get(ours, [])
        if not isinstance(value, list) or not all(isinstance(one, int | float) for one in value):
            raise ValueError(f"its configuration must say `{theirs}` as numbers")
    return told


def require_values(said: Settings, names: Mapping[str, Any]) -> None:
    """Raises ValueError where a section says another value than the one that our model is built for."""
    for name, value in names.items():
        if said.get(name, value) != value:
            raise ValueError(
                f"its configuration says `{name}` {said[name]}: this package's model has {value} alone"
            )


def check_sizes(found: Settings, said: Settings, names: Mapping[str, str]) -> None:
    """Raises ValueError where the tensors have another size than the configuration says.

    Args:
        found: sizes by our names.
        said: a section of the configuration.
        names: ours -> the original's.
    """
    for ours, theirs in names.items():
        if theirs in said and said[theirs] != found[ours]:
            raise ValueError(
                f"its tensors have a `{ours}` of {found[ours]}, and its configuration says `{theirs}` "
                f"{said[theirs]}"
            )


def characters_of(count: int, given: str | None) -> str:
    """The character set of a spotter.

    Args:
        count: classes of its characters, without the one that is none.
        given: the characters in the order of their classes; the one for whatever is unknown, the last class,
            may be left out.

    Raises:
        ValueError: if nothing tells it, or it is of another size.
    """
    if given is None:
        if count not in TABLES:
            raise ValueError(
                f"it reads {count} characters and does not say which: give them in the order of their "
                "classes (--characters TEXT, or @FILE)"
            )
        return TABLES[count]
    if len(given) == count - 1 and UNKNOWN_CHARACTER not in given:
        given += UNKNOWN_CHARACTER
    if len(given) != count:
        raise ValueError(
            f"it reads {count} characters, the last for whatever is unknown: {len(given)} are given"
        )
    return given


__all__ = [
    "Settings",
    "Tensors",
    "characters_of",
    "check_sizes",
    "lists",
    "numbers",
    "require_values",
    "resnet_sizes",
    "section",
    "stored_text_side",
    "text_fields",
]
