"""Configuration of TCM and FastTCM: one config, its parts as small strict sub-configs."""

from copy import deepcopy
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from transformers import CLIPTextConfig, configuration_utils
from transformers.backbone_utils import BackboneConfigMixin
from transformers.configuration_utils import PreTrainedConfig

from .configuration_heads import HEAD_CONFIGS, DBNetHeadConfig
from .configuration_parts import (
    PartConfig,
    PresetsMixin,
    choose_part,
    refuse_unknown,
    strict_config,
    strict_part,
    type_of_part,
)
from .configuration_towers import TOWER_CONFIGS, CLIPResNetTowerConfig
from .presets_tcm import PRESETS

PREDEFINED_PROMPT_TOKEN_IDS = [
    49406, 518, 34099, 539, 1346, 22702, 856, 268, 6448, 4160, 1264, 3515, 269, 49407
]  # fmt: skip
"""CLIP's token ids of "the pixels of many arbitrary-shape text instances.", the released class prompt."""


@strict_config
class PromptDecoderConfig(PartConfig):
    r"""The small transformer decoder behind the visual prompt and the text refiner.

    Source: TCM, arXiv 2302.14338, sec. 3.2.

    Args:
        hidden_size: width of the decoder; 256 in the paper.
        num_hidden_layers: layers; 3 in the paper.
        num_attention_heads: heads; 4 in the paper.
        dropout: dropout after attention and feed-forward blocks.
        residual_scale: start value of the learned gate that damps the decoder's output before it is added.
            The paper writes a plain sum (1.0), the released code starts at 1e-3.
    """

    model_type = "tcm_prompt_decoder"
    hidden_size: int = 256
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    dropout: float | int = 0.1
    residual_scale: float | int = 1e-3


PARTS: dict[str, type[PreTrainedConfig]] = {
    "image_tower_config": CLIPResNetTowerConfig,
    "text_tower_config": CLIPTextConfig,
    "visual_prompt_config": PromptDecoderConfig,
    "text_refiner_config": PromptDecoderConfig,
    "head_config": DBNetHeadConfig,
}
"""The sub-configs with their default classes: transformers hands a kernel or a dtype down to them."""


def _specs_of(parts: dict[str, type[PreTrainedConfig]]) -> dict[str, Any]:
    return {name: configuration_utils.SubConfigSpec(part, optional=True) for name, part in parts.items()}


# A part is given as a dict or a config, and is a config (or None) after `__post_init__`.
if TYPE_CHECKING:
    Part = Any
    OptionalPart = Any
else:
    Part = dict | PreTrainedConfig
    OptionalPart = Part | None


@strict_config
class TCMConfig(PresetsMixin, BackboneConfigMixin, PreTrainedConfig):
    r"""Configuration of [`TCMModel`] and [`TCMForTextDetection`].

    Every row of the paper's ablation table is a combination of parts: leave `prompt_token_ids` out (no
    predefined prompt), set `num_learnable_prompts`, `language_prompt`, `visual_prompt_config=None`,
    `text_refiner_config=None`; `method="baseline"` is the plain detector without a text side.

    Args:
        method: `"fasttcm"` (meta query + bimodal similarity matching, TPAMI 2024), `"tcm"` (the language
            prompt is made from the image, CVPR 2023) or `"baseline"` (no text side, no matching map).
        image_tower_config: a config of `configuration_towers.py`, or a dict with its `tower_type`.
        text_tower_config: `CLIPTextConfig` of the text half of a CLIP model; `projection_dim` must equal the
            image tower's `embed_dim`. `max_position_embeddings` bounds prompt tokens + learnable prompts.
        prompt_token_ids: token ids of the class prompts, one list per class, from `<|startoftext|>` to
            `<|endoftext|>`; `None` leaves the predefined prompt out (learnable prompts only, one class).
        num_learnable_prompts: learnable context vectors (the papers: 4, 18 or 32).
        learnable_prompt_std: standard deviation of their start values. 1.0 as in the released code.
        language_prompt: add the language prompt generator's vector to every token.
        visual_prompt_config: decoder of the visual prompt; `None` for none, `{}` for the paper's.
        text_refiner_config: decoder that refines the text embedding with the image (DenseCLIP's post-model
            prompting, in the papers' numbers); `None` for none, `{}` for the paper's.
        similarity_projection: FastTCM only. Match a projected global embedding with the normalised text
            embedding (what the released code meant); the paper's equation has neither and is the default.
        matching_stage: index of the feature map that the matching map is brought to.
        matching_fusion: how: `"concatenate"` (detectors), `"concatenate_logits"` (after division by tau, as
            the released rotated detectors), `"add"` (to every channel, as the released spotters) or
            `"add_gated"` (times a learned weight); of several classes the largest is added.
        matching_temperature: tau, divides the matching map in the auxiliary loss.
        learn_temperature: multiply the matching map with a learned scale instead of dividing the auxiliary
            loss's logits by tau.
        matching_loss_weight: weight of the auxiliary matching loss (lambda); 0 leaves it out.
        head_config: a config of `configuration_heads.py`, or a dict with its `head_type`. It also says which
            feature maps are made, unless `out_features` (`"stage1"` = C2 … `"stage4"`) does.
        freeze_text_tower: keep the text tower out of training (`requires_grad=False`, eval mode).
        text_embedding_cached: the text embedding is a buffer and there is no text tower; set by
            `cache_text_embeddings()`.

    Raises:
        ValueError: for an unknown keyword, a value of the wrong type or outside its choices, here or inside a
            part, and for parts that do not fit together.
    """

    model_type = "tcm"
    presets = PRESETS
    # The parts of several classes: the key that chooses one, and the choices, the default first.
    chosen_parts: ClassVar[dict[str, tuple[str, dict[str, type[PreTrainedConfig]]]]] = {
        "image_tower_config": ("tower_type", TOWER_CONFIGS),
        "head_config": ("head_type", HEAD_CONFIGS),
    }
    keys_to_ignore_at_inference = ["loss_dict", "hidden_states", "attentions"]
    # All are built in __post_init__.
    if hasattr(PreTrainedConfig, "sub_configs_defaults"):  # transformers >= 5.20
        sub_configs_defaults = _specs_of(PARTS)
    else:
        sub_configs = PARTS

    method: Literal["tcm", "fasttcm", "baseline"] = "fasttcm"
    image_tower_config: Part = field(default_factory=dict)
    text_tower_config: OptionalPart = None
    prompt_token_ids: list[list[int]] | None = field(
        default_factory=lambda: [list(PREDEFINED_PROMPT_TOKEN_IDS)]
    )
    num_learnable_prompts: int = 4
    learnable_prompt_std: float | int = 1.0
    language_prompt: bool = True
    visual_prompt_config: OptionalPart = field(default_factory=dict)
    text_refiner_config: OptionalPart = field(default_factory=dict)
    similarity_projection: bool = False
    matching_stage: int = 3
    matching_fusion: Literal["concatenate", "concatenate_logits", "add", "add_gated"] = "concatenate"
    matching_temperature: float | int = 0.07
    learn_temperature: bool = False
    matching_loss_weight: float | int = 1.0
    head_config: Part = field(default_factory=dict)
    freeze_text_tower: bool = True
    text_embedding_cached: bool = False
    id2label: dict[int, str] | dict[str, str] | None = None

    def __init_subclass__(cls, **kwargs):
        # Where a class has other choices, the first one is the part's default class.
        chosen = {name: next(iter(choices.values())) for name, (_, choices) in cls.chosen_parts.items()}
        parts = PARTS | chosen
        if hasattr(PreTrainedConfig, "sub_configs_defaults"):
            cls.sub_configs_defaults = _specs_of(parts)
        else:
            cls.sub_configs = parts
        super().__init_subclass__(**kwargs)

    def __post_init__(self, **kwargs):
        for name, (kind, choices) in self.chosen_parts.items():
            setattr(self, name, choose_part(getattr(self, name), kind, choices, name))
        for name in ("visual_prompt_config", "text_refiner_config"):
            if isinstance(value := getattr(self, name), dict):
                setattr(self, name, strict_part(PromptDecoderConfig, value, name))
        self.text_tower_config = self._build_text_tower_config(self.text_tower_config)
        self.stage_names = ["stage1", "stage2", "stage3", "stage4"]
        out_features, out_indices = kwargs.pop("out_features", None), kwargs.pop("out_indices", None)
        if out_features is None and out_indices is None:
            out_indices = list(self.head_config.stages)
        self.set_output_features_output_indices(out_features=out_features, out_indices=out_indices)
        if not type(self).__module__.startswith("transformers_modules"):
            # A folder saved with its code must load without `trust_remote_code` where we are installed, and
            # what is saved here again must not point at code that is not beside it.
            kwargs.pop("custom_pipelines", None)
            kwargs.pop("auto_map", None)
        if self.architectures is None and self.model_type == TCMConfig.model_type:
            # With several models for one config, `AutoModel.from_config` reads this list: the trunk, as in
            # transformers.
            self.architectures = ["TCMModel"]
        self.id2label = {0: "text"} if self.id2label is None else self.id2label
        if self.label2id is None:
            self.label2id = {label: int(index) for index, label in self.id2label.items()}
        refuse_unknown(type(self), kwargs)
        super().__post_init__(**kwargs)

    def _build_text_tower_config(self, value) -> CLIPTextConfig | None:
        if self.method == "baseline":
            return None
        if isinstance(value, CLIPTextConfig):
            return deepcopy(value)
        defaults = {
            "hidden_size": 512,
            "intermediate_size": 2048,
            "num_attention_heads": 8,
            "num_hidden_layers": 12,
            "max_position_embeddings": 77,
            "projection_dim": self.image_tower_config.embed_dim,
        }
        return strict_part(CLIPTextConfig, defaults | (value or {}), "text_tower_config")

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs):
        """A stored config with fields replaced by keywords, as `from_pretrained` passes them on.

        A dict for a part replaces single fields of it. A tower or head of another type replaces the whole
        part; the feature maps that are made then follow the new head.

        Args:
            config_dict: what config.json holds; not modified.
            **kwargs: fields of the config.

        Returns:
            The config; with `return_unused_kwargs=True` also the keywords that are no fields.

        Raises:
            ValueError: as for a new config.
        """
        config_dict = dict(config_dict)
        for name, (kind, choices) in cls.chosen_parts.items():
            stored_type = type_of_part(config_dict.get(name), kind, next(iter(choices)))
            if type_of_part(kwargs.get(name), kind, stored_type) == stored_type:
                continue
            config_dict[name] = kwargs.pop(name)
            if name == "head_config":
                config_dict |= {"out_features": None, "out_indices": None}
        return super().from_dict(config_dict, **kwargs)

    @property
    def stages(self) -> list[int]:
        """Indices of the feature maps that are made, 0 = C2: those of `out_features`."""
        return [self.stage_names.index(name) for name in self.out_features]

    @property
    def num_classes(self) -> int:
        """K, the number of text prompts and so of channels of the matching map."""
        return 1 if self.prompt_token_ids is None else len(self.prompt_token_ids)

    @property
    def prompt_length(self) -> int:
        """Tokens that enter the text tower: prompt tokens + learnable prompts."""
        words = 0 if self.prompt_token_ids is None else max(map(len, self.prompt_token_ids))
        return words + self.num_learnable_prompts

    def validate_prompts(self):
        """A text side needs a prompt that fits into the text tower."""
        if self.method == "baseline":
            return
        if self.prompt_token_ids is not None and (
            not self.prompt_token_ids or not all(self.prompt_token_ids)
        ):
            raise ValueError("`prompt_token_ids` must hold at least one non-empty list of ids, or be None.")
        text = self.text_tower_config
        ids = [token_id for prompt in self.prompt_token_ids or [] for token_id in prompt]
        if ids and not 0 <= min(ids) <= max(ids) < text.vocab_size:
            raise ValueError(
                "`prompt_token_ids` must be rows of the text tower's token table, 0 to "
                f"{text.vocab_size - 1} (`text_tower_config.vocab_size` - 1): got {min(ids)} to {max(ids)}."
            )
        if self.num_learnable_prompts < 0:
            raise ValueError(
                f"`num_learnable_prompts` must not be negative: got {self.num_learnable_prompts}."
            )
        if self.prompt_length == 0:
            raise ValueError(
                "There is no prompt: give `prompt_token_ids` or `num_learnable_prompts`, or "
                "method='baseline'."
            )
        if self.prompt_length > text.max_position_embeddings:
            raise ValueError(
                f"The prompt has {self.prompt_length} tokens, the text tower positions for "
                f"{text.max_position_embeddings}: shorten the prompts, lower `num_learnable_prompts` or "
                "raise `text_tower_config.max_position_embeddings`."
            )
        if text.projection_dim != self.image_tower_config.embed_dim:
            raise ValueError(
                "The two towers must meet in one space: `text_tower_config.projection_dim` is "
                f"{text.projection_dim}, `image_tower_config.embed_dim` is "
                f"{self.image_tower_config.embed_dim}."
            )

    def validate_matching(self):
        """The matching map needs a stage and a positive temperature; similarity matching needs FastTCM."""
        if not 0 <= self.matching_stage < 4:
            raise ValueError(f"`matching_stage` must be 0, 1, 2 or 3: got {self.matching_stage}.")
        if self.matching_temperature <= 0:
            raise ValueError(f"`matching_temperature` must be positive: got {self.matching_temperature}.")
        if self.similarity_projection and self.method != "fasttcm":
            raise ValueError(f"`similarity_projection` is a part of FastTCM: method is {self.method!r}.")
        if self.text_embedding_cached and self.method == "tcm" and self.language_prompt:
            raise ValueError(
                "TCM's language prompt depends on the image, so its text embedding cannot be cached: use "
                "method='fasttcm' or language_prompt=False."
            )
        if self.text_embedding_cached and self.method == "baseline":
            raise ValueError("The baseline has no text embedding to cache.")


__all__ = [
    "PREDEFINED_PROMPT_TOKEN_IDS",
    "PromptDecoderConfig",
    "TCMConfig",
]
