"""What the heads compute, by the names and in the layouts of golden files."""

from collections.abc import Callable
from typing import Any

import torch

from tcm_hf.modeling.outputs_tcm import TCMModelOutput
from tcm_hf.modeling.rotated_head import RotatedHead
from tcm_hf.modeling.spotting_head import SpottingHead

Stages = dict[str, torch.Tensor]


def head_stages(model: Any, backbone: TCMModelOutput) -> Stages:
    """The last stages of a model, see `golden.py`.

    Args:
        model: a detector, a spotter or a detector of rotated objects, in eval mode.
        backbone: what its backbone gives.
    """
    head = model.head
    if isinstance(head, SpottingHead):
        return head.outputs(head(backbone, None, None))
    if isinstance(head, RotatedHead):
        return _rotated_maps(head(backbone))
    return DETECTORS[model.config.head_config.head_type](head(backbone, for_training=True))


def _dbnet_maps(maps: Any) -> Stages:
    return {"prob": maps.probability_map, "thr": maps.threshold_map, "binary": maps.binary_map}


def _pan_maps(maps: Any) -> Stages:
    logits = [maps.text_logits[:, None], maps.kernel_logits[:, None], maps.pixel_embeddings]
    return {"head": torch.cat(logits, dim=1)}


def _fcenet_maps(maps: Any) -> Stages:
    logits = zip(maps.region_logits, maps.center_logits, strict=True)
    stages = {f"cls{level}": torch.cat(pair, dim=1) for level, pair in enumerate(logits)}
    return stages | {f"reg{level}": tensor for level, tensor in enumerate(maps.fourier_coefficients)}


def _segnet_maps(maps: Any) -> Stages:
    return {"head": maps.segmentation_logits}


DETECTORS: dict[str, Callable[[Any], Stages]] = {
    "dbnet": _dbnet_maps,
    "pan": _pan_maps,
    "fcenet": _fcenet_maps,
    "segnet": _segnet_maps,
}
"""What a head gives, as the original's head gives it."""


def _rotated_maps(maps: Any) -> Stages:
    """Levels as maps again: (B, n * A, ·) places become (B, A * ·, h, w)."""
    stages: Stages = {}
    for name, levels in (
        ("cls", maps.class_logits),
        ("box", maps.box_values),
        ("centerness", maps.centerness_logits),
    ):
        for index, (level, size_hw) in enumerate(zip(levels or (), maps.sizes_hw, strict=False)):
            stages[f"{name}{index}"] = level.reshape(len(level), *size_hw, -1).movedim(-1, 1)
    return stages


__all__ = ["head_stages"]
