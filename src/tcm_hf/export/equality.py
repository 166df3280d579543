"""Whether an exported program gives what the model gives in PyTorch, in sizes that it was not traced with."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tcm_hf.export.tracing import Traced
from tcm_hf.modeling.onnx_session import OnnxSession

TOLERANCE = 1e-3
"""How far an output may be from PyTorch's, relative to its size where that is over 1."""

# Images and the sides in units of the smallest that the model takes; more than two, as a program of
# `torch.export` takes none of a single cell.
_SHAPES = ((1, 3, 5), (2, 5, 3), (3, 4, 4), (5, 3, 7), (1, 8, 13))

Program = Callable[[np.ndarray], Mapping[str, Any]]
"""Runs on (B, 3, H, W) float32; gives arrays, or tuples of one array a level, by field."""


def open_onnx(path: Path) -> Program:
    """An ONNX file on onnxruntime."""
    session = OnnxSession(path, torch.get_num_threads())
    return lambda pixels: session.run({"pixel_values": pixels})


def open_torch_program(path: Path) -> Program:
    """A `torch.export` program from its file."""
    module = torch.export.load(path).module()
    return lambda pixels: module(pixel_values=torch.from_numpy(pixels))


def open_openvino(path: Path) -> Program:
    """An OpenVINO model on the CPU."""
    import openvino

    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})  # bfloat16 by itself where the CPU has it
    compiled = core.compile_model(path, "CPU")
    return lambda pixels: {port.any_name: value for port, value in compiled([pixels]).items()}


def shapes_to_check(traced: Traced) -> list[tuple[int, int, int]]:
    """(B, H, W) of five inputs that the program must take, odd batches among them."""
    height, width = traced.pixel_values.shape[-2:]
    if 2 not in traced.axes:
        return [(batch, height, width) for batch in (1, 2, 3, 5, 8)]
    cell = traced.cell_px
    return [(batch, rows * cell, columns * cell) for batch, rows, columns in _SHAPES]


def largest_differences(traced: Traced, program: Program) -> dict[tuple[int, int, int], float]:
    """How far a program is from the model, for every shape to check.

    Returns:
        By (B, H, W), the largest difference of all outputs, relative to PyTorch's value where that is over 1.
    """
    generator = torch.Generator().manual_seed(1)
    differences = {}
    for batch, height, width in shapes_to_check(traced):
        pixels = torch.randn(batch, 3, height, width, generator=generator).numpy()
        differences[batch, height, width] = _difference(traced, program, pixels)
    return differences


@torch.no_grad()
def _difference(traced: Traced, program: Program, pixels: np.ndarray) -> float:
    """The same for one input, (B, 3, H, W) float32.

    Raises:
        ValueError: If the program has other outputs.
    """
    expected = dict(_leaves(traced.model(torch.from_numpy(pixels))))
    found = dict(_leaves(program(pixels)))
    if expected.keys() != found.keys():
        raise ValueError(f"Expected the outputs {list(expected)} of the program: got {list(found)}.")
    return max(
        float((np.abs(found[name] - value) / np.maximum(np.abs(value), 1)).max())
        for name, value in expected.items()
    )


def check_equal(traced: Traced, program: Program, name: str) -> float:
    """The largest difference of a program from its model.

    Raises:
        ValueError: If it is larger than `TOLERANCE`.
    """
    differences = largest_differences(traced, program)
    shape, largest = max(differences.items(), key=lambda one: one[1])
    if not largest <= TOLERANCE:
        raise ValueError(
            f"{name} differs from the model in PyTorch by {largest:.2g} for an input of {shape} (images, "
            f"height, width), more than {TOLERANCE}. Please report it with the model; nothing is kept."
        )
    return largest


def _leaves(outputs: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of the outputs, levels of a field numbered."""
    for name, value in outputs.items():
        if isinstance(value, (tuple, list)):
            yield from _leaves({f"{name}.{level}": part for level, part in enumerate(value)})
        else:
            yield name, np.asarray(value)
