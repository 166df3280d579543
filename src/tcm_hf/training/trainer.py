"""The Trainer of the text detectors: hmean over whole photos."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tcm_hf.data.records import TextRecord
from tcm_hf.training.arguments import TextDetectionTrainingArguments
from tcm_hf.training.collators import TextDetectionCollator
from tcm_hf.training.evaluation_loop import evaluate_detector
from tcm_hf.training.tcm_trainer import TCMTrainer


class TextDetectionTrainer(TCMTrainer):
    """`Trainer` for `TCMForTextDetection`.

    Differences to the base class, all of them small: an optimizer over `parameter_groups`; the losses of
    `outputs.loss_dict` are logged beside `loss`; `evaluate` runs over whole photos and gives `eval_hmean`;
    and those of `AveragingTrainer`: order of samples and averaged weights.

    Args:
        model: The detector.
        args: The training arguments.
        train_dataset: A `TextDetectionDataset` or `MixedDataset`.
        eval_dataset: Records of the validation photos (not a data set of tensors).
        image_processor: Saved with every checkpoint, and the way from photo to polygons in `evaluate`.
        image_cache: Decoded validation photos on disk, if any.
        **kwargs: What `Trainer` takes besides.
    """

    args: TextDetectionTrainingArguments
    collator_class = TextDetectionCollator

    def scores_on(self, records: Sequence[TextRecord], model: nn.Module) -> dict[str, float]:
        """Detect the text of whole photos and score it by the ICDAR 2015 protocol.

        Returns:
            `hmean`, `precision`, `recall`, counts and `images_per_second`, as of `evaluate_detector`.
        """
        return evaluate_detector(
            model,
            self.image_processor,
            records,
            **self.evaluation_options,
        )
