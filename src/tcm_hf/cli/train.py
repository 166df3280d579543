"""`tcm-hf train`: train a detector on photos and generated pictures, fit its decoding; or a recognizer."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import ABOUT_CORPORA, CORPUS_METAVAR, positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.optimization_arguments import SCHEDULES, add_optimization_options
from tcm_hf.cli.train_recognizer import add_recognizer_parser, run_recognizer
from tcm_hf.cli.train_rotated import add_rotated_parser, run_rotated
from tcm_hf.cli.train_spotter import add_spotter_parser, run_spotter
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
from tcm_hf.cli.training_pictures import (
    add_size_option,
    add_synth_options,
    annotated_photos,
    prepared_with_pictures,
)

DESCRIPTION = f"""\
Train a text detector.
{ABOUT_CORPORA}
The plainest is a folder of images with metadata.jsonl, one line an image:
{{"file_name": "img_1.jpg", "polygons": [[[x, y], ...], ...], "ignore": [false, ...], "texts": [...]}}
Training goes on from the last checkpoint in OUTPUT;
model, preset and crop must then be those it began with.
The final model lies in OUTPUT itself: tcm-hf detect --model OUTPUT photo.jpg
"""


def add_parser(subparsers: Any) -> None:
    """Add the verb `train` with its kinds `detector`, `decoding` and `recognizer` to the command line."""
    train = subparsers.add_parser("train", help="train a model on your own data")
    kinds = train.add_subparsers(dest="kind", required=True, metavar="KIND")
    parser = kinds.add_parser(
        "detector",
        help="a text detector (TCM / FastTCM with DBNet, PAN or FCENet)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_decoding_parser(kinds)
    add_recognizer_parser(kinds)
    add_spotter_parser(kinds)
    add_rotated_parser(kinds)
    add_photo_options(parser.add_argument_group("data"), ", generated pictures last")
    add_synth_options(parser.add_argument_group("generated pictures"))
    add_start_options(parser.add_argument_group("model"), "fasttcm-dbnet-tiny")
    _add_schedule_options(parser.add_argument_group("training"))
    evaluation = parser.add_argument_group("evaluation")
    add_photo_evaluation_options(evaluation, "the decoding thresholds")
    add_size_option(evaluation)


def _add_decoding_parser(kinds: Any) -> None:
    parser = kinds.add_parser(
        "decoding",
        help="choose the thresholds of a trained detector",
        description="Choose the decoding of a trained detector (score threshold and what its head needs "
        "besides) by hmean on annotated photos; it goes into preprocessor_config.json, the scores to stdout "
        "as JSON.",
    )
    parser.add_argument(
        "--model", required=True, type=Path, metavar="DIR", help="checkpoint; gets the settings"
    )
    parser.add_argument("--photos", required=True, metavar=CORPUS_METAVAR, help="not those you report on")
    parser.add_argument(
        "--images", type=positive_int, default=100, metavar="N", help="at most N (%(default)s)"
    )
    add_size_option(parser)


def _add_schedule_options(group: Any) -> None:
    add_common_schedule_options(group, 16, "crops")
    group.add_argument(
        "--crop", type=crop_px, default=320, metavar="PX", help="side of a crop, multiple of 32 (%(default)s)"
    )
    group.add_argument(
        "--min-text-px", type=float, default=6.0, help="smaller text in a crop is ignored (%(default)s)"
    )
    group.add_argument(
        "--augmentation",
        choices=("default", "papers"),
        default="default",
        help="how photos are changed: ours, or as in TCM's papers (%(default)s)",
    )
    add_tower_options(group)
    add_optimization_options(group, tuple(SCHEDULES), "0.02", "5")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Returns:
        0 when the training is done, 130 when a signal stopped it (a checkpoint is there to go on from).

    Raises:
        CommandError: For arguments, folders and annotations that cannot work.
    """
    return _RUN_BY_KIND[args.kind](args)


def _run_detector(args: argparse.Namespace) -> int:
    if not args.train and not args.synth:
        raise CommandError("give --train FOLDER, --synth N, or both")
    check_weights(args.weights, len(args.train) + bool(args.synth))
    train, validation = annotated_photos(args)
    from tcm_hf.training.recipe import check_recipe, prepare, train_detector

    recipe = _recipe(args, train, validation)
    prepared = prepared_with_pictures(args, recipe, check_recipe, prepare)
    return exit_code(train_detector(prepared), args.output)


def _recipe(args: argparse.Namespace, train: list[Any], validation: Any) -> Any:
    from tcm_hf.training.recipe import DetectorRecipe

    return DetectorRecipe(
        train=train,
        validation=validation,
        size=tuple(args.size) if args.size else None,
        min_text_px=args.min_text_px,
        augmentation=args.augmentation,
        **photo_recipe_values(args),
    )


def _run_decoding(args: argparse.Namespace) -> int:
    if not (args.model / "preprocessor_config.json").is_file():
        raise CommandError(f"expected a checkpoint with preprocessor_config.json: {args.model} is none")
    from tcm_hf.training.corpus_spec import CorpusSpec

    try:
        records = CorpusSpec.parse(args.photos).records()
    except ValueError as error:
        raise CommandError(str(error)) from error
    from tcm_hf.processing.image_processing_tcm import TCMImageProcessor
    from tcm_hf.training.recipe import fit_decoding
    from tcm_hf.training.running import spread_evenly

    image_processor = TCMImageProcessor.from_pretrained(args.model)
    if args.size:
        image_processor.size = {"shortest_edge": min(args.size), "longest_edge": max(args.size)}
    chosen = fit_decoding(args.model, spread_evenly(records, args.images), image_processor)
    print(json.dumps(chosen, indent=2))
    return 0


_RUN_BY_KIND = {
    "detector": _run_detector,
    "decoding": _run_decoding,
    "recognizer": run_recognizer,
    "rotated": run_rotated,
    "spotter": run_spotter,
}
