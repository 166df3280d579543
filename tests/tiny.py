"""Tiny configs, models and inputs for tests; never square."""

import torch

from tcm_hf.modeling.configuration_tcm import TCMConfig
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

SIZE_HW = (64, 96)

HEADS = {
    "dbnet": {"neck_channels": 16},
    "pan": {"neck_channels": 8},
    "fcenet": {"neck_channels": 8},
    "segnet": {"neck_channels": 16},
}
"""Tiny options of every head; "segnet" needs a method with a text side."""

VIT_TOWER = {
    "tower_type": "clip_vit",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "patch_size": 16,
    "image_size": 64,
    "embed_dim": 16,
    "out_layers": [0, 1, 2, 3],
}
"""Tiny CLIP vision transformer for `image_tower_config`, with `matching_stage=2`."""


def tiny_config(method: str = "fasttcm", head_type: str = "dbnet", **overrides) -> TCMConfig:
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
        "head_config": {"head_type": head_type, **HEADS[head_type]},
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


def tiny_labels(
    count: int = 2, size_hw: tuple[int, int] = SIZE_HW, head_type: str = "dbnet"
) -> dict[str, torch.Tensor]:
    """Targets of a head with one rectangle of text, for PAN two; everything is supervised."""
    text = torch.zeros(count, *size_hw)
    text[:, size_hw[0] // 4 : size_hw[0] // 2, size_hw[1] // 4 : size_hw[1] // 2] = 1
    supervised = torch.ones_like(text)
    if head_type == "pan":
        return _pan_labels(text) | {"text_mask": supervised}
    if head_type == "fcenet":
        return _fcenet_labels(text)
    labels = {"probability_map": text, "probability_mask": supervised}
    if head_type == "dbnet":
        labels |= {"threshold_map": 0.3 + 0.4 * text, "threshold_mask": text.clone()}
    return labels


def _pan_labels(first: torch.Tensor) -> dict[str, torch.Tensor]:
    height, width = first.shape[1:]
    kernels, instances = torch.zeros_like(first), first.clone()
    kernels[:, height // 4 + 4 : height // 2 - 4, width // 4 + 4 : width // 2 - 4] = 1
    instances[:, height * 3 // 4 :, width // 2 :] = 2
    kernels[:, height * 3 // 4 + 4 : height - 4, width // 2 + 4 : width - 4] = 2
    return {"instance_map": instances, "kernel_map": kernels}


def _fcenet_labels(text: torch.Tensor, fourier_degree: int = 5) -> dict[str, torch.Tensor]:
    labels = {}
    for stride in (8, 16, 32):
        region = text[:, ::stride, ::stride]
        center = region.clone()
        center[:, -1] = 0
        contours = torch.zeros(text.shape[0], 2, 2 * fourier_degree + 1, *region.shape[1:])
        contours[:, 0, fourier_degree + 1] = 32 / stride  # a circle around the cell
        maps = [region, center, torch.ones_like(region)]
        labels[f"contour_maps_{stride}"] = torch.cat(
            [torch.stack(maps, dim=1), contours.flatten(1, 2)], dim=1
        )
    # A cell of the matching map is text if any of it is: the rectangle may be smaller than a cell.
    target = torch.nn.functional.max_pool2d(text, 32, ceil_mode=True)
    return labels | {"matching_target": target, "matching_mask": torch.ones_like(target)}


def maps_of(output) -> dict[str, torch.Tensor]:
    """The maps of any head in a detector's output, by name; levels are numbered."""
    maps = {}
    for name, value in output.items():
        if name in ("loss", "loss_dict", "hidden_states"):
            continue
        if torch.is_tensor(value):
            maps[name] = value
        else:
            maps |= {f"{name}.{i}": level for i, level in enumerate(value)}
    return maps
