"""What a model can be exported to, by the name that the command line gives it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np

from tcm_hf.export.equality import (
    Program,
    check_equal,
    open_onnx,
    open_openvino,
    open_torch_program,
)
from tcm_hf.export.int8 import write_int8
from tcm_hf.export.onnx_files import to_onnx, write_onnx
from tcm_hf.export.openvino_files import write_openvino
from tcm_hf.export.torch_programs import to_torch_program, write_torch_program
from tcm_hf.export.tracing import prepare
from tcm_hf.modeling.onnx_session import ONNX_FILES


class Source:
    """A model on its way out; what several formats start from is made once.

    Args:
        model: A `TCMForTextDetection` or `CLIP4STRForTextRecognition` in float32; it stays as it is.
        samples: (1, 3, H, W) float32 of pictures as they will come; 8-bit formats are calibrated on them.
    """

    def __init__(self, model: Any, samples: Sequence[np.ndarray] = ()):
        self.traced = prepare(model)
        self.samples = samples

    @cached_property
    def onnx_graph(self) -> Any:
        """As an `onnx_ir.Model`."""
        return to_onnx(self.traced)


class Format(ABC):
    """One way out."""

    file: ClassVar[str]
    """In the folder of the checkpoint."""
    packages: ClassVar[tuple[str, ...]]
    """What writing and checking needs, beside our dependencies."""
    model_types: ClassVar[tuple[str, ...]] = ("tcm", "clip4str")
    """Of the models that can be exported so."""
    example: ClassVar[str]
    """How it runs, in Python; `{task}` and `{folder}` are filled in."""

    @abstractmethod
    def write(self, source: Source, path: Path) -> None:
        """Writes the model; folders are made."""

    @abstractmethod
    def open(self, path: Path) -> Program:
        """What was written, ready to run."""

    def check(self, source: Source, path: Path) -> float | None:
        """The largest difference from PyTorch, see `check_equal`; None where it is not meant to be equal.

        Raises:
            ValueError: If it is too large for this format.
        """
        return check_equal(source.traced, self.open(path), path.name)


class OnnxFormat(Format):
    """ONNX, which onnxruntime runs, and our pipelines through it."""

    file = ONNX_FILES["onnx"]
    packages = ("onnx", "onnxscript", "onnxruntime")
    example = """\
# pip install "tcm_hf[onnx]"
import tcm_hf
from transformers import pipeline

run = pipeline("{task}", model="{folder}", backend="onnx")
run("street.jpg")"""

    def write(self, source: Source, path: Path) -> None:
        """Writes one file, weights inside."""
        write_onnx(source.onnx_graph, path)

    def open(self, path: Path) -> Program:
        """Opens it with onnxruntime."""
        return open_onnx(path)


class Int8Format(OnnxFormat):
    """ONNX in 8 bits: smaller and faster, and not equal; what that costs must be measured."""

    file = ONNX_FILES["onnx-int8"]
    example = OnnxFormat.example.replace('"onnx")', '"onnx-int8")')

    def write(self, source: Source, path: Path) -> None:
        """Quantizes the ONNX graph on the samples of the source."""
        if not source.samples:
            raise ValueError(
                "An 8-bit export is calibrated on photos: name some, 10 to 30 as they will come."
            )
        with TemporaryDirectory() as folder:
            exact = Path(folder) / "model.onnx"
            write_onnx(source.onnx_graph, exact)
            write_int8(exact, path, source.samples)

    def check(self, source: Source, path: Path) -> None:
        """Runs it once; a largest difference would tell nothing of words and polygons."""
        self.open(path)(source.samples[0])


class TorchFormat(Format):
    """`torch.export`, which torch runs without our code."""

    file = "torch_export/model.pt2"
    packages = ()
    example = """\
import torch

run = torch.export.load("{folder}/torch_export/model.pt2").module()
run(pixel_values=pixel_values)  # (B, 3, H, W), normalised"""

    def write(self, source: Source, path: Path) -> None:
        """Writes one file."""
        write_torch_program(to_torch_program(source.traced), path)

    def open(self, path: Path) -> Program:
        """Loads it with torch."""
        return open_torch_program(path)


class OpenVinoFormat(Format):
    """OpenVINO, for processors by Intel; detectors alone.

    OpenVINO 2026.4 computes other numbers than onnxruntime for the loops of a recogniser.
    """

    model_types = ("tcm",)

    file = "openvino/model.xml"
    packages = ("onnx", "onnxscript", "openvino")
    example = """\
# pip install openvino
import openvino

run = openvino.Core().compile_model("{folder}/openvino/model.xml", "CPU")
run([pixel_values])  # (B, 3, H, W), normalised"""

    def write(self, source: Source, path: Path) -> None:
        """Writes an XML file, and the weights beside it."""
        write_openvino(source.onnx_graph, path)

    def open(self, path: Path) -> Program:
        """Compiles it for the CPU."""
        return open_openvino(path)


FORMATS: dict[str, Format] = {
    "onnx": OnnxFormat(),
    "onnx-int8": Int8Format(),
    "torch": TorchFormat(),
    "openvino": OpenVinoFormat(),
}
"""By name."""
