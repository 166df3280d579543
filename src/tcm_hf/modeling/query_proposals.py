"""Every token of the encoded pyramid proposes a word's box; the best ones become queries."""

from math import pi
from typing import NamedTuple

import torch
from torch import nn
from transformers.models.deformable_detr.modeling_deformable_detr import DeformableDetrMLPPredictionHead

from .configuration_deformable import DeformableHeadConfig
from .deformable_encoder import EncodedPyramid, sine_features

FIRST_SIZE = 0.05
"""Width and height of a proposal on the finest level before it is refined, as a part of the image's."""


class Proposals(NamedTuple):
    """Boxes are (centre x, centre y, width, height) as parts of the image's width and height."""

    score_logits: torch.Tensor
    """(B, N), of every token."""
    boxes: torch.Tensor
    """(B, N, 4), of every token."""
    token_index: torch.Tensor
    """(B, Q), the tokens that became queries, best first."""
    query_boxes: torch.Tensor
    """(B, Q, 4), theirs, without gradient."""
    query_positions: torch.Tensor
    """(B, Q, D), features of these boxes."""


def initial_boxes(pyramid: EncodedPyramid) -> tuple[torch.Tensor, torch.Tensor]:
    """A box around every token, the larger the coarser its level.

    Returns:
        (B, N, 4) boxes, and (B, N) bool: lies in the image, not at its very border, and is not all of it.
    """
    grids, dtype, device = [], pyramid.valid_ratios.dtype, pyramid.tokens.device
    for level, (height, width) in enumerate(pyramid.sizes_hw):
        y, x = torch.meshgrid(
            torch.arange(height, device=device, dtype=dtype),
            torch.arange(width, device=device, dtype=dtype),
            indexing="ij",
        )
        size_wh = pyramid.valid_ratios.new_tensor([width, height])
        valid_wh = (pyramid.valid_ratios[:, level] * size_wh).round()  # (B, 2), cells
        centers = (torch.stack([x, y], dim=-1).flatten(0, 1) + 0.5) / valid_wh[:, None]
        grids.append(torch.cat([centers, torch.full_like(centers, FIRST_SIZE * 2.0**level)], dim=-1))
    boxes = torch.cat(grids, dim=1)
    valid = ((boxes > 0.01) & (boxes < 0.99)).all(dim=-1)
    return boxes, valid if pyramid.mask is None else valid & pyramid.mask


class TokenProposals(nn.Module):
    """Two-stage Deformable DETR (arXiv 2010.04159, sec. 4.2): the encoder's tokens choose the queries."""

    def __init__(self, config: DeformableHeadConfig):
        super().__init__()
        width = config.hidden_size
        self.num_queries = config.num_queries
        self.token_proj = nn.Linear(width, width)
        self.token_norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)

    def best_tokens(
        self, pyramid: EncodedPyramid, valid: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Chooses `num_queries` tokens, or all where there are fewer.

        Args:
            pyramid: what is looked at.
            valid: (B, N), from `initial_boxes`.

        Returns:
            (B, N, D) tokens to propose from, (B, N) their score logits, (B, Q) the best ones, best first.
        """
        # Parity: a token without a valid box says nothing, but its score is that of zeros and may win.
        tokens = self.token_norm(self.token_proj(pyramid.tokens.masked_fill(~valid[..., None], 0.0)))
        score_logits = self.score(tokens)[..., 0]
        index = score_logits.topk(min(self.num_queries, tokens.shape[1]), dim=1).indices
        return tokens, score_logits, index


class QueryProposals(TokenProposals):
    """Every token proposes a box; boxes become what queries know of their place."""

    def __init__(self, config: DeformableHeadConfig):
        super().__init__(config)
        width = config.hidden_size
        self.box = DeformableDetrMLPPredictionHead(width, width, 4, num_layers=3)
        self.position_proj = nn.Linear(width, width)
        self.position_norm = nn.LayerNorm(width)

    def forward(self, pyramid: EncodedPyramid) -> Proposals:
        """Boxes of all tokens, and the queries."""
        first_boxes, valid = initial_boxes(pyramid)
        tokens, score_logits, index = self.best_tokens(pyramid, valid)
        box_logits = self.box(tokens) + first_boxes.logit().masked_fill(~valid[..., None], torch.inf)
        query_boxes = box_logits.detach().gather(1, index[..., None].expand(-1, -1, 4)).sigmoid()
        features = sine_features(query_boxes.float() * 2 * pi, tokens.shape[-1] // 4).flatten(2)
        return Proposals(
            score_logits=score_logits,
            boxes=box_logits.sigmoid(),
            token_index=index,
            query_boxes=query_boxes,
            query_positions=self.position_norm(self.position_proj(features.to(tokens.dtype))),
        )


__all__ = ["Proposals", "QueryProposals", "TokenProposals", "initial_boxes"]
