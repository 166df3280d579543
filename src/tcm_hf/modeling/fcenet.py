"""FCENet (arXiv 2104.10442) in one file: head and loss."""

import math
from typing import NamedTuple

import torch
from torch import nn
from transformers import initialization as init

from .configuration_tcm import TCMConfig
from .detection_head import DetectionHead, Labels
from .feature_pyramid import FPN
from .global_batch import shared_count
from .losses import balanced_mean
from .matching import matching_loss
from .outputs_tcm import TCMModelOutput

STRIDES = (8, 16, 32)

# Parity: so many of the hardest cells are learned from at a level without any text. The paper says nothing.
HARDEST_CELLS_WITHOUT_TEXT = 100


class FCENetMaps(NamedTuple):
    """Maps of the head, float32, one a level of stride 8, 16, 32.

    `region_logits` and `center_logits` (B, 2, h, w): outside, inside the text and its centre region;
    `fourier_coefficients` (B, 2 (2K + 1), h, w): real parts for k = -K … K, then imaginary parts, in cells of
    the level, relative to the cell.
    """

    region_logits: tuple[torch.Tensor, ...]
    center_logits: tuple[torch.Tensor, ...]
    fourier_coefficients: tuple[torch.Tensor, ...]


class FCENetHead(DetectionHead):
    """Neck and head of FCENet; the two convolutions of the head are shared by all levels."""

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        channels = self.head_config.neck_channels
        self.neck = FPN(in_channels, channels)
        self.classification = nn.Conv2d(channels, 4, 3, padding=1)
        self.contour = nn.Conv2d(channels, 2 * self.num_coefficients, 3, padding=1)

    @property
    def num_coefficients(self) -> int:
        """Complex Fourier coefficients of a contour, 2K + 1."""
        return 2 * self.head_config.fourier_degree + 1

    def initialize_parameters(self) -> None:
        """Starts logits and contours near zero: with as few outputs, the rule for convolutions saturates."""
        for conv in (*self.neck.inner_convs, *self.neck.output_convs):
            init.xavier_uniform_(conv.weight)  # no ReLU follows
        for branch in (self.classification, self.contour):
            init.normal_(branch.weight, std=0.01)

    def forward(self, features: TCMModelOutput, for_training: bool = False) -> FCENetMaps:
        """C3 … C5 -> logits and coefficients of three levels; the same maps for training and decoding."""
        levels = self.neck(features.feature_maps)
        logits = [self.classification(level).float().split(2, dim=1) for level in levels]
        return FCENetMaps(
            region_logits=tuple(region for region, _ in logits),
            center_logits=tuple(center for _, center in logits),
            fourier_coefficients=tuple(self.contour(level).float() for level in levels),
        )

    def loss(self, maps: FCENetMaps, labels: Labels) -> dict[str, torch.Tensor]:
        """The losses of FCENet, section 3.3, each summed over the levels.

        Args:
            maps: result of `forward`.
            labels: `contour_maps_8`, `contour_maps_16`, `contour_maps_32`, each (B, 3 + 2 (2K + 1), h, w):
                text region, centre region, mask (1 where a cell is supervised), coefficients as in
                [`FCENetMaps`].

        Returns:
            `loss_region`, `loss_center`, `loss_contour_x`, `loss_contour_y`: scalars.
        """
        levels = [
            self._level_losses(region, center, coefficients, labels[f"contour_maps_{stride}"].float())
            for region, center, coefficients, stride in zip(*maps, STRIDES, strict=True)
        ]
        names = ("loss_region", "loss_center", "loss_contour_x", "loss_contour_y")
        return dict(
            zip(names, (torch.stack(losses).sum() for losses in zip(*levels, strict=True)), strict=True)
        )

    def _level_losses(
        self,
        region_logits: torch.Tensor,
        center_logits: torch.Tensor,
        coefficients: torch.Tensor,
        target: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        region, center, mask = target[:, 0], target[:, 1], target[:, 2]
        region_loss = balanced_mean(
            _cross_entropy(region_logits, region),
            region,
            mask,
            self.head_config.negative_ratio,
            HARDEST_CELLS_WITHOUT_TEXT,
        )
        inside = (region * mask) > 0
        center_loss = _center_loss(_cross_entropy(center_logits, center), inside)
        # Eq. 9: cells of the centre region weigh 1, those of the rest of the text 1/2.
        weight = ((region + center) / 2)[inside][:, None]
        cells = coefficients.movedim(1, -1)[inside], target[:, 3:].movedim(1, -1)[inside]
        points, target_points = (self._contours(values) for values in cells)
        error = nn.functional.smooth_l1_loss(points, target_points, reduction="none") * weight[..., None]
        contour_loss = error.sum((0, 1)) / shared_count(error[..., 0].numel(), error)
        return region_loss, center_loss, contour_loss[0], contour_loss[1]

    def _contours(self, coefficients: torch.Tensor) -> torch.Tensor:
        """(N, 2 (2K + 1)) -> (N, S, 2): points x, y of the contours, eq. 2, in cells relative to the cell."""
        degree, samples = self.head_config.fourier_degree, self.head_config.num_contour_samples
        k = torch.arange(-degree, degree + 1, device=coefficients.device)
        steps = torch.arange(samples, device=coefficients.device)
        angles = 2 * math.pi / samples * torch.outer(k, steps)  # (2K + 1, S)
        cos, sin = angles.cos(), angles.sin()
        basis = torch.stack([torch.cat([cos, -sin]), torch.cat([sin, cos])], dim=-1)  # (2 (2K + 1), S, 2)
        return (coefficients @ basis.flatten(1)).unflatten(1, (samples, 2))

    def matching_loss(self, matching_logits: torch.Tensor, labels: Labels) -> torch.Tensor:
        """Matching logits against the whole text regions at stride 32."""
        return matching_loss(
            matching_logits,
            labels["matching_target"],
            labels["matching_mask"],
            self.head_config.negative_ratio,
            self.head_config.balanced_matching_loss,
        )

    def label_shapes(self, size_hw: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """Target maps of the three levels, and of the matching map; strides divide sizes rounding up."""
        channels = 3 + 2 * self.num_coefficients
        sizes = {stride: tuple(-(-side // stride) for side in size_hw) for stride in STRIDES}
        shapes = {f"contour_maps_{stride}": (channels, *size) for stride, size in sizes.items()}
        return {**shapes, **dict.fromkeys(("matching_target", "matching_mask"), sizes[STRIDES[-1]])}


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(B, 2, h, w), (B, h, w) of 0 and 1 -> loss of every cell, (B, h, w)."""
    return nn.functional.cross_entropy(logits, target.long(), reduction="none")


def _center_loss(cell_loss: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Mean loss of the cells inside text, plus half of the mean of all others, as far as there is text.

    `# Parity:` the paper has the cells inside text only; the released code adds the others, also those that
    the mask takes out.
    """
    outside = ~inside
    loss = (cell_loss * inside).sum() / shared_count(inside.sum(), cell_loss)
    loss = loss + 0.5 * (cell_loss * outside).sum() / shared_count(outside.sum(), cell_loss)
    return loss * (shared_count(inside.sum(), cell_loss, least=0.0) > 0)
