"""Feature pyramid of FCENet, of the rotated detectors and of ABCNet."""

import torch
from torch import nn


class FPN(nn.Module):
    """Feature pyramid (arXiv 1612.03144): lateral 1x1 convolutions, nearest upsampling, 3x3 convolutions.

    Args:
        in_channels: channels of the backbone's maps, the finest first.
        channels: channels of the levels.
        num_levels: maps that are read, the coarsest of those given: 3 for C3 … C5.
    """

    def __init__(self, in_channels: list[int], channels: int, num_levels: int = 3):
        super().__init__()
        # Not named as DBNet's, whose weights would be taken for these where a checkpoint gets another head.
        self.inner_convs = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in in_channels[-num_levels:])
        self.output_convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in self.inner_convs
        )

    def forward(self, feature_maps: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Maps of the backbone -> levels of the same sizes, the finest first, (B, channels, h, w) each."""
        maps = feature_maps[-len(self.inner_convs) :]
        levels = [conv(x) for conv, x in zip(self.inner_convs, maps, strict=True)]
        for i in range(len(levels) - 1, 0, -1):
            levels[i - 1] = levels[i - 1] + nn.functional.interpolate(
                levels[i], size=levels[i - 1].shape[-2:]
            )
        return tuple(conv(x) for conv, x in zip(self.output_convs, levels, strict=True))


__all__ = ["FPN"]
