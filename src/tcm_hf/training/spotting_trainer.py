"""The Trainer of the spotters: hmean of words found and read, over whole photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

from tcm_hf.data.records import TextRecord
from tcm_hf.training.arguments import TCMTrainingArguments
from tcm_hf.training.collators import ListedLabelsCollator
from tcm_hf.training.spotting_evaluation import evaluate_spotter
from tcm_hf.training.tcm_trainer import TCMTrainer


@dataclass
class TextSpottingTrainingArguments(TCMTrainingArguments):
    """`TCMTrainingArguments` of the spotters: the best checkpoint is that of the best end-to-end hmean.

    Gradients are clipped at a norm of 1: sums over the control points of a word make large ones.
    """

    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradient norm above which it is clipped."})
    metric_for_best_model: str | None = field(default="eval_hmean", metadata={"help": "What best means."})


class TextSpottingTrainer(TCMTrainer):
    """`Trainer` for `FastTCMForTextSpotting`, whatever its head.

    Args:
        model: The spotter.
        args: The training arguments.
        **kwargs: As for `TCMTrainer`; `train_dataset` a `TextSpottingDataset`, `WordPageDataset` or
            `MixedDataset` of them, `eval_dataset` records of photos with texts.
    """

    args: TextSpottingTrainingArguments
    collator_class = ListedLabelsCollator

    def scores_on(self, records: Sequence[TextRecord], model: nn.Module) -> dict[str, float]:
        """Read whole photos and score them by the ICDAR 2015 end-to-end protocol.

        Returns:
            `hmean`, `precision`, `recall`, counts and more, as of `evaluate_spotter`.
        """
        return evaluate_spotter(
            model,
            self.image_processor,
            records,
            **self.evaluation_options,
        )
