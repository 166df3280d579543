"""Model settings of the published spotters, by name; what differs from the defaults of [`TCMSpottingConfig`].

Sources: the released configurations of TCM's spotter (`tcm-*`). FastTCM's (`fasttcm-*`) cannot run as they
were released; here they have the paper's equations. The image processor's side:
presets_image_processing_spotting.py.
"""

from .presets_tcm import TINY

_TEXT_18 = {"max_position_embeddings": 18}  # 14 prompt tokens + 4 learnable

# Only CLIP's text side takes part: the image tower is an ordinary ResNet-50, the map is added to its C4.
_TESTR = {
    "method": "tcm",
    "image_tower_config": {"tower_type": "resnet"},
    "text_tower_config": _TEXT_18,
    "matching_stage": 2,
    "matching_fusion": "add",
    "matching_loss_weight": 2.0,
    "head_config": {"head_type": "testr"},
}
# Lines of text, not words.
_TESTR_CTW1500 = _TESTR | {"head_config": {"head_type": "testr", "num_characters": 100}}

_RELEASED_ABCNET_HEAD = {"head_type": "abcnet", "neck": "none", "proposal_threshold": 0.45}
_ABCNET = {
    "method": "tcm",
    "image_tower_config": {"tower_type": "resnet_fpn", "strided_conv": "1x1"},
    "text_tower_config": _TEXT_18,
    "matching_stage": 2,
    "matching_fusion": "add",
    "head_config": _RELEASED_ABCNET_HEAD,
}
_TWO_LAYERS = {"num_hidden_layers": 2}
_ABCNET_IC15 = _ABCNET | {
    "text_tower_config": _TEXT_18 | {"num_hidden_layers": 3},
    "visual_prompt_config": _TWO_LAYERS,
    "text_refiner_config": _TWO_LAYERS,
}
_LONG_LINES = {"num_characters": 100, "region_size_hw": [8, 128], "proposal_threshold": 0.6}
_ABCNET_CTW1500 = _ABCNET | {"head_config": _RELEASED_ABCNET_HEAD | _LONG_LINES}

# For CPUs: the trunk and prompts of fasttcm-dbnet-tiny, whose trained weights a spotter can begin with. Upper
# and lower case are one; the last character stands for all others.
_SMALL = TINY | {"characters": "0123456789abcdefghijklmnopqrstuvwxyz!\"#$%&'()*+,-./:;<=>?@[]_\u53e3"}
_QUERIES = {
    "num_queries": 60,
    "num_characters": 20,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_encoder_layers": 2,
    "num_decoder_layers": 3,
    "num_feature_levels": 3,
    "dropout": 0.0,
}
_TESTR_HEAD = _QUERIES | {"head_type": "testr", "num_control_points": 8}
_DEEPSOLO_HEAD = _QUERIES | {"head_type": "deepsolo"}
# Reads all columns of a word at once: learns on a CPU in an hour.
_ABCNET_HEAD = {
    "head_type": "abcnet",
    "neck_channels": 96,
    "num_convs": 2,
    "norm_groups": 8,
    # Words are low: at a large stride no place would lie inside one.
    "level_sizes": [96, 192],
    "recognizer": "ctc",
    "proposal_threshold": 0.2,
    "canonical_height": 48,
    "recognizer_hidden_size": 192,
    "curve_jitter": 0.15,
}

PRESETS: dict[str, dict] = {
    "tcm-testr-r50-totaltext": _TESTR,
    "tcm-testr-r50-ic15": _TESTR,
    "tcm-testr-r50-ctw1500": _TESTR_CTW1500,
    "tcm-testr-r50-pretrain": _TESTR,
    "fasttcm-testr-r50-ic15": _TESTR | {"method": "fasttcm"},
    "tcm-abcnet-r50-totaltext": _ABCNET,
    "tcm-abcnet-r50-ic15": _ABCNET_IC15,
    "tcm-abcnet-r50-ctw1500": _ABCNET_CTW1500,
    "fasttcm-abcnet-r50-ic15": _ABCNET_IC15 | {"method": "fasttcm"},
    "fasttcm-testr-tiny": _SMALL | {"head_config": _TESTR_HEAD},
    "fasttcm-deepsolo-tiny": _SMALL | {"head_config": _DEEPSOLO_HEAD},
    "fasttcm-abcnet-tiny": _SMALL | {"head_config": _ABCNET_HEAD},
}
