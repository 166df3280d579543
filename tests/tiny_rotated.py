"""A tiny rotated detector and its labels for tests; never square."""

import math

import torch

from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection

SIZE_HW = (64, 96)
ROTATED_HEADS = ("rotated_fcos", "rotated_atss", "rotated_retinanet")


def tiny_rotated_config(head_type: str = "rotated_fcos", **overrides) -> TCMRotatedDetectionConfig:
    """A detector of about 0.1 M parameters for planes, ships and harbours."""
    decoder = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "residual_scale": 0.5}
    defaults = {
        "image_tower_config": {
            "tower_type": "timm",
            "trunk": "resnet10t",
            "trunk_options": {"channels": [8, 8, 16, 16], "stem_width": 8},
            "embed_dim": 16,
            "num_attention_heads": 2,
            "grid_size": 3,
        },
        "text_tower_config": {
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_attention_heads": 2,
            "num_hidden_layers": 2,
            "max_position_embeddings": 8,
            "vocab_size": 64,
            "bos_token_id": 62,
            "eos_token_id": 63,
        },
        "prompt_token_ids": [[62, 5, 63], [62, 7, 8, 63], [62, 9, 63]],
        "id2label": {0: "plane", 1: "ship", 2: "harbour"},
        "num_learnable_prompts": 4,
        "learnable_prompt_std": 0.2,
        "visual_prompt_config": decoder,
        "text_refiner_config": decoder,
        "head_config": {"head_type": head_type, "neck_channels": 16, "num_convs": 1, "norm_groups": 4},
    }
    return TCMRotatedDetectionConfig(**(defaults | overrides))


def tiny_rotated_model(head_type: str = "rotated_fcos", **overrides) -> TCMForRotatedObjectDetection:
    """A seeded tiny detector in eval mode."""
    torch.manual_seed(0)
    return TCMForRotatedObjectDetection(tiny_rotated_config(head_type, **overrides)).eval()


def tiny_objects(count: int = 2) -> dict[str, torch.Tensor]:
    """Labels: two turned boxes in every image, and a row without object."""
    boxes = torch.tensor([[30.0, 30, 40, 18, 0.5], [70.0, 36, 26, 24, -math.pi / 3], [0, 0, 0, 0, 0]])
    return {
        "boxes": boxes.repeat(count, 1, 1),
        "class_labels": torch.tensor([0, 2, -1]).repeat(count, 1),
    }
