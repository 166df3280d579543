"""An ONNX file whose weights and activations are 8 bits, by onnxruntime's static quantizer."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tcm_hf.export.requirements import check_installed

_OPERATORS = ["Conv", "ConvTranspose", "MatMul", "Gemm"]
"""Where the time is. With all that the quantizer knows, the logits that say "never" (-10,000) set the scale
of all others, and 287 of 300 words come out wrong."""


class _Samples:
    """What the quantizer asks for the next input."""

    def __init__(self, samples: Iterable[np.ndarray]):
        self._samples: Iterator[np.ndarray] = iter(samples)

    def get_next(self) -> dict[str, Any] | None:
        sample = next(self._samples, None)
        return None if sample is None else {"pixel_values": sample}


def write_int8(source: Path, path: Path, samples: Iterable[np.ndarray]) -> None:
    """Quantizes an ONNX file.

    Weights by channel, activations by the smallest and largest value that `samples` give; what is inside a
    loop, the reading of characters, stays in float32.

    Args:
        source: From [`write_onnx`][tcm_hf.export.onnx_files.write_onnx].
        path: Where to; folders are made.
        samples: (B, 3, H, W) float32 each, of pictures as they will come; 10 to 30 photos do.

    Raises:
        ImportError: If onnx or onnxruntime is missing.
    """
    check_installed("onnx", "onnxruntime")
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "model.onnx"
        # Its own inference of shapes knows no sides that are multiples of 32, and no loops.
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            path,
            _Samples(samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
        )
