"""`tcm-hf synth-aerial`: render photos from above with rotated objects, in DOTA's layout."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from tcm_hf.cli.arguments import positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.generating import add_count_arguments, in_processes, keep_settings, size_hw
from tcm_hf.results.atomic import whole_file


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Add the verb to the command line.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` returned.
    """
    parser = subparsers.add_parser(
        "synth-aerial",
        help="render photos from above with rotated objects",
        description="Render planes, ships, large vehicles, storage tanks and tennis courts on textured "
        "ground, with exact corners, into images/ and labelTxt/ as DOTA has them. The same seed gives the "
        "same images. The same command goes on where it stopped; a larger --count adds images.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write into")
    add_count_arguments(parser, 100, "images")
    parser.add_argument(
        "--size",
        type=size_hw,
        default=(256, 320),
        metavar="WxH",
        help="image size in pixels (default: 320x256)",
    )
    parser.add_argument(
        "--max-objects", type=positive_int, default=12, help="in an image (default: %(default)s)"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Render the images; what was made stays after Ctrl-C, and the same command goes on.

    Args:
        args: The parsed arguments.

    Returns:
        The exit code, 0.

    Raises:
        CommandError: If the output folder holds other images.
    """
    from tcm_hf.data.synthetic.aerial import SyntheticAerialDataset

    settings = {"seed": args.seed, "size_hw": list(args.size), "max_objects": args.max_objects}
    try:
        keep_settings(args.output, settings)
    except ValueError as error:
        raise CommandError(str(error)) from error
    photos = SyntheticAerialDataset(args.count, args.seed, args.size, args.max_objects)
    for folder in ("images", "labelTxt"):
        (args.output / folder).mkdir(exist_ok=True)
    # Labels are written after their image.
    todo = [index for index in range(args.count) if not _label_path(args.output, index).exists()]
    if len(todo) < args.count:
        print(f"{args.count - len(todo)} of {args.count} images are there already.", file=sys.stderr)
    for _ in in_processes(partial(_write_one, args.output, photos), todo, args.workers, "image"):
        pass
    print(args.output)
    return 0


def _label_path(output: Path, index: int) -> Path:
    return output / "labelTxt" / f"aerial_{index:06d}.txt"


def _write_one(output: Path, photos, index: int) -> None:
    from PIL import Image

    from tcm_hf.data.dota import write_dota_labels

    record = photos[index]
    labels = _label_path(output, index)
    with whole_file(output / "images" / f"{labels.stem}.png") as temporary:
        Image.fromarray(record.load_image()).save(temporary)
    with whole_file(labels) as temporary:
        write_dota_labels(temporary, record)
