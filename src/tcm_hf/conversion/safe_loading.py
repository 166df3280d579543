"""Checkpoint files of any common kind become named tensors; nothing that a file brings along is ever run."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tcm_hf.conversion.archive_reader import (
    ScriptedModule,
    StandIn,
    archive_fault,
    archive_folder,
    is_torchscript,
    pickles_of,
    read_archive,
    scripted_tensors,
)
from tcm_hf.conversion.array_pickle import read_array_pickle
from tcm_hf.conversion.pickle_limits import check_pickle, check_pickles

WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Keys under which training programs keep the tensors, beside the optimizer's state and the like."""

PREFIXES = ("module.", "model.", "_orig_mod.")
"""What wrappers of a model put before every name: data parallelism, Lightning modules, torch.compile."""

MAX_PLAIN_ITEMS, MAX_PLAIN_DEPTH = 10_000, 20
"""What a plain value beside the tensors may be made of."""

MISTAKEN_FILES = {
    b"version https://git-lfs": "a Git LFS pointer and not the file it points to: run `git lfs pull`",
    b"<!doctype html": "a web page: the download went wrong",
    b"<html": "a web page: the download went wrong",
}


class CheckpointError(ValueError):
    """A file is no checkpoint that can, or may, be read."""


@dataclass
class Checkpoint:
    """The tensors of a file, and what is known of where they come from.

    Args:
        path: the file.
        kind: what sort of file it is, for people.
        tensors: tensors by their names, without the prefixes of wrappers.
        settings: plain values that a Lightning checkpoint stores of its model (`hyper_parameters`).
        meta: plain values that mmcv's and mmengine's runners store beside the weights: `config` (`cfg`) is
            the configuration file, `dataset_meta` has the names of classes; of detectron2 `iter`.
        left_out: classes of objects beside the tensors, which were not built.
        is_torchscript: whether the file is a TorchScript archive, OpenAI's kind.
    """

    path: Path
    kind: str
    tensors: dict[str, torch.Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    is_torchscript: bool = False


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a Lightning `.ckpt`, a `.pt`/`.pth`/`.bin` of `torch.save`, a TorchScript archive or safetensors.

    Only tensors are read. Objects of training programs that lie beside them (`hyper_parameters`, callbacks)
    are passed over without being built; a file that wants anything else is refused.

    Args:
        path: the file; its content and not its suffix tells the format.

    Returns:
        The tensors under their names, freed from wrappers and prefixes, on the CPU.

    Raises:
        OSError: if there is no such file.
        CheckpointError: if the file is no checkpoint, is damaged or wants to run something.
    """
    path = Path(path)
    with path.open("rb") as stream:
        head = stream.read(64)
    for start, meaning in MISTAKEN_FILES.items():
        if head.lower().startswith(start):
            raise CheckpointError(f"{path} is {meaning}.")
    try:
        checkpoint = _read(path, head)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged pickle can fail with anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            f"{path} is no checkpoint that can be read: {reason}. It may be cut off, or of another kind; "
            "expected are files of torch.save, torch.jit.save and safetensors."
        ) from error
    if not checkpoint.tensors:
        raise CheckpointError(f"{path} holds no tensors.")
    _check_tensors(path, checkpoint.tensors)
    return checkpoint


def _read(path: Path, head: bytes) -> Checkpoint:
    if head[8:9] == b"{":
        from safetensors.torch import load_file

        return Checkpoint(path, "safetensors file", _without_prefixes(load_file(path)))
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    if head[:2] == b"PK":
        raise CheckpointError(f"{path} is cut off: the end of the archive is missing. Download it again.")
    if head[:1] != b"\x80":
        raise CheckpointError(
            f"{path} is no checkpoint: it begins like none of the files of torch.save, torch.jit.save and "
            "safetensors."
        )
    with path.open("rb") as stream:
        check_pickles(stream)
    try:
        content = _load_with_torch(path)
    except pickle.UnpicklingError as error:
        try:
            content = read_array_pickle(path)
        except Exception:  # it is no such pickle either
            raise _refusal(path, _named_by_torch(error)) from error
    return _from_content(path, content, set())


def _load_with_torch(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of kinds of tensors that are refused by name afterwards
        return torch.load(path, map_location="cpu", weights_only=True)


def _read_zip(path: Path) -> Checkpoint:
    with zipfile.ZipFile(path) as archive:
        if (folder := archive_folder(archive)) is None:
            raise CheckpointError(f"{path} is a zip file, but not one of PyTorch's.")
        if fault := archive_fault(archive, folder):
            raise CheckpointError(f"{path} {fault}.")
        for stream in pickles_of(archive):
            check_pickle(stream)
        scripted = is_torchscript(archive, folder)
    if not scripted:
        try:
            return _from_content(path, _load_with_torch(path), set())
        except pickle.UnpicklingError:
            pass  # more than tensors: the reader below tells what, and passes over mere settings
    try:
        content, left_out = read_archive(path)
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from error
    if not isinstance(content, ScriptedModule):
        return _from_content(path, content, left_out)
    return Checkpoint(
        path, "TorchScript archive", _without_prefixes(scripted_tensors(content)), is_torchscript=True
    )


def _refusal(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is refused: {reason}. Only tensors and the settings of training programs are read, because "
        "anything else in such a file can run code. If you trust it, save its state_dict alone with "
        "torch.save or as safetensors."
    )


def _named_by_torch(error: Exception) -> str:
    """The class that torch's reader did not allow, if its message names one."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return (
        f"it wants {found[1]}, which is no tensor" if found else "it holds more than tensors, or is damaged"
    )


def _from_content(path: Path, content: Any, left_out: set[str]) -> Checkpoint:
    """The tensors of an unpickled object, found below its wrappers."""
    settings, meta = _plain_values(content, "hyper_parameters"), _meta(content)
    kind = _kind(content, meta)
    if isinstance(content, Mapping):
        for wrapper in WRAPPERS:
            if isinstance(content.get(wrapper), Mapping | StandIn):
                content = content[wrapper]
                break
    if isinstance(content, StandIn):
        raise CheckpointError(
            f"{path} holds an object of class {content.name} and not its tensors: load it where it was "
            "written and save its state_dict."
        )
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} must hold tensors by name: it holds a {type(content).__name__}.")
    others = {
        str(name): value.name if isinstance(value, StandIn) else type(value).__name__
        for name, value in content.items()
        if not isinstance(value, torch.Tensor) or not isinstance(name, str)
    }
    if others:
        shown = ", ".join(f"{name} ({kind})" for name, kind in list(others.items())[:5])
        raise CheckpointError(
            f"{path} must hold tensors by name, bare or under one of {', '.join(WRAPPERS)}: {len(others)} of "
            f"its {len(content)} entries are no tensors: {shown}."
        )
    return Checkpoint(path, kind, _without_prefixes(content), settings, meta, sorted(left_out))


def _kind(content: Any, meta: Mapping[str, Any]) -> str:
    """What wrote a file, for people."""
    if not isinstance(content, Mapping):
        return "file of torch.save"
    if "pytorch-lightning_version" in content:
        return f"Lightning checkpoint ({content['pytorch-lightning_version']})"
    for program in ("mmcv", "mmengine"):
        if f"{program}_version" in meta:
            return f"{program} checkpoint ({meta[f'{program}_version']})"
    if type(content.get("iteration")) is int:
        return "detectron2 checkpoint"
    return "detectron2 model zoo" if "matching_heuristics" in content else "file of torch.save"


def _meta(content: Any) -> dict[str, Any]:
    """Plain values beside the weights: mmcv's and mmengine's `meta`, detectron2's number of iterations."""
    meta = _plain_values(content, "meta")
    if not isinstance(content, Mapping):
        return meta
    if data_set := _plain_values(content.get("meta"), "dataset_meta"):
        meta["dataset_meta"] = data_set
    if type(content.get("iteration")) is int:
        meta.setdefault("iter", content["iteration"])
    return meta


def _plain_values(content: Any, key: str) -> dict[str, Any]:
    """The entries of a dictionary inside a checkpoint that are no objects; none where there is no such."""
    values = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(values, Mapping):
        return {}
    return {name: value for name, value in values.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    """Whether a value is a string or a number, or a list of not too many of them."""
    waiting, seen = [(value, 0)], 0
    while waiting:
        current, depth = waiting.pop()
        if isinstance(current, list | tuple):
            # Counted as often as it is referred to: a small file can spell a list of 2^30 items.
            seen += len(current)
            if depth == MAX_PLAIN_DEPTH or seen > MAX_PLAIN_ITEMS:
                return False
            waiting += [(item, depth + 1) for item in current]
        elif not (current is None or isinstance(current, str | int | float)):
            return False
    return True


def _check_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raises CheckpointError for tensors whose values are not all in the file."""
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
            kind = kind if tensor.device.type == "cpu" else f"on device {tensor.device}"
            raise CheckpointError(f"{path}: {name} is {kind}: an ordinary, dense tensor was expected.")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise CheckpointError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, and the file holds only "
                f"{tensor.untyped_storage().nbytes()} bytes of it: save it with .contiguous()."
            )


def _without_prefixes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors without the prefixes of wrappers that stand before every name."""
    names = dict(tensors)
    while prefix := next(
        (prefix for prefix in PREFIXES if names and all(name.startswith(prefix) for name in names)), None
    ):
        names = {name.removeprefix(prefix): tensor for name, tensor in names.items()}
    return names


__all__ = ["Checkpoint", "CheckpointError", "load_checkpoint"]
