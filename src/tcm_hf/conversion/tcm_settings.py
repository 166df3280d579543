"""The config of a TCM checkpoint: what it tells, what a preset adds, and which prompt it was trained with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tcm_hf.conversion.tcm_prompts import (
    PAPER_LENGTH,
    PAPER_PROMPT,
    RELEASED_LENGTH,
    RELEASED_PROMPT,
    prompt_token_ids,
)
from tcm_hf.modeling.configuration_parts import own_settings
from tcm_hf.modeling.configuration_tcm import TCMConfig

COMPARED: dict[str, tuple[str, ...]] = {
    "image_tower_config": (
        "tower_type", "depths", "width", "embed_dim", "hidden_size", "num_hidden_layers", "patch_size",
        "out_layers", "strided_conv",
    ),
    "text_tower_config": ("hidden_size", "num_hidden_layers", "projection_dim"),
    "visual_prompt_config": ("hidden_size", "num_hidden_layers"),
    "text_refiner_config": ("hidden_size", "num_hidden_layers"),
    "head_config": (
        "head_type", "neck_channels", "num_enhancements", "embedding_size", "fourier_degree", "outline",
        "num_control_points", "num_characters", "hidden_size", "num_encoder_layers", "num_decoder_layers",
        "num_convs", "num_region_convs",
    ),
}  # fmt: skip
"""What a checkpoint tells of its parts and a preset must agree with."""

COMPARED_FIELDS = ("method", "matching_stage", "num_learnable_prompts", "language_prompt")
"""The same of the detector. Whether the temperature is learned and FastTCM's image side is projected is for
the tensors alone to say: presets hold the papers' method."""


def preset_conflicts(
    told: Mapping[str, Any], preset: str, config_class: type[TCMConfig] = TCMConfig
) -> list[str]:
    """Where a checkpoint is not what the preset describes, one sentence each.

    Args:
        told: fields of `TCMConfig` that the checkpoint tells, see `told_settings`.
        preset: name of a preset of the config's class.
        config_class: `TCMConfig`, or the class of another task.

    Raises:
        ValueError: if there is no such preset.
    """
    asked = own_settings(config_class.from_preset(preset))
    if told["method"] == "baseline" or asked["method"] == "baseline":
        names: Sequence[str] = ("method",)
    else:
        names = COMPARED_FIELDS
    wrong = [
        f"`{name}` is {told[name]!r}, and {asked[name]!r} in the preset"
        for name in names
        if told[name] != asked[name]
    ]
    for part, sizes in COMPARED.items():
        found, wanted = told.get(part), asked[part]
        if found is None or wanted is None:
            if (found is None) != (wanted is None) and not wrong:
                has, has_not = ("the checkpoint", "the preset") if found else ("the preset", "the checkpoint")
                wrong.append(f"{has} has a `{part}`, and {has_not} has none")
            continue
        wrong += [
            f"`{part}.{name}` is {found[name]!r}, and {wanted.get(name)!r} in the preset"
            for name in sizes
            if name in found and found[name] != wanted.get(name)
        ]
    return wrong


def with_preset(
    told: Mapping[str, Any], preset: str, config_class: type[TCMConfig] = TCMConfig
) -> dict[str, Any]:
    """All settings: the preset's, where the checkpoint tells none.

    Position tables are the exception: they get the preset's size, as the original resizes CLIP's.

    Raises:
        ValueError: if the checkpoint conflicts with the preset, or has fewer text positions.
    """
    if wrong := preset_conflicts(told, preset, config_class):
        raise ValueError(f"it is not what the preset {preset} describes: {'; '.join(wrong)}")
    settings = own_settings(config_class.from_preset(preset))
    tables = {
        "image_tower_config": ("grid_size", "image_size"),
        "text_tower_config": ("max_position_embeddings",),
    }
    for name, value in told.items():
        if isinstance(value, Mapping) and settings[name] is not None:
            sizes = {size: settings[name][size] for size in tables.get(name, ()) if size in settings[name]}
            settings[name] = {**settings[name], **value, **sizes}
        else:
            settings[name] = value
    if told["method"] != "baseline":
        found = told["text_tower_config"]["max_position_embeddings"]
        wanted = settings["text_tower_config"]["max_position_embeddings"]
        if found < wanted:
            raise ValueError(f"it has {found} text positions, and the preset {preset} needs {wanted}")
    return settings


def prompt_settings(
    told: Mapping[str, Any],
    num_classes: int,
    stored: Mapping[str, Any],
    prompts: Sequence[str] | None = None,
    vocabulary: str | Path | None = None,
) -> tuple[list[list[int]] | None, str]:
    """Token ids of the class prompts, and how they are known.

    Args:
        told: fields of `TCMConfig` that the checkpoint tells.
        num_classes: channels of its matching map; 0 for the baseline.
        stored: the original's settings of the model, or nothing; `class_names` are the prompts.
        prompts: the prompts, one a class, in place of what the checkpoint says.
        vocabulary: see `prompt_token_ids`.

    Returns:
        What `TCMConfig` takes as `prompt_token_ids`, and a sentence for the card.

    Raises:
        ValueError: if nothing tells the prompt, or it does not fit the text encoder.
    """
    if not num_classes:
        return _without_words(prompts, "the baseline has no prompt")
    room = told["text_tower_config"]["max_position_embeddings"] - told["num_learnable_prompts"]
    if room == 0 or stored.get("use_learnable_prompt_only"):
        return _without_words(prompts, "learnable prompts alone")
    if not prompts and _are_token_ids(stored.get("prompt_token_ids"), num_classes):
        return stored["prompt_token_ids"], "as stored with the weights"
    names, reason = _class_names(told, num_classes, stored, prompts, room)
    if len(names) != num_classes:
        raise ValueError(f"its matching map has {num_classes} classes: {len(names)} prompts are given")
    ids = prompt_token_ids(names, vocabulary)
    if (longest := max(map(len, ids))) > room:
        raise ValueError(
            f"its text encoder has positions for {room} tokens beside the learnable prompts: the prompt has "
            f"{longest}"
        )
    return ids, f"{'; '.join(names)} ({reason})"


def _are_token_ids(value: Any, num_classes: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == num_classes
        and all(isinstance(ids, list) and ids and all(type(id_) is int for id_ in ids) for ids in value)
    )


def _without_words(prompts: Sequence[str] | None, why: str) -> tuple[None, str]:
    if prompts:
        raise ValueError(f"a prompt cannot be given: {why}")
    return None, why


def _class_names(
    told: Mapping[str, Any],
    num_classes: int,
    stored: Mapping[str, Any],
    prompts: Sequence[str] | None,
    room: int,
) -> tuple[list[str], str]:
    """The prompts, as given or as stored; else those of the configurations with so many positions."""
    if prompts:
        return list(prompts), "as given"
    names = stored.get("class_names")
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        return list(names), "as stored with the weights"
    if num_classes == 1:
        # Without learnable prompts the released configuration pads its sentence to 30 tokens.
        if room == RELEASED_LENGTH or (room > RELEASED_LENGTH and not told["num_learnable_prompts"]):
            return [RELEASED_PROMPT], f"the released one, of {RELEASED_LENGTH} tokens"
        if room == PAPER_LENGTH:
            return [PAPER_PROMPT], f"the paper's, in {PAPER_LENGTH} positions"
    raise ValueError(
        f"it does not say its prompt: {num_classes} classes, {room} token positions beside the learnable "
        "prompts. Give it, once a class (--prompt TEXT)"
    )


__all__ = ["preset_conflicts", "prompt_settings", "with_preset"]
