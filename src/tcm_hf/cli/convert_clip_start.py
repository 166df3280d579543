"""`tcm-hf convert clip`: a starting point for training."""

import argparse
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.convert_options import add_kind, tell
from tcm_hf.cli.errors import CommandError

if TYPE_CHECKING:
    from tcm_hf.conversion.key_report import KeyReport

DESCRIPTION = """\
Start a model from CLIP: its towers are CLIP's, the rest is fresh and wants training.

SOURCE   OpenAI's .pt (ViT-B-16.pt, RN50.pt), OpenCLIP's .bin or .safetensors, or a folder or Hub id of
         OpenCLIP, of transformers' CLIPModel or of timm's resnet50_clip (image half only)

CLIP4STR starts from a vision transformer, TCM (--to tcm for text, --to rotated for rotated objects) from that
or from a ResNet. A bare OpenCLIP file does not say
which activation it was trained with: GELU is assumed (LAION, DataComp); OpenAI's and DFN's weights need
--activation quick_gelu. Archives and repositories say it themselves.
"""


def add_parser(kinds: Any) -> None:
    """Add the kind `clip`."""
    summary = "a starting point for training from CLIP weights"
    parser = add_kind(kinds, "clip", summary, DESCRIPTION, ("SOURCE", "file, folder or Hub id"))
    parser.add_argument("--to", choices=("clip4str", "tcm", "rotated"), required=True, help="what to build")
    parser.add_argument(
        "--activation", choices=("quick_gelu", "gelu"), help="what the CLIP weights were trained with"
    )


def convert(arguments: argparse.Namespace) -> "KeyReport":
    """Convert; returns what became of every tensor.

    Raises:
        CommandError: for a preset of another family.
    """
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
        tell(
            [
                f"{source.name} is {source.kind}",
                f"activation {source.activation} ({source.activation_reason})",
            ]
        )
    return start.report
