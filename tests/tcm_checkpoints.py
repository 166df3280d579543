"""Checkpoints in the format of the released TCM code: mmcv's wrapping around the tensors of a golden case."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import golden_files
from tcm_hf.conversion.convert_tcm import detector_of
from tcm_hf.conversion.keys_tcm import tcm_rules
from tcm_hf.conversion.original_names import to_original
from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

Tensors = dict[str, torch.Tensor]


def tensors_of(case: str) -> Tensors:
    """The seeded weights of a golden case, by upstream's names."""
    inventory = golden_files.load(case)[0]["inventory"]
    return {
        name: torch.from_numpy(np.asarray(array)) for name, array in golden_files.state(inventory).items()
    }


def shapes_of(case: str) -> Tensors:
    """The same without values, on the meta device."""
    inventory = golden_files.load(case)[0]["inventory"]
    return {name: torch.empty(shape, device="meta") for name, (shape, _) in inventory.items()}


def stored_model(case: str) -> dict[str, Any]:
    """Upstream's settings of the model of a golden case."""
    return golden_files.load(case)[0]["model_config"]


def model_of(case: str) -> TCMForTextDetection:
    """Our detector with the seeded weights of a golden case, as a checkpoint of it is converted."""
    return detector_of(tensors_of(case), stored_model(case)).model


def in_original_names(tensors: Tensors, model: TCMForTextDetection) -> Tensors:
    """Weights or gradients of a detector of ours by upstream's names."""
    config = model.config
    return to_original(tensors, tcm_rules(config.image_tower_config.tower_type, config.head_config.head_type))


def golden_path(case: str) -> Path:
    """Where the golden lies; skips the test where it does not."""
    golden_files.load(case)
    return next(path for folder in golden_files.FOLDERS if (path := folder / f"{case}.json").is_file())


def config_text(model: dict[str, Any], **more: Any) -> str:
    """A configuration as mmcv spells it."""
    variables = {"optimizer": {"type": "Ranger", "lr": 0.001}, "model": model, **more, "work_dir": "./work"}
    return "".join(f"{name} = {_spelled(value)}\n" for name, value in variables.items())


def _spelled(value: Any) -> str:
    if isinstance(value, dict):
        return f"dict({', '.join(f'{name}={_spelled(item)}' for name, item in value.items())})"
    if isinstance(value, list):
        return f"[{', '.join(map(_spelled, value))}]"
    return repr(value)


def test_data(img_scale: Any, **normalize: Any) -> dict[str, Any]:
    """`data` of a configuration, its test pipeline as in the released ones."""
    steps = [
        # Parity: this scale is dead, the outer one wins.
        {"type": "Resize", "img_scale": (2944, 736), "keep_ratio": True},
        {"type": "Normalize", "to_rgb": True, **normalize},
        {"type": "Pad", "size_divisor": 32},
    ]
    wrapper = {"type": "MultiScaleFlipAug", "img_scale": img_scale, "flip": False, "transforms": steps}
    return {"test": {"pipeline": [{"type": "LoadImageFromFile"}, wrapper]}}


def save(
    path: Path,
    tensors: Tensors,
    model: dict[str, Any] | None = None,
    prefix: str = "module.",
    **more: Any,
) -> Path:
    """A `.pth` as mmcv's runner leaves it: meta, tensors of the parallel model, state of the optimizer.

    `more` are variables of the configuration beside `model`.
    """
    meta: dict[str, Any] = {
        "epoch": 1200,
        "iter": 36000,
        "mmcv_version": "1.3.17",
        "env_info": "sys.platform: linux",
        "seed": None,
        "exp_name": "db.py",
        "time": "Mon Feb 13 2023",
        "hook_msgs": {},
        "CLASSES": ("text",),
    }
    if model is not None:
        meta["config"] = config_text(model, **more)
    optimizer = {
        "state": {0: {"step": 36000, "exp_avg": torch.zeros(3, 3)}},
        "param_groups": [{"lr": 1e-3, "betas": (0.95, 0.999), "params": [0]}],
    }
    state = {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
    torch.save({"meta": meta, "state_dict": state, "optimizer": optimizer}, path)
    return path


def golden_json(path: Path, **content: Any) -> Path:
    """A json file."""
    path.write_text(json.dumps(content))
    return path
