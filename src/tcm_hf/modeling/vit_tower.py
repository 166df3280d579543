"""CLIP's vision transformer as an image tower: transformers' layers, a feature pyramid from chosen ones."""

from math import log2
from typing import cast

import torch
from timm.layers import drop_path
from torch import nn
from transformers import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPEncoder, CLIPVisionEmbeddings

from .configuration_tcm import TCMConfig
from .configuration_towers import CLIPViTTowerConfig
from .image_towers import ImageTower, ImageTowerOutput

STRIDES = (4, 8, 16, 32)


class InterpolatedEmbeddings(CLIPVisionEmbeddings):
    """CLIP's patch, class and position embeddings for images of any size in whole patches."""

    def __init__(self, config: CLIPViTTowerConfig):
        super().__init__(cast(CLIPVisionConfig, config))  # which has every field that is read here
        self.register_buffer("position_ids", None)  # positions follow the image, no index does
        self.patch_size: int = config.patch_size
        self.grid_size = config.image_size // config.patch_size

    def interpolate_pos_encoding(self, embeddings: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """What is added to the tokens of an image of `height` x `width` pixels, (1, 1 + h w, D).

        Bilinear, as TCM resizes all its positions. `# Parity:` the original adds the class embedding to the
        class token a second time here.
        """
        positions = self.position_embedding.weight.float()
        grid = positions[1:].unflatten(0, (self.grid_size, self.grid_size)).permute(2, 0, 1)
        size_hw = (height // self.patch_size, width // self.patch_size)
        grid = nn.functional.interpolate(grid[None], size=size_hw, mode="bilinear", align_corners=False)
        class_row = positions[:1] + self.class_embedding.float()
        return torch.cat([class_row, grid[0].flatten(1).T])[None].to(embeddings.dtype)


class PyramidLevel(nn.Sequential):
    """Tokens on their grid -> a feature map of one stride: group norm, then up or down by powers of two.

    Twice up by a transposed convolution (norm and GELU between two of them), down by max pooling. `# Parity:`
    the original drops the last row or column of a grid that pooling does not divide; here it gets a cell of
    its own, so that the cells of all levels lie on one another.
    """

    def __init__(self, channels: int, patch_size: int, stride: int):
        layers: list[nn.Module] = [nn.GroupNorm(1, channels)]
        for step in range(int(log2(patch_size / stride))):
            if step:
                layers += [nn.BatchNorm2d(channels), nn.GELU()]
            layers.append(nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2))
        if stride > patch_size:
            layers.append(nn.MaxPool2d(stride // patch_size, ceil_mode=True))
        super().__init__(*layers)


class CLIPViTTower(ImageTower):
    """CLIP's vision transformer with feature maps of strides 4, 8, 16 and 32.

    Global and dense embedding are the class token and the patch tokens of the last layer in CLIP's joint
    space. Names inside are those of `CLIPVisionModel`, so that its weights load as they are.

    Source: DenseCLIP, arXiv 2112.01518, as the released TCM configurations for ViT-B use it.

    Args:
        config: the model's config, its `image_tower_config` a `CLIPViTTowerConfig`. The pyramid has the
            levels of `out_features`. The baseline has no joint space, and no layers behind the last one that
            is read.
    """

    def __init__(self, config: TCMConfig):
        super().__init__()
        tower = config.image_tower_config
        # Built from the config of a part, whose kernel nobody resolves where the model is made by hand.
        tower._attn_implementation = tower._attn_implementation or config._attn_implementation
        self.size_divisor = tower.patch_size
        self.out_layers = tower.out_layers
        self.channels = [tower.hidden_size] * len(STRIDES)
        self.embeddings = InterpolatedEmbeddings(tower)
        self.pre_layrnorm = nn.LayerNorm(tower.hidden_size, eps=tower.layer_norm_eps)
        self.encoder = CLIPEncoder(tower)
        depth = len(self.encoder.layers)
        self.drop_path_rates = [tower.drop_path_rate * i / max(depth - 1, 1) for i in range(depth)]
        self.pyramid = nn.ModuleDict(
            {
                str(stage): PyramidLevel(tower.hidden_size, tower.patch_size, STRIDES[stage])
                for stage in config.stages
            }
        )
        self.post_layernorm: nn.Module | None = None
        self.visual_projection: nn.Module | None = None
        if config.method == "baseline":
            del self.encoder.layers[tower.out_layers[config.stages[-1]] + 1 :]
        else:
            self.post_layernorm = nn.LayerNorm(tower.hidden_size, eps=tower.layer_norm_eps)
            self.visual_projection = nn.Linear(tower.hidden_size, tower.embed_dim, bias=False)

    def forward(self, pixel_values: torch.Tensor) -> ImageTowerOutput:
        """(B, 3, H, W), H and W multiples of the patch -> pyramid and embeddings."""
        size_hw = [side // self.size_divisor for side in pixel_values.shape[-2:]]
        hidden = self.pre_layrnorm(self.embeddings(pixel_values, interpolate_pos_encoding=True))
        grids: dict[int, torch.Tensor] = {}
        for index, (layer, rate) in enumerate(zip(self.encoder.layers, self.drop_path_rates, strict=False)):
            output = layer(hidden, None)
            if self.training and rate:  # stochastic depth, arXiv 1603.09382
                output = hidden + drop_path(output - hidden, rate, training=True)
            hidden = output  # (B, 1 + h w, D)
            if index in self.out_layers:
                grids[index] = hidden[:, 1:].transpose(1, 2).unflatten(2, size_hw)
        feature_maps = tuple(
            self.pyramid[str(stage)](grids[layer]) if str(stage) in self.pyramid else None
            for stage, layer in enumerate(self.out_layers)
        )
        if self.visual_projection is None or self.post_layernorm is None:
            return ImageTowerOutput(feature_maps, None, None)
        tokens = self.visual_projection(self.post_layernorm(hidden))
        dense_embedding = tokens[:, 1:].transpose(1, 2).unflatten(2, size_hw)
        return ImageTowerOutput(feature_maps, tokens[:, 0], dense_embedding)


__all__ = ["CLIPViTTower", "InterpolatedEmbeddings"]
