"""`tcm-hf export`: a checkpoint becomes programs for onnxruntime, torch.export and OpenVINO."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import add_verb, checkpoint
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.hub_errors import hub_reason
from tcm_hf.cli.inputs import expand_inputs
from tcm_hf.cli.load_models import DETECTOR, RECOGNIZER, check_model_name

FORMATS = ("onnx", "torch", "openvino")
"""Those that are equal to the model; 8 bits are asked for with the photos that they need."""

DESCRIPTION = """\
Export a text detector, a recogniser of words, or both as one reader: FOLDER gets the configuration, the
processor, a card and the programs, and our pipelines run it as they run the checkpoint.

  onnx      onnx/model.onnx, for onnxruntime: pipeline(…, model="FOLDER", backend="onnx")
  torch     torch_export/model.pt2, for torch.export.load
  openvino  openvino/model.xml, for OpenVINO; detectors alone

Batch, height and width stay open (of a recogniser the batch). Every program is run in five sizes and compared
with PyTorch; if it differs by more than 1e-3, nothing is written. 8 bits differ: measure before you trust.

Needs pip install "tcm_hf[onnx]"; for OpenVINO "tcm_hf[onnx,openvino]".
"""
EPILOG = """\
examples:
  tcm-hf export fasttcm-dbnet-tiny reader --recognizer clip4str-tiny
  tcm-hf read street.jpg --model reader --backend onnx

Exit codes: 0 done, 2 wrong use, a model that cannot be exported or a package that is missing, 130 Ctrl-C."""


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(
        subparsers, "export", "write a model for onnxruntime, torch.export or OpenVINO", DESCRIPTION, EPILOG
    )
    parser.add_argument(
        "model", type=checkpoint, metavar="MODEL", help="checkpoint folder, Hub id or name of a shipped model"
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="where to; MODEL itself adds programs to it"
    )
    parser.add_argument(
        "--to",
        nargs="+",
        choices=FORMATS,
        default=["onnx"],
        metavar="FORMAT",
        help=f"of {', '.join(FORMATS)} (default: onnx)",
    )
    parser.add_argument(
        "--recognizer",
        type=checkpoint,
        metavar="MODEL",
        help="with a detector: the recogniser of the reader (default: the one saved with it, if any)",
    )
    parser.add_argument(
        "--int8",
        nargs="+",
        metavar="PHOTO",
        help="also onnx/model_int8.onnx, 8 bits, calibrated on these 10 to 30 photos (files, folders, globs; "
        'for a recogniser alone crops of words): pipeline(…, backend="onnx-int8")',
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Export; returns the exit code.

    Raises:
        CommandError: For a model that cannot be loaded or exported, or a package that is missing.
    """
    check_model_name(
        "MODEL", arguments.model, *([DETECTOR] if arguments.recognizer else [DETECTOR, RECOGNIZER])
    )
    if arguments.recognizer:
        check_model_name("--recognizer", arguments.recognizer, RECOGNIZER)
    if arguments.folder.exists() and not arguments.folder.is_dir():
        raise CommandError(f"{arguments.folder} is a file: name a folder")
    from safetensors import SafetensorError

    from tcm_hf.export.folders import export_checkpoint

    _quiet_exporters()
    photos = [one.path for one in expand_inputs(arguments.int8, ())] if arguments.int8 else []
    formats = list(dict.fromkeys([*arguments.to, *(["onnx-int8"] if photos else [])]))
    try:
        files = export_checkpoint(arguments.model, arguments.folder, formats, arguments.recognizer, photos)
    except (ImportError, OSError, ValueError, SafetensorError) as error:
        names = [name for name in (arguments.model, arguments.recognizer) if name and not Path(name).exists()]
        reason = next(filter(None, (hub_reason(error, name) for name in names)), None)
        raise CommandError(f"cannot export {arguments.model}: {reason or error}") from error
    if not arguments.quiet:
        for file in files:
            size = f"{file.num_bytes / 1e6:.1f} MB"
            equal = "not equal" if file.difference is None else f"at most {file.difference:.0e} from PyTorch"
            print(f"tcm-hf export: {arguments.folder / file.path}, {size}, {equal}", file=sys.stderr)
    return 0


def _quiet_exporters() -> None:
    """Keeps what the exporters tell of themselves from the terminal; their errors come through."""
    import logging
    import warnings

    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"torch\.|onnxscript|copyreg")
