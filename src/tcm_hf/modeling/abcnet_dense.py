"""ABCNet's dense head: every place of the pyramid says whether it lies in a word, and where the word is."""

import math
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import initialization as init

from .configuration_abcnet import ABCNetHeadConfig
from .rotated_geometry import grid_points, per_place

STRIDES = (8, 16, 32, 64, 128)
"""Of the levels that the dense head may look at, the finest first."""

_RARE = 0.01  # how likely a place is a word when training starts (arXiv 1708.02002, sec. 4.1)
_FIRST_DISTANCE = 2.0  # strides; a ReLU follows, which would not learn from distances that start below zero


class DenseWords(NamedTuple):
    """What the N places of all levels say, level by level, row by row; float32."""

    score_logits: torch.Tensor
    """(B, N), whether a place lies in the middle of a word."""
    centerness_logits: torch.Tensor
    """(B, N), how near it is to the centre of the word's box."""
    distances: torch.Tensor
    """(B, N, 4), to the left, top, right and lower side of the box, in strides, not negative."""
    curve_offsets: torch.Tensor
    """(B, N, 8, 2), from the place to the word's control points, in strides."""
    places: torch.Tensor
    """(N, 2), x, y in pixels of the network's input, centres of the cells."""
    strides: torch.Tensor
    """(N,), pixels a cell, of `STRIDES`."""

    @property
    def boxes(self) -> torch.Tensor:
        """(B, N, 4), corners x0, y0, x1, y1 in pixels of the network's input."""
        distances = self.distances * self.strides[:, None]
        return torch.cat([self.places - distances[..., :2], self.places + distances[..., 2:]], dim=-1)

    @property
    def curves(self) -> torch.Tensor:
        """(B, N, 8, 2), control points in pixels of the network's input."""
        return self.places[:, None] + self.curve_offsets * self.strides[:, None, None]


class DenseWordHead(nn.Module):
    """Two towers of convolutions, shared by all levels: one for the score, one for everything about places.

    Source: FCOS, arXiv 1904.01355, fig. 2; ABCNet, arXiv 2002.10200, sec. 3.1.

    Args:
        config: of the head.
    """

    def __init__(self, config: ABCNetHeadConfig):
        super().__init__()
        channels = config.neck_channels
        self.score_tower, self.box_tower = (
            nn.Sequential(*(part for _ in range(config.num_convs) for part in _conv_norm_act(config)))
            for _ in range(2)
        )
        self.score = nn.Conv2d(channels, 1, 3, padding=1)
        self.distance = nn.Conv2d(channels, 4, 3, padding=1)
        self.centerness = nn.Conv2d(channels, 1, 3, padding=1)
        self.curve = nn.Conv2d(channels, 16, 3, padding=1)

    def initialize_parameters(self) -> None:
        """Small weights, and words that are rare at first: without it the focal loss diverges."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.normal_(module.weight, std=0.01)
        biases: Any = self.score.bias, self.distance.bias
        init.constant_(biases[0], -math.log((1 - _RARE) / _RARE))
        init.constant_(biases[1], _FIRST_DISTANCE)

    def forward(self, levels: list[torch.Tensor]) -> DenseWords:
        """Levels of stride 8, 16, …, (B, C, h, w) each -> what their places say."""
        scores, centers, distances, curves, places, strides = [], [], [], [], [], []
        for level, stride in zip(levels, STRIDES, strict=False):
            hidden = self.box_tower(level)
            scores.append(per_place(self.score(self.score_tower(level)), 1)[..., 0])
            centers.append(per_place(self.centerness(hidden), 1)[..., 0])
            distances.append(per_place(self.distance(hidden), 4).relu())
            curves.append(per_place(self.curve(hidden), 16).unflatten(-1, (8, 2)))
            places.append(grid_points((level.shape[-2], level.shape[-1]), stride, 0.5, level.device))
            strides.append(places[-1].new_full(places[-1].shape[:1], stride))
        return DenseWords(
            score_logits=torch.cat(scores, dim=1),
            centerness_logits=torch.cat(centers, dim=1),
            distances=torch.cat(distances, dim=1),
            curve_offsets=torch.cat(curves, dim=1),
            places=torch.cat(places),
            strides=torch.cat(strides),
        )


def _conv_norm_act(config: ABCNetHeadConfig) -> list[nn.Module]:
    channels = config.neck_channels
    norm = nn.GroupNorm(config.norm_groups, channels)
    return [nn.Conv2d(channels, channels, 3, padding=1), norm, nn.ReLU()]


__all__ = ["STRIDES", "DenseWordHead", "DenseWords"]
