"""From `--model`, `--device` and `--dtype` to a pipeline, with one clear line where that fails."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.hub_errors import hub_reason

if TYPE_CHECKING:
    from tcm_hf.modeling.modeling_tcm import TCMForTextDetection

# By the `model_type` of their configurations.
DETECTOR, SPOTTER, RECOGNIZER, ROTATED = "tcm", "tcm_spotting", "clip4str", "tcm_rotated"
_KINDS = {
    DETECTOR: "a text detector",
    SPOTTER: "a text spotter",
    RECOGNIZER: "a text recogniser",
    ROTATED: "a detector of rotated objects for `detect --task rotated`",
}
_PARTS = ["*.json", "*.safetensors", "*.txt", "*.onnx*"]


def check_model_name(option: str, model: str, *wanted: str) -> None:
    """Refuse what can be no checkpoint, before torch is imported.

    Args:
        option: Of the command line, which names the model.
        model: Checkpoint folder or Hub id.
        wanted: Of `DETECTOR`, `SPOTTER`, `RECOGNIZER` and `ROTATED` those that will do.

    Raises:
        CommandError: If `model` is a folder without a checkpoint or with one of another kind, or neither a
            folder nor a Hub id.
    """
    folder = Path(model)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise CommandError(f"no config.json in {model}: it holds no checkpoint")
    if not folder.is_dir():
        _check_hub_id(model)
    found = _model_type(folder)
    if found not in (None, *wanted):
        expected = " or ".join(f"{_KINDS[kind]} (model type {kind})" for kind in wanted)
        raise CommandError(
            f"{option} {model}: expected {expected}, found "
            f"{_KINDS.get(found, 'another model')} (model type {found})"
        )


def _check_hub_id(model: str) -> None:
    """A Hub id is a name or owner/name; anything else can only be a folder."""
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", model):
        raise CommandError(f"no such model folder: {model}")


def _model_type(folder: Path) -> Any:
    """What the configuration in a folder says; `None` where it does not: loading will tell more."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None


def pinned(option: str, model: str, revision: str | None) -> str:
    """A model at one branch, tag or commit of its repository.

    Args:
        option: Of the command line, which names the model.
        model: Hub id; with a revision it cannot be a folder.
        revision: Branch, tag or commit; `None` leaves the model as it is.

    Returns:
        `model`, or the folder of that revision in the cache, to which it was downloaded.

    Raises:
        CommandError: If `model` is no Hub id, or there is no such revision.
    """
    if revision is None:
        return model
    if Path(model).is_dir():
        raise CommandError(f"a revision is for models of the Hub: {option} {model} is a folder")
    _check_hub_id(model)
    from huggingface_hub import snapshot_download

    try:
        return snapshot_download(model, revision=revision, allow_patterns=_PARTS)
    except (OSError, ValueError) as error:
        reason = hub_reason(error, model, revision) or _reason(error)
        raise CommandError(f"cannot load the model {model}: {reason}") from error


def load_pipeline(
    task: str,
    model: str,
    *,
    device: str,
    dtype: str,
    quiet: bool,
    revision: str | None = None,
    backend: str | None = None,
    **options: Any,
) -> Any:
    """Load `pipeline(task)`.

    Args:
        task: One of ours.
        model: Checkpoint folder or Hub id.
        device: As on the command line; "auto" lets the pipeline take the first accelerator, or else the CPU.
        dtype: As on the command line.
        quiet: Whether transformers keeps its warnings to itself.
        revision: Branch, tag or commit of the Hub's model.
        backend: As on the command line; `None` leaves it to what the checkpoint holds.
        options: More for the pipeline.

    Raises:
        CommandError: If there is no such device, a checkpoint is missing, broken, of another kind or without
            an export for the backend, or a package is missing that the backend needs.
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import pipeline
    from transformers.utils import logging

    if quiet:
        logging.set_verbosity_error()
    if quiet or not sys.stderr.isatty():
        logging.disable_progress_bar()
    where = available_device(device)
    chosen = {} if backend is None else {"backend": backend}
    source = pinned("--model", model, revision)
    try:
        # Typed for the built-in tasks alone.
        return pipeline(task, model=source, device=where, dtype=dtype, **chosen, **options)  # type: ignore
    except ImportError as error:
        raise CommandError(str(error)) from error
    except (OSError, ValueError, RuntimeError, StrictDataclassError, SafetensorError) as error:
        names = [model, *(str(value) for value in options.values() if isinstance(value, str))]
        reasons = (hub_reason(error, name, revision) for name in names if not Path(name).exists())
        reason = next(filter(None, reasons), None) or _reason(error)
        raise CommandError(f"cannot load the model {' with '.join(names)}: {reason}") from error


def _reason(error: Exception) -> str:
    """The line of transformers' long texts that names the cause, the last one."""
    tries = re.split(r"^while loading with .*$", str(error), flags=re.MULTILINE)
    # Where several kinds of models would do, it tells of each why it is not that one.
    telling = [text for text in tries if "Unrecognized configuration class" not in text]
    return (telling[-1] if len(telling) > 1 else str(error)).strip().splitlines()[-1]


def load_detector(option: str, model: str, quiet: bool) -> "TCMForTextDetection":
    """Load a text detector in eval mode, float32 and on the CPU, without its processor.

    Args:
        option: Of the command line, which names the model.
        model: Checkpoint folder or Hub id.
        quiet: Whether transformers shows no progress.

    Raises:
        CommandError: If the checkpoint is missing, broken or of another kind.
    """
    return load_model(option, model, quiet, DETECTOR)


def load_model(option: str, model: str, quiet: bool, *wanted: str) -> Any:
    """Load a model of one of the kinds `wanted`; otherwise as [`load_detector`]."""
    check_model_name(option, model, *wanted)
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoConfig
    from transformers.utils import logging

    from tcm_hf.modeling.modeling_rotated import TCMForRotatedObjectDetection
    from tcm_hf.modeling.modeling_tcm import TCMForTextDetection
    from tcm_hf.modeling.modeling_tcm_spotting import FastTCMForTextSpotting

    classes: dict[str, Any] = {
        DETECTOR: TCMForTextDetection,
        SPOTTER: FastTCMForTextSpotting,
        ROTATED: TCMForRotatedObjectDetection,
    }
    if quiet or not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        kind = wanted[0] if len(wanted) == 1 else AutoConfig.from_pretrained(model).model_type
        return classes[kind].from_pretrained(model).eval()
    except (OSError, ValueError, RuntimeError, StrictDataclassError, SafetensorError) as error:
        reason = (None if Path(model).exists() else hub_reason(error, model)) or _reason(error)
        raise CommandError(f"cannot load the model {model}: {reason}") from error


def available_device(name: str) -> str | None:
    """The device for the pipeline: `None` lets it take the first accelerator, or else the CPU.

    Raises:
        CommandError: If this machine has no such device.
    """
    import torch

    if name == "auto":
        return None
    kind, _, index = name.partition(":")
    if kind == "cpu":
        return name
    backend = getattr(torch, kind)
    if not backend.is_available():
        raise CommandError(f"--device {name}: there is no {kind} device here, use --device cpu")
    if index and int(index) >= backend.device_count():
        raise CommandError(f"--device {name}: there are only {backend.device_count()} {kind} devices, from 0")
    return name
