"""Model settings of the published detectors and of the shipped default, by name.

A preset holds what differs from the defaults of [`TCMConfig`]. Sources: the released configurations of TCM
(CVPR 2023) for `tcm-*`; FastTCM (TPAMI 2024) changes the text side only, so `fasttcm-*` has the same image
side and head. The image processor's side: presets_image_processing.py.
"""

_TEXT_18 = {"max_position_embeddings": 18}  # 14 prompt tokens + 4 learnable
_TEXT_46 = {"max_position_embeddings": 46}  # 14 prompt tokens + 32 learnable
_FOUR_PROMPTS = {"num_learnable_prompts": 4, "text_tower_config": _TEXT_18}
_MANY_PROMPTS = {"num_learnable_prompts": 32, "text_tower_config": _TEXT_46}
_ONLY_LEARNABLE = {
    "method": "tcm",
    "prompt_token_ids": None,
    "language_prompt": False,
    "visual_prompt_config": None,
}
_PREDEFINED = {"method": "tcm", "language_prompt": False, "visual_prompt_config": None}

# PAN and FCENet: another head, and positions stored for another size (736, 640, 800 pixels).
_PAN_IC15 = {**_FOUR_PROMPTS, "image_tower_config": {"grid_size": 23}, "head_config": {"head_type": "pan"}}
_PAN_CTW1500 = {**_FOUR_PROMPTS, "head_config": {"head_type": "pan"}}
_FCENET = {**_FOUR_PROMPTS, "image_tower_config": {"grid_size": 25}, "head_config": {"head_type": "fcenet"}}
# No language and no visual prompt; the matching map has stride 16 and is concatenated there.
_VIT = {**_PREDEFINED, **_FOUR_PROMPTS, "matching_stage": 2}

# The trunk and prompts of the shipped defaults: FastTCM on a narrow dense trunk, for CPUs.
TINY = {
    "method": "fasttcm",
    "image_tower_config": {
        "tower_type": "timm",
        "trunk": "resnet18d",
        "trunk_options": {"channels": [32, 64, 128, 192], "stem_width": 16},
        "embed_dim": 128,
        "num_attention_heads": 4,
        "grid_size": 20,
    },
    "text_tower_config": {
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "max_position_embeddings": 18,
        "projection_dim": 128,
    },
    "num_learnable_prompts": 4,
    "learnable_prompt_std": 0.1,
    "visual_prompt_config": {
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "residual_scale": 1.0,
    },
    "text_refiner_config": {
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "residual_scale": 1.0,
    },
}

PRESETS: dict[str, dict] = {
    # The published rows of DBNet: TD500 and IC15 with 4 learnable prompts, CTW1500 and Total-Text with 32.
    "tcm-dbnet-r50-td500": {"method": "tcm", **_FOUR_PROMPTS},
    "tcm-dbnet-r50-ic15": {"method": "tcm", **_FOUR_PROMPTS},
    "tcm-dbnet-r50-ic15-32": {"method": "tcm", **_MANY_PROMPTS},
    "tcm-dbnet-r50-ctw1500": {"method": "tcm", **_MANY_PROMPTS},
    "tcm-dbnet-r50-totaltext": {"method": "tcm", **_MANY_PROMPTS},
    "tcm-pan-r50-ic15": {"method": "tcm", **_PAN_IC15},
    "tcm-pan-r50-ctw1500": {"method": "tcm", **_PAN_CTW1500},
    "tcm-fcenet-r50-ic15": {"method": "tcm", **_FCENET},
    "tcm-segnet-r50": {**_PREDEFINED, **_FOUR_PROMPTS, "head_config": {"head_type": "segnet"}},
    "tcm-dbnet-vit-b16": {**_VIT, "image_tower_config": {"tower_type": "clip_vit", "patch_size": 16}},
    # Parity: the original puts a matching map of stride 8 on a feature map of stride 16 and fails; here the
    # map is resized to it.
    "tcm-dbnet-vit-b8": {**_VIT, "image_tower_config": {"tower_type": "clip_vit", "patch_size": 8}},
    # Four learnable prompts throughout, as in the one configuration of FastTCM that was released (TD500's).
    "fasttcm-dbnet-r50-td500": {"method": "fasttcm", **_FOUR_PROMPTS},
    "fasttcm-dbnet-r50-ic15": {"method": "fasttcm", **_FOUR_PROMPTS},
    "fasttcm-dbnet-r50-ctw1500": {"method": "fasttcm", **_FOUR_PROMPTS},
    "fasttcm-dbnet-r50-totaltext": {"method": "fasttcm", **_FOUR_PROMPTS},
    "fasttcm-pan-r50-ic15": {"method": "fasttcm", **_PAN_IC15},
    "fasttcm-pan-r50-ctw1500": {"method": "fasttcm", **_PAN_CTW1500},
    "fasttcm-fcenet-r50-ic15": {"method": "fasttcm", **_FCENET},
    # The plain detectors: on CLIP's ResNet without a text side, and on ImageNet's.
    "dbnet-cr50": {"method": "baseline"},
    "pan-cr50": {"method": "baseline", "head_config": {"head_type": "pan"}},
    "fcenet-cr50": {"method": "baseline", "head_config": {"head_type": "fcenet"}},
    "dbnet-r50": {"method": "baseline", "image_tower_config": {"tower_type": "timm", "trunk": "resnet50"}},
    "dbnet-r101": {"method": "baseline", "image_tower_config": {"tower_type": "timm", "trunk": "resnet101"}},
    "dbnet-r152": {"method": "baseline", "image_tower_config": {"tower_type": "timm", "trunk": "resnet152"}},
    "pan-r50": {
        "method": "baseline",
        "image_tower_config": {"tower_type": "timm", "trunk": "resnet50"},
        "head_config": {"head_type": "pan"},
    },
    "fcenet-r50": {
        "method": "baseline",
        "image_tower_config": {"tower_type": "timm", "trunk": "resnet50"},
        "head_config": {"head_type": "fcenet"},
    },
    # The ablation table (TCM, table 6): PP predefined, LP learnable, LG language, VG visual prompt.
    "ablation-baseline": {"method": "baseline"},
    "ablation-pp": {
        **_PREDEFINED,
        "num_learnable_prompts": 0,
        "text_refiner_config": None,
        "text_tower_config": {"max_position_embeddings": 14},
    },
    "ablation-pp-lp4": {**_PREDEFINED, **_FOUR_PROMPTS},
    "ablation-lp4": {
        **_ONLY_LEARNABLE,
        "num_learnable_prompts": 4,
        "text_tower_config": {"max_position_embeddings": 4},
    },
    "ablation-lp18": {**_ONLY_LEARNABLE, "num_learnable_prompts": 18, "text_tower_config": _TEXT_18},
    "ablation-lp32": {
        **_ONLY_LEARNABLE,
        "num_learnable_prompts": 32,
        "text_tower_config": {"max_position_embeddings": 32},
    },
    "ablation-pp-lp4-lg": {"method": "tcm", **_FOUR_PROMPTS, "visual_prompt_config": None},
    "ablation-pp-lp4-lg-vg": {"method": "tcm", **_FOUR_PROMPTS},
    "ablation-pp-lp32-lg-vg": {"method": "tcm", **_MANY_PROMPTS},
    # The small default that ships with trained weights, and its siblings with the other detectors.
    "fasttcm-dbnet-tiny": {**TINY, "head_config": {"head_type": "dbnet", "neck_channels": 96}},
    "fasttcm-pan-tiny": {**TINY, "head_config": {"head_type": "pan", "neck_channels": 96}},
    "fasttcm-fcenet-tiny": {**TINY, "head_config": {"head_type": "fcenet", "neck_channels": 64}},
}
