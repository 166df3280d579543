"""A model for OpenVINO, made from its ONNX graph."""

import tempfile
from pathlib import Path
from typing import Any

from tcm_hf.export.onnx_files import write_onnx
from tcm_hf.export.requirements import check_installed


def write_openvino(graph: Any, path: Path) -> None:
    """Writes `path`, an XML file, and the weights beside it as `.bin`, float32 both.

    Args:
        graph: From [`to_onnx`][tcm_hf.export.onnx_files.to_onnx], so that there is one way through the
            exporter, with loops, and not a second one with faults of its own.
        path: Where to; folders are made.

    Raises:
        ImportError: If openvino is missing.
    """
    check_installed("openvino")
    import openvino

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        write_onnx(graph, source)
        openvino.save_model(openvino.convert_model(source), path, compress_to_fp16=False)
