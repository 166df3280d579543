"""`tcm-hf convert`: published checkpoints and CLIP weights become folders that `from_pretrained` loads."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.errors import CommandError

if TYPE_CHECKING:
    from tcm_hf.conversion.key_report import KeyReport

CLIP4STR_DESCRIPTION = """\
Convert a published CLIP4STR checkpoint (Lightning .ckpt, bare .pt, safetensors). The size is told by the
tensors. Every tensor must fit: unknown, missing and mis-shaped names are listed, and nothing is written. Only
tensors are read; a file that wants to run something is refused.
"""
CLIP_DESCRIPTION = """\
Start a model from CLIP: its towers are CLIP's, the rest is fresh and wants training.

SOURCE   OpenAI's .pt (ViT-B-16.pt, RN50.pt), OpenCLIP's .bin or .safetensors, or a folder or Hub id of
         OpenCLIP, of transformers' CLIPModel or of timm's resnet50_clip (image half only)

CLIP4STR starts from a vision transformer, TCM from a ResNet. A bare OpenCLIP file does not say which
activation it was trained with: GELU is assumed (LAION, DataComp); OpenAI's and DFN's weights need
--activation quick_gelu. Archives and repositories say it themselves.
"""
EPILOG = "Exit codes: 0 done, 2 wrong use or a file that does not fit (nothing is written), 130 Ctrl-C."


def add_parser(subparsers: Any) -> None:
    """Add the verb `convert` with its kinds to the command line."""
    convert = subparsers.add_parser("convert", help="turn published checkpoints and CLIP weights into ours")
    kinds = convert.add_subparsers(dest="kind", required=True, metavar="KIND")
    published = _add_kind(kinds, "clip4str", "a published CLIP4STR checkpoint", CLIP4STR_DESCRIPTION)
    published.add_argument("source", metavar="CKPT", help="the checkpoint file")
    _add_common(published)
    published.add_argument(
        "--normalization",
        choices=("clip", "half"),
        default="clip",
        help="clip: images normalised as in training (default); half: mean and deviation 0.5, as in the "
        "original's test script, with which its published numbers were measured",
    )
    published.add_argument(
        "--charset",
        metavar="TEXT",
        help="the characters in the order of their ids, where the checkpoint does not say them and they are "
        "none of the usual 36, 62 or 94",
    )
    start = _add_kind(kinds, "clip", "a starting point for training from CLIP weights", CLIP_DESCRIPTION)
    start.add_argument("source", metavar="SOURCE", help="file, folder or Hub id")
    _add_common(start)
    start.add_argument("--to", choices=("clip4str", "tcm"), required=True, help="what to build")
    start.add_argument(
        "--activation", choices=("quick_gelu", "gelu"), help="what the CLIP weights were trained with"
    )


def _add_kind(kinds: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(
        name,
        help=summary,
        description=description,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "output", type=Path, metavar="OUT", help="folder to write; must not exist or be empty"
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="the model that it should be; its size is compared (default: any size)",
    )
    parser.add_argument(
        "--vocabulary",
        metavar="SOURCE",
        help="CLIP's vocabulary: folder or Hub id with vocab.json and merges.txt or tokenizer.json (default: "
        "the installed open_clip_torch's)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Convert; returns the exit code.

    Raises:
        CommandError: for a file that is no such checkpoint or does not fit.
    """
    if arguments.output.exists() and (not arguments.output.is_dir() or any(arguments.output.iterdir())):
        raise CommandError(f"{arguments.output} exists and is not an empty folder")
    if arguments.quiet:
        from transformers.utils import logging

        logging.disable_progress_bar()
    from huggingface_hub.errors import StrictDataclassError

    convert = _convert_clip4str if arguments.kind == "clip4str" else _convert_clip
    try:
        report = convert(arguments)
    except (ValueError, ImportError, StrictDataclassError) as error:
        _list_problems(error)
        raise CommandError(str(error)) from error
    if not arguments.quiet:
        print(f"tcm-hf convert: {report.summary()}; verified; written to {arguments.output}", file=sys.stderr)
    return 0


def _convert_clip4str(arguments: argparse.Namespace) -> "KeyReport":
    from tcm_hf.conversion.convert_clip4str import convert_clip4str

    converted = convert_clip4str(
        arguments.source,
        arguments.output,
        preset=arguments.preset,
        vocabulary=arguments.vocabulary,
        normalization=arguments.normalization,
        charset=arguments.charset,
    )
    return converted.report


def _convert_clip(arguments: argparse.Namespace) -> "KeyReport":
    from tcm_hf.conversion.convert_clip import convert_clip
    from tcm_hf.conversion.from_clip import FAMILIES

    presets = FAMILIES[arguments.to].preset_names()
    if arguments.preset is not None and arguments.preset not in presets:
        raise CommandError(
            f"{arguments.preset} is no preset of --to {arguments.to}: choose from {', '.join(presets)}"
        )
    start = convert_clip(
        arguments.source,
        arguments.output,
        arguments.preset or arguments.to,
        activation=arguments.activation,
        vocabulary=arguments.vocabulary,
    )
    if not arguments.quiet:
        source = start.source
        print(
            f"tcm-hf convert: {source.name} is {source.kind}; activation {source.activation} "
            f"({source.activation_reason})",
            file=sys.stderr,
        )
    return start.report


def _list_problems(error: Exception) -> None:
    """Every name that does not fit, one a line; the error itself names the first few."""
    from tcm_hf.conversion.key_report import KeyMismatchError

    if isinstance(error, KeyMismatchError):
        print("\n".join(error.report.problems()), file=sys.stderr)
