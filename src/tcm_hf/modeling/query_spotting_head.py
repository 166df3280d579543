"""What the query-based spotting heads share: the encoder, where parameters start, losses layer by layer."""

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import initialization as init
from transformers.models.deformable_detr.modeling_deformable_detr import (
    DeformableDetrMLPPredictionHead,
    DeformableDetrMultiscaleDeformableAttention,
)

from .configuration_tcm_spotting import TCMSpottingConfig
from .deformable_encoder import DeformableEncoder, EncodedPyramid
from .global_batch import shared_count
from .outputs_tcm import TCMModelOutput
from .spotting_head import SpottingHead
from .spotting_losses import Assignment, Labels, focal_loss, inside_boxes, targets_of

PRIOR_PROBABILITY = 0.01
"""How likely a query is a word before anything is learned."""


class QueryPredictions(NamedTuple):
    """What such a head says."""

    layers: list[Any]
    """Predictions of every decoder layer with labels, of the last one otherwise."""
    proposals: Any
    """What the tokens of the pyramid propose, and which of them became queries."""


class BatchWords(NamedTuple):
    """The words of a batch."""

    labels: dict[str, torch.Tensor]
    """By name, (n, …): those of all images behind one another."""
    counts: list[int]
    """Words of every image."""
    ignored_boxes: list[torch.Tensor]
    """One (m, 4) an image, centre and size of text that nothing shall be learned of."""

    total: torch.Tensor | float
    """What sums over words are divided by, see `shared_count`."""


class QuerySpottingHead(SpottingHead):
    """A deformable encoder, proposals of its tokens, and queries that decoder layers make words of.

    Args:
        config: the model's config.
        in_channels: channels of C3 … C5, or of finer maps too, which are not read.
    """

    def __init__(self, config: TCMSpottingConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        self.encoder = DeformableEncoder(self.head_config, in_channels[-3:])

    def initialize_parameters(self) -> None:
        """Starts attentions and embeddings as Deformable DETR does."""
        for module in self.modules():
            if isinstance(module, DeformableDetrMultiscaleDeformableAttention):
                _look_around(module)
        init.normal_(self.encoder.level_embedding)

    def encode(self, features: TCMModelOutput, pixel_mask: torch.Tensor | None) -> EncodedPyramid:
        """Feature maps C3 … C5 -> the pyramid that queries look at; arguments as for `forward`."""
        maps: Any = features.feature_maps
        dtype = self.encoder.level_embedding.dtype
        return self.encoder([feature_map.to(dtype) for feature_map in maps[-3:]], pixel_mask)

    def loss(self, predictions: Any, labels: Labels) -> dict[str, torch.Tensor]:
        """The weighted losses; every sum over words is divided by the number of words in the batch.

        Args:
            predictions: from `forward` with labels, with what `QueryPredictions` has.
            labels: one dict an image, see `label_shapes`; places in parts of the image's size. With
                `ignored_boxes` (m, 4), centre and size, queries in these that have no word learn nothing.

        Returns:
            Scalars by name; those of earlier decoder layers end with the layer's number.
        """
        words = self._words(labels)
        losses = self.proposal_losses(predictions.proposals, words)
        *earlier, last = predictions.layers
        losses |= self.layer_losses(last, words)
        if self.head_config.auxiliary_losses:
            for number, layer in enumerate(earlier):
                of_layer = self.layer_losses(layer, words)
                losses |= {f"{name}_{number}": loss for name, loss in of_layer.items()}
        return losses

    def _words(self, labels: Labels) -> BatchWords:
        names = list(self.label_shapes())
        none = labels[0][names[0]].new_zeros(0, 4)
        counts = [len(label[names[0]]) for label in labels]
        return BatchWords(
            labels={name: torch.cat([label[name] for label in labels]) for name in names},
            counts=counts,
            ignored_boxes=[label.get("ignored_boxes", none) for label in labels],
            total=shared_count(sum(counts), none),
        )

    def score_loss(
        self, logits: torch.Tensor, places: torch.Tensor, pairs: Assignment, words: BatchWords
    ) -> torch.Tensor:
        """Focal loss of being a word: sum over queries, mean over what each has, divided by the words.

        Args:
            logits: (B, Q) or (B, Q, P).
            places: (B, Q, P', 2), points of the queries; where their middle is, a query is.
            pairs: who is a word.
            words: of the batch.
        """
        config = self.head_config
        target = targets_of(logits, pairs)
        losses = focal_loss(logits, target, config.focal_alpha, config.focal_gamma)
        losses = losses.reshape(*logits.shape[:2], -1).mean(-1)
        free = target.reshape(*logits.shape[:2], -1)[..., 0] == 0
        ignored = inside_boxes(places.detach().mean(dim=2), words.ignored_boxes)
        return losses.masked_fill(free & ignored, 0.0).sum() / words.total

    @abstractmethod
    def proposal_losses(self, proposals: Any, words: BatchWords) -> dict[str, torch.Tensor]:
        """Losses of the encoder's proposals, `QueryPredictions.proposals`."""

    @abstractmethod
    def layer_losses(self, layer: Any, words: BatchWords) -> dict[str, torch.Tensor]:
        """Losses of one decoder layer, one of `QueryPredictions.layers`."""


def start_unlikely(*scores: nn.Linear) -> None:
    """Begin with a score of `PRIOR_PROBABILITY` (focal loss, arXiv 1708.02002, sec. 3.3)."""
    prior = -float(torch.tensor(1 / PRIOR_PROBABILITY - 1).log())
    for score in scores:
        init.constant_(score.bias, prior)


def start_at_zero(*heads: DeformableDetrMLPPredictionHead) -> None:
    """Begin with zeros: what such a head gives is added to a place that is known before."""
    for head in heads:
        last: Any = head.layers[-1]
        init.zeros_(last.weight)
        init.zeros_(last.bias)


def _look_around(attention: DeformableDetrMultiscaleDeformableAttention) -> None:
    """Every head looks into a direction of its own, its points one step farther each; all weigh the same."""
    heads, points = attention.n_heads, attention.n_points
    angle = torch.arange(heads, dtype=torch.float32) * (2 * torch.pi / heads)
    direction = torch.stack([angle.cos(), angle.sin()], dim=-1)
    direction = direction / direction.abs().amax(-1, keepdim=True)
    steps = direction[:, None, None] * torch.arange(1, points + 1)[None, None, :, None]
    init.zeros_(attention.sampling_offsets.weight)
    init.copy_(attention.sampling_offsets.bias, steps.expand(-1, attention.n_levels, -1, -1).flatten())
    init.zeros_(attention.attention_weights.weight)
    init.zeros_(attention.attention_weights.bias)


__all__ = ["BatchWords", "QueryPredictions", "QuerySpottingHead", "start_at_zero", "start_unlikely"]
