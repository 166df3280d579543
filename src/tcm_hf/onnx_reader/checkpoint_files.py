"""What the files of an exported folder say."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

DETECTOR, RECOGNIZER = "tcm", "clip4str"
RECOGNIZER_FOLDER = "recognizer"
# In the wheel of the reader; `make reader-wheel` puts it there.
OWN_MODEL = Path(__file__).parent / "model"

_KINDS = {DETECTOR: "a text detector", RECOGNIZER: "a text recogniser"}


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: if it is not there, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"There is no {path}: expected a folder as `tcm-hf export MODEL FOLDER --to onnx` writes it."
        ) from None
    except (OSError, ValueError) as error:
        raise ValueError(f"Could not read {path}: {error}. Export the model again.") from error


def read_config(folder: Path, kind: str) -> dict[str, Any]:
    """The configuration of a model of one kind.

    Args:
        folder: as exported.
        kind: `DETECTOR` or `RECOGNIZER`, the `model_type` of its configuration.

    Raises:
        ValueError: if the folder holds no model, or one of another kind.
    """
    config = read_json(folder / "config.json")
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != kind:
        other = _KINDS.get(str(found), "another model")
        raise ValueError(f"{folder}: expected {_KINDS[kind]}, found {other} (model type {found}).")
    return config


def check_libraries(head_type: str, polygon_mode: str) -> None:
    """Refuse what needs libraries that are not here, before a photo comes.

    Args:
        head_type: of the detector.
        polygon_mode: "quad" or "polygon".

    Raises:
        ImportError: if outlines of any shape, or FCENet's, are wanted without pyclipper and shapely.
    """
    if polygon_mode == "quad" and head_type != "fcenet":
        return
    missing = [name for name in ("pyclipper", "shapely") if find_spec(name) is None]
    if missing:
        wanted = "FCENet" if head_type == "fcenet" else 'polygon_mode="polygon"'
        raise ImportError(f'{wanted} needs {" and ".join(missing)}: pip install "tcm_hf_reader[curved]"')
