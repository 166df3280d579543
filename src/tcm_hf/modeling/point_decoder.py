"""Decoder over points along words: every point knows its place, and each layer moves it."""

from math import pi
from typing import NamedTuple

import torch
from torch import nn
from transformers.models.deformable_detr.modeling_deformable_detr import DeformableDetrMLPPredictionHead

from .configuration_tcm import TCMConfig
from .deformable_encoder import EncodedPyramid, sine_features
from .group_decoder import GroupDecoderLayer


class DecodedPoints(NamedTuple):
    """What a layer gives."""

    hidden: torch.Tensor
    """(B, Q, N, D)."""
    points: torch.Tensor
    """(B, Q, N, 2), (x, y) in parts of the image's width and height, where the layer moved them."""


class PointDecoder(nn.Module):
    """Layers of a decoder whose queries are points (DeepSolo, arXiv 2211.10772, sec. 3.3).

    A point's query is the embedding of its number along the word; features of its place are added where
    attention looks for something. Layers share the networks that move points and that make these features.

    Args:
        config: the model's config.
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        head = config.head_config
        width = head.hidden_size
        self.point_embedding = nn.Embedding(head.num_points, width)
        self.position = DeformableDetrMLPPredictionHead(width, width, width, num_layers=2)
        self.shift = DeformableDetrMLPPredictionHead(width, width, 2, num_layers=3)
        self.layers = nn.ModuleList(GroupDecoderLayer(config) for _ in range(head.num_decoder_layers))

    def forward(self, points: torch.Tensor, pyramid: EncodedPyramid) -> list[DecodedPoints]:
        """Decodes.

        Args:
            points: (B, Q, N, 2), in parts of the image's width and height, where to begin.
            pyramid: what is looked at.

        Returns:
            One a layer.
        """
        ratios = pyramid.valid_ratios[:, None, None]  # (B, 1, 1, L, 2)
        numbers = torch.arange(points.shape[2], device=points.device)
        hidden = self.point_embedding(numbers).expand(*points.shape[:2], -1, -1)
        width, layers = hidden.shape[-1], []
        for layer in self.layers:
            features = sine_features(points.float() * 2 * pi, width // 2).flatten(3)
            positions = self.position(features.to(hidden.dtype))
            reference_points = points[..., None, :].to(ratios.dtype) * ratios
            hidden = layer(hidden, positions, reference_points, *pyramid.looked_at)
            moved = (self.shift(hidden).float() + points.float().logit(eps=1e-5)).sigmoid()
            layers.append(DecodedPoints(hidden, moved))
            points = moved.detach()
        return layers


__all__ = ["DecodedPoints", "PointDecoder"]
