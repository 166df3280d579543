"""Model settings of the published rotated object detectors, by name.

The defaults of [`TCMRotatedDetectionConfig`] are those of the released configurations of TCM
(`rotated_object_detection`), which differ in the head alone.
"""

_PROMPT_DECODER = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "residual_scale": 0.1,
}
# FastTCM on a narrow trunk, for CPUs: 0.4 million weights beside the text tower, which is not needed any more
# once the text embedding is cached.
_TINY = {
    "method": "fasttcm",
    "language_prompt": True,
    "image_tower_config": {
        "tower_type": "timm",
        "trunk": "resnet10t",
        "trunk_options": {"channels": [24, 32, 48, 64], "stem_width": 16},
        "embed_dim": 32,
        "num_attention_heads": 2,
        "grid_size": 4,
    },
    "text_tower_config": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "max_position_embeddings": 32,
    },
    "num_learnable_prompts": 4,
    "learnable_prompt_std": 0.1,
    "visual_prompt_config": _PROMPT_DECODER,
    "text_refiner_config": _PROMPT_DECODER,
}
_TINY_HEAD = {"neck_channels": 48, "num_convs": 2, "norm_groups": 8}

PRESETS: dict[str, dict] = {
    "tcm-rotated-fcos-r50-dota": {"head_config": {"head_type": "rotated_fcos"}},
    "tcm-rotated-atss-r50-dota": {"head_config": {"head_type": "rotated_atss"}},
    "tcm-rotated-retinanet-r50-dota": {"head_config": {"head_type": "rotated_retinanet"}},
    # To be trained from nothing, for instance on generated photos from above.
    "fasttcm-rotated-fcos-tiny": {**_TINY, "head_config": {"head_type": "rotated_fcos", **_TINY_HEAD}},
    "fasttcm-rotated-atss-tiny": {**_TINY, "head_config": {"head_type": "rotated_atss", **_TINY_HEAD}},
    "fasttcm-rotated-retinanet-tiny": {
        **_TINY,
        "head_config": {"head_type": "rotated_retinanet", **_TINY_HEAD},
    },
}
