"""Packages that exporting needs and that are no dependencies of ours."""

import importlib.util

# By the package that is looked for: what brings it.
_EXTRAS = {"onnx": "onnx", "onnxscript": "onnx", "onnxruntime": "onnx", "openvino": "openvino"}


def check_installed(*packages: str) -> None:
    """Refuses to begin what would fail in the middle.

    Raises:
        ImportError: If one is missing; with the extra that brings it.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        extras = ",".join(dict.fromkeys(_EXTRAS[name] for name in missing))
        raise ImportError(f'The export needs {" and ".join(missing)}: pip install "tcm_hf[{extras}]"')
