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
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler
from transformers import EarlyStoppingCallback, PreTrainedModel, Trainer, TrainerCallback, TrainerState

from tcm_hf.training.arguments import AveragedTrainingArguments
from tcm_hf.training.batch_norm import synchronise_batch_norms
from tcm_hf.training.data_clock import DataClock
from tcm_hf.training.datasets import EndlessDataset, PassSampler, ShuffledDataset
from tcm_hf.training.frozen import FrozenParts
from tcm_hf.training.norm_statistics import StatisticsOnce
from tcm_hf.training.optimizer import Parts, frozen_names
from tcm_hf.training.processes import Processes, samples_of_a_step, weights_are_sharded
from tcm_hf.training.replay import (
    NUMBERS,
    NumberedCollator,
    NumberedDataset,
    Replay,
    ReplaySampler,
    SampleLosses,
)
from tcm_hf.training.running_losses import RunningLosses
from tcm_hf.training.sharding import scalars_to_vectors, vectors_to_scalars
from tcm_hf.training.trainer_card import write_trainer_card
from tcm_hf.training.weight_average import WeightAverage

LIVE_WEIGHTS_NAME = "live_weights.safetensors"


class AveragingTrainer(Trainer):
    """`Trainer` that averages weights, logs single losses and leaves the order of samples to the data set.

    With `args.average_decay` the averaged weights are evaluated and saved, and the live ones lie beside them
    in the checkpoint for resuming. Samples are drawn in the order of the data set, which shuffles by itself
    (see `tcm_hf.training.datasets`). Parts with the learning-rate factor 0 stay as they are, bit by bit. A
    training that goes on from a checkpoint makes the steps, and writes the log, of one that was never
    stopped. Subclasses give the loss, the optimizer and the evaluation.

    Args:
        model: The model.
        args: The training arguments.
        **kwargs: What `Trainer` takes besides.
    """

    args: AveragedTrainingArguments
    model: PreTrainedModel
    evaluated_on = "records"  # in the words of the user

    def __init__(self, model: PreTrainedModel, args: AveragedTrainingArguments, **kwargs: Any):
        if args.average_decay and weights_are_sharded(args):
            raise ValueError(
                "`average_decay` needs whole weights in every process, which FSDP and DeepSpeed cut up: set "
                "it to 0 (`--average-decay 0`), or train without them."
            )
        self._vectors = scalars_to_vectors(model) if weights_are_sharded(args) else set()
        super().__init__(model=model, args=args, **kwargs)
        self._check_use()
        if not isinstance(self.train_dataset, EndlessDataset | IterableDataset | None):
            self.train_dataset = ShuffledDataset(self.train_dataset, args.seed)
        if args.world_size > 1:
            synchronise_batch_norms(self.model, args.device.type)
        self._losses = RunningLosses()
        self._seam: tuple[torch.Tensor, int] | None = None
        self.add_callback(_SeamCallback(self))
        self._frozen = FrozenParts(self.model, frozen_names(self.model, self.parts()))
        if args.recomputes:
            StatisticsOnce(self.model)
        if args.early_stopping_patience:
            self.add_callback(EarlyStoppingCallback(args.early_stopping_patience))
        self.replay: Replay | None = None
        if args.replay_share and self.train_dataset is not None:
            self.replay = Replay(args, self.sample_losses(), self.accelerator.gather)
            self.add_callback(self.replay)
            self.train_dataset = NumberedDataset(self.train_dataset)
            self.data_collator = NumberedCollator(self.data_collator)
        if args.channels_last:
            nn.Module.to(self.model, memory_format=torch.channels_last)
        self.weight_average: WeightAverage | None = None
        if args.average_decay:
            self.weight_average = WeightAverage(self.model, args.average_decay)
            self.add_callback(_AverageCallback(self.weight_average))
        self.data_clock = DataClock()
        self.add_callback(self.data_clock)

    def _check_use(self) -> None:
        """Refuse what `Trainer` takes and this one would pass over or do wrongly."""
        if self.compute_metrics is not None or self.preprocess_logits_for_metrics is not None:
            raise ValueError(
                "`compute_metrics` and `preprocess_logits_for_metrics` are never called: `evaluate` scores "
                "whole records. Override `scores_on(records, model)` in a subclass."
            )
        if self.args.n_gpu > 1:
            raise ValueError(
                f"One process cannot train on {self.args.n_gpu} GPUs: start one a GPU with `python -m "
                f"torch.distributed.run --nproc_per_node {self.args.n_gpu} …`, or set CUDA_VISIBLE_DEVICES=0."
            )
        if self.args.replay_share and isinstance(self.train_dataset, IterableDataset):
            raise ValueError(
                "`replay_share` needs a data set with numbers: an iterable one shows none again."
            )

    def parts(self) -> Parts:
        """The parts of the model with learning-rate factors of their own; each Trainer has its own."""
        raise NotImplementedError

    def sample_losses(self) -> SampleLosses:
        """What tells the loss of each sample of a batch, for the replay; each Trainer has its own."""
        raise NotImplementedError

    def get_train_dataloader(self) -> DataLoader:
        """The base class's loader; with loader processes OpenCV is kept to one thread in all of them."""
        if self.args.dataloader_num_workers:
            # The processes are the parallelism. And it must be said before they are forked: OpenCV hangs in a
            # forked process when it changes the size of a thread pool that its parent had started.
            cv2.setNumThreads(1)
        return super().get_train_dataloader()

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The base class's batches of a step; the time until they are there is measured."""
        with self.data_clock.waiting():
            return super().get_batch_samples(*args, **kwargs)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log `logs`; beside `loss` the means of the single losses and the share of time waited for data."""
        if "loss" in logs:
            logs |= Processes.of(self.args).means(self._losses.take_means())
            logs["data_time_share"] = round(self.data_clock.share_since_last(), 4)
        super().log(logs, start_time)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the (averaged) model and its processor; in checkpoints the live weights too."""
        with self._averaged():
            super().save_model(output_dir, _internal_call=_internal_call)
        if self.weight_average is not None and self.is_in_train and output_dir and self.args.should_save:
            state = self.model.state_dict()
            live = {name: state[name].detach().contiguous() for name in self.weight_average.average}
            save_file(live, Path(output_dir) / LIVE_WEIGHTS_NAME)
        if self.is_in_train and output_dir:
            rank = self.args.process_index
            self._losses.save(Path(output_dir), rank, self._tr_loss, self._globalstep_last_logged)
            if self.replay is not None and self.args.should_save:
                self.replay.examples.save(Path(output_dir))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write README.md with the scores, for `push_to_hub`; takes what the base class takes, by name."""
        if self.is_world_process_zero():
            write_trainer_card(self, *args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if state_dict is None and self._vectors:
            state_dict = self.model.state_dict()
        if state_dict is not None:
            state_dict = vectors_to_scalars(state_dict, self._vectors)
        super()._save(output_dir, state_dict=state_dict)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        live = Path(resume_from_checkpoint) / LIVE_WEIGHTS_NAME
        if self.weight_average is not None:
            self.weight_average.restart_from(self.model)
        if live.exists():
            # Frozen tensors are not in the file: they are those of the model file.
            self.model.load_state_dict(load_file(live), strict=False)
        folder = Path(resume_from_checkpoint)
        self._seam = self._losses.load(folder, self.args.process_index, self.args.device)
        if self.replay is not None:
            self.replay.examples.load(folder)

    def _load_best_model(self) -> None:
        super()._load_best_model()
        if self.weight_average is not None:
            self.weight_average.restart_from(self.model)

    def end_with(self, checkpoint: Path) -> None:
        """Bring Trainer and model to where `train` would have ended, had it ended with that checkpoint."""
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        self._load_best_model()

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if dataset is None:
            return None
        # An epoch is filled up with the first samples of the next, so that each step has whole batches: a
        # process without a batch would get samples a second time.
        step = samples_of_a_step(self.args)
        length = -(-len(dataset) // step) * step  # type: ignore[arg-type]
        return PassSampler(length) if self.replay is None else ReplaySampler(length, self.replay.examples)

    def _ready_for_step(self, inputs: dict[str, Any]) -> torch.Tensor | None:
        """To be called by `compute_loss` first: frozen parts are held, `inputs` become the model's alone.

        Returns:
            The numbers of the samples, for `_note_losses`.
        """
        self._frozen.hold()
        numbers: torch.Tensor | None = inputs.pop(NUMBERS, None)
        return numbers

    def _note_losses(
        self, losses: Mapping[str, torch.Tensor], labels: Any, numbers: torch.Tensor | None
    ) -> None:
        """Take the losses of one forward into the next line of the log, and those of its samples."""
        if not self.model.training:
            return  # `predict`, maybe in the middle of a training
        self._losses.note(losses)
        if self.replay is not None and numbers is not None:
            self.replay.note(numbers, labels)

    def evaluate(  # type: ignore[override]  # records instead of a data set of tensors
        self,
        eval_dataset: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Score the (averaged) model on whole records, log the scores and tell the callbacks.

        Args:
            eval_dataset: Records; the ones given to the Trainer when None. Several collections by name give
                `eval_NAME_…`.
            ignore_keys: Not used; the signature is the base class's.
            metric_key_prefix: Put before every key of the result.

        Returns:
            The scores of `scores_on`, as `eval_…`.

        Raises:
            ValueError: If there are no records, here or in the Trainer, or they are none.
        """
        records: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        if records is None:
            raise ValueError(
                f"`evaluate` needs {self.evaluated_on}: pass `eval_dataset`, a list of records, here or to "
                "the Trainer."
            )
        if isinstance(records, Mapping):
            together: dict[str, float] = {}
            for name, some in records.items():
                together |= self.evaluate(some, ignore_keys, f"{metric_key_prefix}_{name}")
            return together
        if len(records) and not hasattr(records[0], "load_image"):
            raise ValueError(
                f"`evaluate` needs {self.evaluated_on}, records such as `load_corpus` gives: got "
                f"{type(records[0]).__name__}."
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


class _SeamCallback(TrainerCallback):
    """Lets a training that goes on log as if it had not stopped, once the Trainer has reset its sums."""

    def __init__(self, trainer: AveragingTrainer):
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called between the reset and the first step."""
        trainer = self.trainer
        if trainer._seam is not None:
            trainer._tr_loss, trainer._globalstep_last_logged = trainer._seam
            trainer._seam = None
        if not args.early_stopping_patience:
            return
        # The checkpoint of a training that began without it has no place for its state.
        state.stateful_callbacks.setdefault(EarlyStoppingCallback.__name__, {})
        for callback in trainer.callback_handler.callbacks:
            if isinstance(callback, EarlyStoppingCallback):
                callback.early_stopping_patience = args.early_stopping_patience  # not that of the checkpoint


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
