"""What every spotting head offers: words for decoding, their losses, and the labels that it needs."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import nn

from .configuration_tcm_spotting import TCMSpottingConfig
from .outputs_tcm import TCMModelOutput
from .spotting_losses import Labels

FINEST_STRIDE = 4
"""Pixels a cell, of the finest feature map."""


class SpottingHead(nn.Module, ABC):
    """All that follows the backbone of a spotter. Its targets are made in `data/targets_spotting.py`.

    Args:
        config: the model's config, its `head_config` of the head's own class.
        in_channels: channels of the feature maps, as the backbone gives them.
    """

    can_compile_fullgraph: ClassVar[bool] = True
    """Whether `torch.compile` makes one graph of the forward pass without labels."""

    def __init__(self, config: TCMSpottingConfig, in_channels: list[int]):
        super().__init__()
        self.head_config = config.head_config

    def initialize_parameters(self) -> None:
        """Starts what the model's rules by type of layer start badly or do not know; called after them.

        Through `transformers.initialization`, whose functions leave loaded tensors alone.
        """

    @abstractmethod
    def forward(
        self, features: TCMModelOutput, pixel_mask: torch.Tensor | None, labels: Labels | None
    ) -> Any:
        """Features of the image -> whatever `outputs` and `loss` take.

        Args:
            features: `feature_maps` holds the stages of `config.out_features`, finest first: those that
                `head_config.stages` names and maybe finer ones, which the head ignores.
            pixel_mask: (B, H, W), nonzero in the image; None if all of it is, and its sides are multiples of
                `FINEST_STRIDE`.
            labels: as for the model; also give what the loss reads and decoding does not.
        """

    @abstractmethod
    def outputs(self, predictions: Any) -> dict[str, torch.Tensor]:
        """What the head says of the words, by the names of `TCMTextSpottingOutput`."""

    @abstractmethod
    def loss(self, predictions: Any, labels: Labels) -> dict[str, torch.Tensor]:
        """The weighted losses, scalars by name `loss_…`; `predictions` as from `forward` with `labels`."""

    @abstractmethod
    def label_shapes(self) -> dict[str, tuple[int, ...]]:
        """The labels that the loss reads, with their shapes for one word."""


__all__ = ["FINEST_STRIDE", "SpottingHead"]
