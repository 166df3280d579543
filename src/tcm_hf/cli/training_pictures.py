"""Generated pictures and sizes of photos, as `tcm-hf train detector` and `train spotter` take them."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import CORPUS_METAVAR, count_int, positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.synth import add_parser as add_synth_parser
from tcm_hf.cli.synth import run as run_synth


def add_synth_options(group: argparse._ArgumentGroup) -> None:
    """Add which pictures are generated."""
    group.add_argument(
        "--synth", type=count_int, default=0, metavar="N", help="also train on N generated pictures"
    )
    group.add_argument("--synth-seed", type=count_int, default=0, help="other pictures (%(default)s)")
    group.add_argument("--synth-options", default="{}", metavar="JSON", help="see tcm-hf synth --options")
    group.add_argument("--fonts", nargs="+", type=Path, metavar="DIR", help="fonts (the system's)")
    group.add_argument(
        "--backgrounds", nargs="+", metavar=CORPUS_METAVAR, help="annotated photos to write on"
    )
    group.add_argument(
        "--backgrounds-first", type=positive_int, metavar="N", help="only the first N of each folder"
    )


def add_size_option(group: Any) -> None:
    """Add the size that photos are looked at in."""
    group.add_argument(
        "--size",
        type=positive_int,
        nargs=2,
        metavar=("SHORT", "LONG"),
        help="bounds of a whole photo in pixels",
    )


def annotated_photos(args: argparse.Namespace) -> tuple[list[Any], Any]:
    """The corpora of `--train` and that of `--validation`, None where there is none.

    All annotations are read now, before pictures are rendered and torch is imported: a typo should not cost
    an hour.

    Raises:
        CommandError: if a folder, a range or an annotation is broken.
    """
    from tcm_hf.training.corpus_spec import CorpusSpec

    try:
        train = [CorpusSpec.parse(text) for text in args.train]
        validation = CorpusSpec.parse(args.validation) if args.validation else None
        for spec in [*train, *([validation] if validation else [])]:
            spec.records()
    except ValueError as error:
        raise CommandError(str(error)) from error
    return train, validation


def prepared_with_pictures(
    args: argparse.Namespace, recipe: Any, check: Callable[[Any], None], prepare: Callable[[Any], Any]
) -> Any:
    """Render the generated pictures that are missing, and prepare a training.

    Args:
        args: The command line.
        recipe: A `PhotoRecipe`; generated pictures become the last corpus of its `train`.
        check: Finds mistakes of the recipe before pictures are rendered.
        prepare: What the training's `prepare` is.

    Raises:
        CommandError: if the recipe cannot work.
    """
    try:
        if args.synth:
            check(recipe)
            recipe.train.append(_generated(args))
        return prepare(recipe)
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from error


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
    from accelerate import PartialState

    # Of several processes on this machine one renders, the others find the pictures. Our stdout is the path
    # of the model alone.
    with PartialState().local_main_process_first(), contextlib.redirect_stdout(sys.stderr):
        run_synth(synth_args)
    return CorpusSpec(folder, (0, args.synth - 1))
