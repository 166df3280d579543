"""What the Trainers of all models on TCM's backbone share: learning-rate groups, losses, image processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import PreTrainedModel

from tcm_hf.training.arguments import TCMTrainingArguments
from tcm_hf.training.base_trainer import AveragingTrainer
from tcm_hf.training.image_cache import ImageCache
from tcm_hf.training.optimizer import Parts, make_optimizer, parameter_groups, tower_parts
from tcm_hf.training.processes import Processes
from tcm_hf.training.sample_losses import HeadLosses


class TCMTrainer(AveragingTrainer):
    """`Trainer` for models on TCM's backbone, which give `loss` and `loss_dict`.

    Differences to the base class, all of them small: an optimizer over `parameter_groups`; the losses of
    `outputs.loss_dict` are logged beside `loss`; and those of `AveragingTrainer`: order of samples and
    averaged weights. Subclasses give the collator and the evaluation.

    Args:
        model: The model.
        args: The training arguments.
        train_dataset: Samples for the collator.
        eval_dataset: Records of the validation photos (not a data set of tensors).
        image_processor: Saved with every checkpoint, and the way from photo to results in `evaluate`.
        image_cache: Decoded validation photos on disk, if any.
        **kwargs: What `Trainer` takes besides.
    """

    args: TCMTrainingArguments
    evaluated_on = "photos"
    collator_class: Callable[[], Callable[[Sequence[dict[str, Any]]], dict[str, Any]]]
    """Makes batches of samples, where no `data_collator` is given."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: TCMTrainingArguments,
        *,
        image_processor: Any,
        train_dataset: Dataset | None = None,
        eval_dataset: Sequence[Any] | None = None,
        image_cache: ImageCache | None = None,
        **kwargs: Any,
    ):
        kwargs.setdefault("data_collator", self.collator_class())
        super().__init__(
            model,
            args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=image_processor,
            **kwargs,
        )
        self.image_processor = image_processor
        self.image_cache = image_cache

    def parts(self) -> Parts:
        """The towers."""
        return tower_parts(self.args.image_tower_lr_factor, self.args.text_tower_lr_factor)

    def sample_losses(self) -> HeadLosses:
        """Of the head."""
        return HeadLosses(self.model.head)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """`args.optimizer` over the parameter groups of the model."""
        if self.optimizer is None:
            groups = parameter_groups(
                self.model if model is None else model,
                learning_rate=self.args.learning_rate,
                weight_decay=self.args.weight_decay,
                image_tower_lr_factor=self.args.image_tower_lr_factor,
                text_tower_lr_factor=self.args.text_tower_lr_factor,
            )
            self.optimizer = make_optimizer(groups, self.args)
        return self.optimizer

    @property
    def evaluation_options(self) -> dict[str, Any]:
        """What all evaluations on photos take alike: photos in a forward, decoded photos, processes."""
        return {
            "batch_size": self.args.per_device_eval_batch_size,
            "image_cache": self.image_cache,
            "processes": Processes.of_evaluation(self.args),
        }

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The model's loss; its parts are summed up for the log."""
        numbers = self._ready_for_step(inputs)
        if self.args.channels_last:
            pixel_values = inputs["pixel_values"].contiguous(memory_format=torch.channels_last)
            inputs = {**inputs, "pixel_values": pixel_values}
        loss, outputs = super().compute_loss(
            model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch
        )
        self._note_losses(outputs.get("loss_dict") or {}, inputs.get("labels"), numbers)
        return (loss, outputs) if return_outputs else loss
