"""Configuration of the rotated object detectors: TCM's backbone with free class prompts and a dense head."""

from dataclasses import field
from typing import Literal

from transformers.configuration_utils import PreTrainedConfig

from .configuration_heads import HeadConfig
from .configuration_parts import check_at_least, check_multiple, check_positive, strict_config
from .configuration_tcm import OptionalPart, Part, TCMConfig
from .presets_rotated import PRESETS

DOTA_CLASSES = {
    "plane": [49406, 5363, 49407],
    "baseball diamond": [49406, 3470, 6235, 49407],
    "bridge": [49406, 2465, 49407],
    "ground track field": [49406, 2461, 2700, 1570, 49407],
    "small vehicle": [49406, 2442, 5299, 49407],
    "large vehicle": [49406, 3638, 5299, 49407],
    "ship": [49406, 1158, 49407],
    "tennis court": [49406, 5298, 2908, 49407],
    "basketball court": [49406, 3835, 2908, 49407],
    "storage tank": [49406, 6824, 6172, 49407],
    "soccer ball field": [49406, 4233, 1069, 1570, 49407],
    "roundabout": [49406, 29953, 49407],
    "harbor": [49406, 10202, 49407],
    "swimming pool": [49406, 7411, 2831, 49407],
    "helicopter": [49406, 11956, 49407],
}
"""The 15 classes of DOTA v1.0 in the order of the released detectors, with CLIP's token ids of the names."""


@strict_config
class RotatedHeadConfig(HeadConfig):
    r"""What the heads share: a pyramid of strides 8 to 128, two towers of convolutions, focal loss.

    Args:
        neck_channels: channels of the pyramid and of the towers.
        num_convs: convolutions of each tower.
        norm_groups: groups of the group norms in the towers; RetinaNet has none.
        extra_levels_from: what strides 64 and 128 are made of: `"input"`, the last feature map, or
            `"output"`, the pyramid's own last level.
        focal_alpha: weight of the positives in the focal loss (arXiv 1708.02002, eq. 5).
        focal_gamma: how much less easy examples count.
        class_loss_weight: weight of the classification loss.
        box_loss_weight: weight of the box loss.
    """

    stages = (1, 2, 3)

    neck_channels: int = 256
    num_convs: int = 4
    norm_groups: int = 32
    extra_levels_from: Literal["input", "output"] = "input"
    focal_alpha: float = 0.25
    focal_gamma: float | int = 2.0
    class_loss_weight: float | int = 1.0
    box_loss_weight: float | int = 1.0

    def validate_sizes(self):
        """There are channels; weights are not negative."""
        check_at_least(self, 1, "neck_channels")
        check_at_least(self, 0, "num_convs", "focal_alpha", "focal_gamma")
        check_at_least(self, 0, "class_loss_weight", "box_loss_weight")


@strict_config
class RotatedFCOSHeadConfig(RotatedHeadConfig):
    r"""FCOS (arXiv 1904.01355) with an angle: each point predicts the distances to four turned sides.

    Args:
        center_radius: points so near to a box's centre learn it, in strides along its axes.
        first_range_px: the farthest side of a box of the first level; each level takes twice the last one's.
        iou_loss: `"log"`, -log(IoU), or `"linear"`, 1 - IoU.
        centerness_loss_weight: weight of the centerness loss.
    """

    model_type = "tcm_rotated_fcos_head"
    head_type: Literal["rotated_fcos"] = "rotated_fcos"
    extra_levels_from: Literal["input", "output"] = "output"
    center_radius: float | int = 1.5
    first_range_px: float | int = 64
    iou_loss: Literal["log", "linear"] = "log"
    centerness_loss_weight: float | int = 1.0

    def validate_points(self):
        """Some points learn a box, the towers have groups."""
        check_at_least(self, 1, "norm_groups")
        check_multiple(self, self.norm_groups, "neck_channels")
        check_positive(self, "center_radius", "first_range_px")
        check_at_least(self, 0, "centerness_loss_weight")


@strict_config
class RotatedATSSHeadConfig(RotatedHeadConfig):
    r"""ATSS (arXiv 1912.02424) with an angle: one square anchor a cell, matched adaptively.

    Args:
        anchor_scale: side of an anchor in strides.
        num_candidates: anchors nearest to a box's centre, a level, that may become its own.
        iou_loss: `"log"`, -log(IoU), or `"linear"`, 1 - IoU.
        centerness_loss_weight: weight of the centerness loss.
    """

    model_type = "tcm_rotated_atss_head"
    head_type: Literal["rotated_atss"] = "rotated_atss"
    box_loss_weight: float | int = 2.0
    anchor_scale: float | int = 4
    num_candidates: int = 9
    iou_loss: Literal["log", "linear"] = "linear"
    centerness_loss_weight: float | int = 1.0

    def validate_anchors(self):
        """Anchors have a size, a box has candidates, the towers have groups."""
        check_at_least(self, 1, "norm_groups")
        check_multiple(self, self.norm_groups, "neck_channels")
        check_positive(self, "anchor_scale")
        check_at_least(self, 1, "num_candidates")
        check_at_least(self, 0, "centerness_loss_weight")


@strict_config
class RotatedRetinaNetHeadConfig(RotatedHeadConfig):
    r"""RetinaNet (arXiv 1708.02002) with an angle.

    Args:
        anchor_scale: side of the smallest square anchor in strides.
        scales_per_octave: sizes of anchors between one level and the next.
        anchor_ratios: heights over widths of the anchors.
        positive_iou: from this overlap on an anchor is its box's.
        negative_iou: below this one it is background.
    """

    model_type = "tcm_rotated_retinanet_head"
    head_type: Literal["rotated_retinanet"] = "rotated_retinanet"
    anchor_scale: float | int = 4
    scales_per_octave: int = 3
    anchor_ratios: list[float | int] | tuple[float | int, ...] = (1.0, 0.5, 2.0)
    positive_iou: float = 0.5
    negative_iou: float = 0.4

    def __post_init__(self, **kwargs):
        self.anchor_ratios = [float(ratio) for ratio in self.anchor_ratios]  # as config.json gives it back
        super().__post_init__(**kwargs)

    def validate_anchors(self):
        """There are anchors; what is background overlaps less than what is not."""
        check_positive(self, "anchor_scale")
        check_at_least(self, 1, "scales_per_octave")
        if not self.anchor_ratios or not min(self.anchor_ratios) > 0:
            raise ValueError(f"`anchor_ratios` must be positive numbers, at least one: {self.anchor_ratios}.")
        if not 0 <= self.negative_iou <= self.positive_iou <= 1:
            raise ValueError(
                "`negative_iou` and `positive_iou` must be between 0 and 1, the first one not larger: got "
                f"{self.negative_iou} and {self.positive_iou}."
            )


ROTATED_HEAD_CONFIGS: dict[str, type[PreTrainedConfig]] = {
    "rotated_fcos": RotatedFCOSHeadConfig,
    "rotated_atss": RotatedATSSHeadConfig,
    "rotated_retinanet": RotatedRetinaNetHeadConfig,
}


@strict_config
class TCMRotatedDetectionConfig(TCMConfig):
    r"""Configuration of [`TCMForRotatedObjectDetection`]: all of [`TCMConfig`], other defaults, another head.

    The defaults are those of the released detectors (TCM's repository, `rotated_object_detection`): the 15
    classes of DOTA, bare names after 69 learnable prompts, no language prompt, the matching logits
    concatenated to C5.

    Args:
        id2label: name of every class, in the order of `prompt_token_ids`.
        head_config: a config of this file, or a dict with its `head_type`.

    Raises:
        ValueError: as `TCMConfig`, and where there is not one name a class.
    """

    model_type = "tcm_rotated"
    presets = PRESETS
    chosen_parts = TCMConfig.chosen_parts | {"head_config": ("head_type", ROTATED_HEAD_CONFIGS)}

    method: Literal["tcm", "fasttcm", "baseline"] = "tcm"
    image_tower_config: Part = field(
        default_factory=lambda: {"grid_size": 32, "grid_interpolation": "bicubic"}
    )
    prompt_token_ids: list[list[int]] | None = field(
        default_factory=lambda: [list(ids) for ids in DOTA_CLASSES.values()]
    )
    num_learnable_prompts: int = 69
    language_prompt: bool = False
    text_refiner_config: OptionalPart = field(default_factory=lambda: {"residual_scale": 1e-4})
    matching_fusion: Literal["concatenate", "concatenate_logits", "add", "add_gated"] = "concatenate_logits"

    def __post_init__(self, **kwargs):
        if self.id2label is None:
            names = list(DOTA_CLASSES)
            if self.prompt_token_ids != list(DOTA_CLASSES.values()):
                names = [f"class {index}" for index in range(self.num_classes)]
            self.id2label = dict(enumerate(names))
        super().__post_init__(**kwargs)

    def validate_labels(self):
        """Every class has a prompt and a name; the baseline, which has no prompts, counts by its names."""
        names = self.id2label or {}
        if self.method != "baseline" and len(names) != self.num_classes:
            raise ValueError(
                f"`id2label` must name the {self.num_classes} classes of `prompt_token_ids`: got "
                f"{len(names)} names."
            )


__all__ = [
    "DOTA_CLASSES",
    "ROTATED_HEAD_CONFIGS",
    "RotatedATSSHeadConfig",
    "RotatedFCOSHeadConfig",
    "RotatedRetinaNetHeadConfig",
    "TCMRotatedDetectionConfig",
]
