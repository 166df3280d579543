"""The text-conditioned segmentation head of the released TCM code (TextSegHead): neck, head and loss."""

import math
from typing import NamedTuple

import torch
from torch import nn
from transformers import initialization as init

from .configuration_tcm import TCMConfig
from .dbnet import FPNC, UpsamplingBranch
from .detection_head import DetectionHead, Labels
from .losses import balanced_mean, dice_loss
from .matching import matching_loss
from .outputs_tcm import TCMModelOutput

# A pixel of no length has no direction; divided by less, it would have a gradient without bounds.
SHORTEST_PIXEL = 1e-3


class SegNetMaps(NamedTuple):
    """Maps of the head, float32: (B, K, H, W) logits, one map a class prompt, and (B, H, W) in [0, 1]."""

    segmentation_logits: torch.Tensor
    probability_map: torch.Tensor


class SegNetHead(DetectionHead):
    """Neck of DBNet and a head that compares every pixel with the text embedding.

    Raises:
        ValueError: for `method="baseline"`, which has no text embedding.
    """

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        super().__init__(config, in_channels)
        if config.method == "baseline":
            raise ValueError(
                "head_type='segnet' compares pixels with the text embedding, and method='baseline' has none: "
                "choose method='tcm' or 'fasttcm', or another head."
            )
        channels = self.head_config.neck_channels
        self.neck = FPNC(in_channels, channels)
        self.pixel_embedding = UpsamplingBranch(channels, out_channels=channels)
        self.text_projection = nn.Linear(config.image_tower_config.embed_dim, channels, bias=False)
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.initial_logit_scale = -math.log(config.matching_temperature)

    def initialize_parameters(self) -> None:
        """Starts the scale of the logits as CLIP does, at the inverse of the matching temperature."""
        init.constant_(self.logit_scale, self.initial_logit_scale)

    def forward(self, features: TCMModelOutput, for_training: bool = False) -> SegNetMaps:
        """C2 … C5 and text embedding -> maps at full size; decoding and loss read the same ones."""
        pixels = self.pixel_embedding(self.neck(features.feature_maps))  # (B, channels, H, W)
        text = nn.functional.normalize(self.text_projection(features.text_embedding), dim=-1)
        # The cosine without a second map of so many channels for the normalised pixels.
        precision = torch.promote_types(pixels.dtype, torch.float32)
        length = torch.linalg.vector_norm(pixels, dim=1, keepdim=True, dtype=precision).float()
        similarity = torch.einsum("bchw,bkc->bkhw", pixels, text).float() / length.clamp(min=SHORTEST_PIXEL)
        logits = self.logit_scale.float().exp() * similarity
        return SegNetMaps(logits, logits.amax(dim=1).sigmoid())

    def loss(self, maps: SegNetMaps, labels: Labels) -> dict[str, torch.Tensor]:
        """Balanced cross entropy, or dice, of the maps of all classes.

        Args:
            maps: result of `forward`.
            labels: DBNet's `probability_map` and `probability_mask`, each (B, H, W); the mask is 1 where a
                pixel is supervised.

        Returns:
            `loss_probability`: a scalar.
        """
        logits = maps.segmentation_logits.float()
        kernel, mask = (
            labels[name].float()[:, None].expand_as(logits)
            for name in ("probability_map", "probability_mask")
        )
        if self.head_config.balanced_probability_loss:
            pixel_loss = nn.functional.binary_cross_entropy_with_logits(logits, kernel, reduction="none")
            loss = balanced_mean(pixel_loss, kernel, mask, self.head_config.negative_ratio)
        else:
            loss = dice_loss(logits.sigmoid(), kernel, mask)
        return {"loss_probability": loss}

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
        return dict.fromkeys(("probability_map", "probability_mask"), size_hw)
