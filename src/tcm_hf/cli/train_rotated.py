"""`tcm-hf train rotated`: train a detector of rotated objects, for example in photos from above."""

from __future__ import annotations

import argparse
from typing import Any

from tcm_hf.cli.arguments import ABOUT_CORPORA, count_int, positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import ROTATED, check_model_name
from tcm_hf.cli.optimization_arguments import SCHEDULES, add_optimization_options
from tcm_hf.cli.training_arguments import (
    add_common_schedule_options,
    add_photo_evaluation_options,
    add_photo_options,
    add_start_options,
    add_tower_options,
    check_weights,
    crop_px,
    exit_code,
    photo_recipe_values,
)

DESCRIPTION = f"""\
Train a rotated detector (FCOS, ATSS or RetinaNet on TCM / FastTCM) on a folder in DOTA's layout
(images/P0001.png, labelTxt/P0001.txt; tcm-hf synth-aerial makes one), or a folder of images with
metadata.jsonl, one line an image:
{{"file_name": "1.jpg", "polygons": [[[x, y], ...], ...], "classes": ["ship", ...], "ignore": [false, ...]}}
{ABOUT_CORPORA}
Photos larger than a tile are learned in tiles.
Classes are free text. Training goes on from the last checkpoint in OUTPUT.
The final model lies in OUTPUT itself: tcm-hf detect --task rotated --model OUTPUT photo.jpg
"""


def add_rotated_parser(kinds: Any) -> None:
    """Add the kind `rotated` to the verb `train`."""
    parser = kinds.add_parser(
        "rotated",
        help="a detector of rotated objects with free class names",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    data = parser.add_argument_group("data")
    add_photo_options(data)
    data.add_argument(
        "--view",
        choices=("aerial", "upright"),
        default="aerial",
        help="from above (mirrored and turned while training), or photos that have an up (%(default)s)",
    )
    data.add_argument(
        "--tile", type=positive_int, default=1024, metavar="PX", help="side of the tiles (%(default)s)"
    )
    data.add_argument(
        "--tile-overlap", type=count_int, default=200, metavar="PX", help="of neighbours (%(default)s)"
    )
    model = parser.add_argument_group("model")
    add_start_options(model, "fasttcm-rotated-fcos-tiny")
    model.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="what to look for; NAME=PROMPT words the prompt otherwise (default: those of --model, or else "
        "all that are annotated)",
    )
    _add_schedule_options(parser.add_argument_group("training"))
    evaluation = parser.add_argument_group("evaluation")
    add_photo_evaluation_options(evaluation, "the score threshold")
    evaluation.add_argument(
        "--size", type=positive_int, metavar="PX", help="longer side of a photo or tile (as it comes)"
    )


def _add_schedule_options(group: argparse._ArgumentGroup) -> None:
    add_common_schedule_options(group, 8, "crops")
    group.add_argument("--crop", type=crop_px, default=0, metavar="PX", help="side of a crop (a whole tile)")
    group.add_argument(
        "--scale",
        type=float,
        nargs=2,
        metavar=("MIN", "MAX"),
        help="zoom of the crops (1 1; 0.6 1.6 for --view upright)",
    )
    group.add_argument(
        "--min-side-px", type=float, default=2.0, help="smaller objects are not learned (%(default)s)"
    )
    add_tower_options(group, None, "1 for a preset, 0 (frozen) for --model")
    add_optimization_options(group, tuple(SCHEDULES), "0.02", "5")


def run_rotated(args: argparse.Namespace) -> int:
    """Run the kind.

    Returns:
        0 when the training is done, 130 when a signal stopped it (a checkpoint is there to go on from).

    Raises:
        CommandError: For arguments, folders and annotations that cannot work.
    """
    if not args.train:
        raise CommandError("give --train FOLDER")
    check_weights(args.weights, len(args.train))
    if args.model:
        check_model_name("--model", args.model, ROTATED)
    if args.tile_overlap >= args.tile:
        raise CommandError(f"--tile-overlap must be less than --tile {args.tile}: got {args.tile_overlap}")
    from tcm_hf.training.rotated_datasets import RotatedCorpusSpec

    try:
        train = [RotatedCorpusSpec.parse(text) for text in args.train]
        validation = RotatedCorpusSpec.parse(args.validation) if args.validation else None
        classes = _classes(args, train)
        if validation:
            validation.records()
    except (ValueError, ImportError) as error:
        raise CommandError(str(error)) from error
    from tcm_hf.training.rotated_recipe import prepare_rotated, train_rotated

    try:
        prepared = prepare_rotated(_recipe(args, train, validation, classes))
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from error
    return exit_code(train_rotated(prepared), args.output)


def _classes(args: argparse.Namespace, train: list[Any]) -> dict[str, Any] | None:
    """What the configuration says of the classes; None keeps those of the checkpoint."""
    from tcm_hf.conversion.class_prompts import class_prompts
    from tcm_hf.training.rotated_datasets import class_counts

    counts = class_counts(record for spec in train for record in spec.records())
    if not args.classes and args.model:
        return None
    if not counts:
        raise ValueError(f"No object is annotated in {', '.join(map(str, train))}.")
    names = dict(_name_and_prompt(text) for text in args.classes or counts)
    if missing := [name for name in names if name not in counts]:
        raise ValueError(f"No object of the classes {missing} is annotated: there are {list(counts)}.")
    return class_prompts(names)


def _name_and_prompt(text: str) -> tuple[str, str]:
    name, _, prompt = text.partition("=")
    return name, prompt or name


def _recipe(args: argparse.Namespace, train: list[Any], validation: Any, classes: dict | None) -> Any:
    from tcm_hf.training.rotated_recipe import RotatedRecipe

    return RotatedRecipe(
        train=train,
        validation=validation,
        classes=classes,
        view=args.view,
        scale=tuple(args.scale) if args.scale else None,
        min_side_px=args.min_side_px,
        tile_px=args.tile,
        tile_overlap_px=args.tile_overlap,
        size=args.size,
        **photo_recipe_values(args),
    )
