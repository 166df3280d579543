"""What the kinds of `tcm-hf experiment` ask for alike."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import checkpoint, count_int, positive_int
from tcm_hf.cli.training_arguments import crop_px

# Options that are fields of `Budget` under the same name.
_BUDGET = (
    "preset",
    "steps",
    "batch_size",
    "crop",
    "learning_rate",
    "image_tower_lr_factor",
    "average_decay",
    "min_text_px",
    "calibration_images",
    "decodings",
    "bf16",
    "channels_last",
    "workers",
    "save_steps",
)


def add_common_options(group: Any) -> None:
    """Add the corpora, the seeds and the output."""
    group.add_argument("--train", required=True, nargs="+", metavar="CORPUS", help="FOLDER or FOLDER:1-900")
    group.add_argument(
        "--validation", required=True, nargs="+", metavar="CORPUS", help="photos that are reported on"
    )
    group.add_argument("--output", required=True, type=Path, metavar="DIR", help="tables, plots, models")
    group.add_argument(
        "--seeds", nargs="+", type=count_int, default=[0, 1, 2], metavar="N", help="a training each (0 1 2)"
    )
    group.add_argument(
        "--dry-run", action="store_true", help="print which runs are done and which are to be made"
    )


def add_budget_options(group: Any) -> None:
    """Add what all trainings have in common."""
    group.add_argument("--preset", default="fasttcm-dbnet-tiny", help="of the models (%(default)s)")
    group.add_argument(
        "--start",
        type=checkpoint,
        metavar="PATH",
        help="checkpoint: all rows begin with the weights of it that fit all",
    )
    group.add_argument(
        "--start-only",
        nargs="+",
        default=[""],
        metavar="PREFIX",
        help="of --start only weights of these names",
    )
    group.add_argument("--steps", type=positive_int, default=1000, help="of a training (%(default)s)")
    group.add_argument("--batch-size", type=positive_int, default=8, help="crops a step (%(default)s)")
    group.add_argument("--crop", type=crop_px, default=320, metavar="PX", help="side of a crop (%(default)s)")
    group.add_argument("--learning-rate", type=float, default=1e-3, help="peak rate (%(default)s)")
    group.add_argument(
        "--image-tower-lr-factor", type=float, metavar="F", help="0.1 after a checkpoint, else 1"
    )
    group.add_argument("--average-decay", type=float, default=0.99, help="of the weights (%(default)s)")
    group.add_argument("--min-text-px", type=float, default=6.0, help="least text in a crop (%(default)s)")
    group.add_argument(
        "--size", type=positive_int, nargs=2, metavar=("SHORT", "LONG"), help="bounds of a whole photo"
    )
    group.add_argument(
        "--calibration-images",
        type=positive_int,
        default=40,
        metavar="N",
        help="of a run's training photos, to choose its decoding (%(default)s)",
    )
    group.add_argument(
        "--decodings", type=count_int, default=0, metavar="N", help="try at most N decodings; 0 = all"
    )
    group.add_argument("--bf16", action="store_true", help="mixed precision, in scoring too")
    group.add_argument("--channels-last", action="store_true", help="memory order that may be faster")
    group.add_argument("--device", choices=("auto", "cpu"), default="auto", help="where (%(default)s)")
    group.add_argument("--workers", type=count_int, default=1, help="that prepare samples (%(default)s)")
    group.add_argument(
        "--save-steps", type=positive_int, default=500, help="between checkpoints (%(default)s)"
    )
    group.add_argument(
        "--cache", type=Path, default=Path("data_cache"), metavar="DIR", help="decoded photos (%(default)s)"
    )


def budget_of(args: argparse.Namespace) -> Any:
    """The `Budget` of the options."""
    from tcm_hf.experiments.budget import Budget

    return Budget(
        **{name: getattr(args, name) for name in _BUDGET},
        size=tuple(args.size) if args.size else None,
        cache=args.cache / "decoded",
        cpu=args.device == "cpu",
    )


def percent(text: str) -> float:
    """A share above 0 and at most 100."""
    value = float(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a share above 0 and at most 100 percent")
    return value


def lr_factors(text: str) -> tuple[float, float]:
    """Two factors of 0 or more, as 0.1/0."""
    image, _, other = text.partition("/")
    values = (float(image), float(other))
    if min(values) < 0:
        raise argparse.ArgumentTypeError(f"{text} has a factor below 0")
    return values
