"""`tcm-hf train spotter`: train one model that finds words and reads them."""

from __future__ import annotations

import argparse
import json
from typing import Any

from tcm_hf.cli.arguments import ABOUT_CORPORA, CORPUS_METAVAR, checkpoint
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import DETECTOR, SPOTTER, check_model_name
from tcm_hf.cli.optimization_arguments import SCHEDULES, add_optimization_options
from tcm_hf.cli.training_arguments import (
    add_common_schedule_options,
    add_photo_evaluation_options,
    add_photo_options,
    add_revision_option,
    add_tower_options,
    check_weights,
    crop_px,
    exit_code,
    photo_recipe_values,
)
from tcm_hf.cli.training_pictures import (
    add_size_option,
    add_synth_options,
    annotated_photos,
    prepared_with_pictures,
)

DESCRIPTION = f"""\
Train a spotter, one model that finds words and reads them (TESTR, ABCNet or DeepSolo on TCM / FastTCM).
{ABOUT_CORPORA}
The plainest is a folder of images with metadata.jsonl, one line an image:
{{"file_name": "img_1.jpg", "polygons": [[[x, y], ...], ...], "texts": ["exit", ...], "ignore": [false, ...]}}
Word pictures (--words: an LMDB as tcm-hf synth-words makes it, another corpus of crops, or annotated photos)
are pasted on pages, twenty on a crop: reading is learned from them in a fraction of the time that photos
take. Training goes on from the last checkpoint in OUTPUT.
The final model lies in OUTPUT itself: tcm-hf read --model OUTPUT photo.jpg
"""


def add_spotter_parser(kinds: Any) -> None:
    """Add the kind `spotter` to the verb `train`."""
    parser = kinds.add_parser(
        "spotter",
        help="one model that finds words and reads them",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    data = parser.add_argument_group("data")
    add_photo_options(data, ": photos, generated pictures, words")
    data.add_argument(
        "--words", nargs="+", default=[], metavar=CORPUS_METAVAR, help="word pictures to paste on pages"
    )
    add_synth_options(parser.add_argument_group("generated pictures"))
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        type=checkpoint,
        metavar="PATH|ID",
        help="spotter to fine-tune, or text detector whose backbone the spotter of --preset begins with",
    )
    add_revision_option(model)
    model.add_argument(
        "--preset", metavar="NAME", help="head and sizes (fasttcm-abcnet-tiny); none with a spotter"
    )
    model.add_argument(
        "--charset",
        metavar="CHARS",
        help="what it reads (the tiny presets: digits, lower case, signs); none with a spotter",
    )
    model.add_argument(
        "--head-options", type=_options, default={}, metavar="JSON", help="fields of the preset's head config"
    )
    _add_schedule_options(parser.add_argument_group("training"))
    evaluation = parser.add_argument_group("evaluation")
    add_photo_evaluation_options(evaluation, "the thresholds of place and text")
    add_size_option(evaluation)


def _add_schedule_options(group: argparse._ArgumentGroup) -> None:
    add_common_schedule_options(group, 8, "crops")
    group.add_argument(
        "--crop", type=crop_px, default=320, metavar="PX", help="side of a crop, multiple of 32 (%(default)s)"
    )
    group.add_argument(
        "--scale",
        type=float,
        nargs=2,
        default=(0.6, 2.0),
        metavar=("MIN", "MAX"),
        help="zoom of the crops (0.6 2)",
    )
    group.add_argument(
        "--min-text-px", type=float, default=7.0, help="lower text in a crop is ignored (%(default)s)"
    )
    add_tower_options(group)
    add_optimization_options(group, tuple(SCHEDULES), "0.02", "1")


def run_spotter(args: argparse.Namespace) -> int:
    """Run the kind.

    Returns:
        0 when the training is done, 130 when a signal stopped it (a checkpoint is there to go on from).

    Raises:
        CommandError: For arguments, folders and annotations that cannot work.
    """
    if not (args.train or args.synth or args.words):
        raise CommandError("give --train FOLDER, --synth N, --words PATH, or several of them")
    if args.model:
        check_model_name("--model", args.model, DETECTOR, SPOTTER)
    check_weights(args.weights, len(args.train) + bool(args.synth) + len(args.words))
    if not 0 < args.scale[0] <= args.scale[1]:
        raise CommandError(f"--scale needs two positive numbers, the smaller first: got {args.scale}")
    train, validation = annotated_photos(args)
    from tcm_hf.training.recognition_words import WordSpec

    try:
        words = [WordSpec.parse(text) for text in args.words]
    except ValueError as error:
        raise CommandError(str(error)) from error
    if any(spec.weight is not None for spec in words):
        raise CommandError("--words takes no weights here: give them with --weights, after those of --train")
    from tcm_hf.training.spotting_recipe import check_spotter_recipe, prepare_spotter, train_spotter

    recipe = _recipe(args, train, validation, words)
    prepared = prepared_with_pictures(args, recipe, check_spotter_recipe, prepare_spotter)
    return exit_code(train_spotter(prepared), args.output)


def _recipe(args: argparse.Namespace, train: list[Any], validation: Any, words: list[Any]) -> Any:
    from tcm_hf.training.spotting_recipe import SpotterRecipe

    return SpotterRecipe(
        train=train,
        validation=validation,
        words=words,
        head_config=args.head_options,
        scale=tuple(args.scale),
        size=tuple(args.size) if args.size else None,
        min_text_px=args.min_text_px,
        charset=args.charset,
        **(photo_recipe_values(args) | {"preset": args.preset or ""}),
    )


def _options(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from error
    if not isinstance(options, dict):
        raise argparse.ArgumentTypeError(f'expected a JSON object, e.g. {{"num_convs": 2}}: got {text}')
    return options
