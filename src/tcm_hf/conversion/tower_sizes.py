"""The size of CLIP's towers as parts of TCM, told by the shapes of their tensors; positions for another."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tcm_hf.conversion.clip_sizes import count_layers, require, shape_of
from tcm_hf.modeling.configuration_tcm import TCMConfig

TOWER = "model.image_tower."
TEXT = "model.text_tower."
IMAGE_POSITIONS = f"{TOWER}attention_pool.position_embedding"
VIT_POSITIONS = f"{TOWER}embeddings.position_embedding.weight"
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
    width = shape_of(tensors, stem, 4)[0]
    return {
        "tower_type": "clip_resnet",
        "depths": [
            count_layers(tensors, rf"model\.image_tower\.trunk\.stages_{stage}\.(\d+)\.")
            for stage in range(4)
        ],
        "width": width,
        "embed_dim": shape_of(tensors, projection, 2)[0],
        # CLIP: heads of 64 on the 32 * width channels of the last stage.
        "num_attention_heads": max(1, width // 2),
    }


def vit_tower_config_of(
    tensors: Mapping[str, torch.Tensor], activation: str, head_width: int
) -> dict[str, Any]:
    """What `CLIPViTTowerConfig` takes for the ViT CLIP that these tensors are of.

    The pyramid is made of layers at a third, a half, two thirds and the end of the depth: 3, 5, 7 and 11 of
    ViT-B's twelve, counted from 0, as in the released configurations.

    Args:
        tensors: tensors by their names in `TCMForTextDetection`.
        activation: `"quick_gelu"` or `"gelu"`; no tensor tells.
        head_width: width of an attention head; no tensor tells.

    Raises:
        ValueError: if a tensor that tells a size is missing or impossible.
    """
    patches, block = f"{TOWER}embeddings.patch_embedding.weight", f"{TOWER}encoder.layers.0.mlp.fc1.weight"
    projection = f"{TOWER}visual_projection.weight"
    require(tensors, (patches, VIT_POSITIONS, block, projection))
    width, _, patch, _ = tensors[patches].shape
    grid = math.isqrt(max(len(tensors[VIT_POSITIONS]) - 1, 0))
    if grid**2 != len(tensors[VIT_POSITIONS]) - 1:
        raise ValueError(
            "the vision tower must have a class token and a square grid: it has "
            f"{len(tensors[VIT_POSITIONS])} positions"
        )
    depth = count_layers(tensors, r"model\.image_tower\.encoder\.layers\.(\d+)\.")
    return {
        "tower_type": "clip_vit",
        "hidden_size": width,
        "intermediate_size": tensors[block].shape[0],
        "num_hidden_layers": depth,
        "num_attention_heads": width // head_width,
        "patch_size": patch,
        "image_size": grid * patch,
        "embed_dim": tensors[projection].shape[0],
        "out_layers": [max(math.ceil(depth * part) - 1, 0) for part in (1 / 3, 1 / 2, 2 / 3, 1)],
        "hidden_act": activation,
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
    vocabulary, width = shape_of(tensors, table, 2)
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shape_of(tensors, block, 2)[0],
        "num_hidden_layers": count_layers(tensors, r"model\.text_tower\.encoder\.layers\.(\d+)\."),
        "num_attention_heads": width // head_width,
        "projection_dim": shape_of(tensors, projection, 2)[0],
        "hidden_act": activation,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }


def resize_grid(positions: torch.Tensor, grid_size: int, mode: str = "bilinear") -> torch.Tensor:
    """Position embeddings of a square grid for a grid of another size.

    Args:
        positions: (1 + g², C): of the global token, then of the grid row by row.
        grid_size: side of the new grid.
        mode: how it is interpolated, "bilinear" or "bicubic".

    Returns:
        (1 + grid_size², C); the grid interpolated, the global token as it was.

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
    grid = nn.functional.interpolate(grid, size=(grid_size, grid_size), mode=mode, align_corners=False)
    return torch.cat([positions[:1].float(), grid[0].flatten(1).T])


def fit_positions(tensors: dict[str, torch.Tensor], config: TCMConfig) -> str:
    """Brings position tables to a config's size, as the original does with CLIP's.

    Grids are interpolated as the tower does it, the global token apart; text positions are cut off behind.

    Args:
        tensors: tensors by their names in `TCMForTextDetection`; position tables are replaced.
        config: of the detector.

    Returns:
        What was done, for people; empty if nothing.
    """
    tower, done = config.image_tower_config, []
    is_vit = tower.tower_type == "clip_vit"
    name = VIT_POSITIONS if is_vit else IMAGE_POSITIONS
    if (grid := tensors.get(name)) is not None:
        side = tower.image_size // tower.patch_size if is_vit else tower.grid_size
        tensors[name] = resize_grid(grid, side, "bilinear" if is_vit else tower.grid_interpolation)
        if len(tensors[name]) != len(grid):
            done.append(f"image positions resized from {len(grid)} to {len(tensors[name])} rows")
    if (text := tensors.get(TEXT_POSITIONS)) is not None and config.text_tower_config is not None:
        tensors[TEXT_POSITIONS] = text[: config.text_tower_config.max_position_embeddings]
        if len(tensors[TEXT_POSITIONS]) != len(text):
            done.append(f"text positions cut from {len(text)} to {len(tensors[TEXT_POSITIONS])} rows")
    return "; ".join(done)


__all__ = [
    "IMAGE_POSITIONS",
    "TEXT",
    "TEXT_POSITIONS",
    "TOWER",
    "VIT_POSITIONS",
    "fit_positions",
    "resize_grid",
    "resnet_tower_config_of",
    "tcm_text_config_of",
    "vit_tower_config_of",
]
