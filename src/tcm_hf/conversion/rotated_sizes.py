"""The parts and sizes of a rotated object detector, told by its tensors and by what mmengine stored."""

from collections.abc import Mapping
from typing import Any

import torch

from tcm_hf.conversion.clip_sizes import count_layers, require, shape_of
from tcm_hf.conversion.tcm_sizes import (
    channels_of,
    check_stored,
    grid_size_of,
    matching_stage,
    part_of,
    text_side,
)
from tcm_hf.conversion.tower_sizes import IMAGE_POSITIONS, TEXT, resnet_tower_config_of

Tensors = Mapping[str, torch.Tensor]
Settings = Mapping[str, Any]

LATERALS = {stage: f"head.neck.inner_convs.{stage - 1}.weight" for stage in range(1, 4)}
EXTRA = "head.neck.extra_convs.0.weight"
CLASSES, BOXES = "head.classification.weight", "head.box.weight"

COUNTERPARTS = {
    "text_encoder": "text_encoder",
    "vis_context_decoder": "visual_prompt_generator",
    "text_context_decoder": "context_decoder",
}
"""The original's names of parts -> those of TCM's text detectors."""


def rotated_fields(tensors: Tensors, head_type: str, stored: Settings) -> tuple[dict[str, Any], int]:
    """Fields of `TCMRotatedDetectionConfig` that a checkpoint tells, classes apart.

    Args:
        tensors: tensors by our names.
        head_type: ours.
        stored: the original's settings of the model (`model` of its configuration), or nothing.

    Returns:
        The fields, parts as dicts; and the number of classes.

    Raises:
        ValueError: if a tensor that tells a size is missing or impossible, or parts do not fit together.
    """
    require(tensors, [*LATERALS.values(), IMAGE_POSITIONS, CLASSES, BOXES, EXTRA])
    image = resnet_tower_config_of(tensors)
    image |= {"grid_size": grid_size_of(tensors, IMAGE_POSITIONS), "grid_interpolation": "bicubic"}
    head = _head(tensors, head_type, part_of(stored, "bbox_head"))
    num_classes = shape_of(tensors, CLASSES, 4)[0] // _boxes_of_a_cell(tensors, head)
    if not any(name.startswith(TEXT) for name in tensors):
        raise ValueError("it has no text encoder, and so no class prompts")
    stage, map_channels = matching_stage(tensors, LATERALS, channels_of(image))
    if map_channels != num_classes:
        raise ValueError(
            f"its head tells {num_classes} classes apart, and its neck reads a matching map of {map_channels}"
        )
    parts = {ours: part_of(stored, theirs) for theirs, ours in COUNTERPARTS.items() if theirs in stored}
    fields = {
        "image_tower_config": image,
        "head_config": head,
        "matching_stage": stage,
        **text_side(tensors, parts),
    }
    check_stored(fields, parts)
    return fields, num_classes


def _head(tensors: Tensors, head_type: str, said: Settings) -> dict[str, Any]:
    channels = shape_of(tensors, LATERALS[1], 4)[0]
    head: dict[str, Any] = {
        "head_type": head_type,
        "neck_channels": channels,
        "num_convs": count_layers(tensors, r"head\.class_tower\.(\d+)\."),
        "extra_levels_from": "output" if shape_of(tensors, EXTRA, 4)[1] == channels else "input",
    }
    head |= _numbers(part_of(said, "loss_cls"), LOSSES["loss_cls"])
    head |= _numbers(part_of(said, "loss_bbox"), LOSSES["loss_bbox"])
    if head_type != "rotated_retinanet":
        head |= _numbers(part_of(said, "loss_centerness"), LOSSES["loss_centerness"])
    anchors = part_of(said, "anchor_generator")
    head |= _numbers(anchors, ANCHORS[head_type])
    if head_type == "rotated_fcos":
        return head | _numbers(said, {"center_sample_radius": "center_radius"})
    assigner = part_of(part_of(said, "train_cfg"), "assigner")
    head |= _numbers(assigner, ASSIGNERS[head_type])
    ratios = anchors.get("ratios")
    if head_type == "rotated_retinanet" and isinstance(ratios, list | tuple):
        head["anchor_ratios"] = list(ratios)
    return head


LOSSES = {
    "loss_cls": {"alpha": "focal_alpha", "gamma": "focal_gamma", "loss_weight": "class_loss_weight"},
    "loss_bbox": {"loss_weight": "box_loss_weight"},
    "loss_centerness": {"loss_weight": "centerness_loss_weight"},
}
ANCHORS: dict[str, dict[str, str]] = {
    "rotated_fcos": {},
    "rotated_atss": {"octave_base_scale": "anchor_scale"},
    "rotated_retinanet": {"octave_base_scale": "anchor_scale", "scales_per_octave": "scales_per_octave"},
}
ASSIGNERS = {
    "rotated_atss": {"topk": "num_candidates"},
    "rotated_retinanet": {"pos_iou_thr": "positive_iou", "neg_iou_thr": "negative_iou"},
}
"""The original's names of numbers -> ours."""


def _numbers(said: Settings, names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: said[theirs] for theirs, ours in names.items() if theirs in said}


def _boxes_of_a_cell(tensors: Tensors, head: Settings) -> int:
    """Anchors of a cell: those of the tensors, which must be those of the settings."""
    if head["head_type"] != "rotated_retinanet":
        return 1
    told = shape_of(tensors, BOXES, 4)[0] // 5
    scales, ratios = head.get("scales_per_octave", 3), len(head.get("anchor_ratios", (1.0, 0.5, 2.0)))
    if told != scales * ratios:
        raise ValueError(
            f"its head has {told} anchors a cell: {scales} scales (`scales_per_octave`) of {ratios} `ratios` "
            "are expected, or a configuration that says others (--config)"
        )
    return told


__all__ = ["rotated_fields"]
