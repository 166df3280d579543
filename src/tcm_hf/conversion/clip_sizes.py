"""The size of a CLIP model, told by the shapes of its tensors."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104, 1792: 112}
"""Width of a vision tower -> width of its heads, for those of OpenCLIP (H, g, bigG, e) where it is not 64."""

VISION_NAMES = (
    "vision_model.embeddings.class_embedding",
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.position_embedding.weight",
    "vision_model.encoder.layers.0.mlp.fc1.weight",
    "visual_projection.weight",
)
TEXT_NAMES = (
    "text_model.embeddings.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight",
    "text_model.encoder.layers.0.mlp.fc1.weight",
    "text_projection.weight",
)


def clip_config_of(
    tensors: Mapping[str, torch.Tensor],
    activation: str,
    vision_head_width: int = 64,
    text_head_width: int = 64,
) -> dict[str, Any]:
    """What `CLIPConfig` takes for the ViT CLIP that these tensors are of.

    Args:
        tensors: tensors by their names in transformers' `CLIPModel`.
        activation: `"quick_gelu"` or `"gelu"`; no tensor tells.
        vision_head_width: width of an attention head of the vision tower; no tensor tells.
        text_head_width: the same of the text tower.

    Raises:
        ValueError: if a tensor that tells a size is missing or impossible.
    """
    require(tensors, (*VISION_NAMES, *TEXT_NAMES))
    width, _, patch, _ = shape_of(tensors, VISION_NAMES[1], 4)
    positions = shape_of(tensors, VISION_NAMES[2], 2)[0]
    grid = math.isqrt(positions - 1)
    if grid * grid != positions - 1:
        raise ValueError(
            f"the vision tower must have a class token and a square grid: it has {positions} positions"
        )
    projection_dim = shape_of(tensors, "visual_projection.weight", 2)[0]
    vocabulary, text_width = shape_of(tensors, TEXT_NAMES[0], 2)
    return {
        "projection_dim": projection_dim,
        "vision_config": {
            "hidden_size": width,
            "intermediate_size": shape_of(tensors, VISION_NAMES[3], 2)[0],
            "num_hidden_layers": count_layers(tensors, r"vision_model\.encoder\.layers\.(\d+)\."),
            "num_attention_heads": _num_heads(width, vision_head_width),
            "patch_size": patch,
            "image_size": grid * patch,
            "projection_dim": projection_dim,
            "hidden_act": activation,
        },
        "text_config": {
            "vocab_size": vocabulary,
            "hidden_size": text_width,
            "intermediate_size": shape_of(tensors, TEXT_NAMES[2], 2)[0],
            "num_hidden_layers": count_layers(tensors, r"text_model\.encoder\.layers\.(\d+)\."),
            "num_attention_heads": _num_heads(text_width, text_head_width),
            "max_position_embeddings": shape_of(tensors, TEXT_NAMES[1], 2)[0],
            "projection_dim": projection_dim,
            "hidden_act": activation,
            # The first two after the merges, as CLIP numbers them.
            "bos_token_id": vocabulary - 2,
            "eos_token_id": vocabulary - 1,
        },
    }


def require(tensors: Mapping[str, torch.Tensor], names: Iterable[str]) -> None:
    """Raises ValueError if one of the names is missing."""
    if missing := [name for name in names if name not in tensors]:
        raise ValueError(f"the size cannot be told: there is no {', no '.join(missing)}")


def count_layers(names: Iterable[str], pattern: str) -> int:
    """How many different numbers `pattern` finds in the names."""
    compiled = re.compile(pattern)
    return len({match[1] for name in names if (match := compiled.match(name))})


def shape_of(tensors: Mapping[str, torch.Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Shape of a tensor; raises ValueError for another number of dimensions and for an empty tensor."""
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions or not all(shape):
        raise ValueError(
            f"{name} must have {dimensions} dimensions, none of them empty: it has shape {shape}"
        )
    return shape


def _num_heads(width: int, head_width: int) -> int:
    if width % head_width:
        raise ValueError(f"a width of {width} cannot be divided into attention heads of {head_width}")
    return width // head_width


__all__ = ["HEAD_WIDTHS", "clip_config_of", "count_layers", "require", "shape_of"]
