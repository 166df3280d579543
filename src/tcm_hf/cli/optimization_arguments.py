"""How a model is optimised: what all kinds of `tcm-hf train` ask for alike."""

import argparse
from typing import Any

from tcm_hf.cli.arguments import positive_int

SCHEDULES = {
    "poly": "polynomial",
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant_with_warmup",
}
"""What a schedule is called here -> what transformers calls it."""

# Options that are fields of the training arguments by another name.
_FIELDS = {
    "optimizer": "optimizer",
    "momentum": "momentum",
    "warm_up": "warmup_steps",
    "clip_grad": "max_grad_norm",
    "accumulate": "gradient_accumulation_steps",
    "fp16": "fp16",
    "early_stopping": "early_stopping_patience",
    "replay": "replay_share",
    "replay_round": "replay_round_steps",
}


def add_optimization_options(
    group: argparse._ArgumentGroup, schedules: tuple[str, ...], warm_up: str, clip_grad: str
) -> None:
    """Add optimizer, schedule, accumulation, checkpointing, early stopping and replay.

    Args:
        group: Of the kind's parser.
        schedules: Those that there are, the default first.
        warm_up: The default, for the help.
        clip_grad: The default, for the help.
    """
    group.add_argument(
        "--optimizer", choices=("adamw", "sgd", "ranger"), default="adamw", help="how to learn (%(default)s)"
    )
    group.add_argument("--momentum", type=float, metavar="M", help="of sgd (0.9)")
    group.add_argument(
        "--schedule",
        choices=schedules,
        default=schedules[0],
        help="how the learning rate falls (%(default)s)",
    )
    group.add_argument(
        "--warm-up", type=float, metavar="N", help=f"steps, or their share, of rising rate ({warm_up})"
    )
    group.add_argument(
        "--clip-grad", type=float, metavar="NORM", help=f"largest norm of the gradient; 0 = any ({clip_grad})"
    )
    group.add_argument(
        "--accumulate",
        type=positive_int,
        metavar="N",
        help="a step of the mean gradient of N batches, in the memory of one (1); norms and balanced losses "
        "see each batch for itself",
    )
    group.add_argument(
        "--gradient-checkpointing",
        action="store_true",
        help="compute activations again in the backward pass: less memory, slower, the same result",
    )
    group.add_argument(
        "--early-stopping",
        type=positive_int,
        metavar="N",
        help="end after N evaluations without a better score (never)",
    )
    group.add_argument(
        "--replay", type=float, metavar="SHARE", help="share of the samples that are hard ones again (0)"
    )
    group.add_argument(
        "--replay-round",
        type=positive_int,
        metavar="N",
        help="the hardest of N steps come again in the N steps after the next N (100)",
    )


def optimization_values(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of the training arguments that the options of this file set."""
    from tcm_hf.training.arguments import RECOMPUTE_FIELD

    values = {field: getattr(args, option) for option, field in _FIELDS.items()}
    values["lr_scheduler_type"] = SCHEDULES[args.schedule]
    if args.gradient_checkpointing:
        values[RECOMPUTE_FIELD] = True
    return {name: value for name, value in values.items() if value is not None}
