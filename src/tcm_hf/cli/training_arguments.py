"""What the kinds of `tcm-hf train` ask for alike, and how they end."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import CORPUS_METAVAR, checkpoint, count_int, positive_int
from tcm_hf.cli.errors import CommandError
from tcm_hf.cli.load_models import pinned
from tcm_hf.cli.optimization_arguments import optimization_values


def add_output_options(group: argparse._ArgumentGroup) -> None:
    """Add where the model goes, and who prepares the samples."""
    group.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="checkpoints and the final model"
    )
    group.add_argument(
        "--workers", type=count_int, default=1, help="processes that prepare samples (%(default)s)"
    )


def add_photo_options(group: argparse._ArgumentGroup, generated_last: str = "") -> None:
    """Add which photos are learned from.

    Args:
        group: Of the kind's parser.
        generated_last: How the help of the weights goes on where generated pictures can be among them.
    """
    group.add_argument(
        "--train", nargs="+", default=[], metavar=CORPUS_METAVAR, help="corpora to train on, photos first"
    )
    group.add_argument(
        "--weights", nargs="+", type=float, metavar="W", help=f"share of each corpus{generated_last}"
    )
    group.add_argument("--validation", metavar=CORPUS_METAVAR, help="photos that choose the best checkpoint")
    add_output_options(group)
    group.add_argument(
        "--cache",
        type=Path,
        default=Path("data_cache"),
        metavar="DIR",
        help="decoded photos and generated pictures (%(default)s)",
    )


def check_weights(weights: list[float] | None, corpora: int) -> None:
    """Check that there is a weight for each corpus.

    Raises:
        CommandError: if there are others, or none is positive.
    """
    if weights and len(weights) != corpora:
        raise CommandError(f"--weights needs one number a corpus: got {len(weights)} for {corpora}")
    if weights and (min(weights) < 0 or sum(weights) <= 0):
        raise CommandError(f"--weights must be 0 or positive, not all 0: got {weights}")


def add_start_options(group: argparse._ArgumentGroup, preset: str) -> None:
    """Add what training starts from; `preset` is the default."""
    start = group.add_mutually_exclusive_group()
    start.add_argument(
        "--model",
        type=checkpoint,
        metavar="PATH|ID",
        help="checkpoint to fine-tune; also a shipped one's name",
    )
    start.add_argument(
        "--preset", default=preset, metavar="NAME", help="start this preset at random (%(default)s)"
    )
    add_revision_option(group)


def add_revision_option(group: argparse._ArgumentGroup) -> None:
    """Add which state of a model on the Hub is meant."""
    group.add_argument(
        "--revision", metavar="NAME", help="branch, tag or commit of --model ID (default: main)"
    )


def start_model(args: argparse.Namespace) -> str | None:
    """What `--model` and `--revision` name; None where training starts at random.

    Raises:
        CommandError: if there is no such model, or no such revision of it.
    """
    if args.model is None:
        if args.revision is not None:
            raise CommandError("--revision is of a model of the Hub: give --model ID, too")
        return None
    if Path(args.model).is_dir() or args.revision is not None:
        return pinned("--model", args.model, args.revision)
    # A model of the Hub is pinned in any case: the report names the commit, and going on starts from it.
    return _begun_with(args.output, args.model) or pinned("--model", args.model, "main")


def _begun_with(output: Path, model: str) -> str | None:
    """The commit of a Hub model from which the training in a folder was begun, if the cache has it still."""
    from tcm_hf.hub.measurements import hub_source

    path = output / "training_settings.json"
    try:
        begun = json.loads(path.read_text(encoding="utf-8")).get("model")
    except (OSError, ValueError, AttributeError):  # the training is new; or going on tells what is wrong
        return None
    source = hub_source(str(begun))
    if source is None or source[0] != model or not Path(begun).is_dir():
        return None
    print(f"Going on with {model} at {source[1]}, from which the training was begun.", file=sys.stderr)
    return str(begun)


def add_tower_options(
    group: argparse._ArgumentGroup,
    text_tower_factor: float | None = 0.0,
    about_text_tower: str = "0 = frozen (%(default)s)",
) -> None:
    """Add how fast the parts of a model on TCM's backbone learn; the last two are of the text tower."""
    group.add_argument("--weight-decay", type=float, default=1e-4, help="decay of the weights (%(default)s)")
    group.add_argument(
        "--image-tower-lr-factor",
        type=float,
        help="1 for a preset, 0.1 for --model; 0 = frozen",
    )
    group.add_argument("--text-tower-lr-factor", type=float, default=text_tower_factor, help=about_text_tower)


def add_photo_evaluation_options(group: argparse._ArgumentGroup, chosen: str) -> None:
    """Add how a model is scored on photos.

    Args:
        group: Of the kind's parser.
        chosen: What the calibration photos choose.
    """
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
    group.add_argument(
        "--calibration-images",
        type=count_int,
        default=100,
        metavar="N",
        help=f"training photos that choose {chosen}; 0 keeps the defaults (%(default)s)",
    )


def crop_px(text: str) -> int:
    """The side of a training crop."""
    value = int(text)
    if value < 32 or value % 32:
        raise argparse.ArgumentTypeError(f"expected a multiple of 32, got {text}")
    return value


def photo_recipe_values(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `PhotoRecipe` that the options of this file set, all but the corpora."""
    names = ("output", "weights", "preset", "crop", "eval_images", "calibration_images")
    return {
        **{name: getattr(args, name) for name in (*names, "save_minutes")},
        "model": start_model(args),
        "command": getattr(args, "command_line", ""),
        "cache": args.cache / "decoded",
        "arguments": photo_training_values(args),
    }


def photo_training_values(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `TCMTrainingArguments` that the options of this file set."""
    values: dict[str, Any] = {
        "max_steps": args.steps,
        "per_device_train_batch_size": args.batch_size,
        "per_device_eval_batch_size": args.eval_batch_size,
        "learning_rate": args.learning_rate,
        "weight_decay": args.weight_decay,
        "average_decay": args.average_decay,
        "bf16": args.bf16,
        "channels_last": args.channels_last,
        "seed": args.seed,
        "eval_steps": args.eval_steps,
        "save_steps": args.eval_steps,
        "logging_steps": args.log_steps,
        "dataloader_num_workers": args.workers,
    }
    factors = {name: getattr(args, name) for name in ("image_tower_lr_factor", "text_tower_lr_factor")}
    values |= {name: factor for name, factor in factors.items() if factor is not None}
    return {**values, **optimization_values(args), **device_values(args.device)}


def add_common_schedule_options(group: argparse._ArgumentGroup, batch_size: int, batch_of: str) -> None:
    """Add how long is trained, on how much at once, and where.

    Args:
        group: Of the kind's parser.
        batch_size: The default.
        batch_of: What a batch has.
    """
    group.add_argument("--steps", type=positive_int, default=20000, help="optimizer steps (%(default)s)")
    group.add_argument(
        "--batch-size",
        type=positive_int,
        default=batch_size,
        help=f"{batch_of} in a batch, of each process where there are several (%(default)s)",
    )
    group.add_argument("--learning-rate", type=float, default=1e-3, help="peak learning rate (%(default)s)")
    group.add_argument(
        "--average-decay", type=float, default=0.998, help="average of the weights; 0 = off (%(default)s)"
    )
    precision = group.add_mutually_exclusive_group()
    precision.add_argument("--bf16", action="store_true", help="mixed precision in bfloat16")
    precision.add_argument("--fp16", action="store_true", help="mixed precision in float16 (GPU only)")
    group.add_argument("--channels-last", action="store_true", help="channels-last memory order")
    group.add_argument(
        "--device", choices=("auto", "cpu"), default="auto", help="where to train (%(default)s)"
    )
    group.add_argument("--seed", type=count_int, default=0, help="of weights and samples (%(default)s)")


def add_logging_options(group: argparse._ArgumentGroup) -> None:
    """Add how often is looked at the model, and at the loss, and how often it is saved."""
    group.add_argument(
        "--eval-steps",
        type=positive_int,
        default=500,
        help="between evaluations and checkpoints (%(default)s)",
    )
    group.add_argument(
        "--log-steps", type=positive_int, default=20, help="between lines of the log (%(default)s)"
    )
    group.add_argument(
        "--save-minutes", type=float, default=0.0, metavar="M", help="a checkpoint every M minutes, too"
    )


def device_values(device: str) -> dict[str, Any]:
    """The fields of the training arguments that `--device` sets."""
    return {"use_cpu": True, "dataloader_pin_memory": False} if device == "cpu" else {}


def exit_code(model: Any, output: Path) -> int:
    """Say where the model lies, or that a signal stopped the training (no model); returns the exit code."""
    if os.environ.get("RANK", "0") != "0":  # the first of several processes speaks for all
        return 130 if model is None else 0
    if model is None:
        print(f"Stopped. The same command goes on from the last checkpoint in {output}.", file=sys.stderr)
        return 130
    print(output)
    return 0
