"""`tcm-hf convert clip4str`: a published recogniser."""

import argparse
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.convert_options import add_kind

if TYPE_CHECKING:
    from tcm_hf.conversion.key_report import KeyReport

DESCRIPTION = """\
Convert a published CLIP4STR checkpoint (Lightning .ckpt, bare .pt, safetensors). The size is told by the
tensors. Every tensor must fit: unknown, missing and mis-shaped names are listed, and nothing is written. Only
tensors are read; a file that wants to run something is refused.
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `clip4str`."""
    parser = add_kind(kinds, "clip4str", "a published CLIP4STR checkpoint", DESCRIPTION)
    parser.add_argument(
        "--normalization",
        choices=("clip", "half"),
        default="clip",
        help="clip: images normalised as in training (default); half: mean and deviation 0.5, as in the "
        "original's test script, with which its published numbers were measured",
    )
    parser.add_argument(
        "--charset",
        metavar="TEXT",
        help="the characters in the order of their ids, where the checkpoint does not say them and they are "
        "none of the usual 36, 62 or 94",
    )


def convert(arguments: argparse.Namespace) -> "KeyReport":
    """Convert; returns what became of every tensor."""
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
