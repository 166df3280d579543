"""A model as one ONNX file."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from tcm_hf._version import __version__
from tcm_hf.export.requirements import check_installed
from tcm_hf.export.tracing import Traced

# Protobuf takes no file of 2 GiB; what is larger gets its weights beside it.
_MOST_BYTES = 1_900_000_000


def to_onnx(traced: Traced) -> Any:
    """The graph of a model, through `transformers.exporters`.

    Args:
        traced: From [`prepare`][tcm_hf.export.tracing.prepare].

    Returns:
        An `onnx_ir.Model`: input `pixel_values`, outputs named as the fields of the model, levels of
        one field as `field.0`, `field.1`, …; open axes bear the names of `traced.axes`.

    Raises:
        ImportError: If onnx or onnxscript is missing.
    """
    check_installed("onnx", "onnxscript")
    from transformers.exporters import OnnxConfig, OnnxExporter

    config = OnnxConfig(dynamic=True, dynamic_shapes=traced.dynamic_shapes)
    with redirect_stdout(StringIO()):  # torch's exporter tells of its steps, on stdout
        exported: Any = OnnxExporter().export(traced.model, traced.inputs, config)
    # transformers 5.17 returns torch's own program.
    graph = exported.model if hasattr(exported, "model") else exported.program
    _tidy(graph, traced.axes)
    return graph


def write_onnx(graph: Any, path: Path) -> None:
    """Writes a graph with its weights inside, or beside it as `NAME.data` where one file cannot hold them.

    Args:
        graph: An `onnx_ir.Model`.
        path: Where to; folders are made, and a file is replaced when the new one is whole.
    """
    import onnx_ir

    path.parent.mkdir(parents=True, exist_ok=True)
    num_bytes = sum(value.const_value.nbytes for value in graph.graph.initializers.values())
    if num_bytes > _MOST_BYTES:
        onnx_ir.save(graph, path, external_data=f"{path.name}.data")
        return
    whole = path.with_name(f".{path.name}.part")
    onnx_ir.save(graph, whole)
    whole.replace(path)


def _tidy(model: Any, axes: dict[int, str]) -> None:
    """Names the open axes, and drops the notes of the exporter, which are larger than the graph."""
    from onnx_ir import SymbolicDim
    from onnx_ir.traversal import RecursiveGraphIterator

    model.producer_name, model.producer_version = "tcm_hf", __version__
    shape = model.graph.inputs[0].shape
    names = {str(shape[axis].value): name for axis, name in axes.items()}
    symbol = re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b")

    def name_axes(value: Any) -> None:
        value.metadata_props.clear()
        for axis, size in enumerate(value.shape or ()):
            if isinstance(size, SymbolicDim) and size.value is not None:
                value.shape[axis] = SymbolicDim(symbol.sub(lambda found: names[found[1]], size.value))

    for graph in model.graphs():
        graph.metadata_props.clear()
        for value in (*graph.inputs, *graph.initializers.values()):
            name_axes(value)
    for node in RecursiveGraphIterator(model.graph):
        node.metadata_props.clear()
        for value in node.outputs:
            name_axes(value)
