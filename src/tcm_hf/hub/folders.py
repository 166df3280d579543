"""What of a folder is a model, and what is left over from its training; nothing of it is loaded here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from tcm_hf.hub.kinds import DETECTOR, OF_MODEL_TYPE, TWO_MODELS, ModelKind

WEIGHTS, INDEX, CARD = "model.safetensors", "model.safetensors.index.json", "README.md"
RECOGNIZER = "recognizer"
SUB_FOLDERS = (RECOGNIZER, "caption_tokenizer")
"""Parts of a model that lie in folders of their own: the reader of a detector, the captions of a reader."""

PROCESSORS = {
    "text-recognition": ("processor_config.json", "tokenizer_config.json", "charset.json"),
    "text-detection": ("preprocessor_config.json",),
    "text-spotting": ("preprocessor_config.json",),
    "rotated-object-detection": ("preprocessor_config.json",),
}
"""Files of the processor, by the task of a kind."""

_NAMES = {
    *("config.json", "generation_config.json", INDEX, CARD, "LICENSE", "LICENSE.txt", "LICENSE.md"),
    *("preprocessor_config.json", "processor_config.json", "charset.json", "vocab.json", "merges.txt"),
    *("tokenizer_config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json"),
}
_PICTURES = {".png", ".jpg", ".jpeg", ".svg", ".webp"}


def kind_of(folder: Path) -> ModelKind:
    """What the model in a folder is for.

    Raises:
        ValueError: If there is no configuration of one of our models.
    """
    config = read_config(folder)
    model_type = config.get("model_type")
    if model_type not in OF_MODEL_TYPE:
        known = ", ".join(OF_MODEL_TYPE)
        raise ValueError(f"{folder}: expected a model of tcm_hf ({known}), found model type {model_type!r}.")
    kind = OF_MODEL_TYPE[model_type]
    return TWO_MODELS if kind is DETECTOR and (folder / RECOGNIZER).is_dir() else kind


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of the model in a folder.

    Raises:
        ValueError: If there is none, or it is broken; a folder of checkpoints names the last of them.
    """
    path = folder / "config.json"
    if not path.is_file():
        if checkpoints := _checkpoints(folder):
            raise ValueError(
                f"{folder} holds no finished model, its training goes on or was stopped: push "
                f"{checkpoints[-1]}, or go on with the same tcm-hf train."
            )
        raise ValueError(f"{folder}: expected a checkpoint, found no config.json.")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected a JSON object: {error}") from error


def check_folder(folder: Path) -> ModelKind:
    """What the model in a folder is for, after a look at whether all of it is there.

    Raises:
        ValueError: If the configuration, weights or processor are missing or broken.
    """
    kind = kind_of(folder)
    missing = [name for name in PROCESSORS[kind.task] if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder}: expected a processor beside the model, found no {' and no '.join(missing)}. "
            f'pipeline("{kind.task}") needs it: processor.save_pretrained("{folder}") writes it.'
        )
    _check_weights(folder)
    if (folder / RECOGNIZER).is_dir():
        check_folder(folder / RECOGNIZER)
    return kind


def files_to_push(folder: Path, card: str | None = None) -> tuple[list[str], list[str]]:
    """What of a folder is the model with its card, and what is not.

    Optimizers, states of training, other checkpoints, reports with paths of this computer, pickles and photos
    stay at home: nothing but the model, its processor, its code, the card and the pictures that the card
    shows is sent.

    Args:
        folder: The folder; the parts in `SUB_FOLDERS` belong to it.
        card: The text of the card; that of the folder when None.

    Returns:
        Paths inside the folder that are sent, and names in it that are not; both sorted.
    """
    has_code = "auto_map" in read_config(folder)
    if card is None:
        card = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    shown = {name.removeprefix("./") for name in re.findall(r"""[("']([^()"'\s]+)[)"']""", card)}
    sent, left = [], []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name in SUB_FOLDERS:
            inside = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_sent(file, has_code)]
            sent += [file.relative_to(folder).as_posix() for file in inside]
        elif path.is_file() and (_is_sent(path, has_code) or (path.name in shown and is_picture(path))):
            sent.append(path.name)
        else:
            left.append(path.name + ("/" if path.is_dir() else ""))
    return sent, left


def _is_sent(path: Path, has_code: bool) -> bool:
    is_weights = path.name.startswith("model") and path.suffix == ".safetensors"
    is_code = has_code and path.suffix == ".py"
    return path.name in _NAMES or is_weights or is_code


def is_picture(path: Path) -> bool:
    """Whether a card can show a file."""
    return path.suffix.lower() in _PICTURES


def _checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a training, the last one last."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def _check_weights(folder: Path) -> None:
    index = folder / INDEX
    names = {WEIGHTS}
    if index.is_file():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{index}: expected the list of the weight files: {error!r}") from error
    for name in sorted(names):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: expected weights as {name}, found no such file.")
        try:
            with safe_open(folder / name, framework="np"):  # reads the header, and that the file is whole
                pass
        except SafetensorError as error:
            raise ValueError(f"{folder / name}: expected whole safetensors: {error}") from error


__all__ = [
    "CARD",
    "INDEX",
    "PROCESSORS",
    "WEIGHTS",
    "check_folder",
    "files_to_push",
    "kind_of",
    "read_config",
]
