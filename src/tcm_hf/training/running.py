"""What every recipe does around `trainer.train()`: going on, stopping, the log, the report."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainingArguments,
)
from transformers.utils.logging import disable_progress_bar

from tcm_hf.training.base_trainer import AveragingTrainer
from tcm_hf.training.curves import plot_curves
from tcm_hf.training.datasets import MixedDataset
from tcm_hf.training.optimizer import TEXT_TOWER_PREFIX
from tcm_hf.training.progress import StopOnSignal
from tcm_hf.training.resuming import keep_settings, last_checkpoint, say_how_it_goes_on

Record = TypeVar("Record")


def common_arguments(arguments: dict[str, Any], *, has_validation: bool) -> dict[str, Any]:
    """Fields of the training arguments that follow from the machine and from what there is to evaluate on.

    Args:
        arguments: The fields that were asked for; they come first.
        has_validation: Whether there are validation records; without, there is no best checkpoint.
    """
    values: dict[str, Any] = {
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "disable_tqdm": True,
        "report_to": [],
    } | arguments
    if not has_validation:
        values |= {"eval_strategy": "no", "load_best_model_at_end": False, "metric_for_best_model": None}
    if values.get("dataloader_num_workers"):
        values.setdefault("dataloader_persistent_workers", True)
    return values


def tcm_arguments(
    arguments: dict[str, Any], *, starts_at_random: bool, has_validation: bool
) -> dict[str, Any]:
    """Fields of the training arguments of a model on TCM's backbone.

    Args:
        arguments: The fields that were asked for; they come first.
        starts_at_random: Whether the image tower comes with random weights, and so learns at the full rate.
        has_validation: See `common_arguments`.
    """
    values: dict[str, Any] = {"image_tower_lr_factor": 1.0 if starts_at_random else 0.1} | arguments
    if values.get("max_steps") == 1:
        values.setdefault("warmup_steps", 0)  # the schedule divides by the steps that follow the warm-up
    return common_arguments(values, has_validation=has_validation)


def samples_of_a_run(
    datasets: Sequence[Any], weights: Sequence[float] | None, arguments: TrainingArguments
) -> MixedDataset:
    """The samples of a whole training, data sets mixed by weights.

    One epoch is the whole run: the samples are numbered through, and a run that resumes goes on in the
    numbers.
    """
    batch = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    length = max(arguments.max_steps, 1) * batch
    return MixedDataset(datasets, weights, length=length, seed=arguments.seed)


def unfreeze_text_tower(model: PreTrainedModel) -> None:
    """Let the text tower of a model on TCM's backbone learn.

    Raises:
        ValueError: If the model has none, or only its cached text embedding.
    """
    tower = [parameter for name, parameter in model.named_parameters() if name.startswith(TEXT_TOWER_PREFIX)]
    if not tower:
        raise ValueError(
            "`text_tower_lr_factor` needs a model with a text tower: this one has none, or only its cached "
            "text embedding. Take 0, or a checkpoint with the tower."
        )
    model.config.freeze_text_tower = False
    for parameter in tower:
        parameter.requires_grad_(True)


def silence(trainer: Trainer) -> None:
    """Leave the talking to `LogLines`: bars would garble log files."""
    disable_progress_bar()
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)


def train_or_go_on(trainer: Trainer, output: Path, settings: dict[str, Any]) -> bool:
    """Train from the last checkpoint in `output`, or from the start, until the end or a signal.

    Args:
        trainer: The Trainer.
        output: The folder of the checkpoints.
        settings: What tells this training from another; kept in `output`.

    Returns:
        Whether the training is done; False when a signal stopped it.
    """
    checkpoint = last_checkpoint(output)
    if trainer.is_world_process_zero():
        say_how_it_goes_on(output, settings)
        keep_settings(output, settings)
    with StopOnSignal() as stop:
        trainer.add_callback(stop)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    return not stop.stopped


def say_what_is_trained(
    trainer: AveragingTrainer, corpora: Sequence[Sequence[Any]], validation: int, unit: str
) -> None:
    """One line on stderr: parameters, sizes of the corpora, output."""
    parameters = list(trainer.model.parameters())
    total = sum(parameter.numel() for parameter in parameters)
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    sizes = " + ".join(str(len(records)) for records in corpora)
    print(
        f"Training {trained / 1e6:.2f} of {total / 1e6:.2f} M parameters on {sizes} {unit}, "
        f"validation on {validation}; output in {trainer.args.output_dir}",
        file=sys.stderr,
    )


def write_report(trainer: Trainer, output: Path, report: dict[str, Any]) -> None:
    """Write `training_report.json` and, where matplotlib is there, `curve.png`."""
    (output / "training_report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    try:
        plot_curves(trainer.state.log_history, output / "curve.png")
    except ImportError as error:
        print(f"No curve plotted: {error}", file=sys.stderr)


def absolute_name(model: str) -> str:
    """One name for a folder, from wherever it is called; a name on the Hub stays."""
    return str(Path(model).absolute()) if Path(model).exists() else model


def spread_evenly(records: Sequence[Record], count: int) -> list[Record]:
    """At most `count` records, spread evenly over the list."""
    if len(records) <= count:
        return list(records)
    return [records[index * len(records) // count] for index in range(count)]
