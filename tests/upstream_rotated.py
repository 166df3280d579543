"""The original rotated detectors' golden cases as our models: weights by rule, names by the key table.

The rule is that of `golden_files` without its two refinements (shared/golden/README.md, lower-case files).
"""

import math
import zlib
from functools import cache

import numpy as np
import torch

import golden_files
from tcm_hf.conversion.key_rules import apply_rules
from tcm_hf.conversion.keys_rotated import IGNORABLE_FOR_ROTATED_CHECKPOINTS, rotated_rules
from tcm_hf.modeling.configuration_rotated import TCMRotatedDetectionConfig
from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection

HEADS = {"fcos": "rotated_fcos", "atss": "rotated_atss", "retina": "rotated_retinanet"}
CLASS_BRANCHES = {"fcos": "conv_cls", "atss": "atss_cls", "retina": "retina_cls"}


def plain_tensor(name: str, shape: list[int], dtype: str) -> np.ndarray:
    """The array that the rule without refinements gives a state-dict entry."""
    values = golden_files.tensor(name, shape, dtype)
    return values / 4 if name.endswith(("q_proj.weight", "k_proj.weight")) else values


def inventory_of(reference: dict, head: str) -> dict:
    """Names, shapes and dtypes; the other heads are stored as what they differ in."""
    inventory = reference["state_dict"]["fcos"]
    if head == "fcos":
        return inventory
    changes = reference["state_dict"][head]
    kept = {name: entry for name, entry in inventory.items() if name not in changes["missing"]}
    return kept | changes["only_here"]


def config_of(reference: dict, head: str) -> TCMRotatedDetectionConfig:
    """Our config of an original detector."""
    clip, detector = reference["clip"], reference["config"][head]
    decoder = detector["vis_context_decoder"]
    prompt = {
        "hidden_size": decoder["transformer_width"],
        "num_attention_heads": decoder["transformer_heads"],
        "num_hidden_layers": decoder["transformer_layers"],
    }
    return TCMRotatedDetectionConfig(
        image_tower_config={
            "depths": clip["vision_layers"],
            "width": clip["vision_width"],
            "embed_dim": clip["embed_dim"],
            "num_attention_heads": 32 * clip["vision_width"] // 64,
            "grid_size": detector["backbone"]["image_resolution"] // 32,
            "grid_interpolation": "bicubic",
        },
        text_tower_config={
            "hidden_size": clip["transformer_width"],
            "intermediate_size": 4 * clip["transformer_width"],
            "num_attention_heads": clip["transformer_heads"],
            "num_hidden_layers": clip["transformer_layers"],
        },
        visual_prompt_config=prompt,
        text_refiner_config=prompt,
        head_config={
            "head_type": HEADS[head],
            "neck_channels": detector["neck"]["out_channels"],
            "num_convs": detector["bbox_head"]["stacked_convs"],
        },
    )


def weights_of(reference: dict, head: str) -> dict[str, torch.Tensor]:
    """The original's state dict, with the biases that make enough boxes score."""
    weights = {
        name: torch.from_numpy(plain_tensor(name, shape, dtype))
        for name, (shape, dtype) in inventory_of(reference, head).items()
    }
    for override in reference["overrides"][head]:
        name, _, value = override.split()
        weights[name] += float(value)
    return weights


@cache
def golden() -> tuple[dict, dict[str, np.ndarray]]:
    """The case `rotated_tcm`, whole if shared/golden is there."""
    whole = any((folder / "rotated_tcm_tiny.json").is_file() for folder in golden_files.FOLDERS)
    return golden_files.load(f"rotated_tcm_{'tiny' if whole else 'small'}")


@cache
def our_model(head: str) -> TCMForRotatedObjectDetection:
    """Our model with the original's weights, in eval mode; none missing or over."""
    reference, _ = golden()
    model = TCMForRotatedObjectDetection(config_of(reference, head)).eval()
    renamed = apply_rules(
        weights_of(reference, head), rotated_rules(HEADS[head]), IGNORABLE_FOR_ROTATED_CHECKPOINTS
    )
    assert not (renamed.unknown or renamed.misshaped or renamed.doubled)
    model.load_state_dict(renamed.tensors)
    return model


def images(name: str, shape: tuple[int, int, int, int]) -> torch.Tensor:
    """The "blobs" input, normalised with CLIP's statistics."""
    rng = np.random.default_rng(zlib.crc32(f"input:{name}".encode()))
    height, width = shape[2:]
    coarse = rng.random((*shape[:2], math.ceil(height / 16), math.ceil(width / 16)))
    enlarged = coarse.repeat(16, axis=2).repeat(16, axis=3)[..., :height, :width]
    values = np.floor((0.8 * enlarged + 0.2 * rng.random(shape)) * 255).astype(np.float32)
    mean, std = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    values = values - np.float32(255 * np.array(mean))[:, None, None]
    return torch.from_numpy(values / np.float32(255 * np.array(std))[:, None, None])


def error(values: torch.Tensor, stored: np.ndarray, about: dict) -> float:
    """Largest difference from a stored (sampled) array over its standard deviation; inf for another shape."""
    if list(values.shape) != about["shape"]:
        return float("inf")
    sampled = values.detach().double().flatten().numpy()[:: about.get("stride", 1)]
    return float(np.abs(sampled - stored.flatten()).max() / max(about["std"], 1e-12))
