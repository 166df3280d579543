"""`tcm-hf convert`: published checkpoints and CLIP weights become folders that `from_pretrained` loads."""

import argparse
import sys
from typing import Any

from tcm_hf.cli import (
    convert_clip_start,
    convert_detector,
    convert_recognizer,
    convert_rotated,
    convert_spotter,
)
from tcm_hf.cli.errors import CommandError

KINDS = {
    "clip4str": convert_recognizer,
    "tcm": convert_detector,
    "testr": convert_spotter,
    "abcnet": convert_spotter,
    "rotated": convert_rotated,
    "clip": convert_clip_start,
}
"""What is converted -> the file with its arguments and its call."""


def add_parser(subparsers: Any) -> None:
    """Add the verb `convert` with its kinds to the command line."""
    convert = subparsers.add_parser("convert", help="turn published checkpoints and CLIP weights into ours")
    kinds = convert.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind in dict.fromkeys(KINDS.values()):
        kind.add_parser(kinds)


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

    from tcm_hf.conversion.shown_text import one_line

    try:
        report = KINDS[arguments.kind].convert(arguments)
    except (ValueError, ImportError, StrictDataclassError) as error:
        _list_problems(error)
        raise CommandError(one_line(str(error))) from error
    except (MemoryError, RuntimeError) as error:
        if not _is_lack_of_memory(error):
            raise
        raise CommandError(f"there is not enough memory for a model of {arguments.source}") from error
    if arguments.keys:
        print("\n".join(one_line(line) for line in report.lines()))
    if not arguments.quiet:
        summary = one_line(report.summary())
        print(f"tcm-hf convert: {summary}; verified; written to {arguments.output}", file=sys.stderr)
    return 0


def _is_lack_of_memory(error: Exception) -> bool:
    """Whether torch, which has no class for it on the CPU, or Python could not allocate a tensor."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error)


def _list_problems(error: Exception) -> None:
    """Every name that does not fit, one a line; the error itself names the first few."""
    from tcm_hf.conversion.key_report import KeyMismatchError
    from tcm_hf.conversion.shown_text import one_line

    if isinstance(error, KeyMismatchError):
        print("\n".join(map(one_line, error.report.problems())), file=sys.stderr)
