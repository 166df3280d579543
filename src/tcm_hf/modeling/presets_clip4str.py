"""Model settings of the published CLIP4STR recognisers and of the shipped default, by name.

A preset holds what differs from the defaults of [`CLIP4STRConfig`]. Source: CLIP4STR (TIP 2024, arXiv
2305.14014) and the sizes of its released checkpoints.
"""

_LARGE = {
    "projection_dim": 768,
    "text_config": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 14,
    },
}
# CODEPATH: the released H/14 checkpoints were trained, and must be run, with 20 vision heads of 64 (width /
# 64); OpenCLIP's own H/14 has 16 heads of 80. QuickGELU in all released checkpoints, whatever their CLIP was
# trained with.
_HUGE = {
    "projection_dim": 1024,
    "text_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
    },
    "vision_config": {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "patch_size": 14,
    },
}

_LADDER = {"adapter_type": "ladder", "layers": [1, 3, 5, 7, 9, 11]}

PRESETS: dict[str, dict] = {
    "clip4str-base-32": {"clip_config": {"vision_config": {"patch_size": 32}}},
    "clip4str-base": {},
    "clip4str-base-datacomp": {},
    "clip4str-large": {"clip_config": _LARGE},
    "clip4str-large-datacomp": {"clip_config": _LARGE},
    "clip4str-huge-laion": {"clip_config": _HUGE},
    "clip4str-huge-dfn": {"clip_config": _HUGE},
    # CLIP frozen, one decoder, no text tower; settings of the original's adapter experiments.
    "clip4str-adapter-linear": {"use_cross_branch": False, "adapter_config": {"adapter_type": "linear"}},
    "clip4str-adapter-attention": {
        "use_cross_branch": False,
        "adapter_config": {"adapter_type": "attention"},
    },
    "clip4str-adapter-ladder": {"use_cross_branch": False, "adapter_config": _LADDER},
    "clip4str-adapter-ladder-pruning": {
        "use_cross_branch": False,
        "adapter_config": _LADDER | {"rung": "narrow"},
    },
    # The small default that ships with trained weights: convolutional patches, own text tower and vocabulary.
    "clip4str-tiny": {
        "clip_config": {
            "projection_dim": 160,
            "text_config": {
                "vocab_size": 2000,
                "hidden_size": 128,
                "intermediate_size": 512,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "max_position_embeddings": 16,
                "hidden_act": "gelu",
                "bos_token_id": 1998,
                "eos_token_id": 1999,
            },
            "vision_config": {
                "hidden_size": 192,
                "intermediate_size": 768,
                "num_hidden_layers": 2,
                "num_attention_heads": 6,
                "hidden_act": "gelu",
            },
        },
        "patch_embedding_config": {
            "image_size_hw": [32, 128],
            "hidden_sizes": [32, 64, 128, 192],
            "num_blocks": [1, 1, 2, 1],
            "strides": [[2, 2], [2, 2], [2, 1], [2, 1]],
        },
        "decoder_num_attention_heads": 5,
        "text_freeze_layers": -1,
    },
}
