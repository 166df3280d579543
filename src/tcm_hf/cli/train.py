"""`tcm-hf train`: train a detector on photos and generated pictures, fit its decoding; or a recognizer."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import count_int, positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.synth import add_parser as add_synth_parser
from tcm_hf.cli.synth import run as run_synth
from tcm_hf.cli.train_recognizer import add_recognizer_parser, run_recognizer
from tcm_hf.cli.training_arguments import (
    add_common_schedule_options,
    add_logging_options,
    add_output_options,
    device_values,
    exit_code,
)

DESCRIPTION = """\
Train a text detector. A corpus is a folder of images with metadata.jsonl, one line an image:
{"file_name": "img_1.jpg", "polygons": [[[x, y], ...], ...], "ignore": [false, ...], "texts": [...]}
FOLDER:1-900 takes the images numbered 1 to 900 only. Training goes on from the last checkpoint in OUTPUT;
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
    _add_data_options(parser.add_argument_group("data"))
    _add_synth_options(parser.add_argument_group("generated pictures"))
    _add_model_options(parser.add_argument_group("model"))
    _add_schedule_options(parser.add_argument_group("training"))
    _add_evaluation_options(parser.add_argument_group("evaluation"))


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
    parser.add_argument("--photos", required=True, metavar="FOLDER[:A-B]", help="not those you report on")
    parser.add_argument(
        "--images", type=positive_int, default=100, metavar="N", help="at most N (%(default)s)"
    )
    _add_size_option(parser)


def _add_size_option(group: Any) -> None:
    group.add_argument(
        "--size",
        type=positive_int,
        nargs=2,
        metavar=("SHORT", "LONG"),
        help="bounds of a whole photo in pixels",
    )


def _add_data_options(group: Any) -> None:
    group.add_argument(
        "--train", nargs="+", default=[], metavar="FOLDER[:A-B]", help="corpora to train on, photos first"
    )
    group.add_argument(
        "--weights", nargs="+", type=float, metavar="W", help="share of each corpus, generated pictures last"
    )
    group.add_argument("--validation", metavar="FOLDER[:A-B]", help="photos that choose the best checkpoint")
    add_output_options(group)
    group.add_argument(
        "--cache",
        type=Path,
        default=Path("data_cache"),
        metavar="DIR",
        help="decoded photos and generated pictures (%(default)s)",
    )


def _add_synth_options(group: Any) -> None:
    group.add_argument(
        "--synth", type=count_int, default=0, metavar="N", help="also train on N generated pictures"
    )
    group.add_argument("--synth-seed", type=count_int, default=0, help="other pictures (%(default)s)")
    group.add_argument("--synth-options", default="{}", metavar="JSON", help="see tcm-hf synth --options")
    group.add_argument("--fonts", nargs="+", type=Path, metavar="DIR", help="fonts (the system's)")
    group.add_argument(
        "--backgrounds", nargs="+", metavar="FOLDER[:A-B]", help="annotated photos to write on"
    )
    group.add_argument(
        "--backgrounds-first", type=positive_int, metavar="N", help="only the first N of each folder"
    )


def _add_model_options(group: Any) -> None:
    start = group.add_mutually_exclusive_group()
    start.add_argument("--model", metavar="PATH", help="checkpoint to fine-tune")
    start.add_argument(
        "--preset",
        default="fasttcm-dbnet-tiny",
        metavar="NAME",
        help="start this preset at random (%(default)s)",
    )


def _add_schedule_options(group: Any) -> None:
    add_common_schedule_options(group, 16, "crops")
    group.add_argument(
        "--crop", type=_crop, default=320, metavar="PX", help="side of a crop, multiple of 32 (%(default)s)"
    )
    group.add_argument(
        "--min-text-px", type=float, default=6.0, help="smaller text in a crop is ignored (%(default)s)"
    )
    group.add_argument("--weight-decay", type=float, default=1e-4, help="decay of the weights (%(default)s)")
    group.add_argument(
        "--image-tower-lr-factor",
        type=float,
        help="1 for a preset, 0.1 for --model; 0 fixes the weights, not the batch statistics",
    )
    group.add_argument("--text-tower-lr-factor", type=float, default=0.0, help="0 = frozen (%(default)s)")


def _add_evaluation_options(group: Any) -> None:
    add_logging_options(group)
    group.add_argument(
        "--eval-images",
        type=count_int,
        default=0,
        metavar="N",
        help="validation photos while training; 0 = all",
    )
    group.add_argument(
        "--eval-batch-size", type=positive_int, default=1, help="photos in one forward (%(default)s)"
    )
    _add_size_option(group)
    group.add_argument(
        "--calibration-images",
        type=count_int,
        default=100,
        metavar="N",
        help="training photos that choose the decoding thresholds; 0 keeps the defaults (%(default)s)",
    )


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
    corpora = len(args.train) + bool(args.synth)
    if args.weights and len(args.weights) != corpora:
        raise CommandError(f"--weights needs one number a corpus: got {len(args.weights)} for {corpora}")
    if args.weights and (min(args.weights) < 0 or sum(args.weights) <= 0):
        raise CommandError(f"--weights must be 0 or positive, not all 0: got {args.weights}")
    from tcm_hf.training.corpus_spec import CorpusSpec

    try:
        train = [CorpusSpec.parse(text) for text in args.train]
        validation = CorpusSpec.parse(args.validation) if args.validation else None
        # Read before pictures are rendered and torch is imported: a typo should not cost an hour.
        for spec in [*train, *([validation] if validation else [])]:
            spec.records()
    except ValueError as error:
        raise CommandError(str(error)) from error
    from tcm_hf.training.recipe import check_recipe, prepare, train_detector

    recipe = _recipe(args, train, validation)
    try:
        if args.synth:
            check_recipe(recipe)
            recipe.train.append(_generated(args))
        prepared = prepare(recipe)
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from error
    return exit_code(train_detector(prepared), args.output)


def _recipe(args: argparse.Namespace, train: list[Any], validation: Any) -> Any:
    from tcm_hf.training.recipe import DetectorRecipe

    return DetectorRecipe(
        train=train,
        output=args.output,
        weights=args.weights,
        validation=validation,
        model=args.model,
        preset=args.preset,
        crop=args.crop,
        size=tuple(args.size) if args.size else None,
        min_text_px=args.min_text_px,
        eval_images=args.eval_images,
        calibration_images=args.calibration_images,
        cache=args.cache / "decoded",
        arguments=_training_arguments(args),
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


def _generated(args: argparse.Namespace) -> Any:
    """The corpus of generated pictures; renders those that are not there yet."""
    from tcm_hf.training.corpus_spec import CorpusSpec

    options = ["--seed", str(args.synth_seed), "--options", args.synth_options]
    if args.fonts:
        options += ["--fonts", *map(str, args.fonts)]
    if args.backgrounds:
        options += ["--backgrounds", *args.backgrounds]
    if args.backgrounds_first:
        options += ["--backgrounds-first", str(args.backgrounds_first)]
    # Other settings, another folder: what was rendered once is never mixed up, and more pictures only add.
    key = hashlib.sha1("\n".join(options).encode()).hexdigest()[:10]
    folder = args.cache / f"synth-{key}"
    parser = argparse.ArgumentParser()
    add_synth_parser(parser.add_subparsers())
    synth_args = parser.parse_args(
        ["synth", "--output", str(folder), "--count", str(args.synth), "--size", "640x640", *options]
    )
    with contextlib.redirect_stdout(sys.stderr):  # our stdout is the path of the model alone
        run_synth(synth_args)
    return CorpusSpec(folder, (0, args.synth - 1))


def _training_arguments(args: argparse.Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {
        "max_steps": args.steps,
        "per_device_train_batch_size": args.batch_size,
        "per_device_eval_batch_size": args.eval_batch_size,
        "learning_rate": args.learning_rate,
        "weight_decay": args.weight_decay,
        "text_tower_lr_factor": args.text_tower_lr_factor,
        "average_decay": args.average_decay,
        "bf16": args.bf16,
        "channels_last": args.channels_last,
        "seed": args.seed,
        "eval_steps": args.eval_steps,
        "save_steps": args.eval_steps,
        "logging_steps": args.log_steps,
        "dataloader_num_workers": args.workers,
    }
    if args.image_tower_lr_factor is not None:
        values["image_tower_lr_factor"] = args.image_tower_lr_factor
    return {**values, **device_values(args.device)}


def _crop(text: str) -> int:
    value = int(text)
    if value < 32 or value % 32:
        raise argparse.ArgumentTypeError(f"expected a multiple of 32, got {text}")
    return value


_RUN_BY_KIND = {"detector": _run_detector, "decoding": _run_decoding, "recognizer": run_recognizer}
