"""ATSS (arXiv 1912.02424) for rotated objects."""

import torch
from torch import nn
from transformers import initialization as init

from .configuration_tcm import TCMConfig
from .rotated_assignment import assign_adaptively
from .rotated_geometry import decode_deltas, grid_anchors, per_place
from .rotated_head import STRIDES, CenternessHead, LevelScales


class RotatedATSSHead(CenternessHead):
    """One square anchor a cell is moved, stretched and turned; how central it is, is predicted too."""

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        super().__init__(config, in_channels, groups=config.head_config.norm_groups)
        channels = self.head_config.neck_channels
        self.box = nn.Conv2d(channels, 5, 3, padding=1)
        self.centerness = nn.Conv2d(channels, 1, 3, padding=1)
        self.level_scales = LevelScales()

    def initialize_parameters(self) -> None:
        """Scales start at one."""
        super().initialize_parameters()
        for scale in self.level_scales.parameters():
            init.ones_(scale)

    def places(self, sizes_hw: list[tuple[int, int]], device: torch.device) -> list[torch.Tensor]:
        """Anchors at the top left corners of the cells."""
        scales = [float(self.head_config.anchor_scale)]
        return [
            grid_anchors(size, stride, ratios=[1.0], scales=scales, device=device)
            for size, stride in zip(sizes_hw, STRIDES, strict=True)
        ]

    def predict_boxes(self, hidden: torch.Tensor, level: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Deltas of the anchors, see `encode_deltas`."""
        deltas = self.level_scales(per_place(self.box(hidden), 5), level)
        return deltas, per_place(self.centerness(hidden), 1).squeeze(-1)

    def decode(self, places: torch.Tensor, values: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
        """Centres stay inside the image."""
        return decode_deltas(places, values, size_hw=size_hw)

    def assign(self, places: list[torch.Tensor], boxes: torch.Tensor) -> torch.Tensor:
        """See `assign_adaptively`."""
        return assign_adaptively(places, boxes, num_candidates=self.head_config.num_candidates)
