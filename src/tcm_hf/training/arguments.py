"""Training arguments: `TrainingArguments` with what our Trainers share, and with the detectors' defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from transformers import TrainingArguments

RECOMPUTE_FIELD = next(
    name
    for name in ("activation_checkpointing", "gradient_checkpointing")
    if name in {one.name for one in fields(TrainingArguments)}
)
"""What transformers calls the field for gradient checkpointing."""
OPTIMIZERS = ("adamw", "sgd", "ranger")
_PASSED_OVER = ("optim", "optim_args", "optim_target_modules")
POLY_SCHEDULE = {"power": 0.9, "lr_end": 1e-7}
"""Of the schedule "polynomial", where nothing else is said: the papers' power."""


@dataclass
class AveragedTrainingArguments(TrainingArguments):
    """`TrainingArguments` of the Trainers of this package: averaged weights, evaluation and saving by steps.

    Args:
        channels_last: Keep the weights and the images of the image tower in channels-last memory order; which
            order is faster depends on the machine.
        average_decay: Decay of the exponential moving average of the weights that is evaluated and saved as
            the model; 0 turns the average off.
        optimizer: "adamw", "sgd", or "ranger" (RAdam with Lookahead, as the released TCM was trained); see
            `make_optimizer`. Any other can be given to the Trainer as `optimizers`; `optim` of the base class
            is not looked at, and an error where it is set.
        momentum: Of "sgd".
        early_stopping_patience: Training ends after so many evaluations without a better score; 0 never.
        replay_share: Share of the samples that are hard ones shown again, see `tcm_hf.training.replay`; 0
            shows none again.
        replay_round_steps: Optimizer steps of a round: the hardest samples of a round come again in the round
            after the next.
    """

    channels_last: bool = field(default=False, metadata={"help": "Train in channels-last memory order."})
    average_decay: float = field(
        default=0.0, metadata={"help": "Decay of the average of the weights; 0 = none."}
    )
    optimizer: str = field(default="adamw", metadata={"help": "adamw, sgd or ranger."})
    momentum: float = field(default=0.9, metadata={"help": "Momentum of sgd."})
    early_stopping_patience: int = field(
        default=0, metadata={"help": "Evaluations without a better score that end the training; 0 = never."}
    )
    replay_share: float = field(default=0.0, metadata={"help": "Share of hard samples shown again."})
    replay_round_steps: int = field(default=100, metadata={"help": "Steps of a round of the replay."})

    # Samples are our own and evaluation runs over whole records: none of the column and concatenation
    # conveniences of the base class apply.
    remove_unused_columns: bool = field(default=False, metadata={"help": "Keep what the data set gives."})
    label_names: list[str] | None = field(
        default_factory=lambda: ["labels"], metadata={"help": "Names of the label inputs."}
    )
    eval_do_concat_batches: bool = field(
        default=False, metadata={"help": "Never glue outputs of several batches."}
    )

    logging_steps: float = field(default=20, metadata={"help": "Steps between two lines of the log."})
    eval_strategy: str = field(default="steps", metadata={"help": "When to evaluate."})
    eval_steps: float | None = field(default=500, metadata={"help": "Steps between two evaluations."})
    save_strategy: str = field(default="steps", metadata={"help": "When to save."})
    save_steps: float = field(default=500, metadata={"help": "Steps between two checkpoints."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints kept, the best included."})
    load_best_model_at_end: bool = field(default=True, metadata={"help": "End with the best checkpoint."})
    restore_callback_states_from_checkpoint: bool = field(
        default=True, metadata={"help": "Early stopping goes on counting where it was."}
    )

    def __post_init__(self) -> None:
        """Check our own fields, then everything that the base class checks."""
        for name, end in (("average_decay", 1), ("momentum", 1), ("replay_share", 0.9)):
            if not 0 <= getattr(self, name) < end:
                raise ValueError(f"`{name}` must lie in [0, {end}): got {getattr(self, name)}.")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"`optimizer` must be one of {', '.join(OPTIMIZERS)}: got {self.optimizer!r}.")
        for one in fields(TrainingArguments):
            if one.name in _PASSED_OVER and getattr(self, one.name) != one.default:
                raise ValueError(
                    f"`{one.name}` is not looked at (came: {getattr(self, one.name)!r}): choose with "
                    f"`optimizer`, one of {', '.join(OPTIMIZERS)}, or give the Trainer `optimizers=(yours, "
                    "None)`."
                )
        if self.early_stopping_patience < 0 or self.replay_round_steps < 1:
            raise ValueError(
                "`early_stopping_patience` must be 0 or more and `replay_round_steps` 1 or more: got "
                f"{self.early_stopping_patience} and {self.replay_round_steps}."
            )
        super().__post_init__()
        if self.early_stopping_patience and not self.load_best_model_at_end:
            raise ValueError(
                "`early_stopping_patience` needs evaluations and `load_best_model_at_end=True`: which "
                "checkpoint is the best would not be known. Give validation data, or set it to 0."
            )

    @property
    def recomputes(self) -> bool:
        """Whether activations are computed again in the backward pass."""
        return bool(getattr(self, RECOMPUTE_FIELD))


@dataclass
class TCMTrainingArguments(AveragedTrainingArguments):
    """`TrainingArguments` whose defaults are the papers' recipe, plus the few fields it lacks.

    The learning rate falls as (1 - step / steps) ** 0.9 (TCM, arXiv 2302.14338, training recipe) after a
    warm-up; with `lr_scheduler_type="cosine"`, "linear", … along another curve. Everything that
    `TrainingArguments` takes is taken here too, but `optim`.

    Args:
        image_tower_lr_factor: Factor on the learning rate of the image tower: 0.1 in the papers, where the
            tower comes pretrained; take 1.0 when it starts from random weights. 0 keeps it as it is, bit by
            bit: weights and the running statistics of its batch norms, which then normalise as in use.
        text_tower_lr_factor: The same for the text tower; 0 (frozen) in the papers. More than 0 needs a text
            tower that can be trained: `config.freeze_text_tower` False (`tcm-hf train` sees to it).
    """

    image_tower_lr_factor: float = field(
        default=0.1, metadata={"help": "Learning-rate factor of the image tower."}
    )
    text_tower_lr_factor: float = field(
        default=0.0, metadata={"help": "Learning-rate factor of the text tower."}
    )

    learning_rate: float = field(default=1e-3, metadata={"help": "Peak learning rate of the heads."})
    weight_decay: float = field(
        default=1e-4, metadata={"help": "Decay of weights; norms and biases have none."}
    )
    lr_scheduler_type: str = field(default="polynomial", metadata={"help": "Learning-rate schedule."})
    lr_scheduler_kwargs: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Settings of the schedule; poly: power 0.9, end 1e-7."}
    )
    warmup_steps: float = field(default=0.02, metadata={"help": "Steps, or their share when below 1."})
    max_grad_norm: float = field(default=5.0, metadata={"help": "Gradient norm above which it is clipped."})

    def __post_init__(self) -> None:
        """Check our own fields, then everything that the base class checks."""
        for name in ("image_tower_lr_factor", "text_tower_lr_factor"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be 0 (frozen) or positive: got {getattr(self, name)}.")
        if self.lr_scheduler_type == "polynomial" and self.lr_scheduler_kwargs is None:
            self.lr_scheduler_kwargs = dict(POLY_SCHEDULE)
        super().__post_init__()

    def get_warmup_steps(self, num_training_steps: int) -> int:
        """Steps of the warm-up; one is left after it, as the poly schedule divides by those that are."""
        return max(0, min(super().get_warmup_steps(num_training_steps), num_training_steps - 1))


@dataclass
class TextDetectionTrainingArguments(TCMTrainingArguments):
    """`TCMTrainingArguments` of the text detectors: the best checkpoint is that of the best hmean."""

    metric_for_best_model: str | None = field(default="eval_hmean", metadata={"help": "What best means."})


@dataclass
class RotatedDetectionTrainingArguments(TCMTrainingArguments):
    """`TCMTrainingArguments` of the rotated detectors: the best checkpoint is that of the best mean AP50."""

    metric_for_best_model: str | None = field(default="eval_map50", metadata={"help": "What best means."})
