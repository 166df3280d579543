"""Training arguments: `TrainingArguments` with what our Trainers share, and with the detectors' defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from transformers import TrainingArguments


def _poly_schedule() -> dict[str, float]:
    return {"power": 0.9, "lr_end": 1e-7}


@dataclass
class AveragedTrainingArguments(TrainingArguments):
    """`TrainingArguments` of the Trainers of this package: averaged weights, evaluation and saving by steps.

    Args:
        channels_last: Keep the weights and the images of the image tower in channels-last memory order; which
            order is faster depends on the machine.
        average_decay: Decay of the exponential moving average of the weights that is evaluated and saved as
            the model; 0 turns the average off.
    """

    channels_last: bool = field(default=False, metadata={"help": "Train in channels-last memory order."})
    average_decay: float = field(
        default=0.0, metadata={"help": "Decay of the average of the weights; 0 = none."}
    )

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
    greater_is_better: bool | None = field(default=True, metadata={"help": "The score should grow."})

    def __post_init__(self) -> None:
        """Check our own fields, then everything that the base class checks."""
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"`average_decay` must lie in [0, 1): got {self.average_decay}.")
        super().__post_init__()


@dataclass
class TCMTrainingArguments(AveragedTrainingArguments):
    """`TrainingArguments` whose defaults are the papers' recipe, plus the few fields it lacks.

    The learning rate falls as (1 - step / steps) ** 0.9 (TCM, arXiv 2302.14338, training recipe) after a
    warm-up. Everything that `TrainingArguments` takes is taken here too.

    Args:
        image_tower_lr_factor: Factor on the learning rate of the image tower: 0.1 in the papers, where the
            tower comes pretrained; take 1.0 when it starts from random weights. 0 keeps its weights as they
            are; the running statistics of its batch norms still follow the images.
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
        default_factory=_poly_schedule, metadata={"help": "Power and end of the poly schedule."}
    )
    warmup_steps: float = field(default=0.02, metadata={"help": "Steps, or their share when below 1."})
    max_grad_norm: float = field(default=5.0, metadata={"help": "Gradient norm above which it is clipped."})

    def __post_init__(self) -> None:
        """Check our own fields, then everything that the base class checks."""
        for name in ("image_tower_lr_factor", "text_tower_lr_factor"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be 0 (frozen) or positive: got {getattr(self, name)}.")
        super().__post_init__()


@dataclass
class TextDetectionTrainingArguments(TCMTrainingArguments):
    """`TCMTrainingArguments` of the text detectors: the best checkpoint is that of the best hmean."""

    metric_for_best_model: str | None = field(default="eval_hmean", metadata={"help": "What best means."})


@dataclass
class RotatedDetectionTrainingArguments(TCMTrainingArguments):
    """`TCMTrainingArguments` of the rotated detectors: the best checkpoint is that of the best mean AP50."""

    metric_for_best_model: str | None = field(default="eval_map50", metadata={"help": "What best means."})
