"""Decoder over groups of queries: the points of a word, or its characters, with those of the other words."""

from typing import Any

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.deformable_detr.modeling_deformable_detr import (
    DeformableDetrMLP,
    DeformableDetrMultiscaleDeformableAttention,
    DeformableDetrSelfAttention,
)

from .configuration_tcm import TCMConfig
from .deformable_encoder import EncodedPyramid


class GroupDecoderLayer(GradientCheckpointingLayer):
    """Attention within a word, among words, to the image; then a feed-forward block. Norms come after.

    Source: TESTR, arXiv 2204.01918, sec. 3.3 and 3.4 ("factorised self-attention").
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        head = config.head_config
        width, heads = head.hidden_size, head.num_attention_heads
        kernel_of: Any = config  # all that these two read in it
        self.intra_attn = DeformableDetrSelfAttention(kernel_of, width, heads, dropout=head.dropout)
        self.intra_attn_norm = nn.LayerNorm(width)
        self.inter_attn = DeformableDetrSelfAttention(kernel_of, width, heads, dropout=head.dropout)
        self.inter_attn_norm = nn.LayerNorm(width)
        self.cross_attn = DeformableDetrMultiscaleDeformableAttention(
            head, num_heads=heads, n_points=head.decoder_sampling_points
        )
        self.cross_attn_norm = nn.LayerNorm(width)
        self.mlp = DeformableDetrMLP(head, width, head.intermediate_size)
        self.mlp_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(head.dropout)

    def forward(
        self,
        hidden: torch.Tensor,
        positions: torch.Tensor,
        reference_points: torch.Tensor,
        tokens: torch.Tensor,
        mask: torch.Tensor | None,
        sizes_hw: list[tuple[int, int]],
        spatial_shapes: torch.Tensor,
        level_start_index: torch.Tensor,
    ) -> torch.Tensor:
        """One layer. What it looks at comes in parts: recomputed layers must see every tensor.

        Args:
            hidden: (B, Q, P, D), P members of each of Q groups.
            positions: (B, Q, P, D), added to queries and keys within a group, and to queries to the image.
            reference_points: (B, Q, P, L, 2 or 4), point or box of a member on every level.
            tokens: as all that follows, of an `EncodedPyramid`: what is looked at.
            mask: which tokens belong to the image.
            sizes_hw: of its levels.
            spatial_shapes: the same as a tensor.
            level_start_index: their first tokens.

        Returns:
            (B, Q, P, D).
        """
        batch, queries, members, _ = hidden.shape
        attended, _ = self.intra_attn(hidden.flatten(0, 1), position_embeddings=positions.flatten(0, 1))
        hidden = self.intra_attn_norm(hidden + self.dropout(attended.view_as(hidden)))

        across = hidden.transpose(1, 2)  # (B, P, Q, D): the n-th members of all groups
        attended, _ = self.inter_attn(across.flatten(0, 1))
        hidden = self.inter_attn_norm(across + self.dropout(attended.view_as(across))).transpose(1, 2)

        attended, _ = self.cross_attn(
            hidden_states=hidden.flatten(1, 2),
            attention_mask=mask,
            encoder_hidden_states=tokens,
            position_embeddings=positions.flatten(1, 2),
            reference_points=reference_points.flatten(1, 2),
            spatial_shapes=spatial_shapes,
            spatial_shapes_list=sizes_hw,
            level_start_index=level_start_index,
        )
        hidden = self.cross_attn_norm(hidden + self.dropout(attended.view(batch, queries, members, -1)))
        return self.mlp_norm(hidden + self.mlp(hidden))


class GroupDecoder(nn.Module):
    """Layers of a decoder, and the embeddings that tell the members of a group apart.

    Args:
        config: the model's config.
        num_members: P.
    """

    def __init__(self, config: TCMConfig, num_members: int):
        super().__init__()
        self.member_embedding = nn.Embedding(num_members, config.head_config.hidden_size)
        self.layers = nn.ModuleList(
            GroupDecoderLayer(config) for _ in range(config.head_config.num_decoder_layers)
        )

    def forward(
        self, positions: torch.Tensor, query_boxes: torch.Tensor, pyramid: EncodedPyramid
    ) -> list[torch.Tensor]:
        """Decodes.

        Args:
            positions: (B, Q, P, D).
            query_boxes: (B, Q, 4), centre and size, parts of the image's size.
            pyramid: what is looked at.

        Returns:
            One (B, Q, P, D) a layer.
        """
        ratios = pyramid.valid_ratios.repeat(1, 1, 2)  # (B, L, 4)
        boxes = query_boxes[:, :, None] * ratios[:, None]  # (B, Q, L, 4)
        reference_points = boxes[:, :, None].expand(-1, -1, positions.shape[2], -1, -1)
        members = torch.arange(positions.shape[2], device=positions.device)
        hidden = self.member_embedding(members).expand(*positions.shape[:2], -1, -1)
        layers = []
        for layer in self.layers:
            hidden = layer(hidden, positions, reference_points, *pyramid.looked_at)
            layers.append(hidden)
        return layers


__all__ = ["GroupDecoder", "GroupDecoderLayer"]
