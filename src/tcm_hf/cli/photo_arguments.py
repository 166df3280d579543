"""Arguments that the verbs over photos share: what to read, where results go, how texts are found."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import checkpoint, device, page_ranges, positive_int, probability, ratio, tile

EXIT_CODES = "Exit codes: 0 done, 2 wrong use, 3 some images could not be read (named), 130 Ctrl-C."

DECODING_PARAMETERS = ("threshold", "binarize_threshold", "unclip_ratio", "polygon_mode", "max_detections")
DETECTION_PARAMETERS = (*DECODING_PARAMETERS, "tile")


def add_photo_parser(subparsers: Any, verb: str, help_text: str, description: str) -> argparse.ArgumentParser:
    """Add a verb over photos, with its positional PATHs."""
    parser = subparsers.add_parser(
        verb,
        help=help_text,
        description=f"{description} Results go to stdout or --output, everything else to stderr.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="file, folder, glob, or - for a list on stdin"
    )
    # Every photo job has them; not every verb offers them.
    parser.set_defaults(draw=None, pages=None, dpi=200, format=None, resume=False)
    return parser


def add_output_arguments(parser: argparse.ArgumentParser, formats: Iterable[str], default: str) -> None:
    """Add where results go, and how."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR|FILE",
        help="a file per image in DIR, or one FILE for all, told apart by the suffix",
    )
    parser.add_argument(
        "--format", choices=tuple(formats), help=f"default: by the suffix of --output, else {default}"
    )
    parser.add_argument(
        "--resume", action="store_true", help="skip what an earlier run into --output has done"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def add_picture_arguments(parser: argparse.ArgumentParser, drawn: str) -> None:
    """Add the drawings and the pages of PDF files.

    Args:
        parser: The verb's.
        drawn: What the pictures show, as the help says it.
    """
    parser.add_argument(
        "--draw",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="DIR",
        help=f"save pictures with {drawn}, by default in 'drawn' beside the results",
    )
    add_page_arguments(parser)


def add_page_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which pages of PDF files are taken, and how they are drawn."""
    parser.add_argument(
        "--pages", type=page_ranges, metavar="1-4,7", help="pages of PDF files, from 1 (default: all)"
    )
    parser.add_argument(
        "--dpi",
        type=positive_int,
        default=200,
        metavar="N",
        help="pixels per inch of PDF pages (default: %(default)s)",
    )


def add_detection_arguments(group: argparse._ArgumentGroup) -> None:
    """Add what the detector of `pipeline("text-detection")` can be told; see `DETECTION_PARAMETERS`."""
    add_decoding_arguments(group)
    group.add_argument(
        "--tile",
        type=tile,
        metavar="auto|off|PIXELS",
        help="cut large images in overlapping tiles, so that small text stays legible (default: auto for "
        "pages of PDF files, off for photos)",
    )


def add_decoding_arguments(group: argparse._ArgumentGroup) -> None:
    """Add how the detector's maps become polygons; see `DECODING_PARAMETERS`."""
    group.add_argument("--threshold", type=probability, metavar="P", help="smallest score of a text, 0 to 1")
    group.add_argument(
        "--binarize-threshold", type=probability, metavar="P", help="smallest probability of a pixel"
    )
    group.add_argument("--unclip-ratio", type=ratio, metavar="R", help="growth of the shrunk text kernels")
    group.add_argument(
        "--polygon-mode",
        choices=("quad", "polygon"),
        help="four corners, or as many as it takes (curved text)",
    )
    group.add_argument("--max-detections", type=positive_int, metavar="N", help="at most N texts per image")


def add_model_argument(group: argparse._ArgumentGroup, name: str, what: str) -> None:
    """Add the option that names a checkpoint, and the one that pins its revision."""
    group.add_argument(
        name,
        type=checkpoint,
        metavar="DIR|ID",
        help=f"{what}: checkpoint folder or Hub id (default: the shipped one)",
    )
    group.add_argument(
        "--revision" if name == "--model" else f"{name}-revision",
        metavar="NAME",
        help=f"branch, tag or commit of {name} ID (default: main)",
    )


def add_device_arguments(group: argparse._ArgumentGroup, batch_of: str, batch_size: int) -> None:
    """Add where and how the models run."""
    group.add_argument(
        "--device", type=device, default="auto", help="auto (default), cpu, cuda, cuda:0, mps, xpu"
    )
    group.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    group.add_argument(
        "--batch-size",
        type=positive_int,
        default=batch_size,
        metavar="N",
        help=f"{batch_of} at once (default: %(default)s); never changes results",
    )


def add_backend_argument(group: argparse._ArgumentGroup) -> None:
    """Add what runs the models; for verbs whose models can be exported."""
    group.add_argument(
        "--backend",
        choices=("torch", "onnx", "onnx-int8"),
        help="what runs the models: torch, or onnxruntime an export that lies with them (default: torch, or "
        "the export where that is all there is)",
    )


def loading_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `load_pipeline` takes of the options about models: of those of the verb, all."""
    names = ("device", "dtype", "quiet", "revision", "backend")
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
