"""The Trainer of the recognizers: contrastive warm-up, permutation language modelling, word accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import Dataset
from transformers import PreTrainedModel, SchedulerType, TrainerCallback

from tcm_hf.data.words import WordRecord
from tcm_hf.training.base_trainer import AveragingTrainer
from tcm_hf.training.optimizer import (
    Parts,
    make_optimizer,
    recognizer_parameter_groups,
    recognizer_parts,
)
from tcm_hf.training.processes import Processes
from tcm_hf.training.recognition_arguments import TextRecognitionTrainingArguments
from tcm_hf.training.recognition_datasets import WordCollator, normalize_pixels
from tcm_hf.training.recognition_evaluation import evaluate_recognizer
from tcm_hf.training.recognition_losses import (
    CTCHead,
    RecognitionSchedule,
    StepPlan,
    contrastive_loss,
    rate_factor,
)
from tcm_hf.training.sample_losses import WordLosses

WeightedLosses = dict[str, tuple[float, torch.Tensor]]
CTC_HEAD_NAME = "ctc_head.safetensors"


class TextRecognitionTrainer(AveragingTrainer):
    """`Trainer` for `CLIP4STRForTextRecognition`.

    The loss of a step follows `RecognitionSchedule`: at first image against caption and CTC, then permutation
    language modelling with more and more permutations while CTC fades out. The CTC head is the Trainer's own:
    it lies beside the weights in a checkpoint, for resuming, and is in no model. `evaluate` reads whole words
    and gives `eval_accuracy_36` and the like. For the rest see `AveragingTrainer`.

    Args:
        model: The recognizer.
        args: The training arguments.
        processor: A `CLIP4STRProcessor`; saved with every checkpoint, and the way from crop to text in
            `evaluate`.
        train_dataset: A `WordDataset` or a `MixedDataset` of them.
        eval_dataset: Validation words (not a data set of tensors).
        **kwargs: What `Trainer` takes besides.
    """

    args: TextRecognitionTrainingArguments
    evaluated_on = "words"

    def __init__(
        self,
        model: PreTrainedModel,
        args: TextRecognitionTrainingArguments,
        *,
        processor: Any,
        train_dataset: Dataset | None = None,
        eval_dataset: Sequence[WordRecord] | None = None,
        **kwargs: Any,
    ):
        kwargs.setdefault("data_collator", WordCollator(processor.tokenizer))
        if args.metric_for_best_model == "eval_accuracy_36" and not processor.tokenizer.charset.isascii():
            args.metric_for_best_model = "eval_accuracy_any"  # what `evaluate_recognizer` gives for it
        super().__init__(
            model,
            args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            **kwargs,
        )
        # Not as `processing_class`: the base class would write its tokenizer's special ids into the config.
        self.processor = processor
        self.ctc_head: CTCHead | None = None
        if args.uses_ctc:
            self.ctc_head = _new_ctc_head(self.model.config).to(args.device)
            self.add_callback(_HeadCallback(self.ctc_head))
        if self.args.world_size > 1 and (self.ctc_head is not None or args.contrastive_steps):
            raise ValueError(
                "Warm-up and CTC loss train parts that several processes do not keep equal: train in one "
                "process, or with `contrastive_steps=0, ctc_auxiliary_weight=0`."
            )

    @property
    def schedule(self) -> RecognitionSchedule:
        """What counts at which step; the length of the training is known once it runs."""
        return RecognitionSchedule(self.args, self.state.max_steps or self.args.max_steps)

    def parts(self) -> Parts:
        """Towers and decoders."""
        args = self.args
        return recognizer_parts(args.decoder_lr_factor, args.image_tower_lr_factor, args.text_tower_lr_factor)

    def sample_losses(self) -> WordLosses:
        """Of the characters of a word, as the visual branch reads them; there are none in the warm-up."""
        decoder: Any = self.model.visual_decoder
        return WordLosses(decoder)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """`args.optimizer` over the parameter groups of the recognizer and the CTC head."""
        if self.optimizer is None:
            groups = recognizer_parameter_groups(
                self.model if model is None else model,
                learning_rate=self.args.learning_rate,
                weight_decay=self.args.weight_decay,
                decoder_lr_factor=self.args.decoder_lr_factor,
                image_tower_lr_factor=self.args.image_tower_lr_factor,
                text_tower_lr_factor=self.args.text_tower_lr_factor,
            )
            if self.ctc_head is not None:
                groups.append({"name": "ctc_head", "params": list(self.ctc_head.parameters())})
                groups[-1] |= {"lr": self.args.learning_rate, "weight_decay": 0.0}
            self.optimizer = make_optimizer(groups, self.args)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Linear warm-up and fall to 0; what learns nothing in the contrastive warm-up starts after it."""
        if self.lr_scheduler is None:
            optimizer = self.create_optimizer() if optimizer is None else optimizer
            schedule = RecognitionSchedule(self.args, num_training_steps)
            rates: list[Callable[[int], float]] = [
                partial(
                    rate_factor,
                    start=schedule.warm_up_steps if group.get("name", "").startswith("decoders") else 0,
                    warm_up=self.args.get_warmup_steps(num_training_steps),
                    total=num_training_steps,
                    schedule=SchedulerType(self.args.lr_scheduler_type).value,
                )
                for group in optimizer.param_groups
            ]
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates)
            self._created_lr_scheduler = True  # so that another `train` makes its own
        return self.lr_scheduler

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The weighted losses of the current step; each goes into the log unweighted."""
        numbers = self._ready_for_step(inputs)
        image_processor = self.processor.image_processor
        pixel_values = normalize_pixels(
            inputs["pixel_values"], image_processor.image_mean, image_processor.image_std
        )
        plan = self.schedule.at(self.state.global_step)
        with self.accelerator.autocast():
            if plan.num_permutations:
                losses = self._reading_losses(model, pixel_values, inputs["labels"], plan)
            else:
                losses = self._warm_up_losses(pixel_values, inputs["labels"], plan)
        self._note_losses({name: loss for name, (_, loss) in losses.items()}, inputs["labels"], numbers)
        total = torch.stack([weight * loss for weight, loss in losses.values()]).sum()
        return (total, {}) if return_outputs else total

    def _reading_losses(
        self, model: nn.Module, pixel_values: torch.Tensor, labels: torch.Tensor, plan: StepPlan
    ) -> WeightedLosses:
        """Permutation language modelling in both branches, and CTC where the plan has it."""
        count = plan.num_permutations
        if self.ctc_head is None or not plan.ctc_weight:
            losses = model(pixel_values=pixel_values, labels=labels, num_permutations=count).loss_dict
            return {name: (1.0, loss) for name, loss in losses.items()}
        # The image tokens serve two, so the steps of `forward` are taken one by one.
        recognizer = self.accelerator.unwrap_model(model)
        visual, cross = recognizer.image_memories(pixel_values)
        used_cross = cross if recognizer.config.use_cross_branch else None
        losses = recognizer.permutation_losses(visual, used_cross, labels, count)
        weighted = {name: (1.0, loss) for name, loss in losses.items()}
        return weighted | {"loss_ctc": (plan.ctc_weight, self.ctc_head(visual, labels))}

    def _warm_up_losses(
        self, pixel_values: torch.Tensor, labels: torch.Tensor, plan: StepPlan
    ) -> WeightedLosses:
        """Image against caption, and CTC on the image tokens."""
        model = self.accelerator.unwrap_model(self.model)
        image = model.get_image_features(pixel_values)
        losses: WeightedLosses = {}
        if plan.contrastive_weight and model.caption_tokenizer is not None:
            caption_ids = model.caption_tokenizer(labels.clamp(min=0))
            contrast = contrastive_loss(
                image.pooler_output,
                model.get_caption_features(caption_ids).pooler_output,
                caption_ids,
                model.clip.logit_scale,
            )
            losses["loss_contrast"] = (plan.contrastive_weight, contrast)
        if self.ctc_head is not None and plan.ctc_weight:
            losses["loss_ctc"] = (plan.ctc_weight, self.ctc_head(image.last_hidden_state, labels))
        return losses

    def scores_on(self, records: Sequence[WordRecord], model: nn.Module) -> dict[str, float]:
        """Read words and count those without a mistake.

        Returns:
            `accuracy_36`, `accuracy_94`, `visual_accuracy_36`, … as of `evaluate_recognizer`.
        """
        return evaluate_recognizer(
            model,
            self.processor,
            records,
            batch_size=self.args.per_device_eval_batch_size,
            processes=Processes.of_evaluation(self.args),
        )

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        """Push the processor, too, which the base class does not know of."""
        self.processor.save_pretrained(self.args.output_dir)
        super()._push_from_checkpoint(checkpoint_folder)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the (averaged) model and the processor; in checkpoints the CTC head too."""
        super().save_model(output_dir, _internal_call=_internal_call)
        if not self.args.should_save:
            return
        folder = Path(output_dir or str(self.args.output_dir))
        self.processor.save_pretrained(folder)
        if self.ctc_head is not None and self.is_in_train:
            save_file(self.ctc_head.state_dict(), folder / CTC_HEAD_NAME)

    def load_ctc_head(self, folder: Path) -> None:
        """Take the weights of the CTC head that lie in a checkpoint of a training, if there are any."""
        kept = folder / CTC_HEAD_NAME
        if self.ctc_head is not None and kept.is_file():
            self.ctc_head.load_state_dict(load_file(kept))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.load_ctc_head(Path(resume_from_checkpoint))


class _HeadCallback(TrainerCallback):
    """Clears the gradients of the CTC head after each step: the Trainer clears those of the model alone."""

    def __init__(self, head: CTCHead):
        self.head = head

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called between the optimizer's step and the next gradients."""
        self.head.zero_grad()


def _new_ctc_head(config: Any) -> CTCHead:
    if config.pooled_memory or not config.project_visual_memory:
        raise ValueError(
            "The CTC loss reads all image tokens in the joint space, which the decoders of this "
            "configuration do not see: set `ctc_weight` and `ctc_auxiliary_weight` to 0."
        )
    rows, columns = config.image_size_hw
    if (patches := config.patch_embedding_config) is not None:
        rows //= math.prod(stride[0] for stride in patches.strides)
        columns //= math.prod(stride[1] for stride in patches.strides)
    else:
        rows, columns = (size // config.clip_config.vision_config.patch_size for size in (rows, columns))
    return CTCHead(config.clip_config.projection_dim, len(config.charset), (rows, columns))
