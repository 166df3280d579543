"""What every recipe does around `trainer.train()`: going on, stopping, the log, the report."""

from __future__ import annotations

import json
import os
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
from tcm_hf.training.processes import (
    Processes,
    launched_in_vain,
    samples_of_a_step,
    weights_are_sharded,
)
from tcm_hf.training.progress import StopOnSignal
from tcm_hf.training.resuming import (
    has_stopped_early,
    keep_settings,
    last_checkpoint,
    say_how_it_goes_on,
)

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
    return common_arguments(values, has_validation=has_validation)


def samples_of_a_run(
    datasets: Sequence[Any], weights: Sequence[float] | None, arguments: TrainingArguments
) -> MixedDataset:
    """The samples of a whole training, data sets mixed by weights.

    One epoch is the whole run: the samples are numbered through, and a run that resumes goes on in the
    numbers.
    """
    length = max(arguments.max_steps, 1) * samples_of_a_step(arguments)
    return MixedDataset(datasets, weights, length=length, seed=arguments.seed)


def training_settings(arguments: dict[str, Any]) -> dict[str, Any]:
    """What tells how one training learns from how another does, fit for JSON; see `changed_settings`."""
    batch = arguments.get("per_device_train_batch_size", 8) * arguments.get("gradient_accumulation_steps", 1)
    return {
        "steps": arguments.get("max_steps", 0),
        "batch": batch * int(os.environ.get("WORLD_SIZE", "1")),  # of all processes
        "seed": arguments.get("seed", 0),
        "optimizer": arguments.get("optimizer", "adamw"),
        "schedule": arguments.get("lr_scheduler_type"),
        "replay": arguments.get("replay_share", 0.0),
        "early_stopping": arguments.get("early_stopping_patience", 0),
    }


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


def train_or_go_on(trainer: AveragingTrainer, output: Path, settings: dict[str, Any]) -> bool:
    """Train from the last checkpoint in `output`, or from the start, until the end or a signal.

    Args:
        trainer: The Trainer.
        output: The folder of the checkpoints.
        settings: What tells this training from another; kept in `output`.

    Returns:
        Whether the training is done; False when a signal stopped it.
    """
    checkpoint = last_checkpoint(output)
    patience = trainer.args.early_stopping_patience
    if checkpoint is not None and has_stopped_early(checkpoint, patience):
        trainer.end_with(checkpoint)
        if trainer.is_world_process_zero():
            print(
                f"{output} has ended after {patience} evaluations without a better score: nothing is "
                "trained, only its result written anew.",
                file=sys.stderr,
            )
        return True
    if launched_in_vain():
        print(
            "accelerate launch --cpu starts one process, whatever --num_processes says: this training is not "
            "shared. For N processes: python -m torch.distributed.run --nproc_per_node N -m tcm_hf train …",
            file=sys.stderr,
        )
    if trainer.is_world_process_zero():
        say_how_it_goes_on(output, settings)
        keep_settings(output, settings)
    with StopOnSignal(Processes.of(trainer.args)) as stop:
        trainer.add_callback(stop)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    return not stop.stopped


def trained_model(trainer: AveragingTrainer, output: Path) -> PreTrainedModel:
    """The model that a training ends with, whole and in float32, in every process; written to `output`.

    What ships runs in float32: mixed precision is taken off before anything is chosen or reported. Where
    processes hold parts of the weights, what was written is read.
    """
    trainer.save_model(str(output))
    if not weights_are_sharded(trainer.args):
        return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    trainer.accelerator.wait_for_everyone()
    model: Any = type(trainer.model).from_pretrained(output)
    return model.to(trainer.args.device)


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


def write_report(trainer: AveragingTrainer, output: Path, report: dict[str, Any]) -> None:
    """Write `training_report.json` and, where matplotlib is there, `curve.png`.

    The share of the time of training that was spent waiting for data goes into the report.
    """
    report["data_time_share"] = round(trainer.data_clock.share, 4)
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
