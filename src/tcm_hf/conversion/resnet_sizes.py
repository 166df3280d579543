"""The size of CLIP's ResNet towers, told by the shapes of their tensors, and positions for another grid."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tcm_hf.conversion.clip_sizes import count_layers, require

TOWER = "model.image_tower."
TEXT = "model.text_tower."
IMAGE_POSITIONS = f"{TOWER}attention_pool.position_embedding"
TEXT_POSITIONS = f"{TEXT}embeddings.position_embedding.weight"


def resnet_tower_config_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """What `CLIPResNetTowerConfig` takes for the ResNet CLIP that these tensors are of.

    Args:
        tensors: tensors by their names in `TCMForTextDetection`.

    Raises:
        ValueError: if a tensor that tells a size is missing.
    """
    stem, projection = (
        f"{TOWER}trunk.stem_conv3.conv.weight",
        f"{TOWER}attention_pool.attention.out_proj.weight",
    )
    require(tensors, (stem, projection))
    width = tensors[stem].shape[0]
    return {
        "tower_type": "clip_resnet",
        "depths": [
            count_layers(tensors, rf"model\.image_tower\.trunk\.stages_{stage}\.(\d+)\.")
            for stage in range(4)
        ],
        "width": width,
        "embed_dim": tensors[projection].shape[0],
        # CLIP: heads of 64 on the 32 * width channels of the last stage.
        "num_attention_heads": max(1, width // 2),
    }


def tcm_text_config_of(
    tensors: Mapping[str, torch.Tensor], activation: str, head_width: int
) -> dict[str, Any]:
    """What `CLIPTextConfig` takes for the text half that these tensors are of, positions apart.

    Args:
        tensors: tensors by their names in `TCMForTextDetection`.
        activation: `"quick_gelu"` or `"gelu"`.
        head_width: width of an attention head.

    Raises:
        ValueError: if a tensor that tells a size is missing.
    """
    table, projection = f"{TEXT}embeddings.token_embedding.weight", f"{TEXT}text_projection.weight"
    block = f"{TEXT}encoder.layers.0.mlp.fc1.weight"
    require(tensors, (table, projection, block))
    vocabulary, width = tensors[table].shape
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": tensors[block].shape[0],
        "num_hidden_layers": count_layers(tensors, r"model\.text_tower\.encoder\.layers\.(\d+)\."),
        "num_attention_heads": width // head_width,
        "projection_dim": tensors[projection].shape[0],
        "hidden_act": activation,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }


def resize_grid(positions: torch.Tensor, grid_size: int) -> torch.Tensor:
    """Position embeddings of a square grid for a grid of another size.

    Args:
        positions: (1 + g², C): of the global token, then of the grid row by row.
        grid_size: side of the new grid.

    Returns:
        (1 + grid_size², C); the grid interpolated bilinearly, the global token as it was.

    Raises:
        ValueError: if the grid is not square.
    """
    old_size = math.isqrt(max(len(positions) - 1, 0))
    if positions.ndim != 2 or old_size**2 != len(positions) - 1:
        raise ValueError(
            "positions of a global token and a square grid were expected: their shape is "
            f"{tuple(positions.shape)}"
        )
    if old_size == grid_size:
        return positions
    grid = positions[1:].float().T.reshape(1, -1, old_size, old_size)
    grid = nn.functional.interpolate(grid, size=(grid_size, grid_size), mode="bilinear", align_corners=False)
    return torch.cat([positions[:1].float(), grid[0].flatten(1).T])


__all__ = [
    "IMAGE_POSITIONS",
    "TEXT_POSITIONS",
    "resize_grid",
    "resnet_tower_config_of",
    "tcm_text_config_of",
]
