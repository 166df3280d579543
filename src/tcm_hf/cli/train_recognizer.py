"""`tcm-hf train recognizer`: train a word recognizer on word crops, generated or cut from photos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import ABOUT_CORPORA, CORPUS_METAVAR, checkpoint, count_int, positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.optimization_arguments import add_optimization_options, optimization_values
from tcm_hf.cli.training_arguments import (
    add_common_schedule_options,
    add_logging_options,
    add_output_options,
    add_revision_option,
    device_values,
    exit_code,
    start_model,
)

DESCRIPTION = f"""\
Train a word recognizer (CLIP4STR). Words come from corpora of crops (LMDBs as tcm-hf synth-words makes them,
folders with labels, IIIT5K, ...) and of annotated photos, whose legible words are cut out.
{ABOUT_CORPORA}
Of an LMDB they are the numbers of the samples. =0.85 behind a corpus is its weight in the mix. The first
part of the training brings image and caption together (contrast) and teaches letters (CTC), the rest is
permutation language modelling. Training goes on from the last checkpoint in OUTPUT.
The final model lies in OUTPUT itself: tcm-hf recognize --model OUTPUT crop.jpg
"""

# Options that are fields of `TextRecognitionTrainingArguments` by another name.
_FIELDS = {
    "steps": "max_steps",
    "batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "log_steps": "logging_steps",
    "workers": "dataloader_num_workers",
    "permutations": "num_permutations",
    "final_permutations": "final_num_permutations",
}
_SAME_NAME = (
    "learning_rate",
    "weight_decay",
    "average_decay",
    "bf16",
    "channels_last",
    "seed",
    "eval_steps",
    "contrastive_steps",
    "contrastive_weight",
    "ctc_weight",
    "ctc_auxiliary_weight",
    "final_permutations_from",
    "decoder_lr_factor",
    "image_tower_lr_factor",
    "text_tower_lr_factor",
)


def add_recognizer_parser(kinds: Any) -> None:
    """Add the kind `recognizer` to the verb `train`."""
    parser = kinds.add_parser(
        "recognizer",
        help="a word recognizer (CLIP4STR)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_data_options(parser.add_argument_group("data"))
    _add_model_options(parser.add_argument_group("model"))
    _add_schedule_options(parser.add_argument_group("training"))
    _add_stage_options(parser.add_argument_group("what is learned when"))
    _add_evaluation_options(parser.add_argument_group("evaluation"))


def _add_data_options(group: Any) -> None:
    group.add_argument(
        "--words", nargs="+", required=True, metavar=f"{CORPUS_METAVAR}[=W]", help="words to train on"
    )
    group.add_argument("--validation", metavar=CORPUS_METAVAR, help="words that choose the best checkpoint")
    add_output_options(group)


def _add_model_options(group: Any) -> None:
    start = group.add_mutually_exclusive_group()
    start.add_argument(
        "--model",
        type=checkpoint,
        metavar="PATH|ID",
        help="checkpoint to fine-tune; also a shipped one's name",
    )
    start.add_argument(
        "--preset", default="clip4str-tiny", metavar="NAME", help="start it at random (%(default)s)"
    )
    start.add_argument("--config", type=Path, metavar="FILE", help="start this config.json at random")
    add_revision_option(group)
    group.add_argument("--charset", metavar="CHARS", help="what a model started at random reads")


def _add_schedule_options(group: Any) -> None:
    add_common_schedule_options(group, 128, "words")
    group.add_argument("--weight-decay", type=float, default=0.1, help="decay of matrices (%(default)s)")
    for part in ("decoder", "image-tower", "text-tower"):
        group.add_argument(
            f"--{part}-lr-factor", type=float, default=1.0, metavar="F", help="0 = frozen (%(default)s)"
        )
    add_optimization_options(group, ("cosine", "poly"), "0.075", "20")
    group.add_argument(
        "--attention", choices=("sdpa", "eager"), help="how it is computed; eager can be faster on a CPU"
    )
    group.add_argument("--threads", type=positive_int, metavar="N", help="threads of the training process")


def _add_stage_options(group: Any) -> None:
    group.add_argument(
        "--contrastive-steps",
        type=float,
        metavar="N",
        help="warm-up with contrast and CTC: steps, or their share (0.15; 0 with --model)",
    )
    group.add_argument(
        "--contrastive-weight", type=float, default=0.2, metavar="W", help="contrast in it (%(default)s)"
    )
    group.add_argument("--ctc-weight", type=float, default=1.0, metavar="W", help="CTC in it (%(default)s)")
    group.add_argument(
        "--ctc-auxiliary-weight",
        type=float,
        default=0.1,
        metavar="W",
        help="CTC after it, falling to 0 (%(default)s)",
    )
    group.add_argument(
        "--permutations", type=positive_int, metavar="N", help="orders of a word at first (2; 6 with --model)"
    )
    group.add_argument(
        "--final-permutations", type=positive_int, default=6, metavar="N", help="at the end (%(default)s)"
    )
    group.add_argument(
        "--final-permutations-from",
        type=float,
        default=0.67,
        metavar="SHARE",
        help="share of the steps before (%(default)s)",
    )


def _add_evaluation_options(group: Any) -> None:
    add_logging_options(group)
    group.add_argument(
        "--eval-words",
        type=count_int,
        default=1000,
        metavar="N",
        help="validation words while training; 0 = all (%(default)s)",
    )
    group.add_argument(
        "--eval-batch-size", type=positive_int, default=64, help="words in one forward (%(default)s)"
    )


def run_recognizer(args: argparse.Namespace) -> int:
    """Run the kind.

    Returns:
        0 when the training is done, 130 when a signal stopped it (a checkpoint is there to go on from).

    Raises:
        CommandError: For arguments, paths and labels that cannot work.
    """
    from tcm_hf.training.recognition_words import WordSpec

    try:
        words = [WordSpec.parse(text) for text in args.words]
        validation = WordSpec.parse(args.validation) if args.validation else None
    except ValueError as error:
        raise CommandError(str(error)) from error
    _limit_threads(args.threads)
    from tcm_hf.training.recognition_recipe import RecognizerRecipe, prepare_recognizer, train_recognizer

    recipe = RecognizerRecipe(
        words=words,
        output=args.output,
        validation=validation,
        model=start_model(args),
        preset=args.preset,
        config=args.config,
        charset=args.charset,
        attention=args.attention,
        eval_words=args.eval_words,
        save_minutes=args.save_minutes,
        command=getattr(args, "command_line", ""),
        arguments=_training_arguments(args),
    )
    try:
        prepared = prepare_recognizer(recipe)
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(str(error)) from error
    return exit_code(train_recognizer(prepared), args.output)


def _limit_threads(count: int | None) -> None:
    if count is not None:
        import torch

        torch.set_num_threads(count)


def _training_arguments(args: argparse.Namespace) -> dict[str, Any]:
    names = {**_FIELDS, **{name: name for name in _SAME_NAME}}
    values = {field: getattr(args, option) for option, field in names.items()}
    values["save_steps"] = args.eval_steps
    given = {name: value for name, value in values.items() if value is not None}
    return {**given, **optimization_values(args), **device_values(args.device)}
