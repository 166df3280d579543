"""What runs a pipeline's model: torch, or onnxruntime on an export of it."""

from typing import Any

import torch


def on_backend(model: Any, backend: str | None) -> Any:
    """The model that a pipeline was asked for.

    `pipeline()` loads a model before it hands `backend` to the pipeline; where torch was loaded and an export
    is wanted, the export is loaded now.

    Args:
        model: as `pipeline()` loaded it.
        backend: "torch", "onnx", "onnx-int8"; None for what was loaded.

    Raises:
        ValueError: if there is no such backend, the model has no exports, or its folder has not this one.
    """
    if backend is None or backend == backend_of(model):
        return model
    if not hasattr(model, "on_backend"):
        raise ValueError(f'`backend` must be "torch" for a {type(model).__name__}: got {backend!r}.')
    return model.on_backend(backend)


def backend_of(model: Any) -> str:
    """What runs a model."""
    return getattr(model, "backend", "torch")


def device_of(model: Any, device: Any, dtype: Any) -> Any:
    """Where a pipeline runs its model: as asked for, or where an export is, which cannot be moved.

    Raises:
        ValueError: if an export is wanted on another device than the CPU, or in another dtype than float32.
    """
    if backend_of(model) == "torch":
        return device
    wanted = torch.device("cpu" if device in (None, -1) else device)
    if wanted.type != model.device.type or dtype not in (None, "auto", model.dtype):
        raise ValueError(
            f"An export runs on the CPU, in float32: got device={str(wanted)!r}, dtype={dtype}. Leave them "
            'out, or take backend="torch".'
        )
    return model.device
