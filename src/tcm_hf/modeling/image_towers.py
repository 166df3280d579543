"""Image towers: a photo becomes a feature pyramid, a global and a dense embedding in CLIP's joint space."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import timm
import torch
from timm.layers import BatchNormAct2d, ConvNormAct
from timm.models.byobnet import ByoBlockCfg
from torch import nn

from .attention import MultiHeadAttention
from .configuration_tcm import TCMConfig
from .configuration_towers import CLIPResNetTowerConfig, TimmTowerConfig


class AttentionPool2d(nn.Module):
    """CLIP's attention pooling that keeps every position: one global token and the grid, in the joint space.

    Source: CLIP, arXiv 2103.00020, sec. 2.4; used densely as in TCM, arXiv 2302.14338, sec. 3.1.
    """

    def __init__(self, config: TCMConfig, in_channels: int):
        super().__init__()
        tower = config.image_tower_config
        self.grid_size = tower.grid_size
        self.grid_interpolation = tower.grid_interpolation
        self.position_embedding = nn.Parameter(torch.zeros(tower.grid_size**2 + 1, in_channels))
        self.attention = MultiHeadAttention(
            config, in_channels, tower.num_attention_heads, output_size=tower.embed_dim, qkv_bias=True
        )

    def _positions(self, size_hw: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
        """Position embeddings of the global token and of a grid of `size_hw`, (1 + h w, C)."""
        grid = self.position_embedding[1:].unflatten(0, (self.grid_size, self.grid_size)).permute(2, 0, 1)
        grid = nn.functional.interpolate(
            grid[None].float(), size=size_hw, mode=self.grid_interpolation, align_corners=False
        )
        return torch.cat([self.position_embedding[:1].float(), grid[0].flatten(1).T]).to(dtype)

    def forward(self, feature_map: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, in_channels, h, w) -> global embedding (B, C), dense embedding (B, C, h, w)."""
        size_hw = feature_map.shape[-2], feature_map.shape[-1]
        tokens = feature_map.flatten(2).transpose(1, 2)  # (B, h w, in_channels)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
        tokens = tokens + self._positions(size_hw, tokens.dtype)
        embeddings = self.attention(tokens, tokens)  # (B, 1 + h w, C)
        return embeddings[:, 0], embeddings[:, 1:].transpose(1, 2).unflatten(2, size_hw)


class ImageTowerOutput(NamedTuple):
    """What every image tower returns."""

    feature_maps: tuple[torch.Tensor | None, ...]
    """C2 … C5, (B, C_i, H / (4 · 2^i), W / (4 · 2^i)), rounded up; None for those outside the config's
    `out_features` that the tower has no layers for."""
    global_embedding: torch.Tensor | None
    """(B, C); None for the baseline."""
    dense_embedding: torch.Tensor | None
    """(B, C, H / size_divisor, W / size_divisor); None for the baseline."""


class ImageTower(nn.Module, ABC):
    """What every image tower offers beside `forward`."""

    channels: list[int]
    """Channels of C2 … C5."""
    size_divisor: int
    """Both sides of the image must be multiples of this."""

    @abstractmethod
    def forward(self, pixel_values: torch.Tensor) -> ImageTowerOutput:
        """(B, 3, H, W), H and W multiples of `size_divisor` -> pyramid and embeddings."""

    def check_shape(self, shape: Sequence[int]) -> None:
        """Raises ValueError if images of this shape cannot be looked at."""
        divisor = self.size_divisor
        if len(shape) != 4 or any(side == 0 or side % divisor for side in shape[-2:]):
            raise ValueError(
                f"`pixel_values` must be (B, 3, H, W) with H and W multiples of {divisor}: got "
                f"{tuple(shape)}; TCMImageProcessor resizes images so."
            )


def _clip_resnet_trunk(config: CLIPResNetTowerConfig) -> nn.Module:
    """CLIP's modified ResNet: three-convolution stem, anti-aliased strides; timm holds it for any depth."""
    blocks = tuple(
        ByoBlockCfg(type="bottle", d=depth, c=4 * config.width * 2**stage, s=1 if stage == 0 else 2, br=0.25)
        for stage, depth in enumerate(config.depths)
    )
    return timm.create_model(
        "resnet50_clip",
        features_only=True,
        out_indices=(1, 2, 3, 4),
        blocks=blocks,
        stem_chs=(config.width // 2, config.width // 2, config.width),
    )


def _timm_trunk(config: TimmTowerConfig) -> nn.Module:
    """Any timm trunk that offers the strides 4, 8, 16 and 32."""
    options: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.trunk_options.items()
    }
    with torch.device("meta"):
        probe: Any = timm.create_model(config.trunk, features_only=True, **options)
    if not str(getattr(probe, "output_fmt", "NCHW")).endswith("NCHW"):
        raise ValueError(
            f"The trunk {config.trunk!r} gives maps with channels last: take one with (B, C, H, W)."
        )
    reductions = probe.feature_info.reduction()
    missing = [stride for stride in (4, 8, 16, 32) if stride not in reductions]
    if missing:
        raise ValueError(f"The trunk {config.trunk!r} has strides {reductions}: {missing} are needed too.")
    out_indices = tuple(reductions.index(stride) for stride in (4, 8, 16, 32))
    return timm.create_model(config.trunk, features_only=True, out_indices=out_indices, **options)


def _activations_apart(trunk: Any) -> Any:
    """The trunk with plain batch norms where timm's hold the activation that follows.

    DETR and its kin in transformers replace every `nn.BatchNorm2d` of a backbone by a frozen one, and timm's
    class is one: the activations would be lost with it. Names and results stay the same.
    """
    for block in trunk.modules():
        if isinstance(block, ConvNormAct) and isinstance(block.bn, BatchNormAct2d):
            joint = block.bn
            block.bn = nn.BatchNorm2d(joint.num_features, joint.eps, joint.momentum)
            block.bn.load_state_dict(joint.state_dict(), assign=True)
            block.aa = nn.Sequential(joint.drop, joint.act, nn.Identity() if block.aa is None else block.aa)
    return trunk


TRUNKS: dict[str, Callable[[Any], Any]] = {"clip_resnet": _clip_resnet_trunk, "timm": _timm_trunk}


class ConvolutionalTower(ImageTower):
    """A convolutional trunk with CLIP's attention pooling on its last stage.

    Args:
        config: the model's config; `image_tower_config` chooses the trunk. The baseline has no joint space
            and so no attention pooling.
    """

    size_divisor = 32

    def __init__(self, config: TCMConfig):
        super().__init__()
        self._gradient_checkpointing = False
        tower = config.image_tower_config
        self.trunk = _activations_apart(TRUNKS[tower.tower_type](tower))
        self.channels: list[int] = list(self.trunk.feature_info.channels())
        self.attention_pool = (
            None if config.method == "baseline" else AttentionPool2d(config, self.channels[-1])
        )

    @property
    def gradient_checkpointing(self) -> bool:
        """Whether the trunk's activations are recomputed in the backward pass.

        transformers sets this flag on every module that has it. timm does the work, stage by stage; batch
        norms then see a batch twice, so their running statistics follow it faster.
        """
        return self._gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, enable: bool) -> None:
        self._gradient_checkpointing = enable
        # One of timm's wrappers leaves the work to the model inside.
        trunk = self.trunk if hasattr(self.trunk, "set_grad_checkpointing") else self.trunk.model
        trunk.set_grad_checkpointing(enable)

    def forward(self, pixel_values: torch.Tensor) -> ImageTowerOutput:
        """(B, 3, H, W), H and W multiples of 32 -> pyramid and embeddings."""
        feature_maps = tuple(self.trunk(pixel_values))
        if self.attention_pool is None:
            return ImageTowerOutput(feature_maps, None, None)
        return ImageTowerOutput(feature_maps, *self.attention_pool(feature_maps[-1]))
