"""Parts of a detector that trains in milliseconds a step; fields of `TCMConfig`, for CLIP's token table."""

_DECODER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}

SMALL_PARTS = {
    "image_tower_config": {
        "tower_type": "timm",
        "trunk": "resnet10t",
        "trunk_options": {"channels": [8, 8, 16, 16], "stem_width": 8},
        "embed_dim": 16,
        "num_attention_heads": 2,
        "grid_size": 4,
    },
    "text_tower_config": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "max_position_embeddings": 18,
        "projection_dim": 16,
    },
    "visual_prompt_config": _DECODER,
    "text_refiner_config": _DECODER,
}
