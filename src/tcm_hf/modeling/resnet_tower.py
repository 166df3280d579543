"""The ordinary ResNet as an image tower, alone or with a feature pyramid, in place of CLIP's image side."""

from typing import Any

import timm
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from .configuration_tcm import TCMConfig
from .feature_pyramid import FPN
from .image_towers import ImageTower, ImageTowerOutput


class FrozenNorm(FrozenBatchNorm2d):
    """Batch norm whose statistics, scale and shift are buffers: neither gradients nor batches change them."""

    def __init__(self, num_features: int, device: torch.device | None = None, dtype: Any = None):
        super().__init__(num_features)
        self.to(device=device, dtype=dtype)  # newer versions of timm say where


NORMS: dict[str, type[nn.Module]] = {"frozen": FrozenNorm, "batch": nn.BatchNorm2d}


class PlainResNetTower(ImageTower):
    """ResNet of torchvision's and detectron2's design, under torchvision's names.

    Args:
        config: the model's config, its `image_tower_config` a `PlainResNetConfig`.
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        tower = config.image_tower_config
        self._gradient_checkpointing = False
        trunk: Any = timm.create_model(
            "resnet50",
            features_only=True,
            out_indices=(1, 2, 3, 4),
            layers=tuple(tower.depths),
            channels=tuple(tower.width * 2**stage for stage in range(4)),
            stem_width=tower.width,
            norm_layer=NORMS[tower.norm],
            zero_init_last=False,  # a frozen norm would never leave zero
        )
        if tower.strided_conv == "1x1":
            for stage in (trunk.layer2, trunk.layer3, trunk.layer4):
                first = stage[0]
                first.conv1.stride, first.conv2.stride = first.conv2.stride, first.conv1.stride
        self.trunk = trunk
        self.channels: list[int] = list(trunk.feature_info.channels())
        self.has_embeddings = config.method != "baseline"

    @property
    def gradient_checkpointing(self) -> bool:
        """Whether the trunk's activations are recomputed in the backward pass; transformers sets it."""
        return self._gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, enable: bool) -> None:
        self._gradient_checkpointing = enable
        trunk: Any = self.trunk
        trunk.set_grad_checkpointing(enable)


class ResNetTower(PlainResNetTower):
    """The ResNet alone, for images of any size.

    Only CLIP's text side takes part then: text is matched with the third stage (stride 16), and the mean of
    that stage is the global embedding, padding included. Source: the released TESTR of TCM.

    Args:
        config: the model's config, its `image_tower_config` a `ResNetTowerConfig`.
    """

    size_divisor = 1

    def forward(self, pixel_values: torch.Tensor) -> ImageTowerOutput:
        """(B, 3, H, W) -> pyramid, and embeddings at stride 16."""
        feature_maps = tuple(self.trunk(pixel_values))
        if not self.has_embeddings:
            return ImageTowerOutput(feature_maps, None, None)
        return ImageTowerOutput(feature_maps, feature_maps[2].mean(dim=(2, 3)), feature_maps[2])


class ResNetFPNTower(PlainResNetTower):
    """The ResNet with a feature pyramid, whose levels are the feature maps.

    Text is matched with a projection of the third level (stride 16), and the mean of that projection is the
    global embedding, padding included. Source: the released ABCNet of TCM.

    Args:
        config: the model's config, its `image_tower_config` a `ResNetFPNTowerConfig`.
    """

    size_divisor = 32

    def __init__(self, config: TCMConfig):
        super().__init__(config)
        tower = config.image_tower_config
        self.neck = FPN(self.channels, tower.neck_channels, len(self.channels))
        self.channels = [tower.neck_channels] * len(self.channels)
        self.embedding: nn.Module | None = None
        if self.has_embeddings:
            self.embedding = nn.Sequential(
                nn.Conv2d(tower.neck_channels, tower.embed_dim, 1),
                nn.BatchNorm2d(tower.embed_dim),
                nn.ReLU(),
                nn.Conv2d(tower.embed_dim, tower.embed_dim, 1),
                nn.BatchNorm2d(tower.embed_dim),
            )

    def forward(self, pixel_values: torch.Tensor) -> ImageTowerOutput:
        """(B, 3, H, W), H and W multiples of 32 -> P2 … P5, and embeddings at stride 16."""
        feature_maps = self.neck(tuple(self.trunk(pixel_values)))
        if self.embedding is None:
            return ImageTowerOutput(feature_maps, None, None)
        dense_embedding = self.embedding(feature_maps[2])
        return ImageTowerOutput(feature_maps, dense_embedding.mean(dim=(2, 3)), dense_embedding)


__all__ = ["FrozenNorm", "ResNetFPNTower", "ResNetTower"]
