"""What exported programs need that Python does otherwise: loops that are part of the graph."""

from collections.abc import Callable
from typing import Any

import torch


def is_exporting() -> bool:
    """Whether the graph must hold for all data: `torch.export`, which ONNX and OpenVINO start from."""
    # PyTorch 2.6 does not tell exporting from compiling.
    return getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)()


def repeat_while(goes_on: Callable, body: Callable, carried: tuple[torch.Tensor, ...]) -> Any:
    """A loop that exists once in an exported graph, however often it turns; `Loop` in ONNX.

    Args:
        goes_on: The carried tensors -> whether to turn once more, a bool tensor of one element.
        body: The carried tensors -> the same, of the same shapes and dtypes, contiguous.
        carried: What the first turn starts with.

    Returns:
        The tensors of the last turn.
    """
    # Inside, because importing it loads the compiler, which costs a second and nobody else needs.
    from torch._higher_order_ops.while_loop import while_loop

    return while_loop(goes_on, body, tuple(tensor.contiguous() for tensor in carried))
