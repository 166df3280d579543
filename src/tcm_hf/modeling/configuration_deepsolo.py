"""Configuration of DeepSolo's head, the spotter with explicit points."""

from typing import Literal

from .configuration_deformable import DeformableHeadConfig
from .configuration_parts import check_at_least, strict_config


@strict_config
class DeepSoloHeadConfig(DeformableHeadConfig):
    r"""DeepSolo (arXiv 2211.10772): points along a word's centre curve, one decoder.

    Args:
        num_points: N, points along a word, each of which says a character or none; longer words, and those
            with many pairs of equal neighbours, cannot be read.
        proposal_score_weight: weight of the focal loss of the encoder's proposals, in the matching too.
        proposal_curve_weight: weight of the L1 loss of points on their curves, in the matching too.
        score_loss_weight: weight of the focal loss of the queries, in the matching too.
        center_loss_weight: weight of the L1 loss of the points on the centre curve, in the matching too.
        boundary_loss_weight: weight of the L1 loss of the points above and below them.
        character_loss_weight: weight of the connectionist loss of the characters, in the matching too.
    """

    model_type = "tcm_deepsolo_head"

    head_type: Literal["deepsolo"] = "deepsolo"
    num_points: int = 25
    proposal_score_weight: float | int = 1.0
    proposal_curve_weight: float | int = 1.0
    score_loss_weight: float | int = 1.0
    center_loss_weight: float | int = 1.0
    boundary_loss_weight: float | int = 0.5
    character_loss_weight: float | int = 0.5

    def validate_points(self):
        """A word has room for its characters."""
        check_at_least(self, 2, "num_points")
        if self.num_points < self.num_characters:
            raise ValueError(
                f"`num_points` must be at least `num_characters` {self.num_characters}, one a character: got "
                f"{self.num_points}."
            )


__all__ = ["DeepSoloHeadConfig"]
