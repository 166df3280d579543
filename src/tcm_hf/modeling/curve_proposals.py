"""Every token of the encoded pyramid proposes a word's centre curve; the best ones become queries."""

from typing import NamedTuple

import torch
from transformers.models.deformable_detr.modeling_deformable_detr import DeformableDetrMLPPredictionHead

from .bezier_align import cubic_basis
from .configuration_deepsolo import DeepSoloHeadConfig
from .deformable_encoder import EncodedPyramid
from .query_proposals import TokenProposals, initial_boxes

EDGE = 0.01
"""How near to the image's edge a curve begins at most, as a part of its size: the logit ends there."""


class CurveProposals(NamedTuple):
    """Curves are four control points (x, y) in parts of the image's width and height."""

    score_logits: torch.Tensor
    """(B, N), of every token."""
    curves: torch.Tensor
    """(B, N, 4, 2), of every token."""
    token_index: torch.Tensor
    """(B, Q), the tokens that became queries, best first."""
    query_curves: torch.Tensor
    """(B, Q, 4, 2), theirs, without gradient."""


def curve_points(control_points: torch.Tensor, count: int) -> torch.Tensor:
    """Points on cubic Bezier curves at even steps of their parameter, both ends among them.

    Args:
        control_points: (…, 4, 2).
        count: N >= 2.

    Returns:
        (…, N, 2).
    """
    t = torch.linspace(0, 1, count, device=control_points.device, dtype=control_points.dtype)
    return cubic_basis(t) @ control_points


def level_lines(boxes: torch.Tensor) -> torch.Tensor:
    """Lines through the middle of boxes from left to right, which is how most words run.

    Args:
        boxes: (…, 4), centre and size in parts of the image's size.

    Returns:
        (…, 4, 2), control points inside the image.
    """
    along = torch.linspace(-0.5, 0.5, 4, device=boxes.device, dtype=boxes.dtype)
    x = boxes[..., :1] + along * boxes[..., 2:3]
    return torch.stack([x, boxes[..., 1:2].expand_as(x)], dim=-1).clamp(EDGE, 1 - EDGE)


class CurveQueries(TokenProposals):
    """Centre curves from tokens (DeepSolo, arXiv 2211.10772, sec. 3.3 "Bezier center curve proposal")."""

    def __init__(self, config: DeepSoloHeadConfig):
        super().__init__(config)
        width = config.hidden_size
        self.curve = DeformableDetrMLPPredictionHead(width, width, 8, num_layers=3)

    def forward(self, pyramid: EncodedPyramid) -> CurveProposals:
        """Curves of all tokens, and the queries."""
        first_boxes, valid = initial_boxes(pyramid)
        tokens, score_logits, index = self.best_tokens(pyramid, valid)
        curves = (self.curve(tokens).unflatten(-1, (4, 2)) + level_lines(first_boxes).logit()).sigmoid()
        queries = curves.detach().gather(1, index[..., None, None].expand(-1, -1, 4, 2))
        return CurveProposals(score_logits, curves, index, queries)


__all__ = ["CurveProposals", "CurveQueries", "curve_points", "level_lines"]
