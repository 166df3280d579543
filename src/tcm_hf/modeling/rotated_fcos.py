"""FCOS (arXiv 1904.01355) for rotated objects."""

from typing import Any

import torch
from torch import nn
from transformers import initialization as init

from .configuration_tcm import TCMConfig
from .rotated_assignment import assign_points
from .rotated_geometry import decode_distances, grid_points, per_place
from .rotated_head import STRIDES, CenternessHead, LevelScales


class RotatedFCOSHead(CenternessHead):
    """Each point predicts how far the four sides of a turned box are, its angle, and how central it is."""

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        super().__init__(config, in_channels, groups=config.head_config.norm_groups)
        channels = self.head_config.neck_channels
        self.box = nn.Conv2d(channels, 4, 3, padding=1)
        self.angle = nn.Conv2d(channels, 1, 3, padding=1)
        self.centerness = nn.Conv2d(channels, 1, 3, padding=1)
        self.level_scales = LevelScales()
        self.angle_scale = nn.Parameter(torch.ones(()))

    def initialize_parameters(self) -> None:
        """Boxes of two strides to every side: at 0 the ReLU would pass no gradient for half of them."""
        super().initialize_parameters()
        bias: Any = self.box.bias
        init.constant_(bias, 2.0)
        for scale in (*self.level_scales.parameters(), self.angle_scale):
            init.ones_(scale)

    def places(self, sizes_hw: list[tuple[int, int]], device: torch.device) -> list[torch.Tensor]:
        """Centres of the cells."""
        return [
            grid_points(size, stride, 0.5, device) for size, stride in zip(sizes_hw, STRIDES, strict=True)
        ]

    def predict_boxes(self, hidden: torch.Tensor, level: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Distances to left, top, right, bottom in pixels, not negative, and the angle, in any range."""
        distances = self.level_scales(per_place(self.box(hidden), 4), level).relu() * STRIDES[level]
        angles = per_place(self.angle(hidden), 1) * self.angle_scale
        return torch.cat([distances, angles], dim=-1), per_place(self.centerness(hidden), 1).squeeze(-1)

    def decode(self, places: torch.Tensor, values: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
        """`# Parity:` boxes may leave the image, and be higher than wide."""
        return decode_distances(places, values[..., :4], values[..., 4])

    def assign(self, places: list[torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
        """See `assign_points`."""
        head = self.head_config
        return assign_points(
            places, STRIDES, boxes, center_radius=head.center_radius, first_range_px=head.first_range_px
        )
