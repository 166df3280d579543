"""The Trainer of the rotated detectors: mean average precision over whole photos."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tcm_hf.data.rotated_records import RotatedRecord
from tcm_hf.training.arguments import RotatedDetectionTrainingArguments
from tcm_hf.training.collators import RotatedDetectionCollator
from tcm_hf.training.rotated_evaluation import evaluate_rotated
from tcm_hf.training.tcm_trainer import TCMTrainer


class RotatedDetectionTrainer(TCMTrainer):
    """`Trainer` for `TCMForRotatedObjectDetection`.

    Differences to the base class, all of them small: an optimizer over `parameter_groups`; the losses of
    `outputs.loss_dict` are logged beside `loss`; `evaluate` runs over whole photos and gives `eval_map50`;
    and those of `AveragingTrainer`: order of samples and averaged weights.

    Args:
        model: The detector.
        args: The training arguments.
        train_dataset: A `RotatedDetectionDataset`, or a `MixedDataset` of them.
        eval_dataset: Records of the validation photos (not a data set of tensors).
        image_processor: Saved with every checkpoint, and the way from photo to objects in `evaluate`.
        image_cache: A `TileCache` of decoded validation photos, if any.
        **kwargs: What `Trainer` takes besides.
    """

    args: RotatedDetectionTrainingArguments
    collator_class = RotatedDetectionCollator

    def scores_on(self, records: Sequence[RotatedRecord], model: nn.Module) -> dict[str, float]:
        """Find the objects of whole photos and score them.

        Returns:
            The means of `evaluate_rotated`: `map50`, `map50_voc07`, `map50_95` and the like.
        """
        scores = evaluate_rotated(
            model,
            self.image_processor,
            records,
            **self.evaluation_options,
        )
        return {name: value for name, value in scores.items() if not isinstance(value, dict)}
