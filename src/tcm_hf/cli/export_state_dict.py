"""`tcm-hf export-state-dict`: a detector becomes a checkpoint of the original's format again."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import add_verb
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import load_detector
from tcm_hf.results.atomic import whole_file

if TYPE_CHECKING:
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

DESCRIPTION = """\
Write a TCM or FastTCM detector as the released code (mmocr 0.x) loads it: a .pth with `meta` and
`state_dict`, upstream's names, plain tensors. `meta.config` holds the configuration of the model to build
around it, with the thresholds and the image size of the image processor beside the model. `tcm-hf convert
tcm` is the way back; the tensors are the same to the bit.

Not for detectors with a cached text embedding (their text tower is gone) and not for those on trunks that the
released code does not have (the shipped tiny ones).
"""
EPILOG = (
    "Exit codes: 0 done, 2 wrong use or a model that cannot be exported (nothing is written), 130 Ctrl-C."
)


def add_parser(subparsers: Any) -> None:
    """Add the verb and its arguments."""
    summary = "write a detector as a checkpoint of the released code"
    parser = add_verb(subparsers, "export-state-dict", summary, DESCRIPTION, EPILOG)
    parser.add_argument("model", metavar="MODEL", help="checkpoint folder or Hub id of a detector")
    parser.add_argument("output", type=Path, metavar="OUT.pth", help="file to write; must not exist")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Export; returns the exit code.

    Raises:
        CommandError: for a model that cannot be loaded or exported.
    """
    if arguments.output.exists():
        raise CommandError(f"{arguments.output} exists: choose another name, or remove it")
    model = load_detector("MODEL", arguments.model, arguments.quiet)
    from tcm_hf.conversion.export_tcm import export_state_dict

    image_processor = _image_processor(arguments.model)
    try:
        with whole_file(arguments.output) as temporary:
            notes = export_state_dict(model, temporary, image_processor=image_processor)
    except (ValueError, RuntimeError) as error:
        raise CommandError(str(error)) from error
    if not arguments.quiet:
        size_mb = arguments.output.stat().st_size / 1e6
        if image_processor is None:
            notes.append(
                "no image processor beside the model: the file tells no thresholds and no image size"
            )
        for line in (*notes, f"{size_mb:.0f} MB; verified; written to {arguments.output}"):
            print(f"tcm-hf export-state-dict: {line}", file=sys.stderr)
    return 0


def _image_processor(model: str) -> "TCMImageProcessor | None":
    """The image processor beside a model; None if there is none."""
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor

    try:
        return TCMImageProcessor.from_pretrained(model)
    except OSError:
        return None
    except ValueError as error:
        raise CommandError(f"cannot load the image processor of {model}: {error}") from error
