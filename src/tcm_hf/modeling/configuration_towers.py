"""Configurations of the image towers, chosen by `tower_type`."""

from dataclasses import field
from typing import Literal

from transformers.activations import ACT2FN
from transformers.configuration_utils import PreTrainedConfig

from .configuration_parts import PartConfig, check_at_least, json_value, strict_config


@strict_config
class CLIPResNetTowerConfig(PartConfig):
    r"""CLIP's modified ResNet with attention pooling (the papers' RN50), its trunk timm's `resnet50_clip`.

    Args:
        depths: residual blocks of the four stages; `(3, 4, 6, 3)` is RN50.
        width: channels after the stem; stage i has `4 * width * 2**i`.
        embed_dim: size of CLIP's joint embedding space, C.
        num_attention_heads: heads of the attention pooling; 32 in CLIP's RN50 whatever the width.
        grid_size: side of the square grid of position embeddings, input resolution / 32 (640 -> 20).
        grid_interpolation: how the grid is resized to the image: `"bilinear"` (text detectors) or `"bicubic"`
            (rotated detectors).
    """

    model_type = "tcm_clip_resnet_tower"
    tower_type: Literal["clip_resnet"] = "clip_resnet"
    depths: list[int] | tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    embed_dim: int = 1024
    num_attention_heads: int = 32
    grid_size: int = 20
    grid_interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __post_init__(self, **kwargs):
        self.depths = list(self.depths)  # as config.json gives it back
        super().__post_init__(**kwargs)


@strict_config
class TimmTowerConfig(PartConfig):
    r"""Any timm trunk with `features_only` and strides 4, 8, 16, 32, our attention pooling on its end.

    Args:
        trunk: timm model name, for example `resnet10t` or `convnextv2_atto`.
        trunk_options: keyword arguments for `timm.create_model`, for example
            `{"channels": [24, 48, 96, 192]}`.
        embed_dim: size of the joint embedding space, C.
        num_attention_heads: heads of the attention pooling.
        grid_size: side of the square grid of position embeddings; resized to the image at run time.
        grid_interpolation: how: `"bilinear"` or `"bicubic"`.
    """

    model_type = "tcm_timm_tower"
    tower_type: Literal["timm"] = "timm"
    trunk: str = "resnet10t"
    trunk_options: dict = field(default_factory=dict)
    embed_dim: int = 256
    num_attention_heads: int = 4
    grid_size: int = 20
    grid_interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __post_init__(self, **kwargs):
        self.trunk_options = {name: json_value(option) for name, option in self.trunk_options.items()}
        super().__post_init__(**kwargs)


@strict_config
class CLIPViTTowerConfig(PartConfig):
    r"""CLIP's vision transformer with a feature pyramid from chosen layers; defaults are ViT-B/16.

    Args:
        hidden_size: width of the tokens, and channels of every level of the pyramid.
        intermediate_size: width of the feed-forward blocks.
        num_hidden_layers: layers; images may have any size that is a multiple of `patch_size`.
        num_attention_heads: heads; width / 64 in all of CLIP's published models up to L.
        patch_size: side of a patch in pixels: 4, 8, 16 or 32, so that strides 4 to 32 can be made of it.
        image_size: side in pixels of the images that the stored position embeddings stand for; they are
            resized to the image at run time.
        embed_dim: size of CLIP's joint embedding space, C.
        out_layers: layers, counted from 0, whose tokens become C2, C3, C4 and C5.
        hidden_act: activation; OpenAI's weights need `quick_gelu`, most of OpenCLIP's `gelu`.
        layer_norm_eps: added to the variance in layer norms.
        drop_path_rate: probability of skipping the last layer in training; earlier layers have less.
    """

    model_type = "tcm_clip_vit_tower"
    # What transformers' CLIP layers read beside the fields below.
    num_channels = 3
    attention_dropout = 0.0

    tower_type: Literal["clip_vit"] = "clip_vit"
    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    patch_size: Literal[4, 8, 16, 32] = 16
    image_size: int = 640
    embed_dim: int = 512
    out_layers: list[int] | tuple[int, ...] = (3, 5, 7, 11)
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    drop_path_rate: float | int = 0.1

    def __post_init__(self, **kwargs):
        self.out_layers = list(self.out_layers)  # as config.json gives it back
        super().__post_init__(**kwargs)

    def validate_sizes(self):
        """Heads divide the width, patches the stored grid; four layers in order make the pyramid."""
        check_at_least(self, 1, "hidden_size", "intermediate_size", "num_hidden_layers", "embed_dim")
        check_at_least(self, 1, "num_attention_heads")
        if not isinstance(self.patch_size, int):  # to `Literal`, 16.0 is 16
            raise ValueError(f"`patch_size` must be the integer 4, 8, 16 or 32: got {self.patch_size!r}.")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"`num_attention_heads` must divide `hidden_size` {self.hidden_size}: got "
                f"{self.num_attention_heads}."
            )
        if self.image_size < self.patch_size or self.image_size % self.patch_size:
            raise ValueError(
                f"`image_size` must be a multiple of `patch_size` {self.patch_size}: got {self.image_size}."
            )
        layers = list(self.out_layers)
        known = all(0 <= layer < self.num_hidden_layers for layer in layers)
        if len(layers) != 4 or layers != sorted(layers) or not known:
            raise ValueError(
                f"`out_layers` must be four of the layers 0 to {self.num_hidden_layers - 1} in rising order: "
                f"got {layers}."
            )

    def validate_layers(self):
        """The activation is one of transformers'; a layer may be skipped, but not always."""
        if self.hidden_act not in ACT2FN:
            raise ValueError(f"`hidden_act` must be one of {sorted(ACT2FN)}: got {self.hidden_act!r}.")
        if not 0 <= self.drop_path_rate < 1:
            raise ValueError(
                f"`drop_path_rate` must be at least 0 and less than 1: got {self.drop_path_rate!r}."
            )


@strict_config
class PlainResNetConfig(PartConfig):
    """What the configurations of both towers with an ordinary ResNet have; their docstrings say what."""

    depths: list[int] | tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    strided_conv: Literal["3x3", "1x1"] = "3x3"
    norm: Literal["frozen", "batch"] = "frozen"

    def __post_init__(self, **kwargs):
        self.depths = list(self.depths)  # as config.json gives it back
        super().__post_init__(**kwargs)


@strict_config
class ResNetTowerConfig(PlainResNetConfig):
    r"""The ordinary ResNet, which CLIP's text side alone looks at.

    There is no attention pooling: the third stage is the dense embedding, its mean the global one.

    Args:
        depths: residual blocks of the four stages; `(3, 4, 6, 3)` is ResNet-50.
        width: channels after the stem; stage i has `4 * width * 2**i`.
        strided_conv: the convolution of a stage's first block that halves the size: `"3x3"` (torchvision's
            and CLIP's) or `"1x1"` (the original's and detectron2's own weights).
        norm: `"frozen"`: batch norms that training does not touch, as spotters are trained; or `"batch"`.
    """

    model_type = "tcm_resnet_tower"
    tower_type: Literal["resnet"] = "resnet"

    @property
    def embed_dim(self) -> int:
        """C, where image and text meet: the channels of the third stage."""
        return 16 * self.width


@strict_config
class ResNetFPNTowerConfig(PlainResNetConfig):
    r"""The ordinary ResNet with a feature pyramid, whose third level CLIP's text side looks at.

    The levels of the pyramid, P2 … P5, are the feature maps; two convolutions project P4 into the joint
    space, the mean of which is the global embedding.

    Args:
        depths: residual blocks of the four stages; `(3, 4, 6, 3)` is ResNet-50.
        width: channels after the stem; stage i has `4 * width * 2**i`.
        strided_conv: the convolution of a stage's first block that halves the size: `"3x3"` (torchvision's
            and CLIP's) or `"1x1"` (the original's and detectron2's own weights).
        norm: of the ResNet, `"frozen"`: batch norms that training does not touch; or `"batch"`.
        neck_channels: channels of the pyramid.
        embed_dim: size of the joint embedding space, C.
    """

    model_type = "tcm_resnet_fpn_tower"
    tower_type: Literal["resnet_fpn"] = "resnet_fpn"
    neck_channels: int = 256
    embed_dim: int = 1024


TOWER_CONFIGS: dict[str, type[PreTrainedConfig]] = {
    "clip_resnet": CLIPResNetTowerConfig,
    "timm": TimmTowerConfig,
    "clip_vit": CLIPViTTowerConfig,
    "resnet": ResNetTowerConfig,
    "resnet_fpn": ResNetFPNTowerConfig,
}

__all__ = [
    "TOWER_CONFIGS",
    "CLIPResNetTowerConfig",
    "CLIPViTTowerConfig",
    "ResNetFPNTowerConfig",
    "ResNetTowerConfig",
    "TimmTowerConfig",
]
