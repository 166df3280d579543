"""CLIP weights become the starting point of a recogniser (CLIP4STR) or of TCM's detectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tcm_hf.conversion.clip_sizes import clip_config_of
from tcm_hf.conversion.clip_sources import ClipSource, Layout, load_clip_source
from tcm_hf.conversion.clip_vocabulary import load_clip_vocabulary
from tcm_hf.conversion.key_report import KeyReport, fit_tensors
from tcm_hf.conversion.key_rules import KeyRule, RenamedTensors, apply_rules, moved
from tcm_hf.conversion.keys_clip import (
    ABSENT_WITHOUT_CROSS_BRANCH,
    CLIP_MODEL,
    CLIP_TO_TCM,
    IGNORABLE,
    IGNORABLE_FOR_TCM,
    TIMM_TO_TCM,
    TRANSFORMERS_CLIP,
    TRANSFORMERS_TO_TCM,
    VIT_CLIP_TO_TCM,
)
from tcm_hf.conversion.keys_tcm import ABSENT_FROM_BASELINE
from tcm_hf.conversion.tower_sizes import (
    fit_positions,
    resnet_tower_config_of,
    tcm_text_config_of,
    vit_tower_config_of,
)
from tcm_hf.modeling.adapters_clip4str import LadderAdapter
from tcm_hf.modeling.configuration_clip4str import CLIP4STRConfig
from tcm_hf.modeling.configuration_parts import own_settings
from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_clip4str import CLIP4STRForTextRecognition
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

FAMILIES: dict[str, type[TCMConfig] | type[CLIP4STRConfig]] = {
    "clip4str": CLIP4STRConfig,
    "tcm": TCMConfig,
    "rotated": TCMRotatedDetectionConfig,
}

DETECTORS: dict[type[TCMConfig], type[PreTrainedModel]] = {
    TCMConfig: TCMForTextDetection,
    TCMRotatedDetectionConfig: TCMForRotatedObjectDetection,
}

EXAMPLES = {"clip_resnet": "fasttcm-dbnet-r50-ic15", "clip_vit": "tcm-dbnet-vit-b16"}
"""A preset for each of CLIP's image towers."""

TCM_RULES: dict[Layout, list[KeyRule]] = {
    "resnet": CLIP_TO_TCM,
    "timm": TIMM_TO_TCM,
    "vit": VIT_CLIP_TO_TCM,
    "transformers": TRANSFORMERS_TO_TCM,
}

FRESH_FOR_CLIP4STR = {
    r"(visual|cross)_decoder\..+": "the decoders: CLIP has none",
    r"adapter\..+": "the adapter: CLIP has none; a ladder begins as a copy of CLIP's layers",
    r"caption_tokenizer\..+": "the caption vocabulary is read from its own files",
}
FRESH_FOR_TCM = {
    r"model\.image_tower\..+\.num_batches_tracked": "a counter of training steps",
    r"model\.image_tower\.pyramid\..+": "the feature pyramid: CLIP has none",
    r"model\.(?!image_tower\.|text_tower\.).+": "prompts and matching: CLIP has none",
    r"head\..+": "the detection head: CLIP has none",
}
FRESH_TEXT_TOWER = {r"model\.text_tower\..+": "the text tower: the source holds the image half only"}


@dataclass
class ClipStart:
    """A model that starts from CLIP, and how it came about.

    Args:
        model: the model, in eval mode.
        source: the CLIP weights it starts from.
        report: which tensors were taken, left out or are fresh.
    """

    model: PreTrainedModel
    source: ClipSource
    report: KeyReport


def from_clip(
    source: str | Path,
    preset_or_config: str | TCMConfig | CLIP4STRConfig,
    activation: str | None = None,
    vocabulary: str | Path | None = None,
) -> PreTrainedModel:
    """A model that starts from CLIP: its towers are CLIP's, everything else is fresh and wants training.

    CLIP4STR starts from a ViT CLIP, TCM and FastTCM (for text or for rotated objects, with classes of
    `tcm_hf.class_prompts` in the config) from a ResNet or a ViT CLIP. Head counts and activation
    are those that the CLIP weights were trained with (16 heads and GELU for OpenCLIP's H/14, whatever the
    preset of the published model says).

    Args:
        source: OpenAI's `.pt` archive, a file of OpenCLIP, or a folder or Hub id of OpenCLIP, of
            transformers' `CLIPModel` or of timm's `resnet*_clip`. timm holds the image half only: the text
            tower is fresh then, and not frozen.
        preset_or_config: `"clip4str"`, `"tcm"` or `"rotated"` for the defaults at the size of the source; or
            a preset or config, whose towers must have that size.
        activation: `"quick_gelu"` or `"gelu"` for a source that does not say it, see `load_clip_source`.
        vocabulary: where CLIP's vocabulary comes from, see `load_clip_vocabulary`; read for CLIP4STR only.
            None takes that of the source, if it is a folder or id that carries one.

    Returns:
        `CLIP4STRForTextRecognition`, `TCMForTextDetection` or `TCMForRotatedObjectDetection`, in eval mode.

    Raises:
        OSError: if there is no such file.
        ValueError: if the source is no CLIP, or does not fit the preset; `KeyMismatchError` names every
            tensor that does not.
        ImportError: if CLIP's vocabulary is needed and not installed.

    Example:
        >>> model = from_clip("ViT-B-16.pt", "clip4str-base")  # doctest: +SKIP
        >>> detector = from_clip("RN50.pt", "fasttcm-dbnet-r50-ic15")  # doctest: +SKIP
    """
    return start_from_clip(source, preset_or_config, activation, vocabulary).model


def start_from_clip(
    source: str | Path,
    preset_or_config: str | TCMConfig | CLIP4STRConfig,
    activation: str | None = None,
    vocabulary: str | Path | None = None,
) -> ClipStart:
    """As [`from_clip`], with the report of the tensors."""
    config = _config(preset_or_config)
    clip = load_clip_source(source, activation)
    sized = not isinstance(preset_or_config, str) or preset_or_config not in FAMILIES
    if isinstance(config, CLIP4STRConfig):
        return _start_clip4str(clip, config, sized, vocabulary)
    return _start_tcm(clip, config, sized)


def _config(preset_or_config: str | TCMConfig | CLIP4STRConfig) -> TCMConfig | CLIP4STRConfig:
    if not isinstance(preset_or_config, str):
        return preset_or_config
    if preset_or_config in FAMILIES:
        return FAMILIES[preset_or_config]()
    for family in FAMILIES.values():
        if preset_or_config in family.preset_names():
            return family.from_preset(preset_or_config)
    names = [*FAMILIES, *(name for family in FAMILIES.values() for name in family.preset_names())]
    raise ValueError(f"There is no preset {preset_or_config!r}: choose from {names}.")


def _start_clip4str(
    clip: ClipSource, config: CLIP4STRConfig, sized: bool, vocabulary: str | Path | None
) -> ClipStart:
    if clip.layout not in ("vit", "transformers"):
        raise ValueError(
            f"{clip.name} holds a ResNet CLIP ({clip.kind}), and CLIP4STR needs a vision transformer: take a "
            "ViT CLIP, or use it for TCM."
        )
    rules = TRANSFORMERS_CLIP if clip.layout == "transformers" else CLIP_MODEL
    renamed = apply_rules(clip.tensors, moved(rules, "", "clip."), IGNORABLE)
    inner = {name.removeprefix("clip."): tensor for name, tensor in renamed.tensors.items()}
    try:
        sizes = clip_config_of(inner, clip.activation, clip.vision_head_width, clip.text_head_width)
    except ValueError as error:
        raise ValueError(f"{clip.name}: {error}") from error
    if sized:
        _check_sizes(clip, sizes, config.clip_config.to_dict())
    config = CLIP4STRConfig(**(own_settings(config) | {"clip_config": sizes}))
    model = CLIP4STRForTextRecognition(config).eval()
    absent = None if config.use_cross_branch else ABSENT_WITHOUT_CROSS_BRANCH
    report = _load(model, renamed, clip, FRESH_FOR_CLIP4STR, absent)
    if isinstance(model.adapter, LadderAdapter):
        model.adapter.start_from(model.clip)
    if config.use_cross_branch:
        model.set_caption_vocabulary(*load_clip_vocabulary(vocabulary or clip.vocabulary))
    return ClipStart(model, clip, report)


def _start_tcm(clip: ClipSource, config: TCMConfig, sized: bool) -> ClipStart:
    renamed = apply_rules(clip.tensors, TCM_RULES[clip.layout], IGNORABLE_FOR_TCM)
    has_text = clip.layout != "timm"
    try:
        if clip.layout in ("vit", "transformers"):
            image = vit_tower_config_of(renamed.tensors, clip.activation, clip.vision_head_width)
        else:
            image = resnet_tower_config_of(renamed.tensors)
        text = tcm_text_config_of(renamed.tensors, clip.activation, clip.text_head_width) if has_text else {}
    except ValueError as error:
        raise ValueError(f"{clip.name}: {error}") from error
    config = _tcm_config(clip, config, image, text, sized)
    fit_positions(renamed.tensors, config)
    model = DETECTORS[type(config)](config).eval()
    fresh = FRESH_FOR_TCM if has_text else FRESH_FOR_TCM | FRESH_TEXT_TOWER
    absent = ABSENT_FROM_BASELINE if config.method == "baseline" else None
    return ClipStart(model, clip, _load(model, renamed, clip, fresh, absent))


def _tcm_config(
    clip: ClipSource, config: TCMConfig, image: dict[str, Any], text: dict[str, Any], sized: bool
) -> TCMConfig:
    """The asked-for config with the towers of the source."""
    settings = own_settings(config)
    wanted_image, wanted_text = settings["image_tower_config"], settings["text_tower_config"]
    if not sized and image["tower_type"] == "clip_vit":
        # The default is the ResNet; the ViT's matching map has the stride of C4.
        wanted_image, settings["matching_stage"] = {}, 2
    elif wanted_image["tower_type"] != image["tower_type"]:
        raise ValueError(
            f"{clip.name} is {clip.kind}, an image tower of type {image['tower_type']!r}, and this config "
            f"has {wanted_image['tower_type']!r}: take another preset, for example "
            f"{EXAMPLES[image['tower_type']]}."
        )
    if sized:
        asked = {"image_tower_config": wanted_image, "text_tower_config": wanted_text or {}}
        _check_sizes(clip, {"image_tower_config": image, "text_tower_config": text}, asked)
    free = {"image_size", "out_layers"} & wanted_image.keys()  # not the source's to say
    settings["image_tower_config"] = {**wanted_image, **image, **{name: wanted_image[name] for name in free}}
    if wanted_text is not None:
        settings["text_tower_config"] = {**wanted_text, "projection_dim": image["embed_dim"], **text}
        # A text tower without CLIP's weights has everything to learn.
        settings["freeze_text_tower"] = config.freeze_text_tower and bool(text)
    # A field of every config of transformers, so none of the own ones.
    return type(config)(**settings, id2label=config.id2label)


def _check_sizes(clip: ClipSource, found: dict[str, Any], asked: dict[str, Any]) -> None:
    """Raises ValueError where a preset or config asks for towers of another size than the source has."""
    free = {"num_attention_heads", "hidden_act", "image_size", "out_layers", "bos_token_id", "eos_token_id"}
    wrong = []
    for part, sizes in found.items():
        if isinstance(sizes, dict):
            wrong += [
                f"{part}.{name} is {size} and {asked[part][name]} was asked for"
                for name, size in sizes.items()
                if name not in free and name in asked[part] and asked[part][name] != size
            ]
    if wrong:
        raise ValueError(
            f"{clip.name} has another size than the preset or config: {'; '.join(wrong)}. Take the preset of "
            'this size, or "clip4str", "tcm" or "rotated" for the size of the source.'
        )


def _load(
    model: PreTrainedModel,
    renamed: RenamedTensors,
    clip: ClipSource,
    fresh: dict[str, str],
    absent: dict[str, str] | None = None,
) -> KeyReport:
    state, report = fit_tensors(renamed, model.state_dict(), clip.name, fresh, absent)
    with torch.no_grad():
        model.load_state_dict(state)
    return report


__all__ = ["ClipStart", "from_clip", "start_from_clip"]
