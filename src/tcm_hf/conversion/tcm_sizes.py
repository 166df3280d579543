"""The parts and sizes of a TCM detector, told by the shapes of its tensors and by what mmcv stored.

No tensor tells how many heads an attention has, which layers of a vision transformer feed the pyramid, or
that a part is there and not used. The configuration that mmcv stores beside the weights does; without it
CLIP's and the papers' numbers hold.
"""

import math
import re
import reprlib
from collections.abc import Mapping
from typing import Any

import torch

from tcm_hf.conversion.clip_sizes import count_layers, require, shape_of
from tcm_hf.conversion.tower_sizes import (
    IMAGE_POSITIONS,
    TEXT,
    TEXT_POSITIONS,
    TOWER,
    tcm_text_config_of,
    vit_tower_config_of,
)

Tensors = Mapping[str, torch.Tensor]

CLIP_HEAD_WIDTH = 64
POOLING_HEADS = 32
DECODER_HEADS = 4

CONTEXTS = "model.prompt.sequence.contexts"
META_QUERY = "model.prompt.meta_query"
SIMILARITY = "model.similarity_matching.projection.weight"

# Where a head tells its width and the channels that it takes from each stage.
_LATERALS = {
    "dbnet": {stage: f"head.neck.lateral_convs.{stage}.weight" for stage in range(4)},
    "segnet": {stage: f"head.neck.lateral_convs.{stage}.weight" for stage in range(4)},
    "fcenet": {stage: f"head.neck.inner_convs.{stage - 1}.weight" for stage in range(1, 4)},
    "pan": {stage: f"head.neck.reduce_convs.{stage}.conv.weight" for stage in range(4)},
}


def part_of(stored: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Settings of a part in the original's configuration; nothing where it does not say any."""
    part = stored.get(name)
    return part if isinstance(part, Mapping) else {}


def told_settings(
    tensors: Tensors, tower: str, detector: str, stored: Mapping[str, Any]
) -> tuple[dict[str, Any], int]:
    """Fields of `TCMConfig` that a checkpoint tells, prompts of words apart.

    Args:
        tensors: tensors by our names.
        tower: our `tower_type`.
        detector: our `head_type`.
        stored: the original's settings of the model (`model` of its configuration), or nothing.

    Returns:
        The fields, parts as dicts or None where the detector has no such part; and the number of classes.

    Raises:
        ValueError: if a tensor that tells a size is missing or impossible.
    """
    image = _resnet_tower(tensors) if tower == "clip_resnet" else _vit_tower(tensors, stored)
    laterals = _LATERALS[detector]
    require(tensors, laterals.values())
    fields: dict[str, Any] = {
        "method": "baseline",
        "image_tower_config": image,
        "head_config": _head(tensors, detector, shape_of(tensors, next(iter(laterals.values())), 4)[0]),
        "visual_prompt_config": None,
        "text_refiner_config": None,
    }
    stage, num_classes = matching_stage(tensors, laterals, channels_of(image))
    if not any(name.startswith(TEXT) for name in tensors):
        if num_classes:
            raise ValueError(
                "its neck reads a matching map, and there is no text encoder that could make one"
            )
        return fields, 0
    if not num_classes:
        raise ValueError("it has a text encoder, and its neck reads no matching map")
    fields |= {"matching_stage": stage, **text_side(tensors, stored)}
    check_stored(fields, stored)
    return fields, num_classes


def check_stored(fields: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Raises ValueError if whole layers or parts are missing: only the stored configuration can tell.

    Args:
        fields: of `TCMConfig`, as the tensors tell them.
        stored: the original's settings of the model, or nothing.
    """
    image = fields["image_tower_config"]
    layers = {
        "backbone.layers": image.get("depths", image.get("num_hidden_layers")),
        "text_encoder.transformer_layers": fields["text_tower_config"]["num_hidden_layers"],
    }
    decoders = {"visual_prompt_config": "visual_prompt_generator", "text_refiner_config": "context_decoder"}
    for ours, theirs in decoders.items():
        if fields[ours] is not None:
            layers[f"{theirs}.transformer_layers"] = fields[ours]["num_hidden_layers"]
    for name, found in layers.items():
        part, _, size = name.partition(".")
        said = part_of(stored, part).get(size, found)
        if (list(said) if isinstance(said, tuple) else said) != found:
            raise ValueError(
                f"its tensors have {found} layers, and its configuration says `{name}` {reprlib.repr(said)}"
            )
    _check_learnable_prompts(fields["num_learnable_prompts"], stored)
    parts = {
        "prompt_generator": fields["language_prompt"],
        "visual_prompt_generator": fields["visual_prompt_config"] is not None,
    }
    for name, found in parts.items():
        if part_of(stored, name) and not found:
            raise ValueError(f"its configuration has a `{name}`, and there are no tensors of it")


def _check_learnable_prompts(found: int, stored: Mapping[str, Any]) -> None:
    learns = stored.get("use_learnable_prompt")
    if isinstance(learns, bool) and learns != (found > 0):
        raise ValueError(
            f"its tensors have {found} learnable prompts, and its configuration says `use_learnable_prompt` "
            f"{learns}"
        )
    positions, words = part_of(stored, "text_encoder").get("context_length"), stored.get("context_length")
    if not learns or stored.get("use_learnable_prompt_only"):
        return
    if isinstance(positions, int) and isinstance(words, int) and positions - words != found:
        raise ValueError(
            f"its tensors have {found} learnable prompts, and its configuration {positions} positions for "
            f"{words} words (`context_length`)"
        )


def _resnet_tower(tensors: Tensors) -> dict[str, Any]:
    stem, projection = (
        f"{TOWER}trunk.stem_conv3.conv.weight",
        f"{TOWER}attention_pool.attention.out_proj.weight",
    )
    require(tensors, [stem])
    tower = {
        "tower_type": "clip_resnet",
        "depths": [
            count_layers(tensors, rf"model\.image_tower\.trunk\.stages_{i}\.(\d+)\.") for i in range(4)
        ],
        "width": shape_of(tensors, stem, 4)[0],
    }
    if not any(name.startswith(TEXT) for name in tensors):
        return tower
    require(tensors, [projection, IMAGE_POSITIONS])
    return tower | {
        "embed_dim": shape_of(tensors, projection, 2)[0],
        # Parity: the original has so many whatever the width.
        "num_attention_heads": POOLING_HEADS,
        "grid_size": grid_size_of(tensors, IMAGE_POSITIONS),
    }


def _vit_tower(tensors: Tensors, stored: Mapping[str, Any]) -> dict[str, Any]:
    tower, backbone = vit_tower_config_of(tensors, "quick_gelu", CLIP_HEAD_WIDTH), part_of(stored, "backbone")
    return tower | {
        "num_attention_heads": _heads(backbone, "heads", tower["num_attention_heads"]),
        "out_layers": backbone.get("out_indices", tower["out_layers"]),
    }


def grid_size_of(tensors: Tensors, name: str) -> int:
    """Side of the square grid of a table of positions; raises ValueError if there is none."""
    rows = shape_of(tensors, name, 2)[0]
    size = math.isqrt(rows - 1)
    if size < 1 or size * size != rows - 1:
        raise ValueError(
            f"positions of a global token and a square grid were expected: the image tower has {rows}"
        )
    return size


def channels_of(image: Mapping[str, Any]) -> list[int]:
    """Channels of C2 … C5 without the matching map."""
    if image["tower_type"] == "clip_vit":
        return [image["hidden_size"]] * 4
    return [4 * image["width"] * 2**stage for stage in range(4)]


def matching_stage(tensors: Tensors, laterals: Mapping[int, str], channels: list[int]) -> tuple[int, int]:
    """The stage that the matching map is concatenated to, and its channels: 0 where there is none."""
    taken = {stage: shape_of(tensors, name, 4)[1] for stage, name in laterals.items()}
    extra = {stage: count - channels[stage] for stage, count in taken.items()}
    carrying = [stage for stage, count in extra.items() if count]
    if any(count < 0 for count in extra.values()) or len(carrying) > 1:
        raise ValueError(
            f"its neck takes {list(taken.values())} channels, and its image tower gives {channels}"
        )
    return (carrying[0], extra[carrying[0]]) if carrying else (3, 0)


def _head(tensors: Tensors, detector: str, neck_channels: int) -> dict[str, Any]:
    head: dict[str, Any] = {"head_type": detector, "neck_channels": neck_channels}
    if detector == "pan":
        require(tensors, ["head.prediction.weight"])
        head["num_enhancements"] = count_layers(tensors, r"head\.neck\.enhancements\.(\d+)\.")
        head["embedding_size"] = shape_of(tensors, "head.prediction.weight", 4)[0] - 2
    elif detector == "fcenet":
        require(tensors, ["head.contour.weight"])
        # Real and imaginary parts of 2 K + 1 coefficients.
        head["fourier_degree"] = (shape_of(tensors, "head.contour.weight", 4)[0] // 2 - 1) // 2
    return head


def text_side(tensors: Tensors, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `TCMConfig` on the text side, prompts of words apart.

    Args:
        tensors: tensors by our names.
        stored: the original's settings of the model, or nothing.

    Raises:
        ValueError: if a tensor that tells a size is missing or impossible.
    """
    text = tcm_text_config_of(tensors, "quick_gelu", CLIP_HEAD_WIDTH)
    require(tensors, [TEXT_POSITIONS, CONTEXTS])
    text["num_attention_heads"] = _heads(
        part_of(stored, "text_encoder"), "transformer_heads", text["hidden_size"] // CLIP_HEAD_WIDTH
    )
    text["max_position_embeddings"] = shape_of(tensors, TEXT_POSITIONS, 2)[0]
    num_learnable = _num_learnable(tensors[CONTEXTS])
    fast = META_QUERY in tensors or SIMILARITY in tensors or bool(stored.get("is_v2"))
    # CODEPATH: the released configuration without learnable prompts builds its context decoder and does not
    # use it.
    refines = stored.get("use_context_decoder", num_learnable > 0)
    return {
        "method": "fasttcm" if fast else "tcm",
        "text_tower_config": text,
        "num_learnable_prompts": num_learnable,
        "language_prompt": any(
            name.startswith("model.prompt.language_prompt_generator.") for name in tensors
        ),
        "visual_prompt_config": _decoder(
            tensors, "model.visual_prompter.generator.", part_of(stored, "visual_prompt_generator")
        ),
        "text_refiner_config": _decoder(
            tensors, "model.text_refiner.decoder.", part_of(stored, "context_decoder")
        )
        if refines
        else None,
        "similarity_projection": SIMILARITY in tensors and _is_square(tensors[SIMILARITY]),
        "learn_temperature": "model.logit_scale" in tensors,
    }


def _heads(part: Mapping[str, Any], name: str, usual: int) -> int:
    """Heads of an attention as its configuration says, or else as usual."""
    heads = part.get(name, max(1, usual))
    if type(heads) is not int or heads < 1:
        raise ValueError(
            f"its configuration must say a number of attention heads: `{name}` is {reprlib.repr(heads)}"
        )
    return heads


def _num_learnable(contexts: torch.Tensor) -> int:
    if contexts.ndim != 2:
        raise ValueError(
            f"learnable prompts of shape (1, n, width) were expected: they have {contexts.ndim} axes"
        )
    return contexts.shape[0]


def _decoder(tensors: Tensors, prefix: str, stored: Mapping[str, Any]) -> dict[str, Any] | None:
    projection = f"{prefix}query_proj.weight"
    if projection not in tensors:
        return None
    return {
        "hidden_size": shape_of(tensors, projection, 2)[0],
        "num_hidden_layers": count_layers(tensors, rf"{re.escape(prefix)}layers\.(\d+)\."),
        "num_attention_heads": _heads(stored, "transformer_heads", DECODER_HEADS),
        "dropout": stored.get("dropout", 0.1),
    }


def _is_square(tensor: torch.Tensor) -> bool:
    return tensor.ndim == 2 and tensor.shape[0] == tensor.shape[1]


__all__ = [
    "channels_of",
    "check_stored",
    "grid_size_of",
    "matching_stage",
    "part_of",
    "text_side",
    "told_settings",
]
