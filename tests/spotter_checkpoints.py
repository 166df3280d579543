"""Checkpoints in detectron2's and mmengine's formats: their wrapping around the tensors of golden cases.

The spotters' are cut to one block a stage of their ResNet, so that a conversion takes a second.
"""

import copy
import re
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import PreTrainedConfig

import upstream_abcnet
import upstream_rotated
import upstream_testr
from tcm_hf.modeling.configuration_parts import own_settings
from upstream_spotters import weights_of

Tensors = dict[str, torch.Tensor]

CASES = {"testr": upstream_testr, "abcnet": upstream_abcnet}
PREFIXES = {"testr": "testr.backbone.0.", "abcnet": "clip_pix_cls."}
"""Of the names of the text side."""
TEXT_PARTS = (
    "text_encoder.", "context_decoder.", "visual_prompt_generator.", "prompt_generator.", "contexts", "gamma",
    "vis_gamma", "score_map_concat_gamma", "visual_embedding_proj.", "logit_scale", "meta_query", "pix_w",
)  # fmt: skip
LATER_BLOCK = re.compile(r".*\.res[2-5]\.[1-9]\d*\..*")


def tensors_of(kind: str, run: str = "v1", whole: bool = False) -> Tensors:
    """The seeded weights of a golden case by upstream's names."""
    reference = CASES[kind].golden()[0]
    if not whole:
        inventory = reference["state_dict"]["v1"]
        kept = {name: shape for name, shape in inventory.items() if not LATER_BLOCK.fullmatch(name)}
        reference = reference | {"state_dict": reference["state_dict"] | {"v1": kept}}
    return weights_of(reference, run)


def without_text_side(kind: str, tensors: Tensors) -> Tensors:
    """The spotter that TCM's started from."""
    starts = tuple(PREFIXES[kind] + part for part in TEXT_PARTS)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(starts)}


def configuration_of(kind: str, run: str = "v1", whole: bool = False) -> dict[str, Any]:
    """detectron2's sections of a golden case, with sizes of test pictures; without a depth that is cut."""
    settings = CASES[kind].golden()[0]["config"]
    settings = copy.deepcopy(settings.get(run, settings["v1"]))
    clip = settings.pop("CLIP")
    clip["use_learnable_prompt_only"] = run == "prompt_only"
    if not whole:
        settings["RESNETS"].pop("DEPTH")
    pictures = {"MIN_SIZE_TEST": 1000, "MAX_SIZE_TEST": 1824, "FORMAT": "BGR" if kind == "abcnet" else "RGB"}
    return {"MODEL": settings, "CLIP": clip, "INPUT": pictures}


def settings_of(config: PreTrainedConfig) -> dict[str, Any]:
    """The fields of our own, without what saving and loading add to transformers' part."""
    settings = own_settings(config)
    settings["text_tower_config"] = config.text_tower_config.to_diff_dict() | {"dtype": None}
    return settings


def save_yaml(path: Path, configuration: dict[str, Any]) -> Path:
    """A configuration as detectron2 writes it beside its checkpoints."""
    path.write_text(yaml.safe_dump(configuration))
    return path


def save_detectron2(path: Path, tensors: Tensors) -> Path:
    """A `.pth` as detectron2's checkpointer leaves it."""
    content = {
        "model": {f"module.{name}": tensor for name, tensor in tensors.items()},
        "optimizer": {"state": {0: {"step": 7}}, "param_groups": [{"lr": 1e-5, "params": [0]}]},
        "scheduler": {"last_epoch": 20000},
        "iteration": 19999,
    }
    torch.save(content, path)
    return path


def rotated_tensors(head: str) -> Tensors:
    """The seeded weights of a rotated detector: `"fcos"`, `"atss"` or `"retina"`."""
    return upstream_rotated.weights_of(upstream_rotated.golden()[0], head)


def rotated_config(head: str) -> dict[str, Any]:
    """mmengine's settings of the model."""
    return upstream_rotated.golden()[0]["config"][head]


def save_mmengine(path: Path, tensors: Tensors, model: dict[str, Any] | None = None, **meta: Any) -> Path:
    """A `.pth` as mmengine's runner leaves it; `meta` replaces entries of its own."""
    classes = upstream_rotated.golden()[0]["runs"]["class_names"]
    about: dict[str, Any] = {
        "epoch": 12,
        "iter": 38400,
        "seed": 1,
        "experiment_name": "rotated-fcosTCM",
        "time": "20231104_152511",
        "mmengine_version": "0.9.0",
        "dataset_meta": {"classes": classes, "palette": [(1, 2, 3)]},
    }
    if model is not None:
        about["cfg"] = f"model = {model!r}\ntest_pipeline = [dict(type='mmdet.Resize', scale=(1024, 1024))]\n"
    about = {name: value for name, value in (about | meta).items() if value is not None}
    torch.save({"meta": about, "state_dict": tensors, "message_hub": {"log_scalars": {}}}, path)
    return path
