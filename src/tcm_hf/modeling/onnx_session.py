"""An ONNX file, opened and run by onnxruntime: numpy arrays in, numpy arrays out. Needs no torch."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

ONNX_FILES = {"onnx": "onnx/model.onnx", "onnx-int8": "onnx/model_int8.onnx"}
"""Where `tcm-hf export` puts a graph in a checkpoint folder, by the backend that runs it."""

# Several maps of one field, one a level: "region_logits.0", "region_logits.1", …
_LEVEL = re.compile(r"(.+)[._](\d+)")

Arrays = np.ndarray | tuple[np.ndarray, ...]


class OnnxSession:
    """Runs one ONNX file on the CPU.

    Args:
        path: the file.
        num_threads: threads of its own that it computes with; None takes as many as this process may use.

    Raises:
        ImportError: if onnxruntime is not installed.
        ValueError: if there is no such file, or onnxruntime cannot run it.
    """

    def __init__(self, path: str | Path, num_threads: int | None = None):
        if num_threads is not None and num_threads < 1:
            raise ValueError(f"`num_threads` must be at least 1, or None: got {num_threads}.")
        if not Path(path).is_file():
            raise ValueError(f"No such ONNX file: {path}. `tcm-hf export MODEL FOLDER --to onnx` writes one.")
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = num_threads or usable_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors: they are raised, too
        # Its plan of memory is made for one size; photos come in many, and a plan for each would stay.
        options.enable_mem_pattern = False
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common class of their own
            raise ValueError(f"onnxruntime {runtime.__version__} cannot run {path}: {error}") from error
        self.path = Path(path)
        self.num_threads: int = options.intra_op_num_threads
        self.input_names = [one.name for one in self._session.get_inputs()]
        self.output_names = [one.name for one in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        """Compute all outputs.

        Args:
            inputs: by name; see `input_names`.

        Returns:
            By name, as the fields of the model's outputs; a tuple where a field has several levels.

        Raises:
            ValueError: if the graph takes other inputs, or none of these sizes.
        """
        try:
            found = self._session.run(None, dict(inputs))
        except Exception as error:
            shapes = {name: tuple(value.shape) for name, value in inputs.items()}
            raise ValueError(
                f"{self.path} cannot be run on {shapes}: {error}. It takes {self.input_names}, in the sizes "
                "that the image processor saved beside it makes."
            ) from error
        return _by_field(dict(zip(self.output_names, found, strict=True)))


def usable_cores() -> int:
    """Processor cores that this process may use, or fewer where OMP_NUM_THREADS says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) else cores


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('ONNX files need onnxruntime: pip install "tcm_hf[onnx]"') from error
    return onnxruntime


def _by_field(outputs: dict[str, np.ndarray]) -> dict[str, Arrays]:
    """The outputs by field, the levels of one field together."""
    levels: dict[str, dict[int, np.ndarray]] = {}
    for name in outputs:
        if match := _LEVEL.fullmatch(name):
            levels.setdefault(match[1], {})[int(match[2])] = outputs[name]
    single = {name: value for name, value in outputs.items() if not _LEVEL.fullmatch(name)}
    return single | {name: tuple(found[i] for i in sorted(found)) for name, found in levels.items()}


__all__ = ["ONNX_FILES", "Arrays", "OnnxSession", "usable_cores"]
