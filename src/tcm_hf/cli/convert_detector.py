"""`tcm-hf convert tcm`: a published text detector."""

import argparse
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.convert_options import add_config, add_kind, add_prompt, report_of, told_options

if TYPE_CHECKING:
    from tcm_hf.conversion.key_report import KeyReport

DESCRIPTION = """\
Convert a published TCM or FastTCM checkpoint (.pth of mmocr 0.x, as it was saved or bare, or safetensors):
DBNet, PAN, FCENet or SegNet on CLIP's ResNet or vision transformer. Detector, parts and sizes are told by the
tensors, the rest by the configuration that mmcv stored beside them, which is parsed and not run. Every tensor
must fit: unknown, missing and mis-shaped names are listed, and nothing is written. Only tensors are read; a
file that wants to run something is refused.

No tensor tells sizes of images and thresholds: --preset names the published detector whose they shall be
(default: the one nearest to the stored settings, which replace its own; without any IC15's of that detector),
and compares parts and sizes with it.
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `tcm`."""
    parser = add_kind(kinds, "tcm", "a published TCM or FastTCM detector", DESCRIPTION)
    add_prompt(
        parser,
        "the class prompt, where the checkpoint does not say it and it is not the released one; once a class",
    )
    add_config(
        parser,
        "the configuration (.py, parsed and not run, or .json) that it was trained with, where it does not "
        "carry it: tells heads of attention and prompts of unusual models",
    )


def convert(arguments: argparse.Namespace) -> "KeyReport":
    """Convert; returns what became of every tensor."""
    from tcm_hf.conversion.convert_tcm import convert_tcm

    converted = convert_tcm(
        arguments.source,
        arguments.output,
        prompts=arguments.prompt,
        **told_options(arguments),
    )
    return report_of(converted, arguments.quiet)
