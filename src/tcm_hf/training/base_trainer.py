"""What the Trainers of this package share: order of samples, averaged weights, single losses in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import PreTrainedModel, Trainer, TrainerCallback

from tcm_hf.training.arguments import AveragedTrainingArguments
from tcm_hf.training.datasets import PassSampler
from tcm_hf.training.weight_average import WeightAverage

LIVE_WEIGHTS_NAME = "live_weights.safetensors"


class AveragingTrainer(Trainer):
    """`Trainer` that averages weights, logs single losses and leaves the order of samples to the data set.

    With `args.average_decay` the averaged weights are evaluated and saved, and the live ones lie beside them
    in the checkpoint for resuming. Samples are drawn in the order of the data set, which shuffles by itself
    (see `tcm_hf.training.datasets`). Subclasses give the loss, the optimizer and the evaluation.

    Args:
        model: The model.
        args: The training arguments.
        **kwargs: What `Trainer` takes besides.
    """

    args: AveragedTrainingArguments
    model: PreTrainedModel
    evaluated_on = "records"  # in the words of the user

    def __init__(self, model: PreTrainedModel, args: AveragedTrainingArguments, **kwargs: Any):
        super().__init__(model=model, args=args, **kwargs)
        self._loss_sums: dict[str, torch.Tensor] = {}
        self._loss_count = 0
        if args.channels_last:
            nn.Module.to(self.model, memory_format=torch.channels_last)
        self.weight_average: WeightAverage | None = None
        if args.average_decay:
            self.weight_average = WeightAverage(self.model, args.average_decay)
            self.add_callback(_AverageCallback(self.weight_average))

    def get_train_dataloader(self) -> DataLoader:
        """The base class's loader; with loader processes OpenCV is kept to one thread in all of them."""
        if self.args.dataloader_num_workers:
            # The processes are the parallelism. And it must be said before they are forked: OpenCV hangs in a
            # forked process when it changes the size of a thread pool that its parent had started.
            cv2.setNumThreads(1)
        return super().get_train_dataloader()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log `logs`, with the mean of every single loss since the last time beside `loss`."""
        if "loss" in logs and self._loss_count:
            logs |= {name: (total / self._loss_count).item() for name, total in self._loss_sums.items()}
            self._loss_sums, self._loss_count = {}, 0
        super().log(logs, start_time)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the (averaged) model and its processor; in checkpoints the live weights too."""
        with self._averaged():
            super().save_model(output_dir, _internal_call=_internal_call)
        if self.weight_average is not None and self.is_in_train and output_dir and self.args.should_save:
            state = self.model.state_dict()
            live = {name: state[name].detach().contiguous() for name in self.weight_average.average}
            save_file(live, Path(output_dir) / LIVE_WEIGHTS_NAME)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        live = Path(resume_from_checkpoint) / LIVE_WEIGHTS_NAME
        if self.weight_average is not None:
            self.weight_average.restart_from(self.model)
        if live.exists():
            # Frozen tensors are not in the file: they are those of the model file.
            self.model.load_state_dict(load_file(live), strict=False)

    def _load_best_model(self) -> None:
        super()._load_best_model()
        if self.weight_average is not None:
            self.weight_average.restart_from(self.model)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        return None if dataset is None else PassSampler(len(dataset))  # type: ignore[arg-type]

    def _adamw(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """AdamW over parameter groups, with the betas of the arguments."""
        return torch.optim.AdamW(
            groups,
            lr=self.args.learning_rate,
            betas=(self.args.adam_beta1, self.args.adam_beta2),
            eps=self.args.adam_epsilon,
        )

    def _note_losses(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Take the single losses of one forward into the means of the next line of the log."""
        for name, value in losses.items():
            value = value.detach().float()
            self._loss_sums[name] = self._loss_sums[name] + value if name in self._loss_sums else value
        self._loss_count += 1

    def evaluate(  # type: ignore[override]  # records instead of a data set of tensors
        self,
        eval_dataset: Sequence[Any] | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Score the (averaged) model on whole records, log the scores and tell the callbacks.

        Args:
            eval_dataset: Records; the ones given to the Trainer when None.
            ignore_keys: Not used; the signature is the base class's.
            metric_key_prefix: Put before every key of the result.

        Returns:
            The scores of `scores_on`, as `eval_…`.

        Raises:
            ValueError: If there are no records, here or in the Trainer.
        """
        records: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        if records is None:
            raise ValueError(
                f"`evaluate` needs {self.evaluated_on}: pass `eval_dataset`, a list of records, here or to "
                "the Trainer."
            )
        model = self.accelerator.unwrap_model(self.model)
        with self._averaged(), self.accelerator.autocast():
            scores = self.scores_on(records, model)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def scores_on(self, records: Sequence[Any], model: nn.Module) -> dict[str, float]:
        """The scores of `model` on records; each Trainer has its own."""
        raise NotImplementedError

    def _averaged(self) -> Any:
        if self.weight_average is None:
            return nullcontext()
        return self.weight_average.applied_to(self.model)


class _AverageCallback(TrainerCallback):
    """Takes the weights into the average after each optimizer step."""

    def __init__(self, average: WeightAverage):
        self.average = average

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called by the Trainer after the step, before it evaluates or saves."""
        self.average.update(kwargs["model"], state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Training over, the model is the average."""
        self.average.copy_to(kwargs["model"])
