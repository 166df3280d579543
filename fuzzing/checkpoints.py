"""Attacks with checkpoint files: pickles, archives of PyTorch, safetensors. Nothing in them may be run."""

import io
import pickle
import sys
import warnings
import zipfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from fuzzing.target import Fault, Target, folder_for, written
from tcm_hf.conversion.safe_loading import CheckpointError, load_checkpoint

__all__ = ["TARGETS"]

_FORBIDDEN = ("exec", "os.", "subprocess.", "shutil.", "socket.", "ctypes.", "pickle.find_class", "import")
_OURS = ("torch", "safetensors", "encodings", "numpy", "tcm_hf")  # what the readers themselves import
_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: what a checkpoint must not bring about while it is read."""
    if not _watching or not event.startswith(_FORBIDDEN) or event in ("os.listdir", "os.scandir"):
        return
    if event == "exec" and Path(getattr(arguments[0], "co_filename", "")).parent.name == "encodings":
        return  # a text codec of the standard library, which a pickle may name
    if event == "import" and str(arguments[0]).startswith(
        ("torch", "safetensors", "encodings", "numpy", "tcm_hf")
    ):
        return  # by name, in code of ours
    raise Fault(f"{event} {arguments!r:.100}")


def _load(path: Any) -> None:
    """Tensors whose values are in the file; or a CheckpointError."""
    global _watching
    _watching = True
    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError as error:
        if isinstance(error.__cause__, Fault):
            raise error.__cause__ from None
        return
    finally:
        _watching = False
    for name, tensor in checkpoint.tensors.items():
        if not isinstance(name, str) or tensor.device.type != "cpu" or tensor.layout != torch.strided:
            raise Fault(f"{name!r} is {tensor.layout} on {tensor.device}")
        tensor.clone()  # reads all of its values


def _watch_everything() -> None:
    warnings.simplefilter("ignore")
    for content in _file_seeds():  # what the readers import when they are first needed
        load_file(content)
    for content in _pickle_seeds():
        load_archived(content)
    sys.addaudithook(_watch)


def load_file(content: bytes) -> None:
    """The bytes as a file."""
    _load(written(folder_for("checkpoints") / "x.pth", content))


def load_archived(content: bytes) -> None:
    """The bytes as the pickle of an archive that is sound apart from it."""
    path = folder_for("checkpoints") / "archive.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", content)
        archive.writestr("x/byteorder", "little")
        archive.writestr("x/version", "3\n")
        for key in "012":
            archive.writestr(f"x/data/{key}", bytes(range(48)))
    _load(path)


def _contents() -> list[Any]:
    tensors = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.zeros(2, dtype=torch.int64))
    return [
        tensors,
        {"state_dict": dict(tensors), "epoch": 3, "hyper_parameters": {"charset": "abc"}},
        {"model": {"a": torch.nn.Parameter(tensors["a"])}, "iteration": 7},
        {"model": {"a": tensors["a"].T, "half": tensors["a"].bfloat16(), "none": torch.zeros(0)}},
    ]


@cache
def _file_seeds() -> list[bytes]:
    seeds = []
    for content in _contents():
        for zipped in (True, False):
            stream = io.BytesIO()
            torch.save(content, stream, _use_new_zipfile_serialization=zipped)
            seeds.append(stream.getvalue())
    arrays = {"model": {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}, "matching_heuristics": True}
    seeds += [pickle.dumps(arrays, protocol) for protocol in (2, 3, 4, 5)]
    seeds.append(save({"a": torch.arange(6.0)}))
    path = folder_for("checkpoints") / "scripted.pt"
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(path))
    seeds.append(path.read_bytes())
    path.unlink()
    return seeds


@cache
def _pickle_seeds() -> list[bytes]:
    """The pickles inside those archives."""
    seeds = []
    for content in _file_seeds():
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                seeds += [archive.read(name) for name in archive.namelist() if name.endswith("data.pkl")]
    return seeds


_GLOBALS = (
    *("os system", "posix system", "builtins eval", "builtins getattr", "torch._utils _rebuild_tensor_v2"),
    *("torch._utils _rebuild_parameter", "torch FloatStorage", "collections OrderedDict", "numpy dtype"),
    *(
        "numpy ndarray",
        "numpy.core.multiarray _reconstruct",
        "numpy.core.numeric _frombuffer",
        "_codecs encode",
    ),
    *(
        "torch load",
        "torch.hub load",
        "torch.storage _load_from_bytes",
        "lightning.x Y",
        "__torch__ M",
        "enum X",
    ),
)
_WORDS = (
    *(f"c{name}\n".replace(" ", "\n").encode() for name in _GLOBALS),
    *(
        b"\x80\x02",
        b"R",
        b"\x81",
        b"b",
        b"\x85",
        b"\x86",
        b"\x87",
        b"}(",
        b"u.",
        b"s.",
        b"Q",
        b"0",
        b"2",
        b"\x94",
        b"\x93",
    ),
    *(
        b"r\xff\xff\xff\x7f",
        b"\x96\xff\xff\xff\x00\x00\x00\x00\x00",
        b"\x8c\x08__dict__",
        b"\x8c\x09__class__",
    ),
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"data.pkl", b"__defaults__"),
)
TARGETS = (
    Target("checkpoint-files", load_file, _file_seeds, _watch_everything, words=_WORDS),
    Target("checkpoint-pickles", load_archived, _pickle_seeds, _watch_everything, words=_WORDS),
)
