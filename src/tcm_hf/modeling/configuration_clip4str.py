"""Configuration of CLIP4STR: transformers' CLIP config, two character decoders and the caption vocabulary."""

from typing import TYPE_CHECKING, Any, Literal

from transformers import CLIPConfig, CLIPTextConfig, CLIPVisionConfig, configuration_utils
from transformers.configuration_utils import PreTrainedConfig

from .configuration_parts import (
    PartConfig,
    PresetsMixin,
    choose_part,
    json_value,
    refuse_unknown,
    strict_config,
    strict_part,
)
from .presets_clip4str import PRESETS

CHARSET_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
CHARSET_94 = CHARSET_36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

BASE_TEXT = {"max_position_embeddings": 77, "hidden_act": "quick_gelu"}
BASE_VISION = {"patch_size": 16, "hidden_act": "quick_gelu"}


@strict_config
class ConvolutionalPatchConfig(PartConfig):
    r"""Convolutional stem that takes the place of CLIP's patch embedding in small models.

    Args:
        image_size_hw: height and width of the images in pixels.
        hidden_sizes: channels of the stages.
        num_blocks: residual blocks of the stages.
        strides: (vertical, horizontal) stride of each stage.
    """

    model_type = "clip4str_convolutional_patches"
    image_size_hw: list[int] | tuple[int, ...] = (32, 128)
    hidden_sizes: list[int] | tuple[int, ...] = (48, 96, 160)
    num_blocks: list[int] | tuple[int, ...] = (0, 1, 1)
    strides: list[list[int]] | tuple[tuple[int, int], ...] = ((2, 2), (2, 2), (2, 2))

    def __post_init__(self, **kwargs):
        for name in ("image_size_hw", "hidden_sizes", "num_blocks", "strides"):
            setattr(self, name, json_value(getattr(self, name)))
        super().__post_init__(**kwargs)

    def validate_stages(self):
        """One block count and one stride for every stage, and an image that the strides divide."""
        if not len(self.hidden_sizes) == len(self.num_blocks) == len(self.strides) > 0:
            raise ValueError(
                "`hidden_sizes`, `num_blocks` and `strides` need one entry a stage: got "
                f"{len(self.hidden_sizes)}, {len(self.num_blocks)} and {len(self.strides)} entries."
            )
        if len(self.image_size_hw) != 2 or any(len(stride) != 2 for stride in self.strides):
            raise ValueError("`image_size_hw` and every entry of `strides` are (vertical, horizontal) pairs.")
        for axis, size in enumerate(self.image_size_hw):
            reduction = 1
            for stride in self.strides:
                reduction *= stride[axis]
            if size % reduction:
                raise ValueError(
                    f"`image_size_hw` must be divisible by the strides: {size} is no multiple of {reduction}."
                )


@strict_config
class LinearAdapterConfig(PartConfig):
    r"""CLIP-Adapter: a bottleneck on the projected image tokens.

    Args:
        reduction: how many times narrower its middle is.
        ratio: share of the adapted tokens in the mixture.
    """

    model_type = "clip4str_linear_adapter"
    adapter_type: Literal["linear"] = "linear"
    reduction: int = 2
    ratio: float | int = 0.2


@strict_config
class AttentionAdapterConfig(PartConfig):
    r"""A transformer layer on the projected image tokens.

    Args:
        ratio: share of the adapted tokens in the mixture.
    """

    model_type = "clip4str_attention_adapter"
    adapter_type: Literal["attention"] = "attention"
    ratio: float | int = 0.5


@strict_config
class LadderAdapterConfig(PartConfig):
    r"""Ladder side tuning: a side network fed by chosen layers of the image tower.

    Args:
        rung: what stands in it for a layer: a `"whole"` copy, a `"narrow"` (pruned) copy or a `"linear"`
            bottleneck.
        layers: indices of the tower's layers whose inputs enter it.
        temperature: of the gates between tower and ladder.
        reduction: how many times narrower narrow and linear rungs are.
        ratio: share of the adapted tokens in the mixture of a linear rung.
    """

    model_type = "clip4str_ladder_adapter"
    adapter_type: Literal["ladder"] = "ladder"
    rung: Literal["whole", "narrow", "linear"] = "whole"
    layers: list[int] | tuple[int, ...] = (0, 4, 8, 11)
    temperature: float | int = 0.1
    reduction: int = 4
    ratio: float | int = 0.5

    def __post_init__(self, **kwargs):
        self.layers = json_value(self.layers)
        super().__post_init__(**kwargs)


ADAPTER_CONFIGS: dict[str, type[PreTrainedConfig]] = {
    "linear": LinearAdapterConfig,
    "attention": AttentionAdapterConfig,
    "ladder": LadderAdapterConfig,
}

# A part is given as a dict or a config, and is a config (or None) after `__post_init__`.
if TYPE_CHECKING:
    Part = Any
    OptionalPart = Any
else:
    Part = dict | PreTrainedConfig | None
    OptionalPart = dict | PreTrainedConfig | None

PARTS = {
    "clip_config": CLIPConfig,
    "patch_embedding_config": ConvolutionalPatchConfig,
    "adapter_config": LinearAdapterConfig,
}


@strict_config
class CLIP4STRConfig(PresetsMixin, PreTrainedConfig):
    r"""Configuration of [`CLIP4STRForTextRecognition`].

    Source: CLIP4STR, arXiv 2305.14014; the decoders are PARSeq's (arXiv 2207.06966).

    Args:
        clip_config: `CLIPConfig` or a dict of it; what is left out is CLIP ViT-B/16. `hidden_act` is
            `"quick_gelu"` unless given; the published checkpoints need it.
        charset: the characters that can be read, in the order of their ids 1..n. Id 0 is the end of the word.
        caption_charset: the characters that the caption of the cross branch may hold. If it has no upper case
            the word is lower-cased first; what it lacks is left out.
        max_label_length: characters of the longest word; the decoders ask for one position more, the end.
        caption_length: tokens of a caption with its start and end token.
        num_caption_merges: merges of the caption vocabulary that the weights hold; 0 while there is none, see
            `set_caption_vocabulary`.
        decoder_num_layers: layers of each decoder; 1 in the paper.
        decoder_num_attention_heads: heads of the decoders.
        decoder_mlp_ratio: width of the decoders' feed-forward blocks over that of the decoder.
        dropout: dropout of the decoders.
        autoregressive: read character by character; otherwise the visual branch names all characters at once.
        refine_iterations: how often both branches read again what they read (cloze).
        use_cross_branch: build and use text tower and cross decoder; otherwise the visual branch alone reads.
        image_detach: the cross branch does not train the image tower.
        project_visual_memory: the visual decoder reads image tokens in CLIP's joint space; otherwise those of
            the vision tower's own width.
        pooled_memory: the decoders read the class token and the end token alone.
        text_freeze_layers: text layers out of training, with the embeddings and the logit scale; -1 for none.
        image_freeze_layers: image layers out of training, with class and position embedding; -1 for none.
        num_permutations: reading orders in a training step; 6 in the paper.
        permutation_forward: left to right is always one of them.
        permutation_mirrored: every order comes with its reverse.
        cross_loss_weight: weight of the cross branch's loss.
        cross_label_context: in training the cross branch sees the label's characters; otherwise those that
            the visual branch predicted.
        cross_cloze_mask: in training the cross branch sees all characters but the asked one, in every order.
        patch_embedding_config: [`ConvolutionalPatchConfig`] or a dict of it, a convolutional stem in place of
            CLIP's patch embedding; `None` for CLIP's own.
        initializer_range: standard deviation of the decoders' truncated normal start values.

    Raises:
        ValueError: for an unknown keyword or a value of the wrong type, here or inside a part, and for parts
            that do not fit together.
    """

    model_type = "clip4str"
    presets = PRESETS
    keys_to_ignore_at_inference = ["loss_dict", "visual_logits", "caption_ids", "hidden_states", "attentions"]
    # Both are built in __post_init__.
    if hasattr(PreTrainedConfig, "sub_configs_defaults"):  # transformers >= 5.20
        sub_configs_defaults = {
            name: configuration_utils.SubConfigSpec(part, optional=True) for name, part in PARTS.items()
        }
    else:
        sub_configs = PARTS

    clip_config: Part = None
    charset: str = CHARSET_94
    caption_charset: str = CHARSET_36
    max_label_length: int = 25
    caption_length: int = 16
    num_caption_merges: int = 0
    decoder_num_layers: int = 1
    decoder_num_attention_heads: int = 8
    decoder_mlp_ratio: int = 4
    dropout: float | int = 0.1
    autoregressive: bool = True
    refine_iterations: int = 1
    use_cross_branch: bool = True
    image_detach: bool = True
    project_visual_memory: bool = True
    pooled_memory: bool = False
    text_freeze_layers: int = 6
    image_freeze_layers: int = -1
    num_permutations: int = 6
    permutation_forward: bool = True
    permutation_mirrored: bool = True
    cross_loss_weight: float | int = 1.0
    cross_label_context: bool = True
    cross_cloze_mask: bool = False
    patch_embedding_config: OptionalPart = None
    adapter_config: OptionalPart = None
    initializer_range: float = 0.02

    def __post_init__(self, **kwargs):
        self.clip_config = _build_clip_config(self.clip_config)
        if isinstance(self.patch_embedding_config, dict):
            self.patch_embedding_config = strict_part(
                ConvolutionalPatchConfig, self.patch_embedding_config, "patch_embedding_config"
            )
        if self.adapter_config is not None:
            self.adapter_config = choose_part(
                self.adapter_config, "adapter_type", ADAPTER_CONFIGS, "adapter_config"
            )
        if not type(self).__module__.startswith("transformers_modules"):
            # A folder saved with its code must load without `trust_remote_code` where we are installed, and
            # what is saved here again must not point at code that is not beside it.
            kwargs.pop("custom_pipelines", None)
            kwargs.pop("auto_map", None)
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            # transformers' Trainer writes those of its tokenizer here; ours follow from the charset.
            kwargs.pop(name, None)
        refuse_unknown(type(self), kwargs)
        super().__post_init__(**kwargs)

    @property
    def end_id(self) -> int:
        """Id of [E], the end of the word."""
        return 0

    @property
    def begin_id(self) -> int:
        """Id of [B], where reading begins; never predicted."""
        return len(self.charset) + 1

    @property
    def pad_id(self) -> int:
        """Id of [P], behind the end in a batch of labels; never predicted."""
        return len(self.charset) + 2

    @property
    def num_character_classes(self) -> int:
        """Classes that the heads predict: [E] and the characters."""
        return len(self.charset) + 1

    @property
    def image_size_hw(self) -> tuple[int, int]:
        """Height and width of the images that the vision tower takes, in pixels."""
        if self.patch_embedding_config is not None:
            return tuple(self.patch_embedding_config.image_size_hw)
        side = self.clip_config.vision_config.image_size
        return (side, side) if isinstance(side, int) else tuple(side)

    def validate_characters(self):
        """Every character has one id, and there is one."""
        if not self.charset or len(set(self.charset)) != len(self.charset):
            raise ValueError(f"`charset` must hold different characters, at least one: got {self.charset!r}.")

    def validate_lengths(self):
        """Captions fit into the text tower and hold at least start and end."""
        rows = self.clip_config.text_config.max_position_embeddings
        if not 2 <= self.caption_length <= rows:
            raise ValueError(
                f"`caption_length` must be between 2 and the text tower's {rows} positions: got "
                f"{self.caption_length}."
            )
        if self.max_label_length < 1 or self.refine_iterations < 0 or self.decoder_num_layers < 1:
            raise ValueError(
                "`max_label_length` and `decoder_num_layers` must be positive, `refine_iterations` not "
                f"negative: got {self.max_label_length}, {self.decoder_num_layers} and "
                f"{self.refine_iterations}."
            )

    def validate_adapter(self):
        """A ladder leans on layers that the tower has, in their order."""
        layers = getattr(self.adapter_config, "layers", [])
        num_layers = self.clip_config.vision_config.num_hidden_layers
        if self.adapter_config is not None and not self.project_visual_memory:
            raise ValueError("`adapter_config` adapts projected tokens: it needs project_visual_memory=True.")
        if self.adapter_config is None or (
            self.adapter_config.adapter_type != "ladder"
            or (layers and sorted(set(layers)) == layers and layers[0] >= 0 and layers[-1] < num_layers)
        ):
            return
        raise ValueError(
            f"`adapter_config.layers` must be rising indices below the tower's {num_layers} layers: got "
            f"{layers}."
        )

    def validate_permutations(self):
        """Mirrored orders come in pairs."""
        if self.num_permutations < 1 or (
            self.permutation_mirrored and self.num_permutations > 1 and self.num_permutations % 2
        ):
            raise ValueError(
                "`num_permutations` must be positive, and even if `permutation_mirrored`: got "
                f"{self.num_permutations}."
            )


def _build_clip_config(value: dict | CLIPConfig | None) -> CLIPConfig:
    """CLIP's config with ViT-B/16 for what is left out, and one projection size for both towers."""
    if isinstance(value, CLIPConfig):
        return value
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"`clip_config` must be a dict or a CLIPConfig: got {value!r}.")
    value = dict(value or {})
    projection_dim = value.setdefault("projection_dim", 512)
    for name, part, defaults in (
        ("text_config", CLIPTextConfig, BASE_TEXT),
        ("vision_config", CLIPVisionConfig, BASE_VISION),
    ):
        given = value.get(name) or {}
        if isinstance(given, dict):
            given = strict_part(
                part, defaults | {"projection_dim": projection_dim} | given, f"clip_config.{name}"
            )
        value[name] = given
    return strict_part(CLIPConfig, value, "clip_config")


__all__ = [
    "CHARSET_36",
    "CHARSET_94",
    "AttentionAdapterConfig",
    "CLIP4STRConfig",
    "ConvolutionalPatchConfig",
    "LadderAdapterConfig",
    "LinearAdapterConfig",
]
