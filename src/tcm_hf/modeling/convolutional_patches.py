"""Convolutional patch embeddings: a small image tower that reads letters after little training."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import nn
from transformers import initialization as init
from transformers.modeling_utils import PreTrainedModel

from .configuration_clip4str import ConvolutionalPatchConfig

EMBEDDING_STD = 0.02
"""Standard deviation of the start values of class and position embedding, as CLIP's."""


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a residual connection, (B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        hidden = nn.functional.relu(self.norm1(self.conv1(features)))
        return nn.functional.relu(features + self.norm2(self.conv2(hidden)))


class _Stage(nn.Module):
    """A strided 3x3 convolution and residual blocks at the new resolution."""

    def __init__(self, in_channels: int, channels: int, num_blocks: int, stride_hw: Sequence[int]):
        super().__init__()
        stride = (stride_hw[0], stride_hw[1])
        self.conv = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(_ResidualBlock(channels) for _ in range(num_blocks))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = nn.functional.relu(self.norm(self.conv(features)))
        for block in self.blocks:
            features = block(features)
        return features


class ConvolutionalPatchEmbeddings(PreTrainedModel):
    """Takes the place of CLIP's patch embedding: a convolutional stem instead of one strided convolution.

    CLIP's vision transformer needs hundreds of millions of images to learn what neighbouring pixels have to
    do with one another; a convolution knows it. The grid of tokens is rectangular, because words are wide.

    Source: "Early convolutions help transformers see better", arXiv 2106.14881.

    Args:
        config: Image size, channels, blocks and strides of the stages.
        hidden_size: Width of the tokens, that of the vision transformer.
    """

    # A model of its own, because CLIP initialises what is inside it and does not know convolutional stems.
    config: ConvolutionalPatchConfig
    base_model_prefix = "embeddings"
    main_input_name = "pixel_values"
    input_modalities = ["image"]
    _supports_sdpa = True  # there is no attention in it
    _no_split_modules = ["ConvolutionalPatchEmbeddings"]

    def __init__(self, config: ConvolutionalPatchConfig, hidden_size: int):
        super().__init__(config)
        self.image_size_hw = tuple(config.image_size_hw)
        self.grid_size_hw = tuple(
            size // prod(stride[axis] for stride in config.strides)
            for axis, size in enumerate(config.image_size_hw)
        )
        channels = [3, *config.hidden_sizes]
        self.stages = nn.ModuleList(
            _Stage(width_in, width, num_blocks, stride)
            for (width_in, width), num_blocks, stride in zip(
                pairwise(channels), config.num_blocks, config.strides, strict=True
            )
        )
        self.projection = nn.Conv2d(channels[-1], hidden_size, kernel_size=1)
        self.class_embedding = nn.Parameter(torch.zeros(hidden_size))
        self.position_embedding = nn.Parameter(torch.zeros(1 + prod(self.grid_size_hw), hidden_size))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, ConvolutionalPatchEmbeddings):
            init.normal_(module.class_embedding, std=EMBEDDING_STD)
            init.normal_(module.position_embedding, std=EMBEDDING_STD)

    def forward(self, pixel_values: torch.Tensor, interpolate_pos_encoding: bool = False) -> torch.Tensor:
        """(B, 3, H, W) -> class token and grid tokens in rows, (B, 1 + h w, hidden_size).

        Args:
            pixel_values: Normalised images of exactly the configured size.
            interpolate_pos_encoding: Must be False; the name is that of CLIP's embeddings.
        """
        size_hw = tuple(pixel_values.shape[-2:])
        if interpolate_pos_encoding or size_hw != self.image_size_hw:
            raise ValueError(
                f"`pixel_values` must be (batch, 3, {self.image_size_hw[0]}, {self.image_size_hw[1]}): got "
                f"height and width {size_hw}. Resize with the checkpoint's own processor."
            )
        features = pixel_values
        for stage in self.stages:
            features = stage(features)
        tokens = self.projection(features).flatten(2).transpose(1, 2)  # (B, h w, hidden_size)
        class_token = self.class_embedding.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
        return torch.cat([class_token, tokens], dim=1) + self.position_embedding.to(tokens.dtype)
