"""What `tcm-hf train detector` and `train recognizer` ask for alike, and how both end."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tcm_hf.cli.arguments import count_int, positive_int


def add_output_options(group: argparse._ArgumentGroup) -> None:
    """Add where the model goes, and who prepares the samples."""
    group.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="checkpoints and the final model"
    )
    group.add_argument(
        "--workers", type=count_int, default=1, help="processes that prepare samples (%(default)s)"
    )


def add_common_schedule_options(group: argparse._ArgumentGroup, batch_size: int, batch_of: str) -> None:
    """Add how long is trained, on how much at once, and where.

    Args:
        group: Of the kind's parser.
        batch_size: The default.
        batch_of: What a batch has.
    """
    group.add_argument("--steps", type=positive_int, default=20000, help="optimizer steps (%(default)s)")
    group.add_argument(
        "--batch-size", type=positive_int, default=batch_size, help=f"{batch_of} in a step (%(default)s)"
    )
    group.add_argument("--learning-rate", type=float, default=1e-3, help="peak learning rate (%(default)s)")
    group.add_argument(
        "--average-decay", type=float, default=0.998, help="average of the weights; 0 = off (%(default)s)"
    )
    group.add_argument("--bf16", action="store_true", help="mixed precision in bfloat16")
    group.add_argument("--channels-last", action="store_true", help="channels-last memory order")
    group.add_argument(
        "--device", choices=("auto", "cpu"), default="auto", help="where to train (%(default)s)"
    )
    group.add_argument("--seed", type=count_int, default=0, help="of weights and samples (%(default)s)")


def add_logging_options(group: argparse._ArgumentGroup) -> None:
    """Add how often is looked at the model, and at the loss."""
    group.add_argument(
        "--eval-steps",
        type=positive_int,
        default=500,
        help="between evaluations and checkpoints (%(default)s)",
    )
    group.add_argument(
        "--log-steps", type=positive_int, default=20, help="between lines of the log (%(default)s)"
    )


def device_values(device: str) -> dict[str, Any]:
    """The fields of the training arguments that `--device` sets."""
    return {"use_cpu": True, "dataloader_pin_memory": False} if device == "cpu" else {}


def exit_code(model: Any, output: Path) -> int:
    """Say where the model lies, or that a signal stopped the training (no model); returns the exit code."""
    if model is None:
        print(f"Stopped. The same command goes on from the last checkpoint in {output}.", file=sys.stderr)
        return 130
    print(output)
    return 0
