"""TESTR: queries that find words and read them. Encoder, proposals, two decoders, losses."""

from typing import NamedTuple

import torch
from torch import nn
from transformers import initialization as init
from transformers.models.deformable_detr.modeling_deformable_detr import DeformableDetrMLPPredictionHead

from .configuration_tcm_spotting import TCMSpottingConfig
from .global_batch import shared_count
from .group_decoder import GroupDecoder
from .outputs_tcm import TCMModelOutput
from .query_proposals import Proposals, QueryProposals
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
    box_costs,
    focal_cost,
    paired_giou_loss,
    point_distances,
)


class LayerPredictions(NamedTuple):
    """What one layer of the decoders says of Q words."""

    score_logits: torch.Tensor
    """(B, Q, P), a word's logit is their mean."""
    control_points: torch.Tensor
    """(B, Q, P, 2), (x, y) as parts of the image's width and height."""
    character_logits: torch.Tensor
    """(B, Q, T, V + 1)."""


class TESTRHead(QuerySpottingHead):
    """Text spotting transformers (TESTR, arXiv 2204.01918).

    Args:
        config: the model's config, its `head_config` a `TESTRHeadConfig`.
        in_channels: channels of C3 … C5, or of finer maps too, which are not read.
    """

    def __init__(self, config: TCMSpottingConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        head = config.head_config
        self.proposals = QueryProposals(head)
        self.control_point_decoder = GroupDecoder(config, head.num_control_points)
        self.character_decoder = GroupDecoder(config, head.num_characters)
        width = head.hidden_size
        self.score = nn.Linear(width, 1)
        self.control_point = DeformableDetrMLPPredictionHead(width, width, 2, num_layers=3)
        self.character = nn.Linear(width, len(config.characters) + 1)
        self.character_positions = nn.Buffer(self._character_positions(), persistent=False)

    def _character_positions(self) -> torch.Tensor:
        """(T, D) sine, then cosine of the place in the word, 0 to 2 pi, at falling frequencies."""
        width, count = self.head_config.hidden_size, self.head_config.num_characters
        places = torch.arange(1, count + 1, dtype=torch.float32) / count * 2 * torch.pi
        angles = places[:, None] / 10000 ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def initialize_parameters(self) -> None:
        """Starts parameters as Deformable DETR does, and recomputes the buffer that is not saved."""
        super().initialize_parameters()
        for decoder in (self.control_point_decoder, self.character_decoder):
            init.normal_(decoder.member_embedding.weight)
        start_unlikely(self.score, self.proposals.score)
        # A query begins where its proposal is, with its size.
        start_at_zero(self.control_point, self.proposals.box)
        init.copy_(self.character_positions, self._character_positions())

    def forward(
        self, features: TCMModelOutput, pixel_mask: torch.Tensor | None, labels: Labels | None
    ) -> QueryPredictions:
        """Feature maps C3 … C5 -> words; with labels also what earlier layers of the decoders say."""
        pyramid = self.encode(features, pixel_mask)
        proposals = self.proposals(pyramid)
        # Parity: points know where their word is, characters which one of the word they are.
        positions = proposals.query_positions[:, :, None]  # (B, Q, 1, D)
        count = self.head_config.num_control_points
        of_points = self.control_point_decoder(
            positions.expand(-1, -1, count, -1), proposals.query_boxes, pyramid
        )
        positions = self.character_positions.to(positions.dtype).expand(*proposals.token_index.shape, -1, -1)
        of_characters = self.character_decoder(positions, proposals.query_boxes, pyramid)
        layers = zip(of_points, of_characters, strict=True)
        wanted = [(of_points[-1], of_characters[-1])] if labels is None else list(layers)
        return QueryPredictions([self._predict(*hidden, proposals) for hidden in wanted], proposals)

    def _predict(
        self, points: torch.Tensor, characters: torch.Tensor, proposals: Proposals
    ) -> LayerPredictions:
        centers = proposals.query_boxes[:, :, None, :2].float()
        # Control points of a curve may lie outside the image, half its size on every side.
        first, size = (-0.5, 2.0) if self.head_config.outline == "bezier" else (0.0, 1.0)
        centers = ((centers - first) / size).logit(eps=1e-5)
        places = (self.control_point(points).float() + centers).sigmoid() * size + first
        return LayerPredictions(
            score_logits=self.score(points)[..., 0].float(),
            control_points=places,
            character_logits=self.character(characters).float(),
        )

    def outputs(self, predictions: QueryPredictions) -> dict[str, torch.Tensor]:
        """What the last layer says, and what it began with."""
        last = predictions.layers[-1]
        return {
            "score_logits": last.score_logits,
            self.place_name: last.control_points,
            "character_logits": last.character_logits,
            "proposal_boxes": predictions.proposals.query_boxes,
            "proposal_index": predictions.proposals.token_index,
        }

    @property
    def place_name(self) -> str:
        """Where words are, by the name that outputs and labels have for it."""
        return "bezier_points" if self.head_config.outline == "bezier" else "control_points"

    def label_shapes(self) -> dict[str, tuple[int, ...]]:
        """Boxes, control points of outlines or curves, and characters."""
        head = self.head_config
        return {
            "boxes": (4,),
            self.place_name: (head.num_control_points, 2),
            "character_ids": (head.num_characters,),
        }

    def match_words(
        self, layer: LayerPredictions, control_points: torch.Tensor, word_counts: list[int]
    ) -> Assignment:
        """Which query has to tell which word.

        Args:
            layer: of the layer that is judged.
            control_points: (n, P, 2) of the words of all images.
            word_counts: words of every image.
        """
        config = self.head_config
        score = focal_cost(layer.score_logits, config.focal_alpha, config.focal_gamma).mean(-1)
        costs = config.score_loss_weight * score[..., None]
        distance = point_distances(layer.control_points, control_points)
        return assign(costs + config.control_point_loss_weight * distance, word_counts)

    def proposal_losses(self, proposals: Proposals, words: BatchWords) -> dict[str, torch.Tensor]:
        """Focal, L1 and GIoU loss of the boxes, each word with a token of its own."""
        config, boxes = self.head_config, words.labels["boxes"]
        logits, proposed = proposals.score_logits.float(), proposals.boxes.float()
        weights = (config.proposal_score_weight, config.proposal_box_weight, config.proposal_giou_weight)
        score_costs = focal_cost(logits.detach(), config.focal_alpha, config.focal_gamma)
        pairs = assign(box_costs(score_costs, proposed.detach(), boxes, weights), words.counts)
        score = self.score_loss(logits, proposed[:, :, None, :2], pairs, words)
        of_words, boxes = proposed[pairs.image, pairs.query], boxes[pairs.word]
        return {
            "loss_proposal_score": weights[0] * score,
            "loss_proposal_box": weights[1] * (of_words - boxes).abs().sum() / words.total,
            "loss_proposal_giou": weights[2] * paired_giou_loss(of_words, boxes).sum() / words.total,
        }

    def layer_losses(self, layer: LayerPredictions, words: BatchWords) -> dict[str, torch.Tensor]:
        """Focal loss of the scores, L1 of the points, cross entropy of the characters."""
        config, places = self.head_config, words.labels[self.place_name]
        pairs = self.match_words(layer, places, words.counts)
        score = self.score_loss(layer.score_logits, layer.control_points, pairs, words)
        points = layer.control_points[pairs.image, pairs.query]
        logits = layer.character_logits[pairs.image, pairs.query].flatten(0, 1)
        ids = words.labels["character_ids"][pairs.word].flatten()
        distance = (points - places[pairs.word]).abs().sum()
        characters = nn.functional.cross_entropy(logits, ids, reduction="sum")
        return {
            "loss_score": config.score_loss_weight * score,
            "loss_control_points": config.control_point_loss_weight * distance / words.total,
            "loss_characters": config.character_loss_weight * characters / shared_count(len(ids), logits),
        }


__all__ = ["LayerPredictions", "TESTRHead"]
