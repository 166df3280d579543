"""The sizes of a TESTR spotter, told by the shapes of its tensors and by its configuration."""

import math
from typing import Any

from tcm_hf.conversion.clip_sizes import count_layers, require, shape_of
from tcm_hf.conversion.spotter_settings import (
    Settings,
    Tensors,
    check_sizes,
    numbers,
    require_values,
    resnet_sizes,
    section,
)

HEADS = 8
"""Heads of all attentions, which no tensor tells."""

MAPS = "head.encoder.input_projections.0.0.weight"
LEVELS = "head.encoder.level_embedding"
ENCODER, DECODER = "head.encoder.layers.0.", "head.control_point_decoder.layers.0."
POINTS = "head.control_point_decoder.member_embedding.weight"
CHARACTERS = "head.character_decoder.member_embedding.weight"
CLASSES = "head.character.weight"

CHECKED = {
    "hidden_size": "HIDDEN_DIM",
    "intermediate_size": "DIM_FEEDFORWARD",
    "num_encoder_layers": "ENC_LAYERS",
    "num_decoder_layers": "DEC_LAYERS",
    "num_feature_levels": "NUM_FEATURE_LEVELS",
    "num_control_points": "NUM_CTRL_POINTS",
    "num_characters": "NUM_CHARS",
}
"""Sizes that the tensors tell, and the configuration too. Parity: its `ENC_N_POINTS` and `DEC_N_POINTS` are
swapped when the original reads them; the tensors know."""

TOLD = {"NUM_QUERIES": "num_queries", "DROPOUT": "dropout"}
TOLD_LOSSES = {
    "AUX_LOSS": "auxiliary_losses",
    "POINT_CLASS_WEIGHT": "score_loss_weight",
    "POINT_COORD_WEIGHT": "control_point_loss_weight",
    "POINT_TEXT_WEIGHT": "character_loss_weight",
    "BOX_CLASS_WEIGHT": "proposal_score_weight",
    "BOX_COORD_WEIGHT": "proposal_box_weight",
    "BOX_GIOU_WEIGHT": "proposal_giou_weight",
    "FOCAL_ALPHA": "focal_alpha",
    "FOCAL_GAMMA": "focal_gamma",
}


def testr_tower(tensors: Tensors, configuration: Settings) -> dict[str, Any]:
    """`image_tower_config` of a TESTR spotter.

    Raises:
        ValueError: if a tensor that tells a size is missing, or the configuration says another one.
    """
    sizes = resnet_sizes(tensors, "model.image_tower.trunk.", configuration, strided_conv="3x3")
    return {"tower_type": "resnet", **sizes}


def testr_head(tensors: Tensors, configuration: Settings) -> dict[str, Any]:
    """`head_config` of a TESTR spotter; raises as `testr_tower`."""
    said = section(configuration, "MODEL", "TRANSFORMER")
    require_values(said, {"POSITION_EMBEDDING_SCALE": 2 * math.pi})
    heads = numbers(said, {"NHEADS": "num_attention_heads"}).get("num_attention_heads", HEADS)
    encoder_points = f"{ENCODER}self_attn.sampling_offsets.weight"
    decoder_points = f"{DECODER}cross_attn.sampling_offsets.weight"
    feed_forward = f"{ENCODER}mlp.fc1.weight"
    require(tensors, [MAPS, LEVELS, feed_forward, encoder_points, decoder_points, POINTS, CHARACTERS])
    levels = shape_of(tensors, LEVELS, 2)[0]
    points = shape_of(tensors, POINTS, 2)[0]
    sizes = {
        "head_type": "testr",
        "hidden_size": shape_of(tensors, MAPS, 4)[0],
        "intermediate_size": shape_of(tensors, feed_forward, 2)[0],
        "num_attention_heads": heads,
        "num_encoder_layers": count_layers(tensors, r"head\.encoder\.layers\.(\d+)\."),
        "num_decoder_layers": count_layers(tensors, r"head\.control_point_decoder\.layers\.(\d+)\."),
        "num_feature_levels": levels,
        "encoder_sampling_points": _sampling_points(tensors, encoder_points, heads, levels),
        "decoder_sampling_points": _sampling_points(tensors, decoder_points, heads, levels),
        "num_control_points": points,
        "num_characters": shape_of(tensors, CHARACTERS, 2)[0],
    }
    check_sizes(sizes, said, CHECKED)
    # Two cubic curves have eight control points; released outlines have sixteen.
    is_polygon = said.get("USE_POLYGON", points != 8)
    sizes["outline"] = "polygon" if is_polygon else "bezier"
    return sizes | numbers(said, TOLD) | numbers(section(said, "LOSS"), TOLD_LOSSES)


def _sampling_points(tensors: Tensors, name: str, heads: int, levels: int) -> int:
    """Places that a head looks at on a level: the layer tells x and y of all of them."""
    rows = shape_of(tensors, name, 2)[0]
    if heads < 1 or rows % (2 * heads * levels):
        raise ValueError(f"{name} has {rows} rows, which {heads} heads cannot share on {levels} levels")
    return rows // (2 * heads * levels)


__all__ = ["testr_head", "testr_tower"]
