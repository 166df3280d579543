"""`tcm-hf convert rotated`: a published detector of rotated objects."""

import argparse
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.convert_options import add_config, add_kind, add_prompt, report_of, told_options

if TYPE_CHECKING:
    from tcm_hf.conversion.key_report import KeyReport

DESCRIPTION = """\
Convert a published rotated object detector of TCM (.pth of mmengine as it was saved, a bare state dict or
safetensors): FCOS, ATSS or RetinaNet. Head, parts and sizes are told by the tensors, the rest by the
configuration that mmengine stores beside them, which is parsed and not run. Every tensor must fit: unknown,
missing and mis-shaped names are listed, and nothing is written. Only tensors are read; a file that wants to
run something is refused.

The names of the classes are those stored with the weights, or DOTA's; others need CLIP's vocabulary.
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `rotated`."""
    parser = add_kind(kinds, "rotated", "a published rotated object detector of TCM", DESCRIPTION)
    add_prompt(
        parser,
        "the name of a class, where the checkpoint does not say them and they are not DOTA's; once a class, "
        "in their order",
        metavar="NAME",
    )
    add_config(
        parser,
        "the configuration (.py, parsed and not run, or .json) that it was trained with, where it does not "
        "carry it: tells anchors and weights of losses of unusual models",
    )


def convert(arguments: argparse.Namespace) -> "KeyReport":
    """Convert; returns what became of every tensor."""
    from tcm_hf.conversion.convert_rotated import convert_rotated

    converted = convert_rotated(
        arguments.source,
        arguments.output,
        names=arguments.prompt,
        **told_options(arguments),
    )
    return report_of(converted, arguments.quiet)
