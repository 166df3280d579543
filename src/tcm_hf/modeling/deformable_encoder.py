"""The pyramid as one sequence, encoded by deformable attention: transformers' Deformable DETR layers."""

from collections.abc import Sequence
from math import pi
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers.models.deformable_detr.modeling_deformable_detr import (
    DeformableDetrEncoder,
    DeformableDetrEncoderLayer,
)

from .configuration_deformable import DeformableHeadConfig

STRIDES = (8, 16, 32)
"""Pixels a cell, of the levels that the backbone gives."""


class EncodedPyramid(NamedTuple):
    """All levels as one sequence of N tokens, and where deformable attention finds what in it."""

    tokens: torch.Tensor
    """(B, N, D)."""
    mask: torch.Tensor | None
    """(B, N), True where a token belongs to the image; None if there is no padding."""
    sizes_hw: list[tuple[int, int]]
    """Height and width of every level."""
    spatial_shapes: torch.Tensor
    """(L, 2), the same as a tensor."""
    level_start_index: torch.Tensor
    """(L,), first token of every level."""
    valid_ratios: torch.Tensor
    """(B, L, 2), part of width and height that is image."""

    @property
    def looked_at(self) -> tuple[Any, ...]:
        """All but the ratios, in the order of the fields: what a layer of a decoder takes."""
        return self[:-1]


def sine_features(values: torch.Tensor, num_features: int, temperature: float = 10000.0) -> torch.Tensor:
    """Sine and cosine of values at falling frequencies, in turns.

    Args:
        values: any shape, in radians of the highest frequency.
        num_features: F, even.
        temperature: the lowest frequency is almost 1 / temperature.

    Returns:
        (…, F).
    """
    index = torch.arange(num_features, device=values.device, dtype=torch.float32)
    angles = values[..., None] / temperature ** (
        2 * torch.div(index, 2, rounding_mode="floor") / num_features
    )
    return torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], dim=-1).flatten(-2)


def grid_positions(mask: torch.Tensor, num_features: int) -> torch.Tensor:
    """Position features of a level's cells, relative to the image inside its padding.

    Args:
        mask: (B, h, w), True where a cell belongs to the image.
        num_features: D; the first half tells y, the second x.

    Returns:
        (B, h, w, D) float32.
    """
    halves = []
    for axis in (1, 2):
        place = mask.cumsum(axis, dtype=torch.float32)
        size = place.narrow(axis, mask.shape[axis] - 1, 1)
        halves.append(sine_features((place - 0.5) / (size + 1e-6) * 2 * pi, num_features // 2))
    return torch.cat(halves, dim=-1)


def level_masks(pixel_mask: torch.Tensor, sizes_hw: Sequence[tuple[int, int]]) -> list[torch.Tensor]:
    """Which cells of every level hold a pixel of the image.

    `# Parity:` levels behind the backbone's take theirs from the finest level's, by nearest neighbour.

    Args:
        pixel_mask: (B, H, W), nonzero in the image, which begins at the top left.
        sizes_hw: of the levels.

    Returns:
        One (B, h, w) bool a level.
    """
    pixels = pixel_mask[:, None].float()
    masks = [nn.functional.max_pool2d(pixels, stride, ceil_mode=True) for stride in STRIDES]
    masks += [nn.functional.interpolate(masks[0], size=size_hw) for size_hw in sizes_hw[len(STRIDES) :]]
    return [mask[:, 0].bool() for mask in masks]


class DeformableEncoder(nn.Module):
    """Feature maps of strides 8, 16 and 32, and halves of the last, look at one another.

    Source: Deformable DETR, arXiv 2010.04159, sec. 4.1; TESTR, arXiv 2204.01918, sec. 3.2.

    Args:
        config: of the head.
        in_channels: of the three maps.
    """

    def __init__(self, config: DeformableHeadConfig, in_channels: Sequence[int]):
        super().__init__()
        width = config.hidden_size
        projections = [self._projection(nn.Conv2d(channels, width, 1)) for channels in in_channels]
        channels = in_channels[-1]
        for _ in range(config.num_feature_levels - len(projections)):
            projections.append(self._projection(nn.Conv2d(channels, width, 3, stride=2, padding=1)))
            channels = width
        self.input_projections = nn.ModuleList(projections)
        self.level_embedding = nn.Parameter(torch.zeros(config.num_feature_levels, width))
        self.layers = nn.ModuleList(
            DeformableDetrEncoderLayer(config)  # type: ignore[arg-type]
            for _ in range(config.num_encoder_layers)
        )

    @staticmethod
    def _projection(convolution: nn.Conv2d) -> nn.Sequential:
        return nn.Sequential(convolution, nn.GroupNorm(32, convolution.out_channels))

    def forward(
        self, feature_maps: Sequence[torch.Tensor], pixel_mask: torch.Tensor | None = None
    ) -> EncodedPyramid:
        """Encodes a pyramid.

        Args:
            feature_maps: C3, C4, C5 as (B, C_i, h_i, w_i).
            pixel_mask: (B, H, W), nonzero in the image; None if all of it is.
        """
        levels, coarsest = [], feature_maps[-1]
        for index, projection in enumerate(self.input_projections):
            if index < len(STRIDES):
                levels.append(projection(feature_maps[index]))
            else:  # the first additional level is made of C5 itself, the others of the one before
                coarsest = projection(coarsest)
                levels.append(coarsest)
        sizes_hw = [(level.shape[-2], level.shape[-1]) for level in levels]
        pyramid, positions = self._as_sequence(levels, sizes_hw, pixel_mask)
        # Every cell looks around its own place, on every level.
        reference_points = DeformableDetrEncoder.get_reference_points(
            sizes_hw, pyramid.valid_ratios, device=pyramid.tokens.device
        )
        hidden = pyramid.tokens
        for layer in self.layers:
            hidden = layer(
                hidden,
                pyramid.mask,
                spatial_position_embeddings=positions,
                reference_points=reference_points,
                spatial_shapes=pyramid.spatial_shapes,
                spatial_shapes_list=pyramid.sizes_hw,
                level_start_index=pyramid.level_start_index,
            )
        return pyramid._replace(tokens=hidden)

    def _as_sequence(
        self,
        levels: list[torch.Tensor],
        sizes_hw: list[tuple[int, int]],
        pixel_mask: torch.Tensor | None,
    ) -> tuple[EncodedPyramid, torch.Tensor]:
        """The levels behind one another, and (B, N, D) of position and level of every token."""
        first = levels[0]
        if pixel_mask is None:
            masks = [first.new_ones((1, *size_hw), dtype=torch.bool) for size_hw in sizes_hw]
        else:
            masks = level_masks(pixel_mask, sizes_hw)
        positions = [
            grid_positions(mask, first.shape[1]).to(first.dtype).flatten(1, 2) + embedding
            for mask, embedding in zip(masks, self.level_embedding, strict=True)
        ]
        ratios = [
            torch.stack([mask[:, 0].float().mean(-1), mask[:, :, 0].float().mean(-1)], -1) for mask in masks
        ]
        spatial_shapes = torch.tensor(sizes_hw, device=first.device)
        pyramid = EncodedPyramid(
            tokens=torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1),
            mask=None if pixel_mask is None else torch.cat([mask.flatten(1) for mask in masks], dim=1),
            sizes_hw=sizes_hw,
            spatial_shapes=spatial_shapes,
            level_start_index=spatial_shapes.prod(1).cumsum(0) - spatial_shapes.prod(1),
            # Places keep their digits under autocast, whatever features are.
            valid_ratios=torch.stack(ratios, dim=1)
            .to(self.level_embedding.dtype)
            .expand(first.shape[0], -1, -1),
        )
        return pyramid, torch.cat(positions, dim=1)


__all__ = ["DeformableEncoder", "EncodedPyramid", "grid_positions", "level_masks", "sine_features"]
