"""What every detection head offers: maps for decoding, its loss, the loss of the matching map."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .configuration_tcm import TCMConfig
from .outputs_tcm import TCMModelOutput

Labels = dict[str, torch.Tensor]


class DetectionHead(nn.Module, ABC):
    """Neck, head and losses of one detector. Its targets are made in `data/targets_*.py`.

    Args:
        config: the model's config, its `head_config` of the head's own class.
        in_channels: channels of the feature maps, the matching map included.
    """

    def __init__(self, config: TCMConfig, in_channels: list[int]):
        super().__init__()
        self.head_config = config.head_config

    def initialize_parameters(self) -> None:
        """Starts what the model's rules by type of layer start badly or do not know; called after them.

        Through `transformers.initialization`, whose functions leave loaded tensors alone.
        """

    @abstractmethod
    def forward(self, features: TCMModelOutput, for_training: bool = False) -> Any:
        """Features of the image -> a named tuple of maps, fields of `TCMTextDetectionOutput`.

        Args:
            features: `feature_maps` holds the stages of `config.out_features`, finest first: those that
                `head_config.stages` names and maybe others, which the head ignores. One of them carries the
                matching map.
            for_training: also give what the loss reads and decoding does not.
        """

    @abstractmethod
    def loss(self, maps: Any, labels: Labels) -> dict[str, torch.Tensor]:
        """The weighted losses, scalars by name `loss_…`; `maps` as from `forward(…, for_training=True)`."""

    @abstractmethod
    def matching_loss(self, matching_logits: torch.Tensor, labels: Labels) -> torch.Tensor:
        """Auxiliary loss of the (B, K, h, w) matching logits: a scalar."""

    @abstractmethod
    def label_shapes(self, size_hw: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """The labels that the losses read, with their shapes for one image of `size_hw`."""

    def check_labels(self, labels: Labels, image_shape: Sequence[int]) -> None:
        """Raises ValueError if a label is missing or does not fit images of (B, 3, H, W)."""
        batch_size, _, height, width = image_shape
        expected = self.label_shapes((height, width))
        if missing := [name for name in expected if name not in labels]:
            raise ValueError(f"`labels` must hold {list(expected)}: {missing} are missing.")
        for name, shape in expected.items():
            if tuple(labels[name].shape) != (batch_size, *shape):
                raise ValueError(
                    f"`labels[{name!r}]` must be {(batch_size, *shape)} for these images: "
                    f"got {tuple(labels[name].shape)}."
                )
