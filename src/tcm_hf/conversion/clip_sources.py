"""CLIP weights of any of the four common kinds, with what no tensor tells: activation and head widths."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from tcm_hf.conversion.clip_sizes import HEAD_WIDTHS
from tcm_hf.conversion.clip_vocabulary import has_vocabulary
from tcm_hf.conversion.safe_loading import Checkpoint, load_checkpoint
from tcm_hf.conversion.source_files import find_file, may_be_hub_id, read_json

Layout = Literal["vit", "resnet", "transformers", "timm"]

SIGNS: dict[str, Layout] = {
    "visual.class_embedding": "vit",
    "visual.layer1.0.conv1.weight": "resnet",
    "vision_model.embeddings.class_embedding": "transformers",
    "stem.conv1.conv.weight": "timm",
}
"""A name that only one kind of naming has."""

WEIGHT_FILES = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
)
INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
OPEN_CLIP_CONFIG = "open_clip_config.json"


@dataclass(frozen=True)
class ClipSource:
    """CLIP weights and what is known of them.

    Args:
        name: the file, folder or id that they come from.
        kind: what sort of source it is, for people.
        layout: whose names the tensors have.
        tensors: tensors by their names in the source.
        activation: `"quick_gelu"` or `"gelu"`.
        activation_reason: how the activation is known.
        vision_head_width: width of an attention head of the vision tower.
        text_head_width: the same of the text tower.
        vocabulary: the folder or id, if it carries the vocabulary of its text tower.
    """

    name: str
    kind: str
    layout: Layout
    tensors: Mapping[str, torch.Tensor]
    activation: str
    activation_reason: str
    vision_head_width: int = 64
    text_head_width: int = 64
    vocabulary: str | Path | None = None


def load_clip_source(source: str | Path, activation: str | None = None) -> ClipSource:
    """Reads CLIP weights.

    The activation is that of the source: QuickGELU for OpenAI's archives, what the config says for
    transformers and OpenCLIP repositories. A bare file says nothing; OpenCLIP's default, GELU (LAION,
    DataComp), is assumed unless `activation` is given. The weights of OpenAI and DFN need QuickGELU.

    Args:
        source: a file (OpenAI's TorchScript archive, OpenCLIP's `.bin` or `.pt`, safetensors), or a folder or
            Hub id with the files of OpenCLIP, of transformers' `CLIPModel` or of timm's `resnet*_clip`.
        activation: `"quick_gelu"` or `"gelu"`, where the source does not say it or is mistaken.

    Raises:
        OSError: if there is no such file.
        ValueError: if it holds no CLIP weights.
    """
    path = Path(source)
    if path.is_file():
        checkpoint = load_checkpoint(path)
        settings = path.with_name(OPEN_CLIP_CONFIG)
        found = _described(str(source), checkpoint, read_json(settings) if settings.is_file() else {}, {})
    elif path.is_dir() or may_be_hub_id(source):
        vocabulary = source if has_vocabulary(source) else None
        found = replace(_load_repository(source), vocabulary=vocabulary)
    else:
        raise FileNotFoundError(f"There is no file or folder {source}, and it is no Hub id (user/name).")
    if activation is None:
        return found
    return replace(found, activation=activation, activation_reason="as asked for")


def _load_repository(source: str | Path) -> ClipSource:
    """A folder or a Hub repository: one file of weights, or several with an index."""
    config_path, open_clip_path = find_file(source, "config.json"), find_file(source, OPEN_CLIP_CONFIG)
    config = read_json(config_path) if config_path else {}
    open_clip = read_json(open_clip_path) if open_clip_path else {}
    for name in WEIGHT_FILES:
        if (file := find_file(source, name)) is not None:
            return _described(str(source), load_checkpoint(file), open_clip, config)
    for name in INDEX_FILES:
        if (index := find_file(source, name)) is not None:
            parts = [
                _required(source, part)
                for part in sorted(set(read_json(index).get("weight_map", {}).values()))
            ]
            tensors = {key: value for part in parts for key, value in load_checkpoint(part).tensors.items()}
            return _described(str(source), Checkpoint(index, "weights in parts", tensors), open_clip, config)
    raise ValueError(
        f"{source} holds no weights: expected one of {', '.join((*WEIGHT_FILES, *INDEX_FILES))}."
    )


def _required(source: str | Path, name: str) -> Path:
    path = find_file(source, name)
    if path is None:
        raise ValueError(f"{source} lacks {name}, a part of its weights: download it whole.")
    return path


def _described(name: str, checkpoint: Checkpoint, open_clip: dict, config: dict) -> ClipSource:
    """The source with its activation and head widths, by what lies beside the weights."""
    layout = next((layout for sign, layout in SIGNS.items() if sign in checkpoint.tensors), None)
    if layout is None:
        some = ", ".join(sorted(checkpoint.tensors)[:5])
        raise ValueError(
            f"{name} holds no CLIP weights: expected names of OpenAI or OpenCLIP (visual.…), of "
            f"transformers' CLIPModel (vision_model.…) or of timm's resnet*_clip (stem.…), got {some}, …"
        )
    if layout == "transformers":
        return _from_transformers(name, checkpoint, config)
    if layout == "timm":
        # No part of the image half has a GELU: CLIP's ResNets have ReLU.
        return ClipSource(name, "timm image tower", layout, checkpoint.tensors, "quick_gelu", "CLIP's own")
    if checkpoint.is_torchscript:
        return ClipSource(
            name, "OpenAI's TorchScript archive", layout, checkpoint.tensors, "quick_gelu", "OpenAI's CLIP"
        )
    return _from_open_clip(name, layout, checkpoint, open_clip.get("model_cfg", open_clip))


def _from_transformers(name: str, checkpoint: Checkpoint, config: dict) -> ClipSource:
    towers = {tower: config.get(f"{tower}_config") or {} for tower in ("vision", "text")}
    defaults: dict[str, dict[str, Any]] = {
        "vision": {"hidden_size": 768, "num_attention_heads": 12, "hidden_act": "quick_gelu"},
        "text": {"hidden_size": 512, "num_attention_heads": 8, "hidden_act": "quick_gelu"},
    }
    if config.get("model_type") != "clip":
        raise ValueError(
            f"{name} has the names of transformers' CLIPModel but no config.json of one (model_type "
            f"{config.get('model_type')!r}): give the whole folder."
        )
    settings = {tower: defaults[tower] | towers[tower] for tower in towers}
    return ClipSource(
        name,
        "transformers' CLIPModel",
        "transformers",
        checkpoint.tensors,
        settings["vision"]["hidden_act"],
        "its config.json",
        settings["vision"]["hidden_size"] // settings["vision"]["num_attention_heads"],
        settings["text"]["hidden_size"] // settings["text"]["num_attention_heads"],
    )


def _from_open_clip(name: str, layout: Layout, checkpoint: Checkpoint, config: dict) -> ClipSource:
    """OpenAI's names without OpenAI's archive: OpenCLIP, or OpenAI's tensors saved anew."""
    tensors = checkpoint.tensors
    width = tensors["visual.class_embedding"].numel() if layout == "vit" else 0
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    text_width, text_heads = text.get("width", 512), text.get("heads", 8)
    quick = config.get("quick_gelu", False)
    return ClipSource(
        name,
        f"OpenCLIP weights ({checkpoint.kind})",
        layout,
        tensors,
        "quick_gelu" if quick else "gelu",
        OPEN_CLIP_CONFIG if config else "OpenCLIP's default: the file does not say it",
        vision.get("head_width", HEAD_WIDTHS.get(width, 64)),
        text_width // text_heads,
    )


__all__ = ["ClipSource", "load_clip_source"]
