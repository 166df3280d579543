"""Configuration of TESTR's head, the query-based spotter."""

from typing import Literal

from .configuration_deformable import DeformableHeadConfig
from .configuration_parts import strict_config


@strict_config
class TESTRHeadConfig(DeformableHeadConfig):
    r"""Two decoders and losses of TESTR (arXiv 2204.01918) on a deformable encoder.

    Args:
        outline: `"polygon"`: control points lie on the outline of a word, half of them along its top from
            where reading starts, half along its foot back; `"bezier"`: they are those of two cubic curves,
            four each, and may lie outside the image.
        num_control_points: P; 16 for polygons, 8 for curves.
        proposal_score_weight: weight of the focal loss of the encoder's proposals, in the matching too.
        proposal_box_weight: weight of the L1 loss of their boxes, in the matching too.
        proposal_giou_weight: weight of the GIoU loss of their boxes, in the matching too.
        score_loss_weight: weight of the focal loss of the queries, in the matching too.
        control_point_loss_weight: weight of the L1 loss of the control points, in the matching too.
        character_loss_weight: weight of the cross entropy of the characters.
    """

    model_type = "tcm_testr_head"

    head_type: Literal["testr"] = "testr"
    outline: Literal["polygon", "bezier"] = "polygon"
    num_control_points: int = 16
    proposal_score_weight: float | int = 2.0
    proposal_box_weight: float | int = 5.0
    proposal_giou_weight: float | int = 2.0
    score_loss_weight: float | int = 2.0
    control_point_loss_weight: float | int = 5.0
    character_loss_weight: float | int = 4.0

    def validate_control_points(self):
        """Points divide into two sides, or two curves."""
        if self.outline == "bezier" and self.num_control_points != 8:
            raise ValueError(
                f"Two cubic curves have 8 control points: `num_control_points` is {self.num_control_points}."
            )
        if self.num_control_points < 4 or self.num_control_points % 2:
            raise ValueError(
                f"`num_control_points` must be even and at least 4: got {self.num_control_points}."
            )


__all__ = ["TESTRHeadConfig"]
