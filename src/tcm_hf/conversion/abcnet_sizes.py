"""The sizes of an ABCNet spotter, told by the shapes of its tensors and by its configuration."""

from typing import Any

from tcm_hf.conversion.clip_sizes import count_layers, require, shape_of
from tcm_hf.conversion.spotter_settings import (
    Settings,
    Tensors,
    check_sizes,
    lists,
    numbers,
    require_values,
    resnet_sizes,
    section,
)

TOWER = "model.image_tower."
LATERAL = f"{TOWER}neck.inner_convs.0.weight"
PROJECTION = f"{TOWER}embedding.3.weight"
LAYERS_OF_A_CONV = 3
"""Convolution, norm and ReLU count on in the original's towers."""

FCOS = {
    "INFERENCE_TH_TEST": "proposal_threshold",
    "PRE_NMS_TOPK_TEST": "candidates_per_level",
    "NMS_TH": "nms_threshold",
    "POST_NMS_TOPK_TEST": "max_words",
    "POS_RADIUS": "center_radius",
    "LOSS_WEIGHT_CLS": "score_loss_weight",
    "LOSS_ALPHA": "focal_alpha",
    "LOSS_GAMMA": "focal_gamma",
}
BATEXT = {
    "NUM_CHARS": "num_characters",
    "SAMPLING_RATIO": "samples_per_bin",
    "CANONICAL_SIZE": "canonical_height",
}
FIXED_FCOS = {"THRESH_WITH_CTR": False, "USE_RELU": True, "CENTER_SAMPLE": True, "NUM_SHARE_CONVS": 0}
FIXED_BATEXT = {"USE_COORDCONV": False, "USE_AET": False, "RECOGNIZER": "attn"}


def abcnet_tower(tensors: Tensors, configuration: Settings) -> dict[str, Any]:
    """`image_tower_config` of an ABCNet spotter.

    Raises:
        ValueError: if a tensor that tells a size is missing, or the configuration says another one.
    """
    require_values(section(configuration, "MODEL", "FPN"), {"FUSE_TYPE": "sum"})
    require(tensors, [LATERAL])
    tower = {
        "tower_type": "resnet_fpn",
        **resnet_sizes(tensors, f"{TOWER}trunk.", configuration, strided_conv="1x1"),
        "neck_channels": shape_of(tensors, LATERAL, 4)[0],
    }
    if PROJECTION in tensors:
        tower["embed_dim"] = shape_of(tensors, PROJECTION, 4)[0]
    return tower


def abcnet_head(tensors: Tensors, configuration: Settings) -> dict[str, Any]:
    """`head_config` of an ABCNet spotter; raises as `abcnet_tower`."""
    require(tensors, [LATERAL])
    dense, reading = section(configuration, "MODEL", "FCOS"), section(configuration, "MODEL", "BATEXT")
    require_values(dense, FIXED_FCOS)
    require_values(reading, FIXED_BATEXT)
    convs = count_layers(tensors, r"head\.dense\.score_tower\.(\d+)\.")
    region_convs = count_layers(tensors, r"head\.recognizer\.region_convs\.(\d+)\.")
    sizes = {
        "head_type": "abcnet",
        "neck": "none",
        "neck_channels": shape_of(tensors, LATERAL, 4)[0],
        # Convolutions and norms have tensors, ReLUs have none.
        "num_convs": convs // (LAYERS_OF_A_CONV - 1),
        "num_region_convs": region_convs // (LAYERS_OF_A_CONV - 1),
    }
    check_sizes(sizes, dense, {"num_convs": "NUM_CLS_CONVS"})
    check_sizes(sizes, reading, {"num_region_convs": "NUM_CONV"})
    told = numbers(dense, FCOS) | numbers(reading, BATEXT)
    told |= lists(dense, {"SIZES_OF_INTEREST": "level_sizes"})
    return sizes | told | lists(reading, {"POOLER_RESOLUTION": "region_size_hw"})


__all__ = ["abcnet_head", "abcnet_tower"]
