"""Tiny configs, models and inputs for tests; never square."""

import torch

from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

SIZE_HW = (64, 96)


def tiny_config(method: str = "fasttcm", **overrides) -> TCMConfig:
    """A detector of about 0.1 M parameters beside a token table cut to CLIP's special tokens' range."""
    defaults = {
        "method": method,
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
            "projection_dim": 16,
            "vocab_size": 64,
            "bos_token_id": 62,
            "eos_token_id": 63,
        },
        "prompt_token_ids": [[62, 5, 9, 63]],
        "num_learnable_prompts": 4,
        "learnable_prompt_std": 0.2,
        "visual_prompt_config": {
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "residual_scale": 0.5,
        },
        "text_refiner_config": {
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "residual_scale": 0.5,
        },
        "head_config": {"head_type": "dbnet", "neck_channels": 16},
    }
    if method == "baseline":
        for name in ("text_tower_config", "prompt_token_ids"):
            defaults.pop(name)
    return TCMConfig(**(defaults | overrides))


def tiny_model(method: str = "fasttcm", seed: int = 0, **overrides) -> TCMForTextDetection:
    """A seeded tiny detector in eval mode."""
    torch.manual_seed(seed)
    return TCMForTextDetection(tiny_config(method, **overrides)).eval()


def tiny_images(count: int = 2, size_hw: tuple[int, int] = SIZE_HW, seed: int = 1) -> torch.Tensor:
    """(count, 3, H, W) seeded noise."""
    return torch.randn(count, 3, *size_hw, generator=torch.Generator().manual_seed(seed))


def tiny_labels(count: int = 2, size_hw: tuple[int, int] = SIZE_HW) -> dict[str, torch.Tensor]:
    """Targets with one rectangle of text; everything is supervised."""
    height, width = size_hw
    kernel = torch.zeros(count, height, width)
    kernel[:, height // 4 : height // 2, width // 4 : width // 2] = 1
    return {
        "probability_map": kernel,
        "probability_mask": torch.ones_like(kernel),
        "threshold_map": 0.3 + 0.4 * kernel,
        "threshold_mask": kernel.clone(),
    }
