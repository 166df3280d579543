"""`tcm-hf evaluate KIND`: score result files against annotations; each kind is a file of its own."""

import argparse
import json
from typing import Any

from tcm_hf.cli import (
    evaluate_detection,
    evaluate_recognition,
    evaluate_rotated,
    evaluate_spotting,
    evaluate_submission,
)
from tcm_hf.cli.errors import CommandError

# Each has `add_parser(kinds)` and `score(arguments)`; the help lists them in this order.
_KINDS = {
    "detection": evaluate_detection,
    "recognition": evaluate_recognition,
    "spotting": evaluate_spotting,
    "rotated": evaluate_rotated,
    "submission": evaluate_submission,
}


def add_parser(subparsers: Any) -> None:
    """Add the verb `evaluate` with its kinds to the command line."""
    evaluate = subparsers.add_parser("evaluate", help="score results against annotations")
    kinds = evaluate.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind in _KINDS.values():
        kind.add_parser(kinds)


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Returns:
        0; the numbers are on stdout, one JSON document.

    Raises:
        CommandError: for files that are missing, cannot be read or do not fit together.
    """
    try:
        result = _KINDS[args.kind].score(args)
    except (ValueError, ImportError) as error:
        raise CommandError(str(error)) from error
    # Model cards are written from these documents: they say what was scored, against what, and how.
    about = {
        "kind": args.kind,
        "predictions": str(args.predictions),
        "ground_truth": getattr(args, "ground_truth", None) or getattr(args, "references", None),
        "command": getattr(args, "command_line", ""),
    }
    print(json.dumps({**about, **result}, indent=2, ensure_ascii=False))
    return 0
