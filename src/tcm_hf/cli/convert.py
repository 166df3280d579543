"""`tcm-hf convert`: published checkpoints and CLIP weights become folders that `from_pretrained` loads."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcm_hf.cli.arguments import add_verb
from tcm_hf.cli.errors import CommandError

if TYPE_CHECKING:
    from tcm_hf.conversion.key_report import KeyReport

CLIP4STR_DESCRIPTION = """\
Convert a published CLIP4STR checkpoint (Lightning .ckpt, bare .pt, safetensors). The size is told by the
tensors. Every tensor must fit: unknown, missing and mis-shaped names are listed, and nothing is written. Only
tensors are read; a file that wants to run something is refused.
"""
TCM_DESCRIPTION = """\
Convert a published TCM or FastTCM checkpoint (.pth of mmocr 0.x, as it was saved or bare, or safetensors):
DBNet, PAN, FCENet or SegNet on CLIP's ResNet or vision transformer. Detector, parts and sizes are told by the
tensors, the rest by the configuration that mmcv stored beside them, which is parsed and not run. Every tensor
must fit: unknown, missing and mis-shaped names are listed, and nothing is written. Only tensors are read; a
file that wants to run something is refused.

No tensor tells sizes of images and thresholds: --preset names the published detector whose they shall be
(default: the one nearest to the stored settings, which replace its own; without any IC15's of that detector),
and compares parts and sizes with it.
"""
CLIP_DESCRIPTION = """\
Start a model from CLIP: its towers are CLIP's, the rest is fresh and wants training.

SOURCE   OpenAI's .pt (ViT-B-16.pt, RN50.pt), OpenCLIP's .bin or .safetensors, or a folder or Hub id of
         OpenCLIP, of transformers' CLIPModel or of timm's resnet50_clip (image half only)

CLIP4STR starts from a vision transformer, TCM from that or from a ResNet. A bare OpenCLIP file does not say
which activation it was trained with: GELU is assumed (LAION, DataComp); OpenAI's and DFN's weights need
--activation quick_gelu. Archives and repositories say it themselves.
"""
EPILOG = "Exit codes: 0 done, 2 wrong use or a file that does not fit (nothing is written), 130 Ctrl-C."


def add_parser(subparsers: Any) -> None:
    """Add the verb `convert` with its kinds to the command line."""
    convert = subparsers.add_parser("convert", help="turn published checkpoints and CLIP weights into ours")
    kinds = convert.add_subparsers(dest="kind", required=True, metavar="KIND")
    published = add_verb(kinds, "clip4str", "a published CLIP4STR checkpoint", CLIP4STR_DESCRIPTION, EPILOG)
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
    detector = add_verb(kinds, "tcm", "a published TCM or FastTCM checkpoint", TCM_DESCRIPTION, EPILOG)
    detector.add_argument("source", metavar="CKPT", help="the checkpoint file")
    _add_common(detector)
    detector.add_argument(
        "--prompt",
        action="append",
        metavar="TEXT",
        help="the class prompt, where the checkpoint does not say it and it is not the released one; once a "
        "class",
    )
    detector.add_argument(
        "--config",
        metavar="FILE",
        help="the configuration (.py, parsed and not run, or .json) that it was trained with, where it does "
        "not carry it: tells heads of attention and prompts of unusual models",
    )
    start = add_verb(
        kinds, "clip", "a starting point for training from CLIP weights", CLIP_DESCRIPTION, EPILOG
    )
    start.add_argument("source", metavar="SOURCE", help="file, folder or Hub id")
    _add_common(start)
    start.add_argument("--to", choices=("clip4str", "tcm"), required=True, help="what to build")
    start.add_argument(
        "--activation", choices=("quick_gelu", "gelu"), help="what the CLIP weights were trained with"
    )


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
    parser.add_argument(
        "--keys", action="store_true", help="print what became of every tensor: taken, left out, fresh"
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

    from tcm_hf.conversion.shown_text import one_line

    convert = {"clip4str": _convert_clip4str, "tcm": _convert_tcm, "clip": _convert_clip}
    try:
        report = convert[arguments.kind](arguments)
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


def _convert_tcm(arguments: argparse.Namespace) -> "KeyReport":
    from tcm_hf.conversion.convert_tcm import convert_tcm
    from tcm_hf.conversion.shown_text import one_line

    converted = convert_tcm(
        arguments.source,
        arguments.output,
        preset=arguments.preset,
        prompts=arguments.prompt,
        vocabulary=arguments.vocabulary,
        upstream_config=arguments.config,
    )
    if not arguments.quiet:
        config = converted.model.config
        parts = [f"{config.method} with {config.head_config.head_type}"]
        parts += [f"{name}: {note}" for name, note in converted.notes.items()]
        print(f"tcm-hf convert: {one_line('; '.join(parts))}", file=sys.stderr)
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


def _is_lack_of_memory(error: Exception) -> bool:
    """Whether torch, which has no class for it on the CPU, or Python could not allocate a tensor."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error)


def _list_problems(error: Exception) -> None:
    """Every name that does not fit, one a line; the error itself names the first few."""
    from tcm_hf.conversion.key_report import KeyMismatchError
    from tcm_hf.conversion.shown_text import one_line

    if isinstance(error, KeyMismatchError):
        print("\n".join(map(one_line, error.report.problems())), file=sys.stderr)
