"""DBNet (arXiv 1911.08947) in one file: neck, head and loss."""

from typing import NamedTuple

import torch
from torch import nn

from .configuration_tcm import TCMConfig
from .detection_head import DetectionHead, Labels
from .global_batch import shared_count
from .losses import EPS, balanced_mean, dice_loss
from .matching import matching_loss
from .outputs_tcm import TCMModelOutput


class FPNC(nn.Module):
    """Top-down feature pyramid whose levels are brought to stride 4 and concatenated.

    No norm, no activation, no bias, nearest upsampling: as in DBNet's published form.
    """

    def __init__(self, in_channels: list[int], channels: int):
        super().__init__()
        self.lateral_convs = nn.ModuleList(nn.Conv2d(c, channels, 1, bias=False) for c in in_channels)
        self.smooth_convs = nn.ModuleList(
            nn.Conv2d(channels, channels // 4, 3, padding=1, bias=False) for _ in in_channels
        )

    def forward(self, feature_maps: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """C2 … C5 -> (B, channels, H/4, W/4)."""
        levels = [conv(x) for conv, x in zip(self.lateral_convs, feature_maps, strict=True)]
        for i in range(len(levels) - 1, 0, -1):
            levels[i - 1] += nn.functional.interpolate(levels[i], size=levels[i - 1].shape[-2:])
        smoothed = [conv(x) for conv, x in zip(self.smooth_convs, levels, strict=True)]
        size_hw = smoothed[0].shape[-2:]
        return torch.cat(
            [smoothed[0], *(nn.functional.interpolate(x, size=size_hw) for x in smoothed[1:])], dim=1
        )


class UpsamplingBranch(nn.Sequential):
    """Stride-4 features -> maps at full size: 3x3 convolution, two 2x2 transposed convolutions."""

    def __init__(self, channels: int, out_channels: int = 1):
        inner = channels // 4
        super().__init__(
            nn.Conv2d(channels, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(inner, inner, 2, stride=2),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(inner, out_channels, 2, stride=2),
        )


class DBNetMaps(NamedTuple):
    """Maps of the head, each (B, H, W) float32 in [0, 1]; the last two only where they are asked for."""

    probability_map: torch.Tensor
    threshold_map: torch.Tensor | None
    binary_map: torch.Tensor | None


class DBNetHead(DetectionHead):
    """Neck and head of DBNet."""

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        channels = self.head_config.neck_channels
        self.neck = FPNC(in_channels, channels)
        self.probability = UpsamplingBranch(channels)
        self.threshold = UpsamplingBranch(channels)

    def forward(self, features: TCMModelOutput, for_training: bool = False) -> DBNetMaps:
        """C2 … C5 -> maps at full size.

        Decoding reads the probability map only, so the threshold branch (a quarter of the head's cost) runs
        for training alone.
        """
        neck_features = self.neck(features.feature_maps)
        # In half precision a sigmoid is 1 from a logit of 6 on, and the loss of such a pixel has no gradient.
        probability_map = self.probability(neck_features).squeeze(1).float().sigmoid()
        if not for_training:
            return DBNetMaps(probability_map, None, None)
        threshold_map = self.threshold(neck_features).squeeze(1).float().sigmoid()
        # DBNet eq. 2: differentiable binarisation.
        binary_map = torch.sigmoid(self.head_config.step_slope * (probability_map - threshold_map))
        return DBNetMaps(probability_map, threshold_map, binary_map)

    def loss(self, maps: DBNetMaps, labels: Labels) -> dict[str, torch.Tensor]:
        """The three weighted losses of DBNet, eq. 5.

        Args:
            maps: result of `forward(..., for_training=True)`.
            labels: `probability_map`, `probability_mask`, `threshold_map`, `threshold_mask`, each (B, H, W);
                masks are 1 where a pixel is supervised.

        Returns:
            `loss_probability`, `loss_threshold`, `loss_binary`: scalars.
        """
        if maps.threshold_map is None or maps.binary_map is None:
            raise ValueError("The loss needs all maps: call the head with `for_training=True`.")
        kernel, kernel_mask = labels["probability_map"].float(), labels["probability_mask"].float()
        probability_map, binary_map = maps.probability_map.float(), maps.binary_map.float()
        if self.head_config.balanced_probability_loss:
            pixel_loss = nn.functional.binary_cross_entropy(probability_map, kernel, reduction="none")
            probability_loss = balanced_mean(pixel_loss, kernel, kernel_mask, self.head_config.negative_ratio)
        else:
            probability_loss = dice_loss(probability_map, kernel, kernel_mask)
        threshold_error = (maps.threshold_map.float() - labels["threshold_map"].float()).abs()
        threshold_mask = labels["threshold_mask"].float()
        supervised = shared_count(threshold_mask.sum() + EPS, threshold_error, least=EPS)
        threshold_loss = (threshold_error * threshold_mask).sum() / supervised
        return {
            "loss_probability": self.head_config.probability_loss_weight * probability_loss,
            "loss_threshold": self.head_config.threshold_loss_weight * threshold_loss,
            "loss_binary": dice_loss(binary_map, kernel, kernel_mask),
        }

    def matching_loss(self, matching_logits: torch.Tensor, labels: Labels) -> torch.Tensor:
        """Matching logits against the shrunk kernels, upsampled to the size of the image."""
        return matching_loss(
            matching_logits,
            labels["probability_map"],
            labels["probability_mask"],
            self.head_config.negative_ratio,
            self.head_config.balanced_matching_loss,
        )

    def label_shapes(self, size_hw: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """Target maps at full size."""
        names = ("probability_map", "probability_mask", "threshold_map", "threshold_mask")
        return dict.fromkeys(names, size_hw)
