"""The config of a published CLIP4STR checkpoint, told by its tensors and the settings stored beside them."""

from collections.abc import Mapping
from typing import Any

import torch

from tcm_hf.conversion.clip_sizes import clip_config_of, count_layers, require
from tcm_hf.modeling.configuration_clip4str import CHARSET_36, CHARSET_94, CLIP4STRConfig

CHARSETS = {36: CHARSET_36, 62: CHARSET_94[:62], 94: CHARSET_94}
"""The character sets of the STR benchmarks, by their size."""

SETTINGS = {
    "charset_train": "charset",
    "charset_test": "caption_charset",
    "context_length": "caption_length",
    "dec_num_heads": "decoder_num_attention_heads",
    "dropout": "dropout",
    "use_language_model": "use_cross_branch",
    "decode_ar": "autoregressive",
    "refine_iters": "refine_iterations",
    "image_detach": "image_detach",
    "use_share_dim": "project_visual_memory",
    "clip_cls_eot_feature": "pooled_memory",
    "text_freeze_nlayer": "text_freeze_layers",
    "image_freeze_nlayer": "image_freeze_layers",
    "perm_num": "num_permutations",
    "perm_forward": "permutation_forward",
    "perm_mirrored": "permutation_mirrored",
    "cross_loss_w": "cross_loss_weight",
    "cross_gt_context": "cross_label_context",
    "cross_cloze_mask": "cross_cloze_mask",
}
"""Upstream's name of a setting in `hyper_parameters` -> our config's."""

LADDER_LAYERS = {6: [1, 3, 5, 7, 9, 11]}
"""Rungs of a ladder -> the layers that it leans on, in the original's experiments."""

DECODER_NAMES = (
    "visual_decoder.pos_queries",
    "visual_decoder.head.weight",
    "visual_decoder.layers.0.fc1.weight",
)


def clip4str_config_of(
    tensors: Mapping[str, torch.Tensor],
    settings: Mapping[str, Any],
    charset: str | None = None,
    preset: str | None = None,
    is_adapter: bool = False,
) -> CLIP4STRConfig:
    """The config of a published checkpoint.

    # Parity: the original builds every vision tower with heads of 64 (20 for ViT-H/14, where OpenCLIP has 16)
    and QuickGELU (also on weights that were trained with GELU). Its checkpoints were trained so, and only
    read so.

    Args:
        tensors: tensors by our names.
        settings: `hyper_parameters` of a Lightning checkpoint, or nothing.
        charset: the characters in the order of their ids, if they are none of the benchmarks' sets and the
            checkpoint does not say them.
        preset: name of the published model that it should be; its size is then compared.
        is_adapter: it is of the original's STR-adapter experiments: the visual branch alone, CLIP frozen.

    Raises:
        ValueError: if a tensor that tells a size is missing, or the size is not that of the preset.
    """
    require(tensors, DECODER_NAMES)
    clip = {name.removeprefix("clip."): tensor for name, tensor in tensors.items() if name[:5] == "clip."}
    clip_config = clip_config_of(clip, activation="quick_gelu")
    queries, head, hidden = (tuple(tensors[name].shape) for name in DECODER_NAMES)
    if len(queries) != 3 or len(head) != 2 or len(hidden) != 2:
        raise ValueError(f"the decoder has impossible shapes: {queries}, {head} and {hidden}")
    fields = {
        SETTINGS[name]: value for name, value in settings.items() if name in SETTINGS and value is not None
    }
    fields |= {
        "clip_config": clip_config,
        "charset": _charset(head[0] - 1, charset, fields.get("charset")),
        "max_label_length": queries[1] - 1,
        "decoder_num_layers": count_layers(tensors, r"visual_decoder\.layers\.(\d+)\."),
        "decoder_mlp_ratio": hidden[0] // max(1, hidden[1]),
    }
    if is_adapter:
        fields |= {"use_cross_branch": False, "adapter_config": adapter_config_of(tensors, settings)}
    if preset is None:
        return CLIP4STRConfig(**fields)
    _check_preset(preset, clip_config)
    return CLIP4STRConfig.from_preset(preset, **fields)


def adapter_config_of(tensors: Mapping[str, torch.Tensor], settings: Mapping[str, Any]) -> dict | None:
    """The adapter of a checkpoint of the original's STR-adapter experiments.

    Args:
        tensors: tensors by our names.
        settings: `hyper_parameters` of a Lightning checkpoint, or nothing.

    Returns:
        What `CLIP4STRConfig` takes as `adapter_config`; None if there is no adapter.

    Raises:
        ValueError: if it is a ladder, and neither the settings nor its length tell where it leans.
    """
    if (down := tensors.get("adapter.bottleneck.down.weight")) is not None:
        return {"adapter_type": "linear", "reduction": _reduction(down)}
    if any(name.startswith("adapter.block.") for name in tensors):
        return {"adapter_type": "attention"}
    if "adapter.alpha" not in tensors:
        return None
    num_rungs = tensors["adapter.alpha"].numel()
    layers = settings.get("block_ids") or LADDER_LAYERS.get(num_rungs)
    if not isinstance(layers, list | tuple) or len(layers) != num_rungs:
        raise ValueError(
            f"it is a ladder of {num_rungs} rungs and does not say which layers they lean on (block_ids in "
            "hyper_parameters)"
        )
    adapter: dict[str, Any] = {"adapter_type": "ladder", "layers": list(layers)}
    if (narrow := tensors.get("adapter.rungs.0.down.weight")) is not None:
        adapter |= {"rung": "linear", "reduction": _reduction(narrow)}
    return adapter


def _reduction(down: torch.Tensor) -> int:
    """How many times narrower the middle of a bottleneck is, by the weight that leads into it."""
    return down.shape[-1] // max(1, down.shape[0])


def _charset(size: int, asked: str | None, stored: Any) -> str:
    """The characters of a head: as asked for, as stored, or the benchmarks' set of that size."""
    charset = asked if asked is not None else stored if isinstance(stored, str) else CHARSETS.get(size)
    if charset is None:
        raise ValueError(
            f"it reads {size} characters, and does not say which; the known sets have "
            f"{', '.join(map(str, CHARSETS))}: give the charset"
        )
    if len(charset) != size:
        raise ValueError(f"it reads {size} characters, and the charset has {len(charset)}: {charset!r}")
    return charset


def _check_preset(preset: str, clip_config: dict[str, Any]) -> None:
    expected = CLIP4STRConfig.from_preset(preset).clip_config.to_dict()
    wrong = [
        f"{part}.{name} is {size} and {expected[part][name]} in the preset"
        for part in ("vision_config", "text_config")
        for name, size in clip_config[part].items()
        if expected[part][name] != size
    ]
    if wrong:
        raise ValueError(f"it is not of the size of {preset}: {'; '.join(wrong)}")


__all__ = ["adapter_config_of", "clip4str_config_of"]
