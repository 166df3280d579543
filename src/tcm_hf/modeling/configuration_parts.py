"""What the configurations share: presets, and strict sub-configs whose errors say which part is meant."""

from copy import deepcopy
from dataclasses import fields
from functools import wraps
from typing import Any, ClassVar, Self, TypeVar

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from transformers.configuration_utils import PreTrainedConfig

TRANSFORMERS_KEYS = {
    "_attn_implementation", "_attn_implementation_internal", "_auto_class", "_commit_hash",
    "_experts_implementation", "_experts_implementation_internal", "_name_or_path", "_out_features",
    "_out_indices", "attn_implementation", "auto_map", "custom_pipelines", "dtype", "experts_implementation",
    "label2id", "model_type", "name_or_path", "num_labels", "output_attentions", "per_layer_config",
    "quantization_config", "return_dict", "stage_names", "tie_last_hidden_states", "tie_word_embeddings",
    "torch_dtype", "transformers_version", "transformers_weights", "use_cache",
}  # fmt: skip
"""Keywords that transformers itself writes into configs; any other unknown keyword is a typo."""

Config = TypeVar("Config", bound=type[PreTrainedConfig])


class ConfigError(StrictDataclassError, ValueError):
    """A config's value is of the wrong type, outside its choices, or does not fit the others."""


def strict_config(config_class: Config) -> Config:
    """huggingface_hub's `strict`, its errors as ValueErrors that say no more than what is wrong."""
    strict(config_class)  # changes the class itself
    strict_init = config_class.__init__

    @wraps(strict_init)
    def init(self, *args, **kwargs) -> None:
        try:
            strict_init(self, *args, **kwargs)
        except StrictDataclassError as error:
            raise ConfigError(str(error.__cause__ or error)) from error

    config_class.__init__ = init  # type: ignore[method-assign]
    return config_class


def own_fields(config_class: type[PreTrainedConfig]) -> list[str]:
    """Names of the fields that a config class adds to transformers'."""
    return sorted({one.name for one in fields(config_class)} - {one.name for one in fields(PreTrainedConfig)})


def own_settings(config: PreTrainedConfig) -> dict[str, Any]:
    """The fields that a config's class adds to transformers', parts as dicts."""
    settings = {}
    for name in own_fields(type(config)):
        value = getattr(config, name)
        if hasattr(value, "to_dict"):
            value = value.to_dict()
            value.pop("transformers_version", None)
        settings[name] = value
    return settings


def refuse_unknown(config_class: type[PreTrainedConfig], names) -> None:
    """Raises ValueError for keywords that are neither fields of the class nor transformers' own."""
    known = {one.name for one in fields(config_class)} | TRANSFORMERS_KEYS
    if unknown := sorted(set(names) - known):
        raise ValueError(
            f"{config_class.__name__} got unknown keywords {unknown}: it knows {own_fields(config_class)}."
        )


def check_at_least(config: PreTrainedConfig, least: int, *names: str) -> None:
    """Raises ValueError for the first of the named fields that is smaller than `least`, or not a number."""
    for name in names:
        if not (value := getattr(config, name)) >= least:
            raise ValueError(f"`{name}` must be at least {least}: got {value!r}.")


def check_positive(config: PreTrainedConfig, *names: str) -> None:
    """Raises ValueError for the first of the named fields that is not positive."""
    for name in names:
        if not (value := getattr(config, name)) > 0:
            raise ValueError(f"`{name}` must be positive: got {value!r}.")


def check_multiple(config: PreTrainedConfig, divisor: int, name: str) -> None:
    """Raises ValueError if the named field is no positive multiple of `divisor`."""
    value = getattr(config, name)
    if value <= 0 or value % divisor:
        raise ValueError(f"`{name}` must be a positive multiple of {divisor}: got {value!r}.")


def json_value(value):
    """A copy of a keyword argument as config.json gives it back: lists for tuples, at any depth."""
    if isinstance(value, dict):
        return {name: json_value(item) for name, item in value.items()}
    return [json_value(item) for item in value] if isinstance(value, (list, tuple)) else value


def strict_part(config_class: type[PreTrainedConfig], value: dict, field_name: str):
    """Builds a sub-config; its errors say which part of the model is meant."""
    try:
        refuse_unknown(config_class, value)
        return config_class(**{key: item for key, item in value.items() if key != "model_type"})
    except (ValueError, StrictDataclassError) as error:
        raise ValueError(f"`{field_name}`: {error}") from error


def type_of_part(part, kind: str, default: str) -> str:
    """What the key `kind` of a dict or config says, the default where it (or the part) is not there."""
    return part.get(kind, default) if isinstance(part, dict) else getattr(part, kind, default)


def choose_part(value, kind: str, choices: dict[str, type[PreTrainedConfig]], field_name: str):
    """Turns the dict of a chosen part into its config; `kind` names the key that chooses.

    A config is copied: a model writes the kernel of its attention into its parts.
    """
    if isinstance(value, tuple(choices.values())):
        return deepcopy(value)
    if not isinstance(value, dict):
        names = [choice.__name__ for choice in choices.values()]
        raise ValueError(f"`{field_name}` must be a dict or one of {names}: got {value!r}.")
    chosen = value.get(kind, next(iter(choices)))
    if chosen not in choices:
        raise ValueError(f"`{field_name}.{kind}` must be one of {sorted(choices)}: got {chosen!r}.")
    return strict_part(choices[chosen], value, field_name)


class PresetsMixin:
    """Gives a config `from_preset`: the settings of published and shipped models, by name, in `presets`."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def from_preset(cls, name: str, **overrides) -> Self:
        """The settings of a published or shipped model.

        Args:
            name: one of `preset_names()`.
            **overrides: fields that replace the preset's.

        Raises:
            ValueError: if there is no such preset.
        """
        if name not in cls.presets:
            raise ValueError(f"There is no preset {name!r}: choose from {cls.preset_names()}.")
        return cls(**(cls.presets[name] | overrides))

    @classmethod
    def preset_names(cls) -> list[str]:
        """Names that `from_preset` takes."""
        return sorted(cls.presets)


@strict_config
class PartConfig(PreTrainedConfig):
    """A part of a config: refuses unknown keywords, and writes its own fields alone into config.json."""

    def __post_init__(self, **kwargs):
        kwargs.pop("model_type", None)  # of the class, not of the instance
        refuse_unknown(type(self), kwargs)
        super().__post_init__(**kwargs)

    def to_dict(self) -> dict:
        """The part's own fields with its `model_type`; whoever nests it drops `transformers_version`."""
        everything = super().to_dict()
        return {
            name: everything[name] for name in (*own_fields(type(self)), "model_type", "transformers_version")
        }
