"""DeepSolo: points along a word's centre curve find it and read it at once. Proposals, decoder, losses."""

from typing import NamedTuple

import torch
from torch import nn
from transformers import initialization as init
from transformers.models.deformable_detr.modeling_deformable_detr import DeformableDetrMLPPredictionHead

from .configuration_tcm_spotting import TCMSpottingConfig
from .curve_proposals import CurveProposals, CurveQueries, curve_points
from .global_batch import shared_count
from .outputs_tcm import TCMModelOutput
from .point_decoder import DecodedPoints, PointDecoder
from .query_spotting_head import (
    BatchWords,
    QueryPredictions,
    QuerySpottingHead,
    start_at_zero,
    start_unlikely,
)
from .spotting_losses import (
    Assignment,
    Labels,
    assign,
    ctc_losses,
    focal_cost,
    point_distances,
)


class PointPredictions(NamedTuple):
    """What one layer of the decoder says of Q words; places are (x, y) in parts of width and height."""

    score_logits: torch.Tensor
    """(B, Q, N), a word's logit is their mean."""
    center_points: torch.Tensor
    """(B, Q, N, 2), along the word from where reading starts."""
    boundary_points: torch.Tensor
    """(B, Q, N, 2, 2), above and below them."""
    ctc_logits: torch.Tensor
    """(B, Q, N, V + 1), the last class blank."""


class DeepSoloHead(QuerySpottingHead):
    """DeepSolo (arXiv 2211.10772): one decoder, whose queries are points.

    Args:
        config: the model's config, its `head_config` a `DeepSoloHeadConfig`.
        in_channels: channels of C3 … C5, or of finer maps too, which are not read.
    """

    def __init__(self, config: TCMSpottingConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        width = self.head_config.hidden_size
        self.proposals = CurveQueries(self.head_config)
        self.decoder = PointDecoder(config)
        self.score = nn.Linear(width, 1)
        self.boundary = DeformableDetrMLPPredictionHead(width, width, 4, num_layers=3)
        self.character = nn.Linear(width, len(config.characters) + 1)

    def initialize_parameters(self) -> None:
        """Starts parameters as Deformable DETR does; points begin on their proposals."""
        super().initialize_parameters()
        init.normal_(self.decoder.point_embedding.weight)
        start_unlikely(self.score, self.proposals.score)
        start_at_zero(self.decoder.shift, self.boundary, self.proposals.curve)

    def forward(
        self, features: TCMModelOutput, pixel_mask: torch.Tensor | None, labels: Labels | None
    ) -> QueryPredictions:
        """Feature maps C3 … C5 -> words; with labels also what earlier layers of the decoder say."""
        pyramid = self.encode(features, pixel_mask)
        proposals = self.proposals(pyramid)
        layers = self.decoder(curve_points(proposals.query_curves, self.head_config.num_points), pyramid)
        wanted = layers[-1:] if labels is None else layers
        return QueryPredictions([self._predict(layer) for layer in wanted], proposals)

    def _predict(self, decoded: DecodedPoints) -> PointPredictions:
        hidden, points = decoded
        shifts = self.boundary(hidden).float().unflatten(-1, (2, 2))
        return PointPredictions(
            score_logits=self.score(hidden)[..., 0].float(),
            center_points=points,
            boundary_points=(shifts + points[..., None, :].logit(eps=1e-5)).sigmoid(),
            ctc_logits=self.character(hidden).float(),
        )

    def outputs(self, predictions: QueryPredictions) -> dict[str, torch.Tensor]:
        """What the last layer says; outlines run along the upper boundary points, then back below."""
        last = predictions.layers[-1]
        top, foot = last.boundary_points.unbind(dim=-2)
        return {
            "score_logits": last.score_logits,
            "control_points": torch.cat([top, foot.flip(2)], dim=2),
            "ctc_logits": last.ctc_logits,
            "proposal_index": predictions.proposals.token_index,
        }

    def label_shapes(self) -> dict[str, tuple[int, ...]]:
        """Curves along top and foot, and characters."""
        return {"bezier_points": (8, 2), "character_ids": (self.head_config.num_characters,)}

    @torch.no_grad()
    def match_words(self, layer: PointPredictions, words: BatchWords) -> Assignment:
        """Which query has to tell which word: by score, places and what it reads."""
        config = self.head_config
        score = focal_cost(layer.score_logits, config.focal_alpha, config.focal_gamma).mean(-1)
        centers = self._boundaries(words.labels["bezier_points"]).mean(dim=2)
        costs = config.score_loss_weight * score[..., None]
        costs = costs + config.center_loss_weight * point_distances(layer.center_points, centers)
        reading = reading_costs(layer.ctc_logits, words.labels["character_ids"], words.counts)
        return assign(costs + config.character_loss_weight * reading, words.counts)

    def _boundaries(self, bezier_points: torch.Tensor) -> torch.Tensor:
        """(n, 8, 2) of words -> (n, N, 2, 2), points on their top and foot, moved into the image."""
        return curve_points(_sides(bezier_points), self.head_config.num_points).transpose(1, 2).clamp(0, 1)

    def proposal_losses(self, proposals: CurveProposals, words: BatchWords) -> dict[str, torch.Tensor]:
        """Focal loss of the scores and L1 of points on the curves, each word with a token of its own."""
        config = self.head_config
        centers = self._boundaries(words.labels["bezier_points"]).mean(dim=2)
        logits = proposals.score_logits.float()
        points = curve_points(proposals.curves.float(), config.num_points)
        score_costs = focal_cost(logits.detach(), config.focal_alpha, config.focal_gamma)
        costs = config.proposal_score_weight * score_costs[..., None]
        costs = costs + config.proposal_curve_weight * point_distances(points.detach(), centers)
        pairs = assign(costs, words.counts)
        distance = (points[pairs.image, pairs.query] - centers[pairs.word]).abs().sum()
        score = self.score_loss(logits, points, pairs, words)
        return {
            "loss_proposal_score": config.proposal_score_weight * score,
            "loss_proposal_curve": config.proposal_curve_weight * distance / words.total,
        }

    def layer_losses(self, layer: PointPredictions, words: BatchWords) -> dict[str, torch.Tensor]:
        """Focal loss of the scores, L1 of centre and boundary points, connectionist loss of characters."""
        config = self.head_config
        pairs = self.match_words(layer, words)
        score = self.score_loss(layer.score_logits, layer.center_points, pairs, words)
        found = PointPredictions(*(part[pairs.image, pairs.query] for part in layer))
        boundaries = self._boundaries(words.labels["bezier_points"])[pairs.word]
        center = (found.center_points - boundaries.mean(dim=2)).abs().sum()
        boundary = (found.boundary_points - boundaries).abs().sum()
        characters = ctc_losses(found.ctc_logits, words.labels["character_ids"][pairs.word]).sum()
        count = shared_count(len(boundaries), center)
        return {
            "loss_score": config.score_loss_weight * score,
            "loss_center": config.center_loss_weight * center / count,
            "loss_boundary": config.boundary_loss_weight * boundary / count,
            "loss_characters": config.character_loss_weight * characters / count,
        }


def _sides(bezier_points: torch.Tensor) -> torch.Tensor:
    """(n, 8, 2) -> (n, 2, 4, 2): control points of top and foot, both in the order of reading."""
    return torch.stack([bezier_points[:, :4], bezier_points[:, 4:].flip(1)], dim=1)


@torch.no_grad()
def reading_costs(
    ctc_logits: torch.Tensor, character_ids: torch.Tensor, word_counts: list[int]
) -> torch.Tensor:
    """How far from a word is what a query reads: connectionist loss per character.

    Args:
        ctc_logits: (B, Q, N, V + 1).
        character_ids: (n, T) of the words of all images, in their order.
        word_counts: words of every image.

    Returns:
        (B, Q, n), zero for words of other images.
    """
    batch, queries = ctc_logits.shape[:2]
    costs, first = ctc_logits.new_zeros(batch, queries, len(character_ids)), 0
    for image, count in enumerate(word_counts):
        own = slice(first, first + count)
        logits = ctc_logits[image].repeat_interleave(count, dim=0)
        losses = ctc_losses(logits, character_ids[own].repeat(queries, 1))
        costs[image, :, own] = losses.view(queries, count)
        first += count
    return costs


__all__ = ["DeepSoloHead", "PointPredictions", "reading_costs"]
